//! How many trials it takes to tell two rates apart.
//!
//! J. L. Fleiss, B. Levin, M. C. Paik, "Statistical Methods for Rates and Proportions", 3rd edition
//! (2003), section 4.2, without continuity correction: with p̄ = (p₁+p₂)/2,
//! n = (z_α √(2p̄(1−p̄)) + z_β √(p₁(1−p₁) + p₂(1−p₂)))² / (p₁−p₂)² per group.
//! Fisher's exact test is more cautious than the test behind this formula and needs somewhat more.

use super::Z_95;

/// The 80 % point of the normal distribution.
const Z_POWER_80: f64 = 0.841_621_233_572_914_3;

/// Trials in each of two cells for a test at the 5 % level, two-sided, to tell rates `p1` and `p2`
/// apart with 80 % probability. `u64::MAX` where no number would do: equal rates, or no rates.
#[must_use]
pub fn n_to_separate(p1: f64, p2: f64) -> u64 {
    let is_rate = |p: f64| (0.0..=1.0).contains(&p);
    if !is_rate(p1) || !is_rate(p2) || p1 == p2 {
        return u64::MAX;
    }
    // A cast of what is too large for 64 bits is `u64::MAX`, which is what it should be.
    n_for(p1, p2, Z_POWER_80).ceil() as u64
}

fn n_for(p1: f64, p2: f64, z_power: f64) -> f64 {
    let mean = f64::midpoint(p1, p2);
    let together = Z_95 * (2.0 * mean * (1.0 - mean)).sqrt();
    let apart = z_power * (p1 * (1.0 - p1) + p2 * (1.0 - p2)).sqrt();
    ((together + apart) / (p1 - p2)).powi(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_formula_gives_the_example_of_rs_manual() {
        // `power.prop.test(p1 = .50, p2 = .75, power = .90)` in R's manual: n = 76.7.
        assert!((n_for(0.5, 0.75, 1.281_551_565_544_600_4) - 76.7).abs() < 0.05);
    }

    #[test]
    fn counts_are_those_of_independent_arithmetic() {
        // Python's `statistics.NormalDist().inv_cdf` and the formula above, typed anew.
        for (p1, p2, n) in [
            (0.1, 0.2, 199),
            (0.3, 0.5, 93),
            (0.0, 0.1, 74),
            (0.5, 0.51, 39240),
            (0.0, 1.0, 2),
            (0.05, 0.06, 8158),
        ] {
            assert_eq!(n_to_separate(p1, p2), n, "{p1} {p2}");
            assert_eq!(n_to_separate(p2, p1), n, "{p2} {p1}");
        }
    }

    #[test]
    fn rates_that_are_equal_or_none_are_never_separated() {
        for (p1, p2) in [(0.3, 0.3), (f64::NAN, 0.1), (-0.1, 0.5), (0.2, 1.5)] {
            assert_eq!(n_to_separate(p1, p2), u64::MAX);
        }
    }
}
