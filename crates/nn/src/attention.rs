//! Causal self-attention with rotary positions, over keys and values that are kept.
//!
//! Keys are taken 32 at a time with a running maximum (Dao et al., arXiv 2205.14135), so no `[T, T]`
//! matrix exists. Blocks of keys begin at fixed positions of the sequence, so that it does not matter
//! in which pieces the sequence was given.

mod backward;

use crate::blocked::{BLOCK, Blocked, Row};
use crate::cpu::Cpu;
use crate::products::tile_f32;
use crate::simd::{self, Kernel, Lanes};
use crate::threads;

/// Queries that are taken at once, where there are registers for them.
const QUERIES: usize = 14;

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
    fn tables(&self, first: usize, n: usize) -> Vec<(f32, f32)> {
        let angle = |position: usize| {
            let position = position as f32 / self.scale;
            self.inverse_frequencies.iter().map(move |frequency| {
                let (sin, cos) = f64::from(position * frequency).sin_cos();
                (cos as f32, sin as f32)
            })
        };
        (first..first + n).flat_map(angle).collect()
    }
}

/// Shape and positions of one layer's heads.
#[derive(Debug, Clone)]
pub struct Attention {
    n_heads: usize,
    head_size: usize,
    rotary: Rotary,
}

/// Rotated keys, and values, of one sequence in one layer.
#[derive(Debug, Clone)]
pub struct KeyValues {
    n_tokens: usize,
    /// Per head, blocks of 32 keys: `[D]` rows of 32 keys, then `[D / 32][32]` rows of values.
    heads: Vec<Vec<Row>>,
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
    /// If the tokens held are no multiple of [`BLOCK`].
    #[doc(hidden)]
    #[must_use]
    pub fn repeated(&self, n_times: usize, n_more: usize) -> KeyValues {
        assert!(self.n_tokens.is_multiple_of(BLOCK), "whole blocks of keys");
        let n_blocks = self.n_tokens / BLOCK;
        let repeat = |head: &Vec<Row>| {
            let n_rows =
                head.len() / n_blocks.max(1) * (n_times * n_blocks + n_more.div_ceil(BLOCK));
            let mut all = Vec::with_capacity(n_rows);
            for _ in 0..n_times {
                all.extend_from_slice(head);
            }
            all
        };
        let heads = self.heads.iter().map(repeat).collect();
        KeyValues { n_tokens: n_times * self.n_tokens, heads }
    }

    /// Bytes held.
    pub fn size_bytes(&self) -> usize {
        self.heads.iter().map(|head| size_of_val(head.as_slice())).sum()
    }
}

impl Attention {
    /// With `n_heads` heads of `head_size` channels.
    ///
    /// # Panics
    /// If the head size is odd, or the positions are for another one.
    pub fn new(n_heads: usize, head_size: usize, rotary: Rotary) -> Attention {
        assert_eq!(head_size, 2 * rotary.inverse_frequencies.len(), "pairs of channels");
        Attention { n_heads, head_size, rotary }
    }

    /// Of a sequence that has not begun.
    pub fn state(&self) -> KeyValues {
        KeyValues { n_tokens: 0, heads: vec![Vec::new(); self.n_heads] }
    }

