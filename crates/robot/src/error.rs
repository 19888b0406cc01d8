//! What can go wrong.

use std::path::PathBuf;

/// Why something of this crate failed: one line, with a hint where there is one.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A quantity does not have the shape that the other side of an interface expects.
    #[error("{what} has {got} values where {expected} are expected")]
    Shape {
        /// What was measured.
        what: String,
        /// How many values it has.
        got: usize,
        /// How many it should have.
        expected: usize,
    },
    /// A configuration that cannot be.
    #[error("failed to configure {what}: {reason}")]
    Config {
        /// What was configured.
        what: &'static str,
        /// What is wrong, and what would be right.
        reason: String,
    },
    /// A policy gave, or was given, something that is no number.
    #[error("{what} holds a value that is not finite")]
    NotFinite {
        /// What holds it.
        what: &'static str,
    },
    /// A checkpoint that belongs to something else, or lacks something.
    #[error("failed to use checkpoint: {reason}: {}", path.display())]
    Checkpoint {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what would be right.
        reason: String,
    },
    /// A step of training gave no numbers.
    #[error(
        "training diverged at step {step}: lower the learning rate, or go on from the last checkpoint"
    )]
    Diverged {
        /// The step, from 1.
        step: u64,
    },
    /// A file of weights that cannot be read or written.
    #[error(transparent)]
    Weights(#[from] nn::Error),
}

impl Error {
    /// `what` cannot be configured so.
    pub(crate) fn config(what: &'static str, reason: impl Into<String>) -> Error {
        Error::Config { what, reason: reason.into() }
    }
}

/// Checks a length.
pub(crate) fn expect_length(what: &str, got: usize, expected: usize) -> Result<()> {
    if got == expected {
        return Ok(());
    }
    Err(Error::Shape { what: what.to_owned(), got, expected })
}

/// The crate's results.
pub type Result<T> = std::result::Result<T, Error>;
