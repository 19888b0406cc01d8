//! Runs the binary the way a user does, in a folder of its own.

use std::path::Path;
use std::process::{Child, Command, Stdio};

/// What one invocation did.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    /// stdout as the JSON object that `--format json` prints.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error} in {self:#?}"))
    }
}

/// The command, without the variables that could change what it does.
pub(crate) fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tetrad"));
    command
        .args(arguments)
        .arg("--out")
        .arg(folder.join("runs"))
        .current_dir(folder)
        .env_remove("TETRAD_RUNS")
        .env_remove("TETRAD_STOCKFISH")
        .env_remove("TETRAD_PYTHON")
        .env("NO_COLOR", "1")
        .stdin(Stdio::null());
    command
}

/// Runs to the end.
pub(crate) fn tetrad(folder: &Path, arguments: &[&str]) -> Ran {
    let output = command(folder, arguments).output().expect("the binary starts");
    Ran {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Starts without waiting; output is dropped.
pub(crate) fn start(folder: &Path, arguments: &[&str]) -> Child {
    command(folder, arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the binary starts")
}
