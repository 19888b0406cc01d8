//! What can go wrong with the harness itself. What a game comes to, bad endings included, is a
//! [`Verdict`](crate::verdict::Verdict), never an error.

use std::path::PathBuf;

/// A game or a run that could not be set up, recorded or read back.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A setting that cannot be used.
    #[error("failed to accept setting `{name}`: {reason}")]
    Setting {
        /// Name of the setting, as on the command line without dashes.
        name: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// A data file (variant, player, scaffold) that cannot be used.
    #[error("failed to read data file `{name}`: {reason}")]
    Data {
        /// Its name.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A file operation that must work did not.
    #[error("failed to {action} `{}`: {source}", path.display())]
    Io {
        /// What was attempted, as a phrase that reads after "failed to".
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system answered.
        source: std::io::Error,
    },
    /// A stored game that cannot be read back.
    #[error("failed to read stored game `{}`: {reason}", path.display())]
    Record {
        /// Its folder or file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The opponent does not play.
    #[error("failed to get a move from the engine `{}`: {reason}", program.display())]
    Engine {
        /// Its program on the host.
        program: PathBuf,
        /// What it did instead.
        reason: String,
    },
    /// The run directory could not be read or written.
    #[error("{0}")]
    Runs(#[from] runs::Error),
    /// The sandbox could not be started.
    #[error("{0}")]
    Sandbox(#[from] sandbox::Error),
    /// The model cannot be used at all: a bad key, name or option.
    #[error("{0}")]
    Model(#[from] llm::Error),
    /// The caller asked to stop. What is on disk is resumable.
    #[error("failed to finish: interrupted")]
    Interrupted,
}

impl Error {
    /// Wraps an I/O error with what was attempted and where.
    pub fn io(action: &'static str, path: impl Into<PathBuf>, source: std::io::Error) -> Self {
        Self::Io { action, path: path.into(), source }
    }
}
