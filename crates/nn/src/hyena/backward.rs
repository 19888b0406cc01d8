//! The operator backwards, over a sequence from its beginning.
//!
//! What lies between projections and output is computed again rather than kept. The modes' states are
//! kept once a stretch of tokens, so memory does not grow with their number times the length.

use super::{Hyena, Kind, fir, modal};
use crate::blocked::{Blocked, Row};
use crate::cpu::Cpu;
use crate::simd::{self, Kernel, Lanes};
use crate::threads;

/// Tokens between kept states.
const STRETCH: usize = 64;

/// Modes whose gradients are kept in registers.
const MODES: usize = 4;

/// Gradients of an operator's own numbers, laid out as it has them.
#[derive(Debug)]
pub(crate) struct Gradient {
    /// `[3][C / 32][short]`.
    pub(crate) short: Vec<Row>,
    /// `[C / 32][rows]`: taps, or poles then residues.
    pub(crate) filter: Vec<Row>,
    /// `[C / 32]`.
    pub(crate) skip: Vec<Row>,
}

/// Those of one block.
struct Part {
    /// Of x2, x1 and v.
    projections: [Vec<Row>; 3],
    short: [Vec<Row>; 3],
    filter: Vec<Row>,
    skip: Row,
}

impl Hyena {
    /// From the gradient of the output, `[T, C]`, to that of the projections, `[T, 3 C]`, and of the
    /// filters.
    pub(crate) fn backward(&self, cpu: Cpu, p: &Blocked, d: &Blocked) -> (Blocked, Gradient) {
        let n_blocks = self.n_blocks();
        let blocks = (0..n_blocks).collect();
        let parts =
            threads::map(blocks, |block| simd::run(cpu, OneBlock { hyena: self, block, p, d }));
        let mut dp = Blocked::new(p.n_tokens(), p.n_channels());
        let (n_tokens, n_short) = (p.n_tokens(), self.n_short);
        let mut all = Gradient {
            short: vec![Row::ZERO; self.short.len()],
            filter: Vec::with_capacity(self.filter.len()),
            skip: Vec::with_capacity(n_blocks),
        };
        for (block, part) in parts.into_iter().enumerate() {
            for third in 0..3 {
                let at = third * n_blocks + block;
                dp.rows_mut()[at * n_tokens..][..n_tokens]
                    .copy_from_slice(&part.projections[third]);
                all.short[at * n_short..][..n_short].copy_from_slice(&part.short[third]);
            }
            all.filter.extend(part.filter);
            all.skip.push(part.skip);
        }
        (dp, all)
    }
}

struct OneBlock<'a> {
    hyena: &'a Hyena,
    block: usize,
    p: &'a Blocked,
    d: &'a Blocked,
}

impl Kernel for OneBlock<'_> {
    type Output = Part;

    #[inline(always)]
    fn run<V: Lanes>(self) -> Part {
        let Hyena { n_short, kind, .. } = *self.hyena;
        let (n_tokens, n_blocks) = (self.p.n_tokens(), self.hyena.n_blocks());
        let n_filter = self.hyena.filter.len() / n_blocks;
        let filter = &self.hyena.filter[self.block * n_filter..][..n_filter];
        let skip = self.hyena.skip[self.block];
        let short = |third: usize| {
            &self.hyena.short[(third * n_blocks + self.block) * n_short..][..n_short]
        };
        let window =
            |third: usize| after_zeros(n_short - 1, self.p.block(third * n_blocks + self.block));
        let [z2, z1, zv] = [0, 1, 2].map(|third| {
            let mut z = vec![Row::ZERO; n_tokens];
            fir::run::<V>(short(third), &window(third), &mut z);
            z
        });
        let d = self.d.block(self.block);
        let mut part = Part {
            projections: [Vec::new(), Vec::new(), Vec::new()],
            short: [Vec::new(), Vec::new(), Vec::new()],
            filter: vec![Row::ZERO; n_filter],
            skip: Row::ZERO,
        };
        let g = products::<V>(&z1, &zv);
        // What goes into the inner filter backwards.
        let inner_d = products::<V>(d, &z2);
        let (f, mut dg) = match kind {
            Kind::Fir { n_taps } => {
                let window = after_zeros(n_taps - 1, &g);
                let mut f = vec![Row::ZERO; n_tokens];
                fir::run::<V>(filter, &window, &mut f);
                add_times::<V>(&skip, &g, &mut f);
                tap_gradients::<V>(&inner_d, &window, &mut part.filter);
                (f, backwards::<V>(filter, &inner_d))
            }
            Kind::Modal { n_modes } => {
                let (f, states) = modes::<V>(filter, &skip, n_modes, &g);
                let dg = mode_gradients::<V>(filter, &states, &g, &inner_d, &mut part.filter);
                (f, dg)
            }
        };
        add_times::<V>(&skip, &inner_d, &mut dg);
        let own = std::slice::from_mut(&mut part.skip);
        tap_gradients::<V>(&inner_d, &g, own);
        let dz = [products::<V>(d, &f), products::<V>(&dg, &zv), products::<V>(&dg, &z1)];
        for (third, dz) in dz.iter().enumerate() {
            part.short[third] = vec![Row::ZERO; n_short];
            tap_gradients::<V>(dz, &window(third), &mut part.short[third]);
            part.projections[third] = backwards::<V>(short(third), dz);
        }
        part
    }
}

