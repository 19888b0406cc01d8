//! Open models that `nn` reads.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use nn::backbone::Backbone as Model;

use crate::error::{Error, Result, expect_length};
use crate::interface::Camera;
use crate::model::config::Borrowed;

/// Changes with how features are made, so that those of before are made again.
const VERSION: &str = "1";

/// An open model from its folder. Clones share it, and wait for each other.
#[derive(Debug, Clone)]
pub struct Backbone {
    shape: Borrowed,
    digest: Arc<str>,
    model: Arc<Mutex<Model>>,
}

impl Backbone {
    /// Whether this program was built with open models: it was.
    ///
    /// # Errors
    /// None here.
    pub fn expect_built() -> Result<()> {
        Ok(())
    }

    /// Reads a model from a folder.
    ///
    /// # Errors
    /// If a file is missing or broken, or the model is none that is read here.
    pub fn open(folder: &Path) -> Result<Backbone> {
        let model = Model::open(folder).map_err(|error| failed(&error))?;
        let shape = Borrowed { model: model.model_type().to_owned(), features: model.n_features() };
        let digest = digest(&model)?.into();
        Ok(Backbone { shape, digest, model: Arc::new(Mutex::new(model)) })
    }

    /// What a policy says of the model that it borrows from.
    #[must_use]
    pub fn shape(&self) -> &Borrowed {
        &self.shape
    }

    /// SHA-256 of its files, of large ones in samples.
    pub(super) fn digest(&self) -> &str {
        &self.digest
    }

    /// Features of a camera's picture, `[H, W, 3]` bytes, and a text, scaled to a mean square of 1.
    ///
    /// # Errors
    /// If the picture is of another size, the text is too long, or what comes out is not finite.
    pub fn features(&self, camera: &Camera, picture: &[u8], text: &str) -> Result<Vec<f32>> {
        expect_length(&camera.name, picture.len(), camera.bytes())?;
        let mut features = vec![0.0; self.shape.features];
        let mut model = self.model.lock().unwrap_or_else(PoisonError::into_inner);
        let made = model.features(picture, [camera.height, camera.width], text, &mut features);
        made.map_err(|error| failed(&error))?;
        // Models differ in size of their features by orders of magnitude; S2's first weights do not know.
        let square = features.iter().map(|value| value * value).sum::<f32>();
        let scale = 1.0 / (square / features.len() as f32 + f32::MIN_POSITIVE).sqrt();
        features.iter_mut().for_each(|value| *value *= scale);
        if features.iter().all(|value| value.is_finite()) {
            return Ok(features);
        }
        Err(Error::NotFinite { what: "the features of the backbone" })
    }
}

fn failed(error: &nn::Error) -> Error {
    Error::Backbone { reason: error.to_string() }
}

/// Of all files: names, sizes, and up to 64 stretches of 64 KiB of each.
fn digest(model: &Model) -> Result<String> {
    const STRETCH: u64 = 64 << 10;
    const STRETCHES: u64 = 64;
    let mut all = VERSION.as_bytes().to_vec();
    for path in model.files() {
        let failed = |source| Error::file(path, source);
        let file = File::open(path).map_err(failed)?;
        let size = file.metadata().map_err(failed)?.len();
        all.extend(path.file_name().unwrap_or_default().as_encoded_bytes());
        all.extend(size.to_le_bytes());
        let n = size.div_ceil(STRETCH).min(STRETCHES);
        for at in 0..n {
            // Evenly, the first at the beginning and the last at the end.
            let last = size.saturating_sub(STRETCH);
            let from = if n > 1 { last / (n - 1) * at } else { 0 };
            let from = if at + 1 == n { last } else { from };
            let mut stretch = vec![0; STRETCH.min(size - from) as usize];
            file.read_exact_at(&mut stretch, from).map_err(failed)?;
            all.extend(stretch);
        }
    }
    Ok(runs::sha256(&all))
}
