//! What became of one command, and what the sandbox really enforces.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::policy::Protection;

/// A command to run inside.
#[derive(Debug, Clone)]
pub struct Command {
    /// Program and arguments; the program is looked up along the policy's `PATH` unless it has a slash.
    pub argv: Vec<String>,
    /// Working directory inside; the policy's when `None`.
    pub cwd: Option<PathBuf>,
    /// Bytes on standard input, then end of file.
    pub stdin: Vec<u8>,
    /// Wall limit for this command, where it is lower than the policy's.
    pub wall: Option<Duration>,
}

/// What became of a command. Also bad endings are outcomes, not errors.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Outcome {
    /// How it ended.
    pub ending: Ending,
    /// Standard output, up to the limit.
    pub stdout: Vec<u8>,
    /// Standard error, up to the limit.
    pub stderr: Vec<u8>,
    /// Bytes dropped beyond the limit, both streams.
    pub dropped_bytes: u64,
    /// Wall time of the command.
    pub wall: Duration,
    /// Processes still alive when the command had ended (its background jobs and earlier ones').
    pub background: Vec<Process>,
}

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ending", rename_all = "kebab-case")]
pub enum Ending {
    /// Exit code.
    Exited {
        /// The code.
        code: i32,
    },
    /// Killed by a signal.
    Signaled {
        /// The signal.
        signal: i32,
    },
    /// The wall limit was reached; the command's tree was killed.
    WallLimit,
    /// The memory watchdog killed the sandbox's processes.
    MemoryLimit,
    /// The caller cancelled it.
    Cancelled,
}

/// A process inside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// Pid inside.
    pub pid: u32,
    /// Path inside of its program.
    pub program: String,
    /// Its arguments.
    pub argv: Vec<String>,
}

/// What was really enforced: observed after the set-up, not copied from the policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enforced {
    /// One entry per [`Protection`], in its order.
    pub protections: Vec<(Protection, Status)>,
    /// `native`, `docker`, `podman`.
    pub backend: String,
}

/// State of one protection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// In force; the text says how that was observed.
    Enforced(String),
    /// Not in force; the text says why.
    Missing(String),
}
