//! A baseline outside the sandbox that we trust and that speaks the worker's language: PyTorch.

use std::io::{Seek, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::{Error, Task, suite};

const SCRIPT: &str = include_str!("../../scripts/torch_peer.py");

/// How modules are read and made smaller when they become tasks; the peer does it the same way.
const EXPORT: &str = include_str!("../../scripts/export.py");

/// Modules of the bundled tasks.
const SUITE: &str = include_str!("../../scripts/suite.py");

/// The module that any graph is.
const GRAPH: &str = include_str!("../../scripts/graph.py");

/// What a note begins with that says the sizes a module was exported with.
const SIZES: &str = "sizes: ";

/// How to start it: the program is given the paths of orders, answers, inputs and outputs as its
/// last four arguments, and what it is to compute on its standard input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// Name for people: `torch-eager`.
    pub name: String,
    /// The program.
    pub program: PathBuf,
    /// Its arguments before the four paths.
    pub args: Vec<String>,
    /// Its environment beside ours.
    pub env: Vec<(String, String)>,
    /// Text on its standard input.
    pub input: String,
}

impl Peer {
    /// A task in PyTorch, as it is or compiled by it. `python` is an interpreter with torch,
    /// `module` the file that the task was made of. Without one, a bundled task is what
    /// `scripts/suite.py` says, and any other its graph, operation by operation; the peer's name
    /// then says so, because a module may have been faster than what it was taken apart into.
    ///
    /// Its memory conditions are those of a kernel: what it frees it keeps, so that no call pays
    /// for pages that a kernel has from the start, and results are copied out after the clock.
    #[must_use]
    pub fn torch(
        python: &Path,
        module: Option<&Path>,
        compiled: bool,
        task: &Task,
        n_threads: usize,
    ) -> Peer {
        let bundled = suite::find(&task.name).is_some_and(|bundled| bundled.graph == task.graph);
        let library = match module {
            Some(_) => EXPORT,
            None if bundled => SUITE,
            None => GRAPH,
        };
        let mode = if compiled { "compile" } else { "eager" };
        let from = if module.is_none() && !bundled { "-graph" } else { "" };
        let mut input = serde_json::json!({
            "name": task.name,
            "graph": task.graph,
            "library": library,
            "sizes": sizes(task),
        });
        if let Some(module) = module {
            input["file"] = module.display().to_string().into();
        }
        let args = vec!["-c".to_owned(), SCRIPT.to_owned(), mode.to_owned(), n_threads.to_string()];
        let env = [
            ("MALLOC_MMAP_MAX_", "0".to_owned()),
            ("MALLOC_TRIM_THRESHOLD_", "1099511627776".to_owned()),
            ("OMP_NUM_THREADS", n_threads.to_string()),
            ("GOMP_SPINCOUNT", super::cell::SPIN_COUNT.to_owned()),
        ];
        Peer {
            name: format!("torch-{mode}{from}"),
            program: python.to_owned(),
            args,
            env: env.map(|(name, value)| (name.to_owned(), value)).to_vec(),
            input: input.to_string(),
        }
    }

    pub(super) fn begin(&self, paths: &[String; 4]) -> Result<Child, Error> {
        // A file, not a pipe: nobody has to wait until a long graph is read.
        let given = || -> std::io::Result<std::fs::File> {
            let mut file = tempfile::tempfile()?;
            file.write_all(self.input.as_bytes())?;
            file.rewind()?;
            Ok(file)
        };
        let given =
            given().map_err(|source| Error::System { action: "write for a peer", source })?;
        Command::new(&self.program)
            .args(&self.args)
            .args(paths)
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::from(given))
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| Error::Tool { tool: self.name.clone(), reason: error.to_string() })
    }
}

/// The sizes that the task's notes say its module was exported with.
fn sizes(task: &Task) -> serde_json::Map<String, serde_json::Value> {
    let note = task.policy.notes.iter().find_map(|note| note.strip_prefix(SIZES));
    let pairs = note.into_iter().flat_map(|note| note.split(", "));
    let pairs = pairs.filter_map(|pair| pair.split_once('='));
    pairs
        .filter_map(|(name, value)| Some((name.to_owned(), value.parse::<u64>().ok()?.into())))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::tests::example;

    #[test]
    fn sizes_come_from_the_notes() {
        let mut task = example();
        task.policy.notes = vec!["other".to_owned(), "sizes: batch=4, dim.0=16".to_owned()];
        let text = serde_json::to_string(&sizes(&task)).expect("plain data");
        assert_eq!(text, r#"{"batch":4,"dim.0":16}"#);
    }

    #[test]
    fn a_peer_says_where_its_module_comes_from() {
        let name = |task: &Task, module: Option<&str>| {
            Peer::torch(Path::new("python"), module.map(Path::new), false, task, 2).name
        };
        let bundled = suite::find("softmax").expect("it is bundled");
        assert_eq!(name(&bundled, None), "torch-eager");
        assert_eq!(name(&example(), Some("module.py")), "torch-eager");
        // The name alone does not make it the bundled one.
        let other = Task { graph: bundled.variants[0].clone(), ..bundled };
        assert_eq!(name(&other, None), "torch-eager-graph");
    }

    #[test]
    fn every_bundled_task_has_a_module() {
        for task in suite::tasks() {
            assert!(SUITE.contains(&format!("\ndef {}(", task.name)), "{}", task.name);
        }
    }
}
