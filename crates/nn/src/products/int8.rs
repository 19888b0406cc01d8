//! Products of bytes: weights scaled per output, inputs per token, sums exact in 32 bits.
//!
//! Inputs are shifted by 128 to be unsigned, which the instructions want; what the shift adds is the
//! sum of an output's weights, times 128, and is taken off again.

mod round;

pub(super) use round::round_input;

use super::ahead::{AHEAD_BYTES, Next, Share};
use super::{Rows, Start};
use crate::blocked::{BLOCK, Narrow, Panel, Row};
use crate::cpu::Cpu;
use crate::simd::{self, Kernel, Lanes, Quads};

/// Inputs in one block of bytes, and fours of them.
const INPUTS: usize = 2 * BLOCK;
const QUADS: usize = INPUTS / 4;

/// Greatest magnitude of a byte.
const GREATEST: f32 = 127.0;

/// Tokens that are taken at once, where there are registers for them.
const MOST_TOKENS: usize = 14;

/// What unsigned inputs are shifted by: their highest bit is flipped.
const SHIFT: i32 = 128;

#[cfg(target_arch = "x86_64")]
thread_local! {
    /// Sums of tiles, kept so that products of a loop do not allocate.
    static SUMS: std::cell::RefCell<Vec<Panel>> = const { std::cell::RefCell::new(Vec::new()) };
}

/// Of 32 outputs: the size of one step, and 128 times the sum of the weights.
#[derive(Debug, Clone, Copy)]
pub(super) struct Columns {
    scale: Row,
    offset: [i32; BLOCK],
}

/// Rounds and transposes 32 rows of weights to `[K / 4]` fours by 32 outputs.
pub(super) fn pack(rows: &[f32], n_inputs: usize, into: &mut [Panel]) -> Columns {
    let mut columns = Columns { scale: Row::ZERO, offset: [0; BLOCK] };
    for (output, row) in rows.chunks_exact(n_inputs).enumerate() {
        let greatest = row.iter().fold(0.0_f32, |best, value| best.max(value.abs()));
        if greatest == 0.0 {
            continue;
        }
        let step = greatest / GREATEST;
        columns.scale.0[output] = step;
        for (into, values) in into.iter_mut().zip(row.chunks(4)) {
            let mut bytes = [0; 4];
            for (byte, value) in bytes.iter_mut().zip(values) {
                let rounded = (value / step).round_ties_even() as i8;
                columns.offset[output] += SHIFT * i32::from(rounded);
                *byte = rounded.cast_unsigned();
            }
            into.0[output] = u32::from_le_bytes(bytes);
        }
    }
    columns
}

/// Writes the product of `x`, `[K / 64][T]`, and panels, `[n_panels][K / 4]`, added to `start`, to
/// `out`, `[n_panels][T]`.
pub(super) fn product(
    cpu: Cpu,
    x: &[Narrow],
    scales: &[f32],
    panels: &[Panel],
    columns: &[Columns],
    start: Start<'_>,
    out: &mut [Row],
) {
    let all = All { x, scales, panels, columns, start, out };
    #[cfg(target_arch = "x86_64")]
    if cpu.amx && scales.len() > super::FEW_TOKENS {
        return all.by_tiles();
    }
    simd::run(cpu, all);
}

/// Products with several panels.
struct All<'a> {
    x: &'a [Narrow],
    scales: &'a [f32],
    panels: &'a [Panel],
    columns: &'a [Columns],
    start: Start<'a>,
    out: &'a mut [Row],
}

