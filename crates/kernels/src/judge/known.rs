//! What the oracle knows of a task, in the form that the judge asks for.

use std::sync::Arc;

use super::expect::{Expect, Expected, Set, Tolerance};
use crate::graph::{Argument, Graph, Node, Tensor};
use crate::inputs::{self, Distribution};
use crate::tolerance::{self, Tolerances};
use crate::{Error, Task, oracle};

/// Operations, by parts of their names, that may leave parts of what they are given unread.
#[rustfmt::skip]
const PICKING: [&str; 16] = [
    "index", "gather", "embedding", "slice", "select", "split", "tril", "triu", "unfold", "pool",
    "where", "strided", "scatter", "upsample", "narrow", "grid",
];

/// Convolutions can do with this share of their multiplications, by transforms.
const CONVOLUTION_SHARE: f64 = 0.25;

/// A task, or one of its variants, with tolerances.
#[derive(Debug, Clone)]
pub struct Known {
    task: Arc<Task>,
    graph: Graph,
    tolerances: Tolerances,
    kinds: Vec<Distribution>,
    seed: u64,
}

impl Known {
    /// The task at its own size. The seed finds tolerances, and fixes parameters where the task's
    /// policy says that they stay the same.
    ///
    /// # Errors
    /// If the oracle cannot compute the task, or outputs that took no work would pass.
    pub fn task(task: Arc<Task>, seed: u64) -> Result<Known, Error> {
        let graph = task.graph.clone();
        Known::of(task, graph, seed)
    }

    /// One of its variants.
    ///
    /// # Errors
    /// As [`Known::task`].
    ///
    /// # Panics
    /// If there is no such variant.
    pub fn variant(task: Arc<Task>, variant_idx: usize, seed: u64) -> Result<Known, Error> {
        let graph = task.variants[variant_idx].clone();
        Known::of(task, graph, seed)
    }

    fn of(task: Arc<Task>, graph: Graph, seed: u64) -> Result<Known, Error> {
        let tolerances = Tolerances::find(&task, &graph, seed, &Distribution::ALL)?;
        let has = |kind: &Distribution| tolerances.bounds.contains_key(kind);
        let kinds = Distribution::ALL.into_iter().filter(has).collect();
        Ok(Known { task, graph, tolerances, kinds, seed })
    }

    /// The tolerances in force.
    #[must_use]
    pub fn tolerances(&self) -> &Tolerances {
        &self.tolerances
    }

    fn given_bytes(&self, kind: Distribution, seed: u64) -> Result<Vec<Vec<u8>>, Error> {
        let mut bytes = inputs::draw(&self.task, &self.graph, seed, 0, kind)?;
        if self.task.policy.weights_static {
            let fixed = inputs::draw(&self.task, &self.graph, self.seed, 0, kind)?;
            let first = self.graph.inputs.len();
            bytes.truncate(first);
            bytes.extend(fixed.into_iter().skip(first));
        }
        Ok(bytes)
    }
}

impl Expect for Known {
    fn name(&self) -> &str {
        &self.task.name
    }

    fn given(&self) -> Vec<Tensor> {
        self.graph.given().cloned().collect()
    }

    fn returned(&self) -> Vec<Tensor> {
        self.graph.returned().cloned().collect()
    }

    fn kinds(&self) -> Vec<String> {
        let name = |kind: &Distribution| serde_json::to_value(kind).expect("a plain name");
        let text = |kind| name(kind).as_str().unwrap_or_default().to_owned();
        self.kinds.iter().map(text).collect()
    }

    fn draw(&self, kind: usize, seed: u64) -> Result<Set, Error> {
        let kind = self.kinds.get(kind).copied().unwrap_or(Distribution::Plain);
        let given = self.given_bytes(kind, seed)?;
        let arrays = inputs::arrays(&self.graph, &given)?;
        let outputs = oracle::run(&self.graph, &arrays)?;
        let bounds = &self.tolerances.bounds[&kind];
        // On plain inputs several draws have found what rounding does, and a gate what it may do.
        let lenient = if kind == Distribution::Plain {
            Vec::new()
        } else {
            let factor = self.tolerances.factor;
            tolerance::leniency(&self.graph, &arrays, &outputs, bounds, factor, seed)
        };
        let expected = outputs.into_iter().zip(bounds).enumerate().map(|(at, (output, bound))| {
            let (n_row, mut scales) = tolerance::row_scales(&output);
            for (scale, lenient) in scales.iter_mut().zip(lenient.get(at).into_iter().flatten()) {
                *scale *= lenient;
            }
            let (relative, absolute) = (bound.relative, bound.absolute);
            let tolerance = Tolerance::Scaled { relative, absolute, n_row, scales };
            let expected = Expected::new(output.values, tolerance);
            // Now, while nothing is timed.
            expected.bounds();
            expected
        });
        let expected = expected.collect();
        Ok(Set { given, expected })
    }

