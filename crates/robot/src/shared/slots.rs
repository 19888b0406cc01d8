//! One value between one writer and one reader, without waiting: three slots and two words.
//!
//! J. Chen, A. Burns, "A three-slot asynchronous reader/writer mechanism for multiprocessor real-time
//! systems", University of York, YCS-286 (1997). The writer fills a slot that is neither the newest nor
//! claimed, then names it the newest. The reader says that it is about to claim, looks which is the
//! newest, and claims that one, unless the writer has claimed a newer one for it meanwhile. Each does a
//! fixed number of steps whatever the other does.
//!
//! All that either knows is in the shared words. So a process that is killed at any step leaves a
//! whole value, blocks nobody, and is replaced by one that goes on: a reader as it is, a writer after
//! it has finished what its predecessor may have left undone ([`Pen::take_up`]).

use std::sync::atomic::Ordering;

/// A word of memory that processes share.
pub(super) trait Word {
    fn load(&self, ordering: Ordering) -> u64;
    fn store(&self, value: u64, ordering: Ordering);
    fn swap(&self, value: u64, ordering: Ordering) -> u64;
    fn compare_exchange(
        &self,
        current: u64,
        new: u64,
        success: Ordering,
        failure: Ordering,
    ) -> Result<u64, u64>;
}

/// Memory of words: the machine's, or a model checker's.
pub(super) trait Words {
    type Word: Word;
    fn words(&self) -> &[Self::Word];
    /// A sequentially consistent fence.
    fn fence(&self);
}

/// The newest slot.
const NEWEST: usize = 0;
/// The slot that the reader has claimed.
const CLAIMED: usize = 1;
/// Words before the slots.
pub(super) const CONTROL: usize = 2;

const N_SLOTS: u64 = 3;

/// No slot, in [`NEWEST`] and [`CLAIMED`]. Fresh memory is zero, so slots count from 1.
const NONE: u64 = 0;

/// The one writer: it knows which slot is the newest, since nobody else changes that.
#[derive(Debug)]
pub(super) struct Pen {
    newest: u64,
}

impl Pen {
    /// The successor of a writer that was killed, or the first.
    ///
    /// One that named a slot the newest, and died before it claimed it for the reader, leaves a reader
    /// that may still claim the slot before. That claim is made first: a successor that did not would
    /// take that slot for free.
    pub(super) fn take_up<M: Words>(memory: &M, first: usize) -> Pen {
        let words = memory.words();
        let newest = words[first + NEWEST].load(Ordering::Acquire);
        memory.fence();
        let claimed = &words[first + CLAIMED];
        let _ = claimed.compare_exchange(NONE, newest, Ordering::AcqRel, Ordering::Acquire);
        Pen { newest }
    }

    /// Puts words into the slot that is free, by `fill`, and makes it the newest.
    pub(super) fn publish<M: Words>(
        &mut self,
        memory: &M,
        first: usize,
        n_words: usize,
        fill: impl FnOnce(&[M::Word]),
    ) {
        let words = memory.words();
        let (newest, claimed) = (&words[first + NEWEST], &words[first + CLAIMED]);
        // Acquire: the reader has read what it gave back before this writer overwrites it.
        let taken = [self.newest, claimed.load(Ordering::Acquire)];
        let free = (1..=N_SLOTS).find(|slot| !taken.contains(slot)).unwrap_or(1);
        fill(slot(words, first, n_words, free));
        newest.store(free, Ordering::Release);
        self.newest = free;
        // Either the reader sees the newest slot, or this writer sees that the reader is about to claim.
        memory.fence();
        // A claim that is there is respected from the next time on.
        let _ = claimed.compare_exchange(NONE, free, Ordering::AcqRel, Ordering::Acquire);
    }
}

/// Claims the newest slot and gives its words, which stay as they are until the next call. Nothing when
/// nothing was published, or memory was damaged.
///
/// One reader at a time.
pub(super) fn claim<M: Words>(memory: &M, first: usize, n_words: usize) -> Option<&[M::Word]> {
    let words = memory.words();
    let (newest, claimed) = (&words[first + NEWEST], &words[first + CLAIMED]);
    // Release: all reads of the slot given back come before. A swap where a store would do: the checker
    // orders stores of two threads to one word only when each of them also reads it.
    claimed.swap(NONE, Ordering::AcqRel);
    memory.fence();
    let seen = newest.load(Ordering::Acquire);
    let taken = match claimed.compare_exchange(NONE, seen, Ordering::AcqRel, Ordering::Acquire) {
        Ok(_) => seen,
        Err(newer) => newer,
    };
    (1..=N_SLOTS).contains(&taken).then(|| slot(words, first, n_words, taken))
}

/// The newest slot without a claim: for a writer, which alone may change it, and for onlookers, who must
/// not rely on more than one word of it.
pub(super) fn newest<M: Words>(memory: &M, first: usize, n_words: usize) -> Option<&[M::Word]> {
    let words = memory.words();
    let newest = words[first + NEWEST].load(Ordering::Acquire);
    (1..=N_SLOTS).contains(&newest).then(|| slot(words, first, n_words, newest))
}

fn slot<W>(words: &[W], first: usize, n_words: usize, slot: u64) -> &[W] {
    let at = first + CONTROL + (slot as usize - 1) * n_words;
    &words[at..at + n_words]
}
