//! What can go wrong.

use std::path::PathBuf;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Weights could not be read.
    #[error(transparent)]
    Weights(#[from] nn::Error),
    /// A configuration that is no StripedHyena 2.
    #[error("failed to read configuration: {reason}")]
    Config {
        /// What is wrong.
        reason: String,
    },
    /// The model would give degraded numbers.
    #[error(
        "failed to load `{model}`: it was trained with FP8 input projections, whose scales are not \
         read here, and without them its accuracy falls to that of chance"
    )]
    NeedsFp8 {
        /// Its name.
        model: String,
    },
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
}
