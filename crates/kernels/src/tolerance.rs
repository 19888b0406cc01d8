//! How far an output may lie from the expected one, and whether that tells right from wrong.
//!
//! The bound of an element is `c * max(e, k * eps) * s`: `s` is the element's own size or, if that
//! is larger, the root mean square of its row (of the whole output where rows are short); `e` is
//! the largest error over `s` of a faithful single-precision computation over several sets of
//! inputs ([`oracle::run_single`]). So a kernel may err [`FACTOR`] times as much as that one, in
//! proportion to what it computes. Integers and flags have to be exact.
//!
//! On unusual inputs, rows that hang on the inputs' last bits are forgiven as much more as they stray
//! (`nearby`).
//!
//! A task is refused when outputs that took no work would pass: zeros, a constant, a copy of an
//! input, the outputs for other inputs.

mod gate;
mod nearby;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde::{Deserialize, Serialize};

pub use gate::{Gate, Null};
pub(crate) use nearby::leniency;

use crate::graph::{Dtype, Graph};
use crate::inputs::{self, Distribution};
use crate::oracle::{self, Array};
use crate::{Error, Task};

/// How many times the error of the faithful computation is forgiven: reordered sums, contracted
/// products and functions good to a few units in the last place stay well below.
pub const FACTOR: f64 = 8.0;

/// Least factor to which a gate may tighten.
pub const LEAST_FACTOR: f64 = 2.0;

/// Least error taken for the faithful one's, in units of the type's resolution.
const LEAST_UNITS: f64 = 2.0;

/// As [`LEAST_UNITS`] for double precision, in which nothing is rounded to compare with.
const LEAST_UNITS_DOUBLE: f64 = 1000.0;

/// Rows at least this long have a scale of their own.
const LONG_ROW: usize = 16;

/// Sets of inputs that a tolerance is found with.
const N_SETS: u64 = 3;

/// The bound for one output.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Tolerance {
    /// Error allowed, in proportion to an element's scale; 0 for integers and flags.
    pub relative: f64,
    /// Error allowed anywhere: what is lost when denormals count as zero.
    pub absolute: f64,
    /// The faithful computation's largest error over the scale.
    pub error_single: f64,
}

/// The bounds for a graph's outputs, and how they were found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tolerances {
    /// For each kind of inputs, a bound for each output. Kinds on which the task is not finite, or
    /// that do not apply, are missing.
    pub bounds: BTreeMap<Distribution, Vec<Tolerance>>,
    /// The factor in force: [`FACTOR`], or less where the gate asked for it.
    pub factor: f64,
    /// Sets of plain inputs looked at.
    pub n_sets: u64,
    /// The seed they were drawn from.
    pub seed: u64,
    /// Outputs that took no work, and how far they are off.
    pub gate: Gate,
}

/// An output beside the expected one.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// Largest error over the tolerance at its place: right if at most 1. Infinite for a wrong
    /// integer or a misplaced infinity.
    pub error_over_tolerance: f64,
    /// Where that is, row-major.
    pub at: Option<usize>,
    /// Elements beyond their tolerance.
    pub n_wrong: usize,
    /// Elements compared.
    pub n: usize,
}

impl Comparison {
    /// Whether every element is within its tolerance.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.n_wrong == 0
    }
}

