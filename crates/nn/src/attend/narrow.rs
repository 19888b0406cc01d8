//! The same in bfloat16 with sums in f32: scores are products of rounded queries and keys, and a rounded
//! softmax gathers rounded values.

use super::softmax::softmax_all;
use super::{Attended, Channels, Heads, Room, Seen, Unit};
use crate::blocked::{BLOCK, Blocked, Narrow, Panel, Row};
use crate::cpu::Cpu;
use crate::products::{round_row, tiles_bf16 as tiles};
use crate::simd::{self, Kernel, LANES, Lanes, to_bf16};

/// Pairs in a block.
const PAIRS: usize = BLOCK / 2;

/// Panels of one head: `[keys / 32][D / 2]` pairs of channels by 32 keys, then `[D / 32][keys / 2]` pairs of
/// keys by 32 channels of values.
pub(super) fn n_panels(heads: Heads, n_keys: usize) -> usize {
    n_keys.div_ceil(BLOCK) * heads.size
}

/// Rounds keys and values of one head to their panels; 0 for tokens that there are not.
pub(super) struct Keep<'a> {
    pub(super) of: Unit,
    pub(super) keys: Channels<'a>,
    pub(super) values: Channels<'a>,
    pub(super) to: &'a mut [Panel],
}

impl Kernel for Keep<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Lanes>(self) {
        let Keep { of, keys, values, to } = self;
        let (to_keys, to_values) = to.split_at_mut(to.len() / 2);
        let to_values = to_values.chunks_exact_mut(to_keys.len() / of.heads.n_blocks());
        for (block, to_values) in to_values.enumerate() {
            let from = of.block(keys, block).chunks(BLOCK);
            for (from, to) in from.zip(to_keys.chunks_exact_mut(of.heads.size / 2)) {
                turn::<V>(from, &mut to[block * PAIRS..][..PAIRS]);
            }
            let pairs = of.block(values, block).chunks(2);
            let (some, beyond) = to_values.split_at_mut(pairs.len());
            for (pair, to) in pairs.zip(some) {
                let [even, odd] = [&pair[0], pair.get(1).unwrap_or(&Row::ZERO)];
                for ((to, even), odd) in to.0.iter_mut().zip(even.0).zip(odd.0) {
                    *to = to_bf16(even) | to_bf16(odd) << 16;
                }
            }
            beyond.fill(Panel::ZERO);
        }
    }
}

/// At most 32 rows of 16 pairs become 16 of 32 pairs.
#[inline(always)]
fn turn<V: Lanes>(from: &[Row], to: &mut [Panel]) {
    for half in 0..2 {
        let from = from.get(half * LANES..).unwrap_or(&[]);
        // Pairs change places as floats do: nothing is reckoned with them.
        let rows = std::array::from_fn(|token| match from.get(token) {
            Some(row) => V::load(&round_row::<V>(row).0.map(f32::from_bits)),
            None => V::splat(0.0),
        });
        for (column, to) in V::transpose(rows).into_iter().zip(&mut *to) {
            let mut lanes = [0.0; LANES];
            column.store(&mut lanes);
            to.0.as_chunks_mut::<LANES>().0[half] = lanes.map(f32::to_bits);
        }
    }
}

/// `softmax(q kᵀ / √D) v` of every sample and head into `out`.
pub(super) fn forward(
    cpu: Cpu,
    heads: Heads,
    queries: Channels<'_>,
    seen: Seen<'_>,
    room: &mut Room,
    out: &mut Blocked,
) {
    let (n_samples, n_keys) = seen.shape();
    let each = queries.all.n_tokens() / n_samples;
    let (size, n_panels) = (n_keys.div_ceil(BLOCK) * each, n_panels(heads, n_keys));
    let Room { weights, panels, queries: rounded, narrow, .. } = room;
    weights.resize(size, Row::ZERO);
    narrow.resize(size, Narrow([0; PAIRS]));
    rounded.resize(heads.n_blocks() * each, Narrow([0; PAIRS]));
    for unit in 0..n_samples * heads.n {
        let of = Unit { heads, n_samples, unit };
        let panels = match seen {
            Seen::Live(_, [keys, values]) => {
                panels.resize(n_panels, Panel::ZERO);
                simd::run(cpu, Keep { of, keys, values, to: panels });
                &*panels
            }
            Seen::Held(Attended { panels, .. }) => &panels[unit * n_panels..][..n_panels],
        };
        let (out, rounded) = (&mut *out, &mut *rounded);
        simd::run(cpu, Forward { of, queries, panels, n_keys, rounded, weights, narrow, out });
    }
}

struct Forward<'a> {
    of: Unit,
    queries: Channels<'a>,
    panels: &'a [Panel],
    n_keys: usize,
    /// Room for queries, `[D / 32][T]`.
    rounded: &'a mut [Narrow],
    /// Room for scores, `[keys / 32][T]`, and for what is rounded of them.
    weights: &'a mut [Row],
    narrow: &'a mut [Narrow],
    out: &'a mut Blocked,
}

impl Kernel for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Lanes>(self) {
        let Forward { of, queries, panels, n_keys, rounded, weights, narrow, out } = self;
        let (n_blocks, n_all) = (of.heads.n_blocks(), out.n_tokens());
        let each = rounded.len() / n_blocks;
        let (keys, values) = panels.split_at(panels.len() / 2);
        for (block, to) in rounded.chunks_exact_mut(each).enumerate() {
            for (to, row) in to.iter_mut().zip(of.block(queries, block)) {
                *to = round_row::<V>(row);
            }
        }
        let keys = keys.chunks_exact(of.heads.size / 2);
        for (keys, scores) in keys.zip(weights.chunks_exact_mut(each)) {
            tiles::<V>(rounded, keys, scores);
        }
        softmax_all::<V>(weights, each, n_keys, of.heads.scale());
        for (to, row) in narrow.iter_mut().zip(&*weights) {
            *to = round_row::<V>(row);
        }
        for (block, values) in values.chunks_exact(values.len() / n_blocks).enumerate() {
            tiles::<V>(narrow, values, &mut out.rows_mut()[of.range(n_all, block)]);
        }
    }
}
