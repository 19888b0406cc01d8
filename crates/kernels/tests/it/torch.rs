//! The interpreter beside torch, in double precision. The interpreter of Python that has torch is
//! named by `TETRAD_TORCH_PYTHON`; `TETRAD_TORCH_MODULES` may name folders with modules of one's
//! own, and `TETRAD_TORCH_TASKS` folders with what the exporter made of them with `--check`.

use std::path::{Path, PathBuf};
use std::process::Command;

use kernels::oracle::{self, Array};
use kernels::{Graph, Task};
use safetensors::SafeTensors;

/// Largest difference over the largest value of an output. Both sides sum in double precision, in
/// another order: a sum of 10^5 products of either sign differs by less than this.
const TOLERANCE: f64 = 1e-9;

/// Outputs that are smaller are differences of equal numbers, and rounding is all they hold.
const SMALLEST: f64 = 1e-3;

fn array(file: &SafeTensors<'_>, name: &str, tensor: Option<&kernels::graph::Tensor>) -> Array {
    let view = file.tensor(name).unwrap_or_else(|error| panic!("{error}: {name}"));
    let dtype = match view.dtype() {
        safetensors::Dtype::F32 => kernels::graph::Dtype::F32,
        safetensors::Dtype::F64 => kernels::graph::Dtype::F64,
        safetensors::Dtype::I64 => kernels::graph::Dtype::I64,
        safetensors::Dtype::I32 => kernels::graph::Dtype::I32,
        safetensors::Dtype::BOOL => kernels::graph::Dtype::Bool,
        other => panic!("{other:?}"),
    };
    let shape = view.shape().to_vec();
    let own = kernels::graph::Tensor { name: name.to_owned(), dtype, shape };
    Array::from_bytes(tensor.unwrap_or(&own), view.data()).expect("as large as it says")
}

fn difference(got: &Array, expected: &Array) -> f64 {
    assert_eq!(got.shape, expected.shape);
    let finite = expected.values.iter().filter(|value| value.is_finite());
    let scale = finite.fold(SMALLEST, |scale: f64, value| scale.max(value.abs()));
    got.values
        .iter()
        .zip(&expected.values)
        .map(|(got, expected)| match got == expected || got.is_nan() && expected.is_nan() {
            true => 0.0,
            false if got.is_finite() && expected.is_finite() => (got - expected).abs() / scale,
            false => f64::INFINITY,
        })
        .fold(0.0, f64::max)
}

/// Compares what the exporter wrote; the largest difference, or why there is none.
fn compare(stem: &Path) -> Result<f64, String> {
    let task = Task::load(&stem.with_extension("json")).map_err(|error| error.to_string())?;
    let check = stem.with_extension("check.safetensors");
    let bytes = std::fs::read(&check).map_err(|error| error.to_string())?;
    let file = SafeTensors::deserialize(&bytes).map_err(|error| error.to_string())?;
    let graph: &Graph = &task.graph;
    let given: Vec<Array> =
        graph.given().map(|tensor| array(&file, &tensor.name, Some(tensor))).collect();
    let got = oracle::run(graph, &given).map_err(|error| error.to_string())?;
    let expected = (0..got.len()).map(|idx| array(&file, &format!("output.{idx}"), None));
    let worst = got.iter().zip(expected).map(|(got, expected)| difference(got, &expected));
    Ok(worst.fold(0.0, f64::max))
}

fn python() -> PathBuf {
    std::env::var_os("TETRAD_TORCH_PYTHON").expect("TETRAD_TORCH_PYTHON names Python").into()
}

fn export(python: &Path, file: &Path, out: &Path) -> Result<(), String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/export.py");
    let mut command = Command::new(python);
    command.arg(script).arg(file).arg(out).args(["--shrink", "--check"]);
    command.args(["--most-flop", "2e7", "--most-bytes", "2e6"]);
    let output = command.output().map_err(|error| error.to_string())?;
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    if output.status.success() { Ok(()) } else { Err(said.lines().last().unwrap_or("").to_owned()) }
}

/// One line for each comparison; whether all agree.
fn report(results: &[(String, Result<f64, String>)]) -> bool {
    let agrees = |result: &Result<f64, String>| matches!(result, Ok(worst) if *worst <= TOLERANCE);
    for (name, result) in results {
        let verdict = if agrees(result) { "agrees" } else { "DIFFERS" };
        println!("{verdict} {name}: {result:?}");
    }
    let n = results.iter().filter(|(_, result)| agrees(result)).count();
    println!("{n} of {} agree within {TOLERANCE:e}", results.len());
    n == results.len() && n > 0
}

#[test]
#[ignore = "needs: torch"]
fn needs_torch_every_class_of_operation_agrees() {
    let python = python();
    let folder = tempfile::tempdir().expect("a folder");
    let all = include_str!("../data/operations.py");
    let mut results = Vec::new();
    for part in all.split("\n# --- ").skip(1) {
        let (name, text) = part.split_once('\n').expect("a name");
        let stem = folder.path().join(name);
        let head = all.split("\n# --- ").next().expect("what all begin with");
        std::fs::write(stem.with_extension("py"), format!("{head}\n{text}")).expect("written");
        let result =
            export(&python, &stem.with_extension("py"), &stem).and_then(|()| compare(&stem));
        results.push((name.to_owned(), result));
    }
    assert!(report(&results), "all agree");
}

/// Files of the folders that a variable names, by ending.
fn named(variable: &str, ending: &str) -> Vec<PathBuf> {
    let folders = std::env::var(variable).unwrap_or_default();
    let mut files: Vec<PathBuf> = folders
        .split(':')
        .filter(|folder| !folder.is_empty())
        .flat_map(|folder| std::fs::read_dir(folder).expect("a folder").flatten())
        .map(|entry| entry.path())
        .filter(|path| path.to_string_lossy().ends_with(ending))
        .collect();
    files.sort();
    files
}

#[test]
#[ignore = "needs: torch"]
fn needs_torch_modules_of_a_folder_agree() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut results = Vec::new();
    for path in named("TETRAD_TORCH_TASKS", ".check.safetensors") {
        let stem = path.to_string_lossy().replace(".check.safetensors", "");
        results.push((stem.clone(), compare(Path::new(&stem))));
    }
    for path in named("TETRAD_TORCH_MODULES", ".py") {
        let stem = folder.path().join("module");
        let result = export(&python(), &path, &stem).and_then(|()| compare(&stem));
        results.push((path.to_string_lossy().into_owned(), result));
    }
    assert!(report(&results), "all agree");
}
