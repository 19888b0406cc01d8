//! Outputs that took no work, and whether the tolerance turns them away.

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::oracle::Array;
use crate::tolerance::{FACTOR, LEAST_FACTOR, Set, Tolerance, compare_arrays};

/// How far beyond the tolerance the nearest of them has to be.
const MARGIN: f64 = 4.0;

/// An output that took no work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Null {
    /// Zeros.
    Zeros,
    /// The constant in the middle of another set's values, or their mean.
    Constant,
    /// An input or a parameter of the same number of elements.
    Copy,
    /// What another set of inputs leads to.
    Other,
}

/// The outcome of the gate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Gate {
    /// For each output and each null that has one: the largest error over the tolerance at
    /// [`FACTOR`], the least of all sets.
    pub errors: Vec<(usize, Null, f64)>,
}

impl Gate {
    pub(super) fn find(sets: &[Set], bounds: &[Tolerance]) -> Gate {
        let mut errors: Vec<(usize, Null, f64)> = Vec::new();
        for (at, set) in sets.iter().enumerate() {
            let other = &sets[(at + 1) % sets.len()];
            for (idx, (expected, bound)) in set.expected.iter().zip(bounds).enumerate() {
                let mut add = |null, values: Vec<f64>| {
                    let got = Array { values, ..expected.clone() };
                    let error = compare_arrays(expected, &got, bound).error_over_tolerance;
                    match errors.iter_mut().find(|(i, n, _)| (*i, *n) == (idx, null)) {
                        Some(entry) => entry.2 = entry.2.min(error),
                        None => errors.push((idx, null, error)),
                    }
                };
                let n = expected.values.len();
                add(Null::Zeros, vec![0.0; n]);
                let values = &other.expected[idx].values;
                for constant in constants(values, expected.dtype.is_float()) {
                    add(Null::Constant, vec![constant; n]);
                }
                for given in set.given.iter().filter(|given| given.values.len() == n) {
                    add(Null::Copy, given.values.clone());
                }
                add(Null::Other, values.clone());
            }
        }
        Gate { errors }
    }

    /// The nearest of them.
    #[must_use]
    pub fn nearest(&self) -> Option<(usize, Null, f64)> {
        self.errors.iter().copied().min_by(|one, other| one.2.total_cmp(&other.2))
    }

    /// The factor at which the nearest is turned away with a margin.
    pub(super) fn factor(&self, task: &str) -> Result<f64, Error> {
        let Some((output, null, error)) = self.nearest() else { return Ok(FACTOR) };
        let factor = (FACTOR * error / MARGIN).min(FACTOR);
        if factor >= LEAST_FACTOR {
            return Ok(factor);
        }
        let what = match null {
            Null::Zeros => "zeros",
            Null::Constant => "a constant",
            Null::Copy => "a copy of an input",
            Null::Other => "the output for other inputs",
        };
        let reason = format!("{what} would pass as output {output}");
        Err(Error::NullGate { task: task.to_owned(), reason })
    }
}

/// The middle between the extremes, and the mean: the best constants for the largest error and for
/// the mean one.
fn constants(values: &[f64], float: bool) -> Vec<f64> {
    let low = values.iter().copied().fold(f64::INFINITY, f64::min);
    let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let mean = values.iter().sum::<f64>() / values.len().max(1) as f64;
    let all = if float { vec![f64::midpoint(low, high), mean] } else { vec![low, high] };
    all.into_iter().filter(|value| value.is_finite()).collect()
}
