//! Causal self-attention with rotary positions, over keys and values that are kept.
//!
//! Keys are taken 128 at a time with a running maximum (Dao et al., arXiv 2205.14135), so no `[T, T]`
//! matrix exists. All queries at hand pass over them before the next, so that keys and values are read
//! from memory once. Groups of keys begin at fixed positions of the sequence, so that it does not
//! matter in which pieces the sequence was given.

mod backward;
mod fused;
mod narrow;
mod turn;

use crate::blocked::{BLOCK, Blocked, Panel, Row};
use crate::cpu::Cpu;
use crate::linear::Precision;
use crate::products::tile_f32;
use crate::simd::{self, Kernel, Lanes};
use crate::threads;

/// Queries that are taken at once, where there are registers for them.
const QUERIES: usize = 14;

/// Blocks of keys that are taken at once.
const GROUP: usize = 4;

/// 32 channels of 32 keys, or of 32 tokens.
type KeyBlock = [Row; BLOCK];

/// Rotary positions in halves (NeoX): `(a, b)` to `(a cos - b sin, a sin + b cos)`.
#[derive(Debug, Clone)]
pub struct Rotary {
    /// Of `D / 2` pairs.
    inverse_frequencies: Vec<f32>,
    /// Positions are divided by this: 1, or the factor by which the context was extended.
    scale: f32,
}

impl Rotary {
    /// `base^(-2i / D)` for heads of size `D`.
    pub fn new(head_size: usize, base: f64, scale: f64) -> Rotary {
        let frequency = |i: usize| 1.0 / (base as f32).powf((2 * i) as f32 / head_size as f32);
        Rotary::from_frequencies((0..head_size / 2).map(frequency).collect(), scale)
    }

    /// With frequencies from a checkpoint.
    pub fn from_frequencies(inverse_frequencies: Vec<f32>, scale: f64) -> Rotary {
        Rotary { inverse_frequencies, scale: scale as f32 }
    }

    /// Cosines and sines of `n` positions from `first`, `[n][D / 2]`.
    ///
    /// Angles are products in f32, as the models were trained with.
    pub(crate) fn tables(&self, first: usize, n: usize) -> Vec<(f32, f32)> {
        let angle = |position: usize| {
            let position = position as f32 / self.scale;
            self.inverse_frequencies.iter().map(move |frequency| {
                let (sin, cos) = f64::from(position * frequency).sin_cos();
                (cos as f32, sin as f32)
            })
        };
        let n_pairs = self.inverse_frequencies.len();
        let mut all = vec![(0.0, 0.0); n * n_pairs];
        // Each is worth some tens of rows.
        threads::by_units(&mut all, n, 32 * n_pairs, |from, some| {
            let angles = (first + from..).flat_map(angle);
            some.iter_mut().zip(angles).for_each(|(to, angle)| *to = angle);
        });
        all
    }
}

/// Shape and positions of one layer's heads.
#[derive(Debug, Clone)]
pub struct Attention {
    n_heads: usize,
    head_size: usize,
    rotary: Rotary,
    /// Whether keys, values and what meets them are rounded to bfloat16.
    narrow: bool,
}

/// Rotated keys, and values, of one sequence in one layer.
#[derive(Debug, Clone)]
pub struct KeyValues {
    n_tokens: usize,
    heads: Heads,
}

/// What is kept of each head.
#[derive(Debug, Clone)]
enum Heads {
    /// Blocks of 32 keys: `[D]` rows of 32 keys, then `[D / 32][32]` rows of values.
    F32(Vec<Vec<Row>>),
    /// Groups of 128 keys; see [`narrow`].
    Bf16(Vec<Vec<Panel>>),
}

impl KeyValues {
    /// Tokens held.
    pub fn n_tokens(&self) -> usize {
        self.n_tokens
    }

    /// The same tokens so many times, with room for `n_more`. Their positions begin again with each
    /// copy: only the time that attention over them takes is that of a longer sequence.
    ///
    /// # Panics
    /// If the tokens held are no multiple of 128.
    #[doc(hidden)]
    #[must_use]
    pub fn repeated(&self, n_times: usize, n_more: usize) -> KeyValues {
        assert!(self.n_tokens.is_multiple_of(GROUP * BLOCK), "whole groups of keys");
        let n_groups = self.n_tokens / (GROUP * BLOCK);
        let room = n_times * n_groups + n_more.div_ceil(GROUP * BLOCK);
        let heads = match &self.heads {
            Heads::F32(heads) => Heads::F32(repeated(heads, n_times, n_groups, room)),
            Heads::Bf16(heads) => Heads::Bf16(repeated(heads, n_times, n_groups, room)),
        };
        KeyValues { n_tokens: n_times * self.n_tokens, heads }
    }

