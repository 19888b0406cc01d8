//! What `torch.save` writes: a ZIP archive of a pickled dictionary and one file per storage.

use std::collections::BTreeMap;
use std::io::Read;

use zip::{CompressionMethod, ZipArchive};

use super::map::{Bytes, Reader};
use super::pickle::{self, Storage, Value};
use super::{Entry, Kind};

/// Largest pickle that is read: those of the 40B models are below 1 MB. A byte may make a value of
/// some hundred bytes.
const LARGEST_PICKLE: u64 = 8 << 20;

/// Where the tensors of an archive lie.
pub(super) fn entries(bytes: &Bytes) -> Result<BTreeMap<String, Entry>, String> {
    let broken = |error: &dyn std::fmt::Display| format!("a damaged PyTorch archive ({error})");
    let reader = Reader { bytes, at: 0 };
    let mut archive = ZipArchive::new(reader).map_err(|error| broken(&error))?;
    let mut files = BTreeMap::new();
    let mut pickles = Vec::new();
    for idx in 0..archive.len() {
        let file = archive.by_index_raw(idx).map_err(|error| broken(&error))?;
        let name = file.name().map_err(|error| broken(&error))?.into_owned();
        if name.ends_with("/data.pkl") {
            pickles.push((idx, file.size()));
        }
        let start = file.data_start().unwrap_or(u64::MAX);
        let (start, size) = (usize::try_from(start), usize::try_from(file.size()));
        if let (Ok(start), Ok(size)) = (start, size)
            && file.compression() == CompressionMethod::Stored
            && start.checked_add(size).is_some_and(|end| end <= bytes.len())
            && let Some((_, key)) = name.rsplit_once("/data/")
        {
            let other = files.insert(key.to_owned(), start..start + size);
            if other.is_some() {
                return Err(format!("two storages `{key}`"));
            }
        }
    }
    let [(idx, size)] = pickles[..] else {
        return Err(format!("{} pickles in the archive, not one", pickles.len()));
    };
    if size > LARGEST_PICKLE {
        return Err(format!("a pickle of {size} bytes"));
    }
    let mut pickled = Vec::new();
    let file = archive.by_index(idx).map_err(|error| broken(&error))?;
    file.take(LARGEST_PICKLE).read_to_end(&mut pickled).map_err(|error| broken(&error))?;
    let root = pickle::parse(&pickled)?;
    let mut entries = BTreeMap::new();
    for (name, value) in tensors(&root)? {
        let Value::Tensor(tensor) = value else { continue };
        let Storage { kind, key } = &*tensor.storage;
        let file = files.get(&**key).ok_or_else(|| format!("no storage for `{name}`"))?;
        let n = tensor.shape.iter().try_fold(1_usize, |n, size| n.checked_mul(*size));
        let n = n.ok_or_else(|| format!("`{name}` has an impossible shape"))?;
        let mut stride = 1;
        for (size, got) in tensor.shape.iter().zip(&tensor.strides).rev() {
            if *size > 1 && *got != stride {
                return Err(format!("`{name}` is not contiguous"));
            }
            // Only where another size is 0 can this be more than `n`.
            stride = stride.saturating_mul(*size);
        }
        let size = kind.size_bytes();
        let range = tensor.offset.checked_mul(size).and_then(|from| {
            let start = file.start.checked_add(from)?;
            Some(start..start.checked_add(n.checked_mul(size)?)?)
        });
        let range = range.filter(|range| range.end <= file.end);
        let range = range.ok_or_else(|| format!("`{name}` reaches beyond its storage"))?;
        if let Kind::Other(_) = kind {
            continue;
        }
        let entry = Entry { kind: kind.clone(), shape: tensor.shape.clone(), range };
        if entries.insert(name.clone(), entry).is_some() {
            return Err(format!("two tensors `{name}`"));
        }
    }
    if entries.is_empty() {
        return Err("no tensors in the archive".to_owned());
    }
    Ok(entries)
}

/// The dictionary of tensors: the root, or what the root has under a usual name.
fn tensors(root: &Value) -> Result<Vec<(String, Value)>, String> {
    let named = |value: &Value| -> Option<Vec<(String, Value)>> {
        let Value::Dict(dict) = value else { return None };
        let pairs = dict.borrow();
        let text = pairs.iter().filter_map(|(key, value)| match key {
            Value::Text(key) => Some((key.to_string(), value.clone())),
            _ => None,
        });
        Some(text.collect())
    };
    let all = named(root).ok_or("the archive does not hold a dictionary of tensors")?;
    if all.iter().any(|(_, value)| matches!(value, Value::Tensor(_))) {
        return Ok(all);
    }
    let inner = all.iter().find(|(name, _)| ["state_dict", "module", "model"].contains(&&**name));
    inner
        .and_then(|(_, value)| named(value))
        .ok_or_else(|| "the archive does not hold a dictionary of tensors".to_owned())
}
