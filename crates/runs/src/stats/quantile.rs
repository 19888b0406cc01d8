//! Quantiles by linear interpolation between order statistics.
//!
//! R. J. Hyndman, Y. Fan, "Sample quantiles in statistical packages", The American Statistician 50
//! (1996), definition 7, the default of R and NumPy: with the sorted samples x₀…xₙ₋₁ and
//! h = (n−1)q, the q-quantile is x⌊h⌋ + (h−⌊h⌋)(x⌊h⌋₊₁ − x⌊h⌋).

/// The q-quantile of samples in any order. `None` without samples, with one that is not a number,
/// or with q outside [0, 1].
#[must_use]
pub fn quantile(samples: &[f64], q: f64) -> Option<f64> {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    of_sorted(&sorted, q)
}

/// The middle: the 0.5-quantile.
#[must_use]
pub fn median(samples: &[f64]) -> Option<f64> {
    quantile(samples, 0.5)
}

pub(super) fn of_sorted(sorted: &[f64], q: f64) -> Option<f64> {
    let usable = (0.0..=1.0).contains(&q) && !sorted.is_empty();
    // Sorted totally, what is not a number stands at one of the ends.
    if !usable || sorted[0].is_nan() || sorted[sorted.len() - 1].is_nan() {
        return None;
    }
    let h = (sorted.len() - 1) as f64 * q;
    let (below, above) = (sorted[h.floor() as usize], sorted[h.ceil() as usize]);
    let between = h - h.floor();
    // Equal neighbors are returned as they are: interpolating between infinities is not a number.
    Some(if below == above { below } else { below + between * (above - below) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_those_of_definition_seven() {
        // R: quantile(c(1, 2, 3, 4)) is 1.00 1.75 2.50 3.25 4.00.
        let samples = [4.0, 1.0, 3.0, 2.0];
        for (q, expected) in [(0.0, 1.0), (0.25, 1.75), (0.5, 2.5), (0.75, 3.25), (1.0, 4.0)] {
            assert_eq!(quantile(&samples, q), Some(expected));
        }
        assert_eq!(median(&[5.0]), Some(5.0));
    }

    #[test]
    fn without_numbers_there_is_no_quantile() {
        assert_eq!(quantile(&[], 0.5), None);
        assert_eq!(quantile(&[1.0, f64::NAN], 0.5), None);
        assert_eq!(quantile(&[1.0, -f64::NAN], 0.5), None);
        assert_eq!(quantile(&[1.0], 1.5), None);
        assert_eq!(quantile(&[f64::INFINITY, f64::INFINITY], 0.5), Some(f64::INFINITY));
    }
}
