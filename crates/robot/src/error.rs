//! What can go wrong.

use std::path::{Path, PathBuf};

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
    /// An action that no body can follow.
    #[error("an action holds a number that is not finite, or a rotation without direction")]
    Action,
    /// A file or folder that cannot be read or written.
    #[error("{path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// An episode file that is broken or of another shape.
    #[error("{path} cannot be used: {what}; delete it and collect again")]
    Episode {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// A record of an attempt that is broken.
    #[error("failed to read `{}`: {what}", path.display())]
    Record {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// A process of a deployment that does not come up.
    #[error("failed to run {role}: {reason}")]
    Process {
        /// Which.
        role: String,
        /// Why not.
        reason: String,
    },
    /// An open model that S2 borrows from is not there, or is another.
    #[error("failed to borrow from a backbone: {reason}")]
    Backbone {
        /// Why.
        reason: String,
    },
    /// A dataset that is broken or of another form.
    #[error("failed to read dataset: {what}: {}", path.display())]
    Dataset {
        /// Which of its files.
        path: PathBuf,
        /// What is wrong there, and where.
        what: String,
    },
    /// A program of the machine that is missing.
    #[error("failed to run `{program}`: {reason}")]
    Program {
        /// Which.
        program: String,
        /// Why not.
        reason: String,
    },
    /// Stopped by whoever asked for it.
    #[error("interrupted")]
    Interrupted,
    /// Shared memory that is not what it should be.
    #[error("failed to use shared memory: {reason}")]
    Exchange {
        /// What is wrong.
        reason: String,
    },
    /// The kernel refused something that is needed.
    #[error("failed to {action}")]
    Kernel {
        /// What was tried.
        action: String,
        /// What the kernel said.
        source: std::io::Error,
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
    /// A model in MJCF that is not valid, or says what a scene cannot hold.
    #[error("{}:{line}: {what}", path.display())]
    Mjcf {
        /// The file, which may be an included one.
        path: PathBuf,
        /// Where, from 1.
        line: usize,
        /// What is wrong, and what would be right.
        what: String,
    },
    /// A file of weights that cannot be read or written.
    #[error(transparent)]
    Weights(#[from] nn::Error),
    /// A run that cannot be read or written.
    #[error(transparent)]
    Run(#[from] runs::Error),
}

impl Error {
    /// What the operating system says about a path.
    pub(crate) fn file(path: &Path, source: std::io::Error) -> Self {
        Self::File { path: path.to_path_buf(), source }
    }

    /// The kernel refused `action`.
    pub(crate) fn kernel(action: impl Into<String>, source: std::io::Error) -> Error {
        Error::Kernel { action: action.into(), source }
    }

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
