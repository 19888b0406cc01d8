//! From a program and a schedule to loop nests: what is stored, what is computed in one pass, which
//! axes run in parallel and in vectors.
//!
//! Every combination of genes gives a right plan. A gene that asks for what is not possible is
//! ignored, so mutation and crossover never have to be repaired.

mod direct;
mod dots;
mod fuse;
mod genes;
mod nest;
mod phases;
mod product;
mod separate;
mod stage;

pub(crate) use direct::{Direct, Run};
pub(crate) use dots::Dots;
pub use genes::{Form, Part, Schedule};
pub(crate) use nest::{Nest, Vectors, best_inner, inner_size, without_outer};
pub(crate) use product::Product;
pub(crate) use stage::{Kind, Stage};

use crate::loops::Program;

/// Loop nests in order, and what they store besides the outputs.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// The program, with folds split that are made in pieces.
    pub(crate) program: Program,
    pub(crate) nests: Vec<Nest>,
}

impl Plan {
    /// The plan that a schedule stands for.
    pub(crate) fn new(program: &Program, schedule: &Schedule) -> Self {
        let (program, schedule) = fuse::split_reductions(program, schedule);
        let stages = fuse::stages(&program, &schedule);
        let nests = nest::nests(&program, stages, &schedule);
        Self { program, nests }
    }
}
