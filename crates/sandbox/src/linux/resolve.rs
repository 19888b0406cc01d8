//! Finding, from outside, the file that a path means inside. No link leads out of the sandbox.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::fd::{self, IN_ROOT};

/// As many links as the kernel follows.
const MOST_LINKS: usize = 40;

/// Who asks: `/proc/self` means something else to everybody.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asker {
    /// Process, inside.
    pub(super) process: u32,
}

/// Opens, as `O_PATH`, what `path` means to a process inside; `path` is absolute.
pub(super) fn resolve(root: BorrowedFd<'_>, asker: Asker, path: &str) -> Option<OwnedFd> {
    match fd::open_below(root, Path::new(path), libc::O_PATH, IN_ROOT) {
        Ok(found) => Some(found),
        // The kernel answers for us, not for the asker, where /proc is involved.
        Err(error) => match error.raw_os_error() {
            Some(libc::ENOENT | libc::ELOOP) => walk(root, asker, path),
            _ => None,
        },
    }
}

/// Where an open descriptor's file is, as a path inside.
pub(super) fn path_of(file: BorrowedFd<'_>) -> String {
    fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd()))
        .map(|path| path.to_string_lossy().into_owned())
        .unwrap_or_default()
}

/// Joins and removes `.` and empty parts; `..` stays, because links decide what it means.
pub(super) fn join(folder: &str, path: &str) -> String {
    if path.starts_with('/') { path.to_owned() } else { format!("{folder}/{path}") }
}

fn walk(root: BorrowedFd<'_>, asker: Asker, path: &str) -> Option<OwnedFd> {
    let proc = fd::open_below(root, Path::new("/proc"), libc::O_PATH, IN_ROOT).ok()?;
    let proc = identity(proc.as_fd())?;
    let mut todo: VecDeque<OsString> = VecDeque::new();
    prepend(&mut todo, OsStr::new(path));
    // Folders entered so far, without the root itself.
    let mut entered: Vec<OwnedFd> = Vec::new();
    let mut n_links = 0;
    while let Some(part) = todo.pop_front() {
        if part == ".." {
            entered.pop();
            continue;
        }
        let here = entered.last().map_or(root, AsFd::as_fd);
        let in_proc_root = identity(here)? == proc;
        if in_proc_root && part == "self" {
            todo.push_front(asker.process.to_string().into());
            continue;
        }
        if in_proc_root && part == "1" {
            // What the first process has open is not the sandbox's.
            return None;
        }
        let flags = libc::O_PATH | libc::O_NOFOLLOW;
        let next = fd::open_at(here, Path::new(&part), flags).ok()?;
        let state = fd::stat(next.as_fd()).ok()?;
        if state.st_mode & libc::S_IFMT != libc::S_IFLNK {
            entered.push(next);
            continue;
        }
        n_links += 1;
        if n_links > MOST_LINKS {
            return None;
        }
        if state.st_dev == proc.0 && !in_proc_root {
            // A link such as /proc/7/fd/3 is no text but a way to the open file itself.
            entered.push(fd::open_at(here, Path::new(&part), libc::O_PATH).ok()?);
            continue;
        }
        let target = read_link(here, &part)?;
        if target.as_bytes().first() == Some(&b'/') {
            entered.clear();
        }
        prepend(&mut todo, &target);
    }
    match entered.pop() {
        Some(found) => Some(found),
        None => root.try_clone_to_owned().ok(),
    }
}

fn prepend(todo: &mut VecDeque<OsString>, path: &OsStr) {
    let parts = path.as_bytes().split(|&byte| byte == b'/').rev();
    for part in parts.filter(|part| !part.is_empty() && *part != b".") {
        todo.push_front(OsStr::from_bytes(part).to_owned());
    }
}

fn identity(folder: BorrowedFd<'_>) -> Option<(u64, u64)> {
    fd::stat(folder).ok().map(|state| (state.st_dev, state.st_ino))
}

fn read_link(folder: BorrowedFd<'_>, name: &OsStr) -> Option<OsString> {
    let path = Path::new("/proc/self/fd").join(folder.as_raw_fd().to_string()).join(name);
    fs::read_link(path).ok().map(std::path::PathBuf::into_os_string)
}
