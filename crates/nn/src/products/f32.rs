//! Products in f32, of weights kept as f32 or, where that loses nothing, in fewer bits.

use super::ahead::{AHEAD_BYTES, Next, Share};
use super::line::{Line, Lines};
use crate::blocked::{BLOCK, Row};
use crate::cpu::Cpu;
use crate::simd::{self, Kernel, Lanes};

/// Blocks of inputs taken at once: their activations and one panel stay in the second-level cache.
const INPUT_BLOCKS: usize = 8;

/// With so few tokens a product waits for its weights.
const FEW: usize = 2;

/// Tokens that are taken at once, where there are registers for them.
pub(super) const MOST_TOKENS: usize = 14;

/// Activations of so many bytes stay in the second-level cache beside a panel of weights.
const NEAR_BYTES: usize = 1 << 20;

/// Transposes 32 rows of weights to `[K]` of 32 outputs.
pub(super) fn pack(rows: &[f32], n_inputs: usize, into: &mut [Row]) {
    for (output, row) in rows.chunks_exact(n_inputs).enumerate() {
        for (into, value) in into.iter_mut().zip(row) {
            into.0[output] = *value;
        }
    }
}

/// The product of `x`, `[K / 32][T]`, and panels, one for each of `beside`, of `K` inputs, is added to
/// `out`, `[panels][T]`, or written there `anew`. Every kind of line gives the same bits.
pub(super) fn product<L: Line>(
    cpu: Cpu,
    x: &[Row],
    panels: &[L],
    beside: &[L::Beside],
    anew: bool,
    out: &mut [Row],
) {
    simd::run(cpu, Product { x, panels, beside, anew, out });
}

struct Product<'a, L: Line> {
    x: &'a [Row],
    panels: &'a [L],
    beside: &'a [L::Beside],
    anew: bool,
    out: &'a mut [Row],
}

impl<L: Line> Kernel for Product<'_, L> {
    type Output = ();

    #[inline(always)]
    fn run<V: Lanes>(self) {
        let n_panels = self.beside.len();
        let n_tokens = self.out.len() / n_panels;
        // Floats are made for each tile again; from the third on it is cheaper to keep them.
        let few = if V::ROWS >= MOST_TOKENS { 2 * L::TOKENS } else { V::ROWS };
        if L::INPUTS > 1 && n_tokens > few {
            return self.unpacked::<V>(n_tokens);
        }
        if V::ROWS >= MOST_TOKENS && size_of_val(self.x) <= NEAR_BYTES {
            for (panel, out) in self.out.chunks_exact_mut(n_tokens).enumerate() {
                let lines = Lines::of(self.panels, self.beside, panel);
                let next = Some(Next::panel(lines.lines, L::IN_BLOCK));
                equal_tiles::<V, L>(self.x, lines, n_tokens, 0, next, self.anew, out);
            }
            return;
        }
        let n_blocks = self.panels.len() / n_panels / L::IN_BLOCK;
        // With one row of tiles nothing is used twice.
        let at_once = if n_tokens <= V::ROWS { n_blocks } else { INPUT_BLOCKS };
        let mut first = 0;
        while first < n_blocks {
            let n = at_once.min(n_blocks - first);
            let x = &self.x[first * n_tokens..(first + n) * n_tokens];
            for (panel, out) in self.out.chunks_exact_mut(n_tokens).enumerate() {
                let lines = Lines::of(self.panels, self.beside, panel).blocks(first, n);
                if self.anew && first == 0 {
                    all_tiles::<V, L, true>(x, lines, n_tokens, 0, out);
                } else {
                    all_tiles::<V, L, false>(x, lines, n_tokens, 0, out);
                }
            }
            first += n;
        }
    }
}

