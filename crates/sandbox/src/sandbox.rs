//! The sandbox as its user sees it.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::drive::{self, Drive, Driven, Killed, Pipes};
use crate::error::Error;
use crate::event::{Event, Manifest};
use crate::launcher::{Launcher, MARKER};
use crate::linux::fd;
use crate::linux::process::Process;
use crate::linux::supervisor::{Parts, Supervisor};
use crate::linux::wire::{self, Built, ProbeReport, Reply, Request, Run, Setup};
use crate::observe;
use crate::outcome::{Command, Ending, Enforced, Outcome, Status};
use crate::policy::{Calls, Policy, Protection, Watch};

/// How long the self-observation may take.
const PROBE: Duration = Duration::from_secs(30);

/// How long processes may take to end after the command that started them.
const DYING: Duration = Duration::from_millis(300);

/// More than any self-observation says.
const REPORT_BYTES: usize = 1 << 20;

/// Whether a supervisor records what programs do. Off only to measure what recording costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Evidence {
    /// Record.
    On,
    /// Only confine: no seccomp notification, no file watch.
    Off,
}

/// A running sandbox. Stopped, with everything in it, when dropped.
#[derive(Debug)]
pub struct Sandbox {
    policy: Policy,
    launcher: Child,
    /// `None` once stopped.
    control: Option<OwnedFd>,
    supervisor: Supervisor,
    cancel: Arc<OwnedFd>,
    leftovers: Vec<OwnedFd>,
    notify: bool,
    enforced: Enforced,
}

/// Cancels the running command of a [`Sandbox`] from another thread.
#[derive(Debug, Clone)]
pub struct Canceller(Arc<OwnedFd>);

impl Canceller {
    /// Kills the running command's tree; it ends as [`Ending::Cancelled`]. Later commands of the
    /// same sandbox are cancelled at once.
    pub fn cancel(&self) {
        fd::wake(self.0.as_fd());
    }
}

fn system(action: &'static str) -> impl FnOnce(std::io::Error) -> Error {
    move |source| Error::System { action, source }
}

impl Sandbox {
    /// Builds the sandbox and proves its protections before anything may run in it.
    pub fn start(policy: Policy, launcher: &Launcher) -> Result<Sandbox, Error> {
        Self::start_with(policy, launcher, Evidence::On)
    }

    /// [`Sandbox::start`], with the choice to record nothing. Then the protections that record
    /// are not required.
    pub fn start_with(
        mut policy: Policy,
        launcher: &Launcher,
        evidence: Evidence,
    ) -> Result<Sandbox, Error> {
        policy.check()?;
        let watch = std::mem::take(&mut policy.watch);
        let (control, launcher_end) = fd::socket_pair().map_err(system("make a socket"))?;
        let (assistance, assistance_end) = fd::socket_pair().map_err(system("make a socket"))?;
        let (announcements, announcements_end) =
            fd::socket_pair().map_err(system("make a socket"))?;
        let child = spawn(launcher, launcher_end)?;
        let mut guard = Guard(Some(child));
        let setup = Setup { policy: policy.clone() };
        let ends = [assistance_end.as_fd(), announcements_end.as_fd()];
        wire::send(control.as_fd(), &setup, &ends).map_err(system("reach the launcher"))?;
        drop((assistance_end, announcements_end));
        let (built, [root, proc, namespace]) = await_ready(&control)?;
        let parts = Parts { root, proc, namespace, assistance, announcements };
        let record = evidence == Evidence::On;
        let supervisor = Supervisor::start(parts, &policy, watch, record)?;
        let mut sandbox = Sandbox {
            policy,
            launcher: guard.0.take().expect("taken once"),
            control: Some(control),
            supervisor,
            cancel: Arc::new(fd::event_counter().map_err(system("make a counter"))?),
            leftovers: Vec::new(),
            notify: record,
            enforced: Enforced { protections: Vec::new(), backend: "native".to_owned() },
        };
        sandbox.prove(&built, evidence)?;
        Ok(sandbox)
    }

