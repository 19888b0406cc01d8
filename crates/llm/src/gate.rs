//! Limits that requests to one endpoint share: how many at once, how many a minute.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Lets requests through one by one as limits allow. Share it between models in an `Arc`.
#[derive(Debug)]
pub struct Gate {
    most_at_once: usize,
    /// Time between two requests.
    spacing: Duration,
    state: Mutex<State>,
    left: Condvar,
}

#[derive(Debug, Default)]
struct State {
    n_inside: usize,
    next: Option<Instant>,
}

/// A request that is inside; leaves when dropped.
#[derive(Debug)]
pub struct Pass<'a>(&'a Gate);

impl Gate {
    /// Without limits.
    #[must_use]
    pub fn open() -> Self {
        Self::new(usize::MAX, None)
    }

    /// At most `most_at_once` requests at once, and `per_minute` a minute, evenly spaced.
    #[must_use]
    pub fn new(most_at_once: usize, per_minute: Option<u32>) -> Self {
        let spacing = per_minute.map_or(Duration::ZERO, |n| Duration::from_secs(60) / n.max(1));
        Self {
            most_at_once: most_at_once.max(1),
            spacing,
            state: Mutex::default(),
            left: Condvar::new(),
        }
    }

    /// Waits for a place; returns it with the time still to wait before sending.
    pub fn enter(&self, now: Instant) -> (Pass<'_>, Duration) {
        let mut state = self.lock();
        while state.n_inside >= self.most_at_once {
            state = self.left.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.n_inside += 1;
        let at = state.next.map_or(now, |next| next.max(now));
        state.next = Some(at + self.spacing);
        (Pass(self), at.saturating_duration_since(now))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        self.0.lock().n_inside -= 1;
        self.0.left.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn requests_are_spaced_evenly() {
        let gate = Gate::new(9, Some(60));
        let now = Instant::now();
        let waits: Vec<u64> = (0..3).map(|_| gate.enter(now).1.as_secs()).collect();
        assert_eq!(waits, [0, 1, 2]);
    }

    #[test]
    fn no_more_than_the_limit_are_inside_at_once() {
        let gate = Gate::new(2, None);
        let (inside, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        let _pass = gate.enter(Instant::now());
                        let n = inside.fetch_add(1, Ordering::SeqCst) + 1;
                        most.fetch_max(n, Ordering::SeqCst);
                        std::thread::yield_now();
                        inside.fetch_sub(1, Ordering::SeqCst);
                    }
                });
            }
        });
        assert!(most.load(Ordering::SeqCst) <= 2);
    }
}
