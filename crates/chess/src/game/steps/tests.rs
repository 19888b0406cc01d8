//! The loop against a scripted shell and a scripted model: limits, endings, order of evidence.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;

use llm::chat::{Chat, Request, ToolCall, Wire};
use sandbox::event::{FileChange, FileState, Manifest};
use sandbox::{Ending, EventKind};
use serde_json::{Value, json};

use super::*;
use crate::config::{GameLimits, Rules, Scaffold};
use crate::evidence::{BrokerAction, Evidence, Profile, Streams};
use crate::game::Unrecorded;
use crate::task::setup::{EngineChoice, GameSetup, HostTools, ScriptLanguage};

/// Answers in order; then fails.
struct Model(Mutex<Vec<Result<Reply, llm::Error>>>);

impl Model {
    fn new(replies: Vec<Result<Reply, llm::Error>>) -> Self {
        Self(Mutex::new(replies.into_iter().rev().collect()))
    }
}

impl Chat for Model {
    fn name(&self) -> &str {
        "model"
    }

    fn complete(&self, _request: &Request) -> Result<Reply, llm::Error> {
        let protocol = || llm::Error::Protocol { reason: "no more replies".into() };
        self.0.lock().unwrap().pop().unwrap_or_else(|| Err(protocol()))
    }
}

fn says(text: &str, commands: &[&str]) -> Result<Reply, llm::Error> {
    let call = |(idx, command): (usize, &&str)| ToolCall {
        id: idx.to_string(),
        name: "bash".into(),
        arguments: json!({ "command": command }),
    };
    Ok(Reply {
        text: text.into(),
        reasoning: None,
        tool_calls: commands.iter().enumerate().map(call).collect(),
        stop: if commands.is_empty() { Stop::End } else { Stop::ToolCalls },
        usage: Usage {
            input_tokens: 90,
            output_tokens: 10,
            cost_usd: Some(0.5),
            ..Usage::default()
        },
        model: "model-1".into(),
        provider_id: None,
        opaque: Value::Null,
        wire: Wire::default(),
    })
}

/// A shell whose commands each touch `/env/game/fen.txt`; `over` ends the game, `break` the sandbox.
#[derive(Default)]
struct Scripted {
    n_commands: u32,
    status: String,
    events: Vec<sandbox::Event>,
}

impl Shell for Scripted {
    fn run(&mut self, command: &Command) -> Result<Outcome, sandbox::Error> {
        let text = &command.argv[2];
        if text == "break" {
            return Err(sandbox::Error::Broken("it is gone".into()));
        }
        if text == "over" {
            self.status = "Game over: checkmate".into();
        }
        self.n_commands += 1;
        let kind =
            EventKind::File { path: "/env/game/fen.txt".into(), change: FileChange::Modified };
        let bytes: std::sync::Arc<[u8]> = b"the board".as_slice().into();
        let blobs = vec![sandbox::event::Blob { sha256: "a".repeat(64), bytes }];
        self.events.push(sandbox::Event { nanos: 1, kind, blobs });
        Ok(Outcome {
            ending: Ending::Exited { code: 0 },
            stdout: vec![b'x'; 50],
            stderr: Vec::new(),
            dropped_bytes: 0,
            wall: Duration::from_millis(3),
            background: Vec::new(),
        })
    }

    fn take_events(&mut self) -> Vec<sandbox::Event> {
        std::mem::take(&mut self.events)
    }

    fn manifest(&mut self) -> Result<Manifest, sandbox::Error> {
        let sha256 = format!("{:064}", self.n_commands);
        let state = FileState::File { sha256, size_bytes: 1, mode: 0o644 };
        Ok(Manifest::from([("/env/game/fen.txt".to_owned(), state)]))
    }

    fn read(&self, path: &str, _limit: usize) -> Result<Option<Vec<u8>>, sandbox::Error> {
        assert_eq!(path, "/env/game/status.txt");
        Ok(Some(self.status.clone().into_bytes()))
    }
}

fn limits() -> GameLimits {
    GameLimits { n_steps: 5, output_bytes: 30, ..GameLimits::usual() }
}

/// Plays, and returns how it ended and what was recorded.
fn play(
    replies: Vec<Result<Reply, llm::Error>>,
    limits: &GameLimits,
) -> (Result<GameEnd, Error>, Evidence) {
    play_with(replies, limits, Profile::Faithful, &|| Vec::new(), &AtomicBool::new(false))
}

