//! What the runtime asks of the kernel: memory in common, absolute time, scheduling, children. The
//! only `unsafe` of the crate's runtime, behind safe functions.

pub(crate) mod child;
pub(crate) mod clock;
#[cfg(test)]
pub(crate) mod lockdown;
pub(crate) mod memory;
pub(crate) mod schedule;

use std::io;

/// Turns the result of a system call into a `Result`.
fn check(result: libc::c_long) -> io::Result<libc::c_long> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}
