//! Files of named tensors: safetensors, and PyTorch's `.pt`, whole or in parts.
//!
//! Files are mapped, not read: a tensor costs memory when it is used. Nothing in a file is executed,
//! and what a file claims is checked against its size before it is believed.

mod map;
mod pickle;
mod torch;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::Write;
use std::ops::Range;
use std::path::{Path, PathBuf};

use half::{bf16, f16};
use safetensors::tensor::Metadata;
use safetensors::{Dtype, View};

use crate::error::Error;
use map::Bytes;

/// Largest header of safetensors, as their format has it.
const LARGEST_HEADER: usize = 100_000_000;

/// How numbers are stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// 64-bit floats.
    F64,
    /// 32-bit floats.
    F32,
    /// bfloat16.
    Bf16,
    /// IEEE half.
    F16,
    /// Signed bytes.
    I8,
    /// Unsigned bytes.
    U8,
    /// Something that is not read as numbers here, by its name in the file.
    Other(String),
}

impl Kind {
    /// Bytes of one number; 0 if unknown.
    fn size_bytes(&self) -> usize {
        match self {
            Kind::F64 => 8,
            Kind::F32 => 4,
            Kind::Bf16 | Kind::F16 => 2,
            Kind::I8 | Kind::U8 => 1,
            Kind::Other(_) => 0,
        }
    }

    /// Its name: `f32`, `bf16`, ….
    pub fn name(&self) -> &str {
        match self {
            Kind::F64 => "f64",
            Kind::F32 => "f32",
            Kind::Bf16 => "bf16",
            Kind::F16 => "f16",
            Kind::I8 => "i8",
            Kind::U8 => "u8",
            Kind::Other(name) => name,
        }
    }

    fn dtype(&self) -> Dtype {
        match self {
            Kind::F64 => Dtype::F64,
            Kind::F32 => Dtype::F32,
            Kind::Bf16 => Dtype::BF16,
            Kind::F16 => Dtype::F16,
            Kind::I8 => Dtype::I8,
            Kind::U8 | Kind::Other(_) => Dtype::U8,
        }
    }
}

/// Where a tensor lies in a file.
#[derive(Debug, Clone)]
struct Entry {
    kind: Kind,
    shape: Vec<usize>,
    range: Range<usize>,
}

/// An open file of tensors.
#[derive(Debug)]
pub struct File {
    path: PathBuf,
    bytes: Bytes,
    entries: BTreeMap<String, Entry>,
    metadata: BTreeMap<String, String>,
}

/// One tensor of a file.
#[derive(Debug, Clone)]
pub struct Tensor<'a> {
    path: &'a Path,
    name: &'a str,
    kind: &'a Kind,
    shape: &'a [usize],
    bytes: Cow<'a, [u8]>,
}

impl File {
    /// Opens a file by what it begins with: safetensors or a `.pt` archive. For the latter also
    /// `NAME.part0`, `NAME.part1`, … when `NAME` itself is not there, or the first part is named.
    ///
    /// # Errors
    /// If it cannot be read, or is neither.
    pub fn open(path: &Path) -> Result<File, Error> {
        File::read(path, Bytes::open(path)?)
    }

    /// Weights that are part of the program, under a name for errors.
    ///
    /// # Errors
    /// If they are neither.
    pub fn built(name: &str, bytes: &'static [u8]) -> Result<File, Error> {
        File::read(Path::new(name), Bytes::built(bytes))
    }

    fn read(path: &Path, bytes: Bytes) -> Result<File, Error> {
        let archive = bytes.get(0..bytes.len().min(4)).starts_with(b"PK\x03\x04");
        let mut file = File {
            path: path.to_owned(),
            bytes,
            entries: BTreeMap::new(),
            metadata: BTreeMap::new(),
        };
        if archive {
            file.entries = torch::entries(&file.bytes).map_err(|reason| file.malformed(reason))?;
        } else {
            file.read_safetensors()?;
        }
        Ok(file)
    }

    fn malformed(&self, reason: String) -> Error {
        Error::Malformed { path: self.path.clone(), reason }
    }

