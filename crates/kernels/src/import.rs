//! From a PyTorch module to a task, through a small script and a Python that has torch.
//!
//! The file is Python and is run as such, with the rights of who asks for it. The task holds what
//! `torch.export` finds after decomposition, in evaluation mode; its weights are not those of the
//! module but are drawn like them.

use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::{Error, Task};

/// The script: plain Python, which torch is all it needs.
const SCRIPT: &str = include_str!("../scripts/export.py");

/// Most of what the script may say.
const MOST_SAID: u64 = 1 << 20;

/// What to make of a module.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// Make sizes smaller until both limits below hold: integers at the top level of the file,
    /// batch first, never kernels, strides, groups or numbers of layers.
    pub shrink: bool,
    /// Multiplications and additions of matrix products and convolutions.
    pub most_flop: f64,
    /// Bytes of inputs, parameters and outputs together.
    pub most_bytes: u64,
    /// Try another, odd size as a variant.
    pub variant: bool,
    /// Project and file, for the task's origin; the file's name when empty.
    pub source: String,
    /// Its licence.
    pub licence: String,
    /// How long it may take.
    pub timeout: Duration,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            shrink: true,
            most_flop: 2.5e9,
            most_bytes: 48 << 20,
            variant: true,
            source: String::new(),
            licence: "unknown".to_owned(),
            timeout: Duration::from_secs(300),
        }
    }
}

/// Makes a task of a file with `Model`, `get_inputs` and perhaps `get_init_inputs`, as KernelBench
/// has them. `python` is an interpreter with torch.
///
/// # Errors
/// In one line: no interpreter, no torch, a mistake in the file, a module that cannot be exported,
/// or too much time.
pub fn from_python(python: &Path, file: &Path, options: &Options) -> Result<Task, Error> {
    let readable = std::fs::File::open(file);
    readable.map_err(|source| Error::File {
        action: "read module",
        path: file.to_owned(),
        source,
    })?;
    let failed = |reason: String| Error::Tool { tool: python.display().to_string(), reason };
    let folder = tempfile::tempdir()
        .map_err(|source| Error::System { action: "make a folder for the export", source })?;
    let stem = folder.path().join("task");
    let mut command = Command::new(python);
    command.arg("-c").arg(SCRIPT).arg(file).arg(&stem);
    command.arg(format!("--source={}", options.source));
    command.arg(format!("--licence={}", options.licence));
    command.arg(format!("--most-flop={}", options.most_flop));
    command.arg(format!("--most-bytes={}", options.most_bytes));
    command.args(options.shrink.then_some("--shrink"));
    command.args(options.variant.then_some("--variant"));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| failed(error.to_string()))?;
    let said = listen(&mut child);
    let Some(success) = wait(&mut child, options.timeout) else {
        return Err(failed(format!("no end after {} s", options.timeout.as_secs_f64())));
    };
    if !success {
        let said = said.join().unwrap_or_default();
        let last = said.lines().rev().find(|line| !line.trim().is_empty());
        return Err(failed(last.unwrap_or("it ended without a word").trim().to_owned()));
    }
    let path = stem.with_extension("json");
    Task::load(&path).map_err(|error| match error {
        // The folder is gone when the message is read.
        Error::Task { reason, .. } => Error::Task { path: file.to_owned(), reason },
        other => other,
    })
}

/// Collects what it says on stderr, up to a limit; the rest is read and dropped.
fn listen(child: &mut Child) -> std::thread::JoinHandle<String> {
    let pipe = child.stderr.take();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            // What cannot be read is not said.
            let _ = pipe.by_ref().take(MOST_SAID).read_to_end(&mut bytes);
            let _ = std::io::copy(&mut pipe, &mut std::io::sink());
        }
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// Whether it succeeded; `None` when it had to be stopped.
fn wait(child: &mut Child, timeout: Duration) -> Option<bool> {
    let start = Instant::now();
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status.success()),
            Ok(None) if start.elapsed() < timeout => {
                std::thread::sleep(Duration::from_millis(20));
            }
            _ => {
                let _ = child.kill();
                let _ = child.wait();
                return None;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs a shell script in Python's place, which does what the file's name says.
    fn run(name: &str) -> Result<Task, Error> {
        let twin = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/python_twin.sh");
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join(name);
        std::fs::write(&file, "").expect("written");
        let options = Options { timeout: Duration::from_millis(500), ..Options::default() };
        from_python(&twin, &file, &options)
    }

    #[test]
    fn a_task_comes_out() {
        let task = run("good.py").expect("it is a task");
        assert_eq!((task.name.as_str(), task.graph.nodes.len()), ("negative", 1));
    }

    #[test]
    fn the_last_line_says_what_is_wrong() {
        let said = run("bad.py").expect_err("it fails").to_string();
        assert!(said.ends_with("python_twin.sh: SyntaxError: invalid syntax"), "{said}");
    }

    #[test]
    fn it_does_not_wait_for_ever() {
        let said = run("slow.py").expect_err("it hangs").to_string();
        assert!(said.ends_with("no end after 0.5 s"), "{said}");
    }

    #[test]
    fn a_missing_file_or_interpreter_is_named() {
        let options = Options::default();
        let here = Path::new("Cargo.toml");
        let said = from_python(Path::new("/no/python"), here, &options).expect_err("none there");
        assert!(said.to_string().starts_with("failed to run /no/python: "), "{said}");
        let said = from_python(here, Path::new("no.py"), &options).expect_err("none there");
        assert!(said.to_string().starts_with("failed to read module: "), "{said}");
    }
}
