//! Attention of the tokens of a sample to all those of another, or to themselves: without order, as in
//! encoders, and from decoders to what was encoded.
//!
//! Heads are whole blocks of channels, so queries, values and what comes out are read and written where
//! they lie; only keys are transposed, head by head, just before they are used. What is attended to can be
//! kept ([`Attended`]): keys and values of a picture serve many steps of a decoder.

mod backward;
mod narrow;
mod softmax;
mod turn;

use std::ops::Range;

pub(crate) use backward::{Gradients, backward};
use narrow::Keep;
use softmax::softmax_all;
use turn::Turn;
pub(crate) use turn::transpose;

use crate::blocked::{BLOCK, Blocked, Narrow, Panel, Row};
use crate::cpu::Cpu;
use crate::products::tiles_f32_anew as tiles_anew;
use crate::simd::{self, Kernel, Lanes};

/// Heads of `size` channels, a multiple of [`BLOCK`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heads {
    /// How many.
    pub n: usize,
    /// Channels of one.
    pub size: usize,
    /// Whether what is not learned is in bfloat16, with sums in f32, where the processor multiplies pairs of
    /// that: beside products in bfloat16 or bytes.
    pub narrow: bool,
}

impl Heads {
    /// Channels of all.
    pub fn n_channels(self) -> usize {
        self.n * self.size
    }

    fn n_blocks(self) -> usize {
        assert!(self.size.is_multiple_of(BLOCK) && self.size > 0, "heads of whole blocks");
        self.size / BLOCK
    }

    /// Rows of one head's transposed keys.
    fn n_rows(self, n_keys: usize) -> usize {
        n_keys.div_ceil(BLOCK) * self.size
    }

    fn scale(self) -> f32 {
        1.0 / (self.size as f32).sqrt()
    }
}

/// A third of projections, say: channels from `first` on.
#[derive(Debug, Clone, Copy)]
pub struct Channels<'a> {
    /// All of them.
    pub all: &'a Blocked,
    /// Where they begin, a multiple of [`BLOCK`].
    pub first: usize,
}

impl<'a> Channels<'a> {
    /// A block of channels, over the tokens of one of `n` samples.
    fn block(self, block: usize, sample: usize, n: usize) -> &'a [Row] {
        let each = self.all.n_tokens() / n;
        &self.all.block(self.first / BLOCK + block)[sample * each..][..each]
    }
}

/// Keys and values of samples, ready to be attended to.
#[derive(Debug, Clone, Default)]
pub struct Attended {
    n_samples: usize,
    n_keys: usize,
    /// By sample and head, transposed.
    keys: Vec<Row>,
    /// `[n T, C]`.
    values: Blocked,
    /// Instead of both, in bfloat16, by sample and head.
    panels: Vec<Panel>,
}

impl Attended {
    /// Holds those of `n_samples` samples. Memory is kept.
    pub fn hold(
        &mut self,
        cpu: Cpu,
        heads: Heads,
        n_samples: usize,
        keys: Channels<'_>,
        values: Channels<'_>,
    ) {
        (self.n_samples, self.n_keys) = (n_samples, keys.all.n_tokens() / n_samples);
        let n_units = heads.n * n_samples;
        self.panels.clear();
        if heads.narrow && cpu.bf16 {
            let size = narrow::n_panels(heads, self.n_keys);
            self.panels.resize(size * n_units, Panel::ZERO);
            for (unit, to) in self.panels.chunks_exact_mut(size).enumerate() {
                let of = Unit { heads, n_samples, unit };
                simd::run(cpu, Keep { of, keys, values, to });
            }
            return;
        }
        let size = heads.n_rows(self.n_keys);
        self.keys.resize(size * n_units, Row::ZERO);
        for (unit, to) in self.keys.chunks_exact_mut(size).enumerate() {
            let of = Unit { heads, n_samples, unit };
            simd::run(cpu, Turn { of, keys, to });
        }
        let n_tokens = values.all.n_tokens();
        self.values.reshape(n_tokens, heads.n_channels());
        let from = &values.all.rows()[values.first / BLOCK * n_tokens..];
        let to = self.values.rows_mut();
        to.copy_from_slice(&from[..to.len()]);
    }
}

/// A head of a sample.
#[derive(Debug, Clone, Copy)]
struct Unit {
    heads: Heads,
    n_samples: usize,
    /// Its number, sample after sample.
    unit: usize,
}