impl Tolerances {
    /// Finds the bounds for a graph of a task, its own or a variant, and checks that they tell
    /// right from wrong. `kinds` are tried besides the plain one.
    ///
    /// # Errors
    /// If the graph cannot be computed, is not finite on plain inputs, or outputs that took no
    /// work would pass.
    pub fn find(
        task: &Task,
        graph: &Graph,
        seed: u64,
        kinds: &[Distribution],
    ) -> Result<Tolerances, Error> {
        let mut plain: Vec<Set> = Vec::new();
        let sets: Vec<u64> = (0..N_SETS).collect();
        let sets =
            side_by_side(&sets, |set| Set::compute(task, graph, seed, *set, Distribution::Plain));
        for set in sets {
            let set = set?;
            if !set.is_finite() {
                let reason = "its outputs are not finite on plain inputs".to_owned();
                return Err(Error::NullGate { task: task.name.clone(), reason });
            }
            plain.push(set);
        }
        let errors = errors(task, &plain)?;
        let gate = Gate::find(&plain, &bounds(&plain, &errors, FACTOR));
        let factor = gate.factor(&task.name)?;
        let mut all = BTreeMap::from([(Distribution::Plain, bounds(&plain, &errors, factor))]);
        drop(plain);
        let others: Vec<Distribution> = kinds
            .iter()
            .copied()
            .filter(|kind| *kind != Distribution::Plain && inputs::applies(task, graph, *kind))
            .collect();
        let found = side_by_side(&others, |kind| {
            // An operation may have no answer there, such as an index out of range.
            let sets = [Set::compute(task, graph, seed, 0, *kind).ok()?];
            let errors = sets[0].is_finite().then(|| self::errors(task, &sets))?.ok()?;
            Some((*kind, bounds(&sets, &errors, factor)))
        });
        all.extend(found.into_iter().flatten());
        Ok(Tolerances { bounds: all, factor, n_sets: N_SETS, seed, gate })
    }
}

/// Applies `each` to all, on as many threads as there are processors; results in order.
pub(crate) fn side_by_side<T: Sync, R: Send>(all: &[T], each: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let n_threads = std::thread::available_parallelism().map_or(1, usize::from).min(all.len());
    if n_threads < 2 {
        return all.iter().map(each).collect();
    }
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(one) = all.get(at) else { return done };
            done.push((at, each(one)));
        }
    };
    let mut results: Vec<(usize, R)> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..n_threads).map(|_| scope.spawn(work)).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("no panic inside")).collect()
    });
    results.sort_by_key(|(at, _)| *at);
    results.into_iter().map(|(_, result)| result).collect()
}

/// What one set of inputs leads to.
struct Set {
    given: Vec<Array>,
    expected: Vec<Array>,
    single: Vec<Array>,
}

impl Set {
    fn compute(
        task: &Task,
        graph: &Graph,
        seed: u64,
        set: u64,
        kind: Distribution,
    ) -> Result<Set, Error> {
        let given = inputs::arrays(graph, &inputs::draw(task, graph, seed, set, kind)?)?;
        let expected = oracle::run(graph, &given)?;
        let single = oracle::run_single(graph, &given)?;
        Ok(Set { given, expected, single })
    }

    fn is_finite(&self) -> bool {
        self.expected.iter().chain(&self.single).all(Array::is_finite)
    }
}

/// The faithful computation's largest error over the scale, for each output.
fn errors(task: &Task, sets: &[Set]) -> Result<Vec<f64>, Error> {
    let mut largest = vec![0f64; sets.first().map_or(0, |set| set.expected.len())];
    for set in sets {
        for ((expected, single), largest) in set.expected.iter().zip(&set.single).zip(&mut largest)
        {
            if !expected.dtype.is_float() {
                if expected.values != single.values {
                    let reason = "an integer or flag depends on rounding".to_owned();
                    return Err(Error::NullGate { task: task.name.clone(), reason });
                }
                continue;
            }
            each_scale(expected, |idx, scale| {
                let error = (expected.values[idx] - single.values[idx]).abs();
                if error > f64::from(f32::MIN_POSITIVE) && scale > 0.0 {
                    *largest = largest.max(error / scale);
                }
            });
        }
    }
    Ok(largest)
}

fn bounds(sets: &[Set], errors: &[f64], factor: f64) -> Vec<Tolerance> {
    let outputs = sets.first().map_or(&[][..], |set| &set.expected);
    outputs
        .iter()
        .zip(errors)
        .map(|(output, error)| {
            let (least, absolute) = match output.dtype {
                Dtype::F32 => (LEAST_UNITS * f64::from(f32::EPSILON), f64::from(f32::MIN_POSITIVE)),
                Dtype::F64 => (LEAST_UNITS_DOUBLE * f64::EPSILON, f64::MIN_POSITIVE),
                _ => (0.0, 0.0),
            };
            let relative = factor * error.max(least);
            Tolerance { relative, absolute, error_single: *error }
        })
        .collect()
}