    fn read_whole(&self) -> Vec<bool> {
        let whole = !self.task.policy.redundant && !self.graph.nodes.iter().any(may_skip);
        self.graph.given().map(|tensor| whole && is_read(&self.graph, &tensor.name)).collect()
    }

    fn n_flops(&self) -> f64 {
        if self.task.policy.redundant || self.graph.nodes.iter().any(may_skip) {
            return 0.0;
        }
        self.graph.nodes.iter().map(|node| flops(&self.graph, node)).sum()
    }
}

/// Whether an operation may leave parts of its arguments unread.
fn may_skip(node: &Node) -> bool {
    let strides = match node.arguments.get("stride") {
        Some(Argument::Ints(strides)) => strides.iter().any(|stride| *stride != 1),
        _ => false,
    };
    PICKING.iter().any(|part| node.op.contains(part)) || strides
}

fn is_read(graph: &Graph, name: &str) -> bool {
    let named = |argument: &Argument| match argument {
        Argument::Tensor(tensor) => tensor == name,
        Argument::Tensors(tensors) => tensors.iter().any(|tensor| tensor == name),
        Argument::OptionalTensors(tensors) => tensors.iter().flatten().any(|tensor| tensor == name),
        _ => false,
    };
    graph.nodes.iter().any(|node| node.arguments.values().any(named))
        || graph.outputs.iter().any(|output| output == name)
}

/// Multiplications and additions of products and convolutions; what else there is costs little
/// beside moving the bytes.
fn flops(graph: &Graph, node: &Node) -> f64 {
    let tensor = |name: &str| match node.arguments.get(name) {
        Some(Argument::Tensor(name)) => graph.tensor(name),
        _ => None,
    };
    let out = node.outputs.first().map_or(0, Tensor::n_elements) as f64;
    let last =
        |name: &str| tensor(name).and_then(|tensor| tensor.shape.last()).map_or(0.0, |&n| n as f64);
    if node.op.starts_with("aten.addmm.") || node.op.starts_with("aten.baddbmm.") {
        let left = if node.op.contains("baddbmm") { "batch1" } else { "mat1" };
        return 2.0 * out * last(left);
    }
    if node.op.starts_with("aten.mm.") || node.op.starts_with("aten.bmm.") {
        return 2.0 * out * last("self");
    }
    if node.op.starts_with("aten.convolution.") {
        let transposed = node.arguments.get("transposed") == Some(&Argument::Bool(true));
        let Some(weight) = tensor("weight") else { return 0.0 };
        let each = weight.n_elements() as f64 / weight.shape.first().map_or(1.0, |&n| n as f64);
        let input = tensor("input").map_or(0.0, |tensor| tensor.n_elements() as f64);
        let naive = 2.0 * each * if transposed { input } else { out };
        return naive * CONVOLUTION_SHARE;
    }
    0.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::tests::example;

    #[test]
    fn what_the_oracle_computes_is_within_its_own_tolerance() {
        let known = Known::task(Arc::new(example()), 3).expect("a fair task");
        assert_eq!(known.kinds()[0], "plain");
        for kind in 0..known.kinds().len() {
            let set = known.draw(kind, 11).expect("drawn");
            assert_eq!(set.given.len(), known.given().len());
            for (tensor, bytes) in known.given().iter().zip(&set.given) {
                assert_eq!(tensor.size_bytes(), bytes.len());
            }
            for (tensor, expected) in known.returned().iter().zip(&set.expected) {
                assert_eq!(tensor.n_elements(), expected.values.len());
                assert!((0..expected.values.len()).all(|at| expected.limit(at) > 0.0));
            }
        }
        assert_ne!(known.draw(0, 1).expect("drawn"), known.draw(0, 2).expect("drawn"));
    }

    #[test]
    fn static_weights_stay_and_inputs_change() {
        let mut task = example();
        task.policy.weights_static = true;
        let n_inputs = task.graph.inputs.len();
        let known = Known::task(Arc::new(task), 3).expect("a fair task");
        let (one, other) = (known.draw(0, 1).expect("drawn"), known.draw(0, 2).expect("drawn"));
        assert_eq!(one.given[n_inputs..], other.given[n_inputs..]);
        assert_ne!(one.given[..n_inputs], other.given[..n_inputs]);
    }
}
