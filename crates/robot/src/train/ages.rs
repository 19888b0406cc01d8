//! How old a latent is when S1 uses it.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// A histogram of ages of the latent, in ticks of the fast loop: `(age, weight)`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ages(Vec<(u32, f64)>);

impl Ages {
    /// From counts, or shares, of ages.
    ///
    /// # Errors
    /// If there is none, or a weight is negative or no number, or all are 0.
    pub fn new(histogram: Vec<(u32, f64)>) -> Result<Ages> {
        let good = histogram.iter().all(|(_, weight)| weight.is_finite() && *weight >= 0.0);
        let total: f64 = histogram.iter().map(|(_, weight)| weight).sum();
        if good && total > 0.0 && total.is_finite() {
            return Ok(Ages(histogram));
        }
        Err(Error::config(
            "ages of the latent",
            "weights must be finite, not negative, and not all 0",
        ))
    }

    /// No offset, or always the same.
    #[must_use]
    pub fn always(ticks: u32) -> Ages {
        Ages(vec![(ticks, 1.0)])
    }

    /// Even from one age to another, both included.
    #[must_use]
    pub fn between(first: u32, last: u32) -> Ages {
        Ages((first..=last.max(first)).map(|age| (age, 1.0)).collect())
    }

    /// The age at a share of the weight, from 0 to 1.
    pub(super) fn at(&self, share: f64) -> u32 {
        let total: f64 = self.0.iter().map(|(_, weight)| weight).sum();
        let mut left = share * total;
        for (age, weight) in &self.0 {
            left -= weight;
            if left < 0.0 {
                return *age;
            }
        }
        self.0.iter().rev().find(|(_, weight)| *weight > 0.0).map_or(0, |(age, _)| *age)
    }

    /// What would be drawn makes sense.
    pub(super) fn check(&self) -> Result<()> {
        Ages::new(self.0.clone()).map(|_| ())
    }
}
