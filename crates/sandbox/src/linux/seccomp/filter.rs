//! The filter that every command runs under, and the answers of the supervisor to it.
#![expect(unsafe_code, reason = "talks to the kernel through libc")]

use std::io;
use std::os::fd::OwnedFd;

use super::bpf::{Action, Program, Test, errno};
use super::list::{
    ALLOWED, ALLOWED_OLD, COMPUTING, COMPUTING_OLD, IN_VAIN, REFUSED, REFUSED_OLD, WATCHED,
};
use crate::linux::call::check;
use crate::linux::fd::owned;
use crate::policy::Calls;

#[cfg(target_arch = "x86_64")]
const ARCH: (u32, Option<u32>) = (0xc000_003e, Some(0x4000_0000));
#[cfg(target_arch = "aarch64")]
const ARCH: (u32, Option<u32>) = (0xc000_00b7, None);

/// `SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV` of linux/seccomp.h: a call that the supervisor has
/// received is not started again because a signal arrived, which would record it twice.
const WAIT_KILLABLE: libc::c_ulong = 1 << 5;

/// Flags of clone(2) and unshare(2) that make namespaces.
const NAMESPACES: u32 = (libc::CLONE_NEWNS
    | libc::CLONE_NEWCGROUP
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUSER
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET)
    .cast_unsigned();
/// `CLONE_NEWTIME`, which clone(2) reads as part of the exit signal.
const TIME_NAMESPACE: u32 = 0x80;

/// What the supervisor decides about a call it was asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::linux) enum Answer {
    /// Let it through.
    Continue,
    /// Make it fail with this error number.
    Fail(libc::c_int),
}

fn number(call: libc::c_long) -> u32 {
    u32::try_from(call).expect("call numbers are small")
}

/// Builds the filter. Without `notify`, watched calls pass and refused ones fail, unrecorded.
fn build(notify: bool) -> Vec<libc::sock_filter> {
    let allow = Action::Allow;
    let refuse = Action::Errno(errno(libc::EPERM));
    let missing = Action::Errno(errno(libc::ENOSYS));
    let (watch, report) = if notify { (Action::Notify, Action::Notify) } else { (allow, refuse) };
    let mut program = Program::default();
    program.begin(ARCH.0, ARCH.1);
    for &(_, call) in WATCHED {
        program.always(number(call), watch);
    }
    // Threads are made through clone where clone3, whose flags a filter cannot see, is missing.
    program.always(number(libc::SYS_clone3), missing);
    let clone = number(libc::SYS_clone);
    program.depends(clone, &[(Test::AnySet(0, NAMESPACES), report)], allow);
    let spaces = NAMESPACES | TIME_NAMESPACE;
    program.depends(number(libc::SYS_unshare), &[(Test::AnySet(0, spaces), report)], allow);
    socket_rules(&mut program, notify);
    program.depends(number(libc::SYS_sendto), &[(Test::Zero(4), allow)], watch);
    let control = [
        (Test::Equal(0, libc::PR_SET_SECCOMP.cast_unsigned()), report),
        (Test::Equal(0, libc::PR_SET_MM.cast_unsigned()), report),
    ];
    program.depends(number(libc::SYS_prctl), &control, allow);
    let limits = [(Test::Equal(0, 0), allow), (Test::Zero(2), allow)];
    program.depends(number(libc::SYS_prlimit64), &limits, watch);
    // Priority: of one process, itself, is its own affair; groups and others are looked at.
    let priority = [(Test::AnySet(0, u32::MAX), watch), (Test::Equal(1, 0), allow)];
    program.depends(number(libc::SYS_setpriority), &priority, watch);
    let io_priority = [(Test::AnySet(0, 2), watch), (Test::Equal(1, 0), allow)];
    program.depends(number(libc::SYS_ioprio_set), &io_priority, watch);
    for call in [
        libc::SYS_sched_setaffinity,
        libc::SYS_sched_setscheduler,
        libc::SYS_sched_setparam,
        libc::SYS_sched_setattr,
    ] {
        program.depends(number(call), &[(Test::Equal(0, 0), allow)], watch);
    }
    // A shared file mapping changes the file without another call: the supervisor must know.
    let anonymous = libc::MAP_ANONYMOUS.cast_unsigned();
    let shared = libc::MAP_SHARED.cast_unsigned();
    let mapping = [(Test::AnySet(3, anonymous), allow), (Test::AnySet(3, shared), watch)];
    program.depends(number(libc::SYS_mmap), &mapping, allow);
    /// Query only.
    const QUERY: u32 = u32::MAX;
    /// `ADDR_NO_RANDOMIZE`, which compilers and their tests ask for.
    const FIXED_ADDRESSES: u32 = 0x0004_0000;
    let personality = [0, QUERY, FIXED_ADDRESSES].map(|value| (Test::Equal(0, value), allow));
    program.depends(number(libc::SYS_personality), &personality, refuse);
    for &(_, call) in ALLOWED.iter().chain(ALLOWED_OLD) {
        program.always(number(call), allow);
    }
    for &(_, call) in REFUSED.iter().chain(REFUSED_OLD) {
        program.always(number(call), report);
    }
    program.finish(missing)
}

