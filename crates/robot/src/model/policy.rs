//! Both networks with all they need from training, as a file.

use std::collections::BTreeMap;
use std::path::Path;

use nn::Precision;
use nn::weights::{File, NewTensor, write};

use super::borrowed::{Backbone, not_lent};
use super::config::{Borrowed, PolicyConfig};
use super::network::{Fast, Maker, Slow};
use super::normal::Normalisation;
use super::tensors::{Weights, s1, s2};
use super::{S1, S2};
use crate::error::{Error, Result};

/// Key of the configuration in a file.
pub(crate) const CONFIG_KEY: &str = "tetrad.robot.config";

/// Key of the normalisation.
pub(crate) const NORMAL_KEY: &str = "tetrad.robot.normalisation";

/// Key of what it was trained with.
pub(crate) const RECIPE_KEY: &str = "tetrad.robot.recipe";

/// A trained policy, or one that is to be trained.
#[derive(Debug, Clone)]
pub struct Policy {
    /// Its shape.
    pub config: PolicyConfig,
    /// From its data.
    pub normalisation: Normalisation,
    /// What is learned.
    pub weights: Weights,
    /// What it was trained with, as its file has it.
    pub recipe: Option<String>,
    /// The open model that S2 borrows from, once it is there.
    backbone: Option<Backbone>,
}

impl Policy {
    /// As training begins.
    ///
    /// # Errors
    /// If the configuration is of no use.
    pub fn drawn(config: PolicyConfig, normalisation: Normalisation, seed: u64) -> Result<Policy> {
        config.check()?;
        normalisation.check(&config)?;
        let tensors = [s1(&config), s2(&config)].concat();
        let weights = Weights::drawn(&tensors, seed);
        Ok(Policy { config, normalisation, weights, recipe: None, backbone: None })
    }

    /// From a file of [`Policy::save`].
    ///
    /// # Errors
    /// If it is none, is damaged, or lacks something.
    pub fn load(path: &Path) -> Result<Policy> {
        Policy::read(&File::open(path)?, "")
    }

    /// From a file, which must have a given shape.
    ///
    /// # Errors
    /// As [`Policy::load`], or if the shape is another.
    pub fn load_as(path: &Path, config: &PolicyConfig) -> Result<Policy> {
        let policy = Policy::load(path)?;
        expect_config(path, &policy.config, config)?;
        Ok(policy)
    }

    /// From weights that are part of the program, under a name for errors.
    ///
    /// # Errors
    /// As [`Policy::load`].
    pub fn built(name: &str, bytes: &'static [u8]) -> Result<Policy> {
        Policy::read(&File::built(name, bytes)?, "")
    }

    /// Reads tensors whose names begin with a prefix.
    pub(crate) fn read(file: &File, prefix: &str) -> Result<Policy> {
        let config: PolicyConfig = from_metadata(file, CONFIG_KEY)?;
        config.check()?;
        let normalisation: Normalisation = from_metadata(file, NORMAL_KEY)?;
        normalisation.check(&config)?;
        let weights = Weights::read(&[s1(&config), s2(&config)].concat(), file, prefix)?;
        let recipe = file.metadata().get(RECIPE_KEY).cloned();
        Ok(Policy { config, normalisation, weights, recipe, backbone: None })
    }

    /// Writes it as safetensors that carry their configuration, normalisation and recipe: whole, or not
    /// at all. With `bf16`, numbers are rounded to bfloat16.
    ///
    /// # Errors
    /// If the file system refuses.
    pub fn save(&self, path: &Path, bf16: bool) -> Result<()> {
        let make = if bf16 { NewTensor::bf16 } else { NewTensor::f32 };
        let tensors: Vec<(String, NewTensor)> = (self.weights.parameters.iter())
            .map(|parameter| (parameter.name.clone(), make(&parameter.shape, &parameter.raw)))
            .collect();
        let tensors = tensors.iter().map(|(name, tensor)| (name, tensor));
        Ok(write(path, tensors, self.metadata())?)
    }

    /// What goes with tensors into a file.
    pub(crate) fn metadata(&self) -> BTreeMap<String, String> {
        let json = |value: serde_json::Result<String>| value.expect("plain data");
        let mut all = BTreeMap::from([
            (CONFIG_KEY.to_owned(), json(serde_json::to_string(&self.config))),
            (NORMAL_KEY.to_owned(), json(serde_json::to_string(&self.normalisation))),
        ]);
        if let Some(recipe) = &self.recipe {
            all.insert(RECIPE_KEY.to_owned(), recipe.clone());
        }
        all
    }

