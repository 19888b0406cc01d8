//! The kernel's inotify, and the tree of folders watched with it.
#![expect(unsafe_code, reason = "talks to the kernel through libc")]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use super::call::check;
use super::fd::owned;

/// A new group.
pub(super) fn group() -> io::Result<OwnedFd> {
    // SAFETY: plain system call.
    let raw = unsafe { libc::inotify_init1(libc::IN_CLOEXEC | libc::IN_NONBLOCK) };
    check(i64::from(raw)).map(owned)
}

/// Watches the folder behind a descriptor. The same folder gives the same watch again.
pub(super) fn add_watch(
    group: BorrowedFd<'_>,
    folder: BorrowedFd<'_>,
    mask: u32,
) -> io::Result<i32> {
    let path = format!("/proc/self/fd/{}\0", folder.as_raw_fd());
    // SAFETY: the path ends with a zero byte.
    let watch = unsafe { libc::inotify_add_watch(group.as_raw_fd(), path.as_ptr().cast(), mask) };
    check(i64::from(watch)).map(|_| watch)
}

/// One raw event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Raw {
    pub(super) watch: i32,
    pub(super) mask: u32,
    pub(super) name: String,
}

/// Splits what was read from a group.
pub(super) fn parse(mut bytes: &[u8]) -> Vec<Raw> {
    /// Watch, mask, cookie and length of the name, four bytes each.
    const HEADER: usize = 16;
    let mut events = Vec::new();
    while bytes.len() >= HEADER {
        let word =
            |at: usize| u32::from_ne_bytes(bytes[at..at + 4].try_into().expect("four bytes"));
        let length = word(12) as usize;
        let Some(name) = bytes.get(HEADER..HEADER + length) else { break };
        let end = name.iter().position(|&byte| byte == 0).unwrap_or(length);
        events.push(Raw {
            watch: word(0).cast_signed(),
            mask: word(4),
            name: String::from_utf8_lossy(&name[..end]).into_owned(),
        });
        bytes = &bytes[HEADER + length..];
    }
    events
}
