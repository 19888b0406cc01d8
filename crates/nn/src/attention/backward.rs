//! Attention backwards, over a sequence from its beginning.
//!
//! Queries are taken 32 at a time against all keys before them: their probabilities are computed
//! again, and no `[T, T]` matrix exists.

use super::Attention;
use crate::blocked::{BLOCK, Blocked, Row};
use crate::cpu::Cpu;
use crate::products::tiles_f32;
use crate::simd::{self, Kernel, Lanes};
use crate::threads;
use crate::train::outer;

impl Attention {
    /// From the gradient `d` of `out`, both `[T, C]`, to that of the projections, `[T, 3 C]`.
    ///
    /// # Panics
    /// If heads are no whole blocks of channels.
    pub(crate) fn backward(&self, cpu: Cpu, qkv: &Blocked, out: &Blocked, d: &Blocked) -> Blocked {
        assert_eq!(self.padded(), self.head_size, "heads of whole blocks");
        let table = self.rotary.tables(0, qkv.n_tokens());
        let parts = threads::map((0..self.n_heads).collect(), |head| {
            simd::run(cpu, Head { attention: self, head, table: &table, qkv, out, d })
        });
        let mut dqkv = Blocked::new(qkv.n_tokens(), qkv.n_channels());
        let n_rows = self.head_size / BLOCK * qkv.n_tokens();
        for (head, part) in parts.iter().enumerate() {
            for (third, rows) in part.iter().enumerate() {
                let at = (third * self.n_heads + head) * n_rows;
                dqkv.rows_mut()[at..at + n_rows].copy_from_slice(rows);
            }
        }
        dqkv
    }

    /// A rotated head from channel `from` on, times `scale`, `[D / 32][padded T]`.
    fn rotated_rows(
        &self,
        qkv: &Blocked,
        from: usize,
        table: &[(f32, f32)],
        scale: f32,
    ) -> Vec<Row> {
        let n_rows = qkv.n_tokens().next_multiple_of(BLOCK);
        let mut rows = vec![Row::ZERO; self.head_size / BLOCK * n_rows];
        let mut one = vec![0.0; self.head_size];
        for token in 0..qkv.n_tokens() {
            self.rotated(qkv, token, from, table, &mut one);
            for (c, value) in one.iter().enumerate() {
                rows[c / BLOCK * n_rows + token].0[c % BLOCK] = value * scale;
            }
        }
        rows
    }

    /// Turns gradients of rotated rows, `[D / 32][padded T]`, back, times `scale`, to `[D / 32][T]`.
    fn turned_back(
        &self,
        rows: &[Row],
        n_tokens: usize,
        table: &[(f32, f32)],
        scale: f32,
    ) -> Vec<Row> {
        let half = self.head_size / 2;
        let n_rows = n_tokens.next_multiple_of(BLOCK);
        let mut out = vec![Row::ZERO; self.head_size / BLOCK * n_tokens];
        for token in 0..n_tokens {
            let at = |c: usize| rows[c / BLOCK * n_rows + token].0[c % BLOCK] * scale;
            for (i, (cos, sin)) in table[token * half..(token + 1) * half].iter().enumerate() {
                let (a, b) = (at(i), at(half + i));
                for (c, value) in [(i, a * cos + b * sin), (half + i, b * cos - a * sin)] {
                    out[c / BLOCK * n_tokens + token].0[c % BLOCK] = value;
                }
            }
        }
        out
    }
}

/// One head; gives the gradients of its queries, keys and values.
struct Head<'a> {
    attention: &'a Attention,
    head: usize,
    table: &'a [(f32, f32)],
    qkv: &'a Blocked,
    out: &'a Blocked,
    d: &'a Blocked,
}

/// `[blocks of 32 tokens][D]` rows of 32 tokens, from `[D / 32][padded T]`.
fn by_channel(rows: &[Row], n_slices: usize) -> Vec<Row> {
    let n_rows = rows.len() / n_slices;
    let mut out = vec![Row::ZERO; rows.len()];
    for (at, row) in rows.iter().enumerate() {
        let (slice, token) = (at / n_rows, at % n_rows);
        for (c, value) in row.0.iter().enumerate() {
            let to = (token / BLOCK * n_slices + slice) * BLOCK + c;
            out[to].0[token % BLOCK] = *value;
        }
    }
    out
}

