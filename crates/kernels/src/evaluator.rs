//! Who finds out about a candidate, as far as a search has to know.

use serde::{Deserialize, Serialize};

use crate::propose::Proposal;
use crate::{Error, Evaluation};

/// How much trouble is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effort {
    /// Enough to compare: [`crate::evaluation::Level::Timed`] at best.
    Quick,
    /// Fresh processes and inputs held back: may find [`crate::evaluation::Level::Verified`].
    Thorough,
}

/// Finds out about candidates of one task. The judge is one; tests have a scripted twin.
pub trait Evaluator: Send + Sync {
    /// Version of the rules by which it judges. What another version verified has to be verified
    /// again.
    fn harness(&self) -> String;

    /// Finds out about a candidate.
    ///
    /// # Errors
    /// When it cannot tell, for reasons that are not the candidate's. A candidate that is turned
    /// away is no error.
    fn evaluate(&self, proposal: &Proposal, effort: Effort) -> Result<Evaluation, Error>;
}
