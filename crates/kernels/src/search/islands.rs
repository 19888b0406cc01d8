//! What a search knows: islands of attempts, and on each the best of every kind.
//!
//! The state follows from what was seen, in the order in which it was seen, and from nothing else:
//! a search that was killed computes it again. Rules:
//!
//! - Only what was right in every timed call lives on an island. What would be its best, and comes
//!   near the best of all, first waits for a promotion, and so does whatever a model wrote; nobody
//!   descends from it meanwhile.
//! - An estimate that led to a promotion is forgotten: being the best of many, it was also lucky.
//!   Measurements since then count, as their geometric mean.
//! - The best of a search is measured twice at least after its first look.
//! - What is found wrong at any time leaves all islands.
//! - Every few evaluations the best of each island also settles on the next one in the ring.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::archive::{AttemptId, AttemptRecord, Kind, Seen};
use crate::evaluation::Level;
use crate::space::Descriptors;

/// How much better than the best the first look at a candidate has to be for a second one, as a
/// logarithm. Without it, measurements that scatter would have every other equal looked at again.
const MARGIN: f64 = 0.02;
/// How far behind the best of a search an island's best may be for a second look, as a logarithm.
const NEAR: f64 = 0.1;
/// Measurements that the best of a search has at least, and times that this is tried.
const N_MEASURED: u32 = 2;
const N_LAST_LOOKS: u32 = 3;

/// Shape of a population.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shape {
    /// Islands.
    pub n_islands: usize,
    /// Evaluations between migrations.
    pub migrate_every: u64,
    /// Evaluations between measuring the best again.
    pub recheck_every: u64,
}

/// An attempt that may live on islands.
#[derive(Debug, Clone, PartialEq)]
pub struct Member {
    /// The attempt.
    pub attempt: AttemptId,
    /// Where it was born.
    pub island: usize,
    /// Its kind.
    pub descriptors: Descriptors,
    /// Whether it is a schedule.
    pub has_genotype: bool,
    /// Logarithm of the baseline's time over its own, by the measurements that count.
    pub estimate: f64,
    /// Measurements in the estimate.
    pub n_measured: u32,
    /// Whether this version of the judge has verified it.
    pub is_verified: bool,
}

/// An attempt that also settled on another island.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Migration {
    /// The attempt.
    pub attempt: AttemptId,
    /// From where.
    pub from: usize,
    /// To where.
    pub to: usize,
    /// Evaluations seen by then.
    pub at: u64,
}

/// An evaluation that is wanted beyond the first one of every attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Due {
    /// The attempt.
    pub attempt: AttemptId,
    /// What for.
    pub kind: Kind,
    /// How often before for the same.
    pub round: u32,
}

/// Reviews of one attempt.
#[derive(Debug, Clone, Copy, Default)]
struct Reviews {
    n_promotions: u32,
    n_rechecks: u32,
}

/// All islands.
#[derive(Debug)]
pub struct Population {
    shape: Shape,
    harness: String,
    members: BTreeMap<AttemptId, Member>,
    /// Who lives where; an attempt may live on several islands.
    residents: Vec<BTreeSet<AttemptId>>,
    /// Estimates of those that wait for their promotion.
    waiting: BTreeMap<AttemptId, f64>,
    reviews: BTreeMap<AttemptId, Reviews>,
    quarantined: BTreeSet<AttemptId>,
    migrations: Vec<Migration>,
    due: Vec<Due>,
    n_evaluated: u64,
}

impl Population {
    /// Nobody yet. `harness` is the version of the judge whose verifications count.
    #[must_use]
    pub fn new(shape: Shape, harness: &str) -> Self {
        Self {
            shape,
            harness: harness.to_owned(),
            members: BTreeMap::new(),
            residents: vec![BTreeSet::new(); shape.n_islands.max(1)],
            waiting: BTreeMap::new(),
            reviews: BTreeMap::new(),
            quarantined: BTreeSet::new(),
            migrations: Vec::new(),
            due: Vec::new(),
            n_evaluated: 0,
        }
    }

