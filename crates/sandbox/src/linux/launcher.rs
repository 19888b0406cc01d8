//! The launcher: a fresh, single-threaded process that gives up what it has and becomes the sandbox.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use super::wire::{self, Built, Reply, Setup};
use super::{call, fd, ids, init, mounts};
use crate::launcher::MARKER;

/// Why there is no sandbox: the protection that failed, where it was one, and the reason.
pub(super) struct Refusal {
    pub(super) protection: Option<&'static str>,
    pub(super) reason: String,
}

impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Refusal {
        Refusal { protection: None, reason: format!("failed to launch: {error}") }
    }
}

/// A refusal because of one protection.
pub(super) fn refused<'a, E: std::fmt::Display + 'a>(
    protection: &'static str,
    action: &'a str,
) -> impl FnOnce(E) -> Refusal + 'a {
    move |error| Refusal {
        protection: Some(protection),
        reason: format!("failed to {action}: {error}"),
    }
}

/// Entry of the launcher process. Standard input is the socket to the harness.
pub(crate) fn launch() -> ! {
    let Ok(control) = fd::duplicate(0) else { call::exit_now(2) };
    let control = in_one_thread(control);
    if let Err(refusal) = become_sandbox(&control) {
        let protection = refusal.protection.map(str::to_owned);
        let reply = Reply::Failed { protection, reason: refusal.reason };
        // With the socket gone there is nobody left to tell.
        let _ = wire::send(control.as_fd(), &reply, &[]);
        call::exit_now(1);
    }
    call::exit_now(0)
}

/// Goes on in a process with one thread, which alone may enter a user namespace. A test harness
/// runs us beside its own idle thread; then a fork, which has only the calling thread, goes on.
fn in_one_thread(control: OwnedFd) -> OwnedFd {
    let alone = std::fs::read_dir("/proc/self/task").is_ok_and(|tasks| tasks.count() == 1);
    if alone {
        return control;
    }
    match call::fork() {
        Ok(0) => control,
        Ok(child) => {
            // Only the child may hold the socket. If this process is killed, the child's end is
            // announced to it by the kernel.
            let _ = call::close_range(0, u32::MAX);
            call::wait(child, 0);
            call::exit_now(0)
        }
        Err(_) => call::exit_now(2),
    }
}

/// Returns in the waiting launcher when the sandbox is over.
fn become_sandbox(control: &OwnedFd) -> Result<(), Refusal> {
    detach_from_harness(control)?;
    let Some((Setup { policy }, fds)) = wire::receive::<Setup>(control.as_fd())? else {
        return Ok(());
    };
    let environment = std::env::vars_os()
        .map(|(name, _)| name.to_string_lossy().into_owned())
        .filter(|name| name != MARKER)
        .collect();
    let mut built = Built { environment, ..Built::default() };
    let host = |(path, error): mounts::Failure| Refusal {
        protection: None,
        reason: format!("failed to use host path: {error}: {}", path.display()),
    };
    let mut sources = mounts::Sources::open(&policy).map_err(host)?;
    ids::become_ordinary()?;
    call::prctl(libc::PR_SET_PDEATHSIG, u64::from(libc::SIGKILL.cast_unsigned()))?;
    enter_namespaces(&mut built)?;
    let mount = |(path, error): mounts::Failure| Refusal {
        protection: Some("mount-namespace"),
        reason: format!("failed to bind: {error}: {}", path.display()),
    };
    sources.clone_trees().map_err(mount)?;
    let first = call::fork()?;
    if first == 0 {
        let ends = control.try_clone()?;
        let refusal = init::run(ends, fds, &policy, sources, built);
        return Err(refusal);
    }
    // Only the first process may hold the sockets: their end is how both sides learn of death.
    drop((fds, sources, policy));
    call::prctl(libc::PR_SET_DUMPABLE, 0)?;
    call::close_range(0, u32::MAX)?;
    call::wait(first, 0);
    Ok(())
}

/// Closes what a careless parent left open and points the standard streams nowhere.
fn detach_from_harness(control: &OwnedFd) -> io::Result<()> {
    let nowhere = std::fs::File::options().read(true).write(true).open("/dev/null")?;
    for stream in 0..3 {
        fd::duplicate_to(nowhere.as_fd(), stream)?;
    }
    drop(nowhere);
    let kept = u32::try_from(control.as_raw_fd()).expect("not negative");
    if kept > 3 {
        call::close_range(3, kept - 1)?;
    }
    call::close_range(kept + 1, u32::MAX)
}

fn enter_namespaces(built: &mut Built) -> Result<(), Refusal> {
    let (user, group) = (ids::user(), ids::group());
    call::unshare(libc::CLONE_NEWUSER)
        .map_err(refused("user-namespace", "create a user namespace"))?;
    ids::write_maps(user, group).map_err(refused("user-namespace", "map the user"))?;
    call::unshare(libc::CLONE_NEWNS)
        .map_err(refused("mount-namespace", "create a mount namespace"))?;
    call::unshare(libc::CLONE_NEWPID)
        .map_err(refused("pid-namespace", "create a pid namespace"))?;
    let optional = |flag| call::unshare(flag).err().map(|error| error.to_string());
    built.network = optional(libc::CLONE_NEWNET);
    built.ipc = optional(libc::CLONE_NEWIPC);
    built.uts = optional(libc::CLONE_NEWUTS);
    // Hides the harness's control groups; no protection of its own.
    let _ = call::unshare(libc::CLONE_NEWCGROUP);
    Ok(())
}
