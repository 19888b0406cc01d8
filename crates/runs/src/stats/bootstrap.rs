//! Percentile bootstrap.
//!
//! B. Efron, R. J. Tibshirani, "An Introduction to the Bootstrap" (1993), section 13.3: draw as many
//! samples as there are, with replacement, many times over; the 2.5 % and 97.5 % quantiles of the
//! statistic over these draws are the interval. It is too narrow for very few samples: with fewer
//! than about ten, read it as a lower bound of the uncertainty.

use serde::{Deserialize, Serialize};

use super::Interval;
use super::quantile::of_sorted;

/// The 95 % percentile interval of a statistic. The same samples, count and seed give the same
/// interval everywhere. `None` without samples or resamples, or when the statistic is not a number
/// on some resample: an interval over the others would be a lie.
#[must_use]
pub fn bootstrap(
    samples: &[f64],
    statistic: impl Fn(&[f64]) -> f64,
    n_resamples: usize,
    seed: u64,
) -> Option<Interval> {
    if samples.is_empty() || n_resamples == 0 {
        return None;
    }
    let mut random = Random { state: seed };
    let mut drawn = vec![0.0; samples.len()];
    let mut values = Vec::with_capacity(n_resamples);
    for _ in 0..n_resamples {
        drawn.fill_with(|| samples[random.below(samples.len())]);
        values.push(statistic(&drawn));
    }
    values.sort_by(f64::total_cmp);
    Some(Interval { low: of_sorted(&values, 0.025)?, high: of_sorted(&values, 0.975)? })
}

/// exp of the mean of the logarithms. `None` without values or with one that is not positive and
/// finite.
#[must_use]
pub fn geometric_mean(values: &[f64]) -> Option<f64> {
    let fine = !values.is_empty() && values.iter().all(|value| *value > 0.0 && value.is_finite());
    fine.then(|| mean(&values.iter().map(|value| value.ln()).collect::<Vec<_>>()).exp())
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// By how much one of two paired measurements is larger.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Ratio {
    /// Geometric mean of the ratios.
    pub ratio: f64,
    /// Its 95 % bootstrap interval over pairs.
    pub interval: Interval,
    /// Pairs.
    pub n: u64,
}

/// Geometric mean of `numerators[i]/denominators[i]`, with a bootstrap interval over the pairs: the
/// right mean for speed-ups, because it does not depend on which of the two is called the base
/// (P. J. Fleming, J. J. Wallace, "How not to lie with statistics", CACM 29, 1986). `None` when the
/// lengths differ, there are no pairs, or a value is not positive and finite.
#[must_use]
pub fn geometric_mean_ratio(
    numerators: &[f64],
    denominators: &[f64],
    n_resamples: usize,
    seed: u64,
) -> Option<Ratio> {
    if numerators.len() != denominators.len() {
        return None;
    }
    geometric_mean(numerators)?;
    geometric_mean(denominators)?;
    // Differences of logarithms: a quotient of very small by very large would not be a number.
    let pairs = numerators.iter().zip(denominators);
    let logarithms: Vec<f64> = pairs.map(|(over, under)| over.ln() - under.ln()).collect();
    let interval = bootstrap(&logarithms, mean, n_resamples, seed)?;
    Some(Ratio {
        ratio: mean(&logarithms).exp(),
        interval: Interval { low: interval.low.exp(), high: interval.high.exp() },
        n: logarithms.len() as u64,
    })
}

/// SplitMix64: G. L. Steele, D. Lea, C. H. Flood, "Fast splittable pseudorandom number generators",
/// OOPSLA 2014. Any seed will do, and its numbers will be the same in every version of this crate.
struct Random {
    state: u64,
}

impl Random {
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform below `n`, up to a bias of n/2⁶⁴, which no sample is large enough to see.
    fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.next()) * n as u128) >> 64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generator_gives_the_published_sequence() {
        // First outputs for seed 1234567, as listed on Rosetta Code under "Pseudo-random
        // numbers/Splitmix64".
        let mut random = Random { state: 1_234_567 };
        let first: Vec<u64> = (0..3).map(|_| random.next()).collect();
        assert_eq!(
            first,
            [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]
        );
    }

    #[test]
    fn resampled_means_of_coins_are_binomial() {
        // Of 20 resampled coins, half of them heads, P(at most 5) = 0.0207 and P(at most 6) = 0.0577
        // (binomial), so the 2.5 % quantile of the mean is 6/20, and by symmetry the other is 14/20.
        let coins: Vec<f64> = (0..20).map(|idx| f64::from(idx % 2)).collect();
        let interval = bootstrap(&coins, mean, 20_000, 1).unwrap();
        assert_eq!((interval.low, interval.high), (0.3, 0.7));
    }

    #[test]
    fn one_seed_gives_one_interval_and_another_seed_another() {
        let samples = [0.1, 0.7, 1.9, 2.5, 3.1, 8.2];
        let run = |seed| bootstrap(&samples, mean, 500, seed).unwrap();
        assert_eq!(run(3), run(3));
        assert_ne!(run(3), run(4));
    }

    #[test]
    fn without_numbers_there_is_no_interval() {
        assert_eq!(bootstrap(&[], mean, 100, 1), None);
        assert_eq!(bootstrap(&[1.0], mean, 0, 1), None);
        assert_eq!(bootstrap(&[1.0, f64::NAN], mean, 100, 1), None);
    }

    #[test]
    fn a_constant_speed_up_is_certain_and_turns_round_with_the_base() {
        let (slow, fast) = ([2.0, 8.0, 3.0], [1.0, 4.0, 1.5]);
        let ratio = geometric_mean_ratio(&slow, &fast, 200, 1).unwrap();
        for value in [ratio.ratio, ratio.interval.low, ratio.interval.high] {
            assert!((value - 2.0).abs() < 1e-12);
        }
        let inverse = geometric_mean_ratio(&fast, &slow, 200, 1).unwrap();
        assert!((inverse.ratio - 0.5).abs() < 1e-12);
        assert_eq!(ratio.n, 3);
    }

    #[test]
    fn a_ratio_needs_pairs_of_positive_numbers() {
        assert_eq!(geometric_mean_ratio(&[1.0], &[1.0, 2.0], 10, 1), None);
        assert_eq!(geometric_mean_ratio(&[0.0], &[1.0], 10, 1), None);
        assert_eq!(geometric_mean_ratio(&[1.0], &[f64::INFINITY], 10, 1), None);
        assert_eq!(geometric_mean(&[2.0, 8.0]).map(|mean| (mean * 1e12).round()), Some(4e12));
    }
}