    /// Takes in the next finding.
    pub fn absorb(&mut self, attempt: &AttemptRecord, seen: &Seen) {
        match seen.kind {
            Kind::Evaluation => self.absorb_evaluation(attempt, seen),
            Kind::Promotion => self.absorb_promotion(attempt, seen),
            Kind::Recheck => self.absorb_recheck(attempt.id, seen),
        }
    }

    fn absorb_evaluation(&mut self, attempt: &AttemptRecord, seen: &Seen) {
        self.n_evaluated += 1;
        if let Some(estimate) = estimate_of(seen) {
            let member = member(attempt, estimate);
            let beats = |other: Option<&Member>| {
                other.is_none_or(|other| estimate > other.estimate + MARGIN)
            };
            // A promotion costs as much as many first looks. Schedules compute what they should, so
            // those far behind the best of all can wait for it until they are better.
            let is_near = self.best().is_none_or(|best| estimate > best.estimate - NEAR);
            let waits = if attempt.has_genotype {
                is_near && beats(self.champion(member.island))
            } else {
                beats(self.owner(member.island, &member.descriptors))
            };
            if waits {
                self.waiting.insert(attempt.id, estimate);
                self.ask(attempt.id, Kind::Promotion);
            } else if attempt.has_genotype {
                self.settle(member);
            }
        }
        if self.n_evaluated.is_multiple_of(self.shape.migrate_every.max(1)) {
            self.migrate();
        }
        if self.n_evaluated.is_multiple_of(self.shape.recheck_every.max(1))
            && let Some(best) = self.best().map(|best| best.attempt)
        {
            self.ask(best, Kind::Recheck);
        }
    }

    fn absorb_promotion(&mut self, attempt: &AttemptRecord, seen: &Seen) {
        self.reviews.entry(attempt.id).or_default().n_promotions += 1;
        let first = self.waiting.remove(&attempt.id);
        if seen.rejection.is_some() {
            return self.expel(attempt.id);
        }
        if self.quarantined.contains(&attempt.id) {
            return;
        }
        let is_verified = seen.level == Level::Verified && seen.harness == self.harness;
        let estimate = estimate_of(seen);
        if is_verified && let Some(estimate) = estimate {
            self.settle(Member { is_verified, ..member(attempt, estimate) });
        } else if attempt.has_genotype
            && let Some(estimate) = estimate.or(first)
        {
            // Not shown to be right by a judge of today, but not wrong either: it may be varied.
            self.settle(member(attempt, estimate));
        }
        if seen.level == Level::Verified && seen.harness != self.harness {
            self.ask(attempt.id, Kind::Promotion);
        }
    }

    fn absorb_recheck(&mut self, attempt: AttemptId, seen: &Seen) {
        self.reviews.entry(attempt).or_default().n_rechecks += 1;
        if seen.rejection.is_some() {
            return self.expel(attempt);
        }
        if let (Some(estimate), Some(member)) = (estimate_of(seen), self.members.get_mut(&attempt))
        {
            let n = f64::from(member.n_measured);
            member.estimate = (member.estimate * n + estimate) / (n + 1.0);
            member.n_measured += 1;
        }
    }

    /// Wants another evaluation of a kind, of which there may have been some.
    fn ask(&mut self, attempt: AttemptId, kind: Kind) {
        let reviews = self.reviews.entry(attempt).or_default();
        let round = match kind {
            Kind::Evaluation => 0,
            Kind::Promotion => reviews.n_promotions,
            Kind::Recheck => reviews.n_rechecks,
        };
        self.due.push(Due { attempt, kind, round });
    }

    fn settle(&mut self, member: Member) {
        if !self.quarantined.contains(&member.attempt) {
            self.residents[member.island].insert(member.attempt);
            self.members.insert(member.attempt, member);
        }
    }

    fn expel(&mut self, attempt: AttemptId) {
        self.quarantined.insert(attempt);
        self.members.remove(&attempt);
        for residents in &mut self.residents {
            residents.remove(&attempt);
        }
    }

