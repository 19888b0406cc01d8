//! The Hyena operator: short filters on three projections, a gate, a long filter, a gate.
//!
//! `z = short * p` for the three thirds `x2, x1, v` of the projections; `g = z_x1 · z_v`;
//! `y = filter * g + D · g`; `out = z_x2 · y` (StripedHyena 2). Everything is causal and per channel,
//! so a block of channels passes through all of it while it lies in the first-level cache.

mod backward;
mod fir;
mod modal;

pub(crate) use backward::Gradient;

use crate::blocked::{BLOCK, Blocked, Row};
use crate::cpu::Cpu;
use crate::simd::{self, Kernel, Lanes};
use crate::threads;

/// Tokens that pass through all steps at a time.
const AT_ONCE: usize = 64;

/// The inner filter.
#[derive(Debug, Clone, Copy)]
pub enum Filter<'a> {
    /// Taps `[C, K]`, oldest first: `y_t = Σ_k taps[k] g[t - K + 1 + k]`.
    Fir {
        /// Taps, row-major.
        taps: &'a [f32],
        /// How many, `K`.
        n_taps: usize,
    },
    /// Modes `[C, S]`: `s_t = λ s_{t-1} + g_t`, `y_t = Σ residue · s_t`.
    Modal {
        /// λ, each between 0 and 1.
        poles: &'a [f32],
        /// Residues.
        residues: &'a [f32],
        /// How many per channel, `S`.
        n_modes: usize,
    },
}

/// One operator over `C` channels; `C` is a multiple of [`BLOCK`].
#[derive(Debug, Clone)]
pub struct Hyena {
    n_channels: usize,
    /// `[3][C / 32][short]`, oldest first.
    short: Vec<Row>,
    n_short: usize,
    kind: Kind,
    /// `[C / 32][rows]`: taps, or poles then residues.
    filter: Vec<Row>,
    /// D, `[C / 32]`; zeros where there is none.
    skip: Vec<Row>,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Fir { n_taps: usize },
    Modal { n_modes: usize },
}

/// What an operator remembers of a sequence.
#[derive(Debug, Clone, PartialEq)]
pub struct HyenaState {
    /// `[C / 32]` blocks of: history of x2, of x1, of v (each a ring of `short - 1`), then a ring of
    /// the last `taps - 1` gated inputs, or the modes.
    rows: Vec<Row>,
    /// Tokens seen: where the rings begin.
    n_seen: usize,
}

impl HyenaState {
    /// Bytes held.
    pub fn size_bytes(&self) -> usize {
        size_of_val(self.rows.as_slice())
    }
}

impl Hyena {
    /// From taps of the short filter, `[3 C, short]`, oldest first, thirds in the order x2, x1, v;
    /// the inner filter; and D, `[C]`.
    ///
    /// # Panics
    /// If sizes do not fit, or `C` is no multiple of [`BLOCK`].
    pub fn new(short: &[f32], n_short: usize, filter: Filter<'_>, skip: Option<&[f32]>) -> Hyena {
        let n_channels = short.len() / n_short / 3;
        assert!(
            n_short > 0
                && n_channels.is_multiple_of(BLOCK)
                && short.len() == 3 * n_channels * n_short
        );
        let (kind, filter) = match filter {
            Filter::Fir { taps, n_taps } => {
                assert!(n_taps > 0 && taps.len() == n_channels * n_taps);
                (Kind::Fir { n_taps }, by_block(taps, n_taps, n_taps))
            }
            Filter::Modal { poles, residues, n_modes } => {
                assert!(poles.len() == n_channels * n_modes && residues.len() == poles.len());
                // Modes that fill up a group of registers are zeros and stay so.
                let padded = n_modes.next_multiple_of(modal::MODES);
                let poles = by_block(poles, n_modes, padded);
                let residues = by_block(residues, n_modes, padded);
                let both = poles.chunks_exact(padded).zip(residues.chunks_exact(padded));
                let both = both.flat_map(|(poles, residues)| [poles, residues].concat()).collect();
                (Kind::Modal { n_modes: padded }, both)
            }
        };
        let skip =
            skip.map_or_else(|| vec![Row::ZERO; n_channels / BLOCK], |skip| by_block(skip, 1, 1));
        Hyena { n_channels, short: by_block(short, n_short, n_short), n_short, kind, filter, skip }
    }

