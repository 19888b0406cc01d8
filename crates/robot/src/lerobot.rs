//! LeRobot datasets (format v3.0): ours for others, others' for training here.
//!
//! [`export`] writes recorded episodes as a dataset that `lerobot` opens, [`Recorder`] those of any other robot;
//! [`Dataset`] gives a dataset to training, as [`crate::train::Episodes`].
//!
//! **Time.** Ours is ticks of 5 ms with a picture every sixth; a dataset has rows at `fps`, each with a
//! picture of every camera. An export has a row for every picture, so `fps` is 200 / 6; `observation.state`
//! and `action` are those of the picture's tick, and the five ticks after it would be lost. They go
//! beside, into `tetrad.ticks.state` and `tetrad.ticks.action` (six one after another; the last one of an
//! episode is repeated), with `tetrad.ticks.n`, how many of the six there were, and
//! `tetrad.ticks.marks`, what a simulated world tells training alone. Policies of
//! `lerobot` leave these out, for their names begin with neither `observation` nor `action`. Pictures are
//! PNG in the rows, so nothing is lost of them.
//!
//! Read back, such ticks are taken as they are. Of another dataset, a tick has the last picture that is
//! not after it, and state and action on the line between two rows (or, with [`Mapping::hold`], of the
//! row before). What a row lacks is added: the share of the task that is done, as the last value of an
//! action, from 0 to 1 along the rows with one instruction.

mod dataset;
mod export;
mod info;
mod mapping;
mod meta;
mod rows;
mod sheet;
mod store;
mod summary;
mod table;
#[cfg(test)]
mod tests;
mod video;

use std::path::Path;

pub use dataset::{Dataset, Source};
pub use export::{ExportConfig, Exported, RecordConfig, Recorded, Recorder, Rows, export};
pub use info::{Feature, Info};
pub use mapping::{CameraMapping, Mapping};

use crate::error::Error;

/// Feature with the states of all ticks of a row.
const TICKS_STATE: &str = "tetrad.ticks.state";
/// Feature with the actions of all ticks of a row.
const TICKS_ACTION: &str = "tetrad.ticks.action";
/// Feature with what all ticks of a row are about.
const TICKS_MARKS: &str = "tetrad.ticks.marks";
/// Feature with the number of ticks of a row.
const TICKS_N: &str = "tetrad.ticks.n";
/// Name of an action's last value where that is the completed share.
const COMPLETED: &str = "completed";

/// Whether a folder is a LeRobot dataset, of whatever version.
#[must_use]
pub fn is_dataset(folder: &Path) -> bool {
    folder.join("meta/info.json").exists()
}

/// A file of a dataset is not what it should be.
fn wrong(path: &Path, what: impl Into<String>) -> Error {
    Error::Dataset { path: path.to_path_buf(), what: what.into() }
}

/// A whole number, not negative.
fn whole(value: f64) -> Option<usize> {
    // Whole numbers beyond 2^53 are not told apart, and no dataset has them.
    let is_whole = value >= 0.0 && value.fract() == 0.0 && value < 9e15;
    is_whole.then_some(value as usize)
}