    /// What is really in force, as observed from inside.
    #[must_use]
    pub fn enforced(&self) -> &Enforced {
        &self.enforced
    }

    /// A handle that cancels commands from another thread.
    #[must_use]
    pub fn canceller(&self) -> Canceller {
        Canceller(Arc::clone(&self.cancel))
    }

    /// Runs one command to its end. What it leaves running goes on until the sandbox stops.
    pub fn run(&mut self, command: &Command) -> Result<Outcome, Error> {
        if command.argv.is_empty() {
            return Err(Error::Policy("a command needs a program".to_owned()));
        }
        let limits = &self.policy.limits;
        let wall = command.wall.map_or(limits.wall, |wall| wall.min(limits.wall));
        let run = Run {
            argv: command.argv.clone(),
            cwd: command.cwd.clone().unwrap_or_else(|| self.policy.cwd.clone()),
            notify: self.notify,
            program: false,
        };
        self.supervisor.begin_command()?;
        let limit = self.policy.limits.output_bytes;
        let driven = self.drive(&Request::Run(run), &command.stdin, wall, limit, &mut |_| false);
        self.conclude(driven)
    }

    /// Looks at what a command left.
    fn conclude(&mut self, driven: Result<Driven, Error>) -> Result<Outcome, Error> {
        let mut ended = self.supervisor.end_command()?;
        let asked = Instant::now();
        // What was about to end when the command did is nothing that was left running.
        while !ended.background.is_empty() && asked.elapsed() < DYING {
            std::thread::sleep(DYING / 20);
            ended.background = self.supervisor.processes()?;
        }
        let driven = driven?;
        if driven.killed == Some(Killed::Wall) {
            self.supervisor.note_limit("wall")?;
        }
        let [stdout, stderr] = driven.outputs;
        self.leftovers.extend(driven.left);
        Ok(Outcome {
            ending: ending(driven.status, driven.killed, ended.memory_limit),
            stdout: stdout.kept,
            stderr: stderr.kept,
            dropped_bytes: stdout.dropped + stderr.dropped,
            wall: driven.wall,
            background: ended.background,
        })
    }