    /// Channels, `C`.
    pub fn n_channels(&self) -> usize {
        self.n_channels
    }

    /// Of a sequence that has not begun.
    pub fn state(&self) -> HyenaState {
        HyenaState { rows: vec![Row::ZERO; self.n_blocks() * self.rows_per_block()], n_seen: 0 }
    }

    fn n_blocks(&self) -> usize {
        self.n_channels / BLOCK
    }

    fn rows_per_block(&self) -> usize {
        3 * (self.n_short - 1)
            + match self.kind {
                Kind::Fir { n_taps } => n_taps - 1,
                Kind::Modal { n_modes } => n_modes,
            }
    }

    /// From projections `p`, `[T, 3 C]` with thirds x2, x1, v, to `out`, `[T, C]`.
    ///
    /// # Panics
    /// If the shapes do not fit.
    pub fn forward(&self, cpu: Cpu, p: &Blocked, state: &mut HyenaState, out: &mut Blocked) {
        assert_eq!(p.n_channels(), 3 * self.n_channels, "three projections");
        assert_eq!((out.n_channels(), out.n_tokens()), (self.n_channels, p.n_tokens()));
        let (n_tokens, rows_per_block) = (p.n_tokens(), self.rows_per_block());
        if n_tokens == 0 {
            return;
        }
        let n_seen = state.n_seen;
        let n_blocks = self.n_blocks();
        let work = n_tokens * (3 * self.n_short + self.filter.len() / n_blocks);
        threads::by_units_with(
            out.rows_mut(),
            &mut state.rows,
            n_blocks,
            work,
            |first, out, state| {
                let blocks =
                    out.chunks_exact_mut(n_tokens).zip(state.chunks_exact_mut(rows_per_block));
                for (idx, (out, state)) in blocks.enumerate() {
                    let block = first + idx;
                    simd::run(cpu, OneBlock { hyena: self, block, p, state, n_seen, out });
                }
            },
        );
        state.n_seen += n_tokens;
    }

    /// The last `n` gated inputs or the modes, `[C, n]`, oldest first: what the reference
    /// implementation calls `fir_inner_state` and `iir_state`.
    pub fn inner_state(&self, state: &HyenaState) -> Vec<f32> {
        let from = 3 * (self.n_short - 1);
        match self.kind {
            Kind::Fir { n_taps } => self.unrolled(state, from, n_taps - 1, true),
            Kind::Modal { n_modes } => self.unrolled(state, from, n_modes, false),
        }
    }

    /// The last projections, `[3 C, short - 1]` in thirds x2, x1, v, oldest first.
    pub fn short_state(&self, state: &HyenaState) -> Vec<f32> {
        let n = self.n_short - 1;
        (0..3).flat_map(|third| self.unrolled(state, third * n, n, true)).collect()
    }

    /// What the inner filter answers to a single 1, `[C, n]`, without D.
    pub fn impulse_response(&self, n: usize) -> Vec<f32> {
        let size = self.filter.len() / self.n_blocks();
        let value = |channel: usize, lag: usize| -> f32 {
            let filter = &self.filter[channel / BLOCK * size..][..size];
            let lane = channel % BLOCK;
            match self.kind {
                Kind::Fir { n_taps } if lag < n_taps => filter[n_taps - 1 - lag].0[lane],
                Kind::Fir { .. } => 0.0,
                Kind::Modal { n_modes } => {
                    let (poles, residues) = filter.split_at(n_modes);
                    let power = i32::try_from(lag).unwrap_or(i32::MAX);
                    let modes = poles.iter().zip(residues);
                    modes.map(|(pole, residue)| pole.0[lane].powi(power) * residue.0[lane]).sum()
                }
            }
        };
        (0..self.n_channels)
            .flat_map(|c| (0..n).map(move |lag| (c, lag)))
            .map(|(c, lag)| value(c, lag))
            .collect()
    }