fn play_with(
    replies: Vec<Result<Reply, llm::Error>>,
    limits: &GameLimits,
    profile: Profile,
    actions: &Actions<'_>,
    cancel: &AtomicBool,
) -> (Result<GameEnd, Error>, Evidence) {
    let setup = GameSetup {
        profile,
        variant: "baseline".into(),
        original_traps: false,
        language: ScriptLanguage::Sh,
        engine: EngineChoice::Embedded { nodes: 1 },
        resign_centipawns: -500,
        seed: 1,
        command_wall: Duration::from_secs(10),
    };
    let tools = HostTools { tetrad: PathBuf::from("/proc/self/exe"), python: None };
    let launcher = sandbox::Launcher::this_program();
    let chat = Model::new(replies);
    let (scaffold, rules) = (Scaffold::React, Rules::Silent);
    let table = Table {
        setup: &setup,
        tools: &tools,
        launcher: &launcher,
        chat: &chat,
        scaffold,
        rules,
        limits,
        cancel,
    };
    let facts = crate::sample::facts(profile);
    let mut shell = Scripted::default();
    let mut tape = Tape::new(&Unrecorded);
    let mut agent = Agent::new(crate::agent::driver(scaffold, "Win.", rules).unwrap());
    let began = Instant::now();
    let mut steps =
        Steps { table: &table, facts: &facts, shell: &mut shell, actions, tape: &mut tape, began };
    let end = steps.play(&mut agent);
    let streams = Streams { ledger: true, files: true, exec: true, transcript: true };
    (end, tape.into_evidence(facts, streams))
}

fn kinds(evidence: &Evidence) -> Vec<(u32, &'static str)> {
    let name = |body: &EventBody| match body {
        EventBody::Turn { .. } => "turn",
        EventBody::CommandStarted { .. } => "started",
        EventBody::Sandbox { .. } => "seen",
        EventBody::Broker { .. } => "broker",
        EventBody::ManifestChange { .. } => "manifest",
        EventBody::CommandEnded { .. } => "ended",
        EventBody::EngineCheck { .. } => "check",
        EventBody::GameEnded { .. } => "end",
    };
    evidence.events.iter().map(|event| (event.step, name(&event.body))).collect()
}

#[test]
fn what_a_command_did_stands_between_its_start_and_its_end() {
    let (end, evidence) = play(vec![says("", &["a"]), says("DONE", &[])], &limits());
    assert_eq!(end.unwrap(), GameEnd::AgentStopped);
    let expected =
        [(1, "turn"), (1, "started"), (1, "seen"), (1, "manifest"), (1, "ended"), (2, "turn")];
    assert_eq!(kinds(&evidence), expected);
    let ids: Vec<u64> = evidence.events.iter().map(|event| event.id).collect();
    assert_eq!(ids, [0, 1, 2, 3, 4, 5]);
}

#[test]
fn output_is_cut_as_the_agent_gets_it() {
    let (_, evidence) = play(vec![says("", &["a"])], &limits());
    let stdout = evidence.events.iter().find_map(|event| match &event.body {
        EventBody::CommandEnded { stdout, .. } => Some(stdout.clone()),
        _ => None,
    });
    assert!(stdout.unwrap().contains("[... 20 bytes left out ...]"));
}

#[test]
fn a_model_that_fails_is_infrastructure_and_the_evidence_stays() {
    let (end, evidence) = play(vec![says("", &["a"])], &limits());
    assert!(
        matches!(end.unwrap(), GameEnd::Infrastructure { reason } if reason.contains("no more"))
    );
    assert_eq!(evidence.events.len(), 5);
}

#[test]
fn a_sandbox_that_breaks_is_infrastructure() {
    let (end, evidence) = play(vec![says("", &["break"])], &limits());
    assert!(matches!(end.unwrap(), GameEnd::Infrastructure { reason } if reason.contains("gone")));
    assert_eq!(kinds(&evidence), [(1, "turn"), (1, "started")]);
}

#[test]
fn a_bad_key_or_an_empty_purse_fails_the_run_and_is_no_result() {
    let config = llm::Error::Config { model: "m".into(), reason: "no key".into() };
    let (end, _) = play(vec![Err(config)], &limits());
    assert!(matches!(end, Err(Error::Model(llm::Error::Config { .. }))));
    let budget = llm::Error::Budget { spent: 1.0, limit: 1.0, unit: "tokens".into() };
    let (end, _) = play(vec![Err(budget)], &limits());
    assert!(matches!(end, Err(Error::Model(llm::Error::Budget { .. }))));
}

