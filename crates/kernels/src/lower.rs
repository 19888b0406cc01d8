//! From a graph of operations to loops.
//!
//! Operations become [`Definition`]s: arithmetic and views as plain maps, everything that folds as
//! reductions, windows over an array that is padded first. A schedule decides later what is stored
//! and what is computed where it is used. The float64 interpreter knows nothing of this module, so
//! that one can be held against the other.

mod call;
mod pointwise;
mod products;
mod reductions;
mod views;
mod windows;

use std::collections::HashMap;

use crate::error::Error;
use crate::graph::{Dtype, Graph};
use crate::loops::{Affine, Binary, Definition, Expr, Program, Rule};
use call::Call;
pub(crate) use views::delinearize;

/// Lowers a graph.
///
/// # Errors
/// [`Error::Operation`] when it has an operation that is not known, or not in this form.
pub fn lower(graph: &Graph) -> Result<Program, Error> {
    let given: Vec<_> = graph.given().cloned().collect();
    let names = given.iter().enumerate().map(|(idx, each)| (each.name.clone(), idx)).collect();
    let program = Program { given, definitions: Vec::new(), outputs: Vec::new() };
    let mut lowering = Lowering { program, names, label: String::new() };
    for node in &graph.nodes {
        let call = Call { node, names: &lowering.names.clone() };
        lowering.label = call.name().to_owned();
        let sources = lowering.node(&call)?;
        for (output, source) in node.outputs.iter().zip(sources) {
            let Some(source) = source else { continue };
            let (shape, dtype) = (lowering.shape(source), lowering.program.dtype(source));
            if shape != output.shape || dtype != output.dtype {
                let found =
                    format!("{dtype:?} {shape:?}, declared {:?} {:?}", output.dtype, output.shape);
                return Err(call.refuse(&format!("its result is {found}")));
            }
            lowering.names.insert(output.name.clone(), source);
        }
    }
    for name in &graph.outputs {
        let source = lowering.names.get(name).copied();
        let missing = || Error::Operation {
            action: "lower",
            op: name.clone(),
            reason: "it is returned but not computed".to_owned(),
        };
        let mut source = source.ok_or_else(missing)?;
        // Each output has an array of its own, also when it is an input or another output.
        if source < lowering.program.given.len() || lowering.program.outputs.contains(&source) {
            let (dtype, shape) = (lowering.program.dtype(source), lowering.shape(source));
            let expr = lowering.broadcast(source, &shape);
            source = lowering.map(dtype, shape, expr);
        }
        lowering.program.outputs.push(source);
    }
    Ok(lowering.program)
}

/// Names of the operations of a graph that are not known here.
#[must_use]
pub fn unknown(graph: &Graph) -> Vec<String> {
    let mut found = Vec::new();
    if let Err(Error::Operation { op, .. }) = lower(graph) {
        found.push(op);
    }
    found
}

struct Lowering {
    program: Program,
    names: HashMap<String, usize>,
    label: String,
}

/// What an operation gives: one source per output, `None` for those that are never needed.
type Outputs = Vec<Option<usize>>;

impl Lowering {
    fn node(&mut self, call: &Call) -> Result<Outputs, Error> {
        if let Some(source) = self.pointwise(call)? {
            return Ok(vec![Some(source)]);
        }
        if let Some(outputs) = self.view(call)? {
            return Ok(outputs);
        }
        if let Some(outputs) = self.reduction(call)? {
            return Ok(outputs);
        }
        match call.name() {
            "mm" | "bmm" | "addmm" | "baddbmm" | "mv" | "dot" => {
                self.product(call).map(|source| vec![Some(source)])
            }
            "convolution" => self.convolution(call).map(|source| vec![Some(source)]),
            "max_pool1d"
            | "max_pool2d_with_indices"
            | "max_pool3d_with_indices"
            | "max_pool2d"
            | "max_pool3d"
            | "avg_pool1d"
            | "avg_pool2d"
            | "avg_pool3d" => self.pool(call),
            "_adaptive_avg_pool2d"
            | "_adaptive_avg_pool3d"
            | "adaptive_avg_pool1d"
            | "adaptive_avg_pool2d"
            | "adaptive_avg_pool3d" => self.adaptive_pool(call).map(|source| vec![Some(source)]),
            _ => Err(call.refuse("it is not known")),
        }
    }

    fn shape(&self, source: usize) -> Vec<usize> {
        self.program.shape(source).to_vec()
    }

    fn define(&mut self, dtype: Dtype, shape: Vec<usize>, rule: Rule) -> usize {
        let label = self.label.clone();
        self.program.definitions.push(Definition { label, dtype, shape, rule });
        self.program.given.len() + self.program.definitions.len() - 1
    }

    fn map(&mut self, dtype: Dtype, shape: Vec<usize>, expr: Expr) -> usize {
        self.define(dtype, shape, Rule::Map(expr))
    }

    /// The element of `source` at the same place of an array of `shape`, broadcast as PyTorch does.
    fn broadcast(&self, source: usize, shape: &[usize]) -> Expr {
        let own = self.program.shape(source);
        let skipped = shape.len() - own.len();
        let index = own.iter().enumerate().map(|(axis, &extent)| {
            if extent == 1 { Affine::default() } else { Affine::var(axis + skipped) }
        });
        Expr::Load { source, index: index.collect() }
    }

    /// Shape to which both are broadcast; `None` when they do not fit.
    fn common(one: &[usize], other: &[usize]) -> Option<Vec<usize>> {
        let rank = one.len().max(other.len());
        let extent = |shape: &[usize], axis: usize| {
            (axis + shape.len()).checked_sub(rank).map_or(1, |axis| shape[axis])
        };
        (0..rank)
            .map(|axis| match (extent(one, axis), extent(other, axis)) {
                (1, other) => Some(other),
                (one, 1) => Some(one),
                (one, other) => (one == other).then_some(one),
            })
            .collect()
    }
}

/// `source` at these positions.
fn load(source: usize, index: Vec<Affine>) -> Expr {
    Expr::Load { source, index }
}

/// One variable per axis.
fn vars(rank: usize) -> Vec<Affine> {
    (0..rank).map(Affine::var).collect()
}

fn add(one: Expr, other: Expr) -> Expr {
    one.binary(Binary::Add, other)
}

fn sub(one: Expr, other: Expr) -> Expr {
    one.binary(Binary::Sub, other)
}

fn mul(one: Expr, other: Expr) -> Expr {
    one.binary(Binary::Mul, other)
}

fn div(one: Expr, other: Expr) -> Expr {
    one.binary(Binary::Div, other)
}

fn number(value: f64) -> Expr {
    Expr::number(value)
}
