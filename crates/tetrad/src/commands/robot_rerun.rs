//! `--rerun` of `tetrad robot run` and `replay`: attempts in the rerun viewer.

#[cfg(feature = "rerun")]
pub(super) use robot::rerun::Follower;
#[cfg(feature = "rerun")]
use robot::rerun::Viewer;

/// A viewer by its address, or a file of its.
#[cfg(feature = "rerun")]
pub(super) fn open(to: &str) -> anyhow::Result<Viewer> {
    Ok(Viewer::open(to)?)
}

#[cfg(not(feature = "rerun"))]
pub(super) use without::{Follower, open};

#[cfg(not(feature = "rerun"))]
mod without {
    use std::path::PathBuf;

    /// There is none.
    pub(in super::super) enum Viewer {}

    /// There is none.
    pub(in super::super) enum Follower {}

    pub(in super::super) fn open(_: &str) -> anyhow::Result<Viewer> {
        Err(crate::exit::unavailable(
            "failed to reach a rerun viewer: this program was built without it",
            "build with `cargo build --release --features rerun`",
        ))
    }

    impl Follower {
        pub(in super::super) fn start(viewer: Viewer, _: PathBuf) -> robot::Result<Follower> {
            match viewer {}
        }

        pub(in super::super) fn finish(self) -> robot::Result<usize> {
            match self {}
        }
    }
}
