//! Rows that hang on the last bits of inputs.
//!
//! Unusual inputs hold a few rows that rounding moves much further than any other: a softmax whose two
//! largest scores lie close together chooses between them by their last bits. A tolerance found on other
//! draws knows nothing of such rows, and turns honest kernels away for them. So what is expected on
//! unusual inputs is computed again in single precision, and from inputs whose floats are moved by up
//! to half a unit in the last place; where a row strays further than the tolerance is made for, that
//! row is forgiven as much more. All others are held to what they were.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use super::{Tolerance, each_scale, row_scales};
use crate::graph::{Dtype, Graph};
use crate::oracle::{self, Array};

/// Times that inputs are moved: a row that hangs on them strays each time, by chance sometimes little.
const N_MOVED: usize = 3;

/// For each output and each of its rows ([`row_scales`]) by how much more it is forgiven: at least 1.
pub(crate) fn leniency(
    graph: &Graph,
    given: &[Array],
    expected: &[Array],
    bounds: &[Tolerance],
    factor: f64,
    seed: u64,
) -> Vec<Vec<f64>> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let moved = (0..N_MOVED).map(|_| {
        let given: Vec<Array> = given.iter().map(|array| moved(array, &mut rng)).collect();
        oracle::run(graph, &given)
    });
    let all = std::iter::once(oracle::run_single(graph, given)).chain(moved);
    // Moved inputs may be ones that an operation has no answer for.
    let all: Vec<Vec<Array>> = all.filter_map(Result::ok).collect();
    let of = |(idx, (expected, bound)): (usize, (&Array, &Tolerance))| {
        let others: Vec<&Array> = all.iter().map(|outputs| &outputs[idx]).collect();
        rows(expected, &others, bound.relative / factor)
    };
    expected.iter().zip(bounds).enumerate().map(of).collect()
}

/// Floats moved by up to half a unit in the last place; everything else stays.
fn moved(array: &Array, rng: &mut ChaCha8Rng) -> Array {
    let half = match array.dtype {
        Dtype::F32 => f64::from(f32::EPSILON) / 2.0,
        _ => return array.clone(),
    };
    let values =
        array.values.iter().map(|value| value * (1.0 + half * rng.random_range(-1.0..1.0)));
    Array { values: values.collect(), ..array.clone() }
}

/// How far rows of others lie from what is expected, in units of the error that is reckoned with.
fn rows(expected: &Array, others: &[&Array], error: f64) -> Vec<f64> {
    let (n_row, scales) = row_scales(expected);
    let mut lenient = vec![1.0_f64; scales.len()];
    if !expected.dtype.is_float() || error == 0.0 {
        return lenient;
    }
    each_scale(expected, |idx, scale| {
        for other in others {
            let off = (expected.values[idx] - other.values[idx]).abs() / (scale * error);
            // What is no number or infinite has its place, which nothing moves.
            if off.is_finite() {
                let row = &mut lenient[idx / n_row];
                *row = row.max(off);
            }
        }
    });
    lenient
}

#[cfg(test)]
mod tests {
    use super::*;

    fn floats(values: &[f64]) -> Array {
        Array { dtype: Dtype::F32, shape: vec![2, 16], values: values.to_vec() }
    }

    #[test]
    fn only_a_row_that_strays_is_forgiven_more() {
        let expected = floats(&[1.0; 32]);
        let mut other = [1.0; 32];
        other[3] += 5e-6;
        other[20] += 5e-7;
        let found = rows(&expected, &[&floats(&other), &expected], 1e-6);
        assert!((found[0] - 5.0).abs() < 1e-6, "{found:?}");
        assert!((found[1] - 1.0).abs() < 1e-12, "{found:?}");
    }

    #[test]
    fn integers_infinities_and_what_is_no_number_are_forgiven_nothing() {
        let mut values = [1.0; 32];
        (values[0], values[17]) = (f64::INFINITY, f64::NAN);
        let found = rows(&floats(&values), &[&floats(&[1.0; 32])], 1e-6);
        assert_eq!(found, [1.0, 1.0]);
        let whole = |at| Array { dtype: Dtype::I64, shape: vec![1], values: vec![at] };
        assert_eq!(rows(&whole(3.0), &[&whole(4.0)], 0.0), [1.0]);
    }

    #[test]
    fn inputs_move_by_their_last_bit_and_whole_numbers_do_not() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let before = floats(&[3.0; 32]);
        let after = moved(&before, &mut rng);
        assert_ne!(before.values, after.values);
        let most = 3.0 * f64::from(f32::EPSILON) / 2.0;
        assert!(after.values.iter().all(|value| (value - 3.0).abs() <= most * (1.0 + 1e-9)));
        let flags = Array { dtype: Dtype::Bool, shape: vec![2], values: vec![0.0, 1.0] };
        assert_eq!(moved(&flags, &mut rng).values, flags.values);
    }
}
