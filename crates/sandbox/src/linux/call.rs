//! System calls that change this process or the mount tree. Safe wrappers.
#![expect(unsafe_code, reason = "talks to the kernel through libc")]

use std::ffi::CString;
use std::io;
use std::mem;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::fd::owned;

/// Turns the result of a system call into a `Result`.
pub(super) fn check(result: libc::c_long) -> io::Result<libc::c_long> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// A path as C string.
pub(super) fn c_path(path: &Path) -> io::Result<CString> {
    CString::new(path.as_os_str().as_bytes()).map_err(|_| io::ErrorKind::InvalidInput.into())
}

/// Leaves the namespaces named by `flags`.
pub(super) fn unshare(flags: libc::c_int) -> io::Result<()> {
    // SAFETY: plain system call; the launcher has one thread.
    check(i64::from(unsafe { libc::unshare(flags) })).map(drop)
}

/// `prctl` with plain numbers.
pub(super) fn prctl(option: libc::c_int, argument: u64) -> io::Result<libc::c_long> {
    // SAFETY: used with options that take numbers only.
    check(i64::from(unsafe { libc::prctl(option, argument, 0_u64, 0_u64, 0_u64) }))
}

/// Ends this process at once: no destructors, no exit handlers of the program we were forked from.
pub(super) fn exit_now(code: i32) -> ! {
    // SAFETY: ends the process.
    unsafe { libc::_exit(code) }
}

/// Forks. Only for processes with one thread. Returns 0 in the child.
pub(super) fn fork() -> io::Result<i32> {
    // SAFETY: launcher and init have one thread, so the child's memory is consistent.
    let pid = unsafe { libc::fork() };
    check(i64::from(pid)).map(|_| pid)
}

/// Waits for a child: its pid and status; `None` when no child has ended (or exists).
pub(super) fn wait(pid: i32, flags: libc::c_int) -> Option<(i32, i32)> {
    let mut status = 0;
    loop {
        // SAFETY: `status` is writable.
        let ended = unsafe { libc::waitpid(pid, &raw mut status, flags) };
        if ended > 0 {
            return Some((ended, status));
        }
        let interrupted = io::Error::last_os_error().kind() == io::ErrorKind::Interrupted;
        if ended == 0 || !interrupted {
            return None;
        }
    }
}

/// A descriptor that becomes readable when the process ends.
pub(super) fn pidfd(pid: i32) -> io::Result<OwnedFd> {
    // SAFETY: plain system call.
    check(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) }).map(owned)
}

/// The process of a thread, in another pid namespace (Linux 6.11 and later).
pub(super) fn process_in_namespace(namespace: BorrowedFd<'_>, thread: i32) -> io::Result<u32> {
    /// `NS_GET_TGID_IN_PIDNS` of linux/nsfs.h.
    const REQUEST: libc::Ioctl = 0x8004_b709_u32 as libc::Ioctl;
    // SAFETY: this request takes a number.
    let result = unsafe { libc::ioctl(namespace.as_raw_fd(), REQUEST, thread) };
    check(i64::from(result)).map(|_| result.cast_unsigned())
}

/// Parent of the process behind a pidfd, in our pid namespace (Linux 6.13 and later).
pub(super) fn parent_of(process: BorrowedFd<'_>) -> io::Result<i32> {
    /// First version of `struct pidfd_info` of linux/pidfd.h: which fields are wanted, control
    /// group, then 32-bit fields, of which the third is the parent.
    #[repr(C)]
    struct Info {
        mask: u64,
        control_group: u64,
        numbers: [u32; 12],
    }
    /// `PIDFD_INFO_PID`.
    const PIDS: u64 = 1;
    /// `PIDFD_GET_INFO` for a structure of this size.
    const REQUEST: libc::Ioctl = 0xc040_ff0b_u32 as libc::Ioctl;
    let mut info = Info { mask: PIDS, control_group: 0, numbers: [0; 12] };
    // SAFETY: `info` is writable and of the size in the request number.
    check(i64::from(unsafe { libc::ioctl(process.as_raw_fd(), REQUEST, &raw mut info) }))?;
    Ok(info.numbers[2].cast_signed())
}

/// Sends a signal.
pub(super) fn kill(pid: i32, signal: libc::c_int) {
    // SAFETY: plain system call. A process that is gone is not an error here.
    unsafe { libc::kill(pid, signal) };
}

/// Blocks one signal and gives a descriptor that becomes readable when it is pending.
pub(super) fn signal_descriptor(signal: libc::c_int) -> io::Result<OwnedFd> {
    // SAFETY: the set is initialised by sigemptyset before use.
    unsafe {
        let mut set: libc::sigset_t = mem::zeroed();
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, signal);
        check(i64::from(libc::sigprocmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut())))?;
        let raw = libc::signalfd(-1, &raw const set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK);
        check(i64::from(raw)).map(owned)
    }
}

/// Puts signal handling back to what a fresh program expects.
pub(super) fn reset_signals() -> io::Result<()> {
    // SAFETY: the set is initialised; resetting dispositions touches only this process.
    unsafe {
        let mut set: libc::sigset_t = mem::zeroed();
        libc::sigemptyset(&raw mut set);
        for signal in 1..32 {
            libc::signal(signal, libc::SIG_DFL);
        }
        check(i64::from(libc::sigprocmask(libc::SIG_SETMASK, &raw const set, std::ptr::null_mut())))
            .map(drop)
    }
}

