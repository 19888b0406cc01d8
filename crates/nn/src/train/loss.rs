//! Softmax cross-entropy with a weight for each token.

use crate::blocked::{BLOCK, Blocked, Row};
use crate::cpu::Cpu;
use crate::simd::{self, Kernel, Lanes};
use crate::threads;

/// What a sequence cost.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Loss {
    /// Sum of weight · −log p, in nats.
    pub nats: f64,
    /// Sum of weights.
    pub weight: f64,
}

/// The loss of logits, `[T, V]`, and its gradient in their place, times `scale`.
///
/// # Panics
/// If there is not one target and weight a token, a target is beyond the vocabulary, or that is no
/// whole number of blocks.
pub fn cross_entropy(
    cpu: Cpu,
    logits: &mut Blocked,
    targets: &[usize],
    weights: &[f32],
    scale: f32,
) -> Loss {
    let n_tokens = logits.n_tokens();
    assert_eq!((targets.len(), weights.len()), (n_tokens, n_tokens), "one for each token");
    assert!(logits.n_channels().is_multiple_of(BLOCK), "whole blocks of channels");
    assert!(targets.iter().all(|target| *target < logits.n_channels()), "targets in range");
    let n_blocks = logits.n_blocks();
    let mut tops = vec![[0.0; 2]; n_tokens];
    threads::by_units(&mut tops, n_tokens, 2 * n_blocks, |first, tops| {
        simd::run(cpu, Tops { logits, first, tops });
    });
    let mut loss = Loss::default();
    for (token, (target, weight)) in targets.iter().zip(weights).enumerate() {
        let [greatest, sum] = tops[token];
        let logit = logits.block(target / BLOCK)[token].0[target % BLOCK];
        loss.nats += f64::from(*weight) * f64::from(greatest + sum.ln() - logit);
        loss.weight += f64::from(*weight);
    }
    threads::by_units(logits.rows_mut(), n_blocks, n_tokens, |_, rows| {
        for rows in rows.chunks_exact_mut(n_tokens) {
            simd::run(cpu, Softmax { tops: &tops, weights, scale, rows });
        }
    });
    for (token, (target, weight)) in targets.iter().zip(weights).enumerate() {
        let at = target / BLOCK * n_tokens + token;
        logits.rows_mut()[at].0[target % BLOCK] -= weight * scale;
    }
    loss
}

/// The greatest logit of some tokens, and the sum of e^(logit − greatest).
struct Tops<'a> {
    logits: &'a Blocked,
    first: usize,
    tops: &'a mut [[f32; 2]],
}

impl Kernel for Tops<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Lanes>(self) {
        for (idx, top) in self.tops.iter_mut().enumerate() {
            let at = self.first + idx;
            let row = |block: usize| self.logits.block(block)[at].halves().map(V::load);
            let mut greatest = V::splat(f32::NEG_INFINITY);
            for block in 0..self.logits.n_blocks() {
                let [low, high] = row(block);
                greatest = greatest.max(low).max(high);
            }
            let greatest = greatest.greatest();
            let minus = V::splat(-greatest);
            let mut sum = V::splat(0.0);
            for block in 0..self.logits.n_blocks() {
                let [low, high] = row(block);
                sum = sum.add(low.add(minus).exp()).add(high.add(minus).exp());
            }
            *top = [greatest, sum.sum()];
        }
    }
}

struct Softmax<'a> {
    tops: &'a [[f32; 2]],
    weights: &'a [f32],
    scale: f32,
    rows: &'a mut [Row],
}

impl Kernel for Softmax<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Lanes>(self) {
        for ((row, [greatest, sum]), weight) in
            self.rows.iter_mut().zip(self.tops).zip(self.weights)
        {
            let minus = V::splat(-greatest);
            let factor = V::splat(weight * self.scale / sum);
            for half in row.halves_mut() {
                V::load(half).add(minus).exp().mul(factor).store(half);
            }
        }
    }
}
