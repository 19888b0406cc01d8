//! The sandbox, attacked and used from outside.

mod attacks;
mod common;
mod evidence;
mod lifetime;
mod limits;
mod watched;

/// Not a test of its own: the process that becomes a sandbox starts here, and so does the harness
/// that other tests kill.
#[test]
fn launcher_entry() {
    sandbox::launch_if_requested();
    lifetime::act();
}
