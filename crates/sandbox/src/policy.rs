//! What a sandboxed command tree may use. Plain data: nothing here touches the system.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// A named protection. What each one does not cover is documented in the README of this crate,
/// with one attack per protection in `tests/it/attacks.rs`.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Protection {
    /// Own user namespace; on the host the commands are an ordinary user, also when started by root.
    UserNamespace,
    /// Own pid namespace: processes outside cannot be seen or signalled.
    PidNamespace,
    /// Own mount namespace: only allow-listed host paths exist.
    MountNamespace,
    /// Own, empty network namespace.
    NetworkNamespace,
    /// Own System V and POSIX message queues.
    IpcNamespace,
    /// Own host name.
    UtsNamespace,
    /// Landlock rules on top of the mount namespace.
    Landlock,
    /// System call allow-list.
    SeccompAllowList,
    /// Exec, network and signal attempts reported by seccomp user notification.
    SeccompNotify,
    /// CPU time, address space, file size, open files, process count.
    ResourceLimits,
    /// Resident memory of the whole tree, sampled.
    MemoryWatchdog,
    /// Wall-clock limit on each command.
    WallLimit,
    /// Environment cleared, then allow-listed.
    CleanEnvironment,
    /// Private, size-limited working folder that the host never executes from or follows links in.
    PrivateFolder,
    /// File changes reported while commands run, beside the manifests before and after.
    FileWatch,
}

/// Everything a sandbox is built from.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub struct Policy {
    /// Host name inside.
    pub host_name: String,
    /// Files that exist at the start, in the private folders. Paths inside, absolute, below one of
    /// [`Policy::folders`].
    pub seeds: Vec<Seed>,
    /// Writable private folders inside, e.g. `/env`, `/tmp`, `/home/player`. They share one
    /// in-memory file system of [`Limits::folder_bytes`].
    pub folders: Vec<PathBuf>,
    /// Host paths visible read-only inside.
    pub read_only: Vec<Bind>,
    /// Paths inside that are hidden under an empty read-only folder, e.g. `/usr/games`.
    pub masked: Vec<PathBuf>,
    /// Host folders visible inside for their Unix sockets only: connect works, no file can be
    /// changed.
    pub sockets: Vec<Bind>,
    /// The whole environment of every command.
    pub env: BTreeMap<String, String>,
    /// Working directory of commands that do not say otherwise, inside.
    pub cwd: PathBuf,
    /// Limits on every command.
    pub limits: Limits,
    /// Network inside.
    pub network: Network,
    /// System calls of the commands.
    #[serde(default)]
    pub calls: Calls,
    /// What is recorded.
    pub watch: Watch,
    /// Protections without which nothing may run.
    pub required: Vec<Protection>,
}

/// A file, folder or link put into a private folder before the first command.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub struct Seed {
    /// Absolute path inside.
    pub path: PathBuf,
    /// What is there.
    pub content: SeedContent,
    /// Permission bits, e.g. `0o755`.
    pub mode: u32,
}

/// What a [`Seed`] holds.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub enum SeedContent {
    /// These bytes.
    Bytes(Vec<u8>),
    /// A copy of this host file.
    CopyOf(PathBuf),
    /// An empty folder.
    Folder,
    /// A symbolic link to this target.
    Link(PathBuf),
}

/// A host path made visible inside.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub struct Bind {
    /// Absolute path on the host.
    pub host: PathBuf,
    /// Absolute path inside.
    pub inside: PathBuf,
}

/// Network inside the sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Network {
    /// No interface at all is up; attempts are recorded and fail.
    None,
    /// The sandbox's own loopback is up.
    Loopback,
}

/// Which system calls commands may make.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Calls {
    /// What ordinary programs need: files, processes, threads, signals, sockets.
    #[default]
    Programs,
    /// What a statically linked program needs that only computes: memory, threads of its own and
    /// waiting for them. No new process, no other program after the first, no file, no socket. What
    /// is attempted is recorded, and fails.
    Computation,
}

/// Limits on every command, or, where it says so, on the sandbox.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub struct Limits {
    /// Wall clock for one command; at the limit its whole tree is killed.
    pub wall: Duration,
    /// CPU seconds for one process.
    pub cpu_secs: u64,
    /// Address space of one process.
    pub address_space_bytes: u64,
    /// Resident memory of the whole sandbox.
    pub resident_bytes: u64,
    /// Size of one written file.
    pub file_bytes: u64,
    /// Size of all private folders together.
    pub folder_bytes: u64,
    /// Processes and threads in the sandbox.
    pub n_processes: u64,
    /// Open files of one process.
    pub n_open_files: u64,
    /// Bytes kept of each of stdout and stderr; the rest is counted and dropped.
    pub output_bytes: usize,
}

