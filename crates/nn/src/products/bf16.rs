//! Products in bfloat16 with sums in f32.

use std::ops::Range;

use half::bf16;

use super::ahead::{AHEAD_BYTES, Next, Share};
use super::f32::MOST_TOKENS;
use crate::blocked::{BLOCK, Blocked, Narrow, Panel, Row};
use crate::cpu::Cpu;
use crate::simd::{self, Kernel, Lanes, Pairs, to_bf16};
use crate::threads;

/// Pairs of inputs in a block.
const PAIRS: usize = BLOCK / 2;

fn pair(low: f32, high: f32) -> u32 {
    u32::from(bf16::from_f32(low).to_bits()) | u32::from(bf16::from_f32(high).to_bits()) << 16
}

/// Whether rounding changes none of them.
pub(super) fn exact(values: &[f32]) -> bool {
    values.iter().all(|value| value.to_bits() & 0xffff == 0)
}

/// Rounds to nearest and transposes 32 rows of weights to `[K / 2]` pairs by 32 outputs.
pub(super) fn pack(rows: &[f32], n_inputs: usize, into: &mut [Panel]) {
    for (output, row) in rows.chunks_exact(n_inputs).enumerate() {
        for (into, values) in into.iter_mut().zip(row.chunks(2)) {
            into.0[output] = pair(values[0], values.get(1).copied().unwrap_or(0.0));
        }
    }
}

/// Activations `[K / 32][T]`, rounded to nearest.
pub(super) fn round_input(cpu: Cpu, x: &Blocked, all: &mut Vec<Narrow>) {
    all.resize(x.rows().len(), Narrow([0; PAIRS]));
    threads::by_units(all, x.rows().len(), 1, |first, out| {
        round_rows(cpu, &x.rows()[first..], out);
    });
}

/// Activations `[K / 32][T]`, rounded to nearest and floats again.
pub(super) fn round_to_floats(cpu: Cpu, x: &Blocked, all: &mut Vec<Row>) {
    all.resize(x.rows().len(), Row::ZERO);
    threads::by_units(all, x.rows().len(), 1, |first, out| {
        simd::run(cpu, RoundToFloats { rows: &x.rows()[first..], out });
    });
}

struct RoundToFloats<'a> {
    rows: &'a [Row],
    out: &'a mut [Row],
}

impl Kernel for RoundToFloats<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Lanes>(self) {
        for (to, row) in self.out.iter_mut().zip(self.rows) {
            for (to, value) in to.0.iter_mut().zip(row.0) {
                *to = f32::from_bits(to_bf16(value) << 16);
            }
        }
    }
}

/// Rounds rows to nearest, as many as `out` has.
pub(crate) fn round_rows(cpu: Cpu, rows: &[Row], out: &mut [Narrow]) {
    simd::run(cpu, Round { rows, out });
}

struct Round<'a> {
    rows: &'a [Row],
    out: &'a mut [Narrow],
}

impl Kernel for Round<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Lanes>(self) {
        for (to, row) in self.out.iter_mut().zip(self.rows) {
            *to = round_row::<V>(row);
        }
    }
}

/// A row in pairs.
#[inline(always)]
pub(crate) fn round_row<V: Lanes>(row: &Row) -> Narrow {
    Narrow(V::pairs(row.halves().map(V::load)))
}

/// The product of `x`, `[K / 32][T]`, and panels, `[n_panels][K / 2]`, is added to `out`,
/// `[n_panels][T]`, or written there `anew`; for processors that multiply pairs of bfloat16.
pub(super) fn product(
    cpu: Cpu,
    x: &[Narrow],
    panels: &[Panel],
    n_panels: usize,
    anew: bool,
    out: &mut [Row],
) {
    let n_tokens = out.len() / n_panels;
    #[cfg(target_arch = "x86_64")]
    if cpu.amx && n_tokens > super::FEW_TOKENS {
        let size = panels.len() / n_panels;
        if anew {
            out.fill(Row::ZERO);
        }
        for (panel, out) in panels.chunks_exact(size).zip(out.chunks_exact_mut(n_tokens)) {
            simd::tile_bf16(x, panel, out);
        }
        return;
    }
    simd::run(cpu, Product { x, panels, n_panels, anew, out, n_tokens });
}

struct Product<'a> {
    x: &'a [Narrow],
    panels: &'a [Panel],
    n_panels: usize,
    anew: bool,
    out: &'a mut [Row],
    n_tokens: usize,
}

