//! Attention in bfloat16 with sums in f32: scores are products of rounded queries and keys, and rounded
//! exponentials gather rounded values. What is kept of a token is half as long.
//!
//! The exponentials' sum is that of the unrounded ones, as in the official attention (Dao et al., arXiv
//! 2205.14135, as its authors' CUDA code does it).

use super::fused::{part, whole};
use super::turn::Turns;
use super::{Attention, GROUP, QUERIES, Seen};
use crate::blocked::{BLOCK, Blocked, Narrow, Panel, Row};
use crate::cpu::Cpu;
use crate::products::{Share, round_row, round_rows, tile_bf16};
use crate::simd::{self, Kernel, Lanes, to_bf16};

/// Pairs in a block.
const PAIRS: usize = BLOCK / 2;

/// Panels of a group of keys: `[4][D / 2]` pairs of channels by 32 keys, then `[D / 32][4 × 16]` pairs of
/// keys by 32 channels of values.
pub(super) fn panels_per_group(head_size: usize) -> usize {
    GROUP * head_size
}

/// Appends the keys and values of a head, and gives its queries, rotated, scaled and rounded,
/// `[D / 32][T]`.
pub(super) fn remember(
    turns: &Turns,
    cpu: Cpu,
    attention: &Attention,
    qkv: &Blocked,
    (head, first): (usize, usize),
    cache: &mut Vec<Panel>,
) -> Vec<Narrow> {
    let (n_tokens, head_size) = (qkv.n_tokens(), attention.head_size);
    let n_groups = (first + n_tokens).div_ceil(GROUP * BLOCK);
    cache.resize(n_groups * panels_per_group(head_size), Panel::ZERO);
    let of = |third: usize| attention.third(qkv, head, third);
    let keys = &turns.all(cpu, of(1), n_tokens, 1.0);
    simd::run(cpu, Keep { head_size, keys, values: of(2), n_tokens, first, cache });
    let queries = turns.all(cpu, of(0), n_tokens, attention.scale());
    let mut rounded = vec![Narrow([0; PAIRS]); queries.len()];
    round_rows(cpu, &queries, &mut rounded);
    rounded
}

/// Writes rounded keys and values, `[D / 32][T]`, to their places. Plain code; here it is compiled for
/// whole vectors.
struct Keep<'a> {
    head_size: usize,
    keys: &'a [Row],
    values: &'a [Row],
    n_tokens: usize,
    first: usize,
    cache: &'a mut [Panel],
}

impl Kernel for Keep<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Lanes>(self) {
        let Keep { head_size, keys, values, n_tokens, first, cache } = self;
        let size = panels_per_group(head_size);
        for token in 0..n_tokens {
            let position = first + token;
            let (group, at) = (position / (GROUP * BLOCK), position % (GROUP * BLOCK));
            let (to_keys, to_values) =
                cache[group * size..][..size].split_at_mut(GROUP * head_size / 2);
            let to_keys = to_keys[at / BLOCK * head_size / 2..].chunks_exact_mut(PAIRS);
            for (block, to) in keys.chunks_exact(n_tokens).zip(to_keys) {
                for (to, pair) in to.iter_mut().zip(round_row::<V>(&block[token]).0) {
                    to.0[at % BLOCK] = pair;
                }
            }
            let (keep, shift) = if at % 2 == 0 { (0xffff_0000, 0) } else { (0xffff, 16) };
            let to_values = to_values.chunks_exact_mut(GROUP * PAIRS);
            for (block, to) in values.chunks_exact(n_tokens).zip(to_values) {
                for (to, value) in to[at / 2].0.iter_mut().zip(block[token].0) {
                    *to = *to & keep | to_bf16(value) << shift;
                }
            }
        }
    }
}

/// Key and value of a token that was kept.
pub(super) fn key_value(cache: &[Panel], head_size: usize, token: usize) -> [Vec<f32>; 2] {
    let (group, at) = (token / (GROUP * BLOCK), token % (GROUP * BLOCK));
    let size = panels_per_group(head_size);
    let (keys, values) = cache[group * size..][..size].split_at(GROUP * head_size / 2);
    let keys = &keys[at / BLOCK * head_size / 2..];
    let half =
        |pair: u32, odd: bool| f32::from_bits(if odd { pair & 0xffff_0000 } else { pair << 16 });
    let key = (0..head_size).map(|c| half(keys[c / 2].0[at % BLOCK], c % 2 == 1));
    let value = (0..head_size).map(|c| {
        let panel = &values[c / BLOCK * GROUP * PAIRS + at / 2];
        half(panel.0[c % BLOCK], at % 2 == 1)
    });
    [key.collect(), value.collect()]
}