/// Least scale of a row, as a share of the whole output's: a row that is small because what was
/// summed up in it cancels out has errors as large as any other's.
const LEAST_SHARE: f64 = 0.25;

/// Elements that share a scale, and the scale of each such row: its root mean square, or a share of
/// the whole output's.
#[must_use]
pub fn row_scales(array: &Array) -> (usize, Vec<f64>) {
    let last = array.shape.last().copied().unwrap_or(1);
    let n_row = if last >= LONG_ROW { last } else { array.values.len().max(1) };
    let squares = |row: &[f64]| {
        let finite = row.iter().filter(|value| value.is_finite());
        finite.fold((0usize, 0.0), |(n, sum), value| (n + 1, sum + value * value))
    };
    let rows: Vec<(usize, f64)> = array.values.chunks(n_row).map(squares).collect();
    let rms = |n: usize, sum: f64| (sum / n.max(1) as f64).sqrt();
    let (n, sum) = rows.iter().fold((0, 0.0), |(n, sum), row| (n + row.0, sum + row.1));
    let least = LEAST_SHARE * rms(n, sum);
    // Where squares overflow, rows speak for themselves.
    let least = if least.is_finite() { least } else { 0.0 };
    (n_row, rows.into_iter().map(|(n, sum)| rms(n, sum).max(least)).collect())
}

/// Calls `each` with every element's index and scale.
fn each_scale(array: &Array, mut each: impl FnMut(usize, f64)) {
    let (n_row, scales) = row_scales(array);
    for (row_idx, (row, rms)) in array.values.chunks(n_row).zip(scales).enumerate() {
        for (idx, value) in row.iter().enumerate() {
            let size = if value.is_finite() { value.abs() } else { 0.0 };
            each(row_idx * n_row + idx, size.max(rms));
        }
    }
}

/// Compares the bytes of an output with the expected values.
#[must_use]
pub fn compare(expected: &Array, got: &[u8], tolerance: &Tolerance) -> Comparison {
    let n = expected.values.len();
    let tensor = crate::graph::Tensor {
        name: String::new(),
        dtype: expected.dtype,
        shape: expected.shape.clone(),
    };
    match Array::from_bytes(&tensor, got) {
        Ok(got) => compare_arrays(expected, &got, tolerance),
        // Another length, or integers that no kernel meant.
        Err(_) => {
            Comparison { error_over_tolerance: f64::INFINITY, at: None, n_wrong: n.max(1), n }
        }
    }
}

