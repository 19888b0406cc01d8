//! Attempts side by side, each on record as soon as it is over.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use indicatif::ProgressBar;
use serde::Serialize;

/// Makes `missing` attempts on so many threads until `stop` rises; each result is appended to the log, from
/// which the same command goes on. The first failure ends it, and what was done by then stays in the log.
pub(super) fn spread<J: Sync, R: Serialize + Send>(
    missing: &[J],
    n_threads: usize,
    log: &runs::Log,
    bar: &ProgressBar,
    stop: &AtomicBool,
    one: &(dyn Fn(&J) -> anyhow::Result<R> + Sync),
) -> anyhow::Result<Vec<R>> {
    let next = AtomicUsize::new(0);
    let new = Mutex::new((log, Vec::new(), None));
    let work = || {
        while let Some(job) = missing.get(next.fetch_add(1, Ordering::Relaxed)) {
            if stop.load(Ordering::Relaxed) {
                return;
            }
            // Each attempt on one thread of its own.
            let row = nn::threads::alone(|| one(job));
            let mut new = new.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            let row = row.and_then(|row| {
                new.0.append(&row)?;
                Ok(row)
            });
            match row {
                Ok(row) => new.1.push(row),
                Err(error) => {
                    new.2.get_or_insert(error);
                    stop.store(true, Ordering::Relaxed);
                }
            }
            bar.inc(1);
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..n_threads {
            scope.spawn(work);
        }
        work();
    });
    bar.finish_and_clear();
    let (_, found, error) = new.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    error.map_or(Ok(found), Err)
}
