//! What can go wrong with a run directory.

use std::path::PathBuf;

use crate::manifest::FormatVersion;

/// A run that could not be written, found or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The disk refused.
    #[error("failed to {action} `{}`: {source}", path.display())]
    Io {
        /// What was attempted, as a phrase that reads after "failed to".
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system answered.
        source: std::io::Error,
    },
    /// No run by that name.
    #[error("failed to find run `{wanted}` in `{}`", root.display())]
    NotFound {
        /// As asked for.
        wanted: String,
        /// The store.
        root: PathBuf,
    },
    /// Several runs by that prefix.
    #[error("failed to find one run for `{wanted}`: it could be `{}`", candidates.join("`, `"))]
    Ambiguous {
        /// As asked for.
        wanted: String,
        /// Ids that fit, newest first.
        candidates: Vec<String>,
    },
    /// Another process writes to this run.
    #[error("failed to lock run `{}`: {} writes to it", path.display(), writer(.pid))]
    InUse {
        /// The run's folder.
        path: PathBuf,
        /// The process, where it is known.
        pid: Option<u32>,
    },
    /// Written by a newer tetrad, in a format that this one cannot read.
    #[error(
        "failed to read run `{}`: its format is version {found}, and this tetrad reads up to {}.x",
        path.display(),
        known.major
    )]
    NewerFormat {
        /// The manifest.
        path: PathBuf,
        /// Its version.
        found: FormatVersion,
        /// The newest known here.
        known: FormatVersion,
    },
    /// A manifest or summary that is not one.
    #[error("failed to read `{}`: {reason}", path.display())]
    Record {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A line of a log that is whole and yet wrong.
    #[error("failed to read line {line} of `{}`: {reason}", path.display())]
    LogLine {
        /// The log.
        path: PathBuf,
        /// Line number, from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// Content that is not what its name says, or a name that is not a hash.
    #[error("failed to read blob `{sha256}`: {reason}")]
    Blob {
        /// As asked for.
        sha256: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A value that cannot be written in this format.
    #[error("failed to write {what}: {reason}")]
    Value {
        /// Which value.
        what: String,
        /// Why not.
        reason: String,
    },
}

impl Error {
    pub(crate) fn io(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { action, path, source }
    }

    /// What to try next, where there is something.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NotFound { .. } => Some(
                "`tetrad runs list` shows the runs there are; `--out` or `TETRAD_RUNS` names another folder"
                    .to_owned(),
            ),
            Self::Ambiguous { .. } => Some("give more of the id".to_owned()),
            Self::InUse { .. } => {
                Some("wait for that process, or end it; its lock goes with it".to_owned())
            }
            Self::NewerFormat { .. } => {
                Some("read it with the version of tetrad that its manifest names".to_owned())
            }
            _ => None,
        }
    }
}

fn writer(pid: &Option<u32>) -> String {
    pid.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"))
}
