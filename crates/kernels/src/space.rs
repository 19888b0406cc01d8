//! A space of schedules: points that always compile, and moves between them.
//!
//! The built-in proposer needs no more than this; [`Space`] is implemented by the code generator
//! and, in tests, by a scripted twin.

use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::Candidate;

/// A point of a space, as it is kept in the archive.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Genotype(pub serde_json::Value);

/// Where a candidate lies on the axes along which the archive keeps the best of each kind.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Descriptors {
    /// Loop nests that remain after fusion, 1 when all is one: `fused-3`.
    pub fusion: String,
    /// What runs in parallel: `none`, `outer`, `blocks`, `reduction`.
    pub parallel: String,
    /// How memory is used: `plain`, `packed`, `streaming`, `packed-streaming`.
    pub memory: String,
}

/// A space of schedules for one task.
pub trait Space: Send + Sync {
    /// The plain one: one loop nest per operation, one thread.
    fn base(&self) -> Genotype;

    /// A few that rules of thumb suggest.
    fn seeds(&self) -> Vec<Genotype>;

    /// A neighbour: `n_changes` genes changed.
    fn mutate(&self, parent: &Genotype, n_changes: usize, rng: &mut ChaCha8Rng) -> Genotype;

    /// Genes of both, part by part.
    fn cross(&self, one: &Genotype, other: &Genotype, rng: &mut ChaCha8Rng) -> Genotype;

    /// What of a schedule for a similar task applies here; `None` when nothing does.
    fn adopt(&self, foreign: &Genotype) -> Option<Genotype>;

    /// The source text of a point. Every point has one that compiles.
    fn emit(&self, genotype: &Genotype) -> Candidate;

    /// The same schedule for variant `variant_idx` of the task's other sizes.
    fn emit_variant(&self, genotype: &Genotype, variant_idx: usize) -> Option<Candidate>;

    /// Where a point lies.
    fn descriptors(&self, genotype: &Genotype) -> Descriptors;

    /// What tasks with similar schedules have in common: operations and classes of shape.
    fn signature(&self) -> String;
}
