//! Many games: a matrix, played by several threads into one run directory, resumable by the same
//! command whatever ended it.

mod budget;
mod one;
pub mod recover;

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use llm::chat::Chat;
use runs::{Run, Store};
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::config::{ChessConfig, PlannedGame};
use crate::record::{Spent, StoredGame, read_games};
use crate::summary::{ChessSummary, RunEnd, summarize};
use crate::task::setup::HostTools;
use crate::verdict::Verdict;

use budget::Purse;

/// Makes the chat for one game: model as asked for, and the game's seed. Each game gets its own,
/// since a scripted player has a memory.
pub type Models<'a> = dyn Fn(&str, u64) -> Result<Box<dyn Chat>, llm::Error> + Send + Sync + 'a;

/// What a run uses and does not make itself.
pub struct Deps<'a> {
    /// Chats.
    pub models: &'a Models<'a>,
    /// Programs of this machine.
    pub tools: HostTools,
    /// How to start a sandbox's first process.
    pub launcher: sandbox::Launcher,
    /// Set from outside to stop as soon as possible; the run is then resumable.
    pub cancel: &'a AtomicBool,
}

/// What a run tells while it goes on, from any of its threads.
pub trait Progress: Send + Sync {
    /// The run is open: where it is, games in all, games that were already there.
    fn opened(&self, run: &Run, n_games: usize, n_finished: usize) {
        let _ = (run, n_games, n_finished);
    }

    /// A game starts.
    fn started(&self, game: &PlannedGame) {
        let _ = game;
    }

    /// A game is stored.
    fn finished(&self, game: &PlannedGame, verdict: &Verdict) {
        let _ = (game, verdict);
    }

    /// Something that people should know now: a retry, a budget used up.
    fn note(&self, line: &str) {
        let _ = line;
    }
}

/// Tells nothing.
#[derive(Debug, Clone, Copy)]
pub struct NoProgress;

impl Progress for NoProgress {}

/// One line of the run's own log.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum RunEvent {
    /// A sitting begins.
    Opened {
        /// Whether games of an earlier sitting were there.
        resumed: bool,
        /// Games already whole.
        n_finished: usize,
        /// Folders set aside.
        n_set_aside: usize,
        /// Spent in earlier sittings.
        spent: Spent,
        /// Limit of this sitting.
        budget: crate::config::RunBudget,
    },
    /// A game is whole.
    Finished {
        /// Its number.
        game: usize,
        /// Outcome.
        outcome: crate::verdict::Outcome,
        /// Level.
        level: crate::verdict::HackLevel,
    },
    /// Infrastructure broke a game, and it is played again.
    Retried {
        /// Its number.
        game: usize,
        /// Why.
        reason: String,
    },
    /// The sitting ends.
    Closed {
        /// How.
        end: RunEnd,
        /// Spent in all sittings.
        spent: Spent,
    },
}

/// Plays what is still missing of the configured games, then writes and returns the summary of all.
///
/// # Errors
/// What makes every further game pointless (see [`crate::game::play_recorded`]), and a run
/// directory that cannot be read or written. What was played until then is kept. An interruption
/// or a budget that is used up is no error: [`ChessSummary::end`] tells.
pub fn run(
    config: &ChessConfig,
    deps: &Deps<'_>,
    store: &Store,
    progress: &dyn Progress,
) -> Result<ChessSummary, Error> {
    config.check()?;
    let (mut run, resumed) = store.resume_or_create("chess", "run", config, config.seed)?;
    let recovered = recover::recover(run.path(), config.n_retries)?;
    let games = config.games();
    run.log().append(&RunEvent::Opened {
        resumed,
        n_finished: recovered.finished.len(),
        n_set_aside: recovered.n_set_aside,
        spent: recovered.spent,
        budget: config.budget,
    })?;
    progress.opened(&run, games.len(), recovered.finished.len());
    let todo: VecDeque<PlannedGame> =
        games.into_iter().filter(|game| !recovered.finished.contains(&game.index)).collect();
    let hall = Hall {
        config,
        deps,
        progress,
        run: &run,
        recovered: &recovered,
        purse: Purse::new(config.budget, recovered.spent),
        todo: Mutex::new(todo),
        stop: AtomicBool::new(false),
        failure: Mutex::new(None),
    };
    hall.play_all();
    let spent = hall.purse.spent();
    let failure = hall.failure.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    let (end, error) = match failure {
        _ if deps.cancel.load(Ordering::Relaxed) => (RunEnd::Interrupted, None),
        None => (RunEnd::Complete, None),
        Some(Error::Interrupted) => (RunEnd::Interrupted, None),
        Some(Error::Model(llm::Error::Budget { .. })) => (RunEnd::BudgetUsedUp, None),
        Some(error) => (RunEnd::Failed, Some(error)),
    };
    let stored = read_games(run.path())?;
    // A cancel that comes after the last game has been stored takes nothing away.
    let end = if stored.len() == config.games().len() { RunEnd::Complete } else { end };
    run.log().append(&RunEvent::Closed { end, spent })?;
    let summary = summary_of(&run, &stored, end)?;
    run.write_summary(&summary)?;
    run.finish(status(&summary))?;
    match error {
        Some(error) if end != RunEnd::Complete => Err(error),
        _ => Ok(summary),
    }
}

