//! Graphs that nobody wrote: random operations one after the other.

use std::collections::BTreeMap;

use kernels::Graph;
use kernels::graph::{Argument, Dtype, Node, Tensor};
use rand::RngExt;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

use super::text::Case;

/// Most elements of any tensor.
const MOST: usize = 3000;

struct Growing<'a> {
    graph: Graph,
    tensors: Vec<Tensor>,
    rng: &'a mut ChaCha8Rng,
}

fn of(tensor: &Tensor) -> Argument {
    Argument::Tensor(tensor.name.clone())
}

/// A graph of up to `n` operations; what nothing reads is returned, and sometimes more.
pub(super) fn case(n: usize, rng: &mut ChaCha8Rng) -> Case {
    let (inputs, parameters, nodes) = (Vec::new(), Vec::new(), Vec::new());
    let graph = Graph { inputs, parameters, nodes, outputs: Vec::new() };
    let mut growing = Growing { graph, tensors: Vec::new(), rng };
    let rank = growing.rng.random_range(1..4);
    let shape: Vec<usize> = (0..rank).map(|_| growing.extent()).collect();
    growing.given(&shape);
    while growing.graph.nodes.len() < n {
        growing.grow();
    }
    let Growing { mut graph, rng, .. } = growing;
    let read: Vec<&str> =
        graph.nodes.iter().flat_map(|node| node.arguments.values()).flat_map(names).collect();
    let free: Vec<String> = graph
        .nodes
        .iter()
        .map(|node| node.outputs[0].name.clone())
        .filter(|name| !read.contains(&name.as_str()) || rng.random_bool(0.1))
        .collect();
    graph.outputs = free;
    let bounds = vec![(-2.0, 2.0); graph.inputs.len()];
    let ops: Vec<&str> = graph.nodes.iter().map(|node| node.op.as_str()).collect();
    Case { name: ops.join(" "), graph, bounds }
}

fn names(argument: &Argument) -> Vec<&str> {
    match argument {
        Argument::Tensor(name) => vec![name],
        Argument::Tensors(all) => all.iter().map(String::as_str).collect(),
        _ => Vec::new(),
    }
}

