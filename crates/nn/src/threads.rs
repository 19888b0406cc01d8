//! Work split over threads. Who does a part never changes what it gives.

mod pool;

use std::cell::RefCell;
use std::sync::{Arc, Mutex, OnceLock};

use pool::Pool;

/// Parts per thread, so that a slow one can be evened out.
const PARTS_PER_THREAD: usize = 8;

/// As many as there are at least.
const FEW_PARTS_PER_THREAD: usize = 2;

/// Rows' worth of work below which there are no more parts than that: at the begin of each, reading from
/// memory has to get going again.
const ROWS_PER_PART: usize = 1 << 14;

/// Rows' worth of work below which another thread is not asked: handing over takes about as long.
const FEW_ROWS: usize = 512;

static GLOBAL: OnceLock<Arc<Pool>> = OnceLock::new();

thread_local! {
    /// What `with_count` has chosen, if anything.
    static CHOSEN: RefCell<Option<Arc<Pool>>> = const { RefCell::new(None) };
}

fn current() -> Arc<Pool> {
    CHOSEN.with_borrow(Option::clone).unwrap_or_else(|| {
        let all = || std::thread::available_parallelism().map_or(1, usize::from);
        Arc::clone(GLOBAL.get_or_init(|| Arc::new(Pool::new(all()))))
    })
}

/// How many threads work.
pub fn count() -> usize {
    current().n_threads()
}

/// Runs `work` with `n` threads, itself among them.
pub fn with_count<T>(n: usize, work: impl FnOnce() -> T) -> T {
    let pool = Arc::new(Pool::new(n.max(1)));
    let before = CHOSEN.replace(Some(pool));
    let done = work();
    CHOSEN.set(before);
    done
}

/// Runs `work` with the thread it is on alone, as part of something that is already spread over
/// threads, or of a loop that must neither allocate nor wait for another thread.
pub fn alone<T>(work: impl FnOnce() -> T) -> T {
    static ALONE: OnceLock<Arc<Pool>> = OnceLock::new();
    let pool = Arc::clone(ALONE.get_or_init(|| Arc::new(Pool::new(1))));
    let before = CHOSEN.replace(Some(pool));
    let done = work();
    CHOSEN.set(before);
    done
}

/// Does each part once, and gives what they give, in order.
pub fn map<T: Send, R: Send>(parts: Vec<T>, work: impl Fn(T) -> R + Sync) -> Vec<R> {
    let slots: Vec<Mutex<(Option<T>, Option<R>)>> =
        parts.into_iter().map(|part| Mutex::new((Some(part), None))).collect();
    let held = "a part is done by one thread";
    current().run(slots.len(), &|idx| {
        let mut slot = slots[idx].lock().expect(held);
        let part = slot.0.take().expect(held);
        slot.1 = Some(work(part));
    });
    slots.into_iter().map(|slot| slot.into_inner().expect(held).1.expect(held)).collect()
}

/// Splits `all`, which is `n` equal units of about `rows` rows' work each, into groups of whole
/// units, and runs `work` on each with the number of its first unit.
pub(crate) fn by_units<T: Send>(
    all: &mut [T],
    n: usize,
    rows: usize,
    work: impl Fn(usize, &mut [T]) + Sync,
) {
    by_units_with(all, &mut vec![(); n], n, rows, |first, part, _| work(first, part));
}

/// [`by_units`] over two slices at once.
pub(crate) fn by_units_with<T: Send, U: Send>(
    all: &mut [T],
    with: &mut [U],
    n: usize,
    rows: usize,
    work: impl Fn(usize, &mut [T], &mut [U]) + Sync,
) {
    if n == 0 || all.is_empty() {
        return;
    }
    let (unit, unit_with) = (all.len() / n, with.len() / n);
    let n_threads = count();
    let most = (n * rows / ROWS_PER_PART)
        .clamp(FEW_PARTS_PER_THREAD * n_threads, PARTS_PER_THREAD * n_threads);
    let n_parts = n.min(most);
    if n_threads == 1 || n_parts == 1 || n * rows < FEW_ROWS {
        return work(0, all, with);
    }
    // As equal as can be: a small part at the end would leave a thread waiting.
    let (mut all, mut with) = (all, with);
    let part = |idx: usize| {
        let (first, end) = (idx * n / n_parts, (idx + 1) * n / n_parts);
        let (part, part_with);
        (part, all) = std::mem::take(&mut all).split_at_mut((end - first) * unit);
        (part_with, with) = std::mem::take(&mut with).split_at_mut((end - first) * unit_with);
        (first, part, part_with)
    };
    let parts = (0..n_parts).map(part).collect();
    map(parts, |(first, part, with): (usize, &mut [T], &mut [U])| work(first, part, with));
}
