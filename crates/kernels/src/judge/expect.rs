//! What the judge has to know of a task: shapes, inputs by seed, and what must come out.

use std::sync::OnceLock;

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
    single: OnceLock<Bounds>,
}

/// Bounds of each element as single-precision numbers: what lies within them is within the
/// tolerance. Where an element is not to be judged by bounds they are not numbers.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Bounds {
    pub(crate) low: Vec<f32>,
    pub(crate) high: Vec<f32>,
}

/// Largest absolute error. An infinity or what is not a number must be met as it is.
#[derive(Debug, Clone, PartialEq)]
pub enum Tolerance {
    /// The same for all elements; 0 for integers.
    All(f64),
    /// One for each element.
    Each(Vec<f64>),
    /// In proportion to an element's size, or to its row's where that is larger.
    Scaled {
        /// The proportion.
        relative: f64,
        /// What is added.
        absolute: f64,
        /// Elements of a row.
        n_row: usize,
        /// Size of each row.
        scales: Vec<f64>,
    },
}

impl Expected {
    /// Values with their tolerance.
    #[must_use]
    pub fn new(values: Vec<f64>, tolerance: Tolerance) -> Expected {
        Expected { values, tolerance, single: OnceLock::new() }
    }

    /// Bounds of single-precision elements, found once.
    pub(crate) fn bounds(&self) -> &Bounds {
        self.single.get_or_init(|| {
            let pairs = self.values.iter().enumerate().map(|(at, want)| {
                let limit = self.limit(at);
                let (low, high) = (want - limit, want + limit);
                // Rounded inwards.
                let mut pair = (low as f32, high as f32);
                if f64::from(pair.0) < low {
                    pair.0 = pair.0.next_up();
                }
                if f64::from(pair.1) > high {
                    pair.1 = pair.1.next_down();
                }
                // What is infinite or not a number is met exactly, which bounds cannot say.
                let plain = pair.0.is_finite() && pair.1.is_finite() && pair.0 <= pair.1;
                if plain { pair } else { (f32::NAN, f32::NAN) }
            });
            let (low, high) = pairs.unzip();
            Bounds { low, high }
        })
    }

    /// Largest error allowed of an element.
    #[must_use]
    pub fn limit(&self, at: usize) -> f64 {
        match &self.tolerance {
            Tolerance::All(limit) => *limit,
            Tolerance::Each(limits) => limits[at],
            Tolerance::Scaled { relative, absolute, n_row, scales } => {
                let value = self.values[at].abs();
                let own = if value.is_finite() { value } else { 0.0 };
                relative * own.max(scales[at / n_row]) + absolute
            }
        }
    }
}

impl Set {
    /// Size in memory, about.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        let given: usize = self.given.iter().map(Vec::len).sum();
        let expected = self.expected.iter().map(|one| match &one.tolerance {
            Tolerance::All(_) => one.values.len() * 8,
            Tolerance::Each(each) => (one.values.len() + each.len()) * 8,
            Tolerance::Scaled { scales, .. } => (one.values.len() + scales.len()) * 8,
        });
        // Bounds are two single-precision numbers an element.
        let bounds = self.expected.iter().map(|one| one.values.len() * 8);
        given + expected.sum::<usize>() + bounds.sum::<usize>()
    }
}
