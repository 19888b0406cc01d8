//! A baseline outside the sandbox that we trust and that speaks the worker's language: PyTorch.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::graph::Tensor;
use crate::{Error, Task};

const SCRIPT: &str = include_str!("../../scripts/torch_peer.py");

/// How modules are read and made smaller when they become tasks; the peer does it the same way.
const EXPORT: &str = include_str!("../../scripts/export.py");

/// What a note begins with that says the sizes a module was exported with.
const SIZES: &str = "sizes: ";

/// How to start it: the program is given the paths of orders, answers, inputs and outputs as its
/// last four arguments.
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
}

impl Peer {
    /// The module that a task was made of, in PyTorch as it is or compiled by it. `python` is an
    /// interpreter with torch, `module` the file.
    ///
    /// Its memory conditions are those of a kernel: what it frees it keeps, so that no call pays
    /// for pages that a kernel has from the start, and results are copied out after the clock.
    #[must_use]
    pub fn torch(
        python: &Path,
        module: &Path,
        compiled: bool,
        task: &Task,
        n_threads: usize,
    ) -> Peer {
        let mode = if compiled { "compile" } else { "eager" };
        let list = |tensors: &[Tensor]| serde_json::to_string(tensors).expect("plain data");
        let args = vec![
            "-c".to_owned(),
            SCRIPT.to_owned(),
            EXPORT.to_owned(),
            module.display().to_string(),
            serde_json::to_string(&sizes(task)).expect("plain data"),
            mode.to_owned(),
            n_threads.to_string(),
            list(&task.graph.inputs),
            list(&task.graph.parameters),
        ];
        let env = [
            ("MALLOC_MMAP_MAX_", "0".to_owned()),
            ("MALLOC_TRIM_THRESHOLD_", "1099511627776".to_owned()),
            ("OMP_NUM_THREADS", n_threads.to_string()),
            ("GOMP_SPINCOUNT", super::cell::SPIN_COUNT.to_owned()),
        ];
        Peer {
            name: format!("torch-{mode}"),
            program: python.to_owned(),
            args,
            env: env.map(|(name, value)| (name.to_owned(), value)).to_vec(),
        }
    }

    pub(super) fn begin(&self, paths: &[String; 4]) -> Result<Child, Error> {
        Command::new(&self.program)
            .args(&self.args)
            .args(paths)
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
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
}
