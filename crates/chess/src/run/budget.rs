//! What all games of a run may spend together.

use std::sync::Mutex;

use llm::chat::{Chat, Reply, Request};

use super::lock;
use crate::config::RunBudget;
use crate::record::Spent;

/// The run's money and tokens.
#[derive(Debug)]
pub(super) struct Purse {
    limit: RunBudget,
    spent: Mutex<Spent>,
}

impl Purse {
    pub(super) fn new(limit: RunBudget, spent: Spent) -> Self {
        Self { limit, spent: Mutex::new(spent) }
    }

    pub(super) fn spent(&self) -> Spent {
        *lock(&self.spent)
    }

    /// Whether another request may be sent. Requests that are under way are not known yet, so the
    /// limit can be passed by at most one reply per thread.
    fn check(&self) -> Result<(), llm::Error> {
        let spent = self.spent();
        if let Some(limit) = self.limit.tokens.filter(|limit| spent.tokens >= *limit) {
            let unit = "tokens".to_owned();
            return Err(llm::Error::Budget {
                spent: spent.tokens as f64,
                limit: limit as f64,
                unit,
            });
        }
        if let Some(limit) = self.limit.usd.filter(|limit| spent.usd >= *limit) {
            return Err(llm::Error::Budget { spent: spent.usd, limit, unit: "USD".into() });
        }
        if self.limit.usd.is_some() && spent.n_unpriced > 0 {
            let reason = "it has no price, and the run has a budget in money".to_owned();
            return Err(llm::Error::Config { model: "the last one asked".into(), reason });
        }
        Ok(())
    }
}

/// A chat that pays from the run's purse.
pub(super) struct Paying<'a> {
    pub(super) chat: &'a dyn Chat,
    pub(super) purse: &'a Purse,
}

impl Chat for Paying<'_> {
    fn name(&self) -> &str {
        self.chat.name()
    }

    fn complete(&self, request: &Request) -> Result<Reply, llm::Error> {
        self.purse.check()?;
        let reply = self.chat.complete(request)?;
        lock(&self.purse.spent).add(&reply.usage);
        Ok(reply)
    }
}
