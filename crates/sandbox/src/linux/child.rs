//! The last steps between the first process and a command.
#![expect(unsafe_code, reason = "talks to the kernel through libc")]

use std::ffi::CString;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use super::call::{c_path, exit_now};
use super::wire::{self, Announcement, Run};
use super::{call, fd, ids, limits, probe, seccomp};
use crate::policy::Policy;

/// Exit code when the confinement itself failed: nothing was executed.
pub(crate) const CONFINEMENT_FAILED: i32 = 125;

/// Where programs are looked for when the policy's environment has no `PATH`.
const DEFAULT_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// Becomes the command.
pub(super) fn execute(
    policy: &Policy,
    announcements: BorrowedFd<'_>,
    streams: [OwnedFd; 3],
    run: &Run,
) -> ! {
    let program = run.argv.first().map_or("", String::as_str);
    if let Err(error) = detach(streams) {
        fail(CONFINEMENT_FAILED, program, &error);
    }
    if let Err(error) = std::env::set_current_dir(&run.cwd) {
        fail(126, &run.cwd.to_string_lossy(), &error);
    }
    let path = look_up(policy, program);
    let announcement = Announcement {
        path: path.clone(),
        argv: run.argv.clone(),
        cwd: run.cwd.to_string_lossy().into_owned(),
    };
    if let Err(error) = confine(policy, announcements, run.notify, &announcement) {
        fail(CONFINEMENT_FAILED, program, &error);
    }
    let error = replace(policy, &path, &run.argv);
    fail(if error.kind() == io::ErrorKind::NotFound { 127 } else { 126 }, program, &error)
}

/// Looks at its own confinement, tells on standard output, and then waits to be killed.
pub(super) fn observe(
    policy: &Policy,
    announcements: BorrowedFd<'_>,
    streams: [OwnedFd; 3],
    run: &Run,
) -> ! {
    let announcement = Announcement { path: "/".to_owned(), argv: Vec::new(), cwd: "/".to_owned() };
    let confined =
        detach(streams).and_then(|()| confine(policy, announcements, run.notify, &announcement));
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

fn detach(streams: [OwnedFd; 3]) -> io::Result<()> {
    call::new_session()?;
    call::reset_signals()?;
    // The originals are above 2, so no duplicate overwrites one that is still needed.
    for (stream, to) in streams.iter().zip(0..) {
        fd::duplicate_to(stream.as_fd(), to)?;
    }
    drop(streams);
    call::close_on_exec_from(3)
}

/// Limits, no capabilities, and the filter; the listener goes to the supervisor.
fn confine(
    policy: &Policy,
    announcements: BorrowedFd<'_>,
    notify: bool,
    announcement: &Announcement,
) -> io::Result<()> {
    ids::drop_all_capabilities()?;
    limits::apply(&policy.limits)?;
    // Nobody answers for this process until the announcement has arrived.
    let packet = wire::Packet::of(announcement)?;
    if let Some(listener) = seccomp::install(notify)? {
        packet.send(announcements, &[listener.as_fd()])?;
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

fn replace(policy: &Policy, path: &str, argv: &[String]) -> io::Error {
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
    unsafe { libc::execve(path.as_ptr(), argv.as_ptr(), envp.as_ptr()) };
    io::Error::last_os_error()
}

fn fail(code: i32, what: &str, error: &io::Error) -> ! {
    let _ = write_all(2, format!("{what}: {error}\n").as_bytes());
    exit_now(code)
}

fn write_all(stream: i32, bytes: &[u8]) -> io::Result<()> {
    File::from(fd::duplicate(stream)?).write_all(bytes)
}
