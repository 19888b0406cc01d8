//! Archives that PyTorch wrote (see `scripts/golden.py`), and archives that are none.

use std::io::Write;

use super::*;
use crate::inputs::{self, Distribution};

fn golden(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/pt2").join(name)
}

#[test]
fn a_program_of_torch_becomes_a_task() {
    let task = read(&golden("layers.pt2")).expect("torch wrote it");
    let ops: Vec<&str> = task.graph.nodes.iter().map(|node| node.op.as_str()).collect();
    assert_eq!(ops[0], "aten.permute.default");
    assert!(ops.contains(&"aten.max.dim") && ops.contains(&"aten.split_with_sizes.default"));
    let names = |tensors: &[Tensor]| -> Vec<String> {
        tensors.iter().map(|tensor| format!("{}{:?}", tensor.name, tensor.shape)).collect()
    };
    assert_eq!(names(&task.graph.inputs), ["x[2, 3]", "y[2, 4]"]);
    assert_eq!(task.graph.parameters.len(), 7, "{:?}", names(&task.graph.parameters));
    assert_eq!(task.generators["y"], Generator::Bernoulli { p: 0.5 });
    assert_eq!(task.generators["b_norm_running_var"], Generator::Uniform { low: 0.5, high: 1.5 });
    assert_eq!(task.stored["c_scale"], 2f32.to_le_bytes());
}

#[test]
fn what_torch_wrote_can_be_computed() {
    let task = read(&golden("layers.pt2")).expect("torch wrote it");
    let bytes = inputs::draw(&task, &task.graph, 1, 0, Distribution::Plain).expect("drawn");
    let given = inputs::arrays(&task.graph, &bytes).expect("they fit");
    let got = oracle::run(&task.graph, &given).expect("all is known");
    let shapes: Vec<&[usize]> = got.iter().map(|array| array.shape.as_slice()).collect();
    assert_eq!(shapes, [&[2, 4][..], &[1], &[2], &[2, 4], &[2, 8], &[2, 1]]);
    // The last but one begins where the gate lets nothing through.
    let blocked = given[1].values.iter().zip(&got[3].values).filter(|(gate, _)| **gate != 0.0);
    assert!(blocked.map(|(_, value)| *value).all(|value| value == f64::NEG_INFINITY));
}

#[test]
fn integers_in_the_weights_are_refused_by_name() {
    let error = read(&golden("places.pt2")).expect_err("they are not read").to_string();
    assert!(error.contains("no values of `order` that can be read"), "{error}");
}

fn refused(files: &[(&str, &str)]) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("x.pt2");
    let mut zip = zip::ZipWriter::new(File::create(&path).expect("created"));
    let stored =
        zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for (name, text) in files {
        zip.start_file(*name, stored).expect("begun");
        zip.write_all(text.as_bytes()).expect("written");
    }
    zip.finish().expect("ended");
    let Err(Error::Task { reason, .. }) = read(&path) else { panic!("it is no task") };
    reason
}

#[test]
fn other_archives_are_refused_in_one_line() {
    assert!(refused(&[("a", "b")]).starts_with("`serialized_exported_program.json`: "));
    let check = |text: &str, expected: &str| assert_eq!(refused(&[(PROGRAM, text)]), expected);
    check("{}", "expected schema 8, got none");
    check(r#"{"schema_version": {"major": 9}}"#, "expected schema 8, got 9");
    check(r#"{"schema_version": {"major": 8}}"#, "no list of nodes");
    let graph = |node: &str, value: &str| {
        format!(
            r#"{{"schema_version": {{"major": 8}}, "graph_module": {{"graph": {{"nodes": [{node}],
            "tensor_values": {{"y": {value}}}}}, "signature": {{"input_specs": [],
            "output_specs": []}}}}}}"#
        )
    };
    let node = r#"{"target": "torch.ops.aten.ones.default", "inputs": [],
        "outputs": [{"as_tensor": {"name": "y"}}]}"#;
    let dynamic = r#"{"dtype": 7, "sizes": [{"as_expr": "s0"}]}"#;
    check(&graph(node, dynamic), "`aten.ones.default`: `y` has no fixed shape");
    let half = r#"{"dtype": 6, "sizes": []}"#;
    check(&graph(node, half), "`aten.ones.default`: `y`: tensors of type 6 are not supported");
    check(&graph(r#"{"target": "my.op"}"#, half), "`my.op` is no operation of ATen");
    check(&graph("", half), "no outputs");
}

#[test]
fn text_is_no_archive() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    assert!(matches!(read(&here), Err(Error::Task { .. })));
}