    /// Bytes held.
    pub fn size_bytes(&self) -> usize {
        match &self.heads {
            Heads::F32(heads) => heads.iter().map(|head| size_of_val(head.as_slice())).sum(),
            Heads::Bf16(heads) => heads.iter().map(|head| size_of_val(head.as_slice())).sum(),
        }
    }
}

/// Each head so many times, with room for so many groups in all.
fn repeated<T: Clone>(
    heads: &[Vec<T>],
    n_times: usize,
    n_groups: usize,
    room: usize,
) -> Vec<Vec<T>> {
    let repeat = |head: &Vec<T>| {
        let mut all = Vec::with_capacity(head.len() / n_groups.max(1) * room);
        for _ in 0..n_times {
            all.extend_from_slice(head);
        }
        all
    };
    heads.iter().map(repeat).collect()
}

impl Attention {
    /// With `n_heads` heads of `head_size` channels.
    ///
    /// # Panics
    /// If the head size is odd, or the positions are for another one.
    pub fn new(n_heads: usize, head_size: usize, rotary: Rotary) -> Attention {
        assert_eq!(head_size, 2 * rotary.inverse_frequencies.len(), "pairs of channels");
        Attention { n_heads, head_size, rotary, narrow: false }
    }

    /// In bfloat16, where `precision` is that and heads are whole blocks of channels: queries, keys, their
    /// weights and values are rounded, sums stay in f32. Else in f32.
    #[must_use]
    pub fn in_precision(mut self, precision: Precision) -> Attention {
        self.narrow = precision == Precision::Bf16 && self.head_size.is_multiple_of(BLOCK);
        self
    }

    /// Of a sequence that has not begun.
    pub fn state(&self) -> KeyValues {
        let heads = if self.narrow {
            Heads::Bf16(vec![Vec::new(); self.n_heads])
        } else {
            Heads::F32(vec![Vec::new(); self.n_heads])
        };
        KeyValues { n_tokens: 0, heads }
    }

    /// Rotated key and value of one token, `[2, H, D]`.
    ///
    /// # Panics
    /// If the state does not hold the token.
    pub fn key_value(&self, state: &KeyValues, token: usize) -> Vec<f32> {
        assert!(token < state.n_tokens, "a token that was seen");
        let heads = match &state.heads {
            Heads::F32(heads) => heads,
            Heads::Bf16(heads) => {
                let of = |third: usize| {
                    let of = move |head: &Vec<Panel>| {
                        let [key, value] = narrow::key_value(head, self.head_size, token);
                        if third == 1 { key } else { value }
                    };
                    heads.iter().flat_map(of)
                };
                return of(1).chain(of(2)).collect();
            }
        };
        let (block, at) = (token / BLOCK, token % BLOCK);
        let size = self.rows_per_block();
        let padded = self.padded();
        let of = |value: bool| {
            heads.iter().flat_map(move |head| {
                let rows = &head[block * size..(block + 1) * size];
                (0..self.head_size).map(move |c| {
                    if value {
                        rows[padded + c / BLOCK * BLOCK + at].0[c % BLOCK]
                    } else {
                        rows[c].0[at]
                    }
                })
            })
        };
        of(false).chain(of(true)).collect()
    }

    /// Head size up to whole blocks.
    fn padded(&self) -> usize {
        self.head_size.next_multiple_of(BLOCK)
    }

    fn rows_per_block(&self) -> usize {
        2 * self.padded()
    }

    /// What scores are multiplied by.
    fn scale(&self) -> f32 {
        1.0 / (self.head_size as f32).sqrt()
    }

