//! Gradients of weights: sums of outer products over tokens.

use crate::blocked::{BLOCK, Blocked, Row};
use crate::cpu::Cpu;
use crate::simd::{self, Kernel, Lanes};
use crate::threads;

/// Tokens taken at once: a block of gradients and one of inputs stay in the first-level cache.
const TOKENS: usize = 128;

/// Adds `Σ_t d[t, n] x[t, k]` to `into`, row-major `[N, K]`.
///
/// # Panics
/// If the shapes do not fit, or are no whole blocks.
pub(super) fn add_outer(cpu: Cpu, d: &Blocked, x: &Blocked, into: &mut [f32]) {
    let (n, k) = (d.n_channels(), x.n_channels());
    assert!(n % BLOCK == 0 && k % BLOCK == 0, "whole blocks of channels");
    assert_eq!((d.n_tokens(), into.len()), (x.n_tokens(), n * k), "shapes");
    let work = x.n_tokens() * k / BLOCK;
    threads::by_units(into, n / BLOCK, work, |first, part| {
        for (idx, into) in part.chunks_exact_mut(BLOCK * k).enumerate() {
            simd::run(cpu, OneBlock { d: d.block(first + idx), x, into });
        }
    });
}

struct OneBlock<'a> {
    d: &'a [Row],
    x: &'a Blocked,
    into: &'a mut [f32],
}

impl Kernel for OneBlock<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Lanes>(self) {
        let k = self.x.n_channels();
        let mut tiles = vec![Row::ZERO; k];
        for first in (0..self.d.len()).step_by(TOKENS) {
            let range = first..(first + TOKENS).min(self.d.len());
            for (block, tile) in tiles.chunks_exact_mut(BLOCK).enumerate() {
                outer::<V>(&self.d[range.clone()], &self.x.block(block)[range.clone()], tile);
            }
        }
        for (row, into) in self.into.chunks_exact_mut(k).enumerate() {
            for (block, into) in into.chunks_exact_mut(BLOCK).enumerate() {
                for (into, sum) in into.iter_mut().zip(&tiles[block * BLOCK + row].0) {
                    *into += sum;
                }
            }
        }
    }
}

/// Adds `Σ_t d[t][i] x[t]` to row `i` of `out`, for all 32.
#[inline(always)]
pub(crate) fn outer<V: Lanes>(d: &[Row], x: &[Row], out: &mut [Row]) {
    let mut lane = 0;
    while lane < BLOCK {
        if V::ROWS >= 8 {
            some::<V, 8>(d, x, lane, out);
            lane += 8;
        } else if V::ROWS >= 4 {
            some::<V, 4>(d, x, lane, out);
            lane += 4;
        } else {
            some::<V, 2>(d, x, lane, out);
            lane += 2;
        }
    }
}

/// `N` rows of it, in registers.
#[inline(always)]
fn some<V: Lanes, const N: usize>(d: &[Row], x: &[Row], lane: usize, out: &mut [Row]) {
    let out: &mut [Row; N] = (&mut out[lane..lane + N]).try_into().expect("N rows");
    let mut sums = [[V::splat(0.0); 2]; N];
    for row in 0..N {
        sums[row] = out[row].halves().map(V::load);
    }
    for (d, x) in d.iter().zip(x) {
        let d: &[f32; N] = d.0[lane..lane + N].try_into().expect("N lanes");
        let [low, high] = x.halves().map(V::load);
        for row in 0..N {
            let value = V::splat(d[row]);
            sums[row] = [value.fma(low, sums[row][0]), value.fma(high, sums[row][1])];
        }
    }
    for row in 0..N {
        for (half, to) in out[row].halves_mut().into_iter().enumerate() {
            sums[row][half].store(to);
        }
    }
}
