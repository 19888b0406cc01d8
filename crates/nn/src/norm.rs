//! RMSNorm as Evo 2 has it: `y = scale · x / (rms(x) + ε)`, with ε outside the root.

use crate::blocked::{Blocked, Row};
use crate::cpu::Cpu;
use crate::products::Scratch;
use crate::simd::{self, Kernel, Lanes};
use crate::threads;

/// Scales `[C]` and ε.
#[derive(Debug, Clone)]
pub struct RmsNorm {
    scale: Vec<Row>,
    n_channels: usize,
    eps: f32,
}

impl RmsNorm {
    /// With one scale per channel.
    pub fn new(scale: &[f32], eps: f32) -> RmsNorm {
        let rows = Blocked::from_rows(scale, scale.len()).rows().to_vec();
        RmsNorm { scale: rows, n_channels: scale.len(), eps }
    }

    /// Normalises `x`, `[T, C]`, into `out`.
    ///
    /// # Panics
    /// If the shapes do not fit.
    pub fn forward(&self, cpu: Cpu, x: &Blocked, out: &mut Blocked) {
        self.forward_in(cpu, x, out, &mut Scratch::default());
    }

    /// As [`RmsNorm::forward`], with room that is kept.
    ///
    /// # Panics
    /// If the shapes do not fit.
    pub fn forward_in(&self, cpu: Cpu, x: &Blocked, out: &mut Blocked, scratch: &mut Scratch) {
        assert_eq!((x.n_channels(), out.n_channels()), (self.n_channels, self.n_channels));
        assert_eq!(x.n_tokens(), out.n_tokens());
        let (n_tokens, n_blocks) = (x.n_tokens(), x.n_blocks());
        if cpu.found && threads::count() == 1 && n_tokens > 0 {
            return simd::run(cpu, Joined { norm: self, x, rows: out.rows_mut() });
        }
        let factors = &mut scratch.factors;
        factors.resize(n_tokens, 0.0);
        threads::by_units(factors, n_tokens, n_blocks, |first, factors| {
            simd::run(cpu, Factors { norm: self, x, first, factors });
        });
        threads::by_units(out.rows_mut(), n_blocks, n_tokens, |first, rows| {
            for (idx, rows) in rows.chunks_exact_mut(n_tokens).enumerate() {
                let (x, scale) = (x.block(first + idx), &self.scale[first + idx]);
                simd::run(cpu, Scale { x, scale, factors, rows });
            }
        });
    }
}

/// 1 / (rms + ε) of some tokens.
struct Factors<'a> {
    norm: &'a RmsNorm,
    x: &'a Blocked,
    first: usize,
    factors: &'a mut [f32],
}

impl Kernel for Factors<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Lanes>(self) {
        for (idx, factor) in self.factors.iter_mut().enumerate() {
            let mut sums = [V::splat(0.0); 2];
            for rows in self.x.rows().chunks_exact(self.x.n_tokens()) {
                let [low, high] = rows[self.first + idx].halves();
                let (low, high) = (V::load(low), V::load(high));
                sums = [low.fma(low, sums[0]), high.fma(high, sums[1])];
            }
            let mean = sums[0].add(sums[1]).sum() / self.norm.n_channels as f32;
            *factor = 1.0 / (mean.sqrt() + self.norm.eps);
        }
    }
}

/// Tokens that [`Joined`] takes at once: their sums wait for each other less.
const AT_ONCE: usize = 4;

/// Both passes in one, token by token, as a search of `kernels` schedules them: what is scaled was read
/// just before. Blocks of channels lie far apart, so this is for a thread that has all of them.
/// Record: `provenance/rms_norm.json`.
struct Joined<'a> {
    norm: &'a RmsNorm,
    x: &'a Blocked,
    rows: &'a mut [Row],
}

impl Kernel for Joined<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Lanes>(mut self) {
        let n_tokens = self.x.n_tokens();
        let whole = n_tokens - n_tokens % AT_ONCE;
        for first in (0..whole).step_by(AT_ONCE) {
            self.some::<V, AT_ONCE>(first);
        }
        for first in whole..n_tokens {
            self.some::<V, 1>(first);
        }
    }
}

impl Joined<'_> {
    /// `N` tokens from `first`.
    #[inline(always)]
    fn some<V: Lanes, const N: usize>(&mut self, first: usize) {
        let n_tokens = self.x.n_tokens();
        let mut sums = [[V::splat(0.0); 2]; N];
        for rows in self.x.rows().chunks_exact(n_tokens) {
            for (row, sums) in rows[first..first + N].iter().zip(&mut sums) {
                let [low, high] = row.halves().map(V::load);
                *sums = [low.fma(low, sums[0]), high.fma(high, sums[1])];
            }
        }
        let mut factors = [0.0; N];
        for (factor, sums) in factors.iter_mut().zip(sums) {
            let mean = sums[0].add(sums[1]).sum() / self.norm.n_channels as f32;
            *factor = 1.0 / (mean.sqrt() + self.norm.eps);
        }
        let blocks = self.x.rows().chunks_exact(n_tokens).zip(&self.norm.scale);
        for ((x, scale), rows) in blocks.zip(self.rows.chunks_exact_mut(n_tokens)) {
            let scale = scale.halves().map(V::load);
            let x = &x[first..first + N];
            for ((row, x), factor) in rows[first..first + N].iter_mut().zip(x).zip(factors) {
                let factor = V::splat(factor);
                let x = x.halves().map(V::load);
                for (half, out) in row.halves_mut().into_iter().enumerate() {
                    x[half].mul(factor).mul(scale[half]).store(out);
                }
            }
        }
    }
}

struct Scale<'a> {
    x: &'a [Row],
    scale: &'a Row,
    factors: &'a [f32],
    rows: &'a mut [Row],
}

impl Kernel for Scale<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Lanes>(self) {
        let scale = self.scale.halves().map(V::load);
        for ((row, x), factor) in self.rows.iter_mut().zip(self.x).zip(self.factors) {
            let factor = V::splat(*factor);
            let x = x.halves().map(V::load);
            for (half, out) in row.halves_mut().into_iter().enumerate() {
                x[half].mul(factor).mul(scale[half]).store(out);
            }
        }
    }
}
