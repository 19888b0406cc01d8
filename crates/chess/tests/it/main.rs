//! Runs of real sandboxed games, with a scripted model and no chess engine: what is tested is the
//! harness, from the first command to the folder on disk. Games of chess are played by the tests of
//! the `tetrad` binary, which holds the embedded engine.

mod resume;
mod stored;
mod support;

/// Where the test binary turns into a sandbox's first process; an ordinary test otherwise.
#[test]
fn launcher_entry() {
    sandbox::launch_if_requested();
}
