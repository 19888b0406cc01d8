//! The machine's own words as the slots see them.

use std::sync::atomic::{AtomicU64, Ordering, fence};

use super::slots::{Word, Words};
use crate::linux::memory::Mapping;

impl Word for AtomicU64 {
    #[inline]
    fn load(&self, ordering: Ordering) -> u64 {
        AtomicU64::load(self, ordering)
    }

    #[inline]
    fn store(&self, value: u64, ordering: Ordering) {
        AtomicU64::store(self, value, ordering);
    }

    fn swap(&self, value: u64, ordering: Ordering) -> u64 {
        AtomicU64::swap(self, value, ordering)
    }

    fn compare_exchange(
        &self,
        current: u64,
        new: u64,
        success: Ordering,
        failure: Ordering,
    ) -> Result<u64, u64> {
        AtomicU64::compare_exchange(self, current, new, success, failure)
    }
}

impl Words for Mapping {
    type Word = AtomicU64;

    fn words(&self) -> &[AtomicU64] {
        Mapping::words(self)
    }

    fn fence(&self) {
        fence(Ordering::SeqCst);
    }
}
