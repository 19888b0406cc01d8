//! The genes of a schedule.

use serde::{Deserialize, Serialize};

use crate::loops::{Program, Rule};

/// How a sum of products is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// Like any other fold.
    Plain,
    /// Tiles of the result stay in registers while vectors of one factor meet numbers of the other.
    Tiles,
    /// Vectors lie along what is summed over, where both factors are contiguous.
    Dots,
    /// Vectors lie along the channels of a convolution's result; positions of a row are computed
    /// together, and nothing is computed of the border.
    Direct,
}

/// Genes of one definition.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Part {
    /// The operation it is of: how schedules of other tasks find what they know.
    pub of: String,
    /// Stored, rather than computed where it is used. Folds are always stored.
    pub store: bool,
    /// What is computed from a fold alone stays apart from it.
    pub apart: bool,
    /// In one pass with what comes before, where the outer axes allow it.
    pub join: bool,
    /// A fold is made in so many pieces, which run in parallel; 0 and 1: in one.
    pub pieces: usize,
    /// A fold over windows goes along one axis after the other, and one of which a condition cuts
    /// something off for some positions is made for these apart.
    #[serde(default)]
    pub separate: bool,
    /// In vectors.
    pub vectors: bool,
    /// Along which axis vectors lie: 0 the best by strides, 1 the next.
    pub axis: usize,
    /// Vectors at a time, each with its own accumulator.
    pub unroll: usize,
    /// On all threads.
    pub threads: bool,
    /// Results bypass the cache.
    pub streaming: bool,
    /// Of a sum of products.
    pub form: Form,
    /// Rows of a tile.
    pub rows: usize,
    /// Vectors across a tile.
    pub columns: usize,
    /// The factors change places.
    pub swapped: bool,
    /// Rows are shared out over so many groups of tasks.
    pub chunks: usize,
    /// Whether the vector factor is packed or read in place is decided the other way than rules of
    /// thumb would.
    pub packed: bool,
    /// Positions along the depth that tiles take before the next; 0: all.
    #[serde(default)]
    pub deep: usize,
}

/// A schedule: genes of the whole, and of each definition.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Schedule {
    /// Floats in a vector: 8 or 16.
    pub width: usize,
    /// Which set of compiler options: an index into [`Schedule::FLAGS`].
    pub flags: usize,
    /// One per definition of the program.
    pub parts: Vec<Part>,
}

impl Schedule {
    /// Sets of compiler options.
    pub const FLAGS: [&'static [&'static str]; 4] =
        [&["-O3"], &["-O2"], &["-O3", "-funroll-loops"], &["-O3", "-mprefer-vector-width=512"]];

    /// One nest per operation, one thread, no vectors.
    #[must_use]
    pub fn base(program: &Program) -> Self {
        let part = |definition: &crate::loops::Definition| Part {
            of: definition.label.clone(),
            store: match &definition.rule {
                Rule::Map(expr) => expr.n_operations() > 0,
                _ => true,
            },
            apart: true,
            join: false,
            pieces: 0,
            separate: false,
            vectors: false,
            axis: 0,
            unroll: 1,
            threads: false,
            streaming: false,
            form: Form::Plain,
            rows: 1,
            columns: 1,
            swapped: false,
            chunks: 1,
            packed: false,
            deep: 0,
        };
        Self { width: 16, flags: 0, parts: program.definitions.iter().map(part).collect() }
    }
}
