//! A chat model as a proposer.
//!
//! It is told what is to be computed, shown candidates with what was found about them, and asked for
//! a whole text, for changes to one, or for a combination of several. What comes back is a candidate
//! like any other: compiled, run and judged in the sandbox, and nobody's parent before it is
//! verified. A model has no word in that, sees no seed and no expected output, and its key stays in
//! this process.
//!
//! Text from the archive may have been written by a model that would like to talk to the next one:
//! [`fence`] takes comments and control characters out and shows the rest as data.

mod brief;
mod describe;
pub mod fence;
mod prompt;
mod reply;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Instant;

use llm::chat::{Chat, Message, Usage};
use llm::price::Prices;
use serde::Serialize;

pub use brief::Brief;
pub use describe::describe;
pub use reply::{candidate_in, patched};

use super::{Offer, Operator, Proposal, Proposer, Request, Spent};
use crate::Error;

/// Bytes that a token stands for at least, in code and English: for estimates that must not be low.
const BYTES_A_TOKEN: u64 = 3;

/// How a model is asked.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelConfig {
    /// Ceiling on the tokens of one reply.
    pub reply_tokens: u32,
    /// Sampling temperature; the provider's default when absent.
    pub temperature: Option<f32>,
}

/// A chat model that writes candidates.
pub struct Model<'a> {
    chat: Box<dyn Chat>,
    brief: &'a Brief,
    config: ModelConfig,
    prices: Arc<Prices>,
}

impl std::fmt::Debug for Model<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Model").field("name", &self.chat.name()).finish_non_exhaustive()
    }
}

/// What requests would take, at most.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Estimate {
    /// Requests.
    pub n_requests: u64,
    /// Prompt tokens.
    pub input_tokens: u64,
    /// Ceiling of the tokens written.
    pub output_tokens: u64,
    /// US dollars; `None` when the model has no price.
    pub usd: Option<f64>,
}

impl<'a> Model<'a> {
    /// A model that knows this brief. `prices` are for estimates; costs come with the replies.
    #[must_use]
    pub fn new(
        chat: Box<dyn Chat>,
        brief: &'a Brief,
        config: ModelConfig,
        prices: Arc<Prices>,
    ) -> Self {
        Self { chat, brief, config, prices }
    }

    /// What `n_requests` would take at most, without sending any: of the first round, in which all
    /// that is known is the plain kernel.
    #[must_use]
    pub fn estimate(&self, n_requests: u64) -> Estimate {
        let request = Request {
            operator: Operator::LlmFull,
            strength: 1,
            parents: &[],
            failures: &[],
            seed: 0,
            tokens_left: None,
            usd_left: None,
        };
        let (tokens, usd) = self.cost_of(&self.request(&request));
        Estimate {
            n_requests,
            input_tokens: tokens * n_requests,
            output_tokens: u64::from(self.config.reply_tokens) * n_requests,
            usd: usd.map(|usd| usd * n_requests as f64),
        }
    }

    fn request(&self, request: &Request<'_>) -> llm::Request {
        llm::Request {
            system: Some(prompt::system(self.brief)),
            messages: vec![Message::User { text: prompt::user(self.brief, request) }],
            tools: Vec::new(),
            max_output_tokens: self.config.reply_tokens,
            temperature: self.config.temperature,
            seed: Some(request.seed),
        }
    }

    /// Prompt tokens of a request, and what it may cost, both at most.
    fn cost_of(&self, request: &llm::Request) -> (u64, Option<f64>) {
        let of = |message: &Message| match message {
            Message::User { text } | Message::Assistant { text, .. } => text.len(),
            Message::Tool { content, .. } => content.len(),
        };
        let n_bytes = request.system.as_ref().map_or(0, String::len)
            + request.messages.iter().map(of).sum::<usize>();
        let usage = Usage {
            input_tokens: (n_bytes as u64).div_ceil(BYTES_A_TOKEN),
            output_tokens: u64::from(self.config.reply_tokens),
            ..Usage::default()
        };
        // Names on the command line begin with the provider.
        let name = self.chat.name();
        let model = name.rsplit_once(['#', ':']).map_or(name, |(_, model)| model);
        let usd = if name.starts_with("scripted:") {
            Some(0.0)
        } else {
            self.prices.cost_usd(model, &usage)
        };
        (usage.input_tokens, usd)
    }

    /// Nothing is sent that could go over a limit.
    fn afford(&self, sent: &llm::Request, request: &Request<'_>) -> Result<(), Error> {
        let (tokens, usd) = self.cost_of(sent);
        let tokens = tokens + u64::from(self.config.reply_tokens);
        let over = |spent: f64, limit: f64, unit: &str| {
            Err(llm::Error::Budget { spent, limit, unit: unit.to_owned() }.into())
        };
        if let Some(left) = request.tokens_left.filter(|left| *left < tokens) {
            return over(
                tokens as f64,
                left as f64,
                "tokens left, which one more request may take",
            );
        }
        match (request.usd_left, usd) {
            (Some(left), Some(usd)) if usd > left => {
                over(usd, left, "USD left, which one more request may take")
            }
            (Some(_), None) => Err(llm::Error::Config {
                model: self.chat.name().to_owned(),
                reason: "a money budget needs its price".to_owned(),
            }
            .into()),
            _ => Ok(()),
        }
    }
}

impl Proposer for Model<'_> {
    fn name(&self) -> &str {
        self.chat.name()
    }

    fn operators(&self) -> Vec<Operator> {
        vec![Operator::LlmFull, Operator::LlmDiff, Operator::LlmCross]
    }

    fn most(&self, request: &Request<'_>) -> (u64, f64) {
        let (tokens, usd) = self.cost_of(&self.request(request));
        (tokens + u64::from(self.config.reply_tokens), usd.unwrap_or(0.0))
    }

    fn propose(&self, request: &Request<'_>) -> Result<Offer, Error> {
        let began = Instant::now();
        let sent = self.request(request);
        self.afford(&sent, request)?;
        let reply = self.chat.complete(&sent)?;
        let spent = Spent {
            input_tokens: reply.usage.input_tokens,
            output_tokens: reply.usage.output_tokens,
            usd: reply.usage.cost_usd,
            secs: began.elapsed().as_secs_f64(),
        };
        let source = match (request.operator, request.parents) {
            (Operator::LlmDiff, [parent, ..]) => {
                patched(&fence::without_comments(&parent.candidate.source), &reply.text)
            }
            _ => candidate_in(&reply.text),
        };
        let cut = reply.stop == llm::chat::Stop::Length;
        let proposal = source
            .map_err(|problem| match cut {
                true => format!("the reply was cut at its token ceiling: {problem}"),
                false => problem,
            })
            .map(|source| {
                let descriptors = describe(&source);
                let candidate = self.brief.candidate(source);
                Proposal { candidate, genotype: None, descriptors }
            });
        Ok(Offer { proposal, spent })
    }
}
