//! Threads that wait for work.
//!
//! One step of a model is a hundred short pieces of work, a few microseconds each. To sleep between
//! them would cost more than they do, so threads watch for the next one for a while before they do.
#![expect(unsafe_code, reason = "work borrows from its caller, who waits for it")]

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;

/// How often a thread looks for work before it sleeps: about 100 µs.
const LOOKS: usize = 4000;

/// How often the caller looks for the end of a part before it lets others run on its processor, the
/// thread that is waited for perhaps.
const LOOKS_AT_END: usize = 200;

/// Parts of [`Shared::gate`]: helpers inside a call, whether more may enter, and its number.
const INSIDE: u64 = OPEN - 1;
const OPEN: u64 = 1 << 31;
const CALL: u64 = 1 << 32;

/// Work of one call: the number of a part in.
type Work<'a> = &'a (dyn Fn(usize) + Sync);

/// Threads, the caller's among them.
#[derive(Debug)]
pub(super) struct Pool {
    shared: Arc<Shared>,
    helpers: Vec<JoinHandle<()>>,
}

struct Shared {
    /// Held by the caller whose work is being done.
    caller: Mutex<()>,
    /// Counts calls, and helpers inside this one. A helper enters while the call is open; one that
    /// comes late, because its processor does something else, is not waited for.
    gate: AtomicU64,
    /// The work of the call, valid while it is open or a helper inside.
    work: Mutex<Option<(Work<'static>, usize)>>,
    /// The next part.
    next: AtomicUsize,
    /// Whether a part panicked.
    failed: AtomicBool,
    ended: AtomicBool,
    n_asleep: Mutex<usize>,
    wake: Condvar,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("gate", &self.gate).finish_non_exhaustive()
    }
}

impl Pool {
    /// With `n` threads: the caller's and `n - 1` of its own, or as many as the system gives.
    pub(super) fn new(n: usize) -> Pool {
        let shared = Arc::new(Shared {
            caller: Mutex::new(()),
            gate: AtomicU64::new(0),
            work: Mutex::new(None),
            next: AtomicUsize::new(0),
            failed: AtomicBool::new(false),
            ended: AtomicBool::new(false),
            n_asleep: Mutex::new(0),
            wake: Condvar::new(),
        });
        let start = |_| {
            let shared = Arc::clone(&shared);
            let builder = std::thread::Builder::new().name("nn".to_owned());
            builder.spawn(move || shared.help()).ok()
        };
        Pool { helpers: (1..n).filter_map(start).collect(), shared }
    }

    pub(super) fn n_threads(&self) -> usize {
        self.helpers.len() + 1
    }

    /// Does parts `0..n`, each once. A call from inside another, or from a second thread at the same
    /// time, is done by its caller alone.
    ///
    /// # Panics
    /// If a part does.
    pub(super) fn run(&self, n: usize, work: Work<'_>) {
        let shared = &self.shared;
        let alone = || (0..n).for_each(work);
        if n <= 1 || self.helpers.is_empty() {
            return alone();
        }
        let Ok(_held) = shared.caller.try_lock() else { return alone() };
        // SAFETY: only the lifetime changes. Helpers use the work while they are counted inside the
        // gate, which they enter only while it is open; this function does not return, nor unwind,
        // before it has closed the gate and all have left.
        let forever = unsafe { std::mem::transmute::<Work<'_>, Work<'static>>(work) };
        *locked(&shared.work) = Some((forever, n));
        shared.next.store(0, Ordering::Relaxed);
        shared.failed.store(false, Ordering::Relaxed);
        // Closed and empty since the last call, so nobody else changes it.
        let last = shared.gate.load(Ordering::Relaxed) & !INSIDE;
        shared.gate.store(last.wrapping_add(CALL) | OPEN, Ordering::Release);
        if *locked(&shared.n_asleep) > 0 {
            shared.wake.notify_all();
        }
        shared.take_parts(work, n);
        let mut inside = shared.gate.fetch_and(!OPEN, Ordering::AcqRel) & INSIDE;
        let mut looks = 0;
        while inside > 0 {
            looks += 1;
            if looks % LOOKS_AT_END == 0 {
                std::thread::yield_now();
            } else {
                std::hint::spin_loop();
            }
            inside = shared.gate.load(Ordering::Acquire) & INSIDE;
        }
        *locked(&shared.work) = None;
        assert!(!shared.failed.load(Ordering::Relaxed), "a part of the work panicked");
    }
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    /// Does parts until none is left.
    fn take_parts(&self, work: Work<'_>, n: usize) {
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            loop {
                let part = self.next.fetch_add(1, Ordering::Relaxed);
                if part >= n {
                    return;
                }
                work(part);
            }
        }));
        if done.is_err() {
            self.failed.store(true, Ordering::Relaxed);
        }
    }

    /// The life of a helper.
    fn help(&self) {
        let mut seen = 0;
        while self.wait(&mut seen) {
            // Taken while this helper counts as inside, so the caller is still there.
            let work = *locked(&self.work);
            if let Some((work, n)) = work {
                self.take_parts(work, n);
            }
            self.gate.fetch_sub(1, Ordering::Release);
        }
    }

    /// Whether a call is open that a helper has not been in.
    fn is_new(&self, seen: u64) -> bool {
        let gate = self.gate.load(Ordering::Relaxed);
        gate & OPEN != 0 && gate / CALL != seen
    }

    /// Waits for the next call and enters it; `false` at the end.
    fn wait(&self, seen: &mut u64) -> bool {
        let mut looks = 0;
        while !self.ended.load(Ordering::Relaxed) {
            if self.is_new(*seen) {
                let enter = |gate| (gate & OPEN != 0).then_some(gate + 1);
                let entered = self.gate.fetch_update(Ordering::AcqRel, Ordering::Relaxed, enter);
                if let Ok(gate) = entered {
                    *seen = gate / CALL;
                    return true;
                }
            }
            looks += 1;
            if looks < LOOKS {
                std::hint::spin_loop();
                continue;
            }
            looks = 0;
            let mut n_asleep = locked(&self.n_asleep);
            *n_asleep += 1;
            while !self.is_new(*seen) && !self.ended.load(Ordering::Relaxed) {
                n_asleep = self.wake.wait(n_asleep).unwrap_or_else(PoisonError::into_inner);
            }
            *n_asleep -= 1;
        }
        false
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Relaxed);
        drop(locked(&self.shared.n_asleep));
        self.shared.wake.notify_all();
        for helper in self.helpers.drain(..) {
            // It has nothing left that could fail.
            let _ = helper.join();
        }
    }
}
