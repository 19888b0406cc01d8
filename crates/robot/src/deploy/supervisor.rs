//! Starts the processes, and replaces those that die or fall silent.

use std::fmt;
use std::process::{Child, Command, ExitStatus};
use std::time::Duration;

use super::{Role, Wires};
use crate::clock::{Clock, Monotonic};
use crate::linux;
use crate::{Error, Result};

/// How long a process may be silent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// Until its first sign of life: it may have weights to load.
    pub start: Duration,
    /// From one sign of life to the next.
    pub silence: Duration,
}

/// A process of a deployment.
pub struct Part {
    /// Which.
    pub role: Role,
    /// How it is started. It finds its exchanges by [`Wires::inherited`].
    pub command: Box<dyn Fn() -> Command + Send>,
    /// How long it may be silent.
    pub patience: Patience,
}

impl fmt::Debug for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Part").field("role", &self.role).finish_non_exhaustive()
    }
}

/// Something that happened to a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Happening {
    /// When, on the monotonic clock, in nanoseconds.
    pub at: u64,
    /// To which.
    pub role: Role,
    /// What.
    pub what: What,
}

/// What can happen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// It was started.
    Started {
        /// Its number.
        pid: u32,
        /// How often it was started before.
        n_before: u32,
    },
    /// It gave its first sign of life, so long after it was started.
    Alive {
        /// Nanoseconds.
        after: u64,
    },
    /// It ended, by itself or by a signal.
    Ended {
        /// How.
        status: ExitStatus,
    },
    /// It was silent for so long, and was killed.
    Silent {
        /// Nanoseconds.
        nanos: u64,
    },
    /// It could not be started; it is tried again.
    Failed {
        /// Why.
        reason: String,
    },
}

/// As in `s1.0 ended: signal: 9 (SIGKILL)`.
impl fmt::Display for Happening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = |nanos: u64| nanos as f64 / 1e6;
        write!(f, "{} ", self.role)?;
        match &self.what {
            What::Started { pid, n_before } => {
                write!(f, "started as process {pid}, {n_before} times before")
            }
            What::Alive { after } => write!(f, "alive after {:.1} ms", millis(*after)),
            What::Ended { status } => write!(f, "ended: {status}"),
            What::Silent { nanos } => write!(f, "silent for {:.1} ms, killed", millis(*nanos)),
            What::Failed { reason } => write!(f, "not started: {reason}"),
        }
    }
}

#[derive(Debug)]
struct Process {
    part: Part,
    child: Option<Child>,
    n_started: u32,
    started_at: u64,
    n_pulses: u64,
    heard_at: u64,
    heard: bool,
    restart_at: u64,
    pause: u64,
}

/// A process that lived longer than this is replaced at once.
const SHORT_LIFE: u64 = 300_000_000;
/// Pauses before one that did not is: from the first, doubled each time, to the last.
const PAUSES: [u64; 2] = [10_000_000, 2_000_000_000];

/// Looks after processes. They are killed when it is dropped, or its thread ends.
#[derive(Debug)]
pub struct Supervisor {
    wires: Wires,
    processes: Vec<Process>,
    happenings: Vec<Happening>,
}

impl Supervisor {
    /// Of these processes, none of them started yet.
    #[must_use]
    pub fn new(wires: Wires, parts: Vec<Part>) -> Supervisor {
        let process = |part| Process {
            part,
            child: None,
            n_started: 0,
            started_at: 0,
            n_pulses: 0,
            heard_at: 0,
            heard: false,
            restart_at: 0,
            pause: 0,
        };
        let processes = parts.into_iter().map(process).collect();
        Supervisor { wires, processes, happenings: Vec::new() }
    }

    /// The exchanges.
    #[must_use]
    pub fn wires(&self) -> &Wires {
        &self.wires
    }

    /// The processes' roles, in order.
    pub fn roles(&self) -> impl Iterator<Item = Role> + '_ {
        self.processes.iter().map(|process| process.part.role)
    }

    /// Looks at every process once: starts those that are to be started, kills those that are silent,
    /// notices those that ended. Call it every few milliseconds.
    ///
    /// # Errors
    /// When a process cannot be waited for.
    pub fn look(&mut self) -> Result<()> {
        let halted = self.wires.is_halted();
        for process in &mut self.processes {
            process.look(&self.wires, &mut self.happenings, halted)?;
        }
        Ok(())
    }

    /// Looks again and again for some time.
    ///
    /// # Errors
    /// As [`Supervisor::look`].
    pub fn look_for(&mut self, duration: Duration) -> Result<()> {
        let end = Monotonic.now() + u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        while Monotonic.now() < end {
            self.look()?;
            Monotonic.sleep_until(end.min(Monotonic.now() + 2_000_000));
        }
        Ok(())
    }

    /// Takes what happened since the last time, oldest first.
    pub fn happenings(&mut self) -> Vec<Happening> {
        std::mem::take(&mut self.happenings)
    }

    /// Whether a process has given a sign of life since it was last started.
    #[must_use]
    pub fn is_alive(&self, role: Role) -> bool {
        let mut of_role = self.processes.iter().filter(|process| process.part.role == role);
        of_role.any(|process| process.child.is_some() && process.heard)
    }

    /// Sends a signal to a process, if it lives. For fault injection.
    pub(super) fn signal(&self, role: Role, signal: libc::c_int) -> bool {
        let of_role = self.processes.iter().filter(|process| process.part.role == role);
        let children = of_role.filter_map(|process| process.child.as_ref());
        children.map(|child| linux::child::signal(child, signal)).count() > 0
    }

    /// Ends all processes: those that have not ended by themselves after `patience` are killed. Says
    /// whether all ended by themselves.
    ///
    /// # Errors
    /// When a process cannot be waited for.
    pub fn end(&mut self, patience: Duration) -> Result<bool> {
        self.wires.halt();
        let end = Monotonic.now() + u64::try_from(patience.as_nanos()).unwrap_or(u64::MAX);
        while Monotonic.now() < end && self.processes.iter().any(|process| process.child.is_some())
        {
            self.look()?;
            Monotonic.sleep_until(Monotonic.now() + 2_000_000);
        }
        Ok(self.processes.iter().all(|process| process.child.is_none()))
    }
}

