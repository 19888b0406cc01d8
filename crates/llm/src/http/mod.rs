//! A model at the other end of HTTP, in three wire protocols.
//!
//! One request is encoded, sent until it is answered or hopeless, and decoded. Everything that went
//! over the wire is kept, with the key redacted.

mod chat_completions;
mod messages;
mod quirks;
mod responses;
mod retry;
mod send;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use serde_json::Value;

use crate::chat::{Chat, Reply, Request, Wire};
use crate::error::Error;
use crate::gate::Gate;
use crate::price::Prices;
use crate::secret::Secret;

pub use retry::{Pause, RealPause};

/// A wire protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// OpenAI chat-completions, and the many servers that speak it.
    ChatCompletions,
    /// OpenAI responses.
    Responses,
    /// Anthropic messages.
    Messages,
}

/// Where and how a model is asked.
#[derive(Debug, Clone)]
pub struct Endpoint {
    protocol: Protocol,
    base_url: String,
    model: String,
    key: Option<Secret>,
    /// Merged into every request body, over what is there.
    pub extra_body: Option<Value>,
    /// Until the connection stands.
    pub connect_timeout: Duration,
    /// Until the whole answer is there; slow reasoning models take minutes.
    pub timeout: Duration,
    /// Requests sent for one reply, at most.
    pub n_attempts: u32,
    /// Longest body read, in bytes.
    pub body_limit: usize,
}

impl Endpoint {
    /// An endpoint without a key.
    #[must_use]
    pub fn new(protocol: Protocol, base_url: &str, model: &str) -> Self {
        Self {
            protocol,
            base_url: base_url.trim_end_matches('/').to_owned(),
            model: model.to_owned(),
            key: None,
            extra_body: None,
            connect_timeout: Duration::from_secs(10),
            timeout: Duration::from_secs(600),
            n_attempts: 6,
            body_limit: 16 << 20,
        }
    }

    /// With this key.
    #[must_use]
    pub fn key(mut self, key: Secret) -> Self {
        self.key = Some(key);
        self
    }

    /// With the key in an environment variable.
    ///
    /// # Errors
    /// [`Error::Config`] when it is required and not set.
    pub fn key_from_env(self, variable: &str, required: bool) -> Result<Self, Error> {
        match std::env::var(variable).ok().filter(|key| !key.trim().is_empty()) {
            Some(key) => Ok(self.key(Secret::new(key.trim()))),
            None if required => Err(Error::Config {
                model: self.model,
                reason: format!("the environment variable `{variable}` with its key is not set"),
            }),
            None => Ok(self),
        }
    }

    fn url(&self) -> String {
        let path = match self.protocol {
            Protocol::ChatCompletions => "chat/completions",
            Protocol::Responses => "responses",
            Protocol::Messages => "messages",
        };
        format!("{}/{path}", self.base_url)
    }

    fn headers(&self) -> Vec<(&'static str, String)> {
        let mut headers = vec![("content-type", "application/json".to_owned())];
        let key = self.key.as_ref().map(Secret::expose);
        match (self.protocol, key) {
            (Protocol::Messages, key) => {
                headers.push(("anthropic-version", "2023-06-01".to_owned()));
                headers.extend(key.map(|key| ("x-api-key", key.to_owned())));
            }
            (_, key) => headers.extend(key.map(|key| ("authorization", format!("Bearer {key}")))),
        }
        headers
    }

    fn encode(&self, request: &Request) -> Value {
        let mut body = match self.protocol {
            Protocol::ChatCompletions => chat_completions::encode(&self.model, request),
            Protocol::Responses => responses::encode(&self.model, request),
            Protocol::Messages => messages::encode(&self.model, request),
        };
        if let (Some(Value::Object(extra)), Value::Object(body)) = (&self.extra_body, &mut body) {
            body.extend(extra.clone());
        }
        body
    }

    fn decode(&self, body: &Value, request: &Request) -> Result<Reply, Error> {
        let reply = match self.protocol {
            Protocol::ChatCompletions => chat_completions::decode(body),
            Protocol::Responses => responses::decode(body),
            Protocol::Messages => messages::decode(body),
        }
        .map_err(|reason| Error::Protocol { reason })?;
        Ok(quirks::mend(reply, request))
    }
}

/// A model over HTTP.
#[derive(Debug)]
pub struct HttpModel {
    name: String,
    endpoint: Endpoint,
    prices: Arc<Prices>,
    gate: Arc<Gate>,
    pause: Arc<dyn Pause>,
    cancel: Arc<AtomicBool>,
    client: send::Client,
}

impl HttpModel {
    /// A model called `name` in reports.
    ///
    /// # Errors
    /// [`Error::Config`] for a URL that is none, or that would send a key in the clear to another
    /// machine.
    pub fn new(name: &str, endpoint: Endpoint, prices: Arc<Prices>) -> Result<Self, Error> {
        let config =
            |reason: &str| Error::Config { model: name.to_owned(), reason: reason.to_owned() };
        let url =
            reqwest::Url::parse(&endpoint.base_url).map_err(|_| config("its URL is malformed"))?;
        let local =
            url.host_str().is_some_and(|host| matches!(host, "127.0.0.1" | "localhost" | "[::1]"));
        match url.scheme() {
            "https" => {}
            "http" if local || endpoint.key.is_none() => {}
            "http" => return Err(config("a key would be sent unencrypted; use https")),
            _ => return Err(config("its URL must begin with http:// or https://")),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(config(
                "its URL carries credentials; put the key into an environment variable",
            ));
        }
        let client = send::Client::new(&endpoint).map_err(|reason| config(&reason))?;
        Ok(Self {
            name: name.to_owned(),
            endpoint,
            prices,
            gate: Arc::new(Gate::open()),
            pause: Arc::new(RealPause),
            cancel: Arc::new(AtomicBool::new(false)),
            client,
        })
    }

    /// Shares limits with other models.
    #[must_use]
    pub fn with_gate(mut self, gate: Arc<Gate>) -> Self {
        self.gate = gate;
        self
    }

    /// Waits by another clock.
    #[must_use]
    pub fn with_pause(mut self, pause: Arc<dyn Pause>) -> Self {
        self.pause = pause;
        self
    }

    /// Stops waiting when the flag is set.
    #[must_use]
    pub fn with_cancel(mut self, cancel: Arc<AtomicBool>) -> Self {
        self.cancel = cancel;
        self
    }

    fn redact(&self, text: &str) -> String {
        self.endpoint.key.as_ref().map_or_else(|| text.to_owned(), |key| key.redact(text))
    }
}

impl Chat for HttpModel {
    fn name(&self) -> &str {
        &self.name
    }

    fn complete(&self, request: &Request) -> Result<Reply, Error> {
        let body = self.endpoint.encode(request).to_string();
        let answered = retry::until_answered(self, &body)?;
        let parsed: Value = serde_json::from_str(&answered.body)
            .map_err(|error| Error::Protocol { reason: format!("not JSON: {error}") })?;
        let mut reply = self.endpoint.decode(&parsed, request)?;
        if reply.model.is_empty() {
            reply.model.clone_from(&self.endpoint.model);
        }
        reply.usage.cost_usd = self.prices.cost_usd(&reply.model, &reply.usage);
        reply.wire = Wire {
            url: self.redact(&self.endpoint.url()),
            request: self.redact(&body),
            response: self.redact(&answered.body),
            status: answered.status,
            n_attempts: answered.n_attempts,
            latency: answered.latency,
        };
        Ok(reply)
    }
}
