//! An open model that S2 borrows features from, and features that were already made with one.
//!
//! The model is frozen: it is run as it was published, and nothing of it is learned or saved with a policy.
//! What is learned is the product that brings its features to a token of S2 (`s2.borrowed`).

#[cfg(feature = "backbones")]
mod open;
#[cfg(not(feature = "backbones"))]
mod without;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Seek, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::config::Borrowed;
use crate::error::{Error, Result};
use crate::interface::Camera;

#[cfg(feature = "backbones")]
pub use open::Backbone;
#[cfg(not(feature = "backbones"))]
pub use without::Backbone;

/// A policy borrows, and nothing was lent to it.
pub(crate) fn not_lent(borrowed: &Borrowed) -> Error {
    let Borrowed { model, features } = borrowed;
    Error::Backbone {
        reason: format!(
            "the policy has learned with a `{model}` of {features} features, and none is given"
        ),
    }
}

/// Characters of a key, SHA-256 in hexadecimal.
const KEY: usize = 64;

/// A model for training: what it made of a picture and a text is kept in a file, so that each is seen once
/// in all runs on the same data.
///
/// A record is a key, the features as little-endian f32, and a sum of these as a u64. Keys are made of the
/// picture's and the text's own bytes, so that episodes may be added, removed or renamed; the file's name
/// is made of the model's.
#[derive(Debug)]
pub struct Lender {
    backbone: Backbone,
    path: PathBuf,
    kept: Mutex<Kept>,
}

#[derive(Debug)]
struct Kept {
    file: File,
    /// Where each record begins, in bytes.
    places: BTreeMap<String, u64>,
}

impl Lender {
    /// Keeps features in a folder, and knows those that are there.
    ///
    /// # Errors
    /// If the file system refuses.
    pub fn new(backbone: Backbone, folder: &Path) -> Result<Lender> {
        let path = folder.join(format!("features-{}.bin", &backbone.digest()[..16]));
        let failed = |source| Error::file(&path, source);
        let mut options = File::options();
        let mut file = options.read(true).append(true).create(true).open(&path).map_err(failed)?;
        let size = record_bytes(&backbone) as u64;
        let n = file.metadata().map_err(failed)?.len() / size;
        // What was being written when a run was killed is made again.
        file.set_len(n * size).map_err(failed)?;
        file.rewind().map_err(failed)?;
        let mut places = BTreeMap::new();
        let mut key = [0; KEY];
        for place in (0..n).map(|at| at * size) {
            file.read_exact_at(&mut key, place).map_err(failed)?;
            places.insert(String::from_utf8_lossy(&key).into_owned(), place);
        }
        Ok(Lender { backbone, kept: Mutex::new(Kept { file, places }), path })
    }

    /// The model.
    #[must_use]
    pub fn backbone(&self) -> &Backbone {
        &self.backbone
    }

    /// As [`Backbone::features`], made or remembered.
    ///
    /// # Errors
    /// As there, or if the file system refuses.
    pub fn features(&self, camera: &Camera, picture: &[u8], text: &str) -> Result<Vec<f32>> {
        let sizes = [camera.width, camera.height, text.len()].map(|size| size as u64);
        let mut bytes: Vec<u8> = sizes.into_iter().flat_map(u64::to_le_bytes).collect();
        bytes.extend_from_slice(text.as_bytes());
        bytes.extend_from_slice(picture);
        let key = runs::sha256(&bytes);
        if let Some(features) = self.find(&key)? {
            return Ok(features);
        }
        let features = self.backbone.features(camera, picture, text)?;
        self.keep(key, &features)?;
        Ok(features)
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn find(&self, key: &str) -> Result<Option<Vec<f32>>> {
        let kept = self.kept();
        let Some(&place) = kept.places.get(key) else { return Ok(None) };
        let mut record = vec![0; record_bytes(&self.backbone)];
        let read = kept.file.read_exact_at(&mut record, place);
        read.map_err(|source| Error::file(&self.path, source))?;
        let (values, sum) = record[KEY..].split_at(record.len() - KEY - 8);
        // A record that was not written whole is made again.
        if !record.starts_with(key.as_bytes()) || sum != sum_of(values).to_le_bytes() {
            return Ok(None);
        }
        Ok(Some(values.as_chunks().0.iter().map(|value| f32::from_le_bytes(*value)).collect()))
    }

    fn keep(&self, key: String, features: &[f32]) -> Result<()> {
        let values: Vec<u8> = features.iter().flat_map(|value| value.to_le_bytes()).collect();
        let record = [key.as_bytes(), &values, &sum_of(&values).to_le_bytes()].concat();
        let mut kept = self.kept();
        let failed = |source| Error::file(&self.path, source);
        // Another run may have written meanwhile: the end is where it is after this.
        kept.file.write_all(&record).map_err(failed)?;
        let end = kept.file.stream_position().map_err(failed)?;
        kept.places.insert(key, end - record.len() as u64);
        Ok(())
    }
}

fn record_bytes(backbone: &Backbone) -> usize {
    KEY + 4 * backbone.shape().features + 8
}

/// FNV-1a: against halves of records, not against malice.
fn sum_of(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |sum, byte| {
        (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