    fn unrolled(&self, state: &HyenaState, from: usize, n: usize, ring: bool) -> Vec<f32> {
        let mut all = Vec::with_capacity(self.n_channels * n);
        for channel in 0..self.n_channels {
            let block = &state.rows[channel / BLOCK * self.rows_per_block() + from..][..n];
            for idx in 0..n {
                let at = if ring { (state.n_seen + idx) % n } else { idx };
                all.push(block[at].0[channel % BLOCK]);
            }
        }
        all
    }
}

/// `[C, n]` to `[C / 32][padded]` rows of 32 channels.
fn by_block(values: &[f32], n: usize, padded: usize) -> Vec<Row> {
    let n_channels = values.len() / n;
    let mut rows = vec![Row::ZERO; n_channels / BLOCK * padded];
    for (channel, values) in values.chunks_exact(n).enumerate() {
        for (idx, value) in values.iter().enumerate() {
            rows[channel / BLOCK * padded + idx].0[channel % BLOCK] = *value;
        }
    }
    rows
}

/// One block of channels through everything.
struct OneBlock<'a> {
    hyena: &'a Hyena,
    block: usize,
    p: &'a Blocked,
    state: &'a mut [Row],
    n_seen: usize,
    out: &'a mut [Row],
}

impl Kernel for OneBlock<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Lanes>(self) {
        let Hyena { n_short, kind, .. } = *self.hyena;
        let n_blocks = self.hyena.n_blocks();
        let (rings, inner) = self.state.split_at_mut(3 * (n_short - 1));
        let skip = &self.hyena.skip[self.block];
        let rows_of = |all: &'_ [Row], block: usize, n: usize| -> std::ops::Range<usize> {
            debug_assert!(all.len() >= (block + 1) * n);
            block * n..(block + 1) * n
        };
        let short = |third: usize| {
            let at = rows_of(&self.hyena.short, third * n_blocks + self.block, n_short);
            &self.hyena.short[at]
        };
        let n_filter = self.hyena.filter.len() / n_blocks;
        let filter = &self.hyena.filter[rows_of(&self.hyena.filter, self.block, n_filter)];
        let n_history = match kind {
            // One token needs no buffer: the ring is read where it lies.
            Kind::Fir { n_taps } if self.out.len() > 1 => n_taps - 1,
            _ => 0,
        };
        let mut gated = vec![Row::ZERO; n_history + self.out.len().min(AT_ONCE)];
        let mut window = vec![Row::ZERO; n_short - 1 + self.out.len().min(AT_ONCE)];
        let mut at = 0;
        let mut n_seen = self.n_seen;
        while at < self.out.len() {
            let n = AT_ONCE.min(self.out.len() - at);
            let out = &mut self.out[at..at + n];
            let g = &mut gated[n_history..n_history + n];
            for third in [1, 2, 0] {
                let p = &self.p.block(third * n_blocks + self.block)[at..at + n];
                let size = n_short - 1;
                let ring = &mut rings[third * size..(third + 1) * size];
                let window = &mut window[..size + n];
                fir::unroll(ring, n_seen, &mut window[..size]);
                window[size..].copy_from_slice(p);
                match third {
                    1 => fir::run::<V>(short(third), window, g),
                    2 => fir::run_times::<V>(short(third), window, g),
                    _ => fir::run::<V>(short(third), window, out),
                }
                fir::roll(window, ring, n_seen, n);
            }
            match kind {
                Kind::Modal { .. } => modal::run::<V>(filter, skip, inner, g, out),
                Kind::Fir { n_taps } if n == 1 => {
                    fir::one::<V>(filter, skip, inner, n_seen, &g[0], &mut out[0]);
                    if n_taps > 1 {
                        inner[n_seen % (n_taps - 1)] = g[0];
                    }
                }
                Kind::Fir { .. } => {
                    fir::unroll(inner, n_seen, &mut gated[..n_history]);
                    let gated = &gated[..n_history + n];
                    fir::run_gated::<V>(filter, skip, gated, out);
                    fir::roll(gated, inner, n_seen, n);
                }
            }
            n_seen += n;
            at += n;
        }
    }
}
