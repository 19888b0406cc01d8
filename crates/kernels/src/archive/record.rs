//! What is kept, as plain data.

use serde::{Deserialize, Serialize};

use crate::Evaluation;
use crate::evaluation::Level;
use crate::propose::{Operator, Proposal, Spent};

/// Number of an attempt in an archive.
pub type AttemptId = i64;

/// A search as it was begun.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SearchRecord {
    /// Unique in the archive; the run's id where there is a run.
    pub key: String,
    /// Name of the task.
    pub task: String,
    /// [`crate::Space::signature`] of the task.
    pub signature: String,
    /// Names of its operations, sorted, once each.
    pub operations: Vec<String>,
    /// Settings, for people and to notice another command under the same key.
    pub settings: serde_json::Value,
    /// Attempts at other tasks whose schedules it begins with.
    pub adopted: Vec<AttemptId>,
}

/// An attempt as it is recorded before anything is known of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NewAttempt {
    /// Key of the search.
    pub search: String,
    /// Its number within the search, from 0.
    pub seq: u64,
    /// The island that it is born on.
    pub island: usize,
    /// Who made it.
    pub proposer: String,
    /// How.
    pub operator: Operator,
    /// Genes changed, where that applies.
    pub strength: usize,
    /// From what.
    pub parents: Vec<AttemptId>,
    /// The candidate.
    pub proposal: Proposal,
    /// What making it cost.
    pub spent: Spent,
}

/// What an attempt is evaluated for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The first look, once for every attempt.
    Evaluation,
    /// Before it counts as best: fresh processes, inputs held back.
    Promotion,
    /// Later again, since the best of many was lucky too.
    Recheck,
}

impl Kind {
    /// As it is written.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Evaluation => "evaluation",
            Self::Promotion => "promotion",
            Self::Recheck => "recheck",
        }
    }

    pub(super) fn find(name: &str) -> Option<Self> {
        [Self::Evaluation, Self::Promotion, Self::Recheck]
            .into_iter()
            .find(|kind| kind.name() == name)
    }
}

/// Work on one attempt, done exactly once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Order {
    /// Its number in the archive.
    pub id: i64,
    /// The attempt.
    pub attempt: AttemptId,
    /// Key of its search.
    pub search: String,
    /// Name of the task.
    pub task: String,
    /// What for.
    pub kind: Kind,
    /// The candidate.
    pub proposal: Proposal,
}

/// What came of an order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// What was found.
    pub evaluation: Evaluation,
    /// Version of the judge.
    pub harness: String,
    /// Who did it.
    pub worker: String,
    /// Wall seconds of the evaluation.
    pub wall_secs: f64,
}

/// A finding with what it is about, without texts: what a search's state is computed from.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    /// Number of the finding: the order in which things became known.
    pub id: i64,
    /// The attempt.
    pub attempt: AttemptId,
    /// What for.
    pub kind: Kind,
    /// Version of the judge.
    pub harness: String,
    /// How far it came.
    pub level: Level,
    /// Whether it was turned away.
    pub rejection: Option<crate::evaluation::Rejection>,
    /// Baseline's time over its own.
    pub ratio: Option<f64>,
    /// Wall seconds of the evaluation.
    pub wall_secs: f64,
    /// When, Unix milliseconds.
    pub at_millis: i64,
}

/// An attempt without its text.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AttemptRecord {
    /// Its number.
    pub id: AttemptId,
    /// Key of its search.
    pub search: String,
    /// Its number within the search.
    pub seq: u64,
    /// The island it was born on.
    pub island: usize,
    /// Who made it.
    pub proposer: String,
    /// How.
    pub operator: Operator,
    /// Genes changed, where that applies.
    pub strength: usize,
    /// From what.
    pub parents: Vec<AttemptId>,
    /// SHA-256 of the candidate.
    pub candidate: String,
    /// Whether it is a schedule.
    pub has_genotype: bool,
    /// Its kind.
    pub descriptors: crate::space::Descriptors,
    /// What making it cost.
    pub spent: Spent,
    /// When it was proposed, Unix milliseconds.
    pub at_millis: i64,
}

/// A finding whole, with its order.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FindingRecord {
    /// What for.
    pub kind: Kind,
    /// How often before for the same.
    pub round: u32,
    /// What was found.
    #[serde(flatten)]
    pub finding: Finding,
    /// When, Unix milliseconds.
    pub at_millis: i64,
}

/// A model's reply that gave no candidate.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Fruitless {
    /// For which number within the search.
    pub seq: u64,
    /// Who was asked.
    pub proposer: String,
    /// For what.
    pub operator: Operator,
    /// What was wrong.
    pub problem: String,
    /// What it cost all the same.
    pub spent: Spent,
}

/// A good schedule found for a task.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Known {
    /// The attempt.
    pub attempt: AttemptId,
    /// Its task.
    pub task: String,
    /// Baseline's time over its own.
    pub ratio: f64,
    /// The schedule.
    pub genotype: crate::space::Genotype,
}
