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
    let poles: &[Row; MODES] = poles.try_into().expect("16 modes");
    let residues: &[Row; MODES] = residues.try_into().expect("16 modes");
    for half in 0..2 {
        let skip = V::load(skip.halves()[half]);
        let mut states = [V::splat(0.0); MODES];
        for mode in 0..MODES {
            states[mode] = V::load(state[mode].halves()[half]);
        }
        for (g, out) in g.iter().zip(out.iter_mut()) {
            let g = V::load(g.halves()[half]);
            let mut sums = [V::splat(0.0); CHAINS];
            sums[0] = g.mul(skip);
            for mode in 0..MODES {
                let pole = V::load(poles[mode].halves()[half]);
                let residue = V::load(residues[mode].halves()[half]);
                states[mode] = states[mode].fma(pole, g);
                sums[mode % CHAINS] = states[mode].fma(residue, sums[mode % CHAINS]);
            }
            let y = sums[0].add(sums[1]).add(sums[2].add(sums[3]));
            let out = out.halves_mut().into_iter().nth(half).expect("two halves");
            V::load(out).mul(y).store(out);
        }
        for mode in 0..MODES {
            let to = state[mode].halves_mut().into_iter().nth(half).expect("two halves");
            states[mode].store(to);
        }
    }
}
