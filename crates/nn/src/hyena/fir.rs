//! Causal filters with a finite number of taps, over one block of channels.
//!
//! Taps and inputs are summed oldest first, always: one token and many give the same bits.

use crate::blocked::Row;
use crate::simd::Lanes;

/// Tokens whose sums are kept in registers.
const TOKENS: usize = 6;

/// Copies a ring, oldest first. `n_seen` tokens have gone through it.
#[inline(always)]
pub(super) fn unroll(ring: &[Row], n_seen: usize, into: &mut [Row]) {
    if !ring.is_empty() {
        let (newer, older) = ring.split_at(n_seen % ring.len());
        into[..older.len()].copy_from_slice(older);
        into[older.len()..].copy_from_slice(newer);
    }
}

/// Puts the last inputs of a window, its history and `n` tokens, back into a ring that `n_seen`
/// tokens had gone through.
#[inline(always)]
pub(super) fn roll(window: &[Row], ring: &mut [Row], n_seen: usize, n: usize) {
    let size = ring.len();
    let n_new = n.min(size);
    for idx in 0..n_new {
        // Token `n_seen + n - n_new + idx` lies at that number, modulo the ring.
        ring[(n_seen + n - n_new + idx) % size] = window[window.len() - n_new + idx];
    }
}

/// Sums of `N` tokens from `at`: `Σ_k taps[k] window[at + k]`.
#[inline(always)]
fn sums<V: Lanes, const N: usize>(taps: &[Row], window: &[Row], at: usize) -> [[V; 2]; N] {
    let mut sums = [[V::splat(0.0); 2]; N];
    for (k, tap) in taps.iter().enumerate() {
        let [low, high] = tap.halves().map(V::load);
        let x: &[Row; N] = (&window[at + k..at + k + N]).try_into().expect("N rows");
        for token in 0..N {
            let x = x[token].halves();
            sums[token][0] = V::load(x[0]).fma(low, sums[token][0]);
            sums[token][1] = V::load(x[1]).fma(high, sums[token][1]);
        }
    }
    sums
}

/// Runs `$body` for each token `$t` with its sums.
macro_rules! each_token {
    ($V:ident, $taps:expr, $window:expr, $n:expr, |$t:ident, $sum:ident| $body:expr) => {{
        let mut at = 0;
        while at + TOKENS <= $n {
            let sums = sums::<$V, TOKENS>($taps, $window, at);
            for idx in 0..TOKENS {
                let ($t, $sum) = (at + idx, sums[idx]);
                $body;
            }
            at += TOKENS;
        }
        while at < $n {
            let [$sum] = sums::<$V, 1>($taps, $window, at);
            let $t = at;
            $body;
            at += 1;
        }
    }};
}

/// `out = taps * window`.
#[inline(always)]
pub(super) fn run<V: Lanes>(taps: &[Row], window: &[Row], out: &mut [Row]) {
    each_token!(V, taps, window, out.len(), |token, sum| {
        let [low, high] = out[token].halves_mut();
        sum[0].store(low);
        sum[1].store(high);
    });
}

/// `out *= taps * window`.
#[inline(always)]
pub(super) fn run_times<V: Lanes>(taps: &[Row], window: &[Row], out: &mut [Row]) {
    each_token!(V, taps, window, out.len(), |token, sum| {
        for (half, out) in out[token].halves_mut().into_iter().enumerate() {
            V::load(out).mul(sum[half]).store(out);
        }
    });
}

/// `out *= taps * window + skip · window`, where the window ends with the tokens of `out`.
#[inline(always)]
pub(super) fn run_gated<V: Lanes>(taps: &[Row], skip: &Row, window: &[Row], out: &mut [Row]) {
    let n_history = taps.len() - 1;
    let skip = skip.halves().map(V::load);
    each_token!(V, taps, window, out.len(), |token, sum| {
        let g = window[n_history + token].halves().map(V::load);
        for (half, out) in out[token].halves_mut().into_iter().enumerate() {
            let y = g[half].fma(skip[half], sum[half]);
            V::load(out).mul(y).store(out);
        }
    });
}

/// `run_gated` of one token, with its history still in the ring.
#[inline(always)]
pub(super) fn one<V: Lanes>(
    taps: &[Row],
    skip: &Row,
    ring: &[Row],
    n_seen: usize,
    g: &Row,
    out: &mut Row,
) {
    let mut sum = [V::splat(0.0); 2];
    let (newer, older) = ring.split_at(if ring.is_empty() { 0 } else { n_seen % ring.len() });
    let inputs = older.iter().chain(newer).chain(std::iter::once(g));
    for (tap, x) in taps.iter().zip(inputs) {
        let (tap, x) = (tap.halves().map(V::load), x.halves().map(V::load));
        sum = [x[0].fma(tap[0], sum[0]), x[1].fma(tap[1], sum[1])];
    }
    let (skip, g) = (skip.halves().map(V::load), g.halves().map(V::load));
    for (half, out) in out.halves_mut().into_iter().enumerate() {
        let y = g[half].fma(skip[half], sum[half]);
        V::load(out).mul(y).store(out);
    }
}
