//! Training that goes on where it stopped, and models that come out of it.

use std::collections::BTreeMap;
use std::path::Path;

use nn::train::{AdamW, Form, Parameter};
use nn::weights::{File, NewTensor, write};

use super::network::rows_of;
use super::{TrainConfig, Trainer};
use crate::config::ModelConfig;
use crate::error::Error;
use crate::load::CONFIG_KEY;
use crate::model::layout::Rows;

/// Key of the settings in a checkpoint.
const SETTINGS_KEY: &str = "tetrad.genome.train";

/// Key of the steps taken.
const STEP_KEY: &str = "tetrad.genome.step";

/// Key that is there if training began with a model's weights.
const LOADED_KEY: &str = "tetrad.genome.loaded";

/// Kinds of numbers in a checkpoint: what is learned, and AdamW's memory.
const KINDS: [&str; 3] = ["raw", "mean", "square"];

/// One tensor of a trained model, in official layout.
#[derive(Debug, Clone, PartialEq)]
pub struct Trained {
    /// Official name.
    pub name: String,
    /// Shape.
    pub shape: Vec<usize>,
    /// Row-major.
    pub values: Vec<f32>,
}

impl Trainer {
    /// Writes everything that the next step depends on: whole, or not at all.
    ///
    /// # Errors
    /// If the file system refuses.
    pub fn save(&self, path: &Path) -> Result<(), Error> {
        let mut tensors = Vec::new();
        let moments = self.adam.mean.iter().zip(&self.adam.square);
        for (parameter, (mean, square)) in self.parameters.iter().zip(moments) {
            for (kind, values) in KINDS.into_iter().zip([&parameter.raw, mean, square]) {
                let tensor = NewTensor::f32(&parameter.shape, values);
                tensors.push((format!("{kind}/{}", parameter.name), tensor));
            }
        }
        let settings = serde_json::to_string(&self.config).expect("plain data");
        let mut metadata = BTreeMap::from([
            (SETTINGS_KEY.to_owned(), settings),
            (STEP_KEY.to_owned(), self.step().to_string()),
        ]);
        if self.loaded {
            metadata.insert(LOADED_KEY.to_owned(), "yes".to_owned());
        }
        let tensors = tensors.iter().map(|(name, tensor)| (name, tensor));
        Ok(write(path, tensors, metadata)?)
    }

    /// Goes on from a checkpoint.
    ///
    /// # Errors
    /// If it is none, or one of other settings.
    pub fn resume(config: TrainConfig, path: &Path) -> Result<Trainer, Error> {
        let mut trainer = Trainer::new(config)?;
        let file = File::open(path)?;
        let settings = file.metadata().get(SETTINGS_KEY);
        let settings = settings.and_then(|text| serde_json::from_str::<TrainConfig>(text).ok());
        if settings.as_ref() != Some(&trainer.config) {
            return Err(Error::OtherRun { path: path.to_owned() });
        }
        let step = file.metadata().get(STEP_KEY).and_then(|text| text.parse().ok());
        let n_steps = step.ok_or_else(|| Error::OtherRun { path: path.to_owned() })?;
        if file.metadata().contains_key(LOADED_KEY) {
            trainer.take_loaded_forms();
        }
        let mut adam = AdamW::new(&trainer.parameters);
        adam.n_steps = n_steps;
        let moments = adam.mean.iter_mut().zip(&mut adam.square);
        for (parameter, (mean, square)) in trainer.parameters.iter_mut().zip(moments) {
            let Parameter { name, shape, raw, .. } = parameter;
            for (kind, into) in KINDS.into_iter().zip([raw, mean, square]) {
                let tensor = file.tensor(&format!("{kind}/{name}"), shape)?;
                tensor.check_finite()?;
                *into = tensor.to_vec();
            }
        }
        trainer.adam = adam;
        Ok(trainer)
    }

    /// Begins from a model's weights instead of drawn ones: fine-tuning.
    ///
    /// # Errors
    /// If the weights are not of the configured shape.
    pub fn start_from(&mut self, file: &File) -> Result<(), Error> {
        self.take_loaded_forms();
        for parameter in self.parameters.iter_mut() {
            let tensor = file.tensor(&parameter.name, &parameter.shape)?;
            tensor.check_finite()?;
            let rows = rows_of(&parameter.name);
            let official = tensor.to_vec();
            let size = official.len() / parameter.shape[0];
            for (row, into) in parameter.raw.chunks_exact_mut(size).enumerate() {
                let from = rows.official(&self.config.model, row);
                into.copy_from_slice(&official[from * size..][..size]);
            }
            if parameter.form == Form::NegativeExp {
                if let Some(bad) = parameter.raw.iter().find(|value| **value >= 0.0) {
                    let reason = format!("`{}` holds {bad}, not below 0", parameter.name);
                    return Err(Error::Config { reason });
                }
                parameter.raw.iter_mut().for_each(|value| *value = (-*value).ln());
            }
        }
        Ok(())
    }

    /// Windows are already in the filters of a checkpoint, and are not laid over them again.
    fn take_loaded_forms(&mut self) {
        self.loaded = true;
        for parameter in self.parameters.iter_mut() {
            if let Form::Scaled(_) = parameter.form {
                parameter.form = Form::Plain;
            }
        }
    }

    /// The model as it is, under the official names and in the official layout.
    pub fn trained(&self) -> Vec<Trained> {
        let official = |parameter: &Parameter| {
            let values = parameter.values();
            let rows = rows_of(&parameter.name);
            let size = values.len() / parameter.shape[0];
            let mut all = vec![0.0; values.len()];
            for (row, from) in values.chunks_exact(size).enumerate() {
                let to = rows.official(&self.config.model, row);
                all[to * size..][..size].copy_from_slice(from);
            }
            let values = if rows == Rows::AsIs { values } else { all };
            Trained { name: parameter.name.clone(), shape: parameter.shape.clone(), values }
        };
        self.parameters.iter().map(official).collect()
    }
}

/// Writes a model as safetensors that carry their configuration. With `bf16`, poles and residues
/// stay in f32, as the official loader keeps them.
///
/// # Errors
/// If the file system refuses.
pub fn write_model(
    path: &Path,
    config: &ModelConfig,
    tensors: &[Trained],
    bf16: bool,
) -> Result<(), Error> {
    let encode = |tensor: &Trained| {
        let keep = tensor.name.ends_with("log_poles") || tensor.name.ends_with("residues");
        let make = if bf16 && !keep { NewTensor::bf16 } else { NewTensor::f32 };
        (tensor.name.clone(), make(&tensor.shape, &tensor.values))
    };
    let tensors: Vec<(String, NewTensor)> = tensors.iter().map(encode).collect();
    let metadata = BTreeMap::from([(CONFIG_KEY.to_owned(), config.to_json())]);
    Ok(write(path, tensors.iter().map(|(name, tensor)| (name, tensor)), metadata)?)
}
