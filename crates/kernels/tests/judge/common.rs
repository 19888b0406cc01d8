//! Judges for tasks of the zoo, and kernels for them.

use kernels::Candidate;
use kernels::judge::{Judge, Options};
use kernels::zoo::{self, ZooTask};
use sandbox::Launcher;

/// Few blocks, short limits.
pub(crate) fn options() -> Options {
    let mut options = Options::new(Launcher::test_entry("launcher_entry"), 7);
    options.n_blocks = 2;
    options.call_limit = std::time::Duration::from_secs(1);
    options
}

pub(crate) fn judge(task: ZooTask) -> Judge {
    Judge::open(Box::new(task), &zoo::base(task), options())
        .unwrap_or_else(|error| panic!("{error}"))
}

/// A kernel for a task of the zoo, with the zoo's prelude before it.
pub(crate) fn kernel(task: ZooTask, text: &str) -> Candidate {
    zoo::kernel(task, 0, text)
}