impl Process {
    fn look(&mut self, wires: &Wires, happenings: &mut Vec<Happening>, halted: bool) -> Result<()> {
        let now = Monotonic.now();
        let role = self.part.role;
        let mut tell = |what| happenings.push(Happening { at: now, role, what });
        let Some(child) = &mut self.child else {
            if !halted && now >= self.restart_at {
                match self.start(wires, now) {
                    Ok(pid) => tell(What::Started { pid, n_before: self.n_started - 1 }),
                    Err(error) => {
                        self.rest(now);
                        tell(What::Failed { reason: error.to_string() });
                    }
                }
            }
            return Ok(());
        };
        let waited = child.try_wait();
        if let Some(status) =
            waited.map_err(|source| Error::kernel("wait for a process", source))?
        {
            self.child = None;
            if now - self.started_at > SHORT_LIFE {
                (self.pause, self.restart_at) = (0, now);
            } else {
                self.rest(now);
            }
            tell(What::Ended { status });
            return Ok(());
        }
        let n_pulses = wires.n_pulses(role)?;
        let patience =
            if self.heard { self.part.patience.silence } else { self.part.patience.start };
        let silent = now - self.heard_at;
        if n_pulses != self.n_pulses {
            if !self.heard {
                tell(What::Alive { after: now - self.started_at });
            }
            (self.n_pulses, self.heard_at, self.heard) = (n_pulses, now, true);
        } else if u128::from(silent) > patience.as_nanos() {
            linux::child::signal(child, libc::SIGKILL);
            tell(What::Silent { nanos: silent });
            // It is noticed as ended next time; until then it is not to be killed again.
            self.heard_at = now;
        }
        Ok(())
    }

    /// Waits longer each time.
    fn rest(&mut self, now: u64) {
        let [first, last] = PAUSES;
        self.pause = (self.pause * 2).clamp(first, last);
        self.restart_at = now + self.pause;
    }

    fn start(&mut self, wires: &Wires, now: u64) -> Result<u32> {
        let mut command = (self.part.command)();
        wires.hand_to(&mut command);
        let program = command.get_program().to_string_lossy().into_owned();
        let failed = |source| Error::kernel(format!("start `{program}`"), source);
        let child = command.spawn().map_err(failed)?;
        let pid = child.id();
        self.child = Some(child);
        self.n_started += 1;
        (self.started_at, self.heard_at, self.heard) = (now, now, false);
        self.n_pulses = wires.n_pulses(self.part.role)?;
        Ok(pid)
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        for child in self.processes.iter_mut().filter_map(|process| process.child.as_mut()) {
            // One that has ended cannot be killed, and is waited for all the same.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deploy::Shape;

    fn supervisor(program: &'static str, silence_millis: u64) -> Supervisor {
        let wires = Wires::create(Shape { n_robots: 1, frame_bytes: 8, latent_width: 4 });
        let patience = Patience {
            start: Duration::from_millis(silence_millis),
            silence: Duration::from_millis(silence_millis),
        };
        let command = move || {
            let mut command = Command::new(program);
            command.arg("60");
            command
        };
        let part = Part { role: Role::S1(0), command: Box::new(command), patience };
        Supervisor::new(wires.expect("wires"), vec![part])
    }

    /// What happens until something of a kind has, as text.
    fn until(supervisor: &mut Supervisor, what: fn(&What) -> bool) -> Vec<String> {
        let mut all = Vec::new();
        loop {
            supervisor.look_for(Duration::from_millis(4)).expect("looked");
            for happening in supervisor.happenings() {
                all.push(happening.to_string());
                if what(&happening.what) {
                    return all;
                }
            }
        }
    }

    #[test]
    fn a_silent_process_is_killed_and_replaced() {
        let mut supervisor = supervisor("sleep", 30);
        let begun = until(&mut supervisor, |what| matches!(what, What::Ended { .. }));
        assert!(begun[0].starts_with("s1.0 started as process"), "{begun:?}");
        assert!(begun[1].starts_with("s1.0 silent for"), "{begun:?}");
        assert_eq!(begun[2], "s1.0 ended: signal: 9 (SIGKILL)");
        let again = until(&mut supervisor, |what| matches!(what, What::Started { .. }));
        assert!(again[0].ends_with(", 1 times before"), "{again:?}");
        assert!(!supervisor.is_alive(Role::S1(0)));
    }

    #[test]
    fn a_program_that_is_not_there_is_reported_and_tried_again() {
        let mut supervisor = supervisor("/no/such/program", 1000);
        let failed = |what: &What| matches!(what, What::Failed { .. });
        for _ in 0..2 {
            let text = until(&mut supervisor, failed).join("; ");
            assert!(text.contains("failed to start `/no/such/program`"), "{text}");
        }
    }
}
