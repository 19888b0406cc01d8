//! One game: an agent, a shell, and everything that is seen of it.

mod ending;
mod steps;
mod tape;

use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use llm::chat::{Chat, Reply, Usage};
use sandbox::outcome::Enforced;
use sandbox::{Launcher, Sandbox};

use crate::config::{GameLimits, Rules, Scaffold};
use crate::evidence::{BrokerAction, Event, Evidence, GameEnd, GameFacts, Profile, Streams};
use crate::task::setup::{self, GameSetup, HostTools};
use crate::{Error, agent, engine_check, ledger};

use steps::{Agent, Steps};
use tape::Tape;

/// Everything one game needs.
pub struct Table<'a> {
    /// The game.
    pub setup: &'a GameSetup,
    /// Programs of this machine that the game uses.
    pub tools: &'a HostTools,
    /// How to start the sandbox's first process.
    pub launcher: &'a Launcher,
    /// The model.
    pub chat: &'a dyn Chat,
    /// How it is driven.
    pub scaffold: Scaffold,
    /// What the task says about rules.
    pub rules: Rules,
    /// When to stop it.
    pub limits: &'a GameLimits,
    /// Set from outside to stop as soon as possible.
    pub cancel: &'a AtomicBool,
}

/// Where a game goes while it is played, so that a crash leaves what was seen.
pub trait Recorder {
    /// One more event.
    ///
    /// # Errors
    /// When it cannot be stored; the game is then not played on.
    fn event(&self, event: &Event) -> Result<(), Error>;

    /// The bytes behind a hash in an event, before that event.
    ///
    /// # Errors
    /// As for [`Recorder::event`].
    fn blob(&self, sha256: &str, bytes: &[u8]) -> Result<(), Error>;

    /// One exchange with the model.
    ///
    /// # Errors
    /// As for [`Recorder::event`].
    fn reply(&self, step: u32, reply: &Reply) -> Result<(), Error>;
}

/// Keeps nothing: the evidence that [`play_recorded`] returns is all there is.
#[derive(Debug, Clone, Copy)]
pub struct Unrecorded;

impl Recorder for Unrecorded {
    fn event(&self, _event: &Event) -> Result<(), Error> {
        Ok(())
    }

    fn blob(&self, _sha256: &str, _bytes: &[u8]) -> Result<(), Error> {
        Ok(())
    }

    fn reply(&self, _step: u32, _reply: &Reply) -> Result<(), Error> {
        Ok(())
    }
}

/// A game that was played to some end.
#[derive(Debug, Clone)]
pub struct Played {
    /// What was seen.
    pub evidence: Evidence,
    /// The task as the agent read it.
    pub task: String,
    /// What the sandbox really enforced; `None` when it never started.
    pub enforced: Option<Enforced>,
    /// Models that answered, as the provider names them, in order of appearance.
    pub models: Vec<String>,
    /// Tokens and money.
    pub usage: Usage,
    /// Replies of the model.
    pub n_replies: u32,
    /// Wall time.
    pub wall: Duration,
}

/// Plays one game with native tool calls and nothing said about rules.
///
/// # Errors
/// See [`play_recorded`].
pub fn play(
    setup: &GameSetup,
    tools: &HostTools,
    launcher: &Launcher,
    chat: &dyn Chat,
    limits: &GameLimits,
    cancel: &AtomicBool,
) -> Result<Evidence, Error> {
    let (scaffold, rules) = (Scaffold::React, Rules::Silent);
    let table = Table { setup, tools, launcher, chat, scaffold, rules, limits, cancel };
    Ok(play_recorded(&table, &Unrecorded)?.evidence)
}

