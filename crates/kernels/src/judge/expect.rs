//! What the judge has to know of a task: shapes, inputs by seed, and what must come out.

use crate::Error;
use crate::graph::Tensor;

/// A source of inputs with known outputs. Implemented by the oracle, and by scripted twins.
pub trait Expect: Send + Sync {
    /// Name for people.
    fn name(&self) -> &str;

    /// What a kernel is given, in order.
    fn given(&self) -> Vec<Tensor>;

    /// What it has to write, in order.
    fn returned(&self) -> Vec<Tensor>;

    /// Names of the kinds of input there are. The first is the plain one, on which is timed; the
    /// others show what it hides: large values, ties, constant rows, infinities.
    fn kinds(&self) -> Vec<String>;

    /// The inputs of a kind and a seed, and what is expected.
    fn draw(&self, kind: usize, seed: u64) -> Result<Set, Error>;

    /// Which of the given tensors every kernel must read whole, for the floor of times. Where an
    /// operation picks from a tensor, it need not.
    fn read_whole(&self) -> Vec<bool> {
        vec![true; self.given().len()]
    }

    /// Floating-point operations that no kernel can do without; 0 when that is not known.
    fn n_flops(&self) -> f64 {
        0.0
    }
}

/// One call's inputs and what must come out.
#[derive(Debug, Clone, PartialEq)]
pub struct Set {
    /// Content of each given tensor.
    pub given: Vec<Vec<u8>>,
    /// What each returned tensor must hold.
    pub expected: Vec<Expected>,
}

/// What a returned tensor must hold.
#[derive(Debug, Clone, PartialEq)]
pub struct Expected {
    /// The exact values, in row-major order.
    pub values: Vec<f64>,
    /// How far off each may be.
    pub tolerance: Tolerance,
}

/// Largest absolute error. An infinity or what is not a number must be met as it is.
#[derive(Debug, Clone, PartialEq)]
pub enum Tolerance {
    /// The same for all elements; 0 for integers.
    All(f64),
    /// One for each element.
    Each(Vec<f64>),
}

impl Set {
    /// Size in memory, about.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        let given: usize = self.given.iter().map(Vec::len).sum();
        let expected = self.expected.iter().map(|one| match &one.tolerance {
            Tolerance::All(_) => one.values.len() * 8,
            Tolerance::Each(each) => (one.values.len() + each.len()) * 8,
        });
        given + expected.sum::<usize>()
    }
}
