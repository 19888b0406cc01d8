//! What this machine has: looked up once, passed down. Nothing below `tetrad` looks for programs.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Environment variables that tetrad reads; `tetrad doctor` lists them.
pub(crate) const VARIABLES: [(&str, &str); 4] = [
    ("TETRAD_RUNS", "folder of run directories (default: ./runs)"),
    ("TETRAD_STOCKFISH", "path of the Stockfish binary (default: PATH, then /usr/games)"),
    ("TETRAD_PYTHON", "path of the Python 3 interpreter for game scripts (default: PATH)"),
    ("TETRAD_FFMPEG", "path of ffmpeg, for videos of LeRobot datasets (default: PATH)"),
];

/// A program found on this machine.
#[derive(Debug, Clone, serde::Serialize)]
pub(crate) struct Program {
    pub(crate) path: PathBuf,
    pub(crate) version: String,
}

/// First executable file called `name` along `PATH`, then in `extra`.
pub(crate) fn find_program(name: &str, extra: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(extra.iter().map(PathBuf::from))
        .map(|folder| folder.join(name))
        .find(|candidate| executable(candidate))
}

fn executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

/// Stockfish, if it is installed and answers to UCI.
pub(crate) fn stockfish() -> Option<Program> {
    let path = std::env::var_os("TETRAD_STOCKFISH")
        .map(PathBuf::from)
        .filter(|path| executable(path))
        .or_else(|| find_program("stockfish", &["/usr/games", "/usr/local/games"]))?;
    let mut child = Command::new(&path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    // The engine answers `uci` and leaves at `quit`; a closed pipe only means that it left early.
    let _ = std::io::Write::write_all(child.stdin.as_mut()?, b"uci\nquit\n");
    let output = child.wait_with_output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let version = text.lines().find_map(|line| line.strip_prefix("id name "))?.trim().to_owned();
    Some(Program { path, version })
}

/// A Python 3 interpreter, resolved to the real binary (shims of version managers do not work
/// inside the sandbox).
pub(crate) fn python() -> Option<Program> {
    let given =
        std::env::var_os("TETRAD_PYTHON").map(PathBuf::from).filter(|path| executable(path));
    // The system's own Python comes first: its files are already visible inside the sandbox.
    let system = Some(PathBuf::from("/usr/bin/python3")).filter(|path| executable(path));
    let path = given.or(system).or_else(|| find_program("python3", &[]))?;
    let output = Command::new(&path)
        .args(["-c", "import sys; print(sys.executable); print('.'.join(map(str, sys.version_info[:3])), sys.version_info[0])"])
        .stdin(Stdio::null())
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut lines = text.lines();
    let real = PathBuf::from(lines.next()?.trim());
    let (version, major) = lines.next()?.split_once(' ')?;
    (major == "3").then(|| Program { path: real, version: format!("Python {version}") })
}

/// A C compiler for the players and kernels that need one.
pub(crate) fn c_compiler() -> Option<Program> {
    let path = find_program("cc", &["/usr/bin"])?;
    Some(Program { version: first_line(&path, &["--version"])?, path })
}

/// First line of what a program prints.
pub(crate) fn first_line(path: &Path, arguments: &[&str]) -> Option<String> {
    let output = Command::new(path).args(arguments).stdin(Stdio::null()).output().ok()?;
    Some(String::from_utf8_lossy(&output.stdout).lines().next()?.trim().to_owned())
}

/// The folder of run directories.
pub(crate) fn runs_folder(flag: Option<PathBuf>) -> PathBuf {
    flag.or_else(|| std::env::var_os("TETRAD_RUNS").map(PathBuf::from))
        .unwrap_or_else(|| PathBuf::from("runs"))
}
