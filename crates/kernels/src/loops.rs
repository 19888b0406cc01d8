//! Loops: what a graph is lowered to, and what code is generated from.
//!
//! A [`Program`] is a list of definitions. Each gives one array, element by element, as an
//! expression over the positions along its axes: plainly, folded over further axes, or as a scan.
//! Nothing is said about order, storage or speed; that is what a schedule adds.

mod affine;
mod expr;

pub(crate) use affine::common;
pub use affine::{Affine, Atom};
pub use expr::{Binary, Expr, Number, Unary, Within};

use crate::graph::{Dtype, Tensor};

/// How elements are folded into one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fold {
    /// Sum, from 0.
    Sum,
    /// Product, from 1.
    Product,
    /// Greatest, from minus infinity.
    Max,
    /// Least, from infinity.
    Min,
}

/// How the elements of an array come about.
#[derive(Debug, Clone, PartialEq)]
pub enum Rule {
    /// The expression, over variables `0..rank`.
    Map(Expr),
    /// The body folded over further axes, which are variables `rank..`.
    Reduce {
        /// How.
        fold: Fold,
        /// Extents of the axes folded over.
        over: Vec<usize>,
        /// What is folded.
        body: Expr,
        /// What becomes of the result, [`Expr::Folded`], at `0..rank`.
        finish: Expr,
    },
    /// Running fold of the body along one axis, the element itself included.
    Scan {
        /// How.
        fold: Fold,
        /// Along which axis.
        axis: usize,
        /// What is folded.
        body: Expr,
    },
}

/// One array.
#[derive(Debug, Clone, PartialEq)]
pub struct Definition {
    /// For people: the operation it comes from.
    pub label: String,
    /// Element type.
    pub dtype: Dtype,
    /// Extents.
    pub shape: Vec<usize>,
    /// Its elements.
    pub rule: Rule,
}

/// Arrays, each defined by those before it. Sources number the given tensors first.
#[derive(Debug, Clone, PartialEq)]
pub struct Program {
    /// What a kernel is given.
    pub given: Vec<Tensor>,
    /// What is computed.
    pub definitions: Vec<Definition>,
    /// Sources that are returned.
    pub outputs: Vec<usize>,
}

impl Program {
    /// The definition behind a source; `None` for what is given.
    #[must_use]
    pub fn definition(&self, source: usize) -> Option<&Definition> {
        source.checked_sub(self.given.len()).map(|idx| &self.definitions[idx])
    }

    /// Extents of a source.
    #[must_use]
    pub fn shape(&self, source: usize) -> &[usize] {
        self.definition(source).map_or_else(|| &self.given[source].shape, |each| &each.shape)
    }

    /// Element type of a source.
    #[must_use]
    pub fn dtype(&self, source: usize) -> Dtype {
        self.definition(source).map_or_else(|| self.given[source].dtype, |each| each.dtype)
    }

    /// Floating-point operations, counting a multiply-add as two and any function as one: for
    /// rooflines of products, an underestimate elsewhere.
    #[must_use]
    pub fn n_operations(&self) -> f64 {
        let count = |each: &Definition| {
            let size: f64 = each.shape.iter().map(|&extent| extent as f64).product();
            match &each.rule {
                Rule::Map(expr) | Rule::Scan { body: expr, .. } => {
                    size * expr.n_operations() as f64
                }
                Rule::Reduce { over, body, .. } => {
                    let times: f64 = over.iter().map(|&extent| extent as f64).product();
                    size * times * (body.n_operations() + 1) as f64
                }
            }
        };
        self.definitions.iter().map(count).sum()
    }
}

impl Fold {
    /// What folding nothing gives.
    #[must_use]
    pub fn start(self) -> f64 {
        match self {
            Self::Sum => 0.0,
            Self::Product => 1.0,
            Self::Max => f64::NEG_INFINITY,
            Self::Min => f64::INFINITY,
        }
    }

    /// The operation that folds two.
    #[must_use]
    pub fn binary(self) -> Binary {
        match self {
            Self::Sum => Binary::Add,
            Self::Product => Binary::Mul,
            Self::Max => Binary::Max,
            Self::Min => Binary::Min,
        }
    }
}

/// Row-major strides of a shape, in elements.
#[must_use]
pub fn strides(shape: &[usize]) -> Vec<i64> {
    let mut strides = vec![1; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis] * shape[axis] as i64;
    }
    strides
}