    /// Rotated key and value of one token, `[2, H, D]`.
    ///
    /// # Panics
    /// If the state does not hold the token.
    pub fn key_value(&self, state: &KeyValues, token: usize) -> Vec<f32> {
        assert!(token < state.n_tokens, "a token that was seen");
        let (block, at) = (token / BLOCK, token % BLOCK);
        let size = self.rows_per_block();
        let padded = self.padded();
        let of = |value: bool| {
            state.heads.iter().flat_map(move |head| {
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
        let n_rows = self.padded() / BLOCK * n_tokens;
        let mut all = vec![Row::ZERO; self.n_heads * n_rows];
        // A query meets every key before it.
        let work = n_tokens * (first + n_tokens);
        let n_heads = self.n_heads;
        threads::by_units_with(&mut all, &mut state.heads, n_heads, work, |head, out, caches| {
            for (idx, (out, cache)) in out.chunks_exact_mut(n_rows).zip(caches).enumerate() {
                let head = head + idx;
                self.remember(qkv, head, first, &table, cache);
                let queries = self.queries(qkv, head, &table);
                let (attention, queries) = (self, queries.as_slice());
                simd::run(cpu, Head { attention, queries, cache, first, n_tokens, out });
            }
        });
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
        let scale = 1.0 / (self.head_size as f32).sqrt();
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
    out: &'a mut [Row],
}

impl Kernel for Head<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Lanes>(mut self) {
        let mut at = 0;
        while at < self.n_tokens {
            if self.n_tokens - at >= QUERIES && V::ROWS >= QUERIES {
                self.some::<V, QUERIES>(at);
                at += QUERIES;
            } else if self.n_tokens - at >= 4 && V::ROWS >= 4 {
                self.some::<V, 4>(at);
                at += 4;
            } else if self.n_tokens - at >= 2 {
                self.some::<V, 2>(at);
                at += 2;
            } else {
                self.some::<V, 1>(at);
                at += 1;
            }
        }
    }
}

impl Head<'_> {
    /// `N` queries from `at` over all keys that they may see.
    #[inline(always)]
    fn some<V: Lanes, const N: usize>(&mut self, at: usize) {
        let padded = self.attention.padded();
        let n_slices = padded / BLOCK;
        let size = 2 * padded;
        let n_keys = self.first + at + N;
        let mut greatest = [f32::NEG_INFINITY; N];
        let mut total = [V::splat(0.0); N];
        // With blocks of channels first, like all activations.
        let mut sums = vec![Row::ZERO; n_slices * N];
        for (block, rows) in self.cache.chunks_exact(size).take(n_keys.div_ceil(BLOCK)).enumerate()
        {
            let (keys, values) = rows.split_at(padded);
            let mut scores = [Row::ZERO; N];
            tile_f32::<V, N>(self.queries, keys, self.n_tokens, at, 0, &mut scores);
            for query in 0..N {
                let seen = (self.first + at + query + 1).saturating_sub(block * BLOCK);
                let row = &mut scores[query];
                if seen < BLOCK {
                    row.0[seen..].fill(f32::NEG_INFINITY);
                }
                let [low, high] = row.halves().map(V::load);
                let best = low.max(high).greatest();
                let best = if best > greatest[query] { best } else { greatest[query] };
                let minus = V::splat(-best);
                let [low, high] = [low.add(minus).exp(), high.add(minus).exp()];
                let [low_to, high_to] = row.halves_mut();
                low.store(low_to);
                high.store(high_to);
                if seen < BLOCK {
                    row.0[seen..].fill(0.0);
                }
                let [low, high] = row.halves().map(V::load);
                if best > greatest[query] {
                    let shrink = if block == 0 {
                        V::splat(0.0)
                    } else {
                        V::splat(greatest[query]).add(minus).exp()
                    };
                    total[query] = total[query].mul(shrink);
                    for slice in sums.chunks_exact_mut(N) {
                        for half in slice[query].halves_mut() {
                            V::load(half).mul(shrink).store(half);
                        }
                    }
                    greatest[query] = best;
                }
                total[query] = total[query].add(low.add(high));
            }
            for (values, sums) in values.chunks_exact(BLOCK).zip(sums.chunks_exact_mut(N)) {
                tile_f32::<V, N>(&scores, values, N, 0, 0, sums);
            }
        }
        for (slice, sums) in sums.chunks_exact(N).enumerate() {
            for query in 0..N {
                let factor = V::splat(1.0 / total[query].sum());
                let sums = sums[query].halves().map(V::load);
                let to = &mut self.out[slice * self.n_tokens + at + query];
                for (half, to) in to.halves_mut().into_iter().enumerate() {
                    sums[half].mul(factor).store(to);
                }
            }
        }
    }
}
