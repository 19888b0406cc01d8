//! Attention of the tokens of a sample to all those of another, or to themselves: without order, as in
//! encoders, and from decoders to what was encoded.
//!
//! Heads are whole blocks of channels, so queries, values and what comes out are read and written where
//! they lie; only keys are transposed, head by head, just before they are used. What is attended to can be
//! kept ([`Attended`]): keys and values of a picture serve many steps of a decoder.

use std::ops::Range;

use crate::blocked::{BLOCK, Blocked, Row};
use crate::cpu::Cpu;
use crate::products::{tiles_f32 as tiles, tiles_f32_anew as tiles_anew};
use crate::simd::{self, Kernel, LANES, Lanes};
use crate::train::outer;

/// Heads of `size` channels, a multiple of [`BLOCK`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heads {
    /// How many.
    pub n: usize,
    /// Channels of one.
    pub size: usize,
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
        let size = heads.n_rows(self.n_keys);
        self.keys.resize(size * heads.n * n_samples, Row::ZERO);
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

/// Transposes the keys of one head: by 32 tokens, `[D]` rows of them; 0 for tokens that there are not.
struct Turn<'a> {
    of: Unit,
    keys: Channels<'a>,
    to: &'a mut [Row],
}

impl Kernel for Turn<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Lanes>(self) {
        let Turn { of, keys, to } = self;
        for block in 0..of.heads.n_blocks() {
            let from = of.block(keys, block).chunks(BLOCK);
            for (from, to) in from.zip(to.chunks_exact_mut(of.heads.size)) {
                transpose::<V>(from, &mut to[block * BLOCK..][..BLOCK]);
            }
        }
    }
}

/// Rows and lanes change places; rows that there are not are 0.
#[inline(always)]
pub(crate) fn transpose<V: Lanes>(from: &[Row], to: &mut [Row]) {
    for tokens in 0..2 {
        let mut some = [Row::ZERO; LANES];
        let from = from.get(tokens * LANES..).unwrap_or(&[]);
        if from.is_empty() {
            for to in to.iter_mut() {
                to.0.as_chunks_mut::<LANES>().0[tokens].fill(0.0);
            }
            continue;
        }
        let rows = from.first_chunk::<LANES>().unwrap_or_else(|| {
            some[..from.len()].copy_from_slice(from);
            &some
        });
        for (channels, to) in to.as_chunks_mut::<LANES>().0.iter_mut().enumerate() {
            let half = |row: &Row| V::load(&row.0.as_chunks::<LANES>().0[channels]);
            let columns = V::transpose(std::array::from_fn(|token| half(&rows[token])));
            for (to, column) in to.iter_mut().zip(columns) {
                column.store(&mut to.0.as_chunks_mut::<LANES>().0[tokens]);
            }
        }
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

/// Room for one head, kept between them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Room {
    keys: Vec<Row>,
    weights: Vec<Row>,
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
    let (n_samples, n_keys, values) = match seen {
        Seen::Live(n, [keys, values]) => (n, keys.all.n_tokens() / n, values),
        Seen::Held(Attended { n_samples, n_keys, values, .. }) => {
            (*n_samples, *n_keys, Channels { all: values, first: 0 })
        }
    };
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
        let scale = of.heads.scale();
        match weights.len() / each {
            1 => softmax_of::<V, 1>(weights, n_keys, scale),
            2 => softmax_of::<V, 2>(weights, n_keys, scale),
            3 => softmax_of::<V, 3>(weights, n_keys, scale),
            4 => softmax_of::<V, 4>(weights, n_keys, scale),
            _ => (0..each).for_each(|query| softmax::<V>(weights, each, query, n_keys, scale)),
        }
        for block in 0..of.heads.n_blocks() {
            let out = &mut out.rows_mut()[of.range(n_all, block)];
            tiles_anew::<V>(weights, of.block(values, block), each, 0, out);
        }
    }
}