impl<'a> All<'a> {
    /// Each panel's.
    #[inline(always)]
    fn each(self) -> impl Iterator<Item = Product<'a>> {
        let All { x, scales, panels, columns, start, out } = self;
        let (n_tokens, size) = (scales.len(), panels.len() / columns.len());
        let all = panels.chunks_exact(size).zip(columns).zip(out.chunks_exact_mut(n_tokens));
        all.enumerate().map(move |(idx, ((panel, columns), out))| {
            let bias = start.bias.map_or(&Row::ZERO, |bias| &bias[idx]);
            let rows = match start.rows {
                Rows::Other(rows) => Rows::Other(&rows[idx * n_tokens..][..n_tokens]),
                rows => rows,
            };
            Product { x, scales, panel, columns, bias, rows, out }
        })
    }

    #[cfg(target_arch = "x86_64")]
    fn by_tiles(self) {
        SUMS.with_borrow_mut(|sums| {
            for Product { x, scales, panel, columns, bias, rows, out } in self.each() {
                sums.clear();
                sums.resize(scales.len(), Panel::ZERO);
                simd::tile_i8(x, panel, sums);
                Start { bias: Some(std::slice::from_ref(bias)), rows }.write(scales.len(), out);
                for ((sums, out), scale) in sums.iter().zip(out).zip(scales) {
                    for lane in 0..BLOCK {
                        let sum = (sums.0[lane].cast_signed() - columns.offset[lane]) as f32;
                        out.0[lane] = sum.mul_add(scale * columns.scale.0[lane], out.0[lane]);
                    }
                }
            }
        });
    }
}

impl Kernel for All<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Lanes>(self) {
        for product in self.each() {
            product.run::<V>();
        }
    }
}

struct Product<'a> {
    x: &'a [Narrow],
    scales: &'a [f32],
    panel: &'a [Panel],
    columns: &'a Columns,
    bias: &'a Row,
    rows: Rows<'a>,
    out: &'a mut [Row],
}

