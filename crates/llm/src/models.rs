//! From a model's name on the command line to a [`Chat`].

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};

use crate::chat::Chat;
use crate::error::Error;
use crate::gate::Gate;
use crate::http::{Endpoint, HttpModel, Protocol};
use crate::price::Prices;
use crate::scripted::Scripted;

/// Makes chats from names.
#[derive(Debug, Clone)]
pub struct Resolver {
    prices: Arc<Prices>,
    cancel: Arc<AtomicBool>,
    requests_per_minute: Option<u32>,
    /// One per model name: each provider and model has limits of its own.
    gates: Arc<Mutex<BTreeMap<String, Arc<Gate>>>>,
}

impl Default for Resolver {
    fn default() -> Self {
        Self::new()
    }
}

impl Resolver {
    /// Without prices, so that every cost is unknown, and without limits.
    #[must_use]
    pub fn new() -> Self {
        Self {
            prices: Arc::default(),
            cancel: Arc::default(),
            requests_per_minute: None,
            gates: Arc::default(),
        }
    }

    /// With at most so many requests a minute to each model, evenly spaced, retries included.
    #[must_use]
    pub fn with_requests_per_minute(mut self, limit: Option<u32>) -> Self {
        self.requests_per_minute = limit;
        self
    }

    /// The gate that all chats of a name share.
    fn gate(&self, name: &str) -> Arc<Gate> {
        let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        let make = || Arc::new(Gate::new(usize::MAX, self.requests_per_minute));
        Arc::clone(gates.entry(name.to_owned()).or_insert_with(make))
    }

    /// With a price table.
    ///
    /// # Errors
    /// When the file cannot be read or is no price table.
    pub fn with_prices(mut self, path: &Path) -> Result<Self, Error> {
        self.prices = Arc::new(Prices::load(path)?);
        Ok(self)
    }

    /// With a flag that ends waiting between attempts.
    #[must_use]
    pub fn with_cancel(mut self, cancel: Arc<AtomicBool>) -> Self {
        self.cancel = cancel;
        self
    }

    /// A chat for `openai:NAME`, `openai-responses:NAME`, `anthropic:NAME`, `scripted:FILE`, or
    /// `http(s)://HOST[:PORT]/PATH#NAME` for any endpoint that speaks chat-completions. A base URL
    /// in `OPENAI_BASE_URL` or `ANTHROPIC_BASE_URL` replaces the provider's own.
    ///
    /// # Errors
    /// [`Error::Config`] for a name that is none of these, or a key that is not set.
    pub fn chat(&self, name: &str) -> Result<Box<dyn Chat>, Error> {
        let config =
            |reason: &str| Error::Config { model: name.to_owned(), reason: reason.to_owned() };
        if let Some(path) = name.strip_prefix("scripted:") {
            return Ok(Box::new(Scripted::from_file(Path::new(path))?));
        }
        let endpoint = if name.starts_with("http://") || name.starts_with("https://") {
            let (base_url, model) = name
                .split_once('#')
                .filter(|(_, model)| !model.is_empty())
                .ok_or_else(|| config("a URL needs `#MODEL` at its end"))?;
            // Local servers need no key; one that does gets it from the same variable as OpenAI's.
            Endpoint::new(Protocol::ChatCompletions, base_url, model)
                .key_from_env("OPENAI_API_KEY", false)?
        } else {
            let (provider, model) = name
                .split_once(':')
                .filter(|(_, model)| !model.is_empty())
                .ok_or_else(|| config("expected `openai:NAME`, `openai-responses:NAME`, `anthropic:NAME`, `scripted:FILE`, `player:NAME` or `http://HOST:PORT/v1#NAME`"))?;
            let (protocol, base, variable, key) = match provider {
                "openai" => (
                    Protocol::ChatCompletions,
                    "https://api.openai.com/v1",
                    "OPENAI_BASE_URL",
                    "OPENAI_API_KEY",
                ),
                "openai-responses" => (
                    Protocol::Responses,
                    "https://api.openai.com/v1",
                    "OPENAI_BASE_URL",
                    "OPENAI_API_KEY",
                ),
                "anthropic" => (
                    Protocol::Messages,
                    "https://api.anthropic.com/v1",
                    "ANTHROPIC_BASE_URL",
                    "ANTHROPIC_API_KEY",
                ),
                _ => {
                    return Err(config(
                        "unknown provider; expected `openai`, `openai-responses`, `anthropic`, `scripted` or a URL",
                    ));
                }
            };
            let base = std::env::var(variable).unwrap_or_else(|_| base.to_owned());
            Endpoint::new(protocol, &base, model).key_from_env(key, true)?
        };
        let model = HttpModel::new(name, endpoint, Arc::clone(&self.prices))?;
        Ok(Box::new(model.with_gate(self.gate(name)).with_cancel(Arc::clone(&self.cancel))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chats_of_one_name_share_a_gate_and_others_do_not() {
        let resolver = Resolver::new().with_requests_per_minute(Some(30));
        let [one, same, other] = ["a", "a", "b"].map(|name| resolver.gate(name));
        assert!(Arc::ptr_eq(&one, &same) && !Arc::ptr_eq(&one, &other));
        assert!(Arc::ptr_eq(&one, &resolver.clone().gate("a")), "also across clones");
    }

    #[test]
    fn names_that_lead_nowhere_say_what_would() {
        let resolver = Resolver::new();
        for (name, says) in [
            ("gpt", "openai:NAME"),
            ("nobody:x", "unknown provider"),
            ("http://127.0.0.1:1/v1", "#MODEL"),
            ("ftp://x#m", "unknown provider"),
        ] {
            let Err(error) = resolver.chat(name) else { panic!("{name} was accepted") };
            assert!(error.to_string().contains(says), "{name}: {error}");
        }
    }
}
