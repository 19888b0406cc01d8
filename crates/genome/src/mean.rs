//! Means that say what they rest on.

use std::cell::Cell;
use std::fmt;

use runs::stats::{Interval, bootstrap};
use serde::Serialize;

/// Resamples behind an interval.
const N_RESAMPLES: usize = 2000;

/// A mean with its 95 % bootstrap interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Mean {
    /// The mean.
    pub mean: f64,
    /// Its interval; one sample has none.
    pub interval: Option<Interval>,
    /// Samples.
    pub n: usize,
}

impl Mean {
    /// Of samples; `None` without any.
    pub fn of(samples: &[f64], seed: u64) -> Option<Mean> {
        if samples.is_empty() {
            return None;
        }
        let several = if samples.len() > 1 { samples } else { &[] };
        let interval = bootstrap(several, mean, N_RESAMPLES, seed);
        Some(Mean { mean: mean(samples), interval, n: samples.len() })
    }

    /// The mean and its interval as text, without n.
    pub fn short(&self) -> String {
        match self.interval {
            Some(Interval { low, high }) => {
                format!("{} [{}, {}]", digits(self.mean), digits(low), digits(high))
            }
            None => format!("{} [too few for an interval]", digits(self.mean)),
        }
    }
}

/// As in `-0.123 [-0.150, -0.098], n = 100`.
impl fmt::Display for Mean {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}, n = {}", self.short(), self.n))
    }
}

/// Three decimals; what rounds to zero has no sign.
pub(crate) fn digits(value: f64) -> String {
    let text = format!("{value:.3}");
    if text == "-0.000" { "0.000".to_owned() } else { text }
}

/// How surely a mean is above zero: the share of resamples in which it is.
pub fn share_above_zero(samples: &[f64], seed: u64) -> Option<f64> {
    let n_above = Cell::new(0_usize);
    let statistic = |drawn: &[f64]| {
        let mean = mean(drawn);
        n_above.set(n_above.get() + usize::from(mean > 0.0));
        mean
    };
    bootstrap(samples, statistic, N_RESAMPLES, seed)?;
    Some(n_above.get() as f64 / N_RESAMPLES as f64)
}

/// Of at least one value.
pub(crate) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mean_says_n_and_one_sample_has_no_interval() {
        let samples = [1.0, 2.0, 3.0, 4.0];
        let got = Mean::of(&samples, 1).expect("samples");
        let interval = got.interval.expect("several");
        assert!(got.mean == 2.5 && interval.low > 1.0 && interval.high < 4.0, "{got}");
        assert_eq!(
            Mean::of(&[0.5], 1).expect("a sample").to_string(),
            "0.500 [too few for an interval], n = 1"
        );
        assert_eq!(Mean::of(&[], 1), None);
    }

    #[test]
    fn what_is_above_zero_in_every_sample_is_so_in_every_resample() {
        assert_eq!(share_above_zero(&[1.0, 2.0, 0.5], 1), Some(1.0));
        assert_eq!(share_above_zero(&[-1.0, -2.0], 1), Some(0.0));
        // The mean of two coins is above zero unless both show tails.
        let share = share_above_zero(&[2.0, -1.0], 1).expect("samples");
        assert!((share - 0.75).abs() < 0.05, "{share}");
        assert_eq!(share_above_zero(&[], 1), None);
    }
}
