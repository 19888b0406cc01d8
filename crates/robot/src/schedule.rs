//! How the fast loop is scheduled: what is asked of the kernel, and what it granted.
//!
//! Nothing is refused in silence: every step that was not granted is in the report, with why.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::linux::schedule as kernel;

/// Share of the period that the fast loop's work may take, at its 99th percentile, under
/// `SCHED_FIFO`. Above it a machine of few processors starves: 70 % is the rule, and 5 % of the
/// period more is the spread of the measurement.
pub const MOST_FIFO_SHARE: f64 = 0.75;

/// Scheduling classes, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// `SCHED_DEADLINE`: a budget in each period, guaranteed and enforced.
    Deadline,
    /// `SCHED_FIFO`: before everything ordinary.
    Fifo,
    /// `SCHED_OTHER`: a share, like everybody.
    Other,
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Class::Deadline => "SCHED_DEADLINE",
            Class::Fifo => "SCHED_FIFO",
            Class::Other => "SCHED_OTHER",
        })
    }
}

/// What to ask for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScheduleConfig {
    /// The best class to try; the next ones are tried after it.
    pub class: Class,
    /// Nanoseconds from one tick to the next.
    pub period_nanos: u64,
    /// Nanoseconds of work that `SCHED_DEADLINE` is to promise in each period; a loop that wants
    /// more than that and what is left over is suspended until the next period.
    pub budget_nanos: u64,
    /// Priority under `SCHED_FIFO`, from 1 to 99.
    pub priority: u8,
    /// Processors to stay on; empty for any. The kernel pins no thread with a deadline, so these
    /// rule `SCHED_DEADLINE` out.
    pub processors: Vec<usize>,
    /// Whether all memory is to stay present.
    pub lock_memory: bool,
    /// Measured 99th percentile of a tick's work in nanoseconds, where it is known.
    pub work_p99_nanos: Option<u64>,
}

impl ScheduleConfig {
    /// Everything, at 200 Hz: a deadline with four fifths of the period as budget, else FIFO 80.
    #[must_use]
    pub fn best(period_nanos: u64) -> ScheduleConfig {
        ScheduleConfig {
            class: Class::Deadline,
            period_nanos,
            budget_nanos: period_nanos * 4 / 5,
            priority: 80,
            processors: Vec::new(),
            lock_memory: true,
            work_p99_nanos: None,
        }
    }
}

/// What was not granted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// What was asked for.
    pub asked: String,
    /// Why it is not so.
    pub reason: String,
}

/// How a thread runs now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Granted {
    /// Its class.
    pub class: Class,
    /// Processors it is kept on; empty for any.
    pub processors: Vec<usize>,
    /// Whether all memory of the process is locked.
    pub memory_locked: bool,
    /// What was asked for and is not so.
    pub refusals: Vec<Refusal>,
}

/// As in `SCHED_FIFO, processor 1, memory locked; not granted: SCHED_DEADLINE (…)`.
impl fmt::Display for Granted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.class)?;
        for (idx, processor) in self.processors.iter().enumerate() {
            write!(f, "{}{processor}", if idx == 0 { ", processor " } else { "+" })?;
        }
        write!(f, ", memory {}", if self.memory_locked { "locked" } else { "not locked" })?;
        for (idx, refusal) in self.refusals.iter().enumerate() {
            let between = if idx == 0 { "; not granted: " } else { ", " };
            write!(f, "{between}{} ({})", refusal.asked, refusal.reason)?;
        }
        Ok(())
    }
}

/// Why a class is not even asked for.
fn unwise(class: Class, config: &ScheduleConfig) -> Option<String> {
    let most = (config.period_nanos as f64 * MOST_FIFO_SHARE) as u64;
    match (class, config.work_p99_nanos) {
        (Class::Deadline, _) if !config.processors.is_empty() => {
            Some("the kernel pins no thread with a deadline to processors".to_owned())
        }
        (Class::Deadline, Some(work)) if work > config.budget_nanos => Some(format!(
            "work takes {:.2} ms at p99, the budget is {:.2} ms",
            millis(work),
            millis(config.budget_nanos)
        )),
        (Class::Fifo, Some(work)) if work > most => Some(format!(
            "work takes {:.2} ms at p99, more than {:.2} ms of {:.2} ms would starve the machine",
            millis(work),
            millis(most),
            millis(config.period_nanos)
        )),
        _ => None,
    }
}

