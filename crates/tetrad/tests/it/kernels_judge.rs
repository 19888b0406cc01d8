//! `tetrad kernels` as a user types it, on a real task: converted, judged, searched.

use std::path::Path;

use kernels::{Task, suite};

use crate::binary::tetrad;

/// The softmax of a few rows: quick to judge.
fn small_task(folder: &Path) {
    let task = suite::find("softmax").expect("a bundled task");
    let graph = task.variants[0].clone();
    let small = Task { name: "small_softmax".to_owned(), graph, variants: Vec::new(), ..task };
    small.save(&folder.join("small.json")).expect("writable");
}

#[test]
fn bundled_tasks_are_listed_and_converted() {
    let folder = tempfile::tempdir().expect("a folder");
    let listed = tetrad(folder.path(), &["kernels", "tasks"]);
    assert_eq!((listed.code, listed.stdout.lines().count()), (0, suite::tasks().len()));
    let converted = tetrad(folder.path(), &["kernels", "convert", "softmax"]);
    assert_eq!(converted.code, 0, "{converted:#?}");
    assert!(
        converted.stdout.contains("void tetrad_kernel(") && !converted.stdout.contains("#pragma")
    );
    let sensible =
        tetrad(folder.path(), &["kernels", "convert", "softmax", "--schedule", "sensible"]);
    assert!(sensible.stdout.contains("#pragma omp"), "{sensible:#?}");
}

#[test]
fn a_kernel_is_right_or_turned_away_with_a_reason() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    small_task(folder);
    let right = tetrad(folder, &["kernels", "verify", "small.json"]);
    assert_eq!(right.code, 0, "{right:#?}");
    assert!(right.stdout.starts_with("right: "), "{right:#?}");
    let uniform = "#include <stdint.h>\n\
         const int64_t tetrad_scratch_bytes = 0;\n\
         void tetrad_kernel(const void *const *in, void *const *out, void *scratch) {\n\
             float *y = out[0]; (void)in; (void)scratch;\n\
             for (int i = 0; i < 7 * 1021; i++) y[i] = 1.0f / 1021;\n\
         }\n";
    std::fs::write(folder.join("wrong.c"), uniform).expect("writable");
    let wrong = tetrad(folder, &["kernels", "verify", "small.json", "wrong.c"]);
    assert_eq!(wrong.code, 1, "{wrong:#?}");
    assert!(wrong.stdout.starts_with("turned away, wrong: "), "{wrong:#?}");
    let missing = tetrad(folder, &["kernels", "verify", "small.json", "absent.c"]);
    assert_eq!(missing.code, 2, "{missing:#?}");
}

/// `softmax(q kᵀ) v`, not scaled: with large inputs, rows whose two greatest scores lie close together
/// choose between them by the last bits of their sums.
const ATTENTION: &str = r#"{
 "format": 1,
 "name": "attention",
 "summary": "softmax(q k) v",
 "origin": {"source": "this test", "licence": "MIT OR Apache-2.0"},
 "graph": {
  "inputs": [
   {"name": "q", "dtype": "f32", "shape": [4, 192, 64]},
   {"name": "k", "dtype": "f32", "shape": [4, 64, 192]},
   {"name": "v", "dtype": "f32", "shape": [4, 192, 64]}
  ],
  "parameters": [],
  "nodes": [
   {"op": "aten.bmm.default",
    "arguments": {"self": {"tensor": "q"}, "mat2": {"tensor": "k"}},
    "outputs": [{"name": "scores", "dtype": "f32", "shape": [4, 192, 192]}]},
   {"op": "aten._softmax.default",
    "arguments": {"self": {"tensor": "scores"}, "dim": {"int": -1}, "half_to_float": {"bool": false}},
    "outputs": [{"name": "weights", "dtype": "f32", "shape": [4, 192, 192]}]},
   {"op": "aten.bmm.default",
    "arguments": {"self": {"tensor": "weights"}, "mat2": {"tensor": "v"}},
    "outputs": [{"name": "mixed", "dtype": "f32", "shape": [4, 192, 64]}]}
  ],
  "outputs": ["mixed"]
 },
 "generators": {
  "q": {"normal": {"mean": 0.0, "std": 1.0}},
  "k": {"normal": {"mean": 0.0, "std": 1.0}},
  "v": {"normal": {"mean": 0.0, "std": 1.0}}
 },
 "policy": {"weights_static": false, "product_bound": true, "redundant": false, "notes": []},
 "variants": []
}"#;

