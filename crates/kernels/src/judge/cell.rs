//! The sandbox in which kernels run: no file, no network, no other process, and nothing to find.

use std::collections::BTreeMap;

use sandbox::outcome::Status;
use sandbox::policy::Calls;
use sandbox::{Ending, EventKind, Launcher, Outcome, Policy, Sandbox};

use super::worker::Fault;
use crate::Error;
use crate::evaluation::{Reason, Rejection};

/// Most scratch memory of a kernel.
pub(super) const MOST_SCRATCH_BYTES: u64 = 512 << 20;

/// Room for the program itself, its stack, and the C library.
const PROGRAM_BYTES: u64 = 512 << 20;

/// Room for one thread's stack and what the C library sets aside for it.
const THREAD_BYTES: u64 = 160 << 20;

/// Threads above those allowed that may come to be, so that they are counted.
const SPARE_THREADS: u64 = 8;

/// How often idle threads of OpenMP look for work before they sleep: some tens of microseconds, for
/// the gaps between parallel parts of a kernel. The library's own choice, milliseconds, would leave
/// threads spinning in the way of others when they are thawed for the next call.
pub(super) const SPIN_COUNT: &str = "2000";

/// Calls by which a process would be started.
const STARTING: [&str; 6] = ["fork", "vfork", "clone", "clone3", "execve", "execveat"];

/// A running sandbox for one worker after another.
#[derive(Debug)]
pub(super) struct Cell {
    pub(super) sandbox: Sandbox,
}

impl Cell {
    /// Opens one for kernels with this much memory in common and so many threads.
    pub(super) fn open(
        launcher: &Launcher,
        shared_bytes: u64,
        n_threads: usize,
    ) -> Result<Cell, Error> {
        let env = [
            ("OMP_NUM_THREADS".to_owned(), n_threads.to_string()),
            ("GOMP_SPINCOUNT".to_owned(), SPIN_COUNT.to_owned()),
        ];
        let mut policy = Policy::system(BTreeMap::from(env));
        policy.host_name = "cell".to_owned();
        policy.read_only.clear();
        policy.folders.clear();
        policy.cwd = "/".into();
        policy.calls = Calls::Computation;
        let threads = n_threads as u64 + SPARE_THREADS;
        policy.limits.n_processes = threads;
        policy.limits.address_space_bytes =
            shared_bytes + MOST_SCRATCH_BYTES + PROGRAM_BYTES + threads * THREAD_BYTES;
        policy.limits.cpu_secs = 24 * 3600;
        policy.limits.file_bytes = 0;
        policy.limits.output_bytes = 16 << 10;
        Ok(Cell { sandbox: Sandbox::start(policy, launcher)? })
    }

    /// Names of the protections in force.
    pub(super) fn isolation(&self) -> Vec<String> {
        let protections = &self.sandbox.enforced().protections;
        let enforced =
            protections.iter().filter(|(_, status)| matches!(status, Status::Enforced(_)));
        enforced.map(|(protection, _)| protection.name().to_owned()).collect()
    }

    /// What a worker's end says about it, if it speaks against it.
    pub(super) fn explain(&mut self, fault: Option<Fault>, outcome: &Outcome) -> Option<Rejection> {
        let reject = |reason, detail: String| Some(Rejection { reason, detail });
        // What it tried says more than how it ended.
        let events = self.sandbox.take_events();
        let denied = events.iter().find_map(|event| match &event.kind {
            EventKind::Denied { call, .. } => Some(call.as_str()),
            _ => None,
        });
        if let Some(call) = denied {
            let reason = if STARTING.contains(&call) { Reason::Process } else { Reason::System };
            return reject(reason, format!("it tried the system call `{call}`"));
        }
        match fault? {
            Fault::Slow(limit) => {
                reject(Reason::Timeout, format!("a call took longer than {limit:?}"))
            }
            Fault::Setup(3) => reject(
                Reason::Memory,
                format!("its scratch memory is not within 0 to {MOST_SCRATCH_BYTES} bytes"),
            ),
            Fault::Setup(status) => {
                reject(Reason::Memory, format!("its buffers could not be mapped (status {status})"))
            }
            Fault::Ended => Some(ended(outcome)),
        }
    }
}

fn ended(outcome: &Outcome) -> Rejection {
    let errors = String::from_utf8_lossy(&outcome.stderr);
    let first = errors.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    let first: String = first.chars().take(120).collect();
    let (reason, detail) = match outcome.ending {
        _ if first.contains("Thread creation failed") => {
            (Reason::Budget, "it wanted more threads than there may be".to_owned())
        }
        _ if first.contains("Cannot allocate memory") => {
            (Reason::Memory, "it does not fit into the memory it may use".to_owned())
        }
        Ending::Signaled { signal } => (Reason::Crash, format!("{} ended it", signal_name(signal))),
        Ending::Exited { code } => {
            (Reason::Crash, format!("it ended by itself with code {code}: {first}"))
        }
        _ => (Reason::Crash, "it ended".to_owned()),
    };
    Rejection { reason, detail }
}

fn signal_name(signal: i32) -> String {
    let name = match signal {
        libc::SIGSEGV => "SIGSEGV (an address that is not its own, or an input written)",
        libc::SIGBUS => "SIGBUS",
        libc::SIGILL => "SIGILL (an instruction that does not exist, or a trap)",
        libc::SIGFPE => "SIGFPE (an integer division)",
        libc::SIGABRT => "SIGABRT",
        libc::SIGKILL => "SIGKILL",
        libc::SIGXCPU => "SIGXCPU",
        other => return format!("signal {other}"),
    };
    name.to_owned()
}