fn millis(nanos: u64) -> f64 {
    nanos as f64 / 1e6
}

/// What the kernel's refusal means, with what would change it.
fn explain(error: &std::io::Error) -> String {
    match error.raw_os_error() {
        Some(libc::EPERM) => {
            "not permitted: needs root, CAP_SYS_NICE or an rtprio limit".to_owned()
        }
        Some(libc::EBUSY) => "the kernel has promised too much time already".to_owned(),
        _ => error.to_string(),
    }
}

/// Schedules the calling thread as well as is granted.
#[must_use]
pub fn apply(config: &ScheduleConfig) -> Granted {
    let mut refusals = Vec::new();
    let mut refuse = |asked: &str, reason: String| {
        refusals.push(Refusal { asked: asked.to_owned(), reason });
    };
    let mut memory_locked = false;
    if config.lock_memory {
        match kernel::lock_memory() {
            Ok(()) => memory_locked = true,
            Err(error) => refuse("locked memory", explain_memory(&error)),
        }
    }
    // Matters only to ordinary threads, and costs others nothing.
    if let Err(error) = kernel::no_timer_slack() {
        refuse("exact timers", error.to_string());
    }
    let mut processors = Vec::new();
    if !config.processors.is_empty() {
        match kernel::pin(&config.processors) {
            Ok(()) => processors.clone_from(&config.processors),
            Err(error) => refuse("processors", format!("{:?}: {error}", config.processors)),
        }
    }
    let mut granted = Class::Other;
    for class in [Class::Deadline, Class::Fifo, Class::Other] {
        if class < config.class {
            continue;
        }
        if let Some(reason) = unwise(class, config) {
            refuse(&class.to_string(), reason);
            continue;
        }
        let result = match class {
            Class::Deadline => kernel::deadline(config.budget_nanos, config.period_nanos),
            Class::Fifo => kernel::fifo(config.priority),
            Class::Other => kernel::other(),
        };
        match result {
            Ok(()) => {
                granted = class;
                break;
            }
            Err(error) => refuse(&class.to_string(), explain(&error)),
        }
    }
    Granted { class: granted, processors, memory_locked, refusals }
}

fn explain_memory(error: &std::io::Error) -> String {
    match error.raw_os_error() {
        Some(libc::EPERM | libc::ENOMEM) => {
            format!("{error}: needs root, CAP_IPC_LOCK or a higher memlock limit")
        }
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> ScheduleConfig {
        ScheduleConfig { lock_memory: false, ..ScheduleConfig::best(5_000_000) }
    }

    /// What a fresh thread is granted.
    fn granted(config: ScheduleConfig) -> Granted {
        std::thread::spawn(move || apply(&config)).join().expect("a thread")
    }

    #[test]
    fn what_is_not_granted_is_said_with_its_reason() {
        let granted = granted(config());
        // As root nothing is refused; as anybody else both classes are.
        for class in [Class::Deadline, Class::Fifo].into_iter().filter(|&c| c < granted.class) {
            let refusal = granted.refusals.iter().find(|r| r.asked == class.to_string());
            assert!(!refusal.expect("a refusal").reason.is_empty());
        }
    }

    #[test]
    fn work_that_fills_the_period_is_refused_fifo_and_deadline() {
        let granted = granted(ScheduleConfig { work_p99_nanos: Some(4_500_000), ..config() });
        assert_eq!(granted.class, Class::Other);
        let text = granted.to_string();
        assert!(
            text.contains("SCHED_FIFO (work takes 4.50 ms at p99, more than 3.75 ms"),
            "{text}"
        );
        assert!(text.contains("SCHED_DEADLINE (work takes 4.50 ms"), "{text}");
    }

    #[test]
    fn a_pinned_thread_is_not_promised_a_deadline() {
        let granted = granted(ScheduleConfig { processors: vec![0], ..config() });
        assert_ne!(granted.class, Class::Deadline);
        assert_eq!(granted.processors, [0]);
        assert!(granted.refusals.iter().any(|refusal| refusal.asked == "SCHED_DEADLINE"));
    }

    #[test]
    fn processors_that_are_not_there_are_reported() {
        let granted = granted(ScheduleConfig { processors: vec![100_000], ..config() });
        assert!(granted.processors.is_empty());
        assert!(granted.to_string().contains("processors ([100000]"), "{granted}");
    }
}
