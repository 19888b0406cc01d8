//! What the supervisor saw. Order is the order in which the kernel reported: every file event
//! that the kernel had queued before an exec comes before that exec.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// One observation. Pids are those of the sandbox's own pid namespace.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Event {
    /// Nanoseconds since the sandbox started, monotonic.
    pub nanos: u64,
    /// What happened.
    #[serde(flatten)]
    pub kind: EventKind,
    /// The bytes behind the hash of a [`EventKind::Version`] or [`ArgumentFile`], for the caller to store.
    #[serde(skip)]
    pub blobs: Vec<Blob>,
}

/// Content seen, addressed by its hash.
#[derive(Debug, Clone)]
pub struct Blob {
    /// Lowercase hex SHA-256.
    pub sha256: String,
    /// The bytes.
    pub bytes: Arc<[u8]>,
}

/// What happened.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum EventKind {
    /// A program is about to be executed (the caller is stopped while this is recorded). A failed
    /// look-up along `PATH` is recorded too: `file` is then `None`.
    Exec(Exec),
    /// A process that executed a marked or content-watched file has ended.
    Exit {
        /// The process.
        pid: u32,
        /// CPU time it had used when last seen, in milliseconds (sampled, so a lower bound).
        cpu_millis: u64,
    },
    /// A socket was asked for, connected, or a datagram sent.
    Network {
        /// The process.
        pid: u32,
        /// `socket`, `connect`, `sendto`, `bind`.
        call: String,
        /// `inet`, `inet6`, `unix`, `netlink`, or `af-N`.
        family: String,
        /// Address as text where there is one: `1.1.1.1:53`, `/run/x.sock`, `@abstract`.
        address: Option<String>,
        /// Whether the call was let through (to fail or work in its own network namespace).
        allowed: bool,
    },
    /// A signal, ptrace, priority or affinity change aimed at another process.
    Process {
        /// The process that asks.
        pid: u32,
        /// `kill`, `tgkill`, `pidfd_send_signal`, `ptrace`, `process_vm_writev`, `setpriority`, ….
        call: String,
        /// The target, which may have ended by then. Negative or zero targets of `kill` are listed
        /// one by one.
        target: Option<u32>,
        /// Path inside of the program that the target runs, while it does.
        target_program: Option<String>,
        /// Signal number, request or priority.
        argument: i64,
        /// Whether the call was let through.
        allowed: bool,
    },
    /// A call that the policy refuses: `mount`, `setns`, `unshare`, `bpf`, `memfd_create`+exec, ….
    Denied {
        /// The process.
        pid: u32,
        /// The system call by name.
        call: String,
        /// Its arguments as text, for people.
        detail: String,
    },
    /// A file in a private folder changed.
    File {
        /// Absolute path inside.
        path: String,
        /// How.
        change: FileChange,
    },
    /// The content of a watched file, whenever it is first seen or differs from the last version.
    Version {
        /// Absolute path inside.
        path: String,
        /// Its state now.
        state: FileState,
    },
    /// The file watcher lost events (queue overflow): file evidence between the manifests is
    /// incomplete from here on.
    WatchLost,
    /// The command tree went over a limit and was killed.
    Limit {
        /// Which, e.g. `wall`, `resident`, `output`.
        limit: String,
    },
}

/// An exec attempt.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Exec {
    /// The process.
    pub pid: u32,
    /// Its ancestors, parent first, up to but not including the sandbox's first process.
    pub ancestors: Vec<u32>,
    /// Path as the caller gave it; for `execveat` on a descriptor, `fd:NAME`.
    pub path: String,
    /// Arguments, each cut at 64 KiB (and marked with a final `…`), at most 256.
    pub argv: Vec<String>,
    /// Working directory inside.
    pub cwd: String,
    /// Selected environment variables ([`crate::policy::Watch::env`]).
    pub env: BTreeMap<String, String>,
    /// The executed file; `None` when it is not there or cannot be executed.
    pub file: Option<ExecutedFile>,
    /// Files in private folders that the first arguments name (scripts, mostly).
    pub arguments: Vec<ArgumentFile>,
}

/// The file behind an exec, opened at the time of the attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExecutedFile {
    /// Absolute path inside, all links resolved.
    pub path: String,
    /// Where it comes from.
    pub origin: Origin,
    /// Size.
    pub size_bytes: u64,
    /// Lowercase hex SHA-256; always for private files, for host files when marked.
    pub sha256: Option<String>,
    /// Names of the marks found in it.
    pub marks: Vec<String>,
}

/// Whether a file could have been changed by programs inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// Read-only host file.
    Host,
    /// File in a private folder.
    Private,
    /// Anonymous memory file.
    Memory,
}

/// A private file named by an argument of an exec.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArgumentFile {
    /// Index into `argv`.
    pub index: usize,
    /// Absolute path inside, all links resolved.
    pub path: String,
    /// Lowercase hex SHA-256.
    pub sha256: String,
    /// Names of the marks found in it.
    pub marks: Vec<String>,
}

/// How a file changed. Names follow inotify(7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FileChange {
    /// Created, or linked in.
    Created,
    /// Content written.
    Modified,
    /// A descriptor open for writing was closed.
    ClosedAfterWrite,
    /// Mode, owner or time changed.
    Attributes,
    /// Moved away.
    MovedFrom,
    /// Moved in.
    MovedTo,
    /// Deleted.
    Deleted,
    /// Opened for reading or writing (content-watched files only).
    Opened,
}

/// State of a path in a private folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum FileState {
    /// Nothing there.
    Absent,
    /// A regular file.
    File {
        /// Lowercase hex SHA-256.
        sha256: String,
        /// Size.
        size_bytes: u64,
        /// Permission bits.
        mode: u32,
    },
    /// A folder.
    Folder {
        /// Permission bits.
        mode: u32,
    },
    /// A symbolic link.
    Link {
        /// Target as written.
        target: String,
    },
    /// A pipe, socket or device.
    Special,
}

/// Every path in the private folders and its state.
pub type Manifest = BTreeMap<String, FileState>;