/// Rows after so many zeros.
fn after_zeros(n: usize, rows: &[Row]) -> Vec<Row> {
    let mut all = vec![Row::ZERO; n];
    all.extend_from_slice(rows);
    all
}

/// `a · b`.
#[inline(always)]
fn products<V: Lanes>(a: &[Row], b: &[Row]) -> Vec<Row> {
    let mut out = a.to_vec();
    for (out, b) in out.iter_mut().zip(b) {
        let b = b.halves().map(V::load);
        for (half, out) in out.halves_mut().into_iter().enumerate() {
            V::load(out).mul(b[half]).store(out);
        }
    }
    out
}

/// `out += factor · x`.
#[inline(always)]
fn add_times<V: Lanes>(factor: &Row, x: &[Row], out: &mut [Row]) {
    let factor = factor.halves().map(V::load);
    for (x, out) in x.iter().zip(out) {
        let x = x.halves().map(V::load);
        for (half, out) in out.halves_mut().into_iter().enumerate() {
            x[half].fma(factor[half], V::load(out)).store(out);
        }
    }
}

/// The transposed filter: `out_t = Σ_k taps[k] d[t + K - 1 - k]`.
#[inline(always)]
fn backwards<V: Lanes>(taps: &[Row], d: &[Row]) -> Vec<Row> {
    let reversed: Vec<Row> = taps.iter().rev().copied().collect();
    let mut window = d.to_vec();
    window.resize(d.len() + taps.len() - 1, Row::ZERO);
    let mut out = vec![Row::ZERO; d.len()];
    fir::run::<V>(&reversed, &window, &mut out);
    out
}

/// `out[k] = Σ_t d[t] window[t + k]`.
#[inline(always)]
fn tap_gradients<V: Lanes>(d: &[Row], window: &[Row], out: &mut [Row]) {
    /// Some taps at a time, in registers.
    #[inline(always)]
    fn some<V: Lanes, const N: usize>(d: &[Row], window: &[Row], out: &mut [Row]) {
        let mut sums = [[V::splat(0.0); 2]; N];
        for (t, d) in d.iter().enumerate() {
            let d = d.halves().map(V::load);
            let window: &[Row; N] = window[t..t + N].try_into().expect("N rows");
            for k in 0..N {
                let x = window[k].halves().map(V::load);
                sums[k] = [x[0].fma(d[0], sums[k][0]), x[1].fma(d[1], sums[k][1])];
            }
        }
        for (out, sum) in out.iter_mut().zip(sums) {
            for (half, out) in out.halves_mut().into_iter().enumerate() {
                sum[half].store(out);
            }
        }
    }
    let mut k = 0;
    while k < out.len() {
        let left = out.len() - k;
        if left >= 8 && V::ROWS >= 8 {
            some::<V, 8>(d, &window[k..], &mut out[k..k + 8]);
            k += 8;
        } else if left >= 3 {
            some::<V, 3>(d, &window[k..], &mut out[k..k + 3]);
            k += 3;
        } else {
            some::<V, 1>(d, &window[k..], &mut out[k..=k]);
            k += 1;
        }
    }
}

