//! Rotary positions in vectors, as a search of `kernels` schedules them: heads are turned where their
//! channels lie, and keys are transposed from there, 32 at a time.
//!
//! Each channel's arithmetic is that of [`Attention::rotated`], and so are the bits. Record:
//! `provenance/rotate.json`.

use super::{Attention, KeyBlock};
use crate::attend::transpose;
use crate::blocked::{BLOCK, Blocked, Row};
use crate::cpu::Cpu;
use crate::simd::{self, Kernel, Lanes};

/// Channels in a vector.
const LANES: usize = 16;

/// Cosines and sines of positions, `[n][D / 32]` vectors each; half of a head is whole vectors.
pub(super) struct Turns {
    cosines: Vec<[f32; LANES]>,
    sines: Vec<[f32; LANES]>,
}

impl Turns {
    /// From pairs, `[n][D / 2]`.
    pub(super) fn new(table: &[(f32, f32)], half: usize) -> Turns {
        assert!(half.is_multiple_of(LANES), "whole vectors");
        let vectors = || table.as_chunks::<LANES>().0.iter();
        Turns {
            cosines: vectors().map(|pairs| pairs.map(|(cos, _)| cos)).collect(),
            sines: vectors().map(|pairs| pairs.map(|(_, sin)| sin)).collect(),
        }
    }

    /// Appends the keys and values of a head, and gives its queries, rotated and scaled, `[D / 32][T]`.
    pub(super) fn remember(
        &self,
        cpu: Cpu,
        attention: &Attention,
        qkv: &Blocked,
        head: usize,
        first: usize,
        cache: &mut Vec<Row>,
    ) -> Vec<Row> {
        let (n_tokens, n_blocks) = (qkv.n_tokens(), attention.head_size / BLOCK);
        let size = attention.rows_per_block();
        cache.resize((first + n_tokens).div_ceil(BLOCK) * size, Row::ZERO);
        let of = |third: usize| attention.third(qkv, head, third);
        let mut turned = vec![Row::ZERO; n_blocks * BLOCK];
        let mut token = 0;
        while token < n_tokens {
            let (block, at) = ((first + token) / BLOCK, (first + token) % BLOCK);
            let n = (BLOCK - at).min(n_tokens - token);
            let to = &mut turned[..n_blocks * n];
            simd::run(cpu, Turn { turns: self, from: of(1), n_tokens, at: token, scale: 1.0, to });
            let (keys, values) = cache[block * size..][..size].split_at_mut(attention.padded());
            for (keys, turned) in keys.chunks_exact_mut(BLOCK).zip(turned.chunks_exact(n)) {
                simd::run(cpu, Transpose { turned, at, keys: keys.try_into().expect("32 rows") });
            }
            let from = of(2).chunks_exact(n_tokens);
            for (values, from) in values.chunks_exact_mut(BLOCK).zip(from) {
                values[at..at + n].copy_from_slice(&from[token..token + n]);
            }
            token += n;
        }
        self.all(cpu, of(0), n_tokens, attention.scale())
    }

    /// A head's third of projections, `[D / 32][T]`, rotated, times `scale`.
    pub(super) fn all(&self, cpu: Cpu, from: &[Row], n_tokens: usize, scale: f32) -> Vec<Row> {
        let mut to = vec![Row::ZERO; from.len()];
        simd::run(cpu, Turn { turns: self, from, n_tokens, at: 0, scale, to: &mut to });
        to
    }
}

/// `(a cos - b sin, a sin + b cos)`, times `scale`, of as many tokens from `at` as `to`, `[D / 32][n]`,
/// has room for.
struct Turn<'a> {
    turns: &'a Turns,
    /// `[D / 32][n_tokens]`.
    from: &'a [Row],
    n_tokens: usize,
    at: usize,
    scale: f32,
    to: &'a mut [Row],
}

impl Kernel for Turn<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Lanes>(self) {
        let Turn { turns, from, n_tokens, at, scale, to } = self;
        let n_blocks = from.len() / n_tokens;
        let n = to.len() / n_blocks;
        let (scale, minus) = (V::splat(scale), V::splat(-1.0));
        // Vector `i` of a head is half a row; that it is turned with is `n_blocks` further.
        for i in 0..n_blocks {
            let (a, b) = (i, i + n_blocks);
            for token in 0..n {
                let angle = (at + token) * n_blocks + i;
                let (cos, sin) = (V::load(&turns.cosines[angle]), V::load(&turns.sines[angle]));
                let x = V::load(vector(&from[a / 2 * n_tokens + at + token], a));
                let y = V::load(vector(&from[b / 2 * n_tokens + at + token], b));
                let first = x.mul(cos).add(y.mul(sin).mul(minus));
                let second = x.mul(sin).add(y.mul(cos));
                first.mul(scale).store(vector_mut(&mut to[a / 2 * n + token], a));
                second.mul(scale).store(vector_mut(&mut to[b / 2 * n + token], b));
            }
        }
    }
}

/// One of the vectors of a head, in its row.
#[inline(always)]
fn vector(row: &Row, vector: usize) -> &[f32; LANES] {
    &row.0.as_chunks::<LANES>().0[vector % 2]
}

/// One of the vectors of a head, in its row.
#[inline(always)]
fn vector_mut(row: &mut Row, vector: usize) -> &mut [f32; LANES] {
    &mut row.0.as_chunks_mut::<LANES>().0[vector % 2]
}

/// Writes a block of channels of some tokens into lanes of its keys, from lane `at` on.
struct Transpose<'a> {
    turned: &'a [Row],
    at: usize,
    keys: &'a mut KeyBlock,
}

impl Kernel for Transpose<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Lanes>(self) {
        let Transpose { turned, at, keys } = self;
        if turned.len() == BLOCK {
            return transpose::<V>(turned, keys);
        }
        for (token, row) in turned.iter().enumerate() {
            for (key, value) in keys.iter_mut().zip(row.0) {
                key.0[at + token] = value;
            }
        }
    }
}
