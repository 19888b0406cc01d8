//! The tensors of an archive: generators for weights, values for constants.

use std::collections::BTreeMap;
use std::io::{Read, Write};

use nn::weights::{File, Kind as Stored};

use super::{Kind, Zip};
use crate::graph::{Dtype, Tensor};
use crate::task::{Generator, Task};

/// Largest file of tensors in an archive.
const LARGEST: u64 = 4 << 30;

/// Fewer values say too little about their distribution.
const FEW: usize = 32;

/// Finds a generator for every parameter of the task.
pub(super) fn fill(
    task: &mut Task,
    archive: &mut Zip,
    origins: &BTreeMap<String, (Kind, String)>,
) -> Result<(), String> {
    let mut files: BTreeMap<&str, Option<File>> = BTreeMap::new();
    for tensor in task.graph.parameters.clone() {
        let name = &tensor.name;
        let (kind, origin) = origins.get(name).ok_or_else(|| format!("`{name}` is undeclared"))?;
        // Buffers that are not saved with the weights are with the constants.
        for member in ["serialized_state_dict.pt", "serialized_constants.pt"] {
            if !files.contains_key(member) {
                files.insert(member, open(archive, member)?);
            }
        }
        let found = files.values().flatten().find_map(|file| file.get(origin));
        let found = found.ok_or_else(|| format!("no values of `{origin}` that can be read"))?;
        if found.shape() != tensor.shape {
            return Err(format!("`{origin}` has another shape than `{name}`"));
        }
        let same = match found.kind() {
            Stored::F32 => tensor.dtype == Dtype::F32,
            Stored::F64 => tensor.dtype == Dtype::F64,
            Stored::I8 => tensor.dtype == Dtype::I8,
            Stored::U8 => tensor.dtype == Dtype::U8,
            _ => false,
        };
        if !same {
            return Err(format!("`{origin}` is of {}", found.kind().name()));
        }
        let statistics = origin.ends_with("running_mean") || origin.ends_with("running_var");
        let drawn = *kind == Kind::Parameter || *kind == Kind::Buffer && statistics;
        let generator = if drawn && tensor.dtype.is_float() && tensor.n_elements() > 0 {
            like(&tensor, origin, &found.to_vec())
        } else {
            task.stored.insert(name.clone(), found.bytes().to_vec());
            Generator::Stored
        };
        task.generators.insert(name.clone(), generator);
    }
    Ok(())
}

/// A file of tensors within the archive; `None` when it holds none.
fn open(archive: &mut Zip, member: &str) -> Result<Option<File>, String> {
    let Ok(inner) = archive.by_name(member) else { return Ok(None) };
    let failed = |error: std::io::Error| format!("`{member}`: {error}");
    let mut copy = tempfile::NamedTempFile::new().map_err(failed)?;
    let n = std::io::copy(&mut inner.take(LARGEST + 1), &mut copy).map_err(failed)?;
    if n > LARGEST {
        return Err(format!("`{member}` has more than {LARGEST} bytes"));
    }
    copy.flush().map_err(failed)?;
    match File::open(copy.path()) {
        Ok(file) => Ok(Some(file)),
        // An empty dictionary is as good as none.
        Err(error) if error.to_string().contains("no tensors") => Ok(None),
        Err(error) if error.to_string().contains("dictionary of tensors") => Ok(None),
        Err(nn::Error::Malformed { reason, .. }) => Err(format!("`{member}`: {reason}")),
        Err(error) => Err(format!("`{member}`: {error}")),
    }
}

/// How values like these are drawn.
fn like(tensor: &Tensor, origin: &str, values: &[f32]) -> Generator {
    if origin.ends_with("running_var") {
        return Generator::Uniform { low: 0.5, high: 1.5 };
    }
    let n = tensor.n_elements() as f64;
    let values = || values.iter().map(|value| f64::from(*value));
    let (low, high) =
        (values().fold(f64::INFINITY, f64::min), values().fold(f64::NEG_INFINITY, f64::max));
    let mean = values().sum::<f64>() / n;
    let moment = |power| values().map(|value| (value - mean).powi(power)).sum::<f64>() / n;
    let variance = moment(2);
    if low == high || !variance.is_finite() {
        // Weights of one value would let a kernel leave them out.
        let mean = if mean.is_finite() { mean } else { 0.0 };
        return Generator::Normal { mean, std: 0.1 * mean.abs().max(1.0) };
    }
    // Flatter than a Gaussian, whose kurtosis is 3; that of a uniform one is 1.8.
    if tensor.n_elements() >= FEW && moment(4) / (variance * variance) < 2.3 {
        return Generator::Uniform { low, high };
    }
    Generator::Normal { mean, std: variance.sqrt() }
}