/// The summary of what a run's directory holds.
///
/// # Errors
/// When the directory cannot be read.
pub fn summary_of(run: &Run, games: &[StoredGame], end: RunEnd) -> Result<ChessSummary, Error> {
    let config: ChessConfig = settings(run)?;
    let aside = recover::attempts_in(run.path())?;
    Ok(summarize(run.id(), &config, games, &aside, end))
}

/// The settings of a stored chess run.
///
/// # Errors
/// When it is another kind of run.
pub fn settings(run: &Run) -> Result<ChessConfig, Error> {
    run.manifest().settings().map_err(|error| Error::Record {
        path: run.path().to_owned(),
        reason: format!("not a chess run: {error}"),
    })
}

fn status(summary: &ChessSummary) -> runs::Status {
    match summary.end {
        RunEnd::Complete if summary.n_infrastructure() > 0 => runs::Status::Partial,
        RunEnd::Complete => runs::Status::Done,
        RunEnd::Failed => runs::Status::Failed,
        RunEnd::BudgetUsedUp | RunEnd::Interrupted => runs::Status::Interrupted,
    }
}

/// What the playing threads share.
struct Hall<'a> {
    config: &'a ChessConfig,
    deps: &'a Deps<'a>,
    progress: &'a dyn Progress,
    run: &'a Run,
    recovered: &'a recover::Recovered,
    purse: Purse,
    todo: Mutex<VecDeque<PlannedGame>>,
    /// Set by the caller's cancel or by the first failure.
    stop: AtomicBool,
    failure: Mutex<Option<Error>>,
}

impl Hall<'_> {
    fn play_all(&self) {
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    if self.deps.cancel.load(Ordering::Relaxed) {
                        self.stop.store(true, Ordering::Relaxed);
                    }
                    std::thread::sleep(Duration::from_millis(20));
                }
            });
            let workers: Vec<_> =
                (0..self.config.jobs).map(|_| scope.spawn(|| self.work())).collect();
            let mut panicked = None;
            for worker in workers {
                if let Err(panic) = worker.join() {
                    self.stop.store(true, Ordering::Relaxed);
                    panicked = Some(panic);
                }
            }
            over.store(true, Ordering::Relaxed);
            if let Some(panic) = panicked {
                std::panic::resume_unwind(panic);
            }
        });
    }

    fn work(&self) {
        while !self.stop.load(Ordering::Relaxed) {
            let Some(game) = lock(&self.todo).pop_front() else { return };
            self.progress.started(&game);
            match one::play_stored(self, &game) {
                Ok(verdict) => self.progress.finished(&game, &verdict),
                Err(error) => {
                    self.stop.store(true, Ordering::Relaxed);
                    self.fail(error);
                }
            }
        }
    }

    /// Keeps the most telling failure: games that were stopped because of another one say nothing.
    fn fail(&self, error: Error) {
        let mut failure = lock(&self.failure);
        if matches!(&*failure, None | Some(Error::Interrupted)) {
            *failure = Some(error);
        }
    }
}

/// Only plain data is guarded, so a panicking thread leaves nothing half-changed.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
