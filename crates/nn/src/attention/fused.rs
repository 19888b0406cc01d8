//! One head in fewer passes, as a search of `kernels` schedules its softmax: scores of a query are read
//! once, and what is made of them stays in registers until their sum is known.
//!
//! The order of every sum is that of [`Head`], and so are the bits. Record: `provenance/softmax.json`.

use super::{GROUP, Head, QUERIES, Seen};
use crate::blocked::{BLOCK, Row};
use crate::products::{tile_f32_anew, tile_f32_over};
use crate::simd::{Kernel, Lanes};

/// [`Head`], faster where vectors are instructions.
pub(super) struct Fused<'a>(pub(super) Head<'a>);

impl Kernel for Fused<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Lanes>(self) {
        let Fused(mut head) = self;
        let nothing = Seen { greatest: f32::NEG_INFINITY, total: [0.0; 16] };
        let mut seen = vec![nothing; head.n_tokens];
        // Not cleared between groups: scores begin with nothing.
        let mut scores = [Row::ZERO; GROUP * QUERIES];
        let cache = head.cache;
        for (group, rows) in cache.chunks(GROUP * head.attention.rows_per_block()).enumerate() {
            let key = group * GROUP * BLOCK;
            let mut at = 0;
            while at < head.n_tokens {
                let left = head.n_tokens - at;
                if V::ROWS >= QUERIES && left >= QUERIES {
                    at += some::<V, QUERIES>(&mut head, at, key, rows, &mut scores, &mut seen);
                } else if V::ROWS >= 4 && left >= 4 {
                    at += some::<V, 4>(&mut head, at, key, rows, &mut scores, &mut seen);
                } else if left >= 2 {
                    at += some::<V, 2>(&mut head, at, key, rows, &mut scores, &mut seen);
                } else {
                    at += some::<V, 1>(&mut head, at, key, rows, &mut scores, &mut seen);
                }
            }
        }
        for (query, seen) in seen.iter().enumerate() {
            let factor = V::splat(1.0 / V::load(&seen.total).sum());
            head.scale(query, factor);
        }
    }
}

/// `N` queries from `at` over the keys of a group that they may see, the first of them number `key`.
/// Gives `N`.
#[inline(always)]
fn some<V: Lanes, const N: usize>(
    head: &mut Head<'_>,
    at: usize,
    key: usize,
    rows: &[Row],
    scores: &mut [Row; GROUP * QUERIES],
    seen: &mut [Seen],
) -> usize {
    let padded = head.attention.padded();
    let n_keys = (head.first + at + N).saturating_sub(key);
    let blocks = || rows.chunks_exact(2 * padded).take(n_keys.div_ceil(BLOCK));
    let n_blocks = blocks().len();
    if n_blocks == 0 {
        return N;
    }
    let scores = &mut scores[..n_blocks * N];
    for (rows, scores) in blocks().zip(scores.chunks_exact_mut(N)) {
        tile_f32_anew::<V, N>(head.queries, &rows[..padded], head.n_tokens, at, scores);
    }
    for query in 0..N {
        let n_seen = (head.first + at + query + 1).saturating_sub(key);
        let seen = &mut seen[at + query];
        let shrink = if n_seen >= GROUP * BLOCK {
            whole::<V, N>(scores, query, seen)
        } else {
            part::<V, N>(scores, query, n_seen, seen)
        };
        if let Some(shrink) = shrink {
            head.scale(at + query, V::splat(shrink));
        }
    }
    for (idx, out) in head.out.chunks_exact_mut(head.n_tokens).enumerate() {
        let values = blocks().map(|rows| &rows[padded + idx * BLOCK..][..BLOCK]);
        tile_f32_over::<V, N>(scores.chunks_exact(N).zip(values), &mut out[at..at + N]);
    }
    N
}

/// Notes the greatest of a query's scores; what was gathered above a smaller one shrinks, by what it
/// gives.
#[inline(always)]
fn note<V: Lanes>(best: f32, seen: &mut Seen) -> Option<f32> {
    if best <= seen.greatest {
        return None;
    }
    // Of nothing there is nothing to shrink.
    let first = seen.greatest == f32::NEG_INFINITY;
    let shrink = if first { V::splat(0.0) } else { V::splat(seen.greatest - best) };
    let shrink = shrink.exp_below();
    V::load(&seen.total).mul(shrink).store(&mut seen.total);
    seen.greatest = best;
    Some(shrink.greatest())
}

/// Turns scores of a query that sees a whole group into exponentials, and adds them up.
#[inline(always)]
pub(super) fn whole<V: Lanes, const N: usize>(
    scores: &mut [Row],
    query: usize,
    seen: &mut Seen,
) -> Option<f32> {
    let mut all = [[V::splat(0.0); 2]; GROUP];
    for (block, all) in all.iter_mut().enumerate() {
        *all = scores[block * N + query].halves().map(V::load);
    }
    let mut best = all[0];
    for all in &all[1..] {
        best = [best[0].max(all[0]), best[1].max(all[1])];
    }
    let shrink = note::<V>(best[0].max(best[1]).greatest(), seen);
    let minus = V::splat(-seen.greatest);
    let mut sum = V::load(&seen.total);
    for block in 0..GROUP {
        let low = all[block][0].add(minus).exp_below();
        let high = all[block][1].add(minus).exp_below();
        let [to_low, to_high] = scores[block * N + query].halves_mut();
        low.store(to_low);
        high.store(to_high);
        sum = sum.add(low.add(high));
    }
    sum.store(&mut seen.total);
    shrink
}

/// The same of one that sees the first `n_seen` keys only.
#[inline(always)]
pub(super) fn part<V: Lanes, const N: usize>(
    scores: &mut [Row],
    query: usize,
    n_seen: usize,
    seen: &mut Seen,
) -> Option<f32> {
    let unseen = n_seen..scores.len() / N * BLOCK;
    for key in unseen.clone() {
        scores[key / BLOCK * N + query].0[key % BLOCK] = f32::NEG_INFINITY;
    }
    let mut best = V::splat(f32::NEG_INFINITY);
    for row in scores[query..].iter().step_by(N) {
        let [low, high] = row.halves().map(V::load);
        best = best.max(low).max(high);
    }
    let shrink = note::<V>(best.greatest(), seen);
    let minus = V::splat(-seen.greatest);
    for row in scores[query..].iter_mut().step_by(N) {
        for half in row.halves_mut() {
            V::load(half).add(minus).exp_below().store(half);
        }
    }
    // Their exponentials are small, not nothing.
    for key in unseen {
        scores[key / BLOCK * N + query].0[key % BLOCK] = 0.0;
    }
    let mut sum = V::load(&seen.total);
    for row in scores[query..].iter().step_by(N) {
        let [low, high] = row.halves().map(V::load);
        sum = sum.add(low.add(high));
    }
    sum.store(&mut seen.total);
    shrink
}