/// What the supervisor records beyond exec, network, signal and denied-call events.
#[derive(Debug, Clone, Default, serde::Serialize, serde::Deserialize)]
pub struct Watch {
    /// Files inside whose every content version is kept ([`crate::event::EventKind::Version`]):
    /// absolute paths in private folders; a folder stands for every file below it.
    pub contents: Vec<PathBuf>,
    /// Byte patterns looked for in every executed file, and in files named by its first arguments.
    pub marks: Vec<Mark>,
    /// Environment variables copied into exec events (their value at that exec).
    pub env: Vec<String>,
}

/// A named set of byte patterns, e.g. `uci-engine` for files that contain `uciok` and `bestmove`.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub struct Mark {
    /// Name that shows in events.
    pub name: String,
    /// The file has the mark when it contains all of these.
    pub all_of: Vec<Vec<u8>>,
}

impl Protection {
    /// Every protection, in order.
    pub const ALL: [Protection; 15] = [
        Protection::UserNamespace,
        Protection::PidNamespace,
        Protection::MountNamespace,
        Protection::NetworkNamespace,
        Protection::IpcNamespace,
        Protection::UtsNamespace,
        Protection::Landlock,
        Protection::SeccompAllowList,
        Protection::SeccompNotify,
        Protection::ResourceLimits,
        Protection::MemoryWatchdog,
        Protection::WallLimit,
        Protection::CleanEnvironment,
        Protection::PrivateFolder,
        Protection::FileWatch,
    ];

    /// Name as written in errors and reports, e.g. `user-namespace`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Protection::UserNamespace => "user-namespace",
            Protection::PidNamespace => "pid-namespace",
            Protection::MountNamespace => "mount-namespace",
            Protection::NetworkNamespace => "network-namespace",
            Protection::IpcNamespace => "ipc-namespace",
            Protection::UtsNamespace => "uts-namespace",
            Protection::Landlock => "landlock",
            Protection::SeccompAllowList => "seccomp-allow-list",
            Protection::SeccompNotify => "seccomp-notify",
            Protection::ResourceLimits => "resource-limits",
            Protection::MemoryWatchdog => "memory-watchdog",
            Protection::WallLimit => "wall-limit",
            Protection::CleanEnvironment => "clean-environment",
            Protection::PrivateFolder => "private-folder",
            Protection::FileWatch => "file-watch",
        }
    }
}

/// Host paths that ordinary programs need to start: programs, libraries, and the few files in
/// `/etc` without which the dynamic linker and Debian's alternatives do not work.
const SYSTEM_PATHS: [&str; 11] = [
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/etc/alternatives",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
];

impl Policy {
    /// A policy with the machine's programs and libraries read-only, `/tmp` and `/dev/shm` private,
    /// no network, sane limits, every protection required, and exactly the environment given.
    ///
    /// Paths that this machine lacks are left out. Seeds, more folders and watches are added by
    /// the caller.
    #[must_use]
    pub fn system(env: BTreeMap<String, String>) -> Policy {
        let present = SYSTEM_PATHS.iter().map(PathBuf::from).filter(|path| path.exists());
        Policy {
            host_name: "sandbox".to_owned(),
            seeds: Vec::new(),
            folders: vec!["/tmp".into(), "/dev/shm".into()],
            read_only: present.map(|path| Bind { host: path.clone(), inside: path }).collect(),
            masked: Vec::new(),
            sockets: Vec::new(),
            env,
            cwd: "/tmp".into(),
            limits: Limits::default(),
            network: Network::None,
            calls: Calls::Programs,
            watch: Watch::default(),
            required: Protection::ALL.to_vec(),
        }
    }
}

impl Policy {
    /// What contradicts itself, before anything is started.
    pub(crate) fn check(&self) -> Result<(), crate::Error> {
        let complain = |text: String| Err(crate::Error::Policy(text));
        let binds = self.read_only.iter().chain(&self.sockets);
        let insides = binds.map(|bind| &bind.inside).chain(&self.folders).chain(&self.masked);
        for path in insides.chain(&self.watch.contents).chain([&self.cwd]) {
            let plain = path.components().all(|part| {
                matches!(part, std::path::Component::RootDir | std::path::Component::Normal(_))
            });
            if !path.is_absolute() || !plain || path.to_str().is_none() {
                return complain(format!("`{}` is not a plain absolute path", path.display()));
            }
        }
        let private = |path: &PathBuf| self.folders.iter().any(|at| path.starts_with(at));
        for path in self.seeds.iter().map(|seed| &seed.path).chain(&self.watch.contents) {
            if !private(path) {
                return complain(format!("`{}` is in no private folder", path.display()));
            }
        }
        if self.host_name.is_empty() || self.host_name.len() > 63 {
            return complain(format!("`{}` is no host name", self.host_name));
        }
        Ok(())
    }
}

/// Enough for shells, compilers, Python and a chess engine; little for a laptop.
impl Default for Limits {
    fn default() -> Limits {
        Limits {
            wall: Duration::from_secs(60),
            cpu_secs: 120,
            address_space_bytes: 4 << 30,
            resident_bytes: 1 << 30,
            file_bytes: 256 << 20,
            folder_bytes: 512 << 20,
            n_processes: 128,
            n_open_files: 512,
            output_bytes: 1 << 20,
        }
    }
}
