//! Products in f32.

use crate::blocked::{BLOCK, Row};
use crate::cpu::Cpu;
use crate::simd::{self, Kernel, Lanes};

/// Blocks of inputs taken at once: their activations and one panel stay in the second-level cache.
const INPUT_BLOCKS: usize = 8;

/// With so few tokens a product waits for its weights, and asks for them earlier than the processor
/// would by itself.
const FEW: usize = 2;

/// Tokens that are taken at once, where there are registers for them.
pub(super) const MOST_TOKENS: usize = 14;

/// Activations of so many bytes stay in the second-level cache beside a panel of weights.
const NEAR_BYTES: usize = 1 << 20;

/// How much earlier.
pub(super) const AHEAD_BYTES: usize = 8192;

/// Transposes 32 rows of weights to `[K]` of 32 outputs.
pub(super) fn pack(rows: &[f32], n_inputs: usize, into: &mut [Row]) {
    for (output, row) in rows.chunks_exact(n_inputs).enumerate() {
        for (into, value) in into.iter_mut().zip(row) {
            into.0[output] = *value;
        }
    }
}

/// The product of `x`, `[K / 32][T]`, and panels, `[n_panels][K]`, is added to `out`, `[n_panels][T]`,
/// or written there `anew`.
pub(super) fn product(
    cpu: Cpu,
    x: &[Row],
    panels: &[Row],
    n_panels: usize,
    anew: bool,
    out: &mut [Row],
) {
    simd::run(cpu, Product { x, panels, n_panels, anew, out });
}

struct Product<'a> {
    x: &'a [Row],
    panels: &'a [Row],
    n_panels: usize,
    anew: bool,
    out: &'a mut [Row],
}

impl Kernel for Product<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Lanes>(self) {
        let n_tokens = self.out.len() / self.n_panels;
        let n_inputs = self.panels.len() / self.n_panels;
        let n_blocks = n_inputs / BLOCK;
        if V::ROWS >= MOST_TOKENS && size_of_val(self.x) <= NEAR_BYTES {
            for (panel, out) in
                self.panels.chunks_exact(n_inputs).zip(self.out.chunks_exact_mut(n_tokens))
            {
                equal_tiles::<V>(self.x, panel, n_tokens, 0, [true, self.anew], out);
            }
            return;
        }
        // With one row of tiles nothing is used twice.
        let at_once = if n_tokens <= V::ROWS { n_blocks } else { INPUT_BLOCKS };
        let mut first = 0;
        while first < n_blocks {
            let n = at_once.min(n_blocks - first);
            let x = &self.x[first * n_tokens..(first + n) * n_tokens];
            for (panel, out) in self.out.chunks_exact_mut(n_tokens).enumerate() {
                let from = panel * n_inputs + first * BLOCK;
                let panel = &self.panels[from..from + n * BLOCK];
                if self.anew && first == 0 {
                    tiles_anew::<V>(x, panel, n_tokens, 0, out);
                } else {
                    tiles::<V>(x, panel, n_tokens, 0, out);
                }
            }
            first += n;
        }
    }
}

/// One of the tiles that pass over a panel of weights. Each asks memory for its share of the next panel,
/// so that reading goes on as evenly as reckoning; one that is alone asks for what comes soon.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Share {
    pub(super) tile: usize,
    /// 0 where nothing is to be asked for.
    pub(super) n_tiles: usize,
}

impl Share {
    /// Of a tile that is alone.
    pub(crate) const ALL: Share = Share { tile: 0, n_tiles: 1 };

    /// Of one whose weights are near.
    pub(crate) const NONE: Share = Share { tile: 0, n_tiles: 0 };

    /// Asks for lines of the same block in the next panel, which is some bytes further.
    #[inline(always)]
    pub(super) fn ask<V: Lanes, T, const N: usize>(self, block: &[T], bytes: usize) {
        let Some(first) = block.first() else { return };
        for line in (self.tile..size_of::<[T; N]>() / 64).step_by(self.n_tiles) {
            V::prefetch(first, bytes + line * 64);
        }
    }
}