    /// Opens the model that S2 borrows from, in its folder. A policy that borrows needs one before
    /// [`Policy::s2`] is of use; one that does not takes none.
    ///
    /// # Errors
    /// If there is no folder where one is needed, or one where none is, or it holds another model;
    /// [`Error::Program`] where this program was built without such models.
    pub fn lend(&mut self, folder: Option<&Path>) -> Result<()> {
        self.expect_folder(folder)?;
        folder.map_or(Ok(()), |folder| self.lend_opened(Backbone::open(folder)?))
    }

    /// Whether a folder of an open model is named where one is needed, and only there. It is not looked into.
    ///
    /// # Errors
    /// As [`Policy::lend`].
    pub fn expect_folder(&self, folder: Option<&Path>) -> Result<()> {
        if folder.is_some() {
            Backbone::expect_built()?;
        }
        match (&self.config.s2.borrowed, folder) {
            (Some(borrowed), None) => Err(not_lent(borrowed)),
            (None, Some(_)) => Err(self.takes_none()),
            _ => Ok(()),
        }
    }

    fn takes_none(&self) -> Error {
        let name = &self.config.name;
        Error::Backbone {
            reason: format!("policy `{name}` was trained without one, and takes none"),
        }
    }

    /// As [`Policy::lend`], of a model that was opened already.
    ///
    /// # Errors
    /// If it is another model than the policy has learned with.
    pub fn lend_opened(&mut self, backbone: Backbone) -> Result<()> {
        let found = backbone.shape();
        let borrowed = self.config.s2.borrowed.as_ref().ok_or_else(|| self.takes_none())?;
        if found != borrowed {
            let reason = format!(
                "a `{}` of {} features where the policy has learned with a `{}` of {}",
                found.model, found.features, borrowed.model, borrowed.features
            );
            return Err(Error::Backbone { reason });
        }
        self.backbone = Some(backbone);
        Ok(())
    }

    /// Whether S2 has all that it needs.
    ///
    /// # Errors
    /// [`Error::Backbone`] where it borrows from a model that is not there.
    pub fn expect_lent(&self) -> Result<()> {
        match (&self.config.s2.borrowed, &self.backbone) {
            (Some(borrowed), None) => Err(not_lent(borrowed)),
            _ => Ok(()),
        }
    }

    /// The fast policy, ready to run.
    #[must_use]
    pub fn s1(&self, precision: Precision) -> S1 {
        let make = Maker { weights: &self.weights, precision, learns: false };
        S1::new(&self.config, &self.normalisation, Fast::new(make, &self.config))
    }

    /// The slow model, ready to run. Where it borrows from a model that is not there, it gives errors.
    #[must_use]
    pub fn s2(&self, precision: Precision) -> S2 {
        let make = Maker { weights: &self.weights, precision, learns: false };
        S2::new(
            &self.config,
            &self.normalisation,
            Slow::new(make, &self.config),
            self.backbone.clone(),
        )
    }
}

/// Something of a file's metadata.
pub(crate) fn from_metadata<T: serde::de::DeserializeOwned>(file: &File, key: &str) -> Result<T> {
    let wrong = |reason: String| Error::Checkpoint { path: file.path().to_owned(), reason };
    let text = file.metadata().get(key).ok_or_else(|| {
        wrong(format!("it has no `{key}`; only files that `robot` has written are policies"))
    })?;
    serde_json::from_str(text).map_err(|error| wrong(format!("`{key}`: {error}")))
}

/// Holds a file to a configuration.
pub(crate) fn expect_config(path: &Path, got: &PolicyConfig, want: &PolicyConfig) -> Result<()> {
    if got == want {
        return Ok(());
    }
    let reason = if got.s2.borrowed != want.s2.borrowed {
        let from = |config: &PolicyConfig| match &config.s2.borrowed {
            Some(Borrowed { model, features }) => format!("a `{model}` of {features} features"),
            None => "no backbone".to_owned(),
        };
        format!("it holds a policy that borrows from {}, not from {}", from(got), from(want))
    } else if got.name == want.name {
        format!("it holds a policy called `{}` of other sizes", got.name)
    } else {
        format!("it holds a policy of shape `{}`, not `{}`", got.name, want.name)
    };
    Err(Error::Checkpoint { path: path.to_owned(), reason })
}
