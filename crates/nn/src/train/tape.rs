//! One sequence through a network, remembered for the way back.

use crate::attention::Attention;
use crate::blocked::Blocked;
use crate::cpu::Cpu;
use crate::glu::Activation;
use crate::linear::Then;
use crate::simd::{self, Kernel, Lanes};

use super::layers::{Embedding, Norm, Operator, Product};
use super::parameters::Gradients;
use super::{gate, norm};

/// An activation, `[T, C]`, on a tape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Var(usize);

/// Where an activation came from.
#[derive(Debug)]
enum Op<'a> {
    Embed { embedding: &'a Embedding, tokens: Vec<usize> },
    Norm { norm: &'a Norm, x: Var },
    Product { product: &'a Product, x: Var, onto: Option<Var> },
    Hyena { operator: &'a Operator, p: Var },
    Attention { attention: &'a Attention, qkv: Var },
    Gate { activation: Activation, gate: Var, value: Var },
}

/// What was done, in order.
#[derive(Debug)]
pub struct Tape<'a> {
    cpu: Cpu,
    nodes: Vec<(Blocked, Op<'a>)>,
}

impl<'a> Tape<'a> {
    /// Blank.
    pub fn new(cpu: Cpu) -> Tape<'a> {
        Tape { cpu, nodes: Vec::new() }
    }

    /// What an activation holds.
    pub fn value(&self, var: Var) -> &Blocked {
        &self.nodes[var.0].0
    }

    fn push(&mut self, value: Blocked, op: Op<'a>) -> Var {
        self.nodes.push((value, op));
        Var(self.nodes.len() - 1)
    }

    /// A vector for each token.
    pub fn embed(&mut self, embedding: &'a Embedding, tokens: Vec<usize>) -> Var {
        self.push(embedding.forward(&tokens), Op::Embed { embedding, tokens })
    }

    /// RMSNorm.
    pub fn norm(&mut self, norm: &'a Norm, x: Var) -> Var {
        let from = self.value(x);
        let mut out = Blocked::new(from.n_tokens(), from.n_channels());
        norm.norm.forward(self.cpu, from, &mut out);
        self.push(out, Op::Norm { norm, x })
    }

    /// A product, added to `onto` where there is one.
    pub fn product(&mut self, product: &'a Product, x: Var, onto: Option<Var>) -> Var {
        let from = self.value(x);
        let (mut out, then) = match onto {
            Some(onto) => (self.value(onto).clone(), Then::Add),
            None => (Blocked::new(from.n_tokens(), product.forward.n_outputs()), Then::Store),
        };
        product.forward.forward(self.cpu, from, &mut out, then);
        self.push(out, Op::Product { product, x, onto })
    }

    /// A Hyena operator, on a sequence's beginning.
    pub fn hyena(&mut self, operator: &'a Operator, p: Var) -> Var {
        let from = self.value(p);
        let mut out = Blocked::new(from.n_tokens(), operator.hyena.n_channels());
        operator.hyena.forward(self.cpu, from, &mut operator.hyena.state(), &mut out);
        self.push(out, Op::Hyena { operator, p })
    }

    /// Attention, on a sequence's beginning.
    pub fn attention(&mut self, attention: &'a Attention, qkv: Var) -> Var {
        let from = self.value(qkv);
        let mut out = Blocked::new(from.n_tokens(), from.n_channels() / 3);
        attention.forward(self.cpu, from, &mut attention.state(), &mut out);
        self.push(out, Op::Attention { attention, qkv })
    }

    /// `act(gate) · value`.
    pub fn gate(&mut self, activation: Activation, gate: Var, value: Var) -> Var {
        let out = gate::forward(self.cpu, self.value(gate), self.value(value), activation);
        self.push(out, Op::Gate { activation, gate, value })
    }

    /// From the gradient of the last activation to those of parameters, which are added.
    ///
    /// # Panics
    /// If the gradient is not of that activation's shape.
    pub fn backward(self, gradient: Blocked, gradients: &mut Gradients) {
        let last = &self.nodes.last().expect("something was done").0;
        let shape = (gradient.n_tokens(), gradient.n_channels());
        assert_eq!(shape, (last.n_tokens(), last.n_channels()), "shape of the gradient");
        let mut of: Vec<Option<Blocked>> = self.nodes.iter().map(|_| None).collect();
        *of.last_mut().expect("a node") = Some(gradient);
        let (cpu, mut nodes) = (self.cpu, self.nodes);
        while let Some((out, op)) = nodes.pop() {
            // What nothing was made of has no gradient.
            let Some(d) = of.pop().flatten() else { continue };
            let value = |var: Var| &nodes[var.0].0;
            match op {
                Op::Embed { embedding, tokens } => embedding.backward(&tokens, &d, gradients),
                Op::Norm { norm: layer, x } => {
                    let from = value(x);
                    let dx = sum_at(&mut of, x, from);
                    let scale = gradients.of_mut(layer.scale);
                    norm::add_backward(cpu, &layer.values, layer.eps, from, &d, dx, scale);
                }
                Op::Product { product, x, onto } => {
                    product.backward(cpu, value(x), &d, gradients);
                    product.back.forward(cpu, &d, sum_at(&mut of, x, value(x)), Then::Add);
                    if let Some(onto) = onto {
                        put(cpu, &mut of, onto, d);
                    }
                }
                Op::Hyena { operator, p } => {
                    let dp = operator.backward(cpu, value(p), &d, gradients);
                    put(cpu, &mut of, p, dp);
                }
                Op::Attention { attention, qkv } => {
                    put(cpu, &mut of, qkv, attention.backward(cpu, value(qkv), &out, &d));
                }
                Op::Gate { activation, gate, value: other } => {
                    let (dgate, dvalue) =
                        gate::backward(cpu, value(gate), value(other), activation, d);
                    put(cpu, &mut of, gate, dgate);
                    put(cpu, &mut of, other, dvalue);
                }
            }
        }
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
        Some(sum) => simd::run(cpu, Add { into: sum, from: &gradient }),
    }
}

struct Add<'a> {
    into: &'a mut Blocked,
    from: &'a Blocked,
}

impl Kernel for Add<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Lanes>(self) {
        for (into, from) in self.into.rows_mut().iter_mut().zip(self.from.rows()) {
            let from = from.halves().map(V::load);
            for (half, into) in into.halves_mut().into_iter().enumerate() {
                V::load(into).add(from[half]).store(into);
            }
        }
    }
}
