//! Activations rounded to bytes, token by token.

use super::{GREATEST, INPUTS, QUADS};
use crate::blocked::{BLOCK, Blocked, Narrow, Row};
use crate::cpu::Cpu;
use crate::simd::{self, INTEGERS, Kernel, Lanes};
use crate::threads;

/// Activations as `[K / 64][T]` of 64 bytes, and the size of one step of each token.
pub(in crate::products) fn round_input(
    cpu: Cpu,
    x: &Blocked,
    all: &mut Vec<Narrow>,
    scales: &mut Vec<f32>,
) {
    let n_tokens = x.n_tokens();
    scales.resize(n_tokens, 0.0);
    let n_blocks = x.n_blocks().div_ceil(2);
    all.resize(n_blocks * n_tokens, Narrow([0; QUADS]));
    if threads::count() == 1 {
        return simd::run(cpu, Joined { x, scales, all });
    }
    threads::by_units(scales, n_tokens, x.n_blocks(), |first, scales| {
        simd::run(cpu, Steps { x, first, scales });
    });
    threads::by_units(all, n_blocks, n_tokens, |first, all| {
        for (idx, out) in all.chunks_exact_mut(n_tokens).enumerate() {
            simd::run(cpu, Round { x, block: 2 * (first + idx), scales, out });
        }
    });
}

/// Sizes of steps: the greatest magnitude of a token is the greatest byte.
struct Steps<'a> {
    x: &'a Blocked,
    first: usize,
    scales: &'a mut [f32],
}

impl Kernel for Steps<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Lanes>(self) {
        let Steps { x, mut first, scales } = self;
        let (some, rest) = scales.as_chunks_mut();
        for scales in some {
            steps::<V, AT_ONCE>(x, first, scales);
            first += AT_ONCE;
        }
        for (idx, scale) in rest.iter_mut().enumerate() {
            steps::<V, 1>(x, first + idx, std::array::from_mut(scale));
        }
    }
}

/// Tokens whose steps are found at once: they lie side by side, and none waits for another.
const AT_ONCE: usize = 8;

/// Steps of `N` tokens from `first`.
#[inline(always)]
fn steps<V: Lanes, const N: usize>(x: &Blocked, first: usize, scales: &mut [f32; N]) {
    let (mut most, mut least) = ([V::splat(0.0); N], [V::splat(0.0); N]);
    for rows in x.rows().chunks_exact(x.n_tokens()) {
        let rows: &[Row; N] = rows[first..first + N].try_into().expect("N tokens");
        for token in 0..N {
            let [low, high] = rows[token].halves();
            let (low, high) = (V::load(low), V::load(high));
            most[token] = most[token].max(low.max(high));
            least[token] = least[token].min(low.min(high));
        }
    }
    for token in 0..N {
        let greatest = most[token].max(least[token].mul(V::splat(-1.0)));
        scales[token] = greatest.greatest() / GREATEST;
    }
}

/// Bytes of a block of some tokens.
struct Round<'a> {
    x: &'a Blocked,
    block: usize,
    scales: &'a [f32],
    out: &'a mut [Narrow],
}

impl Kernel for Round<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Lanes>(self) {
        round(self.x, self.block, 0, self.scales, self.out);
    }
}

/// Both passes in one, some tokens after others: what is rounded was read just before. Blocks of channels
/// lie far apart, so this is for a thread that has all of them.
struct Joined<'a> {
    x: &'a Blocked,
    scales: &'a mut [f32],
    all: &'a mut [Narrow],
}

impl Kernel for Joined<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Lanes>(self) {
        let Joined { x, scales, all } = self;
        for (idx, scales) in scales.chunks_mut(AT_ONCE).enumerate() {
            let first = idx * AT_ONCE;
            Steps { x, first, scales: &mut *scales }.run::<V>();
            for (block, out) in all.chunks_exact_mut(x.n_tokens()).enumerate() {
                round(x, 2 * block, first, scales, &mut out[first..]);
            }
        }
    }
}

/// Plain code; inside kernels it is compiled for whole vectors.
#[inline(always)]
fn round(x: &Blocked, block: usize, first: usize, scales: &[f32], out: &mut [Narrow]) {
    let low = &x.block(block)[first..];
    let high = (block + 1 < x.n_blocks()).then(|| &x.block(block + 1)[first..]);
    for ((token, out), step) in out.iter_mut().enumerate().zip(scales) {
        let factor = if *step == 0.0 { 0.0 } else { 1.0 / step };
        let high = high.map_or(&Row::ZERO, |high| &high[token]);
        let mut bytes = [0_u8; INPUTS];
        for (half, row) in [&low[token], high].into_iter().enumerate() {
            let bytes = &mut bytes[half * BLOCK..(half + 1) * BLOCK];
            for (byte, value) in bytes.iter_mut().zip(row.0) {
                // The sum's last bits are the nearest integer, ties to even.
                *byte = (value * factor + INTEGERS).to_bits() as u8 ^ 0x80;
            }
        }
        for (into, four) in out.0.iter_mut().zip(bytes.as_chunks::<4>().0) {
            *into = u32::from_le_bytes(*four);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_thread_and_many_give_the_same_bytes() {
        for cpu in Cpu::all() {
            for (n_tokens, n_channels) in [(1, 32), (7, 96), (19, 64), (67, 768)] {
                let value = |at: usize| ((at * 61) % 1009) as f32 - 420.0;
                let x: Vec<f32> = (0..n_tokens * n_channels).map(value).collect();
                let x = Blocked::from_rows(&x, n_channels);
                let [mut many, mut one] = [(Vec::new(), Vec::new()), (Vec::new(), Vec::new())];
                round_input(cpu, &x, &mut many.0, &mut many.1);
                threads::alone(|| round_input(cpu, &x, &mut one.0, &mut one.1));
                assert_eq!(one, many, "{n_tokens} tokens, {}", cpu.names().join(" "));
            }
        }
    }
}
