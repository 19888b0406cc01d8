//! The files of a model's folder: its configuration, and where its weights are.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::error::Error;
use crate::weights::File;

/// Largest number of a configuration: wider layers than anybody's, and small enough for products.
const LARGEST: usize = 1 << 20;

/// A model's folder with its configuration read.
pub(super) struct Files {
    folder: PathBuf,
    config: Value,
    weights: Vec<PathBuf>,
}

/// One object of a configuration.
#[derive(Clone, Copy)]
pub(super) struct Section<'f> {
    files: &'f Files,
    name: &'static str,
    /// None where it is absent: then all is as the kind of model has it.
    value: Option<&'f Value>,
}

/// A file as JSON.
fn json(path: &Path) -> Result<Value, Error> {
    let failed = |source| Error::File { action: "read", path: path.to_owned(), source };
    let text = std::fs::read(path).map_err(failed)?;
    serde_json::from_slice(&text).map_err(|error| {
        let reason = format!("it is not JSON: {error}");
        Error::Backbone { path: path.to_owned(), reason }
    })
}

impl Files {
    pub(super) fn open(folder: &Path) -> Result<Files, Error> {
        let config = json(&folder.join("config.json"))?;
        let mut files = Files { folder: folder.to_owned(), config, weights: Vec::new() };
        files.weights = files.find_weights()?;
        Ok(files)
    }

    /// What is wrong with the configuration.
    pub(super) fn wrong(&self, reason: String) -> Error {
        Error::Backbone { path: self.folder.join("config.json"), reason }
    }

    pub(super) fn model_type(&self) -> Result<&str, Error> {
        let found = self.config.get("model_type").and_then(Value::as_str);
        found.ok_or_else(|| self.wrong("it has no `model_type`".to_owned()))
    }

    /// `model.safetensors`, or the parts that its index names.
    fn find_weights(&self) -> Result<Vec<PathBuf>, Error> {
        let whole = self.folder.join("model.safetensors");
        let index = self.folder.join("model.safetensors.index.json");
        if whole.exists() || !index.exists() {
            return Ok(vec![whole]);
        }
        let wrong =
            |reason: &str| Error::Backbone { path: index.clone(), reason: reason.to_owned() };
        let all = json(&index)?;
        let map = all.get("weight_map").and_then(Value::as_object);
        let map = map.ok_or_else(|| wrong("it has no `weight_map`"))?;
        let names: Option<BTreeSet<&str>> = map.values().map(Value::as_str).collect();
        let names = names.ok_or_else(|| wrong("`weight_map` does not name files"))?;
        // A name that leads out of the folder is nobody's index.
        if names.is_empty() || names.iter().any(|name| Path::new(name).components().count() != 1) {
            return Err(wrong("`weight_map` names no files of this folder"));
        }
        Ok(names.into_iter().map(|name| self.folder.join(name)).collect())
    }

    /// Opens the weights.
    pub(super) fn weights(&self) -> Result<Vec<File>, Error> {
        self.weights.iter().map(|path| File::open(path)).collect()
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// A file of the folder as JSON, if it is there.
    pub(super) fn beside(&self, name: &str) -> Result<Option<Value>, Error> {
        let path = self.folder.join(name);
        if path.exists() { json(&path).map(Some) } else { Ok(None) }
    }

    pub(super) fn all(&self) -> Vec<PathBuf> {
        let small = ["config.json", "tokenizer.json", "preprocessor_config.json"];
        let small = small.into_iter().map(|name| self.folder.join(name));
        small.filter(|path| path.exists()).chain(self.weights.iter().cloned()).collect()
    }

    /// The whole configuration.
    pub(super) fn config(&self) -> Section<'_> {
        Section { files: self, name: "", value: Some(&self.config) }
    }

    /// An object in it.
    pub(super) fn section(&self, name: &'static str) -> Section<'_> {
        Section { files: self, name, value: self.config.get(name) }
    }
}

impl Section<'_> {
    fn get(&self, key: &str) -> Option<&Value> {
        self.value?.get(key).filter(|value| !value.is_null())
    }

