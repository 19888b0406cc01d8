//! Keys transposed.

use super::{Channels, Unit};
use crate::blocked::{BLOCK, Row};
use crate::simd::{Kernel, LANES, Lanes};

/// Transposes the keys of one head: by 32 tokens, `[D]` rows of them; 0 for tokens that there are not.
pub(super) struct Turn<'a> {
    pub(super) of: Unit,
    pub(super) keys: Channels<'a>,
    pub(super) to: &'a mut [Row],
}

impl Kernel for Turn<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Lanes>(self) {
        let Turn { of, keys, to } = self;
        for block in 0..of.heads.n_blocks() {
            let from = of.block(keys, block).chunks(BLOCK);
            for (from, to) in from.zip(to.chunks_exact_mut(of.heads.size)) {
                transpose::<V>(from, &mut to[block * BLOCK..][..BLOCK]);
            }
        }
    }
}

/// Rows and lanes change places; rows that there are not are 0.
#[inline(always)]
pub(crate) fn transpose<V: Lanes>(from: &[Row], to: &mut [Row]) {
    for tokens in 0..2 {
        let mut some = [Row::ZERO; LANES];
        let from = from.get(tokens * LANES..).unwrap_or(&[]);
        if from.is_empty() {
            for to in to.iter_mut() {
                to.0.as_chunks_mut::<LANES>().0[tokens].fill(0.0);
            }
            continue;
        }
        let rows = from.first_chunk::<LANES>().unwrap_or_else(|| {
            some[..from.len()].copy_from_slice(from);
            &some
        });
        for (channels, to) in to.as_chunks_mut::<LANES>().0.iter_mut().enumerate() {
            let half = |row: &Row| V::load(&row.0.as_chunks::<LANES>().0[channels]);
            let columns = V::transpose(std::array::from_fn(|token| half(&rows[token])));
            for (to, column) in to.iter_mut().zip(columns) {
                column.store(&mut to.0.as_chunks_mut::<LANES>().0[tokens]);
            }
        }
    }
}
