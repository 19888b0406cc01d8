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

/// Whether all agree, and a line for each comparison.
fn report(results: &[(String, Result<f64, String>)]) -> (bool, String) {
    let agrees = |result: &Result<f64, String>| matches!(result, Ok(worst) if *worst <= TOLERANCE);
    let mut text = String::new();
    for (name, result) in results {
        let verdict = if agrees(result) { "agrees" } else { "DIFFERS" };
        text.push_str(&format!("{verdict} {name}: {result:?}\n"));
    }
    let n = results.iter().filter(|(_, result)| agrees(result)).count();
    text.push_str(&format!("{n} of {} agree within {TOLERANCE:e}", results.len()));
    (n == results.len() && n > 0, text)
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
    let (all, text) = report(&results);
    println!("{text}");
    assert!(all, "all agree");
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
    let (all, text) = report(&results);
    println!("{text}");
    assert!(all, "all agree");
}

#[test]
#[ignore = "needs: tasks"]
fn needs_tasks_each_has_a_tolerance_or_is_refused() {
    use kernels::inputs::{self, Distribution};
    let files = named("TETRAD_KERNEL_TASKS", ".json");
    assert!(!files.is_empty(), "TETRAD_KERNEL_TASKS names folders of tasks");
    for path in files {
        let task = Task::load(&path).unwrap_or_else(|error| panic!("{error}"));
        let bytes = inputs::draw(&task, &task.graph, 1, 0, Distribution::Plain).expect("drawn");
        let given = inputs::arrays(&task.graph, &bytes).expect("they fit");
        let start = std::time::Instant::now();
        let computed = oracle::run(&task.graph, &given).map(|_| ());
        let double = start.elapsed();
        oracle::run_single(&task.graph, &given).map(|_| ()).unwrap_or_default();
        let single = start.elapsed() - double;
        let found = kernels::Tolerances::find(&task, &task.graph, 1, &Distribution::ALL);
        let variant = match task.variants.first() {
            Some(graph) => match kernels::Tolerances::find(&task, graph, 1, &[]) {
                Ok(_) => "variant".to_owned(),
                Err(error) => format!("variant {error}"),
            },
            None => "no variant".to_owned(),
        };
        let said = match found {
            Ok(found) => {
                let plain = &found.bounds[&Distribution::Plain][0];
                format!(
                    "ok factor {:.1} relative {:.1e} single {:.1e} nearest {:?} kinds {}",
                    found.factor,
                    plain.relative,
                    plain.error_single,
                    found.gate.nearest(),
                    found.bounds.len()
                )
            }
            Err(error) => error.to_string(),
        };
        println!("{} {double:.2?} {single:.2?} {computed:?} {said}; {variant}", task.name);
    }
}