impl<L: Line> Product<'_, L> {
    /// With many tokens, weights become floats part by part, each once for all tokens.
    #[inline(always)]
    fn unpacked<V: Lanes>(self, n_tokens: usize) {
        let mut floats = [Row::ZERO; INPUT_BLOCKS * BLOCK];
        let n_panels = self.beside.len();
        let n_parts = self.x.len().div_ceil(INPUT_BLOCKS * n_tokens);
        let near = size_of_val(self.x) <= NEAR_BYTES;
        for step in 0..n_parts * n_panels {
            // What is larger than the cache is passed over once.
            let (panel, part) = if near {
                (step / n_parts, step % n_parts)
            } else {
                (step % n_panels, step / n_panels)
            };
            let Lines { lines, beside } = Lines::of(self.panels, self.beside, panel)
                .blocks(part * INPUT_BLOCKS, INPUT_BLOCKS);
            for (line, into) in lines.iter().zip(floats.chunks_exact_mut(L::INPUTS)) {
                // Without a loop, which would look up at each input what lines have in common.
                write(line.weights::<V>(0, beside), &mut into[0]);
                if L::INPUTS == 2 {
                    write(line.weights::<V>(1, beside), &mut into[1]);
                }
            }
            let weights = &floats[..lines.len() * L::INPUTS];
            let x = part_of(self.x, part * INPUT_BLOCKS * n_tokens, INPUT_BLOCKS * n_tokens);
            let out = &mut self.out[panel * n_tokens..][..n_tokens];
            let anew = self.anew && part == 0;
            if V::ROWS >= MOST_TOKENS {
                let panel_bytes = size_of_val(self.panels) / n_panels;
                let bytes = if near { size_of_val(lines) } else { panel_bytes };
                let next = Some(Next::after(lines, bytes, L::IN_BLOCK));
                equal_tiles::<V, Row>(x, weights.into(), n_tokens, 0, next, anew, out);
            } else if anew {
                tiles_anew::<V>(x, weights, n_tokens, 0, out);
            } else {
                tiles::<V>(x, weights, n_tokens, 0, out);
            }
        }
    }
}

#[inline(always)]
fn write<V: Lanes>(halves: [V; 2], to: &mut Row) {
    for (half, to) in halves.into_iter().zip(to.halves_mut()) {
        half.store(to);
    }
}

/// At most `n` of them, from `from` on.
fn part_of<T>(all: &[T], from: usize, n: usize) -> &[T] {
    &all[from..all.len().min(from + n)]
}

/// Products of as many tokens as `out` has, from `from` of the `n_tokens` in `x`, by 32 outputs. Tiles are
/// as equal as can be, since one of few tokens waits for its own sums; they ask for their shares of `next`.
#[inline(always)]
fn equal_tiles<V: Lanes, L: Line>(
    x: &[Row],
    panel: Lines<L>,
    n_tokens: usize,
    from: usize,
    next: Option<Next>,
    anew: bool,
    out: &mut [Row],
) {
    let n = out.len();
    let n_tiles = n.div_ceil(L::TOKENS).max(1);
    for tile in 0..n_tiles {
        let (to, end) = (tile * n / n_tiles, (tile + 1) * n / n_tiles);
        let of = next.map_or(Share::NONE, |next| Share::of(next, tile, n_tiles));
        let at = [from + to, to];
        match end - to {
            0 => {}
            1 => sums::<V, L, 1>(x, panel, n_tokens, at, of, anew, out),
            2 => sums::<V, L, 2>(x, panel, n_tokens, at, of, anew, out),
            3 => sums::<V, L, 3>(x, panel, n_tokens, at, of, anew, out),
            4 => sums::<V, L, 4>(x, panel, n_tokens, at, of, anew, out),
            5 => sums::<V, L, 5>(x, panel, n_tokens, at, of, anew, out),
            6 => sums::<V, L, 6>(x, panel, n_tokens, at, of, anew, out),
            7 => sums::<V, L, 7>(x, panel, n_tokens, at, of, anew, out),
            8 => sums::<V, L, 8>(x, panel, n_tokens, at, of, anew, out),
            9 => sums::<V, L, 9>(x, panel, n_tokens, at, of, anew, out),
            10 => sums::<V, L, 10>(x, panel, n_tokens, at, of, anew, out),
            11 => sums::<V, L, 11>(x, panel, n_tokens, at, of, anew, out),
            12 => sums::<V, L, 12>(x, panel, n_tokens, at, of, anew, out),
            13 => sums::<V, L, 13>(x, panel, n_tokens, at, of, anew, out),
            _ => sums::<V, L, MOST_TOKENS>(x, panel, n_tokens, at, of, anew, out),
        }
    }
}

