//! What the bundled tasks are timed beside in PyTorch, held against the oracle: the modules of
//! `scripts/suite.py`, and for each task its graph as `scripts/graph.py` makes a module of it.
//! `TETRAD_TORCH_PYTHON` names an interpreter with torch.

use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::Arc;

use kernels::graph::Dtype;
use kernels::judge::{Expect, Known};
use kernels::oracle::Array;
use kernels::suite;

/// Reads what the test asks for on its standard input, one JSON object a line, and writes what each
/// module returns beside what it is given.
const DRIVER: &str = r#"
import json, sys, torch
torch.set_grad_enabled(False)
scopes = {}
for line in sys.stdin:
    asked = json.loads(line)
    graph, path = asked["graph"], asked["path"]
    for kind, library in asked["libraries"].items():
        if kind not in scopes:
            scopes[kind] = {}
            exec(library, scopes[kind])
        model = scopes[kind]["module"](asked["name"], graph)
        given, buffers = [], dict(model.named_buffers())
        for idx, spec in enumerate(graph["inputs"] + graph["parameters"]):
            dtype = {"f32": torch.float32, "i8": torch.int8}[spec["dtype"]]
            with open(f"{path}.{idx}", "rb") as file:
                value = torch.frombuffer(bytearray(file.read()), dtype=dtype).reshape(spec["shape"])
            if idx < len(graph["inputs"]):
                given.append(value)
            else:
                buffers[spec["name"]].data = value
        result = model(*given)
        [result] = result if isinstance(result, tuple) else (result,)
        assert result.dtype == torch.float32, result.dtype
        with open(f"{path}.{kind}", "wb") as file:
            file.write(result.contiguous().numpy().tobytes())
"#;

#[test]
#[ignore = "needs: torch"]
fn needs_torch_modules_and_graphs_of_bundled_tasks_agree_with_the_oracle() {
    let python = std::env::var_os("TETRAD_TORCH_PYTHON").expect("TETRAD_TORCH_PYTHON names Python");
    let folder = tempfile::tempdir().expect("a folder");
    let libraries = serde_json::json!({
        "suite": include_str!("../../scripts/suite.py"),
        "graph": include_str!("../../scripts/graph.py"),
    });
    let (mut asked, mut sets) = (String::new(), Vec::new());
    for task in suite::tasks() {
        // At the odd size: the interpreter takes its time at the other, and the judge compares what
        // a peer returns there whenever it is timed.
        let task = Arc::new(task);
        let known = Known::variant(Arc::clone(&task), 0, 1).expect("a fair task");
        let set = known.draw(0, 11).expect("drawn");
        let path = folder.path().join(&task.name);
        for (idx, bytes) in set.given.iter().enumerate() {
            std::fs::write(path.with_extension(idx.to_string()), bytes).expect("written");
        }
        let graph = &task.variants[0];
        let one = serde_json::json!({
            "name": task.name, "graph": graph, "path": path, "libraries": libraries,
        });
        asked.push_str(&format!("{one}\n"));
        sets.push((task, path, set));
    }
    let mut child = Command::new(python)
        .args(["-c", DRIVER])
        .stdin(Stdio::piped())
        .spawn()
        .expect("Python starts");
    child.stdin.take().expect("piped").write_all(asked.as_bytes()).expect("it reads");
    assert!(child.wait().expect("it ends").success(), "the driver goes through");
    for (task, path, set) in sets {
        let returned = task.variants[0].returned().next().expect("an output");
        assert_eq!(returned.dtype, Dtype::F32);
        for kind in ["suite", "graph"] {
            let bytes = std::fs::read(path.with_extension(kind)).expect("written by the driver");
            let got = Array::from_bytes(returned, &bytes).expect("of the task's shape");
            let expected = &set.expected[0];
            let shares = got.values.iter().zip(&expected.values).enumerate();
            let worst = shares
                .map(|(at, (got, want))| (got - want).abs() / expected.limit(at))
                .fold(0.0, |worst: f64, share| if share <= worst { worst } else { share });
            println!("{} {kind}: error over tolerance {worst:.3}", task.name);
            assert!(worst <= 1.0, "{} {kind}: {worst}", task.name);
        }
    }
}
