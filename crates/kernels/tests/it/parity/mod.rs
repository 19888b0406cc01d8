//! Emitted C beside the interpreter: every class of operation under many schedules.
//!
//! The graphs are written in `data/parity`, a line an operation. The kernels of all of them are
//! compiled as a few large files and run as one program, each kernel in a process of its own.

mod compile;
mod random;
mod text;

use kernels::Graph;
use kernels::emit;
use kernels::graph::Dtype;
use kernels::loops::{Expr, Rule};
use kernels::lower::lower;
use kernels::oracle::{self, Array};
use kernels::plan::{Form, Schedule};
use kernels::schedules::{self, sensible};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use compile::Job;
use text::Case;

/// Random schedules of each graph.
const N_RANDOM: usize = 3;

/// Largest difference over the typical size of an output's values.
const TOLERANCE: f64 = 3e-5;

/// Values for what a graph is given: floats in [-2, 2), or as the case says.
fn values(case: &Case, rng: &mut ChaCha8Rng) -> Vec<Array> {
    let given = case.graph.given().zip(&case.bounds);
    given
        .map(|(tensor, (low, high))| {
            let mut value = || match tensor.dtype {
                Dtype::F32 | Dtype::F64 => {
                    f64::from((low + (high - low) * rng.random::<f64>()) as f32)
                }
                Dtype::Bool => f64::from(rng.random_range(0..2)),
                _ => rng.random_range(*low as i64..*high as i64) as f64,
            };
            let values = (0..tensor.n_elements()).map(|_| value()).collect();
            Array { dtype: tensor.dtype, shape: tensor.shape.clone(), values }
        })
        .collect()
}

/// What is wrong with an output, if anything is.
fn wrong(got: &Array, expected: &Array) -> Option<String> {
    let finite = || expected.values.iter().filter(|value| value.is_finite());
    let n = finite().count().max(1) as f64;
    let typical = finite().map(|value| value.abs()).sum::<f64>() / n;
    let exact = !expected.dtype.is_float();
    let pairs = got.values.iter().zip(&expected.values);
    let differs = |(got, expected): (&f64, &f64)| {
        let same = got == expected || got.is_nan() && expected.is_nan();
        let bound = TOLERANCE * (expected.abs() + typical);
        !same && (exact || !got.is_finite() || (got - expected).abs() > bound)
    };
    let bad: Vec<usize> =
        pairs.enumerate().filter(|(_, pair)| differs(*pair)).map(|(at, _)| at).collect();
    let first = *bad.first()?;
    let (n, of) = (bad.len(), got.values.len());
    let (got, expected) = (got.values[first], expected.values[first]);
    Some(format!("{n} of {of} wrong, first at {first}: {got}, expected {expected}"))
}

fn schedules(graph: &Graph, seed: u64) -> Vec<(String, Schedule)> {
    let program = lower(graph).unwrap_or_else(|error| panic!("{error}"));
    let mut all = vec![
        ("base".to_owned(), Schedule::base(&program)),
        ("sensible".to_owned(), sensible(&program)),
    ];
    // Forms that few schedules drawn at random come to.
    let forms = [
        ("direct", Form::Direct, 28, 1, 16, true),
        ("direct, short runs, border read in place", Form::Direct, 5, 2, 16, false),
        ("direct, short vectors", Form::Direct, 9, 2, 8, false),
        ("dots", Form::Dots, 8, 2, 16, true),
        ("dots, short vectors", Form::Dots, 3, 4, 8, true),
    ];
    for (name, form, rows, columns, width, border) in forms {
        let mut schedule = Schedule { width, ..sensible(&program) };
        for (part, definition) in schedule.parts.iter_mut().zip(&program.definitions) {
            (part.form, part.rows, part.columns) = (form, rows, columns);
            if matches!(&definition.rule, Rule::Map(Expr::If(..))) {
                part.store = border;
            }
        }
        all.push((name.to_owned(), schedule));
    }
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let n = std::env::var("TETRAD_RANDOM").map_or(N_RANDOM, |n| n.parse().expect("a number"));
    for idx in 0..n {
        all.push((format!("random {idx}"), schedules::random(&program, &mut rng)));
    }
    all
}

/// Compiles and runs every case under its schedules; what is wrong, in lines.
fn complaints(cases: &[Case], seed: u64) -> Vec<String> {
    let mut given = Vec::new();
    let mut expected = Vec::new();
    let mut jobs: Vec<Job> = Vec::new();
    for (case_idx, case) in cases.iter().enumerate() {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let arrays = values(case, &mut rng);
        let outputs = oracle::run(&case.graph, &arrays);
        expected.push(outputs.unwrap_or_else(|error| panic!("{}: {error}", case.name)));
        given.push(arrays);
        let program = lower(&case.graph).unwrap_or_else(|error| panic!("{}: {error}", case.name));
        let first = jobs.len();
        for (name, schedule) in schedules(&case.graph, seed) {
            let candidate = emit::c(&program, &schedule);
            let seen = jobs[first..].iter().any(|job| job.source == candidate.source);
            if !seen {
                let label = format!("{}, {name}", case.name);
                jobs.push(Job { label, case_idx, source: candidate.source, width: schedule.width });
            }
        }
    }
    let graphs: Vec<&Graph> = cases.iter().map(|case| &case.graph).collect();
    let results = compile::run(&graphs, &given, &jobs);
    assert_eq!(results.len(), jobs.len());
    let mut lines = Vec::new();
    for (job, result) in jobs.iter().zip(results) {
        match result {
            Err(reason) => lines.push(format!("{}: {reason}", job.label)),
            Ok(outputs) => {
                for (idx, (got, expected)) in
                    outputs.iter().zip(&expected[job.case_idx]).enumerate()
                {
                    if let Some(reason) = wrong(got, expected) {
                        lines.push(format!("{}, output {idx}: {reason}", job.label));
                    }
                }
            }
        }
    }
    lines
}

fn hold(text: &str) {
    let only = std::env::var("TETRAD_PARITY").unwrap_or_default();
    let mut cases = text::cases(text);
    cases.retain(|case| case.name.contains(&only));
    let seed = std::env::var("TETRAD_SEED").map_or(11, |seed| seed.parse().expect("a number"));
    let lines = complaints(&cases, seed);
    assert!(lines.is_empty(), "{}", lines.join("\n"));
}

#[test]
fn elements_and_views_are_what_the_interpreter_says() {
    hold(include_str!("../../data/parity/elements.txt"));
}

#[test]
fn folds_and_products_are_what_the_interpreter_says() {
    hold(include_str!("../../data/parity/folds.txt"));
}

#[test]
fn windows_are_what_the_interpreter_says() {
    hold(include_str!("../../data/parity/windows.txt"));
}

#[test]
fn random_graphs_are_what_the_interpreter_says() {
    let number = |name: &str, default: u64| {
        std::env::var(name).map_or(default, |text| text.parse().expect("a number"))
    };
    let seed = number("TETRAD_SEED", 11);
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let n = number("TETRAD_GRAPHS", 40);
    let mut cases: Vec<Case> =
        (0..n).map(|idx| random::case(3 + idx as usize % 8, &mut rng)).collect();
    let only = std::env::var("TETRAD_PARITY").unwrap_or_default();
    cases.retain(|case| case.name.contains(&only));
    let lines = complaints(&cases, seed);
    assert!(lines.is_empty(), "{}", lines.join("\n"));
}