    /// A head's queries, keys or values, `[D / 32][T]`, of whole blocks.
    fn third<'a>(&self, qkv: &'a Blocked, head: usize, third: usize) -> &'a [Row] {
        let n_rows = self.head_size / BLOCK * qkv.n_tokens();
        &qkv.rows()[(third * self.n_heads + head) * n_rows..][..n_rows]
    }

    /// From projections, `[T, 3 C]` with thirds q, k, v of heads in order, to `out`, `[T, C]`.
    ///
    /// # Panics
    /// If the shapes do not fit.
    pub fn forward(&self, cpu: Cpu, qkv: &Blocked, state: &mut KeyValues, out: &mut Blocked) {
        let n_channels = self.n_heads * self.head_size;
        assert_eq!(qkv.n_channels(), 3 * n_channels, "three projections");
        assert_eq!((out.n_channels(), out.n_tokens()), (n_channels, qkv.n_tokens()));
        let n_tokens = qkv.n_tokens();
        if n_tokens == 0 {
            return;
        }
        let first = state.n_tokens;
        let table = self.rotary.tables(first, n_tokens);
        let turns = (self.narrow || cpu.found && self.head_size.is_multiple_of(BLOCK))
            .then(|| turn::Turns::new(&table, self.head_size / 2));
        let n_rows = self.padded() / BLOCK * n_tokens;
        let mut all = vec![Row::ZERO; self.n_heads * n_rows];
        // A query meets every key before it.
        let work = n_tokens * (first + n_tokens);
        let n_heads = self.n_heads;
        match &mut state.heads {
            Heads::Bf16(heads) => {
                let turns = turns.expect("heads of whole blocks");
                threads::by_units_with(&mut all, heads, n_heads, work, |head, out, caches| {
                    for (idx, (out, cache)) in out.chunks_exact_mut(n_rows).zip(caches).enumerate()
                    {
                        let at = (head + idx, first);
                        let queries = &narrow::remember(&turns, cpu, self, qkv, at, cache);
                        let head_size = self.head_size;
                        let head = narrow::Head { head_size, queries, cache, first, n_tokens, out };
                        simd::run(cpu, head);
                    }
                });
            }
            Heads::F32(heads) => {
                threads::by_units_with(&mut all, heads, n_heads, work, |head, out, caches| {
                    for (idx, (out, cache)) in out.chunks_exact_mut(n_rows).zip(caches).enumerate()
                    {
                        let head = head + idx;
                        let queries = match &turns {
                            Some(turns) => turns.remember(cpu, self, qkv, head, first, cache),
                            None => {
                                self.remember(qkv, head, first, &table, cache);
                                self.queries(qkv, head, &table)
                            }
                        };
                        let (attention, queries) = (self, queries.as_slice());
                        let head = Head { attention, queries, cache, first, n_tokens, out };
                        if cpu.found {
                            simd::run(cpu, fused::Fused(head));
                        } else {
                            simd::run(cpu, head);
                        }
                    }
                });
            }
        }
        state.n_tokens += n_tokens;
        if self.padded() == self.head_size {
            out.rows_mut().copy_from_slice(&all);
            return;
        }
        let mut token_out = vec![0.0; n_channels];
        for token in 0..n_tokens {
            for (c, to) in token_out.iter_mut().enumerate() {
                let (head, c) = (c / self.head_size, c % self.head_size);
                *to = all[head * n_rows + c / BLOCK * n_tokens + token].0[c % BLOCK];
            }
            out.write_token(token, &token_out);
        }
    }

    /// Channel `c` of a token's projections.
    fn at(qkv: &Blocked, token: usize, c: usize) -> f32 {
        qkv.rows()[c / BLOCK * qkv.n_tokens() + token].0[c % BLOCK]
    }

    /// One rotated head of a token.
    fn rotated(
        &self,
        qkv: &Blocked,
        token: usize,
        from: usize,
        table: &[(f32, f32)],
        to: &mut [f32],
    ) {
        let half = self.head_size / 2;
        for (i, (cos, sin)) in table[token * half..(token + 1) * half].iter().enumerate() {
            let (a, b) = (Self::at(qkv, token, from + i), Self::at(qkv, token, from + half + i));
            to[i] = a * cos - b * sin;
            to[half + i] = a * sin + b * cos;
        }
    }

    /// Appends the keys and values of a head.
    fn remember(
        &self,
        qkv: &Blocked,
        head: usize,
        first: usize,
        table: &[(f32, f32)],
        cache: &mut Vec<Row>,
    ) {
        let n_channels = self.n_heads * self.head_size;
        let (size, padded) = (self.rows_per_block(), self.padded());
        let n_tokens = qkv.n_tokens();
        cache.resize((first + n_tokens).div_ceil(BLOCK) * size, Row::ZERO);
        let mut key = vec![0.0; self.head_size];
        for token in 0..n_tokens {
            let position = first + token;
            let rows = &mut cache[position / BLOCK * size..][..size];
            let at = position % BLOCK;
            self.rotated(qkv, token, n_channels + head * self.head_size, table, &mut key);
            for (row, key) in rows.iter_mut().zip(&key) {
                row.0[at] = *key;
            }
            for c in 0..self.head_size {
                let value = Self::at(qkv, token, 2 * n_channels + head * self.head_size + c);
                rows[padded + c / BLOCK * BLOCK + at].0[c % BLOCK] = value;
            }
        }
    }

    /// Rotated queries of a head, scaled, `[D / 32][T]`.
    fn queries(&self, qkv: &Blocked, head: usize, table: &[(f32, f32)]) -> Vec<Row> {
        let n_tokens = qkv.n_tokens();
        let scale = self.scale();
        let mut rows = vec![Row::ZERO; self.padded() / BLOCK * n_tokens];
        let mut query = vec![0.0; self.head_size];
        for token in 0..n_tokens {
            self.rotated(qkv, token, head * self.head_size, table, &mut query);
            for (c, value) in query.iter().enumerate() {
                rows[c / BLOCK * n_tokens + token].0[c % BLOCK] = value * scale;
            }
        }
        rows
    }
}