    /// Starts a program and returns at once: the caller watches it, stops it, lets it go on.
    ///
    /// Its end has to be asked for by [`Running::finish`]. A program that only computes
    /// ([`Calls::Computation`]) is one process, so its address space is its limit; the watchdog,
    /// which would disturb what is timed, then rests.
    pub fn begin(&mut self, job: &Job<'_>) -> Result<Running<'_>, Error> {
        let run = Run {
            argv: job.argv.clone(),
            cwd: self.policy.cwd.clone(),
            notify: self.notify,
            program: true,
        };
        if self.policy.calls == Calls::Programs {
            self.supervisor.begin_command()?;
        }
        let control = self.control.as_ref().expect("open until the sandbox ends").as_fd();
        let mut fds = vec![job.program];
        fds.extend_from_slice(&job.fds);
        let pipes = Pipes::ask(control, &Request::Run(run), &fds)?;
        let process = drive::await_start(control)?;
        let process = Process::of(process).map_err(system("look at a process"))?;
        Ok(Running { sandbox: self, pipes: Some(pipes), process })
    }

    /// Everything seen since the last call, in order, file changes flushed.
    pub fn take_events(&mut self) -> Vec<Event> {
        // A supervisor that is gone has nothing more to tell; `run` reports that it is gone.
        self.supervisor.take_events().unwrap_or_default()
    }

    /// All paths in the private folders, absolute, and their state.
    pub fn manifest(&mut self) -> Result<Manifest, Error> {
        self.supervisor.manifest()
    }

    /// The first `limit_bytes` of a regular file in a private folder; `None` when there is none.
    /// Links are never followed out of the sandbox.
    pub fn read(&self, path: &str, limit_bytes: usize) -> Result<Option<Vec<u8>>, Error> {
        self.supervisor.read(path, limit_bytes)
    }

    /// Ends every process inside.
    pub fn stop(mut self) -> Result<(), Error> {
        self.end()
    }

    fn end(&mut self) -> Result<(), Error> {
        // The first process ends when the socket closes, and the kernel kills the rest with it.
        if self.control.take().is_none() {
            return Ok(());
        }
        self.supervisor.stop();
        self.launcher.wait().map(drop).map_err(system("wait for the launcher"))
    }

    fn drive(
        &mut self,
        request: &Request,
        stdin: &[u8],
        wall: Duration,
        output_bytes: usize,
        enough: &mut dyn FnMut(&[u8]) -> bool,
    ) -> Result<Driven, Error> {
        let control = self.control.as_ref().expect("open until the sandbox ends");
        let drive = Drive {
            control: control.as_fd(),
            cancel: self.cancel.as_fd(),
            stdin,
            wall,
            output_bytes,
            leftovers: &mut self.leftovers,
            enough,
        };
        drive.run(request)
    }

    /// Lets a process inside look at its confinement and compares with what was asked.
    fn prove(&mut self, built: &Built, evidence: Evidence) -> Result<(), Error> {
        let mut attempt = self.attempt_probe()?;
        if attempt.report.is_none() && self.notify {
            // The filter could not be installed with a listener: without, nothing is recorded.
            self.notify = false;
            attempt = self.attempt_probe()?;
        }
        let Some(report) = attempt.report else {
            let reason = format!("failed to confine a process: {}", attempt.stderr.trim());
            let protection = Protection::SeccompAllowList.name();
            return Err(Error::ProtectionMissing { protection, reason });
        };
        let seen = observe::Seen {
            report,
            built,
            policy: &self.policy,
            events: attempt.events,
            notify: self.notify,
            resident_bytes: attempt.resident_bytes,
            killed: attempt.killed,
            recording: evidence == Evidence::On,
        };
        self.enforced.protections = observe::judge(&seen);
        let recorders =
            [Protection::SeccompNotify, Protection::FileWatch, Protection::MemoryWatchdog];
        for (protection, status) in &self.enforced.protections {
            let excused = evidence == Evidence::Off && recorders.contains(protection);
            if let Status::Missing(reason) = status
                && !excused
                && self.policy.required.contains(protection)
            {
                let (protection, reason) = (protection.name(), reason.clone());
                return Err(Error::ProtectionMissing { protection, reason });
            }
        }
        Ok(())
    }

    fn attempt_probe(&mut self) -> Result<Attempt, Error> {
        let mut resident_bytes = None;
        let supervisor = self.supervisor.handle();
        let request = Request::Probe { notify: self.notify };
        let driven = self.drive(&request, &[], PROBE, REPORT_BYTES, &mut |output| {
            let complete = output.ends_with(b"\n");
            if complete {
                resident_bytes = supervisor.resident_bytes();
            }
            complete
        })?;
        let report = serde_json::from_slice::<ProbeReport>(&driven.outputs[0].kept).ok();
        Ok(Attempt {
            report,
            stderr: String::from_utf8_lossy(&driven.outputs[1].kept).into_owned(),
            events: self.supervisor.take_probe_events()?,
            resident_bytes,
            killed: ExitStatus::from_raw(driven.status).signal() == Some(libc::SIGKILL),
        })
    }
}

/// A program to start and watch.
#[derive(Debug)]
pub struct Job<'a> {
    /// The program, in a file that nobody can write any more; see
    /// [`shared::program`](crate::shared::program).
    pub program: BorrowedFd<'a>,
    /// Its arguments, from its name on.
    pub argv: Vec<String>,
    /// What it finds as descriptors 3 and up; at most 8.
    pub fds: Vec<BorrowedFd<'a>>,
}

/// A program that runs while its caller watches. Killed when dropped.
#[derive(Debug)]
pub struct Running<'a> {
    sandbox: &'a mut Sandbox,
    /// `None` once finished.
    pipes: Option<Pipes>,
    process: Process,
}