    /// Only the header is looked at here, and nothing in it is believed that the size of the file
    /// contradicts.
    fn read_safetensors(&mut self) -> Result<(), Error> {
        let neither = |why: &dyn std::fmt::Display| {
            self.malformed(format!("neither a PyTorch archive nor safetensors ({why})"))
        };
        let len = self.bytes.len();
        let first = self.bytes.get(0..len.min(8));
        let first = first.first_chunk().ok_or_else(|| neither(&"less than 8 bytes"))?;
        let size = usize::try_from(u64::from_le_bytes(*first)).unwrap_or(usize::MAX);
        if size > LARGEST_HEADER || size > len - 8 {
            return Err(neither(&format_args!("a header of {size} bytes in a file of {len}")));
        }
        let start = 8 + size;
        // Reading it checks that tensors follow each other without gaps and are as long as their
        // shapes say.
        let header: Result<Metadata, _> = serde_json::from_slice(&self.bytes.get(8..start));
        let header = header.map_err(|error| neither(&error))?;
        if header.data_len().checked_add(start) != Some(len) {
            let n = header.data_len();
            let reason = format!("{n} bytes of tensors after {start} in a file of {len}");
            return Err(self.malformed(reason));
        }
        let mut entries = BTreeMap::new();
        let tensors: BTreeMap<_, _> = header.tensors().into_iter().collect();
        for (name, info) in tensors {
            let kind = match info.dtype {
                Dtype::F64 => Kind::F64,
                Dtype::F32 => Kind::F32,
                Dtype::BF16 => Kind::Bf16,
                Dtype::F16 => Kind::F16,
                Dtype::I8 => Kind::I8,
                Dtype::U8 => Kind::U8,
                other => Kind::Other(format!("{other:?}").to_lowercase()),
            };
            let range = start + info.data_offsets.0..start + info.data_offsets.1;
            entries.insert(name, Entry { kind, shape: info.shape.clone(), range });
        }
        let metadata = header.metadata().clone().unwrap_or_default();
        self.metadata = metadata.into_iter().collect();
        self.entries = entries;
        Ok(())
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Free text about the tensors; empty for `.pt`.
    pub fn metadata(&self) -> &BTreeMap<String, String> {
        &self.metadata
    }

    /// Names, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    /// A tensor, if it is there.
    pub fn get(&self, name: &str) -> Option<Tensor<'_>> {
        let (name, entry) = self.entries.get_key_value(name)?;
        let bytes = self.bytes.get(entry.range.clone());
        Some(Tensor { path: &self.path, name, kind: &entry.kind, shape: &entry.shape, bytes })
    }

    /// A tensor of a shape.
    ///
    /// # Errors
    /// If it is missing, of another shape, or not of numbers that are read here.
    pub fn tensor(&self, name: &str, shape: &[usize]) -> Result<Tensor<'_>, Error> {
        let tensor = self
            .get(name)
            .ok_or_else(|| Error::Missing { path: self.path.clone(), name: name.to_owned() })?;
        if tensor.shape != shape {
            return Err(Error::Shape {
                path: self.path.clone(),
                name: name.to_owned(),
                expected: shape.to_vec(),
                got: tensor.shape.to_vec(),
            });
        }
        if matches!(tensor.kind, Kind::Other(_) | Kind::I8 | Kind::U8) {
            return Err(Error::Kind {
                path: self.path.clone(),
                name: name.to_owned(),
                expected: "f64, f32, bf16 or f16",
                got: tensor.kind.name().to_owned(),
            });
        }
        Ok(tensor)
    }
}

