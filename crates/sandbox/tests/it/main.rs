//! The sandbox, attacked and used from outside.

mod common;
mod smoke;

/// Not a test of its own: the process that becomes a sandbox starts here.
#[test]
fn launcher_entry() {
    sandbox::launch_if_requested();
}
