//! Where candidates come from.
//!
//! A search decides which parents are varied and how; a [`Proposer`] makes the text. The built-in
//! one moves in a [`Space`](crate::Space) of schedules, the other one asks a chat model. Neither
//! has a say in what is accepted.

pub mod builtin;
pub mod model;

use serde::{Deserialize, Serialize};

use crate::archive::AttemptId;
use crate::space::{Descriptors, Genotype};
use crate::{Candidate, Error, Evaluation};

/// A candidate and where it lies.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Proposal {
    /// The text to compile.
    pub candidate: Candidate,
    /// The schedule it was made from; `None` when the text itself is what is varied.
    pub genotype: Option<Genotype>,
    /// Its kind.
    pub descriptors: Descriptors,
}

/// How a candidate came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Operator {
    /// The plain schedule, or one that rules of thumb suggest.
    Seed,
    /// A good schedule of a similar task.
    Adopt,
    /// Some genes changed.
    Mutate,
    /// Genes of two parents.
    Cross,
    /// A model wrote all of it.
    LlmFull,
    /// A model changed parts of one parent.
    LlmDiff,
    /// A model combined several parents.
    LlmCross,
}

impl Operator {
    /// Every operator.
    pub const ALL: [Self; 7] = [
        Self::Seed,
        Self::Adopt,
        Self::Mutate,
        Self::Cross,
        Self::LlmFull,
        Self::LlmDiff,
        Self::LlmCross,
    ];

    /// As it is written.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Seed => "seed",
            Self::Adopt => "adopt",
            Self::Mutate => "mutate",
            Self::Cross => "cross",
            Self::LlmFull => "llm-full",
            Self::LlmDiff => "llm-diff",
            Self::LlmCross => "llm-cross",
        }
    }

    /// By its name.
    #[must_use]
    pub fn find(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|each| each.name() == name)
    }

    /// How many parents it wants.
    #[must_use]
    pub fn n_parents(self) -> usize {
        match self {
            Self::Seed | Self::Adopt => 0,
            Self::Mutate | Self::LlmFull | Self::LlmDiff => 1,
            Self::Cross => 2,
            Self::LlmCross => 3,
        }
    }

    /// Whether the parents must have a schedule.
    #[must_use]
    pub fn needs_genotype(self) -> bool {
        matches!(self, Self::Mutate | Self::Cross)
    }
}

/// What a proposal cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Spent {
    /// Prompt tokens.
    pub input_tokens: u64,
    /// Tokens written.
    pub output_tokens: u64,
    /// US dollars; `None` when the price is not known.
    pub usd: Option<f64>,
    /// Wall seconds.
    pub secs: f64,
}

impl Spent {
    /// Tokens both ways.
    #[must_use]
    pub fn tokens(&self) -> u64 {
        self.input_tokens + self.output_tokens
    }
}

/// A candidate that others come from.
#[derive(Debug, Clone, PartialEq)]
pub struct Parent {
    /// Where it is in the archive.
    pub attempt: AttemptId,
    /// Its text.
    pub candidate: Candidate,
    /// Its schedule, if it has one.
    pub genotype: Option<Genotype>,
    /// Its kind.
    pub descriptors: Descriptors,
    /// Baseline's time over its own, by the measurements that count.
    pub ratio: Option<f64>,
    /// What was found about it.
    pub evaluation: Evaluation,
}

/// What is asked of a proposer.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// How.
    pub operator: Operator,
    /// How strongly: genes to change. At least 1.
    pub strength: usize,
    /// From what, the best first; may be fewer than the operator wants while an island is empty.
    pub parents: &'a [Parent],
    /// What was turned away lately on the same island, newest first: operator and what was seen.
    pub failures: &'a [(Operator, crate::evaluation::Rejection)],
    /// Seed of everything random in it.
    pub seed: u64,
    /// Tokens that may still be spent.
    pub tokens_left: Option<u64>,
    /// US dollars that may still be spent.
    pub usd_left: Option<f64>,
}

/// What a proposer gave.
#[derive(Debug, Clone, PartialEq)]
pub struct Offer {
    /// The candidate, or in one line why there is none.
    pub proposal: Result<Proposal, String>,
    /// What it cost either way.
    pub spent: Spent,
}

/// A source of candidates.
pub trait Proposer: Send + Sync {
    /// For reports and the archive: `builtin`, or the model's name.
    fn name(&self) -> &str;

    /// The operators it has.
    fn operators(&self) -> Vec<Operator>;

    /// Tokens and US dollars that a request may take at most, so that several at once keep to a
    /// limit together.
    fn most(&self, request: &Request<'_>) -> (u64, f64) {
        let _ = request;
        (0, 0.0)
    }

    /// Makes a candidate.
    ///
    /// # Errors
    /// When it cannot make any, now or later. A reply of a model that is no candidate is no error.
    fn propose(&self, request: &Request<'_>) -> Result<Offer, Error>;
}
