//! PyTorch module in, faster verified kernel out.
//!
//! A [`Task`] is a graph of core-ATen operations with generators for its inputs. It is lowered to
//! loops, and a [`Candidate`] is source text that claims to compute it. A judge outside the
//! candidate's process compiles and runs it in the sandbox, compares every output with a float64
//! interpreter's, and owns the clock. A search proposes candidates and keeps every attempt.
//!
//! Modules in reading order: what is to be computed ([`graph`], [`task`]), what a candidate is
//! ([`candidate`]) and what is found about it ([`evaluation`]).

pub mod archive;
pub mod candidate;
pub mod court;
pub mod cuda;
pub mod emit;
pub mod error;
pub mod evaluation;
pub mod evaluator;
pub mod export;
pub mod graph;
pub mod import;
pub mod inputs;
pub mod judge;
pub mod loops;
pub mod lower;
pub mod oracle;
pub mod plan;
pub mod propose;
pub mod pt2;
pub mod queue;
pub mod report;
pub mod schedules;
pub mod search;
pub mod space;
pub mod suite;
pub mod task;
pub mod tolerance;
pub mod zoo;

pub use candidate::{Candidate, Language};
pub use error::Error;
pub use evaluation::Evaluation;
pub use graph::Graph;
pub use judge::Judge;
pub use space::Space;
pub use task::Task;
pub use tolerance::Tolerances;