    fn migrate(&mut self) {
        let n_islands = self.residents.len();
        if n_islands < 2 {
            return;
        }
        // All leave before any arrives: a champion moves one island at a time.
        let leaving: Vec<Option<AttemptId>> =
            (0..n_islands).map(|idx| self.champion(idx).map(|best| best.attempt)).collect();
        for (from, attempt) in leaving.into_iter().enumerate() {
            let to = (from + 1) % n_islands;
            if let Some(attempt) = attempt
                && self.residents[to].insert(attempt)
            {
                self.migrations.push(Migration { attempt, from, to, at: self.n_evaluated });
            }
        }
    }

    /// Evaluations that became due since the last call.
    pub fn take_due(&mut self) -> Vec<Due> {
        std::mem::take(&mut self.due)
    }

    /// The evaluation that the best still needs before a search may end with it.
    #[must_use]
    pub fn last_look(&self) -> Option<Due> {
        let best = self.best().filter(|best| best.n_measured < N_MEASURED)?;
        let round = self.reviews.get(&best.attempt).map_or(0, |reviews| reviews.n_rechecks);
        let due = Due { attempt: best.attempt, kind: Kind::Recheck, round };
        (round < N_LAST_LOOKS).then_some(due)
    }

    /// Who lives on an island.
    pub fn residents(&self, island: usize) -> impl Iterator<Item = &Member> {
        self.residents[island].iter().filter_map(|attempt| self.members.get(attempt))
    }

    /// The best of each kind on an island. Of equals the older one.
    #[must_use]
    pub fn owners(&self, island: usize) -> BTreeMap<&Descriptors, &Member> {
        let mut owners: BTreeMap<&Descriptors, &Member> = BTreeMap::new();
        for member in self.residents(island) {
            let owner = owners.entry(&member.descriptors).or_insert(member);
            if member.estimate > owner.estimate {
                *owner = member;
            }
        }
        owners
    }

    /// The best of one kind on an island.
    #[must_use]
    pub fn owner(&self, island: usize, kind: &Descriptors) -> Option<&Member> {
        best_of(self.residents(island).filter(|member| member.descriptors == *kind))
    }

    /// The best verified one on an island.
    #[must_use]
    pub fn champion(&self, island: usize) -> Option<&Member> {
        best_of(self.residents(island).filter(|member| member.is_verified))
    }

    /// The best verified one.
    #[must_use]
    pub fn best(&self) -> Option<&Member> {
        best_of(self.members.values().filter(|member| member.is_verified))
    }

    /// A member by its attempt.
    #[must_use]
    pub fn member(&self, attempt: AttemptId) -> Option<&Member> {
        self.members.get(&attempt)
    }

    /// Who settled elsewhere, in order.
    #[must_use]
    pub fn migrations(&self) -> &[Migration] {
        &self.migrations
    }

    /// What was found wrong after it had been right once.
    #[must_use]
    pub fn quarantined(&self) -> &BTreeSet<AttemptId> {
        &self.quarantined
    }

    /// First evaluations seen.
    #[must_use]
    pub fn n_evaluated(&self) -> u64 {
        self.n_evaluated
    }

    /// The version of the judge whose verifications count.
    #[must_use]
    pub fn harness(&self) -> &str {
        &self.harness
    }

    /// Islands.
    #[must_use]
    pub fn n_islands(&self) -> usize {
        self.residents.len()
    }
}

/// Logarithm of the ratio of what was right and timed.
fn estimate_of(seen: &Seen) -> Option<f64> {
    let fine = seen.rejection.is_none() && seen.level >= Level::Timed;
    seen.ratio.filter(|ratio| fine && ratio.is_finite() && *ratio > 0.0).map(f64::ln)
}

fn member(attempt: &AttemptRecord, estimate: f64) -> Member {
    Member {
        attempt: attempt.id,
        island: attempt.island,
        descriptors: attempt.descriptors.clone(),
        has_genotype: attempt.has_genotype,
        estimate,
        n_measured: 1,
        is_verified: false,
    }
}

/// Of equals the first.
fn best_of<'a>(members: impl Iterator<Item = &'a Member>) -> Option<&'a Member> {
    members.fold(None, |best: Option<&Member>, member| match best {
        Some(best) if best.estimate >= member.estimate => Some(best),
        _ => Some(member),
    })
}
