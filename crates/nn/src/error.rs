//! What can be wrong with a file of weights, or on a device.

use std::path::PathBuf;

/// Why weights could not be read or written, or an operation not be done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file system refused.
    #[error("failed to {action}: {source}: {}", path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not what its name says.
    #[error("failed to read weights: {reason}: {}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A tensor is not there.
    #[error("failed to load weights: no tensor `{name}`: {}", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
        /// Its name.
        name: String,
    },
    /// A tensor has another shape than the model.
    #[error(
        "failed to load weights: shape mismatch in `{name}`: expected {expected:?}, got {got:?}: {}",
        path.display()
    )]
    Shape {
        /// The file.
        path: PathBuf,
        /// The tensor.
        name: String,
        /// What the model needs.
        expected: Vec<usize>,
        /// What the file has.
        got: Vec<usize>,
    },
    /// A tensor holds numbers of a kind that is not read here.
    #[error("failed to load weights: `{name}` is {got}, not {expected}: {}", path.display())]
    Kind {
        /// The file.
        path: PathBuf,
        /// The tensor.
        name: String,
        /// What is read.
        expected: &'static str,
        /// What it is.
        got: String,
    },
    /// A tensor holds a NaN or an infinity.
    #[error("failed to load weights: `{name}` holds {value} at {idx}: {}", path.display())]
    NotFinite {
        /// The file.
        path: PathBuf,
        /// The tensor.
        name: String,
        /// Where, counted from 0 in row-major order.
        idx: usize,
        /// What.
        value: f32,
    },
    /// A folder does not hold an open model that is read here, or a model cannot be run so.
    #[error("failed to read model: {reason}: {}", path.display())]
    Backbone {
        /// The folder, or the file of it that is wrong.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// An operation on a device failed: shapes do not fit, or the device does not work or has no room.
    #[error("failed to compute: {reason}")]
    Device {
        /// What candle says.
        reason: String,
    },
    /// No instructions have the name that the environment gives.
    #[error("`{}` names no instructions: `{name}`", crate::cpu::LIMIT)]
    Limit {
        /// The name.
        name: String,
    },
}
