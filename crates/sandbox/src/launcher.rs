//! How the process that becomes the sandbox is started: this program again, with nothing inherited.

use std::path::PathBuf;

/// Argument that makes a program that calls [`launch_if_requested`] the launcher.
const ARGUMENT: &str = "sandbox-launch";

/// Environment variable that does the same where the arguments are not ours (test binaries).
pub(crate) const MARKER: &str = "TETRAD_SANDBOX_LAUNCHER";

/// How to start the launcher: a program that calls [`launch_if_requested`] first thing.
///
/// The harness never forks its own memory into the sandbox. The launcher is started by exec, with
/// an empty environment but for a marker, and is told the policy over a socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Launcher {
    /// Program to execute, on the host.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<String>,
}

impl Launcher {
    /// The running program, whose `main` must call [`launch_if_requested`] first.
    #[must_use]
    pub fn this_program() -> Launcher {
        Launcher { program: "/proc/self/exe".into(), args: vec![ARGUMENT.to_owned()] }
    }

    /// The running test binary, in which the test `test_name` calls [`launch_if_requested`].
    ///
    /// One test thread makes the test harness run the test on the main thread, where a process may
    /// change its namespaces.
    #[must_use]
    pub fn test_entry(test_name: &str) -> Launcher {
        let args = ["--exact", test_name, "--nocapture", "--test-threads=1"];
        Launcher { program: "/proc/self/exe".into(), args: args.map(str::to_owned).to_vec() }
    }
}

/// Becomes the launcher, and never returns, if this process was started as one.
///
/// Call it first thing in `main`, or as the body of the test named to [`Launcher::test_entry`].
pub fn launch_if_requested() {
    let asked = std::env::args_os().nth(1).is_some_and(|argument| argument == ARGUMENT);
    if asked || std::env::var_os(MARKER).is_some() {
        crate::linux::launch();
    }
}