/// Adds the products of as many tokens as `out` has, from `from` of the `n_tokens` in `x`, by 32
/// outputs.
#[inline(always)]
pub(crate) fn tiles<V: Lanes>(
    x: &[Row],
    panel: &[Row],
    n_tokens: usize,
    from: usize,
    out: &mut [Row],
) {
    all_tiles::<V, Row, false>(x, panel.into(), n_tokens, from, out);
}

/// [`tiles`] that begins with nothing: what `out` held does not matter.
#[inline(always)]
pub(crate) fn tiles_anew<V: Lanes>(
    x: &[Row],
    panel: &[Row],
    n_tokens: usize,
    from: usize,
    out: &mut [Row],
) {
    all_tiles::<V, Row, true>(x, panel.into(), n_tokens, from, out);
}

#[inline(always)]
fn all_tiles<V: Lanes, L: Line, const ANEW: bool>(
    x: &[Row],
    panel: Lines<L>,
    n_tokens: usize,
    from: usize,
    out: &mut [Row],
) {
    if V::ROWS >= MOST_TOKENS {
        return equal_tiles::<V, L>(x, panel, n_tokens, from, None, ANEW, out);
    }
    let mut to = 0;
    while to < out.len() {
        let (left, at) = (out.len() - to, from + to);
        let out = &mut out[to..];
        to += match left {
            1 => some::<V, L, 1, ANEW>(x, panel, n_tokens, at, out),
            2 => some::<V, L, 2, ANEW>(x, panel, n_tokens, at, out),
            3 => halves::<V, L, 3, ANEW>(x, panel, n_tokens, at, out),
            4 => halves::<V, L, 4, ANEW>(x, panel, n_tokens, at, out),
            5 => halves::<V, L, 5, ANEW>(x, panel, n_tokens, at, out),
            _ => halves::<V, L, 6, ANEW>(x, panel, n_tokens, at, out),
        };
    }
}

/// A tile, to the first rows of `out`. Gives its tokens.
#[inline(always)]
fn some<V: Lanes, L: Line, const N: usize, const ANEW: bool>(
    x: &[Row],
    panel: Lines<L>,
    n_tokens: usize,
    at: usize,
    out: &mut [Row],
) -> usize {
    let of = if N <= FEW && !ANEW { Share::ALL } else { Share::NONE };
    sums::<V, L, N>(x, panel, n_tokens, [at, 0], of, ANEW, out);
    N
}

/// [`some`] by 16 outputs and then the other 16, where there are too few registers for the sums of both:
/// more tokens share a load of weights.
#[inline(always)]
fn halves<V: Lanes, L: Line, const N: usize, const ANEW: bool>(
    x: &[Row],
    panel: Lines<L>,
    n_tokens: usize,
    at: usize,
    out: &mut [Row],
) -> usize {
    let out: &mut [Row; N] = (&mut out[..N]).try_into().expect("N rows");
    for half in 0..2 {
        let mut sums = [V::splat(0.0); N];
        if !ANEW {
            for row in 0..N {
                sums[row] = V::load(out[row].halves()[half]);
            }
        }
        for (x, lines) in x.chunks_exact(n_tokens).zip(panel.lines.chunks(L::IN_BLOCK)) {
            let x: &[Row; N] = (&x[at..at + N]).try_into().expect("N rows");
            for (first, line) in lines.iter().enumerate().take(L::IN_BLOCK) {
                if half == 0 && L::INPUTS == 1 {
                    V::prefetch(line, AHEAD_BYTES);
                    V::prefetch(line, AHEAD_BYTES + 64);
                }
                for input in 0..L::INPUTS {
                    let weights = line.weights::<V>(input, panel.beside)[half];
                    for row in 0..N {
                        let value = V::splat(x[row].0[first * L::INPUTS + input]);
                        sums[row] = value.fma(weights, sums[row]);
                    }
                }
            }
        }
        for row in 0..N {
            let [low, high] = out[row].halves_mut();
            sums[row].store(if half == 0 { low } else { high });
        }
    }
    N
}

/// Adds the product of `N` tokens, from `at` of the `n_tokens` in `x`, by 32 outputs to `out` from
/// `to`; the sums stay in registers over all inputs of the panel.
#[inline(always)]
pub(crate) fn tile<V: Lanes, const N: usize>(
    x: &[Row],
    panel: &[Row],
    n_tokens: usize,
    at: usize,
    to: usize,
    out: &mut [Row],
) {
    let of = if N <= FEW { Share::ALL } else { Share::NONE };
    sums::<V, Row, N>(x, panel.into(), n_tokens, [at, to], of, false, out);
}