impl Tensor<'_> {
    /// Its name.
    pub fn name(&self) -> &str {
        self.name
    }

    /// Its shape.
    pub fn shape(&self) -> &[usize] {
        self.shape
    }

    /// How its numbers are stored.
    pub fn kind(&self) -> &Kind {
        self.kind
    }

    /// Its bytes, little-endian.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Copies numbers from `first` on, in row-major order.
    ///
    /// # Panics
    /// If there are fewer, or they are not floats.
    pub fn read(&self, first: usize, into: &mut [f32]) {
        let size = self.kind.size_bytes();
        let bytes = &self.bytes[first * size..(first + into.len()) * size];
        match self.kind {
            Kind::F64 => {
                for (to, at) in into.iter_mut().zip(bytes.as_chunks().0) {
                    *to = f64::from_le_bytes(*at) as f32;
                }
            }
            Kind::F32 => {
                for (to, at) in into.iter_mut().zip(bytes.as_chunks().0) {
                    *to = f32::from_le_bytes(*at);
                }
            }
            Kind::Bf16 => {
                for (to, at) in into.iter_mut().zip(bytes.as_chunks().0) {
                    *to = bf16::from_le_bytes(*at).to_f32();
                }
            }
            Kind::F16 => {
                for (to, at) in into.iter_mut().zip(bytes.as_chunks().0) {
                    *to = f16::from_le_bytes(*at).to_f32();
                }
            }
            Kind::I8 | Kind::U8 | Kind::Other(_) => panic!("`{}` is not of floats", self.name),
        }
    }

    /// All numbers, in row-major order.
    ///
    /// # Panics
    /// If they are not floats.
    pub fn to_vec(&self) -> Vec<f32> {
        let mut all = vec![0.0; self.shape.iter().product()];
        self.read(0, &mut all);
        all
    }

    /// Checks that every number is finite.
    ///
    /// # Errors
    /// Names the first that is not.
    pub fn check_finite(&self) -> Result<(), Error> {
        let mut part = [0.0; 4096];
        let n: usize = self.shape.iter().product();
        let mut first = 0;
        while first < n {
            let part = &mut part[..4096.min(n - first)];
            self.read(first, part);
            if let Some(idx) = part.iter().position(|value| !value.is_finite()) {
                return Err(Error::NotFinite {
                    path: self.path.to_owned(),
                    name: self.name.to_owned(),
                    idx: first + idx,
                    value: part[idx],
                });
            }
            first += part.len();
        }
        Ok(())
    }
}

impl View for Tensor<'_> {
    fn dtype(&self) -> Dtype {
        self.kind.dtype()
    }

    fn shape(&self) -> &[usize] {
        self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(&self.bytes)
    }

    fn data_len(&self) -> usize {
        self.bytes.len()
    }
}

/// A tensor to be written.
#[derive(Debug, Clone)]
pub struct NewTensor {
    /// Shape.
    pub shape: Vec<usize>,
    /// How `bytes` hold it.
    pub kind: Kind,
    /// Little-endian numbers.
    pub bytes: Vec<u8>,
}

impl NewTensor {
    /// Of floats.
    pub fn f32(shape: &[usize], values: &[f32]) -> NewTensor {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        NewTensor { shape: shape.to_vec(), kind: Kind::F32, bytes }
    }

    /// Of floats rounded to bfloat16.
    pub fn bf16(shape: &[usize], values: &[f32]) -> NewTensor {
        let bytes = values.iter().flat_map(|value| bf16::from_f32(*value).to_le_bytes()).collect();
        NewTensor { shape: shape.to_vec(), kind: Kind::Bf16, bytes }
    }
}

impl View for &NewTensor {
    fn dtype(&self) -> Dtype {
        self.kind.dtype()
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(&self.bytes)
    }

    fn data_len(&self) -> usize {
        self.bytes.len()
    }
}

/// Writes tensors as safetensors: whole, or not at all.
///
/// # Errors
/// If the file system refuses.
pub fn write<V: View, S: AsRef<str> + Ord + std::fmt::Display>(
    path: &Path,
    tensors: impl IntoIterator<Item = (S, V)>,
    metadata: BTreeMap<String, String>,
) -> Result<(), Error> {
    let failed = |action, source| Error::File { action, path: path.to_owned(), source };
    let partial = path.with_extension("partial");
    let metadata = (!metadata.is_empty()).then(|| metadata.into_iter().collect());
    safetensors::serialize_to_file(tensors, metadata, &partial)
        .map_err(|error| failed("write weights", std::io::Error::other(error)))?;
    let synced = std::fs::OpenOptions::new()
        .append(true)
        .open(&partial)
        .and_then(|mut file| file.flush().and_then(|()| file.sync_all()))
        .and_then(|()| std::fs::rename(&partial, path));
    synced.map_err(|source| failed("write weights", source))
}
