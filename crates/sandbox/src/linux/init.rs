//! The sandbox's first process: builds it from inside, starts commands, reaps everything.
//!
//! It runs under no system call filter and outlives every command, so it must be out of reach of
//! them: it is not dumpable (no `/proc/1/mem`, no `/proc/1/fd`), the kernel shields pid 1 from
//! signals, and its memory holds nothing but the policy.
#![expect(unsafe_code, reason = "overwrites its own arguments")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;

use super::launcher::{Refusal, refused};
use super::wire::{self, Assist, Assisted, Built, Reply, Request, Run};
use super::{call, child, fd, ids, inotify, landlock, mounts, procfs};
use crate::policy::{Network, Policy};

struct Init {
    policy: Policy,
    control: OwnedFd,
    assistance: OwnedFd,
    announcements: OwnedFd,
    /// The running command's process.
    main: Option<i32>,
    /// Processes that were there before the running command: pid to session.
    before: BTreeMap<i32, i32>,
}

/// Never returns once the sandbox stands.
pub(super) fn run(
    control: OwnedFd,
    fds: Vec<OwnedFd>,
    policy: &Policy,
    sources: mounts::Sources,
    built: Built,
) -> Refusal {
    match prepare(control, fds, policy.clone(), sources, built) {
        Ok(init) => init.serve(),
        Err(refusal) => refusal,
    }
}

fn prepare(
    control: OwnedFd,
    fds: Vec<OwnedFd>,
    policy: Policy,
    sources: mounts::Sources,
    mut built: Built,
) -> Result<Init, Refusal> {
    call::prctl(libc::PR_SET_PDEATHSIG, u64::from(libc::SIGKILL.cast_unsigned()))?;
    call::new_session()?;
    let [assistance, announcements] = <[OwnedFd; 2]>::try_from(fds)
        .map_err(|_| io::Error::other("the first message lacks its sockets"))?;
    mounts::build(&policy, sources).map_err(|(path, error)| Refusal {
        protection: Some(if path == Path::new("/proc") {
            "pid-namespace"
        } else {
            "mount-namespace"
        }),
        reason: format!("failed to build the root: {error}: {}", path.display()),
    })?;
    if built.uts.is_none() {
        built.uts = call::set_host_name(&policy.host_name).err().map(|error| error.to_string());
    }
    if built.network.is_none() && policy.network == Network::Loopback {
        call::loopback_up().map_err(refused("network-namespace", "bring up the loopback"))?;
    }
    restrain_user();
    rename();
    let namespace = File::open("/proc/self/ns/pid")?;
    ids::drop_most_capabilities().map_err(refused("user-namespace", "drop capabilities"))?;
    built.landlock = Some(landlock::restrict(&policy));
    call::prctl(libc::PR_SET_DUMPABLE, 0)?;
    let root = fd::open_at(control.as_fd(), Path::new("/"), libc::O_PATH | libc::O_DIRECTORY)?;
    let proc = File::open("/proc")?;
    let fds = [root.as_fd(), proc.as_fd(), namespace.as_fd()];
    wire::send(control.as_fd(), &Reply::Ready(built), &fds)?;
    let before = BTreeMap::new();
    Ok(Init { policy, control, assistance, announcements, main: None, before })
}

/// Limits of the user namespace itself. Best effort: the filter refuses namespaces anyway, and the
/// watch limits keep programs inside from using up those of the harness's user.
fn restrain_user() {
    for (name, value) in [
        ("max_user_namespaces", "0"),
        ("max_mnt_namespaces", "0"),
        ("max_net_namespaces", "0"),
        ("max_pid_namespaces", "0"),
        ("max_inotify_instances", "16"),
        ("max_inotify_watches", "4096"),
    ] {
        let _ = std::fs::write(Path::new("/proc/sys/user").join(name), value);
    }
}

/// Shows as plain `init`: the arguments of the harness's launcher are nobody's business inside.
fn rename() {
    let name = c"init";
    // SAFETY: the name is a C string.
    unsafe { libc::prctl(libc::PR_SET_NAME, name.as_ptr()) };
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let mut fields = after_name.split_whitespace();
    // Fields 48 and 49 of proc(5), counted from 1; the first one after the name is field 3.
    let (start, end) = (fields.nth(45), fields.next());
    let (Some(start), Some(end)) = (start, end) else { return };
    let (Ok(start), Ok(end)) = (start.parse::<usize>(), end.parse::<usize>()) else { return };
    if start == 0 || end <= start + name.count_bytes() {
        return;
    }
    // SAFETY: the kernel says that this process's arguments lie in [start, end) of its stack;
    // nothing reads them again after the launcher has looked at them.
    unsafe {
        let arguments = start as *mut u8;
        std::ptr::write_bytes(arguments, 0, end - start);
        std::ptr::copy_nonoverlapping(name.as_ptr().cast(), arguments, name.count_bytes());
    }
}