/// Builds the filter of a program that only computes. Whatever is not needed for that is reported
/// and refused.
fn build_narrow(notify: bool) -> Vec<libc::sock_filter> {
    let allow = Action::Allow;
    let refuse = Action::Errno(errno(libc::EPERM));
    let missing = Action::Errno(errno(libc::ENOSYS));
    let (watch, report) = if notify { (Action::Notify, Action::Notify) } else { (allow, refuse) };
    let mut program = Program::default();
    program.begin(ARCH.0, ARCH.1);
    for call in [libc::SYS_execve, libc::SYS_execveat] {
        program.always(number(call), watch);
    }
    program.always(number(libc::SYS_clone3), missing);
    // Threads only: a process of its own would outlive and outwork the clock.
    let thread = libc::CLONE_THREAD.cast_unsigned();
    let clone = [(Test::AnySet(0, NAMESPACES), report), (Test::AnySet(0, thread), allow)];
    program.depends(number(libc::SYS_clone), &clone, report);
    let limits = [(Test::Zero(2), allow)];
    program.depends(number(libc::SYS_prlimit64), &limits, report);
    // The start of a static program looks for itself, in vain.
    for &(_, call) in IN_VAIN {
        program.always(number(call), Action::Errno(errno(libc::ENOENT)));
    }
    for &(_, call) in COMPUTING.iter().chain(COMPUTING_OLD) {
        program.always(number(call), allow);
    }
    program.finish(report)
}

fn socket_rules(program: &mut Program, notify: bool) {
    let family = |family: libc::c_int| Test::Equal(0, family.cast_unsigned());
    let unknown = Action::Errno(errno(libc::EAFNOSUPPORT));
    let others = if notify { Action::Notify } else { unknown };
    let mut tests = vec![(family(libc::AF_UNIX), Action::Allow)];
    if !notify {
        // Harmless without a network; other families may not be confined to the namespace.
        tests.extend([libc::AF_INET, libc::AF_INET6].map(|at| (family(at), Action::Allow)));
    }
    program.depends(number(libc::SYS_socket), &tests, others);
    let pair = [(family(libc::AF_UNIX), Action::Allow)];
    program.depends(number(libc::SYS_socketpair), &pair, unknown);
}

/// Puts this process, for good, under the filter. With `notify`, returns the descriptor on which
/// the supervisor is asked.
pub(in crate::linux) fn install(calls: Calls, notify: bool) -> io::Result<Option<OwnedFd>> {
    let mut code = match calls {
        Calls::Programs => build(notify),
        Calls::Computation => build_narrow(notify),
    };
    let length = u16::try_from(code.len()).expect("the program is below the kernel's 4096");
    let program = libc::sock_fprog { len: length, filter: code.as_mut_ptr() };
    let listen = if notify { libc::SECCOMP_FILTER_FLAG_NEW_LISTENER } else { 0 };
    for killable in [WAIT_KILLABLE, 0] {
        let flags = if notify { listen | killable } else { 0 };
        // SAFETY: `program` points to live code; the kernel copies it.
        let result = unsafe {
            libc::syscall(
                libc::SYS_seccomp,
                libc::SECCOMP_SET_MODE_FILTER,
                flags,
                &raw const program,
            )
        };
        match check(result) {
            Ok(raw) => return Ok(notify.then(|| owned(raw))),
            // Kernels before 5.19 do not know the flag.
            Err(error) if killable != 0 && error.raw_os_error() == Some(libc::EINVAL) => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::from_raw_os_error(libc::EINVAL))
}
