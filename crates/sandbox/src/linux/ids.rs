//! Who the sandbox is: an ordinary user outside, one mapped user inside, no capabilities.
#![expect(unsafe_code, reason = "talks to the kernel through libc")]

use std::io;

use super::call::{check, prctl};

/// User and group inside.
pub(super) const INSIDE: u32 = 1000;

/// User and group outside when the harness is root: nobody, who owns nothing.
const ORDINARY: u32 = 65534;

/// Lets the first process open files of the sandbox's own user whose mode forbids it, for the
/// supervisor. It has no power over files of users that are not mapped.
const CAP_DAC_READ_SEARCH: u32 = 2;

/// Number of capabilities to try to drop from the bounding set.
const N_CAPABILITIES: u32 = 64;

/// Effective user of this process.
pub(super) fn user() -> u32 {
    // SAFETY: cannot fail.
    unsafe { libc::geteuid() }
}

/// Gives up root for good, if this process is root. Root and ordinary users go the same way on.
pub(super) fn become_ordinary() -> io::Result<()> {
    if user() != 0 {
        return Ok(());
    }
    // SAFETY: plain system calls in a process with one thread.
    unsafe {
        check(i64::from(libc::setgroups(0, std::ptr::null())))?;
        check(i64::from(libc::setresgid(ORDINARY, ORDINARY, ORDINARY)))?;
        check(i64::from(libc::setresuid(ORDINARY, ORDINARY, ORDINARY)))?;
    }
    // A change of user makes /proc/self belong to root; the maps below are written through it.
    prctl(libc::PR_SET_DUMPABLE, 1).map(drop)
}

/// Maps the one user of a new user namespace.
pub(super) fn write_maps(user: u32, group: u32) -> io::Result<()> {
    std::fs::write("/proc/self/setgroups", "deny")?;
    std::fs::write("/proc/self/uid_map", format!("{INSIDE} {user} 1"))?;
    std::fs::write("/proc/self/gid_map", format!("{INSIDE} {group} 1"))
}

/// Effective group of this process.
pub(super) fn group() -> u32 {
    // SAFETY: cannot fail.
    unsafe { libc::getegid() }
}

/// Keeps only what the first process needs to help the supervisor; nothing can be regained.
pub(super) fn drop_most_capabilities() -> io::Result<()> {
    for capability in 0..N_CAPABILITIES {
        // Numbers that this kernel does not know are refused: nothing to drop.
        let _ = prctl(libc::PR_CAPBSET_DROP, u64::from(capability));
    }
    prctl(libc::PR_SET_NO_NEW_PRIVS, 1)?;
    set_capabilities(1 << CAP_DAC_READ_SEARCH)
}

/// Drops every capability.
pub(super) fn drop_all_capabilities() -> io::Result<()> {
    set_capabilities(0)
}

#[repr(C)]
struct Header {
    version: u32,
    pid: i32,
}

#[repr(C)]
struct Data {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

fn set_capabilities(low: u32) -> io::Result<()> {
    /// `_LINUX_CAPABILITY_VERSION_3` of linux/capability.h.
    const VERSION_3: u32 = 0x2008_0522;
    let header = Header { version: VERSION_3, pid: 0 };
    let data = [
        Data { effective: low, permitted: low, inheritable: 0 },
        Data { effective: 0, permitted: 0, inheritable: 0 },
    ];
    // SAFETY: version 3 takes a header and two data structs, all live.
    check(unsafe { libc::syscall(libc::SYS_capset, &raw const header, data.as_ptr()) }).map(drop)
}