/// Of one query's scores over blocks of keys, the first `n_keys` of which there are.
#[inline(always)]
fn softmax<V: Lanes>(rows: &mut [Row], each: usize, query: usize, n_keys: usize, scale: f32) {
    let last = rows.len() / each - 1;
    for lane in n_keys - last * BLOCK..BLOCK {
        rows[last * each + query].0[lane] = f32::MIN;
    }
    let mut best = V::splat(f32::MIN);
    for row in rows[query..].iter().step_by(each) {
        let [low, high] = row.halves().map(V::load);
        best = best.max(low).max(high);
    }
    let minus = V::splat(-best.greatest());
    let scale = V::splat(scale);
    let mut total = V::splat(0.0);
    for row in rows[query..].iter_mut().step_by(each) {
        for half in row.halves_mut() {
            let e = V::load(half).add(minus).mul(scale).exp_below();
            e.store(half);
        }
    }
    // Exponentials of what is not there are small, not nothing.
    rows[last * each + query].0[n_keys - last * BLOCK..].fill(0.0);
    for row in rows[query..].iter().step_by(each) {
        let [low, high] = row.halves().map(V::load);
        total = total.add(low.add(high));
    }
    let factor = V::splat(1.0 / total.sum());
    for row in rows[query..].iter_mut().step_by(each) {
        for half in row.halves_mut() {
            V::load(half).mul(factor).store(half);
        }
    }
}

/// [`softmax`] of every query over `N` blocks of keys, which stay in registers. The order of every sum is
/// that of [`softmax`], and so are the bits.
#[inline(always)]
fn softmax_of<V: Lanes, const N: usize>(rows: &mut [Row], n_keys: usize, scale: f32) {
    let each = rows.len() / N;
    let n_last = n_keys - (N - 1) * BLOCK;
    let there = Row(std::array::from_fn(|lane| if lane < n_last { 1.0 } else { 0.0 }));
    let limit = Row(there.0.map(|there| if there > 0.0 { f32::INFINITY } else { f32::MIN }));
    let (there, limit) = (there.halves().map(V::load), limit.halves().map(V::load));
    let scale = V::splat(scale);
    for query in 0..each {
        let mut all = [[V::splat(0.0); 2]; N];
        let mut best = V::splat(f32::MIN);
        for (block, all) in all.iter_mut().enumerate() {
            *all = rows[block * each + query].halves().map(V::load);
            if block == N - 1 {
                *all = [all[0].min(limit[0]), all[1].min(limit[1])];
            }
            best = best.max(all[0].max(all[1]));
        }
        let minus = V::splat(-best.greatest());
        let mut total = V::splat(0.0);
        for (block, all) in all.iter_mut().enumerate() {
            for half in 0..2 {
                let e = all[half].add(minus).mul(scale).exp_below();
                all[half] = if block == N - 1 { e.mul(there[half]) } else { e };
            }
            total = total.add(all[0].add(all[1]));
        }
        let factor = V::splat(1.0 / total.sum());
        for (block, all) in all.into_iter().enumerate() {
            let [low, high] = rows[block * each + query].halves_mut();
            all[0].mul(factor).store(low);
            all[1].mul(factor).store(high);
        }
    }
}

/// Gradients of queries, keys and values, each added to channels of its own from where they begin.
pub(crate) struct Gradients<'a> {
    pub(crate) queries: &'a mut Blocked,
    pub(crate) keys: &'a mut Blocked,
    pub(crate) values: &'a mut Blocked,
}

/// From the gradient of what came out; `weights` as [`forward`] left them. What it writes begins at
/// channel 0.
pub(crate) fn backward(
    cpu: Cpu,
    heads: Heads,
    [queries, keys, values]: [Channels<'_>; 3],
    n_samples: usize,
    weights: &[Row],
    d: &Blocked,
    into: Gradients<'_>,
) {
    let n_keys = keys.all.n_tokens() / n_samples;
    let mut turned = vec![Row::ZERO; heads.n_rows(n_keys)];
    let size = weights.len() / (n_samples * heads.n);
    let mut scores = vec![Row::ZERO; size];
    let Gradients { queries: dq, keys: dk, values: dv } = into;
    for (unit, weights) in weights.chunks_exact(size).enumerate() {
        let of = Unit { heads, n_samples, unit };
        simd::run(cpu, Turn { of, keys: values, to: &mut turned });
        scores.fill(Row::ZERO);
        let (values, scores) = (turned.as_slice(), scores.as_mut_slice());
        let [dq, dk, dv] = [&mut *dq, &mut *dk, &mut *dv];
        simd::run(cpu, Backward { of, queries, keys, values, weights, d, scores, dq, dk, dv });
    }
}

struct Backward<'a> {
    of: Unit,
    queries: Channels<'a>,
    keys: Channels<'a>,
    /// Transposed.
    values: &'a [Row],
    weights: &'a [Row],
    d: &'a Blocked,
    scores: &'a mut [Row],
    dq: &'a mut Blocked,
    dk: &'a mut Blocked,
    dv: &'a mut Blocked,
}