/// One head over all its queries.
pub(super) struct Head<'a> {
    pub(super) head_size: usize,
    /// `[D / 32][T]`.
    pub(super) queries: &'a [Narrow],
    pub(super) cache: &'a [Panel],
    pub(super) first: usize,
    pub(super) n_tokens: usize,
    /// Zeros; `[D / 32][T]`.
    pub(super) out: &'a mut [Row],
}

/// Where a tile's scores, and their exponentials, are.
struct Tiles {
    scores: [Row; GROUP * QUERIES],
    narrow: [Narrow; GROUP * QUERIES],
}

impl Kernel for Head<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Lanes>(mut self) {
        let nothing = Seen { greatest: f32::NEG_INFINITY, total: [0.0; 16] };
        let mut seen = vec![nothing; self.n_tokens];
        let mut tiles = Tiles {
            scores: [Row::ZERO; GROUP * QUERIES],
            narrow: [Narrow([0; PAIRS]); GROUP * QUERIES],
        };
        let cache = self.cache;
        for (group, rows) in cache.chunks_exact(panels_per_group(self.head_size)).enumerate() {
            let key = group * GROUP * BLOCK;
            let mut at = 0;
            while at < self.n_tokens {
                let left = self.n_tokens - at;
                let seen = &mut seen[at..];
                at += if V::ROWS >= QUERIES && left >= QUERIES {
                    self.some::<V, QUERIES>(at, key, rows, &mut tiles, seen)
                } else if V::ROWS >= 4 && left >= 4 {
                    self.some::<V, 4>(at, key, rows, &mut tiles, seen)
                } else if left >= 2 {
                    self.some::<V, 2>(at, key, rows, &mut tiles, seen)
                } else {
                    self.some::<V, 1>(at, key, rows, &mut tiles, seen)
                };
            }
        }
        for (query, seen) in seen.iter().enumerate() {
            self.scale::<V>(query, 1.0 / V::load(&seen.total).sum());
        }
    }
}

impl Head<'_> {
    /// `N` queries from `at` over the keys of a group that they may see, the first of them number `key`.
    /// Gives `N`.
    #[inline(always)]
    fn some<V: Lanes, const N: usize>(
        &mut self,
        at: usize,
        key: usize,
        group: &[Panel],
        tiles: &mut Tiles,
        seen: &mut [Seen],
    ) -> usize {
        let n_keys = (self.first + at + N).saturating_sub(key);
        let n_blocks = n_keys.div_ceil(BLOCK).min(GROUP);
        if n_blocks == 0 {
            return N;
        }
        let of = if N <= 2 { Share::ALL } else { Share::NONE };
        let (keys, values) = group.split_at(GROUP * self.head_size / 2);
        let scores = &mut tiles.scores[..n_blocks * N];
        let narrow = &mut tiles.narrow[..n_blocks * N];
        for (keys, scores) in keys.chunks_exact(self.head_size / 2).zip(scores.chunks_exact_mut(N))
        {
            tile_bf16::<V, N>(self.queries, keys, self.n_tokens, at, of, true, scores);
        }
        for (query, seen) in seen[..N].iter_mut().enumerate() {
            let n_seen = (self.first + at + query + 1).saturating_sub(key);
            let shrink = if n_seen >= GROUP * BLOCK {
                whole::<V, N>(scores, query, seen)
            } else {
                part::<V, N>(scores, query, n_seen, seen)
            };
            if let Some(shrink) = shrink {
                self.scale::<V>(at + query, shrink);
            }
        }
        for (to, row) in narrow.iter_mut().zip(&*scores) {
            *to = round_row::<V>(row);
        }
        let values = values.chunks_exact(GROUP * PAIRS);
        for (values, out) in values.zip(self.out.chunks_exact_mut(self.n_tokens)) {
            let (values, out) = (&values[..n_blocks * PAIRS], &mut out[at..at + N]);
            tile_bf16::<V, N>(narrow, values, N, 0, of, false, out);
        }
        N
    }

    /// Multiplies what a query has gathered.
    #[inline(always)]
    fn scale<V: Lanes>(&mut self, query: usize, factor: f32) {
        let factor = V::splat(factor);
        for slice in self.out.chunks_exact_mut(self.n_tokens) {
            for half in slice[query].halves_mut() {
                V::load(half).mul(factor).store(half);
            }
        }
    }
}
