//! The one interface to a model, and the messages that cross it.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Error;

/// A chat model. Implementations: `http` for three wire protocols, `scripted` for the twin.
pub trait Chat: Send + Sync {
    /// Name for reports: the model as asked for, or `scripted:NAME`.
    fn name(&self) -> &str;

    /// Sends one request and waits for its reply.
    ///
    /// # Errors
    /// See [`Error`]; retries are already spent when one is returned.
    fn complete(&self, request: &Request) -> Result<Reply, Error>;
}

/// One request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// System prompt; `None` sends none.
    pub system: Option<String>,
    /// The conversation so far, oldest first.
    pub messages: Vec<Message>,
    /// Tools the model may call.
    pub tools: Vec<Tool>,
    /// Ceiling on the reply's tokens, reasoning included where the provider counts it.
    pub max_output_tokens: u32,
    /// Sampling temperature; `None` leaves the provider's default.
    pub temperature: Option<f32>,
    /// Sampling seed, for the protocols that take one.
    pub seed: Option<u64>,
}

/// One message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "role", rename_all = "kebab-case")]
pub enum Message {
    /// From the person, or the harness that stands for one.
    User {
        /// The text.
        text: String,
    },
    /// From the model.
    Assistant {
        /// The text, maybe empty.
        text: String,
        /// Tools it called.
        tool_calls: Vec<ToolCall>,
        /// Provider blocks that have to be sent back unchanged (thinking signatures and the like).
        #[serde(default, skip_serializing_if = "Value::is_null")]
        opaque: Value,
    },
    /// The result of a tool call.
    Tool {
        /// [`ToolCall::id`] that this answers.
        call_id: String,
        /// The result.
        content: String,
        /// Whether the tool failed (not: whether the command inside it did).
        is_error: bool,
    },
}

/// A tool the model may call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tool {
    /// Name, `[a-z_]+`.
    pub name: String,
    /// What it does, for the model.
    pub description: String,
    /// JSON schema of its arguments.
    pub parameters: Value,
}

/// A call of a tool.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToolCall {
    /// Identifier that the result carries back.
    pub id: String,
    /// Name of the tool.
    pub name: String,
    /// Arguments; when the model wrote text that is not JSON, that text as a JSON string.
    pub arguments: Value,
}

/// What a model answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reply {
    /// Visible text, maybe empty.
    pub text: String,
    /// Reasoning text, where the provider shows it.
    pub reasoning: Option<String>,
    /// Tools called, in the model's order.
    pub tool_calls: Vec<ToolCall>,
    /// Why it stopped.
    pub stop: Stop,
    /// Tokens and money.
    pub usage: Usage,
    /// The model that answered, as the provider names it.
    pub model: String,
    /// Provider's identifier of this answer and its system fingerprint, where given.
    pub provider_id: Option<String>,
    /// See [`Message::Assistant`].
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub opaque: Value,
    /// The bytes behind it.
    pub wire: Wire,
}

/// Why a model stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stop {
    /// It was done.
    End,
    /// It called tools.
    ToolCalls,
    /// The token ceiling cut it.
    Length,
    /// The provider's filter cut it, or the model declined.
    Refusal,
    /// Anything else.
    Other,
}

/// Tokens and money of one reply; sums by `+=`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Usage {
    /// Prompt tokens, cached ones included.
    pub input_tokens: u64,
    /// Prompt tokens served from a cache.
    pub cached_tokens: u64,
    /// Tokens written, reasoning included.
    pub output_tokens: u64,
    /// Reasoning tokens among them, where told.
    pub reasoning_tokens: u64,
    /// Cost by the price table; `None` when the model has no price.
    pub cost_usd: Option<f64>,
}

/// Exact bytes of the exchange, keys redacted, for the log.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Wire {
    /// URL without query secrets; empty for twins.
    pub url: String,
    /// Body sent.
    pub request: String,
    /// Body of the final answer.
    pub response: String,
    /// HTTP status of the final answer.
    pub status: u16,
    /// Requests sent until it came.
    pub n_attempts: u32,
    /// From first byte sent to last byte read, waits between attempts included.
    pub latency: Duration,
}
