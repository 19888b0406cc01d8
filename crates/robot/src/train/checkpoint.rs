//! Training that goes on where it stopped.

use std::path::Path;

use nn::train::AdamW;
use nn::weights::{File, NewTensor, write};

use super::{Recipe, Trainer};
use crate::error::{Error, Result};
use crate::model::{Normalisation, Policy, PolicyConfig, RECIPE_KEY, expect_config, from_metadata};

/// Key of the steps taken.
const STEP_KEY: &str = "tetrad.robot.step";

/// Prefixes of what a checkpoint holds of every tensor: what is learned, and AdamW's memory.
const KINDS: [&str; 3] = ["raw/", "mean/", "square/"];

impl Trainer {
    /// Writes everything that the next step depends on: whole, or not at all.
    ///
    /// # Errors
    /// If the file system refuses.
    pub fn save(&self, path: &Path) -> Result<()> {
        let mut tensors = Vec::new();
        let moments = self.adam.mean.iter().zip(&self.adam.square);
        for (parameter, (mean, square)) in self.policy.weights.parameters.iter().zip(moments) {
            for (kind, values) in KINDS.into_iter().zip([&parameter.raw, mean, square]) {
                let tensor = NewTensor::f32(&parameter.shape, values);
                tensors.push((format!("{kind}{}", parameter.name), tensor));
            }
        }
        let mut metadata = self.policy.metadata();
        metadata.insert(STEP_KEY.to_owned(), self.step().to_string());
        let tensors = tensors.iter().map(|(name, tensor)| (name, tensor));
        Ok(write(path, tensors, metadata)?)
    }

    /// Goes on from a checkpoint. The normalisation is that of the checkpoint.
    ///
    /// # Errors
    /// If it is none, is damaged, or is one of another shape or recipe.
    pub fn resume(config: &PolicyConfig, recipe: Recipe, path: &Path) -> Result<Trainer> {
        let file = File::open(path)?;
        let wrong = |reason: String| Error::Checkpoint { path: path.to_owned(), reason };
        let found: PolicyConfig = from_metadata(&file, crate::model::CONFIG_KEY)?;
        expect_config(path, &found, config)?;
        let trained: Recipe = from_metadata(&file, RECIPE_KEY)?;
        if trained != recipe {
            return Err(wrong("it belongs to a run with another recipe".to_owned()));
        }
        let n_steps: u64 = from_metadata(&file, STEP_KEY)?;
        let policy = Policy::read(&file, KINDS[0])?;
        let normal: Normalisation = policy.normalisation.clone();
        let mut trainer = Trainer::new(found, normal, recipe)?;
        let mut adam = AdamW::new(&policy.weights.parameters);
        adam.n_steps = n_steps;
        let moments = adam.mean.iter_mut().zip(&mut adam.square);
        for (parameter, (mean, square)) in policy.weights.parameters.iter().zip(moments) {
            for (kind, into) in KINDS[1..].iter().zip([mean, square]) {
                let tensor = file.tensor(&format!("{kind}{}", parameter.name), &parameter.shape)?;
                tensor.check_finite()?;
                *into = tensor.to_vec();
            }
        }
        (trainer.policy, trainer.adam) = (policy, adam);
        Ok(trainer)
    }
}
