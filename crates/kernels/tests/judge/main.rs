//! The judge with real compilers, sandboxes and kernels, on tasks small enough to know by heart.

mod attacks;
mod cascade;
mod common;
mod cost;
mod faults;
mod oracle;
mod torch;

/// Not a test of its own: sandboxes start here.
#[test]
fn launcher_entry() {
    sandbox::launch_if_requested();
}