impl Kernel for Head<'_> {
    type Output = [Vec<Row>; 3];

    #[inline(always)]
    fn run<V: Lanes>(self) -> [Vec<Row>; 3] {
        let Head { attention, head, table, qkv, out, d } = self;
        let size = attention.head_size;
        let (n_slices, n_channels) = (size / BLOCK, attention.n_heads * size);
        let n_tokens = qkv.n_tokens();
        let n_rows = n_tokens.next_multiple_of(BLOCK);
        let scale = 1.0 / (size as f32).sqrt();
        let q = attention.rotated_rows(qkv, head * size, table, scale);
        let k = attention.rotated_rows(qkv, n_channels + head * size, table, 1.0);
        let mut v = vec![Row::ZERO; n_slices * n_rows];
        for (slice, rows) in v.chunks_exact_mut(n_rows).enumerate() {
            let block = qkv.block((2 * n_channels + head * size) / BLOCK + slice);
            rows[..n_tokens].copy_from_slice(block);
        }
        let (k_by_channel, v_by_channel) = (by_channel(&k, n_slices), by_channel(&v, n_slices));
        let of_head = head * n_slices * n_tokens..(head + 1) * n_slices * n_tokens;
        let (out, d) = (&out.rows()[of_head.clone()], &d.rows()[of_head]);
        let [mut dq, mut dk, mut dv] = [0, 1, 2].map(|_| vec![Row::ZERO; n_slices * n_rows]);
        for first in (0..n_tokens).step_by(BLOCK) {
            let n = BLOCK.min(n_tokens - first);
            let n_blocks = first / BLOCK + 1;
            let mut p = vec![Row::ZERO; n_blocks * n];
            for (block, p) in p.chunks_exact_mut(n).enumerate() {
                let keys = &k_by_channel[block * size..(block + 1) * size];
                tiles_f32::<V>(&q, keys, n_rows, first, p);
            }
            softmax::<V>(&mut p, n);
            let mut deltas = [0.0; BLOCK];
            for (idx, delta) in deltas[..n].iter_mut().enumerate() {
                let mut sum = V::splat(0.0);
                for at in (0..n_slices).map(|slice| slice * n_tokens + first + idx) {
                    let [a, b] = out[at].halves().map(V::load);
                    let [da, db] = d[at].halves().map(V::load);
                    sum = a.fma(da, b.fma(db, sum));
                }
                *delta = sum.sum();
            }
            for (block, p) in p.chunks_exact(n).enumerate() {
                let values = &v_by_channel[block * size..(block + 1) * size];
                let mut ds = vec![Row::ZERO; n];
                tiles_f32::<V>(d, values, n_tokens, first, &mut ds);
                for ((ds, p), delta) in ds.iter_mut().zip(p).zip(deltas) {
                    let (minus, p) = (V::splat(-delta), p.halves().map(V::load));
                    for (half, ds) in ds.halves_mut().into_iter().enumerate() {
                        V::load(ds).add(minus).mul(p[half]).store(ds);
                    }
                }
                for slice in 0..n_slices {
                    let keys = slice * n_rows + block * BLOCK..slice * n_rows + (block + 1) * BLOCK;
                    let queries = slice * n_rows + first..slice * n_rows + first + n;
                    let of_d = &d[slice * n_tokens + first..][..n];
                    outer::<V>(p, of_d, &mut dv[keys.clone()]);
                    outer::<V>(&ds, &q[queries.clone()], &mut dk[keys.clone()]);
                    tiles_f32::<V>(&ds, &k[keys], n, 0, &mut dq[queries]);
                }
            }
        }
        let values = dv.chunks_exact(n_rows).flat_map(|rows| &rows[..n_tokens]).copied().collect();
        [
            attention.turned_back(&dq, n_tokens, table, scale),
            attention.turned_back(&dk, n_tokens, table, 1.0),
            values,
        ]
    }
}

/// Scores of `n` queries, `[blocks][n]` with the last block on the diagonal, to probabilities.
#[inline(always)]
fn softmax<V: Lanes>(scores: &mut [Row], n: usize) {
    let diagonal = scores.len() - n;
    for query in 0..n {
        scores[diagonal + query].0[query + 1..].fill(f32::NEG_INFINITY);
        let mut greatest = V::splat(f32::NEG_INFINITY);
        for row in scores[query..].iter().step_by(n) {
            let [low, high] = row.halves().map(V::load);
            greatest = greatest.max(low).max(high);
        }
        let minus = V::splat(-greatest.greatest());
        let mut sum = V::splat(0.0);
        for row in scores[query..].iter_mut().step_by(n) {
            for half in row.halves_mut() {
                let power = V::load(half).add(minus).exp();
                power.store(half);
            }
        }
        scores[diagonal + query].0[query + 1..].fill(0.0);
        for row in scores[query..].iter().step_by(n) {
            let [low, high] = row.halves().map(V::load);
            sum = sum.add(low.add(high));
        }
        let factor = V::splat(1.0 / sum.sum());
        for row in scores[query..].iter_mut().step_by(n) {
            for half in row.halves_mut() {
                V::load(half).mul(factor).store(half);
            }
        }
    }
}
