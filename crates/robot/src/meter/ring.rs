//! Records from the fast loop to a thread that writes them down.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

#[derive(Debug)]
struct Shared<const N: usize> {
    records: Box<[[AtomicU64; N]]>,
    /// Records put in so far, and taken out.
    put: AtomicU64,
    taken: AtomicU64,
    lost: AtomicU64,
}

/// The end that records are put into, by one thread.
#[derive(Debug)]
pub struct Ring<const N: usize> {
    shared: Arc<Shared<N>>,
}

/// The end that they are taken from, by one thread.
#[derive(Debug)]
pub struct Drain<const N: usize> {
    shared: Arc<Shared<N>>,
}

/// Room for `n_records` of `N` words each.
#[must_use]
pub fn ring<const N: usize>(n_records: usize) -> (Ring<N>, Drain<N>) {
    let record = |_| std::array::from_fn(|_| AtomicU64::new(0));
    let shared = Arc::new(Shared {
        records: (0..n_records.max(1)).map(record).collect(),
        put: AtomicU64::new(0),
        taken: AtomicU64::new(0),
        lost: AtomicU64::new(0),
    });
    (Ring { shared: Arc::clone(&shared) }, Drain { shared })
}

impl<const N: usize> Ring<N> {
    /// Puts a record in. Where there is no room it is lost, and counted: the loop never waits.
    pub fn put(&mut self, record: [u64; N]) {
        let shared = &*self.shared;
        let put = shared.put.load(Ordering::Relaxed);
        // Acquire: the words have been read before they are overwritten.
        if put - shared.taken.load(Ordering::Acquire) >= shared.records.len() as u64 {
            shared.lost.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let into = &shared.records[(put % shared.records.len() as u64) as usize];
        into.iter().zip(record).for_each(|(word, value)| word.store(value, Ordering::Relaxed));
        shared.put.store(put + 1, Ordering::Release);
    }
}

impl<const N: usize> Drain<N> {
    /// Takes the oldest record out.
    pub fn take(&mut self) -> Option<[u64; N]> {
        let shared = &*self.shared;
        let taken = shared.taken.load(Ordering::Relaxed);
        if taken == shared.put.load(Ordering::Acquire) {
            return None;
        }
        let from = &shared.records[(taken % shared.records.len() as u64) as usize];
        let record = std::array::from_fn(|idx| from[idx].load(Ordering::Relaxed));
        shared.taken.store(taken + 1, Ordering::Release);
        Some(record)
    }

    /// How many were lost for want of room.
    #[must_use]
    pub fn n_lost(&self) -> u64 {
        self.shared.lost.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_come_out_in_order_and_lost_ones_are_counted() {
        let (mut ring, mut drain) = ring::<2>(3);
        assert_eq!(drain.take(), None);
        (0..5).for_each(|idx| ring.put([idx, idx * 10]));
        assert_eq!((drain.take(), drain.n_lost()), (Some([0, 0]), 2));
        ring.put([9, 9]);
        let rest: Vec<_> = std::iter::from_fn(|| drain.take()).collect();
        assert_eq!(rest, [[1, 10], [2, 20], [9, 9]]);
    }

    #[test]
    fn between_threads_records_are_whole_and_none_is_lost_unseen() {
        let (mut ring, mut drain) = ring::<3>(64);
        let n = 200_000;
        let thread = std::thread::spawn(move || (1..=n).for_each(|idx| ring.put([idx; 3])));
        let (mut last, mut n_seen) = (0, 0);
        loop {
            let ended = thread.is_finished();
            let Some(record) = drain.take() else { if ended { break } else { continue } };
            assert!(record.iter().all(|&word| word == record[0]) && record[0] > last);
            last = record[0];
            n_seen += 1;
        }
        assert_eq!(n_seen + drain.n_lost(), n);
    }
}