/// [`tile`], or its product `anew`, which asks for its share of the weights that come later.
#[inline(always)]
fn sums<V: Lanes, L: Line, const N: usize>(
    x: &[Row],
    panel: Lines<L>,
    n_tokens: usize,
    [at, to]: [usize; 2],
    of: Share,
    anew: bool,
    out: &mut [Row],
) {
    let out: &mut [Row; N] = (&mut out[to..to + N]).try_into().expect("N rows");
    let mut sums = [[V::splat(0.0); 2]; N];
    if !anew {
        for row in 0..N {
            sums[row] = out[row].halves().map(V::load);
        }
    }
    gather::<V, L, N>(x, panel, n_tokens, at, of, &mut sums);
    for row in 0..N {
        let [low, high] = out[row].halves_mut();
        sums[row][0].store(low);
        sums[row][1].store(high);
    }
}

/// Adds the products of one input.
#[inline(always)]
fn add<V: Lanes, const N: usize>(
    x: &[Row; N],
    input: usize,
    [low, high]: [V; 2],
    sums: &mut [[V; 2]; N],
) {
    for row in 0..N {
        let value = V::splat(x[row].0[input]);
        sums[row][0] = value.fma(low, sums[row][0]);
        sums[row][1] = value.fma(high, sums[row][1]);
    }
}

/// Adds to sums in registers.
#[inline(always)]
fn gather<V: Lanes, L: Line, const N: usize>(
    x: &[Row],
    panel: Lines<L>,
    n_tokens: usize,
    at: usize,
    of: Share,
    sums: &mut [[V; 2]; N],
) {
    let asks = of.n_tiles == 1;
    for (block, (x, lines)) in
        x.chunks_exact(n_tokens).zip(panel.lines.chunks(L::IN_BLOCK)).enumerate()
    {
        let x: &[Row; N] = (&x[at..at + N]).try_into().expect("N rows");
        if of.n_tiles > 1 {
            of.ask::<V>(block);
        }
        for (first, line) in lines.iter().enumerate().take(L::IN_BLOCK) {
            if asks {
                for at in (0..size_of::<L>()).step_by(64) {
                    V::prefetch(line, AHEAD_BYTES + at);
                }
            }
            // Without a loop, around which the sums would not stay in registers.
            add(x, first * L::INPUTS, line.weights::<V>(0, panel.beside), sums);
            if L::INPUTS == 2 {
                add(x, first * L::INPUTS + 1, line.weights::<V>(1, panel.beside), sums);
            }
        }
    }
}

/// [`tile`] that begins with nothing: what `out` held does not matter.
#[inline(always)]
pub(crate) fn tile_anew<V: Lanes, const N: usize>(
    x: &[Row],
    panel: &[Row],
    n_tokens: usize,
    at: usize,
    out: &mut [Row],
) {
    let out: &mut [Row; N] = out.try_into().expect("N rows");
    let mut sums = [[V::splat(0.0); 2]; N];
    gather::<V, Row, N>(x, panel.into(), n_tokens, at, Share::NONE, &mut sums);
    for (row, sums) in out.iter_mut().zip(sums) {
        for (half, to) in row.halves_mut().into_iter().enumerate() {
            sums[half].store(to);
        }
    }
}

/// Adds the products of `N` tokens with several panels to `out`; each pair has `N` rows of the block of
/// inputs that its panel is for. The sums stay in registers over all of them.
#[inline(always)]
pub(crate) fn tile_over<'a, V: Lanes, const N: usize>(
    pairs: impl Iterator<Item = (&'a [Row], &'a [Row])>,
    out: &mut [Row],
) {
    let out: &mut [Row; N] = out.try_into().expect("N rows");
    let mut sums = [[V::splat(0.0); 2]; N];
    for row in 0..N {
        sums[row] = out[row].halves().map(V::load);
    }
    for (x, panel) in pairs {
        gather::<V, Row, N>(x, panel.into(), N, 0, Share::NONE, &mut sums);
    }
    for (row, sums) in out.iter_mut().zip(sums) {
        for (half, to) in row.halves_mut().into_iter().enumerate() {
            sums[half].store(to);
        }
    }
}