impl Product<'_> {
    #[inline(always)]
    fn run<V: Lanes>(mut self) {
        let n_tokens = self.out.len();
        if V::ROWS >= MOST_TOKENS {
            // Tiles as equal as can be: one of few tokens waits for its own sums.
            let n_tiles = n_tokens.div_ceil(MOST_TOKENS);
            for tile in 0..n_tiles {
                let from = tile * n_tokens / n_tiles;
                let to = (tile + 1) * n_tokens / n_tiles;
                let next = Next::panel(self.panel, QUADS);
                self.wide::<V>(from, to - from, Share::of(next, tile, n_tiles));
            }
            return;
        }
        let mut at = 0;
        while at < n_tokens {
            at += match n_tokens - at {
                1 => self.tile::<V, 1>(at, Share::ALL),
                2 => self.tile::<V, 2>(at, Share::ALL),
                3 => self.halves::<V, 3>(at),
                4 => self.halves::<V, 4>(at),
                5 => self.halves::<V, 5>(at),
                _ => self.halves::<V, 6>(at),
            };
        }
    }

    /// `N` tokens by 16 outputs and then the other 16, where there are too few registers for the sums of
    /// both. Gives `N`.
    #[inline(always)]
    fn halves<V: Lanes, const N: usize>(&mut self, at: usize) -> usize {
        let n_tokens = self.out.len();
        for half in 0..2 {
            let mut sums = [V::no_ints(); N];
            for (x, weights) in self.x.chunks_exact(n_tokens).zip(self.panel.chunks_exact(QUADS)) {
                let x: &[Narrow; N] = (&x[at..at + N]).try_into().expect("N rows");
                for (input, weights) in weights.iter().enumerate() {
                    let weights: &Quads = weights.halves()[half];
                    for row in 0..N {
                        sums[row] = V::dot_quads(sums[row], x[row].0[input], weights);
                    }
                }
            }
            let offset = &self.columns.offset.as_chunks::<16>().0[half];
            let mut floats = [V::splat(0.0); N];
            for row in 0..N {
                floats[row] = V::from_ints(V::less(sums[row], offset));
            }
            let bias = V::load(self.bias.halves()[half]);
            let step = V::load(self.columns.scale.halves()[half]);
            for (row, sum) in floats.into_iter().enumerate() {
                let start = match self.rows {
                    Rows::None => bias,
                    Rows::Own => V::load(self.out[at + row].halves()[half]).add(bias),
                    Rows::Other(rows) => V::load(rows[at + row].halves()[half]).add(bias),
                };
                let step = V::splat(self.scales[at + row]).mul(step);
                let [low, high] = self.out[at + row].halves_mut();
                sum.fma(step, start).store(if half == 0 { low } else { high });
            }
        }
        N
    }

    /// `n` tokens, at most [`MOST_TOKENS`], by 32 outputs.
    #[inline(always)]
    fn wide<V: Lanes>(&mut self, at: usize, n: usize, of: Share) -> usize {
        match n {
            1 => self.tile::<V, 1>(at, of),
            2 => self.tile::<V, 2>(at, of),
            3 => self.tile::<V, 3>(at, of),
            4 => self.tile::<V, 4>(at, of),
            5 => self.tile::<V, 5>(at, of),
            6 => self.tile::<V, 6>(at, of),
            7 => self.tile::<V, 7>(at, of),
            8 => self.tile::<V, 8>(at, of),
            9 => self.tile::<V, 9>(at, of),
            10 => self.tile::<V, 10>(at, of),
            11 => self.tile::<V, 11>(at, of),
            12 => self.tile::<V, 12>(at, of),
            13 => self.tile::<V, 13>(at, of),
            _ => self.tile::<V, MOST_TOKENS>(at, of),
        }
    }

    /// `N` tokens by 32 outputs. Gives `N`.
    #[inline(always)]
    fn tile<V: Lanes, const N: usize>(&mut self, at: usize, of: Share) -> usize {
        let n_tokens = self.out.len();
        let asks = of.n_tiles == 1;
        let mut sums = [[V::no_ints(); 2]; N];
        for (block, (x, weights)) in
            self.x.chunks_exact(n_tokens).zip(self.panel.chunks_exact(QUADS)).enumerate()
        {
            let x: &[Narrow; N] = (&x[at..at + N]).try_into().expect("N rows");
            let weights: &[Panel; QUADS] = weights.try_into().expect("a block");
            if !asks {
                of.ask::<V>(block);
            }
            for (input, weights) in weights.iter().enumerate() {
                if asks {
                    V::prefetch(weights, AHEAD_BYTES);
                    V::prefetch(weights, AHEAD_BYTES + 64);
                }
                let [low, high]: [&Quads; 2] = weights.halves();
                for row in 0..N {
                    sums[row][0] = V::dot_quads(sums[row][0], x[row].0[input], low);
                    sums[row][1] = V::dot_quads(sums[row][1], x[row].0[input], high);
                }
            }
        }
        // The shift is taken off in integers, so that this path and tiles agree exactly. Sums go to an array
        // of their own: one that the loop below indexes would be kept in memory by the loop above, too.
        let offsets = self.columns.offset.as_chunks::<16>().0;
        let mut floats = [[V::splat(0.0); 2]; N];
        for row in 0..N {
            floats[row][0] = V::from_ints(V::less(sums[row][0], &offsets[0]));
            floats[row][1] = V::from_ints(V::less(sums[row][1], &offsets[1]));
        }
        let (steps, bias) = (self.columns.scale.halves(), self.bias.halves().map(V::load));
        for (row, sums) in floats.iter().enumerate() {
            let scale = V::splat(self.scales[at + row]);
            let add = |halves: [&[f32; 16]; 2]| {
                [V::load(halves[0]).add(bias[0]), V::load(halves[1]).add(bias[1])]
            };
            let start = match self.rows {
                Rows::None => bias,
                Rows::Own => add(self.out[at + row].halves()),
                Rows::Other(rows) => add(rows[at + row].halves()),
            };
            let halves = self.out[at + row].halves_mut();
            for (half, out) in halves.into_iter().enumerate() {
                let step = scale.mul(V::load(steps[half]));
                sums[half].fma(step, start[half]).store(out);
            }
        }
        N
    }
}
