//! The long filter as a recurrence over its modes: memory does not grow with length.

use crate::blocked::Row;
use crate::simd::Lanes;

/// Modes whose states are kept in registers. More modes are more passes.
pub(super) const MODES: usize = 16;

/// Chains of sums: one would wait for itself.
const CHAINS: usize = 4;

/// `s = λ s + g; y = Σ residue · s + skip · g; out *= y` over tokens. `filter` is poles then
/// residues.
#[inline(always)]
pub(super) fn run<V: Lanes>(
    filter: &[Row],
    skip: &Row,
    state: &mut [Row],
    g: &[Row],
    out: &mut [Row],
) {
    let n_modes = state.len();
    let (poles, residues) = filter.split_at(n_modes);
    if n_modes == MODES {
        let state = state.try_into().expect("16 modes");
        return sixteen::<V>(poles, residues, skip, state, g, out);
    }
    let skips = skip.halves().map(V::load);
    for (g, out) in g.iter().zip(out) {
        let g = g.halves().map(V::load);
        let mut sums = [g[0].mul(skips[0]), g[1].mul(skips[1])];
        for ((pole, residue), state) in poles.iter().zip(residues).zip(state.iter_mut()) {
            let (pole, residue) = (pole.halves().map(V::load), residue.halves().map(V::load));
            for (half, state) in state.halves_mut().into_iter().enumerate() {
                let next = V::load(state).fma(pole[half], g[half]);
                next.store(state);
                sums[half] = next.fma(residue[half], sums[half]);
            }
        }
        for (half, out) in out.halves_mut().into_iter().enumerate() {
            V::load(out).mul(sums[half]).store(out);
        }
    }
}

/// With the states of half a block in registers.
#[inline(always)]
fn sixteen<V: Lanes>(
    poles: &[Row],
    residues: &[Row],
    skip: &Row,
    state: &mut [Row; MODES],
    g: &[Row],
    out: &mut [Row],
) {
    for half in 0..2 {
        let of = |rows: &[Row]| {
            let mut all = [[0.0; 16]; MODES];
            for (to, row) in all.iter_mut().zip(rows) {
                *to = *row.halves()[half];
            }
            all
        };
        let (poles, residues) = (of(poles), of(residues));
        let skip = V::load(skip.halves()[half]);
        let mut states = of(state).map(|state| V::load(&state));
        for (g, out) in g.iter().zip(out.iter_mut()) {
            let g = V::load(&g.0.as_chunks::<16>().0[half]);
            let mut sums = [V::splat(0.0); CHAINS];
            sums[0] = g.mul(skip);
            // Two loops of constant length, so that states and sums are registers.
            for first in 0..MODES / CHAINS {
                for (chain, sum) in sums.iter_mut().enumerate() {
                    let mode = first * CHAINS + chain;
                    states[mode] = states[mode].fma(V::load(&poles[mode]), g);
                    *sum = states[mode].fma(V::load(&residues[mode]), *sum);
                }
            }
            let y = sums[0].add(sums[1]).add(sums[2].add(sums[3]));
            let out = &mut out.0.as_chunks_mut::<16>().0[half];
            V::load(out).mul(y).store(out);
        }
        for (state, to) in states.into_iter().zip(state.iter_mut()) {
            state.store(&mut to.0.as_chunks_mut::<16>().0[half]);
        }
    }
}
