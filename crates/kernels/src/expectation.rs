//! What a kernel for a task must give, by the interpreter: the judge's view of a task.

use std::sync::Arc;

use crate::graph::{Graph, Tensor};
use crate::inputs::{self, Distribution};
use crate::judge::{Expect, Expected, Set, Tolerance};
use crate::lower::lower;
use crate::oracle;
use crate::task::Task;
use crate::tolerance::{self, Tolerances};
use crate::{Error, loops::Program};

/// Seed of the sets that tolerances are found with. It decides no verdict by itself, so that it
/// may be known.
const TOLERANCE_SEED: u64 = 1;

/// Kinds of inputs that are tried besides the plain one.
const KINDS: [Distribution; 6] = [
    Distribution::Signed,
    Distribution::Large,
    Distribution::Tiny,
    Distribution::Sparse,
    Distribution::ConstantRows,
    Distribution::Outlier,
];

/// A task, or one of its variants, with how exact an answer has to be.
#[derive(Debug, Clone)]
pub struct Expectation {
    task: Arc<Task>,
    /// The task's own graph, or a variant.
    graph: Graph,
    tolerances: Tolerances,
    kinds: Vec<Distribution>,
    n_flops: f64,
    read_whole: Vec<bool>,
}

impl Expectation {
    /// Of the task's own graph, on every kind of input.
    ///
    /// # Errors
    /// When the task cannot be interpreted or lowered, or wrong kernels would pass.
    pub fn of(task: &Arc<Task>) -> Result<Self, Error> {
        Self::with(task, task.graph.clone(), &KINDS)
    }

    /// Of a variant, on plain inputs.
    ///
    /// # Errors
    /// As [`Expectation::of`].
    pub fn of_variant(task: &Arc<Task>, variant_idx: usize) -> Result<Self, Error> {
        Self::with(task, task.variants[variant_idx].clone(), &[])
    }

    fn with(task: &Arc<Task>, graph: Graph, kinds: &[Distribution]) -> Result<Self, Error> {
        let tolerances = Tolerances::find(task, &graph, TOLERANCE_SEED, kinds)?;
        let program = lower(&graph)?;
        let n_flops = products(&program);
        let read_whole = read_whole(&program);
        let kinds = tolerances.bounds.keys().copied().collect();
        Ok(Self { task: Arc::clone(task), graph, tolerances, kinds, n_flops, read_whole })
    }

    /// How exact an answer has to be, and what would pass that must not.
    #[must_use]
    pub fn tolerances(&self) -> &Tolerances {
        &self.tolerances
    }
}

impl Expect for Expectation {
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
        let name = |kind: &Distribution| {
            let text = serde_json::to_value(kind).expect("a name");
            text.as_str().unwrap_or_default().to_owned()
        };
        self.kinds.iter().map(name).collect()
    }

    fn draw(&self, kind: usize, seed: u64) -> Result<Set, Error> {
        let kind = self.kinds[kind];
        let given = inputs::draw(&self.task, &self.graph, seed, 0, kind)?;
        let expected = oracle::run(&self.graph, &inputs::arrays(&self.graph, &given)?)?;
        let bounds = &self.tolerances.bounds[&kind];
        let expected = expected
            .into_iter()
            .zip(bounds)
            .map(|(array, bound)| {
                let tolerance = if array.dtype.is_float() {
                    Tolerance::Each(tolerance::allowed(&array, bound))
                } else {
                    Tolerance::All(0.0)
                };
                Expected { values: array.values, tolerance }
            })
            .collect();
        Ok(Set { given, expected })
    }

    fn read_whole(&self) -> Vec<bool> {
        self.read_whole.clone()
    }

    fn n_flops(&self) -> f64 {
        self.n_flops
    }
}

/// Operations of products that no kernel does without: two per element summed. Clever algorithms
/// need fewer, by less than the slack of the floor.
fn products(program: &Program) -> f64 {
    use crate::loops::{Binary, Expr, Fold, Rule};
    let count = |definition: &crate::loops::Definition| {
        let Rule::Reduce { fold: Fold::Sum, over, body, .. } = &definition.rule else { return 0.0 };
        let Expr::Binary(Binary::Mul, one, other) = body else { return 0.0 };
        // Taps beside the input, and phases without a tap, may be left out.
        let conditions = |expr: &Expr| matches!(expr, Expr::If(..));
        if conditions(one) || conditions(other) {
            return 0.0;
        }
        let all = definition.shape.iter().chain(over);
        2.0 * all.map(|&extent| extent as f64).product::<f64>()
    };
    // Only what is returned is sure to be needed: of anything before it, algebra may need less.
    program.definitions.iter().map(count).fold(0.0, f64::max) * 0.25
}

/// Tensors of which every element is read: those that some definition loads by nothing but whole
/// axes.
fn read_whole(program: &Program) -> Vec<bool> {
    use crate::loops::{Expr, Rule};
    (0..program.given.len())
        .map(|source| {
            program.definitions.iter().any(|definition| {
                let (exprs, extents) = match &definition.rule {
                    Rule::Map(expr) => (vec![expr], definition.shape.clone()),
                    Rule::Scan { body, .. } => (vec![body], definition.shape.clone()),
                    Rule::Reduce { over, body, finish, .. } => {
                        let extents = definition.shape.iter().chain(over).copied().collect();
                        (vec![body, finish], extents)
                    }
                };
                let shape = &program.given[source].shape;
                // Under a condition nothing is sure.
                let plain = |expr: &&Expr| {
                    let mut plain = true;
                    expr.visit(&mut |part| {
                        plain &= !matches!(part, Expr::If(..) | Expr::Select(..));
                    });
                    plain
                };
                exprs.into_iter().filter(plain).flat_map(Expr::loads).any(|(of, index)| {
                    of == source
                        && index.iter().zip(shape).all(|(at, &extent)| {
                            extent == 1
                                || at.as_var().is_some_and(|var| extents.get(var) == Some(&extent))
                        })
                })
            })
        })
        .collect()
}
