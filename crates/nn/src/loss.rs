//! Logits to log-likelihoods.

use crate::blocked::{BLOCK, Blocked};
use crate::cpu::Cpu;
use crate::simd::{self, Kernel, Lanes};
use crate::threads;

/// Log-likelihood, in nats, of one target per token under the softmax of its logits, `[T, V]`.
///
/// # Panics
/// If there is not one target per token, or one is beyond the vocabulary.
pub fn log_likelihoods(cpu: Cpu, logits: &Blocked, targets: &[usize]) -> Vec<f32> {
    assert_eq!(logits.n_tokens(), targets.len(), "one target per token");
    assert!(targets.iter().all(|target| *target < logits.n_channels()), "targets in range");
    let mut out = vec![0.0; targets.len()];
    threads::by_units(&mut out, targets.len(), 2 * logits.n_blocks(), |first, out| {
        let targets = &targets[first..][..out.len()];
        simd::run(cpu, LogLikelihoods { logits, first, targets, out });
    });
    out
}

struct LogLikelihoods<'a> {
    logits: &'a Blocked,
    first: usize,
    targets: &'a [usize],
    out: &'a mut [f32],
}

impl Kernel for LogLikelihoods<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Lanes>(self) {
        let (n_tokens, rows) = (self.logits.n_tokens(), self.logits.rows());
        let n_whole = self.logits.n_channels() / BLOCK;
        let n_rest = self.logits.n_channels() % BLOCK;
        for (idx, (target, out)) in self.targets.iter().zip(self.out).enumerate() {
            let at = self.first + idx;
            let mut best = f32::NEG_INFINITY;
            let mut greatest = V::splat(f32::NEG_INFINITY);
            for block in 0..n_whole {
                let [low, high] = rows[block * n_tokens + at].halves().map(V::load);
                greatest = greatest.max(low).max(high);
            }
            best = best.max(greatest.greatest());
            let rest = if n_rest > 0 { &rows[n_whole * n_tokens + at].0[..n_rest] } else { &[] };
            best = rest.iter().fold(best, |best, logit| best.max(*logit));
            let minus = V::splat(-best);
            let mut sum = V::splat(0.0);
            for block in 0..n_whole {
                let [low, high] = rows[block * n_tokens + at].halves().map(V::load);
                sum = sum.add(low.add(minus).exp()).add(high.add(minus).exp());
            }
            let sum = rest.iter().fold(sum.sum(), |sum, logit| sum + (logit - best).exp());
            let logit = rows[target / BLOCK * n_tokens + at].0[target % BLOCK];
            *out = logit - best - sum.ln();
        }
    }
}
