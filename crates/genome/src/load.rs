//! From a path to a model.

use std::path::Path;

use nn::Precision;
use nn::weights::File;
use sha2::{Digest, Sha256};

use crate::config::ModelConfig;
use crate::error::Error;
use crate::model::{Random, Source, StripedHyena};
use crate::shipped;

/// Key under which our weight files keep their configuration.
pub const CONFIG_KEY: &str = "tetrad.genome.config";

/// Name of a model with random weights in place of a file: `random:SEED`.
const RANDOM: &str = "random:";

/// The configuration that a user names: a published one, or a file of JSON.
///
/// # Errors
/// If it is neither.
pub fn config(name: &str) -> Result<ModelConfig, Error> {
    if let Some(config) = ModelConfig::named(name) {
        return Ok(config);
    }
    let path = Path::new(name);
    let text = std::fs::read_to_string(path).map_err(|source| Error::File {
        action: "read configuration",
        path: path.to_owned(),
        source,
    })?;
    ModelConfig::parse(&text)
}

/// The configuration of a file of weights: the one named, else its own, else `config.json` beside it,
/// else the published one of its name.
///
/// # Errors
/// If there is none, or it cannot be read.
pub fn config_of(file: &File, named: Option<&str>) -> Result<ModelConfig, Error> {
    if let Some(name) = named {
        return config(name);
    }
    if let Some(text) = file.metadata().get(CONFIG_KEY) {
        return ModelConfig::parse(text);
    }
    let beside = file.path().with_file_name("config.json");
    if beside.exists() {
        return config(&beside.to_string_lossy());
    }
    let stem = file.path().file_name().map(|name| name.to_string_lossy().into_owned());
    let stem = stem.as_deref().and_then(|name| name.split('.').next()).unwrap_or_default();
    ModelConfig::named(stem).ok_or_else(|| Error::Config {
        reason: format!(
            "`{}` does not say which model it is, and has no `config.json` beside it",
            file.path().display()
        ),
    })
}

/// The weights that a user names: a file, or `small` for those that come with the program.
///
/// # Errors
/// If they cannot be read.
pub fn file(weights: &str) -> Result<File, Error> {
    if weights == shipped::SMALL { shipped::small() } else { Ok(File::open(Path::new(weights))?) }
}

/// What tells weights apart: the first 16 digits of a SHA-256 over the tensors of the configuration, in
/// its order, each with its name, kind and bytes. So it does not depend on the container. Of random
/// weights it is their name.
///
/// # Errors
/// If the file cannot be read or lacks a tensor.
pub fn digest(weights: &str, named: Option<&str>) -> Result<String, Error> {
    if weights.starts_with(RANDOM) {
        return Ok(weights.to_owned());
    }
    let file = file(weights)?;
    let config = config_of(&file, named)?;
    let mut hasher = Sha256::new();
    for (name, shape) in config.tensors() {
        let tensor = file.tensor(&name, &shape)?;
        hasher.update(name.as_bytes());
        hasher.update(tensor.kind().name().as_bytes());
        hasher.update(tensor.bytes());
    }
    let digest = hasher.finalize();
    Ok(digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect())
}

/// Loads a model: a file of weights, `small`, or `random:SEED` with a configuration.
///
/// # Errors
/// As the parts.
pub fn model(
    weights: &str,
    named: Option<&str>,
    precision: Precision,
) -> Result<StripedHyena, Error> {
    source(weights, named, |config, source| StripedHyena::load(config, source, precision))
}

/// The same for whole sequences on a device.
///
/// # Errors
/// As the parts.
#[cfg(feature = "device")]
pub fn on_device(
    weights: &str,
    named: Option<&str>,
    device: nn::device::Device,
) -> Result<crate::model::OnDevice, Error> {
    source(weights, named, |config, source| crate::model::OnDevice::load(config, source, device))
}

/// Opens what a user names, for `load`.
fn source<T>(
    weights: &str,
    named: Option<&str>,
    load: impl FnOnce(&ModelConfig, &dyn Source) -> Result<T, Error>,
) -> Result<T, Error> {
    if let Some(seed) = weights.strip_prefix(RANDOM) {
        let seed = seed.parse().map_err(|_| Error::Config {
            reason: format!("`{seed}` is no seed: random weights are `random:SEED`"),
        })?;
        let name = named.ok_or_else(|| Error::Config {
            reason: "random weights need a configuration".to_owned(),
        })?;
        return load(&config(name)?, &Random { seed, narrow: true });
    }
    let file = file(weights)?;
    load(&config_of(&file, named)?, &file)
}
