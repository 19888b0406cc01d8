//! Open vision-language models as they are published, through candle: a picture and a text to a vector.
//!
//! A [`Backbone`] is read from a folder with `config.json`, `tokenizer.json` and weights as safetensors,
//! whole or in parts. It is run, never trained. Numbers are f32; the same folder, picture and text give
//! the same bits on the same machine. Nothing of candle shows in this interface.
//!
//! | `model_type` | features |
//! |---|---|
//! | `clip`, `siglip` | the picture's embedding and the text's, each of length 1, side by side |
//! | `paligemma` | the mean over the picture's last hidden states, then the last one of the text |
//! | `llava` | the last hidden state of the text, which comes after the picture |
//!
//! In PaliGemma all positions see each other, so those of the picture hold what is where in the light of
//! the text, and the last one is what an answer would be begun from. In LLaVA positions see only what comes
//! before them: its last one alone has seen both.

mod clip;
mod files;
mod llava;
mod paligemma;
mod picture;
mod siglip;
mod source;
mod words;

use std::path::{Path, PathBuf};

use candle_core::Tensor;

use crate::device::one_line;
use crate::error::Error;
use files::Files;
use picture::Lens;

/// What reads each `model_type`.
const SUPPORTED: [(&str, Opener); 4] = [
    ("clip", clip::open),
    ("llava", llava::open),
    ("paligemma", paligemma::open),
    ("siglip", siglip::open),
];

type Opener = fn(&Files) -> Result<(Lens, Box<dyn Model>), Error>;

/// What the models have in common.
trait Model: Send {
    /// Numbers of a vector of features.
    fn n_features(&self) -> usize;

    /// Features of a picture, `[1, 3, H, W]` as its [`Lens`] makes it, and a text.
    fn features(&mut self, picture: &Tensor, text: &str) -> Result<Vec<f32>, Failure>;
}

/// Why a model gives no features.
enum Failure {
    /// In candle.
    Candle(candle_core::Error),
    /// The text is of no use to it.
    Text(String),
}

impl From<candle_core::Error> for Failure {
    fn from(error: candle_core::Error) -> Failure {
        Failure::Candle(error)
    }
}

/// An open model that turns a picture and a text into a vector.
pub struct Backbone {
    folder: PathBuf,
    model_type: String,
    files: Vec<PathBuf>,
    lens: Lens,
    model: Box<dyn Model>,
}

impl std::fmt::Debug for Backbone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut all = f.debug_struct("Backbone");
        all.field("folder", &self.folder).field("model_type", &self.model_type);
        all.finish_non_exhaustive()
    }
}

impl Backbone {
    /// The kinds of models that are read here, as `model_type` in `config.json` has them.
    pub fn supported() -> impl Iterator<Item = &'static str> {
        SUPPORTED.iter().map(|(name, _)| *name)
    }

    /// Reads a model from a folder. Its weights are held in memory as f32: 4 bytes each.
    ///
    /// # Errors
    /// If a file is missing or broken, a tensor is missing, of another shape or not finite, or the model
    /// is none that is read here.
    pub fn open(folder: &Path) -> Result<Backbone, Error> {
        let files = Files::open(folder)?;
        let model_type = files.model_type()?.to_owned();
        let found = SUPPORTED.iter().find(|(name, _)| *name == model_type);
        let (_, open) = found.ok_or_else(|| {
            let known: Vec<&str> = Backbone::supported().collect();
            files.wrong(format!(
                "a model of type `{model_type}` is not supported; these are: {}",
                known.join(", ")
            ))
        })?;
        let (lens, model) = open(&files)?;
        Ok(Backbone { folder: folder.to_owned(), model_type, files: files.all(), lens, model })
    }

    /// Its kind, as `config.json` has it.
    pub fn model_type(&self) -> &str {
        &self.model_type
    }

    /// Numbers of a vector of features.
    pub fn n_features(&self) -> usize {
        self.model.n_features()
    }

    /// The files it was read from, the same ones in the same order each time.
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// Features of a picture, `[height, width, 3]` bytes of red, green and blue, and a text. The picture is
    /// brought to the model's own size whole: nothing is cut off, and its sides may change their ratio.
    ///
    /// # Errors
    /// If the picture or `into` has another length, the text is too long, or what comes out is not finite.
    pub fn features(
        &mut self,
        picture: &[u8],
        [height, width]: [usize; 2],
        text: &str,
        into: &mut [f32],
    ) -> Result<(), Error> {
        let wrong = |reason: String| Error::Backbone { path: self.folder.clone(), reason };
        if height * width == 0 || picture.len() != height * width * 3 {
            let n = picture.len();
            return Err(wrong(format!("a picture of {n} bytes is not {height} x {width} x 3")));
        }
        if into.len() != self.model.n_features() {
            let (got, n) = (into.len(), self.model.n_features());
            return Err(wrong(format!("room for {got} features where there are {n}")));
        }
        let looked = self.lens.look(picture, [height, width]).map_err(Failure::from);
        let made = looked.and_then(|looked| self.model.features(&looked, text));
        let features = made.map_err(|failure| match failure {
            Failure::Candle(error) => wrong(one_line(&error)),
            Failure::Text(reason) => wrong(reason),
        })?;
        if features.len() != into.len() || !features.iter().all(|value| value.is_finite()) {
            return Err(wrong("what comes out is not finite numbers".to_owned()));
        }
        into.copy_from_slice(&features);
        Ok(())
    }
}