impl Running<'_> {
    /// Its process, to be stopped and looked at.
    #[must_use]
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// Waits for its end, and kills it when it has not come by then.
    pub fn finish(mut self, wall: Duration) -> Result<Outcome, Error> {
        self.end(wall)
    }

    fn end(&mut self, wall: Duration) -> Result<Outcome, Error> {
        let pipes = self.pipes.take().expect("finished once");
        // What is stopped cannot end.
        let _ = self.process.resume();
        let sandbox = &mut *self.sandbox;
        let drive = Drive {
            control: sandbox.control.as_ref().expect("open until the sandbox ends").as_fd(),
            cancel: sandbox.cancel.as_fd(),
            stdin: &[],
            wall,
            output_bytes: sandbox.policy.limits.output_bytes,
            leftovers: &mut sandbox.leftovers,
            enough: &mut |_| false,
        };
        let driven = drive.follow(pipes);
        sandbox.conclude(driven)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if self.pipes.is_some() {
            // A failure shows at the sandbox's next command.
            let _ = self.end(Duration::ZERO);
        }
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        // Nothing can be done about a failure here; `stop` reports it.
        let _ = self.end();
    }
}

/// What one self-observation gave.
struct Attempt {
    report: Option<ProbeReport>,
    stderr: String,
    events: Vec<Event>,
    resident_bytes: Option<u64>,
    killed: bool,
}

/// Kills and reaps a launcher whose sandbox did not come to be.
struct Guard(Option<Child>);

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn spawn(launcher: &Launcher, socket: OwnedFd) -> Result<Child, Error> {
    std::process::Command::new(&launcher.program)
        .args(&launcher.args)
        .env_clear()
        .env(MARKER, "1")
        .current_dir("/")
        .stdin(Stdio::from(socket))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(system("start the launcher"))
}

fn await_ready(control: &OwnedFd) -> Result<(Built, [OwnedFd; 3]), Error> {
    match wire::receive::<Reply>(control.as_fd()) {
        Ok(Some((Reply::Ready(built), fds))) => {
            let fds = fds.try_into();
            let fds = fds.map_err(|_| Error::Broken("its folders did not arrive".to_owned()))?;
            Ok((built, fds))
        }
        Ok(Some((Reply::Failed { protection, reason }, _))) => {
            let protection = protection.and_then(|name| {
                Protection::ALL.into_iter().find(|candidate| candidate.name() == name)
            });
            Err(match protection {
                Some(protection) => {
                    Error::ProtectionMissing { protection: protection.name(), reason }
                }
                None => Error::Broken(reason),
            })
        }
        Ok(Some(_)) => Err(Error::Broken("its launcher talks nonsense".to_owned())),
        Ok(None) => Err(Error::Broken("its launcher ended without a word".to_owned())),
        Err(source) => Err(Error::System { action: "hear from the launcher", source }),
    }
}

fn ending(status: i32, killed: Option<Killed>, memory_limit: bool) -> Ending {
    let status = ExitStatus::from_raw(status);
    match (killed, status.signal()) {
        (Some(Killed::Wall), _) => Ending::WallLimit,
        (Some(Killed::Cancelled), _) => Ending::Cancelled,
        (None, Some(_)) if memory_limit => Ending::MemoryLimit,
        (None, Some(signal)) => Ending::Signaled { signal },
        (None, None) => Ending::Exited { code: status.code().unwrap_or(-1) },
    }
}

/// What this machine gives, found by trying every protection.
#[must_use]
pub fn probe(launcher: &Launcher) -> Vec<(Protection, Status)> {
    let mut policy = Policy::system([].into());
    policy.required.clear();
    policy.watch = Watch::default();
    match Sandbox::start(policy, launcher) {
        Ok(sandbox) => sandbox.enforced().protections.clone(),
        Err(error) => {
            let reason = error.to_string();
            Protection::ALL.map(|each| (each, Status::Missing(reason.clone()))).to_vec()
        }
    }
}
