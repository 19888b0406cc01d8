//! The search for a faster candidate.
//!
//! Islands of attempts vary their best ([`islands`]), a bandit decides how ([`bandit`]), and every
//! attempt goes through the archive: recorded, ordered, claimed, found out about. The state follows
//! from the archive alone, so the same call goes on where a killed one ended, and with one job and
//! an evaluator that repeats itself the same seed gives the same attempts, killed or not.
//!
//! Two strategies are there to compare with: candidates drawn without learning from any result, near
//! the rules of thumb ([`Strategy::BestOfN`]) or anywhere ([`Strategy::Random`]).

pub mod bandit;
mod drive;
pub mod islands;
mod knowledge;
mod plan;
mod summary;
#[cfg(test)]
mod tests;
pub mod twin;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use serde::{Deserialize, Serialize};

use crate::archive::{Archive, AttemptRecord, SearchRecord, Seen};
use crate::evaluator::Evaluator;
use crate::propose::Proposer;
use crate::{Error, Space, Task};

pub use islands::{Migration, Population, Shape};
pub use knowledge::Knowledge;
pub use summary::{ArmSummary, Best, CurvePoint, SearchSummary};

/// Most schedules of other tasks that a search begins with.
const N_ADOPTED: usize = 6;

/// How candidates are chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// Islands, selection, crossover.
    Evolve,
    /// Independent draws near the rules of thumb; the best counts.
    BestOfN,
    /// Independent draws from the whole space; the best counts.
    Random,
}

impl Strategy {
    /// As it is written.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Evolve => "evolve",
            Self::BestOfN => "best-of-n",
            Self::Random => "random",
        }
    }
}

/// What a search may use up, over all its sittings.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Budget {
    /// Attempts, each evaluated once. Measuring the best again is not counted.
    pub evaluations: u64,
    /// Wall seconds.
    pub secs: Option<f64>,
    /// Tokens of models, both ways.
    pub tokens: Option<u64>,
    /// US dollars for models; every model needs a price.
    pub usd: Option<f64>,
}

/// A search, as it was asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SearchConfig {
    /// Name of the task.
    pub task: String,
    /// How candidates are chosen.
    pub strategy: Strategy,
    /// Seed of every choice.
    pub seed: u64,
    /// Islands and their clocks.
    pub shape: Shape,
    /// Names of the proposers.
    pub proposers: Vec<String>,
    /// Limits.
    pub budget: Budget,
    /// Evaluations at once in this process, never more than islands; 0 leaves all to workers.
    pub jobs: usize,
}

impl SearchConfig {
    /// Reason why it makes no sense, if there is one.
    ///
    /// # Errors
    /// In one line.
    pub fn check(&self) -> Result<(), String> {
        let fine = |secs: f64| secs.is_finite() && secs >= 0.0;
        if !(1..=64).contains(&self.shape.n_islands) {
            return Err(format!("expected 1 to 64 islands, got {}", self.shape.n_islands));
        }
        if self.proposers.is_empty() {
            return Err("expected a proposer".to_owned());
        }
        if self.strategy == Strategy::Random && !self.proposers.iter().any(|name| name == "builtin")
        {
            return Err("strategy `random` needs the proposer `builtin`".to_owned());
        }
        if !self.budget.secs.is_none_or(fine) || !self.budget.usd.is_none_or(fine) {
            return Err("a budget is no amount".to_owned());
        }
        Ok(())
    }

    /// What makes two commands the same search: not how much is done at once, nor how far it goes.
    #[must_use]
    pub fn identity(&self) -> serde_json::Value {
        serde_json::json!({
            "task": self.task, "strategy": self.strategy, "seed": self.seed, "shape": self.shape,
            "proposers": self.proposers,
        })
    }
}

/// What a search uses and does not make itself.
pub struct Deps<'a> {
    /// Where everything is kept.
    pub archive: &'a Archive,
    /// The task.
    pub task: &'a Task,
    /// Its schedules.
    pub space: &'a dyn Space,
    /// Who finds out about candidates.
    pub evaluator: Arc<dyn Evaluator>,
    /// Models and other sources beside the built-in one, which is used when
    /// [`SearchConfig::proposers`] names `builtin`.
    pub models: Vec<Box<dyn Proposer + 'a>>,
    /// Set from outside to stop as soon as possible; the search is then resumable.
    pub cancel: &'a AtomicBool,
    /// Another queue that orders are handed on to, for workers on other machines.
    pub relay: Option<&'a dyn crate::queue::Relay>,
}

/// Why a search ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum End {
    /// All evaluations were made.
    Complete,
    /// Time was up.
    TimeUp,
    /// No proposer gave a candidate that had not been tried.
    Exhausted,
    /// Tokens or money were used up, and no proposer works without.
    BudgetUsedUp,
    /// Stopped from outside.
    Interrupted,
}

/// How it stands, for whoever watches.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Standing {
    /// Attempts evaluated.
    pub n_evaluated: u64,
    /// Evaluations allowed.
    pub n_budget: u64,
    /// Evaluations of every kind in this sitting, a second.
    pub per_sec: f64,
    /// The best verified ratio.
    pub best: Option<f64>,
    /// Attempts turned away, by reason.
    pub rejected: std::collections::BTreeMap<String, u64>,
}

/// What a search tells while it goes on, from any of its threads.
pub trait Progress: Send + Sync {
    /// It begins, or goes on with so many attempts.
    fn opened(&self, search: &SearchRecord, n_attempts: usize) {
        let _ = (search, n_attempts);
    }

    /// Something was found out.
    fn found(&self, attempt: &AttemptRecord, seen: &Seen, standing: &Standing) {
        let _ = (attempt, seen, standing);
    }

    /// Something that people should know now.
    fn note(&self, line: &str) {
        let _ = line;
    }
}

/// Tells nothing.
#[derive(Debug, Clone, Copy)]
pub struct NoProgress;

impl Progress for NoProgress {}

/// Searches until a limit, under `key` in the archive; goes on with what is there.
///
/// # Errors
/// When the configuration makes no sense, the archive fails, or an evaluator cannot tell. What was
/// found until then is kept.
pub fn run(
    config: &SearchConfig,
    key: &str,
    deps: &Deps<'_>,
    progress: &dyn Progress,
) -> Result<SearchSummary, Error> {
    config.check().map_err(|reason| Error::Config { reason })?;
    let mut operations: Vec<String> =
        deps.task.graph.nodes.iter().map(|node| node.op.clone()).collect();
    operations.sort();
    operations.dedup();
    let signature = deps.space.signature();
    let known = deps.archive.known(
        &config.task,
        &signature,
        &operations,
        &deps.evaluator.harness(),
        N_ADOPTED,
    )?;
    let search = deps.archive.begin(&SearchRecord {
        key: key.to_owned(),
        task: config.task.clone(),
        signature,
        operations,
        settings: config.identity(),
        adopted: known.iter().map(|known| known.attempt).collect(),
    })?;
    drive::drive(config, &search, deps, progress)
}
