//! What can go wrong with the sandbox itself. A command that fails inside it is an
//! [`Outcome`](crate::Outcome), never an error.

use std::path::PathBuf;

/// A sandbox that could not be built, or that broke.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The policy requires a protection that this machine cannot give. Nothing was run.
    #[error("failed to apply required protection `{protection}`: {reason}")]
    ProtectionMissing {
        /// Name of the protection, as in [`Protection`](crate::policy::Protection).
        protection: &'static str,
        /// What the kernel answered.
        reason: String,
    },
    /// The policy contradicts itself or names something that is not there.
    #[error("failed to accept policy: {0}")]
    Policy(String),
    /// A host file that the policy names could not be used.
    #[error("failed to use host path: {source}: {}", path.display())]
    HostPath {
        /// The path on the host.
        path: PathBuf,
        /// What the system answered.
        source: std::io::Error,
    },
    /// A system call that must work did not.
    #[error("failed to {action}: {source}")]
    System {
        /// What was attempted, as a phrase that reads after "failed to".
        action: &'static str,
        /// What the system answered.
        source: std::io::Error,
    },
    /// The launcher or the first process inside is gone: the sandbox cannot go on.
    #[error("sandbox broke: {0}")]
    Broken(String),
}