impl Kernel for Product<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Lanes>(self) {
        let size = self.panels.len() / self.n_panels;
        for (panel, out) in
            self.panels.chunks_exact(size).zip(self.out.chunks_exact_mut(self.n_tokens))
        {
            equal_tiles::<V>(self.x, panel, [true, self.anew], out);
        }
    }
}

/// Products of as many tokens as `out` has, by 32 outputs.
#[inline(always)]
pub(crate) fn tiles<V: Lanes>(x: &[Narrow], panel: &[Panel], out: &mut [Row]) {
    equal_tiles::<V>(x, panel, [false, true], out);
}

/// Tiles as equal as can be, since one of few tokens waits for its own sums; `asks`: for their shares of the
/// next panel.
#[inline(always)]
fn equal_tiles<V: Lanes>(x: &[Narrow], panel: &[Panel], [asks, anew]: [bool; 2], out: &mut [Row]) {
    let n_tokens = out.len();
    let n_tiles = n_tokens.div_ceil(MOST_TOKENS);
    for tile in 0..n_tiles {
        let (at, end) = (tile * n_tokens / n_tiles, (tile + 1) * n_tokens / n_tiles);
        let next = Next::panel(panel, PAIRS);
        let of = if asks { Share::of(next, tile, n_tiles) } else { Share::NONE };
        wide::<V>(x, panel, n_tokens, at..end, of, anew, out);
    }
}

/// Tokens by 32 outputs, at most [`MOST_TOKENS`].
#[inline(always)]
fn wide<V: Lanes>(
    x: &[Narrow],
    panel: &[Panel],
    n_tokens: usize,
    tokens: Range<usize>,
    of: Share,
    anew: bool,
    out: &mut [Row],
) {
    let (at, out) = (tokens.start, &mut out[tokens.clone()]);
    match tokens.len() {
        1 => tile::<V, 1>(x, panel, n_tokens, at, of, anew, out),
        2 => tile::<V, 2>(x, panel, n_tokens, at, of, anew, out),
        3 => tile::<V, 3>(x, panel, n_tokens, at, of, anew, out),
        4 => tile::<V, 4>(x, panel, n_tokens, at, of, anew, out),
        5 => tile::<V, 5>(x, panel, n_tokens, at, of, anew, out),
        6 => tile::<V, 6>(x, panel, n_tokens, at, of, anew, out),
        7 => tile::<V, 7>(x, panel, n_tokens, at, of, anew, out),
        8 => tile::<V, 8>(x, panel, n_tokens, at, of, anew, out),
        9 => tile::<V, 9>(x, panel, n_tokens, at, of, anew, out),
        10 => tile::<V, 10>(x, panel, n_tokens, at, of, anew, out),
        11 => tile::<V, 11>(x, panel, n_tokens, at, of, anew, out),
        12 => tile::<V, 12>(x, panel, n_tokens, at, of, anew, out),
        13 => tile::<V, 13>(x, panel, n_tokens, at, of, anew, out),
        _ => tile::<V, MOST_TOKENS>(x, panel, n_tokens, at, of, anew, out),
    }
}

/// `N` tokens, from `at` on, by 32 outputs; `out` has as many rows.
#[inline(always)]
pub(crate) fn tile<V: Lanes, const N: usize>(
    x: &[Narrow],
    panel: &[Panel],
    n_tokens: usize,
    at: usize,
    of: Share,
    anew: bool,
    out: &mut [Row],
) {
    let out: &mut [Row; N] = out.try_into().expect("N rows");
    let mut sums = [[V::splat(0.0); 2]; N];
    if !anew {
        for row in 0..N {
            sums[row] = out[row].halves().map(V::load);
        }
    }
    let asks = of.n_tiles == 1;
    for (block, (x, weights)) in x.chunks_exact(n_tokens).zip(panel.chunks_exact(PAIRS)).enumerate()
    {
        let x: &[Narrow; N] = (&x[at..at + N]).try_into().expect("N rows");
        let weights: &[Panel; PAIRS] = weights.try_into().expect("a block");
        if of.n_tiles > 1 {
            of.ask::<V>(block);
        }
        for (input, weights) in weights.iter().enumerate() {
            if asks {
                V::prefetch(weights, AHEAD_BYTES);
                V::prefetch(weights, AHEAD_BYTES + 64);
            }
            let [low, high]: [&Pairs; 2] = weights.halves();
            for row in 0..N {
                sums[row][0] = sums[row][0].dot_pairs(x[row].0[input], low);
                sums[row][1] = sums[row][1].dot_pairs(x[row].0[input], high);
            }
        }
    }
    for row in 0..N {
        let [low, high] = out[row].halves_mut();
        sums[row][0].store(low);
        sums[row][1].store(high);
    }
}
