//! A baseline outside the sandbox that we trust and that speaks the worker's language: PyTorch.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use crate::Error;

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
    /// Its environment beside `PATH` and `HOME`.
    pub env: Vec<(String, String)>,
}

impl Peer {
    pub(super) fn begin(&self, paths: &[String; 4]) -> Result<Child, Error> {
        Command::new(&self.program)
            .args(&self.args)
            .args(paths)
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| Error::Tool { tool: self.name.clone(), reason: error.to_string() })
    }
}