#[test]
fn two_answers_without_a_command_end_the_game_and_one_between_commands_does_not() {
    let nonsense = || says("Hello!", &[]);
    let (end, _) = play(vec![nonsense(), says("", &[])], &limits());
    assert_eq!(end.unwrap(), GameEnd::NothingToRun);
    let replies =
        vec![nonsense(), says("", &["a"]), nonsense(), says("", &["a"]), says("DONE", &[])];
    assert_eq!(play(replies, &limits()).0.unwrap(), GameEnd::AgentStopped);
}

#[test]
fn each_limit_ends_the_game_under_its_name() {
    let busy = || (0..9).map(|_| says("", &["a"])).collect::<Vec<_>>();
    assert_eq!(play(busy(), &limits()).0.unwrap(), GameEnd::StepLimit);
    let over = |limit: &str| GameEnd::BudgetLimit { limit: limit.into() };
    let tokens = GameLimits { tokens: Some(200), ..limits() };
    let (end, evidence) = play(busy(), &tokens);
    assert_eq!(end.unwrap(), over("tokens"));
    assert_eq!(evidence.events.last().unwrap().step, 2, "100 tokens a step");
    let money = GameLimits { usd: Some(1.0), ..limits() };
    assert_eq!(play(busy(), &money).0.unwrap(), over("money"));
    let wall = GameLimits { game_secs: 0, ..limits() };
    assert_eq!(play(busy(), &wall).0.unwrap(), over("wall"));
}

#[test]
fn commands_beyond_the_limit_of_one_reply_are_not_run() {
    let two = GameLimits { n_commands_per_reply: 2, ..limits() };
    let (_, evidence) = play(vec![says("", &["a", "b", "c"])], &two);
    assert_eq!(kinds(&evidence).iter().filter(|(_, kind)| *kind == "started").count(), 2);
}

#[test]
fn the_game_ends_with_the_command_after_which_the_script_says_so() {
    let (end, evidence) = play(vec![says("", &["a", "over", "b"])], &limits());
    assert_eq!(end.unwrap(), GameEnd::ScriptSaysOver);
    assert_eq!(kinds(&evidence).iter().filter(|(_, kind)| *kind == "started").count(), 2);
}

#[test]
fn in_brokered_only_the_broker_can_say_that_the_game_is_over() {
    let never = AtomicBool::new(false);
    let replies = || vec![says("", &["over"]), says("DONE", &[])];
    let none = || Vec::new();
    let (end, _) = play_with(replies(), &limits(), Profile::Brokered, &none, &never);
    assert_eq!(end.unwrap(), GameEnd::AgentStopped, "the status file inside is the agent's");
    let resigns = || vec![BrokerAction::Resigned { white_centipawns: -700 }];
    let (end, evidence) = play_with(replies(), &limits(), Profile::Brokered, &resigns, &never);
    assert_eq!(end.unwrap(), GameEnd::ScriptSaysOver);
    assert!(kinds(&evidence).contains(&(1, "broker")));
}

#[test]
fn a_cancel_is_no_result() {
    let cancelled = AtomicBool::new(true);
    let none = || Vec::new();
    let (end, _) = play_with(vec![], &limits(), Profile::Faithful, &none, &cancelled);
    assert!(matches!(end, Err(Error::Interrupted)));
}

#[test]
fn a_sum_without_a_price_has_no_price() {
    let priced = Usage { input_tokens: 1, cost_usd: Some(1.0), ..Usage::default() };
    let unpriced = Usage { input_tokens: 2, cost_usd: None, ..Usage::default() };
    assert_eq!(sum(&priced, &priced).cost_usd, Some(2.0));
    assert_eq!((sum(&priced, &unpriced).cost_usd, sum(&priced, &unpriced).input_tokens), (None, 3));
}

#[test]
fn texts_of_versions_are_kept_under_their_hash() {
    let (_, evidence) = play(vec![says("", &["a", "b"])], &limits());
    let expected = BTreeMap::from([("a".repeat(64), "the board".to_owned())]);
    assert_eq!(evidence.texts, expected);
}
