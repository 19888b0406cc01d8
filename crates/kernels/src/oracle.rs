//! What a graph's outputs really are: an interpreter of core-ATen operations in double precision.
//!
//! Every value is an `f64`, whatever the declared type; integers are exact. [`run`] gives the
//! expected outputs. [`run_single`] computes the same as a faithful single-precision
//! implementation would, rounding after every operation and accumulating in `f32`: how far its
//! outputs lie from the others is the error that a kernel may be forgiven.

mod array;
mod binary;
mod call;
mod convolution;
mod create;
mod gemm;
mod index;
mod norm;
mod pointwise;
mod pool;
mod product;
mod reduce;
mod scan;
mod view;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::rc::Rc;

pub use array::Array;
pub(crate) use array::range;

use crate::Error;
use crate::graph::{Argument, Dtype, Graph, Node, Tensor};
use call::{Call, Computed};

/// Most elements of one tensor.
const MOST_ELEMENTS: usize = 1 << 28;

/// Most elements alive at one time: 4 GiB.
const MOST_ALIVE: usize = 1 << 29;

/// Largest integer up to which `f64` holds every one.
pub(crate) const LARGEST_INTEGER: i64 = 1 << 53;

/// The kinds of operation, each with a function that computes those it knows.
const KINDS: [fn(&Call<'_>) -> Computed; 11] = [
    pointwise::compute,
    binary::compute,
    view::compute,
    product::compute,
    convolution::compute,
    reduce::compute,
    norm::compute,
    scan::compute,
    pool::compute,
    index::compute,
    create::compute,
];

/// The graph's outputs for what it is given (inputs, then parameters), in double precision.
///
/// # Errors
/// If an operation is unknown, or the graph contradicts itself or what is given.
pub fn run(graph: &Graph, given: &[Array]) -> Result<Vec<Array>, Error> {
    interpret(graph, given, false)
}

/// As [`run`], with every operation on 32-bit floats rounded and accumulated in single precision.
///
/// # Errors
/// As [`run`].
pub fn run_single(graph: &Graph, given: &[Array]) -> Result<Vec<Array>, Error> {
    interpret(graph, given, true)
}

/// What is wrong with a tensor, as an error.
pub(crate) fn contradiction(name: &str, reason: impl Into<String>) -> Error {
    Error::Operation { action: "interpret", op: name.to_owned(), reason: reason.into() }
}

fn interpret(graph: &Graph, given: &[Array], single: bool) -> Result<Vec<Array>, Error> {
    let expected = graph.inputs.len() + graph.parameters.len();
    if given.len() != expected {
        let reason = format!("expected {expected} tensors, got {}", given.len());
        return Err(contradiction("graph", reason));
    }
    let mut alive: HashMap<&str, Rc<Array>> = HashMap::new();
    let mut n_alive = 0;
    for (tensor, array) in graph.given().zip(given) {
        let fits = tensor.shape == array.shape && tensor.dtype == array.dtype;
        if !fits || array.values.len() != n_elements(&tensor.name, &tensor.shape)? {
            let reason = format!(
                "expected {:?} of {:?}, got {:?} of {:?}",
                tensor.dtype, tensor.shape, array.dtype, array.shape
            );
            return Err(contradiction(&tensor.name, reason));
        }
        n_alive += array.values.len();
        alive.insert(&tensor.name, Rc::new(array.clone()));
    }
    let last_reads = last_reads(graph);
    for (idx, node) in graph.nodes.iter().enumerate() {
        for tensor in &node.outputs {
            n_alive += n_elements(&tensor.name, &tensor.shape)?;
        }
        if n_alive > MOST_ALIVE {
            return Err(contradiction(&node.op, format!("more than {MOST_ALIVE} elements alive")));
        }
        let computed = compute(node, &alive, single)?;
        for (tensor, array) in node.outputs.iter().zip(computed) {
            if tensor.name.is_empty() || !last_reads.contains_key(tensor.name.as_str()) {
                n_alive -= array.values.len();
            } else if let Some(old) = alive.insert(&tensor.name, Rc::new(array)) {
                n_alive -= old.values.len();
            }
        }
        for name in read_by(node) {
            if last_reads.get(name) == Some(&idx)
                && let Some(array) = alive.remove(name)
            {
                n_alive -= array.values.len();
            }
        }
    }
    let mut returned = Vec::with_capacity(graph.outputs.len());
    for name in &graph.outputs {
        let array = alive.get(name.as_str());
        let array = array.ok_or_else(|| contradiction(name, "an output that nothing computes"))?;
        returned.push(Array::clone(array));
    }
    Ok(returned)
}

fn n_elements(name: &str, shape: &[usize]) -> Result<usize, Error> {
    let n = shape.iter().try_fold(1usize, |n, extent| n.checked_mul(*extent));
    n.filter(|n| *n <= MOST_ELEMENTS)
        .ok_or_else(|| contradiction(name, format!("more than {MOST_ELEMENTS} elements")))
}

/// The names that a node reads.
pub(crate) fn read_by(node: &Node) -> impl Iterator<Item = &str> {
    node.arguments.values().flat_map(|argument| -> Vec<&str> {
        match argument {
            Argument::Tensor(name) => vec![name],
            Argument::Tensors(names) => names.iter().map(String::as_str).collect(),
            Argument::OptionalTensors(names) => {
                names.iter().flatten().map(String::as_str).collect()
            }
            _ => Vec::new(),
        }
    })
}

/// The last node that reads each tensor; what is returned is read by no last one.
fn last_reads(graph: &Graph) -> HashMap<&str, usize> {
    let mut last = HashMap::new();
    for (idx, node) in graph.nodes.iter().enumerate() {
        last.extend(read_by(node).map(|name| (name, idx)));
    }
    last.extend(graph.outputs.iter().map(|name| (name.as_str(), usize::MAX)));
    last
}

fn compute(
    node: &Node,
    alive: &HashMap<&str, Rc<Array>>,
    single: bool,
) -> Result<Vec<Array>, Error> {
    let call = Call::new(node, alive, single);
    for kind in KINDS {
        let Some(mut computed) = kind(&call)? else { continue };
        if computed.len() < node.outputs.len() {
            let reason = format!("{} outputs, {} declared", computed.len(), node.outputs.len());
            return Err(call.refuse(reason));
        }
        for (idx, (array, tensor)) in computed.iter_mut().zip(&node.outputs).enumerate() {
            call.expect_shape(idx, &array.shape)?;
            array.dtype = tensor.dtype;
            settle(&call, array, tensor)?;
        }
        return Ok(computed);
    }
    Err(call.refuse("unknown"))
}

/// Rounds where rounding is asked for, and checks that integers are some.
fn settle(call: &Call<'_>, array: &mut Array, tensor: &Tensor) -> Result<(), Error> {
    match tensor.dtype {
        Dtype::F64 => return Ok(()),
        Dtype::F32 if call.single() => {
            array::update(&mut array.values, |value| f64::from(value as f32));
            return Ok(());
        }
        Dtype::F32 => return Ok(()),
        _ => {}
    }
    let (low, high) = array::range(tensor.dtype);
    match array.values.iter().find(|value| !(low..=high).contains(*value) || value.fract() != 0.0) {
        Some(value) => Err(call.refuse(format!("{value} is no {:?}", tensor.dtype))),
        None => Ok(()),
    }
}
