//! Where buffers lie in the memory that judge and worker have in common.

use rand::{Rng, RngExt};

use crate::graph::Tensor;

/// Size of a page.
pub(super) const PAGE: usize = 4096;

/// Alignment that a kernel may rely on.
pub(super) const ALIGNMENT: usize = 64;

/// Lowest and highest address at which regions are put: far from program, heap and stack.
const ADDRESSES: std::ops::Range<usize> = 0x1000_0000_0000..0x5000_0000_0000;

/// A buffer's room in a file, a page larger than its content so that the content can move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Region {
    /// Where it starts in the file.
    pub(super) start: usize,
    /// Its size, whole pages.
    pub(super) span: usize,
    /// Size of the content.
    pub(super) length: usize,
}

/// Regions of all given and all returned tensors, one file each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) given: Vec<Region>,
    pub(super) returned: Vec<Region>,
}

/// Where one call's buffer lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// Of the content in its region.
    pub(super) offset: usize,
    /// Of the guard page before the region, in the worker.
    pub(super) address: usize,
}

fn regions(tensors: &[Tensor]) -> Vec<Region> {
    let mut start = 0;
    let mut found = Vec::with_capacity(tensors.len());
    for tensor in tensors {
        let length = tensor.size_bytes();
        let span = length.div_ceil(PAGE) * PAGE + PAGE;
        found.push(Region { start, span, length });
        start += span;
    }
    found
}

impl Layout {
    pub(super) fn of(given: &[Tensor], returned: &[Tensor]) -> Layout {
        Layout { given: regions(given), returned: regions(returned) }
    }

    /// Bytes of both files.
    pub(super) fn size_bytes(&self) -> [usize; 2] {
        [&self.given, &self.returned]
            .map(|regions| regions.last().map_or(PAGE, |last| last.start + last.span))
    }

    pub(super) fn regions(&self) -> impl Iterator<Item = &Region> {
        self.given.iter().chain(&self.returned)
    }

    /// New places for all buffers: against the end of their region, at its start, or between.
    pub(super) fn place(&self, rng: &mut impl Rng) -> Vec<Place> {
        self.regions()
            .map(|region| {
                let most = (region.span - region.length) / ALIGNMENT;
                let step = match rng.random_range(0..4) {
                    0 => 0,
                    1 | 2 => most,
                    _ => rng.random_range(0..=most),
                };
                let page = rng.random_range(ADDRESSES.start / PAGE..ADDRESSES.end / PAGE);
                Place { offset: step * ALIGNMENT, address: page * PAGE }
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::graph::Dtype;

    #[test]
    fn contents_lie_in_their_regions_and_often_touch_the_end() {
        let tensor = |n: usize| Tensor { name: String::new(), dtype: Dtype::F32, shape: vec![n] };
        let layout = Layout::of(&[tensor(1024), tensor(3), tensor(0)], &[tensor(5000)]);
        assert_eq!(layout.size_bytes(), [8192 + 8192 + 4096, 24576]);
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut n_at_end = 0;
        for _ in 0..100 {
            for (place, region) in layout.place(&mut rng).iter().zip(layout.regions()) {
                assert!(place.offset + region.length <= region.span);
                assert_eq!((place.offset % ALIGNMENT, place.address % PAGE), (0, 0));
                n_at_end += usize::from(region.span - place.offset - region.length < ALIGNMENT);
            }
        }
        assert!(n_at_end > 150, "{n_at_end} of 400");
    }
}
