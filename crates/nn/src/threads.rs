//! Work split over threads. Who does a part never changes what it gives.

use rayon::prelude::*;

/// Parts per thread, so that a slow one can be evened out.
const PARTS_PER_THREAD: usize = 4;

/// Rows' worth of work below which waking another thread costs more than it gains.
const FEW_ROWS: usize = 1024;

/// How many threads work.
pub fn count() -> usize {
    rayon::current_num_threads()
}

/// Runs `work` with `n` threads.
///
/// # Panics
/// If the system gives no threads.
pub fn with_count<T: Send>(n: usize, work: impl FnOnce() -> T + Send) -> T {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(n).build().expect("threads can start");
    pool.install(work)
}

/// Splits `all`, which is `n` equal units of about `rows` rows' work each, into groups of whole
/// units, and runs `work` on each with the number of its first unit.
pub(crate) fn by_units<T: Send>(
    all: &mut [T],
    n: usize,
    rows: usize,
    work: impl Fn(usize, &mut [T]) + Send + Sync,
) {
    if n == 0 || all.is_empty() {
        return;
    }
    let unit = all.len() / n;
    let group = n.div_ceil(count() * PARTS_PER_THREAD).max(1);
    if n == 1 || n * rows < FEW_ROWS || count() == 1 {
        return work(0, all);
    }
    all.par_chunks_mut(group * unit).enumerate().for_each(|(idx, part)| work(idx * group, part));
}
