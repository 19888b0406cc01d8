//! The way back.

use super::turn::Turn;
use super::{Channels, Heads, Unit};
use crate::blocked::{BLOCK, Blocked, Row};
use crate::cpu::Cpu;
use crate::products::tiles_f32 as tiles;
use crate::simd::{self, Kernel, Lanes};
use crate::train::outer;

/// Gradients of queries, keys and values, each added to channels of its own from where they begin.
pub(crate) struct Gradients<'a> {
    pub(crate) queries: &'a mut Blocked,
    pub(crate) keys: &'a mut Blocked,
    pub(crate) values: &'a mut Blocked,
}

/// From the gradient of what came out; `weights` as [`forward`](super::forward) left them. What it writes begins at
/// channel 0.
pub(crate) fn backward(
    cpu: Cpu,
    heads: Heads,
    [queries, keys, values]: [Channels<'_>; 3],
    n_samples: usize,
    weights: &[Row],
    d: &Blocked,
    into: Gradients<'_>,
) {
    let n_keys = keys.all.n_tokens() / n_samples;
    let mut turned = vec![Row::ZERO; heads.n_rows(n_keys)];
    let size = weights.len() / (n_samples * heads.n);
    let mut scores = vec![Row::ZERO; size];
    let Gradients { queries: dq, keys: dk, values: dv } = into;
    for (unit, weights) in weights.chunks_exact(size).enumerate() {
        let of = Unit { heads, n_samples, unit };
        simd::run(cpu, Turn { of, keys: values, to: &mut turned });
        scores.fill(Row::ZERO);
        let (values, scores) = (turned.as_slice(), scores.as_mut_slice());
        let [dq, dk, dv] = [&mut *dq, &mut *dk, &mut *dv];
        simd::run(cpu, Backward { of, queries, keys, values, weights, d, scores, dq, dk, dv });
    }
}

struct Backward<'a> {
    of: Unit,
    queries: Channels<'a>,
    keys: Channels<'a>,
    /// Transposed.
    values: &'a [Row],
    weights: &'a [Row],
    d: &'a Blocked,
    scores: &'a mut [Row],
    dq: &'a mut Blocked,
    dk: &'a mut Blocked,
    dv: &'a mut Blocked,
}

impl Kernel for Backward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Lanes>(self) {
        let Backward { of, queries, keys, values, weights, d, scores, dq, dk, dv } = self;
        let (n_blocks, n_all) = (of.heads.n_blocks(), d.n_tokens());
        let tokens = of.range(n_all, 0);
        let (each, from) = (tokens.len(), tokens.start % n_all);
        let dout = &d.rows()[tokens.start - from..][..n_blocks * n_all];
        for (values, scores) in
            values.chunks_exact(of.heads.size).zip(scores.chunks_exact_mut(each))
        {
            tiles::<V>(dout, values, n_all, from, scores);
        }
        for query in 0..each {
            softmax_back::<V>(weights, scores, each, query, of.heads.scale());
        }
        let add = |into: &mut Blocked, block: usize, key: usize, sums: &[Row; BLOCK]| {
            let range = of.range(into.n_tokens(), block);
            for (into, sum) in into.rows_mut()[range].iter_mut().skip(key).zip(sums) {
                into.0.iter_mut().zip(&sum.0).for_each(|(into, sum)| *into += sum);
            }
        };
        for block in 0..n_blocks {
            let (q, range) = (of.block(queries, block), of.range(n_all, block));
            let dout = &d.rows()[range.clone()];
            tiles::<V>(scores, of.block(keys, block), each, 0, &mut dq.rows_mut()[range]);
            let slices = weights.chunks_exact(each).zip(scores.chunks_exact(each));
            for (idx, (weights, scores)) in slices.enumerate() {
                let mut sums = [Row::ZERO; BLOCK];
                outer::<V>(weights, dout, &mut sums);
                add(dv, block, idx * BLOCK, &sums);
                sums.fill(Row::ZERO);
                outer::<V>(scores, q, &mut sums);
                add(dk, block, idx * BLOCK, &sums);
            }
        }
    }
}

/// From gradients of weights to those of scores: `p (dp - Σ p dp)`, times the scale.
#[inline(always)]
fn softmax_back<V: Lanes>(weights: &[Row], d: &mut [Row], each: usize, query: usize, scale: f32) {
    let mut dots = [V::splat(0.0); 2];
    let pairs = || weights[query..].iter().step_by(each);
    for (p, d) in pairs().zip(d[query..].iter().step_by(each)) {
        let (p, d) = (p.halves().map(V::load), d.halves().map(V::load));
        dots = [p[0].fma(d[0], dots[0]), p[1].fma(d[1], dots[1])];
    }
    let minus = V::splat(-dots[0].add(dots[1]).sum());
    let scale = V::splat(scale);
    for (p, d) in pairs().zip(d[query..].iter_mut().step_by(each)) {
        let p = p.halves().map(V::load);
        for (half, d) in d.halves_mut().into_iter().enumerate() {
            V::load(d).add(minus).mul(p[half]).mul(scale).store(d);
        }
    }
}