/// Plays one game.
///
/// A model, sandbox or outside engine that fails on the way is no error: the game then ends in
/// [`GameEnd::Infrastructure`] with the evidence so far.
///
/// # Errors
/// What makes every further game pointless: a policy or protection that this machine cannot give,
/// a model that is not configured, a budget that is used up, a disk that refuses; and
/// [`Error::Interrupted`] after `cancel`.
pub fn play_recorded(table: &Table<'_>, recorder: &dyn Recorder) -> Result<Played, Error> {
    let scratch = tempfile::Builder::new()
        .prefix("tetrad-game-")
        .tempdir()
        .map_err(|source| Error::io("create a folder in", std::env::temp_dir(), source))?;
    let mut environment = setup::prepare(table.setup, table.tools, scratch.path())?;
    let task = agent::task_text(&environment.prompt, table.rules)?;
    let mut agent = Agent::new(agent::driver(table.scaffold, &environment.prompt, table.rules)?);
    let broker = environment.broker.take();
    let actions = || broker.as_ref().map(|broker| broker.take_actions()).unwrap_or_default();
    let mut tape = Tape::new(recorder);
    let began = Instant::now();
    let mut enforced = None;
    tape.keep_seeds(&environment.policy)?;
    let why = match Sandbox::start(environment.policy, table.launcher) {
        Ok(mut sandbox) => {
            enforced = Some(sandbox.enforced().clone());
            tape.start_clock();
            let mut steps = Steps {
                table,
                facts: &environment.facts,
                shell: &mut sandbox,
                actions: &actions,
                tape: &mut tape,
                began,
            };
            let why = steps.play(&mut agent)?;
            let stopped = sandbox.stop();
            match (why, stopped) {
                // What ended the game before the sandbox failed to stop still ended it.
                (GameEnd::Infrastructure { reason }, _) => GameEnd::Infrastructure { reason },
                (why, _) => why,
            }
        }
        Err(error) if permanent(&error) => return Err(error.into()),
        Err(error) => GameEnd::Infrastructure { reason: error.to_string() },
    };
    // Without a broker the replies in the state files are the script's word. The pristine engine,
    // asked outside, is what they are checked against.
    if environment.facts.profile == Profile::Faithful {
        let so_far = tape.evidence(environment.facts.clone(), streams(enforced.as_ref()));
        let questions = ledger::engine_questions(&so_far);
        for check in engine_check::check_replies(table.setup, table.tools, &questions) {
            tape.push(check)?;
        }
    }
    tape.push(crate::evidence::EventBody::GameEnded { why })?;
    let streams = streams(enforced.as_ref());
    Ok(Played {
        evidence: tape.into_evidence(environment.facts, streams),
        task,
        enforced,
        models: agent.models,
        usage: agent.usage,
        n_replies: agent.n_replies,
        wall: began.elapsed(),
    })
}

/// Whether another game on this machine would fail in the same way.
fn permanent(error: &sandbox::Error) -> bool {
    matches!(
        error,
        sandbox::Error::ProtectionMissing { .. }
            | sandbox::Error::Policy(_)
            | sandbox::Error::HostPath { .. }
    )
}

/// Streams that were recorded, by what the sandbox says is in force.
fn streams(enforced: Option<&Enforced>) -> Streams {
    use sandbox::outcome::Status;
    use sandbox::policy::Protection;
    let on = |wanted: Protection| {
        enforced.is_some_and(|enforced| {
            enforced.protections.iter().any(|(protection, status)| {
                *protection == wanted && matches!(status, Status::Enforced(_))
            })
        })
    };
    Streams {
        ledger: enforced.is_some(),
        files: on(Protection::FileWatch),
        exec: on(Protection::SeccompNotify),
        transcript: true,
    }
}

/// What a game needs of a sandbox: the seam at which tests put a scripted one.
trait Shell {
    fn run(
        &mut self,
        command: &sandbox::outcome::Command,
    ) -> Result<sandbox::Outcome, sandbox::Error>;
    fn take_events(&mut self) -> Vec<sandbox::Event>;
    fn manifest(&mut self) -> Result<sandbox::event::Manifest, sandbox::Error>;
    fn read(&self, path: &str, limit_bytes: usize) -> Result<Option<Vec<u8>>, sandbox::Error>;
}

impl Shell for Sandbox {
    fn run(
        &mut self,
        command: &sandbox::outcome::Command,
    ) -> Result<sandbox::Outcome, sandbox::Error> {
        Sandbox::run(self, command)
    }

    fn take_events(&mut self) -> Vec<sandbox::Event> {
        Sandbox::take_events(self)
    }

    fn manifest(&mut self) -> Result<sandbox::event::Manifest, sandbox::Error> {
        Sandbox::manifest(self)
    }

    fn read(&self, path: &str, limit_bytes: usize) -> Result<Option<Vec<u8>>, sandbox::Error> {
        Sandbox::read(self, path, limit_bytes)
    }
}

/// What the broker did since the last call.
type Actions<'a> = dyn Fn() -> Vec<BrokerAction> + 'a;

/// Facts that the steps need, for tests to build by hand.
type Facts = GameFacts;
