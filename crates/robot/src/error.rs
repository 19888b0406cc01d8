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
}

impl Error {
    /// What the operating system says about a path.
    pub(crate) fn file(path: &Path, source: std::io::Error) -> Self {
        Self::File { path: path.to_path_buf(), source }
    }
}

/// The crate's results.
pub type Result<T> = std::result::Result<T, Error>;
