//! What a confined process can find out about its own confinement.
#![expect(unsafe_code, reason = "attempts calls that must fail")]

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::mem;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::call::{c_path, check};
use super::limits;
use crate::policy::Policy;

/// Kinds of namespace, as named in `/proc/self/ns`.
pub(crate) const NAMESPACES: [&str; 6] = ["user", "pid", "mnt", "net", "ipc", "uts"];

/// Name of the file that the probe makes and removes in the first private folder.
pub(crate) const PROBE_FILE: &str = ".probe";

/// Observations of one process inside.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Report {
    /// Identity of each namespace, e.g. `net:[4026531840]`.
    pub(crate) namespaces: BTreeMap<String, String>,
    /// Lines of `/proc/self/status` by name.
    pub(crate) status: BTreeMap<String, String>,
    /// Network interfaces.
    pub(crate) interfaces: Vec<String>,
    /// Host name.
    pub(crate) host_name: String,
    /// Error number of `mount`, which the filter must refuse; 0 if it worked.
    pub(crate) mount_errno: i32,
    /// Error number of a call that no list mentions.
    pub(crate) unknown_errno: i32,
    /// Error number of opening `/dev/random` for writing, which only Landlock forbids.
    pub(crate) landlock_errno: i32,
    /// Error number of making a file in `/`.
    pub(crate) root_errno: i32,
    /// Hard limits by name.
    pub(crate) limits: BTreeMap<String, u64>,
    /// Names of what is in `/`.
    pub(crate) root: Vec<String>,
    /// Size in bytes of the file system of the first private folder, and its mount flags.
    pub(crate) folder: Option<(u64, u64)>,
    /// Error number of making and removing [`PROBE_FILE`]; 0 if it worked.
    pub(crate) probe_file_errno: i32,
}

/// Looks.
pub(super) fn look(policy: &Policy) -> Report {
    let namespaces = NAMESPACES.iter().map(|&kind| (kind.to_owned(), namespace(kind))).collect();
    let folder = policy.folders.first();
    Report {
        namespaces,
        status: status("/proc/self/status"),
        interfaces: interfaces(),
        host_name: fs::read_to_string("/proc/sys/kernel/hostname")
            .map(|name| name.trim().to_owned())
            .unwrap_or_default(),
        mount_errno: attempt_mount(),
        unknown_errno: attempt_unknown(),
        landlock_errno: errno(fs::File::options().write(true).open("/dev/random").map(drop)),
        root_errno: errno(fs::write("/.probe", b"")),
        limits: limits::observed(&policy.limits).unwrap_or_default(),
        root: names("/"),
        folder: folder.and_then(|folder| file_system(folder).ok()),
        probe_file_errno: folder.map_or(0, |folder| {
            let path = folder.join(PROBE_FILE);
            errno(fs::write(&path, b"").and_then(|()| fs::remove_file(&path)))
        }),
    }
}

/// Identity of one of the calling process's namespaces.
pub(crate) fn namespace(kind: &str) -> String {
    fs::read_link(Path::new("/proc/self/ns").join(kind))
        .map(|link| link.to_string_lossy().into_owned())
        .unwrap_or_default()
}

/// A `status` file of proc(5) by name.
pub(crate) fn status(path: &str) -> BTreeMap<String, String> {
    let text = fs::read_to_string(path).unwrap_or_default();
    let pairs = text.lines().filter_map(|line| line.split_once(':'));
    pairs.map(|(name, value)| (name.to_owned(), value.trim().to_owned())).collect()
}

fn interfaces() -> Vec<String> {
    let text = fs::read_to_string("/proc/self/net/dev").unwrap_or_default();
    let names = text.lines().skip(2).filter_map(|line| line.split_once(':'));
    names.map(|(name, _)| name.trim().to_owned()).collect()
}

fn names(folder: &str) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<_> =
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

fn errno(result: io::Result<()>) -> i32 {
    result.err().map_or(0, |error| error.raw_os_error().unwrap_or(libc::EIO))
}

fn attempt_mount() -> i32 {
    // SAFETY: C strings; the call must fail, and would only change this mount namespace.
    let result = unsafe {
        libc::mount(c"none".as_ptr(), c"/tmp".as_ptr(), c"tmpfs".as_ptr(), 0, std::ptr::null())
    };
    errno(check(i64::from(result)).map(drop))
}

fn attempt_unknown() -> i32 {
    /// Above every call of today, below the second numbering of x86.
    const UNKNOWN: libc::c_long = 5000;
    // SAFETY: there is no such call.
    errno(check(unsafe { libc::syscall(UNKNOWN) }).map(drop))
}

fn file_system(folder: &Path) -> io::Result<(u64, u64)> {
    let path = c_path(folder)?;
    // SAFETY: all-zero is a valid statvfs; the kernel fills it.
    let mut state: libc::statvfs = unsafe { mem::zeroed() };
    // SAFETY: path and state are live.
    check(i64::from(unsafe { libc::statvfs(path.as_ptr(), &raw mut state) }))?;
    Ok((state.f_blocks * state.f_frsize, state.f_flag))
}