    fn wrong(&self, key: &str, what: &str) -> Error {
        let dot = if self.name.is_empty() { "" } else { "." };
        self.files.wrong(format!("`{}{dot}{key}` {what}", self.name))
    }

    /// A whole number above 0; `default` where it is absent.
    pub(super) fn size(&self, key: &str, default: usize) -> Result<usize, Error> {
        let Some(value) = self.get(key) else { return Ok(default) };
        let size = value.as_u64().and_then(|size| usize::try_from(size).ok());
        size.filter(|size| (1..=LARGEST).contains(size))
            .ok_or_else(|| self.wrong(key, &format!("is {value}, not from 1 to {LARGEST}")))
    }

    /// A finite number above 0; `default` where it is absent.
    pub(super) fn number(&self, key: &str, default: f64) -> Result<f64, Error> {
        let Some(value) = self.get(key) else { return Ok(default) };
        let number = value.as_f64().filter(|number| number.is_finite() && *number > 0.0);
        number.ok_or_else(|| self.wrong(key, &format!("is {value}, not above 0")))
    }

    /// A number of a token; `default` where it is absent.
    pub(super) fn token(&self, key: &str, default: u32) -> Result<u32, Error> {
        let Some(value) = self.get(key) else { return Ok(default) };
        let token = value.as_u64().and_then(|token| u32::try_from(token).ok());
        token.ok_or_else(|| self.wrong(key, &format!("is {value}, no number of a token")))
    }

    /// Text; `default` where it is absent.
    pub(super) fn text(&self, key: &str, default: &'static str) -> Result<&str, Error> {
        let Some(value) = self.get(key) else { return Ok(default) };
        value.as_str().ok_or_else(|| self.wrong(key, &format!("is {value}, no text")))
    }

    /// Holds to what is read here.
    pub(super) fn expect(&self, key: &str, value: &str, known: &[&str]) -> Result<(), Error> {
        if known.contains(&value) {
            return Ok(());
        }
        let what = format!("is `{value}`; supported: {}", known.join(", "));
        Err(self.wrong(key, &what))
    }

    /// Whether something is so; not where it is absent.
    pub(super) fn is(&self, key: &str) -> bool {
        self.get(key).and_then(Value::as_bool).unwrap_or(false)
    }

    /// Whether something is said of it.
    pub(super) fn has(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// A number below 0, as what it is without its sign; `default` where it is absent.
    pub(super) fn steps_back(&self, key: &str, default: usize) -> Result<usize, Error> {
        let Some(value) = self.get(key) else { return Ok(default) };
        let steps = value.as_i64().filter(|steps| (-1024..0).contains(steps));
        let steps = steps.ok_or_else(|| self.wrong(key, &format!("is {value}, not below 0")))?;
        Ok(steps.unsigned_abs() as usize)
    }

    /// Sides of a picture and of its patches, in pixels: `image_size`, `patch_size`.
    pub(super) fn patches(&self, image: usize, patch: usize) -> Result<[usize; 2], Error> {
        /// Largest side of a picture, in pixels.
        const LARGEST_SIDE: usize = 4096;
        let sizes = [self.size("image_size", image)?, self.size("patch_size", patch)?];
        if sizes[0] > LARGEST_SIDE || sizes[1] > sizes[0] {
            let [image, patch] = sizes;
            let what = format!("is {image} with patches of {patch}: no picture is so");
            return Err(self.wrong("image_size", &what));
        }
        Ok(sizes)
    }

    /// Width and attention heads: `hidden_size`, `num_attention_heads`.
    pub(super) fn heads(&self, width: usize, heads: usize) -> Result<[usize; 2], Error> {
        let sizes = [self.size("hidden_size", width)?, self.size("num_attention_heads", heads)?];
        if !sizes[0].is_multiple_of(sizes[1]) {
            let what = format!("is {}, not whole heads: there are {}", sizes[0], sizes[1]);
            return Err(self.wrong("hidden_size", &what));
        }
        Ok(sizes)
    }
}
