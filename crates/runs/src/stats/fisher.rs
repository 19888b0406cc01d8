//! Fisher's exact test for two rates.
//!
//! R. A. Fisher, "The Design of Experiments" (1935), chapter II. Given both margins of the 2×2
//! table, the first cell is hypergeometric. The two-sided p is the sum of the probabilities of all
//! tables that are at most as probable as the one seen (Irwin's rule, which R's `fisher.test` uses).

use super::Rate;

/// Tables whose probability is within this factor of the one seen count as equally probable:
/// symmetric tables must not be told apart by rounding. R uses the same.
const SLACK: f64 = 1.0 + 1e-7;

/// Two-sided p of the hypothesis that both rates come from one. 1 where one of them has no data.
#[must_use]
pub fn fisher_exact(a: Rate, b: Rate) -> f64 {
    if a.share().is_none() || b.share().is_none() {
        return 1.0;
    }
    let hits = a.hits + b.hits;
    let (fewest, most) = (hits.saturating_sub(b.n), hits.min(a.n));
    let ln_p = |x: u64| ln_choose(a.n, x) + ln_choose(b.n, hits - x) - ln_choose(a.n + b.n, hits);
    let seen = ln_p(a.hits) + SLACK.ln();
    let p: f64 = (fewest..=most).map(ln_p).filter(|ln_p| *ln_p <= seen).map(f64::exp).sum();
    p.min(1.0)
}

fn ln_choose(n: u64, k: u64) -> f64 {
    ln_factorial(n) - ln_factorial(k) - ln_factorial(n - k)
}

/// ln n!. Added up where n is small; Stirling's series to the fifth power of 1/n beyond, whose
/// error is below 1/(1680 n⁷), 3·10⁻¹⁵ at the seam.
fn ln_factorial(n: u64) -> f64 {
    const SEAM: u64 = 64;
    if n < SEAM {
        return (2..=n).map(|k| (k as f64).ln()).sum();
    }
    let x = n as f64;
    let series = 1.0 / (12.0 * x) - 1.0 / (360.0 * x.powi(3)) + 1.0 / (1260.0 * x.powi(5));
    x * x.ln() - x + 0.5 * (2.0 * std::f64::consts::PI * x).ln() + series
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(a: (u64, u64), b: (u64, u64), expected: f64) {
        let rate = |(hits, n)| Rate { hits, n };
        let p = fisher_exact(rate(a), rate(b));
        assert!((p - expected).abs() < 1e-9 * expected.max(1e-3), "{a:?} {b:?}: {expected} != {p}");
    }

    #[test]
    fn values_are_those_of_worked_examples() {
        // The lady tasting tea, three of four cups right: (16 + 1) · 2 of 70 tables.
        check((3, 4), (1, 4), 34.0 / 70.0);
        // Fisher's convictions of twins, the example of R's `fisher.test`: p = 0.0005367 there;
        // the digits below are exact rational arithmetic (Python's `fractions`).
        check((2, 17), (10, 13), 0.0005367241191434358);
    }

    #[test]
    fn values_agree_with_exact_rational_arithmetic() {
        // Python: sum of Fraction(comb(n1,x)*comb(n2,k-x), comb(n1+n2,k)) over tables not above the
        // one seen.
        check((7, 10), (2, 10), 0.06977851869492736);
        check((0, 50), (9, 50), 0.002634204400259045);
        check((12, 200), (30, 180), 0.0009895366893241044);
        check((499, 1000), (560, 1000), 0.007173695941861678);
        check((1, 3), (0, 5000), 0.0005996402158704777);
    }

    #[test]
    fn equal_rates_and_missing_data_separate_nothing() {
        check((5, 10), (5, 10), 1.0);
        check((0, 10), (0, 12), 1.0);
        check((3, 3), (0, 0), 1.0);
    }

    #[test]
    fn both_ways_to_the_logarithm_meet_at_the_seam() {
        let summed: f64 = (2..=64).map(|k| f64::from(k).ln()).sum();
        assert!((ln_factorial(64) - summed).abs() < 1e-12 * summed);
    }
}
