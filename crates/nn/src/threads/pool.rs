//! Threads that wait for work.
//!
//! One step of a model is a hundred short pieces of work, a few microseconds each. To sleep between
//! them would cost more than they do, so threads watch for the next one for a while before they do.
#![expect(unsafe_code, reason = "work borrows from its caller, who waits for it")]

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;

/// How often a thread looks for work before it sleeps: about 100 µs.
const LOOKS: usize = 4000;

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
    /// Counts calls; a new value is new work.
    call: AtomicUsize,
    /// The work of the call, valid until all helpers have left it.
    work: Mutex<Option<(Work<'static>, usize)>>,
    /// The next part.
    next: AtomicUsize,
    /// Helpers that have not left the call yet.
    n_busy: AtomicUsize,
    /// Whether a part panicked.
    failed: AtomicBool,
    ended: AtomicBool,
    n_asleep: Mutex<usize>,
    wake: Condvar,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("call", &self.call).finish_non_exhaustive()
    }
}

impl Pool {
    /// With `n` threads: the caller's and `n - 1` of its own, or as many as the system gives.
    pub(super) fn new(n: usize) -> Pool {
        let shared = Arc::new(Shared {
            caller: Mutex::new(()),
            call: AtomicUsize::new(0),
            work: Mutex::new(None),
            next: AtomicUsize::new(0),
            n_busy: AtomicUsize::new(0),
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
        // SAFETY: only the lifetime changes. Helpers use the work between the rise of `call` and
        // their fall from `n_busy`; this function does not return, nor unwind, before all have.
        let forever = unsafe { std::mem::transmute::<Work<'_>, Work<'static>>(work) };
        *locked(&shared.work) = Some((forever, n));
        shared.next.store(0, Ordering::Relaxed);
        shared.failed.store(false, Ordering::Relaxed);
        shared.n_busy.store(self.helpers.len(), Ordering::Relaxed);
        shared.call.fetch_add(1, Ordering::Release);
        if *locked(&shared.n_asleep) > 0 {
            shared.wake.notify_all();
        }
        shared.take_parts(work, n);
        while shared.n_busy.load(Ordering::Acquire) > 0 {
            std::hint::spin_loop();
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
            // Taken while this helper counts as busy, so the caller is still there.
            let work = *locked(&self.work);
            if let Some((work, n)) = work {
                self.take_parts(work, n);
            }
            self.n_busy.fetch_sub(1, Ordering::Release);
        }
    }

    /// Waits for the next call; `false` at the end.
    fn wait(&self, seen: &mut usize) -> bool {
        let news = |seen: usize| {
            self.call.load(Ordering::Acquire) != seen || self.ended.load(Ordering::Relaxed)
        };
        let mut looks = 0;
        while !news(*seen) && looks < LOOKS {
            looks += 1;
            std::hint::spin_loop();
        }
        if !news(*seen) {
            let mut n_asleep = locked(&self.n_asleep);
            *n_asleep += 1;
            while !news(*seen) {
                n_asleep = self.wake.wait(n_asleep).unwrap_or_else(PoisonError::into_inner);
            }
            *n_asleep -= 1;
        }
        // Each call waits for every helper, so none can be missed.
        *seen = self.call.load(Ordering::Acquire);
        !self.ended.load(Ordering::Relaxed)
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
