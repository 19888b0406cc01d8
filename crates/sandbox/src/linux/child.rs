//! The last steps between the first process and a command.
#![expect(unsafe_code, reason = "talks to the kernel through libc")]

use std::ffi::CString;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;

use super::call::{c_path, exit_now};
use super::wire::{self, Announcement, Run};
use super::{call, fd, ids, limits, probe, seccomp};
use crate::policy::{Calls, Policy};

/// Exit code when the confinement itself failed: nothing was executed.
pub(crate) const CONFINEMENT_FAILED: i32 = 125;

/// Where programs are looked for when the policy's environment has no `PATH`.
const DEFAULT_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// Becomes the command.
pub(super) fn execute(
    policy: &Policy,
    announcements: BorrowedFd<'_>,
    fds: Vec<OwnedFd>,
    run: &Run,
) -> ! {
    let program = run.argv.first().map_or("", String::as_str);
    let Given { announcements, file } = match detach(announcements, fds, run.program) {
        Ok(given) => given,
        Err(error) => fail(CONFINEMENT_FAILED, program, &error),
    };
    if let Err(error) = std::env::set_current_dir(&run.cwd) {
        fail(126, &run.cwd.to_string_lossy(), &error);
    }
    let path = if file.is_some() { program.to_owned() } else { look_up(policy, program) };
    let announcement = Announcement {
        path: path.clone(),
        argv: run.argv.clone(),
        cwd: run.cwd.to_string_lossy().into_owned(),
    };
    let confined = confine(policy, policy.calls, announcements.as_fd(), run.notify, &announcement);
    if let Err(error) = confined {
        fail(CONFINEMENT_FAILED, program, &error);
    }
    let error = replace(policy, file.as_ref().map(AsFd::as_fd), &path, &run.argv);
    fail(if error.kind() == io::ErrorKind::NotFound { 127 } else { 126 }, program, &error)
}

/// Looks at its own confinement, tells on standard output, and then waits to be killed.
pub(super) fn observe(
    policy: &Policy,
    announcements: BorrowedFd<'_>,
    fds: Vec<OwnedFd>,
    run: &Run,
) -> ! {
    let announcement = Announcement { path: "/".to_owned(), argv: Vec::new(), cwd: "/".to_owned() };
    // It looks at files, as no computation may.
    let confined = detach(announcements, fds, false).and_then(|given| {
        let announcements = given.announcements.as_fd();
        confine(policy, Calls::Programs, announcements, run.notify, &announcement)
    });
    if let Err(error) = confined {
        fail(CONFINEMENT_FAILED, "probe", &error);
    }
    let text = serde_json::to_vec(&probe::look(policy)).expect("a report is plain data");
    if write_all(1, &text).and_then(|()| write_all(1, b"\n")).is_err() {
        exit_now(1);
    }
    loop {
        std::thread::park();
    }
}

/// What stays open beside the streams until the exec.
struct Given {
    announcements: OwnedFd,
    /// The program, where it is given as a file.
    file: Option<OwnedFd>,
}

/// Puts the streams at 0, 1 and 2, and what else the command is given at 3 and up.
fn detach(announcements: BorrowedFd<'_>, fds: Vec<OwnedFd>, program: bool) -> io::Result<Given> {
    call::new_session()?;
    call::reset_signals()?;
    // All are first moved out of the way of each other.
    let announcements = fd::duplicate_high(announcements)?;
    let mut high: Vec<OwnedFd> =
        fds.iter().map(|fd| fd::duplicate_high(fd.as_fd())).collect::<io::Result<_>>()?;
    drop(fds);
    let file = (program && high.len() > 3).then(|| high.remove(3));
    call::close_on_exec_from(3)?;
    for (fd, to) in high.iter().zip(0..) {
        fd::duplicate_to(fd.as_fd(), to)?;
    }
    Ok(Given { announcements, file })
}

/// Limits, no capabilities, and the filter; the listener goes to the supervisor.
fn confine(
    policy: &Policy,
    calls: Calls,
    announcements: BorrowedFd<'_>,
    notify: bool,
    announcement: &Announcement,
) -> io::Result<()> {
    ids::drop_all_capabilities()?;
    limits::apply(&policy.limits)?;
    // Nobody answers for this process until the announcement has arrived.
    let packet = wire::Packet::of(announcement)?;
    if let Some(listener) = seccomp::install(calls, notify)? {
        packet.send(announcements, &[listener.as_fd()])?;
        // Closed by the exec; closing it here would ask the kernel more than every filter allows.
        std::mem::forget(listener);
    }
    Ok(())
}

/// The file that a shell would execute for this name; the name itself when there is none.
fn look_up(policy: &Policy, program: &str) -> String {
    if program.contains('/') {
        return program.to_owned();
    }
    let path = policy.env.get("PATH").map_or(DEFAULT_PATH, String::as_str);
    path.split(':')
        .map(|folder| Path::new(if folder.is_empty() { "." } else { folder }).join(program))
        .find(|candidate| candidate.is_file() && executable(candidate))
        .map_or_else(|| program.to_owned(), |found| found.to_string_lossy().into_owned())
}

fn executable(path: &Path) -> bool {
    let Ok(path) = c_path(path) else { return false };
    // SAFETY: a live C string.
    unsafe { libc::access(path.as_ptr(), libc::X_OK) == 0 }
}

fn replace(
    policy: &Policy,
    file: Option<BorrowedFd<'_>>,
    path: &str,
    argv: &[String],
) -> io::Error {
    let strings = |texts: Vec<Vec<u8>>| -> Option<Vec<CString>> {
        texts.into_iter().map(|text| CString::new(text).ok()).collect()
    };
    let env = policy.env.iter().map(|(name, value)| format!("{name}={value}").into_bytes());
    let arguments = argv.iter().map(|argument| argument.as_bytes().to_vec());
    let (Some(arguments), Some(env), Ok(path)) =
        (strings(arguments.collect()), strings(env.collect()), CString::new(path.as_bytes()))
    else {
        return io::Error::new(io::ErrorKind::InvalidInput, "an argument contains a zero byte");
    };
    let pointers = |strings: &[CString]| -> Vec<*const libc::c_char> {
        strings.iter().map(|text| text.as_ptr()).chain([std::ptr::null()]).collect()
    };
    let (argv, envp) = (pointers(&arguments), pointers(&env));
    // SAFETY: both arrays end with a null pointer and their strings are live.
    unsafe {
        match file {
            Some(file) => {
                let empty = c"".as_ptr();
                libc::syscall(
                    libc::SYS_execveat,
                    file.as_raw_fd(),
                    empty,
                    argv.as_ptr(),
                    envp.as_ptr(),
                    libc::AT_EMPTY_PATH,
                );
            }
            None => {
                libc::execve(path.as_ptr(), argv.as_ptr(), envp.as_ptr());
            }
        }
    }
    io::Error::last_os_error()
}

fn fail(code: i32, what: &str, error: &io::Error) -> ! {
    let _ = write_all(2, format!("{what}: {error}\n").as_bytes());
    exit_now(code)
}

fn write_all(stream: i32, bytes: &[u8]) -> io::Result<()> {
    File::from(fd::duplicate(stream)?).write_all(bytes)
}