#[test]
fn honest_attention_is_right_on_large_inputs_too() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    std::fs::write(folder.join("attention.json"), ATTENTION).expect("writable");
    for schedule in ["base", "sensible"] {
        let convert = ["kernels", "convert", "attention.json", "--schedule", schedule];
        let converted = tetrad(folder, &convert);
        assert_eq!(converted.code, 0, "{converted:#?}");
        std::fs::write(folder.join("attention.c"), converted.stdout).expect("writable");
        let verified = tetrad(folder, &["kernels", "verify", "attention.json", "attention.c"]);
        assert_eq!(verified.code, 0, "{schedule}: {verified:#?}");
    }
    // One output that is off by a hundredth is not forgiven for that.
    let source = std::fs::read_to_string(folder.join("attention.c")).expect("readable");
    let body = source.replace("void tetrad_kernel(", "static void honest(");
    let off = "\nvoid tetrad_kernel(const void *const *in, void *const *out, void *scratch) {\n\
         honest(in, out, scratch);\n((float *)out[0])[77] *= 1.01f;\n}\n";
    std::fs::write(folder.join("off.c"), body + off).expect("writable");
    let turned_away = tetrad(folder, &["kernels", "verify", "attention.json", "off.c"]);
    assert_eq!(turned_away.code, 1, "{turned_away:#?}");
    assert!(turned_away.stdout.starts_with("turned away, wrong: "), "{turned_away:#?}");
}

#[test]
fn a_search_of_a_real_task_ends_with_everything_kept() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    small_task(folder);
    let search = [
        "kernels",
        "search",
        "small.json",
        "--evaluations",
        "6",
        "--islands",
        "2",
        "--format",
        "json",
    ];
    let ran = tetrad(folder, &search);
    // Whether anything is faster on a busy machine is not for a test to say: 1 is an answer too.
    assert!(ran.code == 0 || ran.code == 1, "{ran:#?}");
    let answer = ran.json();
    let summary = &answer["data"]["searches"][0];
    assert_eq!((&summary["n_evaluated"], &summary["end"]), (&6.into(), &"complete".into()));
    assert_eq!(summary["rejected"], serde_json::json!({}), "every schedule is right");
}

#[test]
fn a_table_has_a_row_for_each_task_and_goes_on_after_one_that_cannot_be_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    small_task(folder);
    let table = "kernels table absent.json small.json --ablation --evaluations 6 --format json";
    let ran = tetrad(folder, &table.split(' ').collect::<Vec<_>>());
    let answer = ran.json();
    let [absent, small] = &answer["data"]["rows"].as_array().expect("rows")[..] else {
        panic!("two rows: {ran:#?}");
    };
    assert_eq!(ran.code, 4, "what is missing is said by the exit code: {ran:#?}");
    assert!(absent["reason"].as_str().is_some_and(|why| why.contains("absent.json")), "{absent}");
    assert_eq!(small["n_evaluated"], 6);
    // Whether anything is faster on a busy machine is not for a test to say; if so, it is timed
    // beside the scalar base as well, and beside the best draw where there is one.
    let [base, scalar] = [&small["base"], &small["scalar"]["ratio"]];
    assert_eq!((base.is_null(), small["reason"].is_null()), (scalar.is_null(), base.is_number()));
    let [drawn, over_drawn] = [&small["best_of_n"], &small["over_best_of_n"]["ratio"]];
    assert_eq!(drawn.is_null(), over_drawn.is_null(), "{small}");
}