impl Kernel for Backward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Lanes>(self) {
        let Backward { of, queries, keys, values, weights, d, scores, dq, dk, dv } = self;
        let (n_blocks, n_all) = (of.heads.n_blocks(), d.n_tokens());
        let tokens = of.range(n_all, 0);
        let (each, from) = (tokens.len(), tokens.start % n_all);
        let dout = &d.rows()[tokens.start - from..][..n_blocks * n_all];
        for (values, scores) in
            values.chunks_exact(of.heads.size).zip(scores.chunks_exact_mut(each))
        {
            tiles::<V>(dout, values, n_all, from, scores);
        }
        for query in 0..each {
            softmax_back::<V>(weights, scores, each, query, of.heads.scale());
        }
        let add = |into: &mut Blocked, block: usize, key: usize, sums: &[Row; BLOCK]| {
            let range = of.range(into.n_tokens(), block);
            for (into, sum) in into.rows_mut()[range].iter_mut().skip(key).zip(sums) {
                into.0.iter_mut().zip(&sum.0).for_each(|(into, sum)| *into += sum);
            }
        };
        for block in 0..n_blocks {
            let (q, range) = (of.block(queries, block), of.range(n_all, block));
            let dout = &d.rows()[range.clone()];
            tiles::<V>(scores, of.block(keys, block), each, 0, &mut dq.rows_mut()[range]);
            let slices = weights.chunks_exact(each).zip(scores.chunks_exact(each));
            for (idx, (weights, scores)) in slices.enumerate() {
                let mut sums = [Row::ZERO; BLOCK];
                outer::<V>(weights, dout, &mut sums);
                add(dv, block, idx * BLOCK, &sums);
                sums.fill(Row::ZERO);
                outer::<V>(scores, q, &mut sums);
                add(dk, block, idx * BLOCK, &sums);
            }
        }
    }
}

/// From gradients of weights to those of scores: `p (dp - Σ p dp)`, times the scale.
#[inline(always)]
fn softmax_back<V: Lanes>(weights: &[Row], d: &mut [Row], each: usize, query: usize, scale: f32) {
    let mut dots = [V::splat(0.0); 2];
    let pairs = || weights[query..].iter().step_by(each);
    for (p, d) in pairs().zip(d[query..].iter().step_by(each)) {
        let (p, d) = (p.halves().map(V::load), d.halves().map(V::load));
        dots = [p[0].fma(d[0], dots[0]), p[1].fma(d[1], dots[1])];
    }
    let minus = V::splat(-dots[0].add(dots[1]).sum());
    let scale = V::splat(scale);
    for (p, d) in pairs().zip(d[query..].iter_mut().step_by(each)) {
        let p = p.halves().map(V::load);
        for (half, d) in d.halves_mut().into_iter().enumerate() {
            V::load(d).add(minus).mul(p[half]).mul(scale).store(d);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scores of some queries, through either softmax.
    struct Softmax<'a> {
        rows: &'a mut [Row],
        n_keys: usize,
        whole: bool,
    }

    impl Kernel for Softmax<'_> {
        type Output = ();

        #[inline(always)]
        fn run<V: Lanes>(self) {
            let Softmax { rows, n_keys, whole } = self;
            let each = rows.len() / n_keys.div_ceil(BLOCK);
            match (whole, n_keys.div_ceil(BLOCK)) {
                (true, 1) => softmax_of::<V, 1>(rows, n_keys, 0.125),
                (true, 3) => softmax_of::<V, 3>(rows, n_keys, 0.125),
                _ => (0..each).for_each(|query| softmax::<V>(rows, each, query, n_keys, 0.125)),
            }
        }
    }

    #[test]
    fn softmax_in_registers_gives_the_bits_of_the_other() {
        for cpu in Cpu::all() {
            for n_keys in [1_usize, 19, 32, 67, 80, 96] {
                let n_rows = 5 * n_keys.div_ceil(BLOCK);
                let score = |row: usize, lane: usize| ((row * 97 + lane * 41) % 199) as f32 - 90.0;
                let rows = (0..n_rows).map(|row| Row(std::array::from_fn(|lane| score(row, lane))));
                let [mut one, mut other] = [rows.clone().collect::<Vec<_>>(), rows.collect()];
                simd::run(cpu, Softmax { rows: &mut one, n_keys, whole: true });
                simd::run(cpu, Softmax { rows: &mut other, n_keys, whole: false });
                assert_eq!(one, other, "{n_keys} keys, {}", cpu.names().join(" "));
                let sum: f32 = one.iter().step_by(5).flat_map(|row| row.0).sum();
                assert!((sum - 1.0).abs() < 1e-5, "{sum}");
            }
        }
    }
}
