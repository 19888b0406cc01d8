//! Time: the machine's, and a simulated twin that tests and evaluation move by hand.
//!
//! Times are nanoseconds of one monotonic clock that every process of a machine shares, so an age is
//! a difference of two of them, whoever took them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::linux;

/// A clock to sleep by.
pub trait Clock {
    /// Nanoseconds since some moment in the past.
    fn now(&self) -> u64;

    /// Sleeps until the clock shows `at`, in nanoseconds; returns at once when it is past. Absolute,
    /// so that lateness of one tick does not add to the next.
    fn sleep_until(&self, at: u64);
}

/// `CLOCK_MONOTONIC`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Monotonic;

impl Clock for Monotonic {
    fn now(&self) -> u64 {
        linux::clock::monotonic()
    }

    fn sleep_until(&self, at: u64) {
        linux::clock::sleep_until(at);
    }
}

/// The simulated twin: time passes when somebody sleeps or says so. Clones show the same time.
#[derive(Debug, Clone, Default)]
pub struct Simulated {
    now: Arc<AtomicU64>,
}

impl Simulated {
    /// A clock that shows `now`, in nanoseconds.
    #[must_use]
    pub fn at(now: u64) -> Simulated {
        Simulated { now: Arc::new(AtomicU64::new(now)) }
    }

    /// Lets time pass, in nanoseconds: work takes time by this alone.
    pub fn pass(&self, nanos: u64) {
        self.now.fetch_add(nanos, Ordering::Relaxed);
    }
}

impl Clock for Simulated {
    fn now(&self) -> u64 {
        self.now.load(Ordering::Relaxed)
    }

    fn sleep_until(&self, at: u64) {
        self.now.fetch_max(at, Ordering::Relaxed);
    }
}

/// Nanoseconds that the calling thread has spent on a processor: the work of a loop without the time
/// in which others ran.
#[must_use]
pub fn thread_cpu_nanos() -> u64 {
    linux::clock::thread_cpu()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sleep_ends_at_or_after_its_time_and_past_times_do_not_wait() {
        let clock = Monotonic;
        let at = clock.now() + 2_000_000;
        clock.sleep_until(at);
        assert!(clock.now() >= at);
        clock.sleep_until(0);
        clock.sleep_until(at);
    }

    #[test]
    fn simulated_time_passes_only_by_sleep_and_by_hand() {
        let clock = Simulated::at(7);
        let twin = clock.clone();
        assert_eq!(clock.now(), 7);
        clock.sleep_until(5);
        assert_eq!(clock.now(), 7);
        clock.sleep_until(20);
        twin.pass(3);
        assert_eq!(clock.now(), 23);
    }
}
