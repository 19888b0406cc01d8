//! Everything a training run is told, as one TOML file.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{Stage, TrainConfig};
use crate::corpus::Sampling;
use crate::error::Error;

/// The recipe of the model that is shipped.
const SMALL: &str = include_str!("../../recipes/small.toml");

/// How a model is held to sequences that it is not trained on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Validation {
    /// Windows, evenly spaced over the split `valid`.
    pub windows: usize,
    /// Tokens predicted in each.
    pub length: usize,
    /// Steps between two looks.
    pub every: u64,
    /// Draws strands.
    pub seed: u64,
}

/// Which windows are drawn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Drawing {
    genic_weight: f64,
    species_exponent: f64,
    tag_share: f64,
}

/// A training run, but for its corpus.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recipe {
    /// The model and its steps.
    #[serde(flatten)]
    pub train: TrainConfig,
    sampling: Drawing,
    /// How it is watched.
    pub validation: Validation,
}

impl Recipe {
    /// The one of the model that is shipped.
    pub fn small() -> Recipe {
        Recipe::parse(SMALL).expect("the shipped recipe is valid")
    }

    /// From TOML.
    ///
    /// # Errors
    /// If something is missing, misspelt or of no use.
    pub fn parse(text: &str) -> Result<Recipe, Error> {
        let refused = |reason: String| Error::Config { reason };
        let recipe: Recipe = toml::from_str(text)
            .map_err(|error| refused(format!("recipe: {}", error.to_string().trim_end())))?;
        recipe.train.check().map_err(refused)?;
        // The model's own checks, with its messages.
        crate::ModelConfig::parse(&recipe.train.model.to_json())?;
        if recipe.validation.every == 0 || recipe.validation.length == 0 {
            return Err(refused("`validation` never looks".to_owned()));
        }
        Ok(recipe)
    }

    /// From a file.
    ///
    /// # Errors
    /// As [`Recipe::parse`], or if it cannot be read.
    pub fn load(path: &Path) -> Result<Recipe, Error> {
        let text = std::fs::read_to_string(path).map_err(|source| Error::File {
            action: "read recipe",
            path: path.to_owned(),
            source,
        })?;
        Recipe::parse(&text)
    }

    /// How windows of a stage are drawn.
    pub fn sampling(&self, stage: &Stage) -> Sampling {
        let Drawing { genic_weight, species_exponent, tag_share } = self.sampling;
        Sampling {
            genic_weight,
            species_exponent,
            tag_share,
            start_share: stage.start_share,
            ..Sampling::of_length(stage.length, self.train.seed)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_recipe_is_whole_and_small() {
        let recipe = Recipe::small();
        // In bfloat16 it stays below 8 MB.
        assert!(recipe.train.model.n_parameters() < 4_000_000);
        let stage = recipe.train.stage(0);
        assert_eq!(recipe.sampling(stage).length, stage.length);
    }

    #[test]
    fn recipes_that_go_on_are_of_the_same_model() {
        let shares = |recipe: &str| -> Vec<f64> {
            let recipe = Recipe::parse(recipe).expect("a shipped recipe is valid");
            assert_eq!(recipe.train.model, Recipe::small().train.model);
            recipe.train.stages.iter().map(|stage| recipe.sampling(stage).start_share).collect()
        };
        assert_eq!(shares(include_str!("../../recipes/starts.toml")), [0.5, 0.0]);
        assert_eq!(shares(include_str!("../../recipes/longer.toml")), [0.25, 0.25, 0.0]);
    }

    #[test]
    fn a_recipe_with_a_mistake_says_which() {
        let reason = |from: &str, to: &str| {
            assert!(SMALL.contains(from), "{from}");
            Recipe::parse(&SMALL.replacen(from, to, 1)).expect_err("a mistake").to_string()
        };
        assert!(reason("every = 100", "evry = 100").contains("evry"));
        assert!(reason("seed = 1", "seed = -1").contains("-1"));
        assert!(reason("clip = 1.0", "clip = 0.0").contains("`clip` is 0, not above 0"));
        assert!(reason("num_layers = 6", "num_layers = 7").contains("layer 6 has no kind"));
    }
}