/// The long filter's output, and its states at the beginning of each stretch.
#[inline(always)]
fn modes<V: Lanes>(
    filter: &[Row],
    skip: &Row,
    n_modes: usize,
    g: &[Row],
) -> (Vec<Row>, Vec<Vec<Row>>) {
    // The forward operation multiplies what is there.
    let mut f = vec![Row([1.0; crate::BLOCK]); g.len()];
    let mut state = vec![Row::ZERO; n_modes];
    let mut states = Vec::new();
    for (g, f) in g.chunks(STRETCH).zip(f.chunks_mut(STRETCH)) {
        states.push(state.clone());
        modal::run::<V>(filter, skip, &mut state, g, f);
    }
    (f, states)
}

/// Gradients of poles and residues into `out`; gives that of what went in, but for D.
///
/// With `ds_t = residue · d_t + λ ds_{t+1}`: `dg = Σ_s ds`, `dresidue = Σ_t s_t d_t`,
/// `dλ = Σ_t s_{t-1} ds_t`.
#[inline(always)]
fn mode_gradients<V: Lanes>(
    filter: &[Row],
    states: &[Vec<Row>],
    g: &[Row],
    d: &[Row],
    out: &mut [Row],
) -> Vec<Row> {
    let n_modes = filter.len() / 2;
    let mut dg = vec![Row::ZERO; g.len()];
    let mut later = vec![Row::ZERO; n_modes];
    let mut seen = vec![[Row::ZERO; MODES]; STRETCH + 1];
    for (idx, state) in states.iter().enumerate().rev() {
        let range = idx * STRETCH..((idx + 1) * STRETCH).min(g.len());
        for first in (0..n_modes).step_by(MODES) {
            for half in 0..2 {
                let load = |rows: &[Row], at: usize| V::load(rows[at].halves()[half]);
                let mut poles = [V::splat(0.0); MODES];
                let mut residues = poles;
                let mut s = poles;
                let mut ds = poles;
                let mut dpoles = poles;
                let mut dresidues = poles;
                for mode in 0..MODES {
                    let at = first + mode;
                    poles[mode] = load(filter, at);
                    residues[mode] = load(filter, n_modes + at);
                    s[mode] = load(state, at);
                    ds[mode] = load(&later, at);
                    dpoles[mode] = load(out, at);
                    dresidues[mode] = load(out, n_modes + at);
                    store(s[mode], &mut seen[0][mode], half);
                }
                for (g, seen) in g[range.clone()].iter().zip(&mut seen[1..]) {
                    let g = V::load(g.halves()[half]);
                    for mode in 0..MODES {
                        s[mode] = s[mode].fma(poles[mode], g);
                        store(s[mode], &mut seen[mode], half);
                    }
                }
                for t in range.clone().rev() {
                    let d = load(d, t);
                    let mut sum = load(&dg, t);
                    let at = t - range.start;
                    for mode in 0..MODES {
                        ds[mode] = ds[mode].fma(poles[mode], d.mul(residues[mode]));
                        sum = sum.add(ds[mode]);
                        let (before, now) = (load(&seen[at], mode), load(&seen[at + 1], mode));
                        dresidues[mode] = now.fma(d, dresidues[mode]);
                        dpoles[mode] = before.fma(ds[mode], dpoles[mode]);
                    }
                    store(sum, &mut dg[t], half);
                }
                for mode in 0..MODES {
                    let at = first + mode;
                    store(ds[mode], &mut later[at], half);
                    store(dpoles[mode], &mut out[at], half);
                    store(dresidues[mode], &mut out[n_modes + at], half);
                }
            }
        }
    }
    dg
}

/// One half of a row.
#[inline(always)]
fn store<V: Lanes>(value: V, row: &mut Row, half: usize) {
    let to = row.halves_mut().into_iter().nth(half).expect("two halves");
    value.store(to);
}
