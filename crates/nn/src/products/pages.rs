//! Memory for packed weights: in large pages, one matrix after another.
//!
//! A product with one token reads each weight once, in order. With pages of 4 KiB the processor stops
//! at every one of them: it looks the next one up, and does not read ahead over its edge. So matrices
//! share mappings that are asked to be large pages, and those that are packed one after another, and
//! used so, lie side by side.
#![expect(unsafe_code, reason = "slices of a mapping that several matrices share")]

use std::alloc::{Layout, handle_alloc_error};
use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use memmap2::{MmapMut, MmapRaw};

use super::tight::Tight;
use crate::blocked::{Panel, Row};

/// Size of a large page, as on x86-64 and most others.
const LARGE: usize = 2 << 20;

/// Size of a mapping. What is not used of it takes no memory.
const MAPPING: usize = 64 << 20;

/// Where a matrix may begin.
const LINE: usize = 128;

/// Plain numbers.
///
/// # Safety
/// Bytes that are all zero are one of them; they are aligned to [`LINE`] or less; none has padding or
/// anything to drop.
pub(super) unsafe trait Plain: Copy {}

// SAFETY: floats, aligned to 64.
unsafe impl Plain for Row {}
// SAFETY: integers, aligned to 64.
unsafe impl Plain for Panel {}
// SAFETY: integers, aligned to 32, 224 bytes in all.
unsafe impl Plain for Tight {}

/// A slice that does not change any more.
#[derive(Debug, Clone)]
pub(super) struct Pages<T> {
    mapping: Arc<MmapRaw>,
    /// In bytes from the begin of the mapping.
    at: usize,
    len: usize,
    of: PhantomData<T>,
}

impl<T: Plain> Pages<T> {
    /// `len` zeros, changed by `fill`.
    pub(super) fn filled(len: usize, fill: impl FnOnce(&mut [T])) -> Pages<T> {
        let (mapping, at) = take(len * size_of::<T>());
        // SAFETY: `take` gives each range once and inside its mapping, aligned, zero at first; its
        // values are plain; nobody else refers to it before this function returns.
        let all = unsafe {
            std::slice::from_raw_parts_mut(mapping.as_mut_ptr().add(at).cast::<T>(), len)
        };
        fill(all);
        Pages { mapping, at, len, of: PhantomData }
    }
}

impl<T: Plain> Deref for Pages<T> {
    type Target = [T];

    #[inline]
    fn deref(&self) -> &[T] {
        // SAFETY: as in `filled`, and after it nobody writes; the mapping is held.
        unsafe { std::slice::from_raw_parts(self.mapping.as_ptr().add(self.at).cast(), self.len) }
    }
}

/// A range of bytes that nobody else was given, in the mapping begun last if it has room.
fn take(size: usize) -> (Arc<MmapRaw>, usize) {
    /// The mapping begun last, while a matrix is in it, and how much of it is taken.
    static LAST: Mutex<(Weak<MmapRaw>, usize)> = Mutex::new((Weak::new(), 0));
    let size = size.next_multiple_of(LINE);
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(mapping) = last.0.upgrade()
        && size <= mapping.len() - last.1
    {
        let at = last.1;
        last.1 += size;
        return (mapping, at);
    }
    let mapping = Arc::new(map(size.max(MAPPING) + LARGE));
    let at = mapping.as_ptr().align_offset(LARGE);
    *last = (Arc::downgrade(&mapping), at + size);
    (mapping, at)
}

fn map(size: usize) -> MmapRaw {
    let Ok(mapping) = MmapMut::map_anon(size) else {
        handle_alloc_error(Layout::from_size_align(size, LINE).unwrap_or(Layout::new::<u8>()));
    };
    // Advice only: where it is not taken, pages are small.
    #[cfg(target_os = "linux")]
    let _ = mapping.advise(memmap2::Advice::HugePage);
    MmapRaw::from(mapping)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matrices_in_one_mapping_keep_their_own_numbers() {
        let of = |value: f32, len| {
            Pages::filled(len, |all| {
                assert!(all.iter().all(|row| *row == Row::ZERO), "zeros at first");
                all.fill(Row([value; 32]));
            })
        };
        let sizes = [1, 1000, 3, MAPPING / size_of::<Row>() + 1, 7];
        let all: Vec<_> = sizes.into_iter().enumerate().map(|(i, n)| of(i as f32, n)).collect();
        let copies = all.clone();
        drop(all);
        for ((i, pages), n) in copies.iter().enumerate().zip(sizes) {
            assert_eq!(pages.len(), n);
            assert!(pages.iter().all(|row| *row == Row([i as f32; 32])));
            assert!(pages.as_ptr().addr().is_multiple_of(LINE));
        }
    }
}
