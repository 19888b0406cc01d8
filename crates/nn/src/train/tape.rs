//! Samples through a network, remembered for the way back.
//!
//! An activation holds the tokens of all samples, one sample after another; operations that mix the
//! tokens of a sample are told how many samples there are. A tape that does not learn keeps no record,
//! and with [`Room`] from the last time it allocates nothing: so one description of a network serves
//! training and a loop at run time.

use crate::attend::{self, Attended, Channels, Heads, Seen};
use crate::attention::Attention;
use crate::blocked::{Blocked, Row};
use crate::cpu::Cpu;
use crate::glu::Activation;
use crate::linear::Then;
use crate::products::Scratch;
use crate::simd::{self, Kernel, Lanes};

use super::gather::{Gather, join, unjoin};
use super::layers::{Embedding, Norm, Operator, Product};
use super::parameters::Gradients;
use super::{activate, gate, keypoints, norm};

/// Most activations that are joined at once.
const MOST_PARTS: usize = 16;

/// An activation, `[T, C]`, on a tape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Var(usize);

/// Where an activation came from.
#[derive(Debug)]
enum Op<'a> {
    Given,
    Embed { embedding: &'a Embedding, tokens: Vec<usize> },
    Table { table: &'a Embedding, onto: Option<Var> },
    Norm { norm: &'a Norm, x: Var },
    Product { product: &'a Product, x: Var, onto: Option<Var> },
    Hyena { operator: &'a Operator, p: Var },
    Attention { attention: &'a Attention, qkv: Var },
    Attend { heads: Heads, n: usize, of: [(Var, usize); 3], weights: Vec<Row> },
    Gate { activation: Activation, gate: Var, value: Var },
    Gelu { x: Var },
    Modulate { x: Var, by: Var },
    Gather { gather: &'a Gather, x: Var },
    Join { parts: Vec<Var>, n: usize },
    Keypoints { x: Var, shape: [usize; 2] },
}

/// Memory of a tape, for the next one.
#[derive(Debug, Default)]
pub struct Room {
    values: Vec<Blocked>,
    scratch: Scratch,
}

/// What was done, in order.
#[derive(Debug)]
pub struct Tape<'a> {
    cpu: Cpu,
    learns: bool,
    /// Activations so far; after them, memory of earlier ones.
    values: Vec<Blocked>,
    n_values: usize,
    ops: Vec<Op<'a>>,
    scratch: Scratch,
}

impl<'a> Tape<'a> {
    /// Blank, with a record for the way back.
    pub fn new(cpu: Cpu) -> Tape<'a> {
        Tape::with(cpu, true, Room::default())
    }

    /// Blank, in memory of an earlier one, with a record for the way back.
    pub fn learning_in(cpu: Cpu, room: Room) -> Tape<'a> {
        Tape::with(cpu, true, room)
    }

    /// Blank, in memory of an earlier one, without a record.
    pub fn forward_in(cpu: Cpu, room: Room) -> Tape<'a> {
        Tape::with(cpu, false, room)
    }

    fn with(cpu: Cpu, learns: bool, room: Room) -> Tape<'a> {
        let Room { values, scratch } = room;
        Tape { cpu, learns, values, n_values: 0, ops: Vec::new(), scratch }
    }

    /// What it works with.
    pub fn cpu(&self) -> Cpu {
        self.cpu
    }

    /// Its memory.
    pub fn into_room(self) -> Room {
        Room { values: self.values, scratch: self.scratch }
    }

    /// What an activation holds.
    pub fn value(&self, var: Var) -> &Blocked {
        assert!(var.0 < self.n_values, "an activation of this tape");
        &self.values[var.0]
    }

    /// Room for the next activation; what it holds is unspecified.
    fn next(&mut self, n_tokens: usize, n_channels: usize) -> Blocked {
        match self.values.get_mut(self.n_values) {
            Some(value) => {
                let mut value = std::mem::replace(value, Blocked::new(0, 0));
                value.reshape(n_tokens, n_channels);
                value
            }
            None => Blocked::new(n_tokens, n_channels),
        }
    }

    fn next_like(&mut self, var: Var) -> Blocked {
        let (n_tokens, n_channels) = (self.value(var).n_tokens(), self.value(var).n_channels());
        self.next(n_tokens, n_channels)
    }

    fn push(&mut self, value: Blocked, op: impl FnOnce() -> Op<'a>) -> Var {
        match self.values.get_mut(self.n_values) {
            Some(old) => *old = value,
            None => self.values.push(value),
        }
        self.n_values += 1;
        if self.learns {
            self.ops.push(op());
        }
        Var(self.n_values - 1)
    }

    /// An activation that is not learned, `[n_tokens, n_channels]`: `write` fills it. What it holds
    /// before is unspecified, channels beyond the last included.
    pub fn given(
        &mut self,
        n_tokens: usize,
        n_channels: usize,
        write: impl FnOnce(&mut Blocked),
    ) -> Var {
        let mut value = self.next(n_tokens, n_channels);
        write(&mut value);
        self.push(value, || Op::Given)
    }

    /// A vector for each token.
    pub fn embed(&mut self, embedding: &'a Embedding, tokens: Vec<usize>) -> Var {
        let out = embedding.forward(&tokens);
        self.push(out, || Op::Embed { embedding, tokens })
    }

    /// A table of as many rows as a sample has tokens, once for each of `n` samples.
    pub fn table(&mut self, table: &'a Embedding, n: usize) -> Var {
        let mut out = self.next(n * table.n_rows(), table.n_channels());
        out.rows_mut().fill(Row::ZERO);
        table.add_to_samples(&mut out);
        self.push(out, || Op::Table { table, onto: None })
    }

    /// The same added to samples, as positions are.
    pub fn add_table(&mut self, table: &'a Embedding, x: Var) -> Var {
        let mut out = self.next_like(x);
        out.rows_mut().copy_from_slice(self.value(x).rows());
        table.add_to_samples(&mut out);
        self.push(out, || Op::Table { table, onto: Some(x) })
    }

    /// RMSNorm.
    pub fn norm(&mut self, norm: &'a Norm, x: Var) -> Var {
        let mut out = self.next_like(x);
        norm.norm.forward_in(self.cpu, &self.values[x.0], &mut out, &mut self.scratch);
        self.push(out, || Op::Norm { norm, x })
    }

    /// A product, added to `onto` where there is one.
    pub fn product(&mut self, product: &'a Product, x: Var, onto: Option<Var>) -> Var {
        let mut out = self.next(self.value(x).n_tokens(), product.forward.n_outputs());
        let then = onto.map_or(Then::Store, |onto| Then::Onto(&self.values[onto.0]));
        let from = &self.values[x.0];
        product.forward.forward_in(self.cpu, from, &mut out, then, &mut self.scratch);
        self.push(out, || Op::Product { product, x, onto })
    }

    /// A Hyena operator, on a sequence's beginning.
    pub fn hyena(&mut self, operator: &'a Operator, p: Var) -> Var {
        let from = self.value(p);
        let mut out = Blocked::new(from.n_tokens(), operator.hyena.n_channels());
        operator.hyena.forward(self.cpu, from, &mut operator.hyena.state(), &mut out);
        self.push(out, || Op::Hyena { operator, p })
    }

    /// Causal attention, on a sequence's beginning.
    pub fn attention(&mut self, attention: &'a Attention, qkv: Var) -> Var {
        let from = self.value(qkv);
        let mut out = Blocked::new(from.n_tokens(), from.n_channels() / 3);
        attention.forward(self.cpu, from, &mut attention.state(), &mut out);
        self.push(out, || Op::Attention { attention, qkv })
    }

    /// Attention of queries to keys and values within each of `n` samples; each is an activation and
    /// the channel at which it begins there.
    pub fn attend(&mut self, heads: Heads, n: usize, of: [(Var, usize); 3]) -> Var {
        let mut out = self.next(self.value(of[0].0).n_tokens(), heads.n_channels());
        let [queries, keys, values] =
            of.map(|(var, first)| Channels { all: &self.values[var.0], first });
        let seen = Seen::Live(n, [keys, values]);
        let mut weights = Vec::new();
        let kept = self.learns.then_some(&mut weights);
        attend::forward(self.cpu, heads, queries, seen, &mut self.scratch.head, kept, &mut out);
        self.push(out, || Op::Attend { heads, n, of, weights })
    }

    /// Attention of queries, which begin at a channel, to what is held. There is no way back from it.
    ///
    /// # Panics
    /// If the tape learns.
    pub fn attend_held(
        &mut self,
        heads: Heads,
        (queries, first): (Var, usize),
        held: &Attended,
    ) -> Var {
        assert!(!self.learns, "what is held is not learned");
        let mut out = self.next(self.value(queries).n_tokens(), heads.n_channels());
        let queries = Channels { all: &self.values[queries.0], first };
        let seen = Seen::Held(held);
        attend::forward(self.cpu, heads, queries, seen, &mut self.scratch.head, None, &mut out);
        self.push(out, || Op::Given)
    }

    /// `act(gate) · value`.
    pub fn gate(&mut self, activation: Activation, gate: Var, value: Var) -> Var {
        let out = gate::forward(self.cpu, self.value(gate), self.value(value), activation);
        self.push(out, || Op::Gate { activation, gate, value })
    }

    /// `x Φ(x)`.
    pub fn gelu(&mut self, x: Var) -> Var {
        let mut out = self.next_like(x);
        activate::gelu(self.cpu, self.value(x), &mut out);
        self.push(out, || Op::Gelu { x })
    }

    /// `x · (1 + a) + b` with (a, b) = `by`, `[n, 2 C]`: one row for each of the `n` samples of `x`,
    /// of whole blocks of channels (FiLM, arXiv 1709.07871).
    pub fn modulate(&mut self, x: Var, by: Var) -> Var {
        let mut out = self.next_like(x);
        activate::modulate(self.cpu, self.value(x), self.value(by), &mut out);
        self.push(out, || Op::Modulate { x, by })
    }

    /// Tokens of each sample side by side.
    ///
    /// # Panics
    /// If the activation is not a number of such samples.
    pub fn gather(&mut self, gather: &'a Gather, x: Var) -> Var {
        let (n_tokens, n_channels) = (self.value(x).n_tokens(), self.value(x).n_channels());
        assert!(n_tokens.is_multiple_of(gather.n_in()), "whole samples");
        let n = n_tokens / gather.n_in();
        let mut out = self.next(n * gather.n_out(), gather.n_taps() * n_channels);
        gather.forward(self.value(x), &mut out);
        self.push(out, || Op::Gather { gather, x })
    }

    /// Activations one after another within each of `n` samples.
    ///
    /// # Panics
    /// If there are none, or more than 16.
    pub fn join(&mut self, parts: &[Var], n: usize) -> Var {
        let n_tokens = parts.iter().map(|part| self.value(*part).n_tokens()).sum();
        let mut out = self.next(n_tokens, self.value(parts[0]).n_channels());
        assert!(parts.len() <= MOST_PARTS, "too many parts");
        let mut all = [self.value(parts[0]); MOST_PARTS];
        for (to, part) in all.iter_mut().zip(parts) {
            *to = self.value(*part);
        }
        join(&all[..parts.len()], n, &mut out);
        self.push(out, || Op::Join { parts: parts.to_vec(), n })
    }

    /// Where each channel of pictures of `shape`, height and width, is greatest: from `[n · H · W, C]`
    /// to `[n, 2 C]`, columns and then rows, from −1 to 1.
    pub fn keypoints(&mut self, x: Var, shape: [usize; 2]) -> Var {
        let from = self.value(x);
        let (n, n_channels) = (from.n_tokens() / (shape[0] * shape[1]), 2 * from.n_channels());
        let mut out = self.next(n, n_channels);
        keypoints::forward(self.cpu, self.value(x), shape, &mut out);
        self.push(out, || Op::Keypoints { x, shape })
    }

    /// From the gradient of the last activation to those of parameters, which are added. Gives its
    /// memory.
    ///
    /// # Panics
    /// If the gradient is not of that activation's shape, or nothing was recorded.
    pub fn backward(self, gradient: Blocked, gradients: &mut Gradients) -> Room {
        assert!(self.n_values > 0, "something was recorded");
        let last = Var(self.n_values - 1);
        self.backward_from([(last, gradient)], gradients)
    }

    /// The same from the gradients of several activations.
    ///
    /// # Panics
    /// If a gradient is not of its activation's shape, or the tape does not learn.
    pub fn backward_from(
        self,
        from: impl IntoIterator<Item = (Var, Blocked)>,
        gradients: &mut Gradients,
    ) -> Room {
        assert!(self.learns, "there is a record");
        let mut of: Vec<Option<Blocked>> = (0..self.n_values).map(|_| None).collect();
        for (var, gradient) in from {
            let value = self.value(var);
            let shape = (gradient.n_tokens(), gradient.n_channels());
            assert_eq!(shape, (value.n_tokens(), value.n_channels()), "shape of the gradient");
            put(self.cpu, &mut of, var, gradient);
        }
        let Tape { cpu, values, mut ops, mut scratch, .. } = self;
        let value = |var: Var| &values[var.0];
        while let Some(op) = ops.pop() {
            let out = &values[ops.len()];
            // What nothing was made of has no gradient.
            let Some(mut d) = of.pop().flatten() else { continue };
            match op {
                Op::Given => {}
                Op::Embed { embedding, tokens } => embedding.backward(&tokens, &d, gradients),
                Op::Table { table, onto } => {
                    table.backward_samples(&d, gradients);
                    if let Some(onto) = onto {
                        put(cpu, &mut of, onto, d);
                    }
                }
                Op::Norm { norm: layer, x } => {
                    let from = value(x);
                    let dx = sum_at(&mut of, x, from);
                    let scale = gradients.of_mut(layer.scale);
                    norm::add_backward(cpu, &layer.values, layer.eps, from, &d, dx, scale);
                }
                Op::Product { product, x, onto } => {
                    product.backward(cpu, value(x), &d, gradients);
                    if !matches!(ops[x.0], Op::Given) {
                        let dx = sum_at(&mut of, x, value(x));
                        product.back().forward_in(cpu, &d, dx, Then::Add, &mut scratch);
                    }
                    if let Some(onto) = onto {
                        put(cpu, &mut of, onto, d);
                    }
                }
                Op::Hyena { operator, p } => {
                    let dp = operator.backward(cpu, value(p), &d, gradients);
                    put(cpu, &mut of, p, dp);
                }
                Op::Attention { attention, qkv } => {
                    put(cpu, &mut of, qkv, attention.backward(cpu, value(qkv), out, &d));
                }
                Op::Attend { heads, n, of: from, weights } => {
                    let parts = from.map(|(var, first)| Channels { all: value(var), first });
                    let new = |var: Var| Blocked::new(value(var).n_tokens(), heads.n_channels());
                    let mut all = from.map(|(var, _)| new(var));
                    let [queries, keys, values] = &mut all;
                    let into = attend::Gradients { queries, keys, values };
                    attend::backward(cpu, heads, parts, n, &weights, &d, into);
                    for ((var, first), d) in from.into_iter().zip(&all) {
                        add_channels(cpu, sum_at(&mut of, var, value(var)), first, d);
                    }
                }
                Op::Gate { activation, gate, value: other } => {
                    let (dgate, dvalue) =
                        gate::backward(cpu, value(gate), value(other), activation, d);
                    put(cpu, &mut of, gate, dgate);
                    put(cpu, &mut of, other, dvalue);
                }
                Op::Gelu { x } => {
                    activate::gelu_backward(cpu, value(x), &mut d);
                    put(cpu, &mut of, x, d);
                }
                Op::Modulate { x, by } => {
                    let dby = activate::modulate_backward(cpu, value(x), value(by), &mut d);
                    put(cpu, &mut of, x, d);
                    put(cpu, &mut of, by, dby);
                }
                Op::Gather { gather, x } => {
                    gather.add_backward(&d, sum_at(&mut of, x, value(x)));
                }
                Op::Join { parts, n } => {
                    let mut first = 0;
                    for part in parts {
                        let from = value(part);
                        let mut dpart = Blocked::new(from.n_tokens(), from.n_channels());
                        unjoin(&d, n, first, &mut dpart);
                        first += from.n_tokens() / n;
                        put(cpu, &mut of, part, dpart);
                    }
                }
                Op::Keypoints { x, shape } => {
                    let from = value(x);
                    keypoints::add_backward(cpu, from, shape, &d, sum_at(&mut of, x, from));
                }
            }
        }
        Room { values, scratch }
    }
}

/// The gradient of a variable so far, to be added to.
fn sum_at<'g>(of: &'g mut [Option<Blocked>], var: Var, like: &Blocked) -> &'g mut Blocked {
    of[var.0].get_or_insert_with(|| Blocked::new(like.n_tokens(), like.n_channels()))
}

/// Adds a gradient.
fn put(cpu: Cpu, of: &mut [Option<Blocked>], var: Var, gradient: Blocked) {
    match &mut of[var.0] {
        None => of[var.0] = Some(gradient),
        Some(sum) => add_channels(cpu, sum, 0, &gradient),
    }
}

/// Adds to channels from `first` on.
fn add_channels(cpu: Cpu, into: &mut Blocked, first: usize, from: &Blocked) {
    let n_tokens = into.n_tokens();
    let into = &mut into.rows_mut()[first / crate::BLOCK * n_tokens..][..from.rows().len()];
    simd::run(cpu, Add { into, from: from.rows() });
}

/// `into += from`.
pub(super) struct Add<'a> {
    pub(super) into: &'a mut [Row],
    pub(super) from: &'a [Row],
}

impl Kernel for Add<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Lanes>(self) {
        for (into, from) in self.into.iter_mut().zip(self.from) {
            let from = from.halves().map(V::load);
            for (half, into) in into.halves_mut().into_iter().enumerate() {
                V::load(into).add(from[half]).store(into);
            }
        }
    }
}
