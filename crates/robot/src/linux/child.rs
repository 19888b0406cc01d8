//! Children that inherit descriptors and do not outlive us.
#![expect(unsafe_code, reason = "runs between fork and exec")]

use std::os::fd::RawFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};

/// Lets the child inherit these descriptors, under the numbers they have here, and has it killed
/// when the thread that starts it ends.
///
/// The numbers must stay open until the command is spawned.
pub(crate) fn inherit(command: &mut Command, descriptors: Vec<RawFd>) {
    let prepare = move || {
        for &raw in &descriptors {
            // SAFETY: plain system call on a number; a bad one is an error.
            if unsafe { libc::fcntl(raw, libc::F_SETFD, 0) } < 0 {
                return Err(std::io::Error::last_os_error());
            }
        }
        // SAFETY: this option takes a number.
        unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL, 0_u64, 0_u64, 0_u64) };
        Ok(())
    };
    // SAFETY: between fork and exec it makes system calls only: no allocation, no lock.
    unsafe { command.pre_exec(prepare) };
}

/// Sends a signal to a child that has not been waited for, so that its number is still its own.
pub(crate) fn signal(child: &Child, signal: libc::c_int) {
    if let Ok(pid) = i32::try_from(child.id()) {
        // SAFETY: plain system call. A process that has ended is not an error here.
        unsafe { libc::kill(pid, signal) };
    }
}
