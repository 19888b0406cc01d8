//! Why a model gave no usable reply.

use std::time::Duration;

/// A request that failed for good: retries, where they make sense, are already spent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The endpoint, key or option cannot be right: no request was sent or retrying is pointless.
    #[error("failed to configure model `{model}`: {reason}")]
    Config {
        /// Model as asked for.
        model: String,
        /// What is wrong.
        reason: String,
    },
    /// The endpoint answered with an error status.
    #[error("failed to get a reply: status {status} after {n_attempts} attempts: {body}")]
    Status {
        /// HTTP status.
        status: u16,
        /// Requests sent.
        n_attempts: u32,
        /// Start of the answer's body, keys redacted.
        body: String,
    },
    /// No answer at all: refused, reset, timed out.
    #[error("failed to reach endpoint after {n_attempts} attempts: {reason}")]
    Transport {
        /// Requests sent.
        n_attempts: u32,
        /// What the client said, keys redacted.
        reason: String,
    },
    /// An answer that does not follow the protocol.
    #[error("failed to read reply: {reason}")]
    Protocol {
        /// What is wrong.
        reason: String,
    },
    /// The token or money budget does not allow another request.
    #[error("failed to send request: budget is used up: {spent} of {limit} {unit}")]
    Budget {
        /// Spent so far.
        spent: f64,
        /// The limit.
        limit: f64,
        /// `tokens` or the currency.
        unit: String,
    },
    /// A scripted twin was asked for more replies than it has.
    #[error("failed to continue script `{script}`: it has only {n_replies} replies")]
    ScriptEnded {
        /// Name of the script.
        script: String,
        /// Replies in it.
        n_replies: usize,
    },
    /// The caller asked to stop while waiting.
    #[error("failed to wait {waited:?} for a reply: interrupted")]
    Interrupted {
        /// Time waited.
        waited: Duration,
    },
}