impl Growing<'_> {
    fn extent(&mut self) -> usize {
        *[1, 2, 3, 5, 8, 13, 17, 34].choose(self.rng).expect("not empty")
    }

    fn given(&mut self, shape: &[usize]) -> Tensor {
        let name = format!("x{}", self.graph.inputs.len());
        let tensor = Tensor { name, dtype: Dtype::F32, shape: shape.to_vec() };
        self.graph.inputs.push(tensor.clone());
        self.tensors.push(tensor.clone());
        tensor
    }

    fn op(&mut self, op: &str, shape: Vec<usize>, arguments: &[(&str, Argument)]) {
        if shape.iter().product::<usize>() > MOST || shape.contains(&0) || shape.len() > 5 {
            return;
        }
        let name = format!("v{}", self.graph.nodes.len());
        let tensor = Tensor { name, dtype: Dtype::F32, shape };
        let arguments: BTreeMap<String, Argument> =
            arguments.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        let op = format!("aten.{op}");
        self.graph.nodes.push(Node { op, arguments, outputs: vec![tensor.clone()] });
        self.tensors.push(tensor);
    }

    fn some(&mut self) -> Tensor {
        // Rather what came last, so that chains grow.
        let n = self.tensors.len();
        let from = if self.rng.random_bool(0.7) { n.saturating_sub(2) } else { 0 };
        let at = self.rng.random_range(from..n);
        self.tensors[at].clone()
    }

    fn grow(&mut self) {
        use Argument::{Bool, Float, Int, Ints};
        let x = self.some();
        let me = ("self", of(&x));
        let shape = x.shape.clone();
        let rank = shape.len();
        if rank == 0 {
            let all = vec![self.extent(), self.extent()];
            let size = Ints(all.iter().map(|&n| n as i64).collect());
            return self.op("expand.default", all, &[me, ("size", size)]);
        }
        let axis = self.rng.random_range(0..rank);
        let n = shape[axis];
        let dim = ("dim", Int(axis as i64));
        let with = |extent: usize| {
            let mut shape = shape.clone();
            shape[axis] = extent;
            shape
        };
        match self.rng.random_range(0..20) {
            0 | 1 => {
                let name = *["neg", "tanh", "sigmoid", "relu", "abs", "sin", "clone"]
                    .choose(self.rng)
                    .expect("some");
                self.op(&format!("{name}.default"), shape, &[me]);
            }
            2 | 3 => {
                // With another of the same shape, or one that is repeated.
                let mut like: Vec<Tensor> =
                    self.tensors.iter().filter(|each| each.shape == shape).cloned().collect();
                let narrow: Vec<usize> =
                    shape.iter().map(|&n| if self.rng.random_bool(0.4) { 1 } else { n }).collect();
                if like.len() < 2 && self.graph.inputs.len() < 6 {
                    like.push(self.given(&narrow));
                }
                let other = like.choose(self.rng).expect("itself").clone();
                let name = *["add.Tensor", "mul.Tensor", "sub.Tensor", "maximum.default"]
                    .choose(self.rng)
                    .expect("some");
                self.op(name, shape, &[me, ("other", of(&other))]);
            }
            4 | 5 => {
                let mut dims: Vec<usize> = (0..rank).collect();
                for at in (1..rank).rev() {
                    dims.swap(at, self.rng.random_range(0..=at));
                }
                let to = dims.iter().map(|&axis| shape[axis]).collect();
                let dims = Ints(dims.iter().map(|&axis| axis as i64).collect());
                self.op("permute.default", to, &[me, ("dims", dims)]);
            }
            6 | 7 => {
                // Two axes become one, or one becomes two.
                let mut to = shape.clone();
                if rank > 1 && axis + 1 < rank && self.rng.random_bool(0.5) {
                    to[axis] *= to.remove(axis + 1);
                } else if let Some(by) = (2..n).find(|by| n.is_multiple_of(*by)) {
                    to[axis] = n / by;
                    to.insert(axis + 1, by);
                } else {
                    to.insert(axis, 1);
                }
                let size = Ints(to.iter().map(|&n| n as i64).collect());
                self.op("view.default", to, &[me, ("size", size)]);
            }
            8 => {
                let start = self.rng.random_range(0..n);
                let step = self.rng.random_range(1..4);
                let to = with((n - start).div_ceil(step));
                let bounds = [
                    ("start", Int(start as i64)),
                    ("end", Int(i64::MAX)),
                    ("step", Int(step as i64)),
                ];
                let all: Vec<_> = [me, dim].into_iter().chain(bounds).collect();
                self.op("slice.Tensor", to, &all);
            }
            9 => self.op("flip.default", shape, &[me, ("dims", Ints(vec![axis as i64]))]),
            10 => {
                let by = self.rng.random_range(-3i64..9);
                self.op(
                    "roll.default",
                    shape,
                    &[me, ("shifts", Ints(vec![by])), ("dims", Ints(vec![axis as i64]))],
                );
            }
            11 => {
                let (before, after) = (self.rng.random_range(0..3), self.rng.random_range(0..3));
                let mut pad = vec![0; 2 * (rank - axis)];
                let at = pad.len() - 2;
                (pad[at], pad[at + 1]) = (before, after);
                let to = with(n + (before + after) as usize);
                self.op(
                    "constant_pad_nd.default",
                    to,
                    &[me, ("pad", Ints(pad)), ("value", Float(0.5))],
                );
            }
            12 => {
                let fits = |each: &&Tensor| {
                    each.shape.len() == rank
                        && (0..rank).all(|at| at == axis || each.shape[at] == shape[at])
                };
                let like: Vec<Tensor> = self.tensors.iter().filter(fits).cloned().collect();
                let other = like.choose(self.rng).expect("itself").clone();
                let to = with(n + other.shape[axis]);
                let both = Argument::Tensors(vec![x.name.clone(), other.name]);
                self.op("cat.default", to, &[("tensors", both), dim]);
            }
            13 | 14 => {
                let keep = self.rng.random_bool(0.5);
                let mut to = with(1);
                if !keep {
                    to.remove(axis);
                }
                let name = *["sum.dim_IntList", "mean.dim", "amax.default", "logsumexp.default"]
                    .choose(self.rng)
                    .expect("some");
                self.op(name, to, &[me, ("dim", Ints(vec![axis as i64])), ("keepdim", Bool(keep))]);
            }
            15 => self.op("_softmax.default", shape, &[me, dim, ("half_to_float", Bool(false))]),
            16 => self.op("cumsum.default", shape, &[me, dim]),
            17 if rank == 2 && self.graph.inputs.len() < 6 => {
                let columns = self.extent();
                let other = self.given(&[shape[1], columns]);
                self.op("mm.default", vec![shape[0], columns], &[me, ("mat2", of(&other))]);
            }
            18 if rank == 3 && self.graph.inputs.len() < 6 => {
                let (channels, taps) = (self.rng.random_range(1..5), self.rng.random_range(1..4));
                let weight = self.given(&[channels, shape[1], taps]);
                let to = vec![shape[0], channels, shape[2] + 3 - taps];
                let one = || Ints(vec![1]);
                self.op(
                    "convolution.default",
                    to,
                    &[
                        ("input", of(&x)),
                        ("weight", of(&weight)),
                        ("bias", Argument::None),
                        ("stride", one()),
                        ("padding", one()),
                        ("dilation", one()),
                        ("transposed", Bool(false)),
                        ("output_padding", Ints(vec![0])),
                        ("groups", Int(1)),
                    ],
                );
            }
            _ => {
                let at = self.rng.random_range(0..n) as i64;
                let mut to = shape.clone();
                to.remove(axis);
                self.op("select.int", to, &[me, dim, ("index", Int(at))]);
            }
        }
    }
}
