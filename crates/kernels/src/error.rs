//! What can go wrong.

use std::path::PathBuf;

/// Why there is no answer. A candidate that is turned away is not an error.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file that holds no task, or a task that contradicts itself.
    #[error("failed to read task: {reason}: {}", path.display())]
    Task {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// An operation that is not known, or not in this form.
    #[error("failed to {action} `{op}`: {reason}")]
    Operation {
        /// What was tried: `interpret`, `lower`.
        action: &'static str,
        /// The operation, as PyTorch names it.
        op: String,
        /// What is missing.
        reason: String,
    },
    /// A task that wrong kernels would pass.
    #[error("failed to accept task `{task}`: {reason}")]
    NullGate {
        /// Its name.
        task: String,
        /// Which null output passes.
        reason: String,
    },
    /// A tool is missing or failed: the compiler, Python.
    #[error("failed to run {tool}: {reason}")]
    Tool {
        /// Which.
        tool: String,
        /// What it said.
        reason: String,
    },
    /// The archive is damaged or of another version.
    #[error("failed to {action}: {reason}: {}", path.display())]
    Archive {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// A search or a proposer that was asked for what cannot be.
    #[error("failed to configure search: {reason}")]
    Config {
        /// What is wrong.
        reason: String,
    },
    /// The sandbox failed, not what ran in it.
    #[error(transparent)]
    Sandbox(#[from] sandbox::Error),
    /// The model gave no reply.
    #[error(transparent)]
    Model(#[from] llm::Error),
    /// The file system refused.
    #[error("failed to {action}: {source}: {}", path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The system refused.
    #[error("failed to {action}: {source}")]
    System {
        /// What was tried.
        action: &'static str,
        /// Why.
        source: std::io::Error,
    },
    /// Stopped by the user.
    #[error("interrupted")]
    Interrupted,
}
