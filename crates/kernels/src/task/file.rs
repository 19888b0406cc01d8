//! Tasks on disk: JSON that a diff can read, and a safetensors file beside it.

use std::path::Path;

use safetensors::SafeTensors;
use safetensors::tensor::TensorView;
use serde_json::Value;

use crate::Error;
use crate::graph::{Dtype, Tensor};
use crate::task::{Generator, Task, stored_name};

/// Largest JSON file.
const LARGEST_JSON: u64 = 64 << 20;

/// Largest file of stored tensors.
const LARGEST_TENSORS: u64 = 1 << 30;

/// Longest line that is not broken.
const LINE: usize = 100;

impl Task {
    /// Reads `NAME.json`, and `NAME.safetensors` when tensors are stored.
    ///
    /// # Errors
    /// If a file is missing, malformed or too large, or the task contradicts itself.
    pub fn load(path: &Path) -> Result<Task, Error> {
        let wrong = |reason: String| Error::Task { path: path.to_owned(), reason };
        let bytes = read(path, LARGEST_JSON)?;
        let mut task: Task =
            serde_json::from_slice(&bytes).map_err(|error| wrong(error.to_string()))?;
        if task.generators.values().any(|generator| *generator == Generator::Stored) {
            let beside = path.with_extension("safetensors");
            let wrong = |reason: String| Error::Task { path: beside.clone(), reason };
            let bytes = read(&beside, LARGEST_TENSORS)?;
            let file =
                SafeTensors::deserialize(&bytes).map_err(|error| wrong(error.to_string()))?;
            task.take_stored(&file).map_err(wrong)?;
        }
        task.check().map_err(wrong)?;
        Ok(task)
    }

    /// Writes it, whole or not at all.
    ///
    /// # Errors
    /// If it contradicts itself, or the file system refuses.
    pub fn save(&self, path: &Path) -> Result<(), Error> {
        let wrong = |reason: String| Error::Task { path: path.to_owned(), reason };
        self.check().map_err(wrong)?;
        if !self.stored.is_empty() {
            let mut views = Vec::new();
            for (tensor, name) in self.stored_tensors() {
                let Some(bytes) = self.stored.get(&name) else { continue };
                let view = TensorView::new(kind(tensor.dtype), tensor.shape.clone(), bytes);
                views.push((name, view.map_err(|error| wrong(error.to_string()))?));
            }
            let beside = path.with_extension("safetensors");
            let bytes = safetensors::serialize(views, None);
            write(&beside, &bytes.map_err(|error| wrong(error.to_string()))?)?;
        }
        let value = serde_json::to_value(self).map_err(|error| wrong(error.to_string()))?;
        let mut text = String::new();
        lay_out(&value, 0, &mut text);
        text.push('\n');
        write(path, text.as_bytes())
    }

    /// The tensors that may be stored, each once, with the names they have in the file.
    fn stored_tensors(&self) -> Vec<(&Tensor, String)> {
        let mut all: Vec<(&Tensor, String)> = Vec::new();
        let graphs = std::iter::once(&self.graph).chain(&self.variants);
        for tensor in graphs.flat_map(|graph| graph.given()) {
            if self.generators.get(&tensor.name) != Some(&Generator::Stored) {
                continue;
            }
            let own = self.graph.given().find(|own| own.name == tensor.name);
            let same = own.is_none_or(|own| own.shape == tensor.shape);
            let name = if same { tensor.name.clone() } else { stored_name(tensor) };
            if !all.iter().any(|(_, other)| *other == name) {
                all.push((tensor, name));
            }
        }
        all
    }

    fn take_stored(&mut self, file: &SafeTensors<'_>) -> Result<(), String> {
        let mut found = std::collections::BTreeMap::new();
        for (tensor, name) in self.stored_tensors() {
            let view = file.tensor(&name).map_err(|_| format!("`{name}` is missing"))?;
            if view.dtype() != kind(tensor.dtype) || view.shape() != tensor.shape {
                return Err(format!(
                    "`{name}`: expected {:?} of {:?}, got {:?} of {:?}",
                    tensor.dtype,
                    tensor.shape,
                    view.dtype(),
                    view.shape()
                ));
            }
            found.insert(name, view.data().to_vec());
        }
        self.stored = found;
        Ok(())
    }
}

fn kind(dtype: Dtype) -> safetensors::Dtype {
    match dtype {
        Dtype::F32 => safetensors::Dtype::F32,
        Dtype::F64 => safetensors::Dtype::F64,
        Dtype::I64 => safetensors::Dtype::I64,
        Dtype::I32 => safetensors::Dtype::I32,
        Dtype::I8 => safetensors::Dtype::I8,
        Dtype::U8 => safetensors::Dtype::U8,
        Dtype::Bool => safetensors::Dtype::BOOL,
    }
}

/// A file, if it is not larger than allowed.
pub(crate) fn read(path: &Path, most: u64) -> Result<Vec<u8>, Error> {
    let failed = |source| Error::File { action: "read task", path: path.to_owned(), source };
    let size = std::fs::metadata(path).map_err(failed)?.len();
    if size > most {
        let reason = format!("{size} bytes, more than {most}");
        return Err(Error::Task { path: path.to_owned(), reason });
    }
    std::fs::read(path).map_err(failed)
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let partial = path.with_extension("partial");
    let written = std::fs::write(&partial, bytes).and_then(|()| std::fs::rename(&partial, path));
    written.map_err(|source| Error::File { action: "write task", path: path.to_owned(), source })
}

/// JSON with an operation on a line, and no line for every extent of a shape.
fn lay_out(value: &Value, depth: usize, into: &mut String) {
    let compact = value.to_string();
    let operation = value.get("op").is_some();
    let (open, close, items): (char, char, Vec<(String, &Value)>) = match value {
        Value::Array(items) => ('[', ']', items.iter().map(|item| (String::new(), item)).collect()),
        Value::Object(map) => {
            let name = |name: &String| format!("{}: ", Value::String(name.clone()));
            ('{', '}', map.iter().map(|(key, item)| (name(key), item)).collect())
        }
        _ => return into.push_str(&compact),
    };
    if compact.len() <= LINE || operation || items.is_empty() {
        return into.push_str(&compact);
    }
    into.push(open);
    for (idx, (name, item)) in items.into_iter().enumerate() {
        into.push_str(if idx == 0 { "\n" } else { ",\n" });
        into.extend(std::iter::repeat_n(' ', depth + 1));
        into.push_str(&name);
        lay_out(item, depth + 1, into);
    }
    into.push('\n');
    into.extend(std::iter::repeat_n(' ', depth));
    into.push(close);
}