/// Starts a session of its own.
pub(super) fn new_session() -> io::Result<()> {
    // SAFETY: plain system call.
    check(i64::from(unsafe { libc::setsid() })).map(drop)
}

/// Marks every descriptor from `first` up as closed on exec.
pub(super) fn close_on_exec_from(first: u32) -> io::Result<()> {
    let flags = libc::CLOSE_RANGE_CLOEXEC;
    // SAFETY: nothing is closed before an exec.
    check(unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, flags) }).map(drop)
}

/// Closes every descriptor from `first` to `last`.
pub(super) fn close_range(first: u32, last: u32) -> io::Result<()> {
    // SAFETY: the launcher closes what it inherited, or everything before it waits for the end.
    check(unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) }).map(drop)
}

/// Classic mount.
pub(super) fn mount(
    source: &str,
    target: &Path,
    kind: &str,
    flags: libc::c_ulong,
    data: &str,
) -> io::Result<()> {
    let invalid = |_| io::Error::from(io::ErrorKind::InvalidInput);
    let (source, kind) =
        (CString::new(source).map_err(invalid)?, CString::new(kind).map_err(invalid)?);
    let (target, data) = (c_path(target)?, CString::new(data).map_err(invalid)?);
    // SAFETY: all pointers are live C strings.
    let result = unsafe {
        libc::mount(source.as_ptr(), target.as_ptr(), kind.as_ptr(), flags, data.as_ptr().cast())
    };
    check(i64::from(result)).map(drop)
}

/// Makes the working folder the root and detaches the old root.
pub(super) fn pivot_here() -> io::Result<()> {
    // SAFETY: the strings are C strings.
    unsafe {
        check(libc::syscall(libc::SYS_pivot_root, c".".as_ptr(), c".".as_ptr()))?;
        check(i64::from(libc::umount2(c".".as_ptr(), libc::MNT_DETACH)))?;
    }
    std::env::set_current_dir("/")
}

/// Detaches a mount.
pub(super) fn detach(target: &Path) -> io::Result<()> {
    let target = c_path(target)?;
    // SAFETY: a live C string.
    check(i64::from(unsafe { libc::umount2(target.as_ptr(), libc::MNT_DETACH) })).map(drop)
}

/// Copies the mount tree at `path` into a detached one.
pub(super) fn clone_tree(path: &Path) -> io::Result<OwnedFd> {
    let path = c_path(path)?;
    let flags = libc::OPEN_TREE_CLONE
        | libc::OPEN_TREE_CLOEXEC
        | libc::c_uint::try_from(libc::AT_RECURSIVE).expect("a small flag");
    // SAFETY: a live C string.
    let result =
        unsafe { libc::syscall(libc::SYS_open_tree, libc::AT_FDCWD, path.as_ptr(), flags) };
    check(result).map(owned)
}

/// Adds attributes to every mount of a detached tree.
pub(super) fn restrict_tree(tree: BorrowedFd<'_>, attributes: u64) -> io::Result<()> {
    set_attributes(tree.as_raw_fd(), c"", attributes, libc::AT_EMPTY_PATH | libc::AT_RECURSIVE)
}

/// Makes the mount at `/` read-only, not those on it.
pub(super) fn seal_root() -> io::Result<()> {
    set_attributes(libc::AT_FDCWD, c"/", libc::MOUNT_ATTR_RDONLY, 0)
}

fn set_attributes(
    folder: libc::c_int,
    path: &std::ffi::CStr,
    attributes: u64,
    flags: libc::c_int,
) -> io::Result<()> {
    let wanted =
        libc::mount_attr { attr_set: attributes, attr_clr: 0, propagation: 0, userns_fd: 0 };
    // SAFETY: path and attributes are live; the size matches.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            folder,
            path.as_ptr(),
            flags,
            &raw const wanted,
            mem::size_of::<libc::mount_attr>(),
        )
    };
    check(result).map(drop)
}

/// Attaches a detached tree at `target`.
pub(super) fn attach_tree(tree: BorrowedFd<'_>, target: &Path) -> io::Result<()> {
    let target = c_path(target)?;
    // SAFETY: live C strings.
    let result = unsafe {
        libc::syscall(
            libc::SYS_move_mount,
            tree.as_raw_fd(),
            c"".as_ptr(),
            libc::AT_FDCWD,
            target.as_ptr(),
            libc::MOVE_MOUNT_F_EMPTY_PATH,
        )
    };
    check(result).map(drop)
}

/// Sets the host name.
pub(super) fn set_host_name(name: &str) -> io::Result<()> {
    // SAFETY: pointer and length belong together.
    check(i64::from(unsafe { libc::sethostname(name.as_ptr().cast(), name.len()) })).map(drop)
}

/// Brings the loopback interface up.
pub(super) fn loopback_up() -> io::Result<()> {
    // SAFETY: plain system call.
    let raw = unsafe { libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) };
    let socket = owned(check(i64::from(raw))?);
    // SAFETY: all-zero is a valid ifreq; the name is short; the request reads and fills it.
    unsafe {
        let mut request: libc::ifreq = mem::zeroed();
        for (slot, byte) in request.ifr_name.iter_mut().zip(*b"lo") {
            *slot = byte as libc::c_char;
        }
        request.ifr_ifru.ifru_flags = i16::try_from(libc::IFF_UP).expect("a small flag");
        let result = libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS, &raw mut request);
        check(i64::from(result)).map(drop)
    }
}
