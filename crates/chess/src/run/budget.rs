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

#[cfg(test)]
mod tests {
    use super::*;

    struct Costly(Option<f64>);

    impl Chat for Costly {
        fn name(&self) -> &str {
            "costly"
        }

        fn complete(&self, _request: &Request) -> Result<Reply, llm::Error> {
            let mut reply = crate::sample::reply(100);
            reply.usage.cost_usd = self.0;
            Ok(reply)
        }
    }

    /// Requests that go through until the purse says no, and what it says.
    fn requests(cost: Option<f64>, limit: RunBudget, spent: Spent) -> (u32, llm::Error) {
        let purse = Purse::new(limit, spent);
        let chat = Paying { chat: &Costly(cost), purse: &purse };
        let request = Request {
            system: None,
            messages: Vec::new(),
            tools: Vec::new(),
            max_output_tokens: 1,
            temperature: None,
            seed: None,
        };
        let mut n = 0;
        loop {
            match chat.complete(&request) {
                Ok(_) => n += 1,
                Err(error) => return (n, error),
            }
        }
    }

    #[test]
    fn tokens_of_earlier_sittings_count() {
        let limit = RunBudget { tokens: Some(300), usd: None };
        let (n, error) = requests(None, limit, Spent::default());
        assert_eq!(n, 3);
        assert!(matches!(error, llm::Error::Budget { unit, .. } if unit == "tokens"));
        let spent = Spent { tokens: 250, ..Spent::default() };
        assert_eq!(requests(None, limit, spent).0, 1);
    }

    #[test]
    fn money_is_counted_by_price_and_a_model_without_one_is_refused() {
        let limit = RunBudget { tokens: None, usd: Some(1.0) };
        assert_eq!(requests(Some(0.5), limit, Spent::default()).0, 2);
        let (n, error) = requests(None, limit, Spent::default());
        assert_eq!(n, 1);
        assert!(matches!(error, llm::Error::Config { .. }));
    }
}