fn compare_arrays(expected: &Array, got: &Array, tolerance: &Tolerance) -> Comparison {
    let n = expected.values.len();
    let mut found = Comparison { error_over_tolerance: 0.0, at: None, n_wrong: 0, n };
    let single = expected.dtype == Dtype::F32;
    each_scale(expected, |idx, scale| {
        let (mut wanted, value) = (expected.values[idx], got.values[idx]);
        if single && !(wanted as f32).is_finite() {
            wanted = f64::from(wanted as f32);
        }
        let error = if wanted == value || wanted.is_nan() && value.is_nan() {
            0.0
        } else if wanted.is_finite() && value.is_finite() {
            (wanted - value).abs() / (tolerance.relative * scale + tolerance.absolute)
        } else {
            f64::INFINITY
        };
        // Only a tolerance of nothing makes it NaN or infinite.
        let error = if error.is_nan() { f64::INFINITY } else { error };
        found.n_wrong += usize::from(error > 1.0);
        if error > found.error_over_tolerance {
            (found.error_over_tolerance, found.at) = (error, Some(idx));
        }
    });
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{Argument, Node, Tensor};
    use crate::task::Generator;
    use crate::task::tests::example;

    fn floats(values: &[f64]) -> Array {
        Array { dtype: Dtype::F32, shape: vec![values.len()], values: values.to_vec() }
    }

    const TIGHT: Tolerance = Tolerance { relative: 0.1, absolute: 0.0, error_single: 0.0 };

    #[test]
    fn small_elements_are_measured_by_their_row() {
        // The root mean square is 1.
        let expected = floats(&[2f64.sqrt(), 0.0]);
        let found = compare(&expected, &floats(&[2f64.sqrt(), 0.05]).to_bytes(), &TIGHT);
        assert!((found.error_over_tolerance - 0.5).abs() < 1e-6 && found.holds(), "{found:?}");
        let found = compare(&expected, &floats(&[2f64.sqrt(), -0.2]).to_bytes(), &TIGHT);
        assert_eq!((found.n_wrong, found.at, found.n), (1, Some(1), 2));
    }

    #[test]
    fn infinities_and_nan_have_their_places() {
        let check = |expected: f64, got: f64| {
            compare(&floats(&[1.0, expected]), &floats(&[1.0, got]).to_bytes(), &TIGHT).holds()
        };
        assert!(check(f64::INFINITY, f64::INFINITY) && check(f64::NAN, f64::NAN));
        assert!(check(1e39, f64::INFINITY));
        assert!(!check(f64::INFINITY, 1e38) && !check(1.0, f64::NAN) && !check(f64::NAN, 1.0));
        assert!(!check(f64::INFINITY, f64::NEG_INFINITY));
    }

    #[test]
    fn integers_are_exact() {
        let expected = Array { dtype: Dtype::I64, shape: vec![2], values: vec![3.0, 4.0] };
        let exact = Tolerance { relative: 0.0, absolute: 0.0, error_single: 0.0 };
        assert!(compare(&expected, &expected.to_bytes(), &exact).holds());
        let other = Array { values: vec![3.0, 5.0], ..expected.clone() };
        assert!(!compare(&expected, &other.to_bytes(), &exact).holds());
        assert!(!compare(&expected, &[], &exact).holds());
    }

    #[test]
    fn single_precision_passes_and_half_precision_does_not() {
        let task = example();
        let found =
            Tolerances::find(&task, &task.graph, 7, &Distribution::ALL).expect("it is fair");
        assert_eq!(found.bounds.len(), 7, "{found:?}");
        let bytes = inputs::draw(&task, &task.graph, 8, 0, Distribution::Plain).expect("drawn");
        let given = inputs::arrays(&task.graph, &bytes).expect("they fit");
        let expected = &oracle::run(&task.graph, &given).expect("it is known")[0];
        let bound = &found.bounds[&Distribution::Plain][0];
        assert!(compare(expected, &expected.to_bytes(), bound).holds());
        let half = expected.values.iter().map(|value| (value * 1024.0).round() / 1024.0);
        let half = Array { values: half.collect(), ..expected.clone() };
        assert!(!compare(expected, &half.to_bytes(), bound).holds());
    }

    fn refused(change: impl FnOnce(&mut Task)) -> String {
        let mut task = example();
        change(&mut task);
        Tolerances::find(&task, &task.graph, 7, &[]).expect_err("it is unfair").to_string()
    }

    #[test]
    fn a_task_that_a_copy_would_pass_is_refused() {
        let said = refused(|task| {
            task.graph.nodes[0] = Node {
                op: "aten.relu.default".to_owned(),
                arguments: [("self".to_owned(), Argument::Tensor("x".to_owned()))].into(),
                outputs: task.graph.nodes[0].outputs.clone(),
            };
            task.generators.insert("x".to_owned(), Generator::Uniform { low: 0.0, high: 1.0 });
        });
        assert_eq!(
            said,
            "failed to accept task `scale`: a copy of an input would pass as output 0"
        );
    }

    #[test]
    fn a_task_that_zeros_would_pass_is_refused() {
        let said = refused(|task| {
            task.stored.insert("table".to_owned(), [0f32, 0.0].map(f32::to_le_bytes).concat());
        });
        assert_eq!(said, "failed to accept task `scale`: zeros would pass as output 0");
    }

    #[test]
    fn a_task_that_ignores_its_inputs_is_refused() {
        let said = refused(|task| {
            let y = Tensor { name: "y".to_owned(), dtype: Dtype::F32, shape: vec![2] };
            task.graph.nodes[0]
                .arguments
                .insert("self".to_owned(), Argument::Tensor("table".to_owned()));
            task.graph.nodes[0].outputs[0] = y;
        });
        let expected =
            "failed to accept task `scale`: the output for other inputs would pass as output 0";
        assert_eq!(said, expected);
    }
}