impl Init {
    fn serve(mut self) -> ! {
        let Ok(signals) = call::signal_descriptor(libc::SIGCHLD) else { call::exit_now(3) };
        loop {
            let mut fds = [
                fd::interest(signals.as_fd(), libc::POLLIN),
                fd::interest(self.control.as_fd(), libc::POLLIN),
                fd::interest(self.assistance.as_fd(), libc::POLLIN),
            ];
            let ready = fd::poll(&mut fds, None).and_then(|()| {
                if fds[0].revents != 0 {
                    let mut buffer = [0; 1024];
                    fd::read_now(signals.as_fd(), &mut buffer)?;
                    self.reap()?;
                }
                if fds[1].revents != 0 {
                    self.command()?;
                }
                if fds[2].revents != 0 {
                    self.assist()?;
                }
                Ok(())
            });
            if ready.is_err() {
                // The harness is gone or talks nonsense. The end of pid 1 ends everything.
                call::exit_now(4);
            }
        }
    }

    fn reap(&mut self) -> io::Result<()> {
        while let Some((pid, status)) = call::wait(-1, libc::WNOHANG) {
            if self.main == Some(pid) {
                self.main = None;
                wire::send(self.control.as_fd(), &Reply::Ended { status }, &[])?;
            }
        }
        Ok(())
    }

    fn command(&mut self) -> io::Result<()> {
        let Some((request, fds)) = wire::receive::<Request>(self.control.as_fd())? else {
            return Err(io::ErrorKind::UnexpectedEof.into());
        };
        match request {
            Request::Run(run) => self.start(fds, &run, false),
            Request::Probe { notify } => {
                let cwd = self.policy.cwd.clone();
                let run = Run { argv: Vec::new(), cwd, notify, program: false };
                self.start(fds, &run, true)
            }
            Request::Kill => {
                self.kill_command();
                Ok(())
            }
        }
    }

    /// Starts a command, or the self-observation in its place.
    fn start(&mut self, fds: Vec<OwnedFd>, run: &Run, observe: bool) -> io::Result<()> {
        if fds.len() < 3 {
            return Err(io::Error::other("a command lacks its streams"));
        }
        self.before = procfs::processes(Path::new("/proc"))
            .into_iter()
            .filter(|process| process.pid != 1)
            .map(|process| (process.pid, process.session))
            .collect();
        let pid = call::fork()?;
        if pid == 0 {
            let announcements = self.announcements.as_fd();
            if observe {
                child::observe(&self.policy, announcements, fds, run);
            }
            child::execute(&self.policy, announcements, fds, run);
        }
        self.main = Some(pid);
        // Not reaped yet, so the number is still its own.
        let process = call::pidfd(pid)?;
        wire::send(self.control.as_fd(), &Reply::Started { pid }, &[process.as_fd()])
    }

    /// Kills the running command and everything it started, also what left its session.
    ///
    /// Everything is first stopped at once, so that nothing can fork while the tree is looked at.
    /// What cannot be traced to an earlier command counts as this command's.
    fn kill_command(&self) {
        if self.before.is_empty() {
            call::kill(-1, libc::SIGKILL);
            return;
        }
        call::kill(-1, libc::SIGSTOP);
        let processes = procfs::processes(Path::new("/proc"));
        let parents: BTreeMap<i32, i32> =
            processes.iter().map(|process| (process.pid, process.parent)).collect();
        let sessions: BTreeSet<i32> = self.before.values().copied().collect();
        for process in processes.iter().filter(|process| process.pid != 1) {
            let mut at = process.pid;
            let mut earlier = sessions.contains(&process.session);
            while at > 1 && !earlier {
                earlier = self.before.contains_key(&at);
                at = parents.get(&at).copied().unwrap_or(0);
            }
            if !earlier {
                call::kill(process.pid, libc::SIGKILL);
            }
        }
        call::kill(-1, libc::SIGCONT);
    }

    fn assist(&self) -> io::Result<()> {
        let Some((request, fds)) = wire::receive::<Assist>(self.assistance.as_fd())? else {
            return Err(io::ErrorKind::UnexpectedEof.into());
        };
        let mut opened = None;
        let result = match (request, fds.as_slice()) {
            (Assist::KillAll, _) => {
                call::kill(-1, libc::SIGKILL);
                Ok(0)
            }
            (Assist::Open { folder }, [target]) => reopen(target, folder).map(|file| {
                opened = Some(file);
                0
            }),
            (Assist::Watch { mask }, [group, target]) => {
                inotify::add_watch(group.as_fd(), target.as_fd(), mask)
            }
            _ => Err(io::Error::from_raw_os_error(libc::EINVAL)),
        };
        let answer = match result {
            Ok(value) => Assisted { value, errno: 0 },
            Err(error) => Assisted { value: 0, errno: error.raw_os_error().unwrap_or(libc::EIO) },
        };
        let fds: Vec<_> = opened.iter().map(AsFd::as_fd).collect();
        wire::send(self.assistance.as_fd(), &answer, &fds)
    }
}

/// Opens for reading what an `O_PATH` descriptor refers to.
fn reopen(target: &OwnedFd, folder: bool) -> io::Result<OwnedFd> {
    let path = format!("/proc/self/fd/{}", target.as_raw_fd());
    let kind = if folder { libc::O_DIRECTORY } else { libc::O_NONBLOCK | libc::O_NOCTTY };
    fd::open_at(target.as_fd(), Path::new(&path), libc::O_RDONLY | kind)
}