impl Unit {
    /// Its `block`-th block of channels, over the tokens of its sample.
    fn block<'a>(self, all: Channels<'a>, block: usize) -> &'a [Row] {
        let (sample, head) = (self.unit / self.heads.n, self.unit % self.heads.n);
        all.block(head * self.heads.n_blocks() + block, sample, self.n_samples)
    }

    /// Where that block lies in activations of all heads of `n_tokens` tokens.
    fn range(self, n_tokens: usize, block: usize) -> Range<usize> {
        let (sample, head) = (self.unit / self.heads.n, self.unit % self.heads.n);
        let each = n_tokens / self.n_samples;
        let first = (head * self.heads.n_blocks() + block) * n_tokens + sample * each;
        first..first + each
    }
}

/// What queries look at.
#[derive(Clone, Copy)]
pub(crate) enum Seen<'a> {
    /// Keys and values of so many samples, where they lie.
    Live(usize, [Channels<'a>; 2]),
    /// What is held.
    Held(&'a Attended),
}

impl Seen<'_> {
    /// Samples, and keys of each.
    fn shape(self) -> (usize, usize) {
        match self {
            Seen::Live(n, [keys, _]) => (n, keys.all.n_tokens() / n),
            Seen::Held(held) => (held.n_samples, held.n_keys),
        }
    }
}

/// Room for one head, kept between them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Room {
    keys: Vec<Row>,
    weights: Vec<Row>,
    panels: Vec<Panel>,
    queries: Vec<Narrow>,
    narrow: Vec<Narrow>,
}

/// `softmax(q kᵀ / √D) v` of every sample and head into `out`; the softmax is left in `kept`, if that is
/// given, `[n, H][keys / 32][T]`.
pub(crate) fn forward(
    cpu: Cpu,
    heads: Heads,
    queries: Channels<'_>,
    seen: Seen<'_>,
    room: &mut Room,
    mut kept: Option<&mut Vec<Row>>,
    out: &mut Blocked,
) {
    let (is_narrow, values) = match seen {
        Seen::Live(_, [_, values]) => (heads.narrow && cpu.bf16 && kept.is_none(), values),
        Seen::Held(Attended { panels, values, .. }) => {
            (!panels.is_empty(), Channels { all: values, first: 0 })
        }
    };
    if is_narrow {
        return narrow::forward(cpu, heads, queries, seen, room, out);
    }
    let (n_samples, n_keys) = seen.shape();
    let (n_units, n_rows) = (n_samples * heads.n, heads.n_rows(n_keys));
    let size = n_keys.div_ceil(BLOCK) * (queries.all.n_tokens() / n_samples);
    match &mut kept {
        Some(kept) => kept.resize(n_units * size, Row::ZERO),
        None => room.weights.resize(size, Row::ZERO),
    }
    for unit in 0..n_units {
        let of = Unit { heads, n_samples, unit };
        let keys = match seen {
            Seen::Live(_, [keys, _]) => {
                room.keys.resize(n_rows, Row::ZERO);
                simd::run(cpu, Turn { of, keys, to: &mut room.keys });
                &room.keys
            }
            Seen::Held(held) => &held.keys[unit * n_rows..][..n_rows],
        };
        let weights = match &mut kept {
            Some(kept) => &mut kept[unit * size..][..size],
            None => &mut room.weights,
        };
        let out = &mut *out;
        simd::run(cpu, Forward { of, queries, keys, values, n_keys, weights, out });
    }
}

struct Forward<'a> {
    of: Unit,
    queries: Channels<'a>,
    /// Transposed.
    keys: &'a [Row],
    values: Channels<'a>,
    n_keys: usize,
    weights: &'a mut [Row],
    out: &'a mut Blocked,
}

impl Kernel for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Lanes>(self) {
        let Forward { of, queries, keys, values, n_keys, weights, out } = self;
        let n_all = queries.all.n_tokens();
        let tokens = of.range(n_all, 0);
        let (each, from) = (tokens.len(), tokens.start % n_all);
        let q = &queries.all.rows()[queries.first / BLOCK * n_all + tokens.start - from..];
        let q = &q[..of.heads.n_blocks() * n_all];
        for (keys, scores) in keys.chunks_exact(of.heads.size).zip(weights.chunks_exact_mut(each)) {
            tiles_anew::<V>(q, keys, n_all, from, scores);
        }
        softmax_all::<V>(weights, each, n_keys, of.heads.scale());
        for block in 0..of.heads.n_blocks() {
            let out = &mut out.rows_mut()[of.range(n_all, block)];
            tiles_anew::<V>(weights, of.block(values, block), each, 0, out);
        }
    }
}
