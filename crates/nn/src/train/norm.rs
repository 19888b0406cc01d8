//! RMSNorm backwards.
//!
//! With `r = rms(x)`, `f = 1 / (r + ε)` and `a = scale · dy`:
//! `dx = f a - f² (Σ a x) / (C r) x`, `dscale = Σ_t f x dy`.

use crate::blocked::{BLOCK, Blocked, Row};
use crate::cpu::Cpu;
use crate::simd::{self, Kernel, Lanes};
use crate::threads;

/// Adds the gradient of the input to `dx`, and that of the scale, `[C]`, to `dscale`.
pub(super) fn add_backward(
    cpu: Cpu,
    scale: &[f32],
    eps: f32,
    x: &Blocked,
    dy: &Blocked,
    dx: &mut Blocked,
    dscale: &mut [f32],
) {
    let (n_tokens, n_blocks) = (x.n_tokens(), x.n_blocks());
    let scale = Blocked::from_rows(scale, scale.len());
    let mut factors = vec![[0.0; 2]; n_tokens];
    threads::by_units(&mut factors, n_tokens, n_blocks, |first, factors| {
        simd::run(cpu, Factors { scale: scale.rows(), eps, x, dy, first, factors });
    });
    let mut sums = vec![Row::ZERO; n_blocks];
    threads::by_units_with(dx.rows_mut(), &mut sums, n_blocks, n_tokens, |first, dx, sums| {
        for (idx, (dx, sum)) in dx.chunks_exact_mut(n_tokens).zip(sums).enumerate() {
            let block = first + idx;
            let (scale, x, dy) = (&scale.rows()[block], x.block(block), dy.block(block));
            simd::run(cpu, OneBlock { scale, factors: &factors, x, dy, dx, sum });
        }
    });
    for (into, sum) in dscale.chunks_mut(BLOCK).zip(&sums) {
        into.iter_mut().zip(&sum.0).for_each(|(into, sum)| *into += sum);
    }
}

/// `f` and `-f² (Σ a x) / (C r)` of some tokens.
struct Factors<'a> {
    scale: &'a [Row],
    eps: f32,
    x: &'a Blocked,
    dy: &'a Blocked,
    first: usize,
    factors: &'a mut [[f32; 2]],
}

impl Kernel for Factors<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Lanes>(self) {
        let n_channels = self.x.n_channels() as f32;
        for (idx, factors) in self.factors.iter_mut().enumerate() {
            let at = self.first + idx;
            let mut squares = V::splat(0.0);
            let mut dots = V::splat(0.0);
            for (block, scale) in self.scale.iter().enumerate() {
                let x = self.x.block(block)[at].halves().map(V::load);
                let dy = self.dy.block(block)[at].halves().map(V::load);
                let scale = scale.halves().map(V::load);
                for half in 0..2 {
                    squares = x[half].fma(x[half], squares);
                    dots = x[half].mul(scale[half]).fma(dy[half], dots);
                }
            }
            let root = (squares.sum() / n_channels).sqrt();
            let factor = 1.0 / (root + self.eps);
            // Of zeros the norm is zeros, whichever way they move.
            let pull =
                if root > 0.0 { factor * factor * dots.sum() / (n_channels * root) } else { 0.0 };
            *factors = [factor, -pull];
        }
    }
}

struct OneBlock<'a> {
    scale: &'a Row,
    factors: &'a [[f32; 2]],
    x: &'a [Row],
    dy: &'a [Row],
    dx: &'a mut [Row],
    sum: &'a mut Row,
}

impl Kernel for OneBlock<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Lanes>(self) {
        let scale = self.scale.halves().map(V::load);
        let mut sums = [V::splat(0.0); 2];
        for (idx, [factor, pull]) in self.factors.iter().enumerate() {
            let (factor, pull) = (V::splat(*factor), V::splat(*pull));
            let x = self.x[idx].halves().map(V::load);
            let dy = self.dy[idx].halves().map(V::load);
            for (half, dx) in self.dx[idx].halves_mut().into_iter().enumerate() {
                let scaled = dy[half].mul(factor);
                sums[half] = scaled.fma(x[half], sums[half]);
                scaled.fma(scale[half], x[half].fma(pull, V::load(dx))).store(dx);
            }
        }
        for (half, to) in self.sum.halves_mut().into_iter().enumerate() {
            sums[half].store(to);
        }
    }
}