/// One head over all its queries.
struct Head<'a> {
    attention: &'a Attention,
    queries: &'a [Row],
    cache: &'a [Row],
    first: usize,
    n_tokens: usize,
    /// Zeros; `[D / 32][T]`, with blocks of channels first, like all activations.
    out: &'a mut [Row],
}

/// Of the keys that a query has met.
#[derive(Clone, Copy)]
struct Seen {
    /// Their greatest score.
    greatest: f32,
    /// Sums of the exponentials of their scores above that.
    total: [f32; 16],
}

impl Kernel for Head<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Lanes>(mut self) {
        let nothing = Seen { greatest: f32::NEG_INFINITY, total: [0.0; 16] };
        let mut seen = vec![nothing; self.n_tokens];
        let cache = self.cache;
        for (group, rows) in cache.chunks(GROUP * self.attention.rows_per_block()).enumerate() {
            let key = group * GROUP * BLOCK;
            let mut at = 0;
            while at < self.n_tokens {
                let left = self.n_tokens - at;
                if V::ROWS >= QUERIES && left >= QUERIES {
                    at += self.some::<V, QUERIES>(at, key, rows, &mut seen);
                } else if V::ROWS >= 4 && left >= 4 {
                    at += self.some::<V, 4>(at, key, rows, &mut seen);
                } else if left >= 2 {
                    at += self.some::<V, 2>(at, key, rows, &mut seen);
                } else {
                    at += self.some::<V, 1>(at, key, rows, &mut seen);
                }
            }
        }
        for (query, seen) in seen.iter().enumerate() {
            let factor = V::splat(1.0 / V::load(&seen.total).sum());
            self.scale(query, factor);
        }
    }
}

impl Head<'_> {
    /// `N` queries from `at` over the keys of a group that they may see, the first of them number
    /// `key`. Gives `N`.
    #[inline(always)]
    fn some<V: Lanes, const N: usize>(
        &mut self,
        at: usize,
        key: usize,
        rows: &[Row],
        seen: &mut [Seen],
    ) -> usize {
        let padded = self.attention.padded();
        let n_keys = (self.first + at + N).saturating_sub(key);
        let blocks = || rows.chunks_exact(2 * padded).take(n_keys.div_ceil(BLOCK));
        let mut scores = [[Row::ZERO; N]; GROUP];
        for (rows, scores) in blocks().zip(&mut scores) {
            tile_f32::<V, N>(self.queries, &rows[..padded], self.n_tokens, at, 0, scores);
        }
        let scores = &mut scores[..blocks().len()];
        if scores.is_empty() {
            return N;
        }
        for query in 0..N {
            let n_seen = (self.first + at + query + 1).saturating_sub(key);
            let unseen = n_seen..scores.len() * BLOCK;
            let mut best = V::splat(f32::NEG_INFINITY);
            for key in unseen.clone() {
                scores[key / BLOCK][query].0[key % BLOCK] = f32::NEG_INFINITY;
            }
            for scores in scores.iter() {
                let [low, high] = scores[query].halves().map(V::load);
                best = best.max(low).max(high);
            }
            let Seen { greatest, total } = &mut seen[at + query];
            let best = best.greatest();
            if best > *greatest {
                let shrink = if key == 0 { 0.0 } else { *greatest - best };
                let shrink = V::splat(shrink).exp();
                V::load(total).mul(shrink).store(total);
                *greatest = best;
                self.scale(at + query, shrink);
            }
            let minus = V::splat(-*greatest);
            for scores in scores.iter_mut() {
                for half in scores[query].halves_mut() {
                    V::load(half).add(minus).exp().store(half);
                }
            }
            // Their exponentials are small, not nothing.
            for key in unseen {
                scores[key / BLOCK][query].0[key % BLOCK] = 0.0;
            }
            let mut sum = V::load(total);
            for scores in scores.iter() {
                let [low, high] = scores[query].halves().map(V::load);
                sum = sum.add(low.add(high));
            }
            sum.store(total);
        }
        for (rows, scores) in blocks().zip(scores.iter()) {
            let slices = rows[padded..].chunks_exact(BLOCK);
            for (values, out) in slices.zip(self.out.chunks_exact_mut(self.n_tokens)) {
                tile_f32::<V, N>(scores, values, N, 0, at, out);
            }
        }
        N
    }

    /// Multiplies what a query has gathered.
    #[inline(always)]
    fn scale<V: Lanes>(&mut self, query: usize, factor: V) {
        for slice in self.out.chunks_exact_mut(self.n_tokens) {
            for half in slice[query].halves_mut() {
                V::load(half).mul(factor).store(half);
            }
        }
    }
}