/// Products of as many tokens as `out` has, from `from` of the `n_tokens` in `x`, by 32 outputs. Tiles are
/// as equal as can be, since one of few tokens waits for its own sums; `asks`: for their shares of the next
/// panel.
#[inline(always)]
fn equal_tiles<V: Lanes>(
    x: &[Row],
    panel: &[Row],
    n_tokens: usize,
    from: usize,
    [asks, anew]: [bool; 2],
    out: &mut [Row],
) {
    let n = out.len();
    let n_tiles = n.div_ceil(MOST_TOKENS).max(1);
    for tile in 0..n_tiles {
        let (to, end) = (tile * n / n_tiles, (tile + 1) * n / n_tiles);
        let of = if asks { Share { tile, n_tiles } } else { Share::NONE };
        let at = [from + to, to];
        match end - to {
            0 => {}
            1 => sums::<V, 1>(x, panel, n_tokens, at, of, anew, out),
            2 => sums::<V, 2>(x, panel, n_tokens, at, of, anew, out),
            3 => sums::<V, 3>(x, panel, n_tokens, at, of, anew, out),
            4 => sums::<V, 4>(x, panel, n_tokens, at, of, anew, out),
            5 => sums::<V, 5>(x, panel, n_tokens, at, of, anew, out),
            6 => sums::<V, 6>(x, panel, n_tokens, at, of, anew, out),
            7 => sums::<V, 7>(x, panel, n_tokens, at, of, anew, out),
            8 => sums::<V, 8>(x, panel, n_tokens, at, of, anew, out),
            9 => sums::<V, 9>(x, panel, n_tokens, at, of, anew, out),
            10 => sums::<V, 10>(x, panel, n_tokens, at, of, anew, out),
            11 => sums::<V, 11>(x, panel, n_tokens, at, of, anew, out),
            12 => sums::<V, 12>(x, panel, n_tokens, at, of, anew, out),
            13 => sums::<V, 13>(x, panel, n_tokens, at, of, anew, out),
            _ => sums::<V, MOST_TOKENS>(x, panel, n_tokens, at, of, anew, out),
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
    all_tiles::<V, false>(x, panel, n_tokens, from, out);
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
    all_tiles::<V, true>(x, panel, n_tokens, from, out);
}

#[inline(always)]
fn all_tiles<V: Lanes, const ANEW: bool>(
    x: &[Row],
    panel: &[Row],
    n_tokens: usize,
    from: usize,
    out: &mut [Row],
) {
    if V::ROWS >= MOST_TOKENS {
        return equal_tiles::<V>(x, panel, n_tokens, from, [false, ANEW], out);
    }
    let mut to = 0;
    while to < out.len() {
        let (left, at) = (out.len() - to, from + to);
        let out = &mut out[to..];
        to += if V::ROWS >= 3 && left >= 3 {
            some::<V, 3, ANEW>(x, panel, n_tokens, at, out)
        } else if left >= 2 {
            some::<V, 2, ANEW>(x, panel, n_tokens, at, out)
        } else {
            some::<V, 1, ANEW>(x, panel, n_tokens, at, out)
        };
    }
}

/// A tile, to the first rows of `out`. Gives its tokens.
#[inline(always)]
fn some<V: Lanes, const N: usize, const ANEW: bool>(
    x: &[Row],
    panel: &[Row],
    n_tokens: usize,
    at: usize,
    out: &mut [Row],
) -> usize {
    if ANEW {
        tile_anew::<V, N>(x, panel, n_tokens, at, &mut out[..N]);
    } else {
        tile::<V, N>(x, panel, n_tokens, at, 0, out);
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
    sums::<V, N>(x, panel, n_tokens, [at, to], of, false, out);
}

/// [`tile`], or its product `anew`, which asks for its share of the weights that come later.
#[inline(always)]
fn sums<V: Lanes, const N: usize>(
    x: &[Row],
    panel: &[Row],
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
    gather::<V, N>(x, panel, n_tokens, at, of, &mut sums);
    for row in 0..N {
        let [low, high] = out[row].halves_mut();
        sums[row][0].store(low);
        sums[row][1].store(high);
    }
}

/// Adds to sums in registers.
#[inline(always)]
fn gather<V: Lanes, const N: usize>(
    x: &[Row],
    panel: &[Row],
    n_tokens: usize,
    at: usize,
    of: Share,
    sums: &mut [[V; 2]; N],
) {
    let asks = of.n_tiles == 1;
    for (x, weights) in x.chunks_exact(n_tokens).zip(panel.chunks(BLOCK)) {
        let x: &[Row; N] = (&x[at..at + N]).try_into().expect("N rows");
        if of.n_tiles > 1 {
            of.ask::<V, Row, BLOCK>(weights, size_of_val(panel));
        }
        for (input, weights) in weights.iter().enumerate().take(BLOCK) {
            if asks {
                V::prefetch(weights, AHEAD_BYTES);
                V::prefetch(weights, AHEAD_BYTES + 64);
            }
            let [low, high] = weights.halves();
            let (low, high) = (V::load(low), V::load(high));
            for row in 0..N {
                let value = V::splat(x[row].0[input]);
                sums[row][0] = value.fma(low, sums[row][0]);
                sums[row][1] = value.fma(high, sums[row][1]);
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
    gather::<V, N>(x, panel, n_tokens, at, Share::NONE, &mut sums);
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
        gather::<V, N>(x, panel, N, 0, Share::NONE, &mut sums);
    }
    for (row, sums) in out.iter_mut().zip(sums) {
        for (half, to) in row.halves_mut().into_iter().enumerate() {
            sums[half].store(to);
        }
    }
}
