//! GELU by itself, a table added to every sample, and channels scaled and shifted sample by sample.

use crate::blocked::{Blocked, Row};
use crate::cpu::Cpu;
use crate::simd::{self, Kernel, Lanes};

use super::gate::gelu_and_slope;

/// `gelu(x)`.
pub(super) fn gelu(cpu: Cpu, x: &Blocked, out: &mut Blocked) {
    simd::run(cpu, Gelu { x: x.rows(), out: out.rows_mut() });
}

/// Multiplies `d` with the slope of GELU at `x`.
pub(super) fn gelu_backward(cpu: Cpu, x: &Blocked, d: &mut Blocked) {
    simd::run(cpu, Slope { x: x.rows(), d: d.rows_mut() });
}

struct Gelu<'a> {
    x: &'a [Row],
    out: &'a mut [Row],
}

impl Kernel for Gelu<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Lanes>(self) {
        for (x, out) in self.x.iter().zip(self.out) {
            let x = x.halves().map(V::load);
            for (half, out) in out.halves_mut().into_iter().enumerate() {
                x[half].gelu().store(out);
            }
        }
    }
}

struct Slope<'a> {
    x: &'a [Row],
    d: &'a mut [Row],
}

impl Kernel for Slope<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Lanes>(self) {
        for (x, d) in self.x.iter().zip(self.d) {
            let x = x.halves().map(V::load);
            for (half, d) in d.halves_mut().into_iter().enumerate() {
                let (_, slope) = gelu_and_slope(x[half]);
                V::load(d).mul(slope).store(d);
            }
        }
    }
}

/// `x · (1 + a) + b` with `by` = (a, b), `[n, 2 C]`, one row for each of the `n` samples in `x`,
/// `[n · T, C]`.
pub(super) fn modulate(cpu: Cpu, x: &Blocked, by: &Blocked, out: &mut Blocked) {
    let (n, n_tokens) = (by.n_tokens(), x.n_tokens());
    for (block, out) in out.rows_mut().chunks_exact_mut(n_tokens).enumerate() {
        let (gain, shift) = (by.block(block), by.block(x.n_blocks() + block));
        simd::run(cpu, Modulate { x: x.block(block), gain, shift, each: n_tokens / n, out });
    }
}

struct Modulate<'a> {
    x: &'a [Row],
    gain: &'a [Row],
    shift: &'a [Row],
    each: usize,
    out: &'a mut [Row],
}

impl Kernel for Modulate<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Lanes>(self) {
        let samples = self.x.chunks_exact(self.each).zip(self.out.chunks_exact_mut(self.each));
        for ((x, out), (gain, shift)) in samples.zip(self.gain.iter().zip(self.shift)) {
            let one = V::splat(1.0);
            let gain = gain.halves().map(|half| V::load(half).add(one));
            let shift = shift.halves().map(V::load);
            for (x, out) in x.iter().zip(out) {
                let x = x.halves().map(V::load);
                for (half, out) in out.halves_mut().into_iter().enumerate() {
                    x[half].fma(gain[half], shift[half]).store(out);
                }
            }
        }
    }
}

/// Turns `d` into the gradient of `x`, and gives that of `by`.
pub(super) fn modulate_backward(cpu: Cpu, x: &Blocked, by: &Blocked, d: &mut Blocked) -> Blocked {
    let (n, n_tokens, n_blocks) = (by.n_tokens(), x.n_tokens(), x.n_blocks());
    let mut dby = Blocked::new(n, by.n_channels());
    let (dgain, dshift) = dby.rows_mut().split_at_mut(n_blocks * n);
    let outs = dgain.chunks_exact_mut(n).zip(dshift.chunks_exact_mut(n));
    for ((block, d), (dgain, dshift)) in
        d.rows_mut().chunks_exact_mut(n_tokens).enumerate().zip(outs)
    {
        let gain = by.block(block);
        let x = x.block(block);
        simd::run(cpu, ModulateBack { x, gain, each: n_tokens / n, d, dgain, dshift });
    }
    dby
}

struct ModulateBack<'a> {
    x: &'a [Row],
    gain: &'a [Row],
    each: usize,
    d: &'a mut [Row],
    dgain: &'a mut [Row],
    dshift: &'a mut [Row],
}

impl Kernel for ModulateBack<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Lanes>(self) {
        let samples = self.x.chunks_exact(self.each).zip(self.d.chunks_exact_mut(self.each));
        let outs = self.dgain.iter_mut().zip(self.dshift);
        for (((x, d), gain), (dgain, dshift)) in samples.zip(self.gain).zip(outs) {
            let gain = gain.halves().map(|half| V::load(half).add(V::splat(1.0)));
            let mut sums = [[V::splat(0.0); 2]; 2];
            for (x, d) in x.iter().zip(d) {
                let x = x.halves().map(V::load);
                for (half, d) in d.halves_mut().into_iter().enumerate() {
                    let value = V::load(d);
                    sums[0][half] = value.fma(x[half], sums[0][half]);
                    sums[1][half] = value.add(sums[1][half]);
                    value.mul(gain[half]).store(d);
                }
            }
            for (sums, row) in sums.into_iter().zip([dgain, dshift]) {
                for (sum, to) in sums.into_iter().zip(row.halves_mut()) {
                    sum.store(to);
                }
            }
        }
    }
}
