//! Tasks that hold together, and tasks that do not.

use super::*;
use crate::graph::{Argument, Dtype, Node};

pub(crate) fn example() -> Task {
    let tensor = |name: &str, shape: &[usize]| Tensor {
        name: name.to_owned(),
        dtype: Dtype::F32,
        shape: shape.to_vec(),
    };
    let graph = |n: usize| Graph {
        inputs: vec![tensor("x", &[n, 2])],
        parameters: vec![tensor("table", &[2])],
        nodes: vec![Node {
            op: "aten.mul.Tensor".to_owned(),
            arguments: BTreeMap::from([
                ("self".to_owned(), Argument::Tensor("x".to_owned())),
                ("other".to_owned(), Argument::Tensor("table".to_owned())),
            ]),
            outputs: vec![tensor("y", &[n, 2])],
        }],
        outputs: vec!["y".to_owned()],
    };
    Task {
        format: FORMAT,
        name: "scale".to_owned(),
        summary: "Columns times a table.".to_owned(),
        origin: Origin { source: "tetrad".to_owned(), licence: "MIT OR Apache-2.0".to_owned() },
        graph: graph(4),
        generators: BTreeMap::from([
            ("x".to_owned(), Generator::Normal { mean: 0.0, std: 1.0 }),
            ("table".to_owned(), Generator::Stored),
        ]),
        policy: Policy::default(),
        variants: vec![graph(3)],
        stored: BTreeMap::from([("table".to_owned(), [2f32, 3.0].map(f32::to_le_bytes).concat())]),
    }
}

#[track_caller]
fn refused(change: impl FnOnce(&mut Task), expected: &str) {
    let mut task = example();
    change(&mut task);
    assert_eq!(task.check().expect_err("it contradicts itself"), expected);
}

#[test]
fn a_task_comes_back_from_disk() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("scale.json");
    example().save(&path).expect("it is written");
    assert_eq!(Task::load(&path).expect("it is read"), example());
}

#[test]
fn contradictions_are_named() {
    refused(|task| task.format = 9, "expected format 1, got 9");
    refused(|task| task.name = "A b".to_owned(), "`A b` is no name of a task");
    refused(
        |task| task.graph.inputs[0].shape = vec![1 << 40],
        "`x` of [1099511627776] is too large",
    );
    refused(|task| task.graph.outputs.clear(), "no outputs");
    refused(|task| task.graph.outputs[0] = "z".to_owned(), "nothing computes the output `z`");
    refused(
        |task| task.graph.nodes[0].outputs[0].name = "x".to_owned(),
        "two tensors are named `x`",
    );
    refused(
        |task| {
            let node = task.graph.nodes[0].clone();
            task.graph.nodes[0]
                .arguments
                .insert("self".to_owned(), Argument::Tensor("q".to_owned()));
            task.graph.nodes.push(node);
        },
        "`aten.mul.Tensor` reads `q` before it is computed",
    );
    refused(|task| task.generators.retain(|name, _| name != "x"), "no generator for `x`");
    refused(|task| task.stored.clear(), "no stored values for `table`");
    refused(
        |task| task.variants[0].inputs.clear(),
        "variant 0: `aten.mul.Tensor` reads `x` before it is computed",
    );
    refused(
        |task| {
            let empty = Generator::Uniform { low: 1.0, high: 1.0 };
            task.generators.insert("x".to_owned(), empty);
        },
        "generator of `x`: Uniform { low: 1.0, high: 1.0 } is empty or not finite",
    );
}

#[test]
fn a_broken_file_is_one_line() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("x.json");
    std::fs::write(&path, "{\"format\": 1").expect("written");
    let error = Task::load(&path).expect_err("it is cut off").to_string();
    assert!(error.starts_with("failed to read task: EOF while parsing"), "{error}");
    assert!(error.ends_with("x.json") && !error.contains('\n'), "{error}");
}
