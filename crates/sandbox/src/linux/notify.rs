//! Seccomp user notification: receiving a stopped call and answering it.
#![expect(unsafe_code, reason = "talks to the kernel through libc")]

use std::io;
use std::mem;
use std::os::fd::{AsRawFd, BorrowedFd};

use super::call::check;
use super::seccomp::Answer;

/// A stopped call.
#[derive(Debug, Clone, Copy)]
pub(super) struct Notification {
    id: u64,
    /// Thread that made the call, in the supervisor's pid namespace.
    pub(super) thread: i32,
    /// The call's number.
    pub(super) call: i64,
    /// Its arguments.
    pub(super) args: [u64; 6],
}

// ioctl(2) numbers of linux/seccomp.h: direction, size, type `!`, number.
const fn ioctl_number(direction: u64, size: usize, number: u64) -> libc::Ioctl {
    ((direction << 30) | ((size as u64) << 16) | ((b'!' as u64) << 8) | number) as libc::Ioctl
}
const RECEIVE: libc::Ioctl = ioctl_number(3, mem::size_of::<libc::seccomp_notif>(), 0);
const SEND: libc::Ioctl = ioctl_number(3, mem::size_of::<libc::seccomp_notif_resp>(), 1);
const ID_VALID: libc::Ioctl = ioctl_number(1, mem::size_of::<u64>(), 2);
const SET_FLAGS: libc::Ioctl = ioctl_number(1, mem::size_of::<u64>(), 4);

/// `SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP`: caller and supervisor hand over on one processor.
const SYNC_WAKE_UP: u64 = 1;

/// Makes the hand-over faster where the kernel can (6.6 and later).
pub(super) fn prefer_synchronous(listener: BorrowedFd<'_>) {
    // SAFETY: this request takes a number. Older kernels refuse, and work the same, slower.
    unsafe { libc::ioctl(listener.as_raw_fd(), SET_FLAGS, SYNC_WAKE_UP) };
}

/// Takes the next stopped call; `None` when its caller died meanwhile.
pub(super) fn receive(listener: BorrowedFd<'_>) -> io::Result<Option<Notification>> {
    // SAFETY: the kernel wants the buffer zeroed.
    let mut raw: libc::seccomp_notif = unsafe { mem::zeroed() };
    // SAFETY: `raw` is writable and of the size in the request number.
    let result = unsafe { libc::ioctl(listener.as_raw_fd(), RECEIVE, &raw mut raw) };
    match check(i64::from(result)) {
        Ok(_) => Ok(Some(Notification {
            id: raw.id,
            thread: raw.pid.cast_signed(),
            call: i64::from(raw.data.nr),
            args: raw.data.args,
        })),
        Err(error) => match error.raw_os_error() {
            Some(libc::ENOENT | libc::EINTR | libc::EAGAIN) => Ok(None),
            _ => Err(error),
        },
    }
}

/// Whether the caller is still there, so that what was read under its pid was its own.
pub(super) fn still_valid(listener: BorrowedFd<'_>, call: &Notification) -> bool {
    // SAFETY: the id is readable.
    unsafe { libc::ioctl(listener.as_raw_fd(), ID_VALID, &raw const call.id) == 0 }
}

/// Answers. A caller that died meanwhile needs no answer.
pub(super) fn answer(listener: BorrowedFd<'_>, call: &Notification, answer: Answer) {
    let (error, flags) = match answer {
        Answer::Continue => (0, libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE),
        Answer::Fail(errno) => (-errno, 0),
    };
    let flags = u32::try_from(flags).expect("a small flag");
    let mut response = libc::seccomp_notif_resp { id: call.id, val: 0, error, flags };
    // SAFETY: `response` is live and of the size in the request number.
    unsafe { libc::ioctl(listener.as_raw_fd(), SEND, &raw mut response) };
}
