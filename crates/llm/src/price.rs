//! What tokens cost, from a table that the user keeps. No prices are built in: they change, and a
//! wrong cost is worse than none.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use crate::chat::Usage;
use crate::error::Error;

/// Prices by model name, US dollars per million tokens.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(transparent)]
pub struct Prices {
    models: BTreeMap<String, Price>,
}

/// Price of one model, US dollars per million tokens.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// Prompt tokens.
    pub input: f64,
    /// Prompt tokens from a cache; the input price when absent.
    pub cached_input: Option<f64>,
    /// Written tokens, reasoning included.
    pub output: f64,
}

impl Prices {
    /// Reads a TOML file with one table per model: `["gpt-x"]`, `input = 1.25`, `output = 10.0`.
    ///
    /// # Errors
    /// [`Error::Config`] when it cannot be read or a price is no amount.
    pub fn load(path: &Path) -> Result<Self, Error> {
        let config = |reason: String| Error::Config {
            model: format!("prices in {}", path.display()),
            reason,
        };
        let text = std::fs::read_to_string(path).map_err(|error| config(error.to_string()))?;
        let prices: Self =
            toml::from_str(&text).map_err(|error| config(error.message().to_owned()))?;
        for (model, price) in &prices.models {
            let amounts = [Some(price.input), price.cached_input, Some(price.output)];
            if amounts.iter().flatten().any(|amount| !amount.is_finite() || *amount < 0.0) {
                return Err(config(format!("a price of `{model}` is no amount of money")));
            }
        }
        Ok(prices)
    }

    /// Cost of a reply; `None` for a model that is not in the table. A dated name (`gpt-x-2026-01-01`)
    /// has the price of the longest name that it begins with.
    #[must_use]
    pub fn cost_usd(&self, model: &str, usage: &Usage) -> Option<f64> {
        let known = self.models.iter().filter(|(name, _)| model.starts_with(name.as_str()));
        let (_, price) = known.max_by_key(|(name, _)| name.len())?;
        let fresh = usage.input_tokens.saturating_sub(usage.cached_tokens) as f64;
        let cached = usage.cached_tokens as f64 * price.cached_input.unwrap_or(price.input);
        Some((fresh * price.input + cached + usage.output_tokens as f64 * price.output) / 1e6)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cached_tokens_have_their_own_price_and_unknown_models_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("prices.toml");
        std::fs::write(&path, "['m']\ninput = 2.0\ncached_input = 0.5\noutput = 8.0\n").unwrap();
        let prices = Prices::load(&path).unwrap();
        let usage = Usage {
            input_tokens: 3_000_000,
            cached_tokens: 1_000_000,
            output_tokens: 500_000,
            ..Usage::default()
        };
        assert_eq!(prices.cost_usd("m-2026-01-01", &usage), Some(8.5));
        assert_eq!(prices.cost_usd("other", &usage), None);
        std::fs::write(&path, "['m']\ninput = -1.0\noutput = 8.0\n").unwrap();
        assert!(Prices::load(&path).unwrap_err().to_string().contains("no amount"));
    }
}
