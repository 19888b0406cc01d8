//! What a search knows: everything in the archive about it, taken in one after the other.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::bandit::{Bandit, reward};
use super::islands::{Population, Shape};
use super::summary::CurvePoint;
use crate::Error;
use crate::archive::{Archive, AttemptId, AttemptRecord, Kind, Seen};
use crate::evaluation::Rejection;
use crate::propose::{Operator, Spent};

/// Failures kept for each island, for models to learn from.
const N_FAILURES: usize = 4;

/// The state of a search. The same archive gives the same state.
#[derive(Debug)]
pub struct Knowledge {
    search: String,
    population: Population,
    bandit: Bandit,
    attempts: BTreeMap<AttemptId, AttemptRecord>,
    seqs: BTreeMap<u64, AttemptId>,
    candidates: BTreeMap<String, AttemptId>,
    unevaluated: BTreeSet<AttemptId>,
    failures: Vec<VecDeque<(Operator, Rejection)>>,
    rejected: BTreeMap<String, u64>,
    curve: Vec<CurvePoint>,
    spent: Spent,
    has_unpriced: bool,
    n_reviews: u64,
    last_attempt: AttemptId,
    last_finding: i64,
    n_fruitless: usize,
}

impl Knowledge {
    /// Nothing yet.
    #[must_use]
    pub fn new(search: &str, shape: Shape, harness: &str) -> Self {
        let population = Population::new(shape, harness);
        let n_islands = population.n_islands();
        Self {
            search: search.to_owned(),
            population,
            bandit: Bandit::default(),
            attempts: BTreeMap::new(),
            seqs: BTreeMap::new(),
            candidates: BTreeMap::new(),
            unevaluated: BTreeSet::new(),
            failures: vec![VecDeque::new(); n_islands],
            rejected: BTreeMap::new(),
            curve: Vec::new(),
            spent: Spent::default(),
            has_unpriced: false,
            n_reviews: 0,
            last_attempt: 0,
            last_finding: 0,
            n_fruitless: 0,
        }
    }

    /// Takes in what is new, and returns the findings among it.
    ///
    /// # Errors
    /// When the archive is damaged.
    pub fn sync(&mut self, archive: &Archive) -> Result<Vec<Seen>, Error> {
        // Findings first: whatever they are about is then among the attempts, read later.
        let seen = archive.seen_after(&self.search, self.last_finding)?;
        for attempt in archive.attempts_after(&self.search, self.last_attempt)? {
            self.last_attempt = attempt.id;
            self.pay(&attempt.spent);
            self.seqs.insert(attempt.seq, attempt.id);
            self.candidates.entry(attempt.candidate.clone()).or_insert(attempt.id);
            self.unevaluated.insert(attempt.id);
            self.attempts.insert(attempt.id, attempt);
        }
        let fruitless = archive.fruitless(&self.search)?;
        for reply in fruitless.iter().skip(self.n_fruitless) {
            self.pay(&reply.spent);
            self.bandit.note(&reply.proposer, reply.operator, 0.0, reply.spent.usd);
        }
        self.n_fruitless = fruitless.len();
        for finding in &seen {
            self.last_finding = finding.id;
            self.absorb(finding);
        }
        Ok(seen)
    }

    fn pay(&mut self, spent: &Spent) {
        self.spent.input_tokens += spent.input_tokens;
        self.spent.output_tokens += spent.output_tokens;
        self.spent.secs += spent.secs;
        if let Some(usd) = spent.usd {
            *self.spent.usd.get_or_insert(0.0) += usd;
        } else if spent.tokens() > 0 {
            self.has_unpriced = true;
        }
    }

    fn absorb(&mut self, seen: &Seen) {
        // Findings refer to attempts, which the archive holds, and which were read after them.
        let Some(attempt) = self.attempts.get(&seen.attempt) else { return };
        let island = attempt.island.min(self.failures.len() - 1);
        if seen.kind == Kind::Evaluation {
            self.unevaluated.remove(&attempt.id);
            let of = |id: &AttemptId| self.population.member(*id).map(|member| member.estimate);
            let parent = attempt.parents.iter().filter_map(of).max_by(f64::total_cmp);
            let child = seen.ratio.filter(|_| seen.rejection.is_none()).map(f64::ln);
            let reward = reward(child, parent);
            self.bandit.note(&attempt.proposer, attempt.operator, reward, attempt.spent.usd);
            if let Some(rejection) = &seen.rejection {
                let failures = &mut self.failures[island];
                failures.push_front((attempt.operator, rejection.clone()));
                failures.truncate(N_FAILURES);
            }
        } else {
            self.n_reviews += 1;
        }
        if let Some(rejection) = &seen.rejection {
            let name = serde_json::to_string(&rejection.reason).unwrap_or_default();
            *self.rejected.entry(name.trim_matches('"').to_owned()).or_default() += 1;
        }
        self.population.absorb(attempt, seen);
        let best = self.population.best().map(|best| (best.attempt, best.estimate.exp()));
        let last = self.curve.last().map(|point| (point.attempt, point.ratio));
        if let Some((attempt, ratio)) = best
            && best != last
        {
            let n_evaluated = self.population.n_evaluated();
            self.curve.push(CurvePoint { n_evaluated, at_millis: seen.at_millis, attempt, ratio });
        }
    }

    /// The islands.
    #[must_use]
    pub fn population(&self) -> &Population {
        &self.population
    }

    /// The islands, to take what is due.
    pub fn population_mut(&mut self) -> &mut Population {
        &mut self.population
    }

    /// What is known of proposers and operators.
    #[must_use]
    pub fn bandit(&self) -> &Bandit {
        &self.bandit
    }

    /// An attempt of this search.
    #[must_use]
    pub fn attempt(&self, id: AttemptId) -> Option<&AttemptRecord> {
        self.attempts.get(&id)
    }

    /// The attempt of this number.
    #[must_use]
    pub fn by_seq(&self, seq: u64) -> Option<AttemptId> {
        self.seqs.get(&seq).copied()
    }

    /// Attempts recorded.
    #[must_use]
    pub fn n_attempts(&self) -> usize {
        self.attempts.len()
    }

    /// Attempts recorded and not evaluated.
    #[must_use]
    pub fn n_unevaluated(&self) -> usize {
        self.unevaluated.len()
    }

    /// The attempt that tried this candidate, if one did.
    #[must_use]
    pub fn tried(&self, candidate: &str) -> Option<AttemptId> {
        self.candidates.get(candidate).copied()
    }

    /// What was turned away lately on an island, newest first.
    #[must_use]
    pub fn failures(&self, island: usize) -> Vec<(Operator, Rejection)> {
        self.failures[island].iter().cloned().collect()
    }

    /// Evaluations turned away, by reason; reviews count as well.
    #[must_use]
    pub fn rejected(&self) -> &BTreeMap<String, u64> {
        &self.rejected
    }

    /// How the best changed.
    #[must_use]
    pub fn curve(&self) -> &[CurvePoint] {
        &self.curve
    }

    /// Tokens, money and time of all proposals.
    #[must_use]
    pub fn spent(&self) -> Spent {
        self.spent
    }

    /// Whether some tokens had no known price.
    #[must_use]
    pub fn has_unpriced(&self) -> bool {
        self.has_unpriced
    }

    /// Promotions and rechecks made.
    #[must_use]
    pub fn n_reviews(&self) -> u64 {
        self.n_reviews
    }

    /// Replies that gave no candidate.
    #[must_use]
    pub fn n_fruitless(&self) -> usize {
        self.n_fruitless
    }
}
