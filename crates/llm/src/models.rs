//! From a model's name on the command line to a [`Chat`].

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::chat::Chat;
use crate::error::Error;
use crate::http::{Endpoint, HttpModel, Protocol};
use crate::price::Prices;
use crate::scripted::Scripted;

/// Makes chats from names.
#[derive(Debug, Clone, Default)]
pub struct Resolver {
    prices: Arc<Prices>,
    cancel: Arc<AtomicBool>,
}

impl Resolver {
    /// Without prices: every cost is unknown.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
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
        Ok(Box::new(model.with_cancel(Arc::clone(&self.cancel))))
    }
}
