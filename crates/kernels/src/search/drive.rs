//! Threads that propose and evaluate until a limit.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::bandit::Arm;
use super::plan::{Plan, plan};
use super::summary::summarize;
use super::{Deps, End, Knowledge, Progress, SearchConfig, SearchSummary, Standing, Strategy};
use crate::Error;
use crate::archive::{AttemptId, NewAttempt, Order, SearchRecord};
use crate::propose::builtin::{Builtin, Opening};
use crate::propose::{Offer, Operator, Parent, Proposer, Request, Spent};
use crate::queue::fulfil;

/// How long a claim of a thread of ours lasts without being extended.
const LEASE: Duration = Duration::from_secs(60);
/// Pause while others are at work.
const PAUSE: Duration = Duration::from_millis(3);
/// Time between notes that the sitting goes on.
const NOTE_EVERY: Duration = Duration::from_millis(500);
/// Orders handed on to another queue are offered, and findings collected, so often.
const RELAY_EVERY: Duration = Duration::from_millis(100);
/// Draws of a candidate that was tried before until the space counts as exhausted.
const N_DRAWS: u64 = 48;
/// Draws after which crossover gives way to mutation.
const N_CROSSINGS: u64 = 6;
/// Replies without candidate, one after the other, until the schedules are varied instead.
const N_REPLIES: usize = 3;
/// Workers of a search itself; its claims end when it is begun again.
const OWN: &str = "search:";

/// What the threads of one search share.
struct Hall<'a> {
    config: &'a SearchConfig,
    search: &'a SearchRecord,
    deps: &'a Deps<'a>,
    progress: &'a dyn Progress,
    builtin: Builtin<'a>,
    uses_builtin: bool,
    openings: Vec<Opening>,
    state: Mutex<State>,
    stop: AtomicBool,
    n_done: AtomicU64,
    began: Instant,
    sat_before_secs: f64,
}

/// What changes, under one lock.
struct State {
    knowledge: Knowledge,
    /// Numbers that are being proposed.
    planned: BTreeMap<u64, Option<Arm>>,
    /// What requests under way may take, by number: tokens and US dollars.
    reserved: BTreeMap<u64, (u64, f64)>,
    /// Proposers that gave up in this sitting.
    silent: BTreeSet<String>,
    end: Option<End>,
    failure: Option<Error>,
    noted: Instant,
    relayed: Instant,
    /// Evaluations that failed for reasons not theirs, by order.
    failed: BTreeMap<i64, u32>,
}

/// What a thread does next.
enum Step {
    Fulfil(Box<Order>),
    Propose(Plan),
    Open(u64),
    Wait,
    Leave,
}

pub(super) fn drive(
    config: &SearchConfig,
    search: &SearchRecord,
    deps: &Deps<'_>,
    progress: &dyn Progress,
) -> Result<SearchSummary, Error> {
    let archive = deps.archive;
    archive.release(&search.key, OWN)?;
    let builtin = Builtin::new(deps.space);
    let openings = openings(config, search, deps, &builtin)?;
    let sat_before_secs = archive.elapsed_secs(&search.key)?;
    let sitting = archive.sit_down(&search.key)?;
    let mut knowledge = Knowledge::new(&search.key, config.shape, &deps.evaluator.harness());
    knowledge.sync(archive)?;
    progress.opened(search, knowledge.n_attempts());
    let now = Instant::now();
    let hall = Hall {
        config,
        search,
        deps,
        progress,
        builtin,
        uses_builtin: config.proposers.iter().any(|name| name == "builtin"),
        openings,
        state: Mutex::new(State {
            knowledge,
            planned: BTreeMap::new(),
            reserved: BTreeMap::new(),
            silent: BTreeSet::new(),
            end: None,
            failure: None,
            noted: now,
            relayed: now,
            failed: BTreeMap::new(),
        }),
        stop: AtomicBool::new(false),
        n_done: AtomicU64::new(0),
        began: now,
        sat_before_secs,
    };
    let n_threads = config.jobs.clamp(1, config.shape.n_islands);
    std::thread::scope(|scope| {
        let hall = &hall;
        let workers: Vec<_> =
            (0..n_threads).map(|idx| scope.spawn(move || hall.work(idx, sitting))).collect();
        for worker in workers {
            if let Err(panic) = worker.join() {
                hall.stop.store(true, Ordering::Relaxed);
                std::panic::resume_unwind(panic);
            }
        }
    });
    archive.still_sitting(sitting)?;
    let mut state = hall.state.into_inner().unwrap_or_else(PoisonError::into_inner);
    state.knowledge.sync(archive)?;
    let end = match state.failure {
        Some(Error::Interrupted) => End::Interrupted,
        Some(error) => return Err(error),
        None => state.end.unwrap_or(End::Interrupted),
    };
    summarize(config, search, archive, &state.knowledge, end)
}

/// What the search begins with, at most half of its evaluations.
fn openings(
    config: &SearchConfig,
    search: &SearchRecord,
    deps: &Deps<'_>,
    builtin: &Builtin<'_>,
) -> Result<Vec<Opening>, Error> {
    let mut foreign = Vec::new();
    if config.strategy == Strategy::Evolve {
        for &attempt in &search.adopted {
            if let Some(genotype) = deps.archive.proposal(attempt)?.genotype {
                foreign.push((attempt, genotype));
            }
        }
    }
    let mut openings = builtin.openings(&foreign);
    openings.truncate(config.budget.evaluations.div_ceil(2).max(1) as usize);
    if config.strategy == Strategy::Random {
        openings.truncate(1);
    }
    Ok(openings)
}

impl Hall<'_> {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Plain data, of which the archive has the truth.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self, idx: usize, sitting: i64) {
        let worker = format!("{OWN}{}:{idx}", std::process::id());
        let result = self.work_on(&worker, sitting);
        if let Err(error) = result {
            self.stop.store(true, Ordering::Relaxed);
            let mut state = self.lock();
            if matches!(state.failure, None | Some(Error::Interrupted)) {
                state.failure = Some(error);
            }
        }
    }

    fn work_on(&self, worker: &str, sitting: i64) -> Result<(), Error> {
        loop {
            if self.deps.cancel.load(Ordering::Relaxed) {
                return Err(Error::Interrupted);
            }
            if self.stop.load(Ordering::Relaxed) {
                return Ok(());
            }
            match self.next(worker, sitting)? {
                Step::Fulfil(order) => self.fulfil(&order, worker)?,
                Step::Propose(plan) => self.propose(&plan)?,
                Step::Open(seq) => self.open(seq)?,
                Step::Wait => std::thread::sleep(PAUSE),
                Step::Leave => return Ok(()),
            }
        }
    }

    /// Takes in what is new and decides.
    fn next(&self, worker: &str, sitting: i64) -> Result<Step, Error> {
        let archive = self.deps.archive;
        let mut state = self.lock();
        let state = &mut *state;
        if state.noted.elapsed() > NOTE_EVERY {
            state.noted = Instant::now();
            archive.still_sitting(sitting)?;
        }
        self.relay(state)?;
        self.sync(state)?;
        let secs = self.sat_before_secs + self.began.elapsed().as_secs_f64();
        if self.config.budget.secs.is_some_and(|limit| secs >= limit) {
            // What is under way is finished, so that nothing good is left unverified; of workers
            // elsewhere nobody knows how long they take.
            state.end.get_or_insert(End::TimeUp);
            if self.config.jobs == 0 {
                return Ok(Step::Leave);
            }
        }
        if self.config.jobs > 0
            && let Some(order) = archive.claim_of(Some(&self.search.key), worker, LEASE)?
        {
            return Ok(Step::Fulfil(Box::new(order)));
        }
        let n_begun = (state.knowledge.n_attempts() + state.planned.len()) as u64;
        if n_begun >= self.config.budget.evaluations || state.end.is_some() {
            let idle = state.planned.is_empty() && archive.n_open(&self.search.key)? == 0;
            if idle && let Some(due) = state.knowledge.population().last_look() {
                archive.order(due.attempt, due.kind, due.round)?;
                return Ok(Step::Wait);
            }
            if idle {
                state.end.get_or_insert(End::Complete);
                return Ok(Step::Leave);
            }
            return Ok(Step::Wait);
        }
        // What is proposed knows all but as many results as there are islands.
        let n_flying = state.knowledge.n_unevaluated() + state.planned.len();
        if n_flying >= self.config.shape.n_islands {
            return Ok(Step::Wait);
        }
        let free =
            |seq: &u64| state.knowledge.by_seq(*seq).is_none() && !state.planned.contains_key(seq);
        let seq = (0..).find(free).unwrap_or(u64::MAX);
        if seq < self.openings.len() as u64 {
            state.planned.insert(seq, None);
            return Ok(Step::Open(seq));
        }
        let mut n_flying: BTreeMap<Arm, u64> = BTreeMap::new();
        for arm in state.planned.values().flatten() {
            *n_flying.entry(arm.clone()).or_default() += 1;
        }
        let arms = self.arms(state);
        let planned =
            plan(self.config, &state.knowledge, seq, self.openings.len(), &arms, &n_flying);
        match planned {
            Some(plan) => {
                state.planned.insert(seq, Some(plan.arm()));
                Ok(Step::Propose(plan))
            }
            // A model may need parents, which are still being evaluated.
            None if !arms.is_empty() && state.knowledge.n_unevaluated() > 0 => Ok(Step::Wait),
            None => {
                let paid_for = !self.deps.models.is_empty() && self.affordable(state).is_none();
                state.end = Some(if paid_for { End::BudgetUsedUp } else { End::Exhausted });
                Ok(Step::Wait)
            }
        }
    }

    fn relay(&self, state: &mut State) -> Result<(), Error> {
        let Some(relay) = self.deps.relay else { return Ok(()) };
        if state.relayed.elapsed() < RELAY_EVERY {
            return Ok(());
        }
        state.relayed = Instant::now();
        relay.offer(&self.deps.archive.open_orders(&self.search.key)?)?;
        for (order, finding) in relay.collect(&self.search.key)? {
            self.deps.archive.record_finding(order, &finding)?;
        }
        Ok(())
    }

    /// Tokens and money left; `None` when one of them is used up.
    fn affordable(&self, state: &State) -> Option<(Option<u64>, Option<f64>)> {
        let spent = state.knowledge.spent();
        let (mut tokens, mut usd) = (spent.tokens(), spent.usd.unwrap_or(0.0));
        for reserved in state.reserved.values() {
            tokens += reserved.0;
            usd += reserved.1;
        }
        let tokens = self.config.budget.tokens.map(|limit| limit.saturating_sub(tokens));
        let usd = self.config.budget.usd.map(|limit| limit - usd);
        (tokens != Some(0) && usd.is_none_or(|usd| usd > 0.0)).then_some((tokens, usd))
    }

    fn arms(&self, state: &State) -> Vec<Arm> {
        let mut arms = Vec::new();
        let mut offer = |proposer: &dyn Proposer| {
            let name = proposer.name();
            arms.extend(proposer.operators().into_iter().map(|each| (name.to_owned(), each)));
        };
        if self.uses_builtin {
            offer(&self.builtin);
        }
        if self.affordable(state).is_some() {
            for model in &self.deps.models {
                if !state.silent.contains(model.name()) {
                    offer(model.as_ref());
                }
            }
        }
        arms
    }

    fn fulfil(&self, order: &Order, worker: &str) -> Result<(), Error> {
        match fulfil(self.deps.archive, self.deps.evaluator.as_ref(), order, worker, LEASE) {
            Ok(_) => Ok(()),
            Err(error) => {
                crate::queue::Queue::give_back(self.deps.archive, order.id, worker)?;
                // Once may be chance: memory that was short, a process that could not be started.
                let n_failed = {
                    let mut state = self.lock();
                    let n_failed = state.failed.entry(order.id).or_default();
                    *n_failed += 1;
                    *n_failed
                };
                let passes = matches!(error, Error::Sandbox(_) | Error::System { .. });
                if passes && n_failed < 2 {
                    self.progress.note(&format!("attempt {}: {error}; once more", order.attempt));
                    return Ok(());
                }
                Err(error)
            }
        }
    }

    fn open(&self, seq: u64) -> Result<(), Error> {
        let opening = &self.openings[seq as usize];
        let recorded = self.deps.archive.propose(&NewAttempt {
            search: self.search.key.clone(),
            seq,
            island: (seq % self.config.shape.n_islands as u64) as usize,
            proposer: "builtin".to_owned(),
            operator: opening.operator,
            strength: 0,
            parents: opening.from.into_iter().collect(),
            proposal: opening.proposal.clone(),
            spent: Spent::default(),
        });
        self.planned(seq, recorded)
    }

    /// The number is in the archive, or free again.
    fn planned(&self, seq: u64, recorded: Result<AttemptId, Error>) -> Result<(), Error> {
        let mut state = self.lock();
        state.planned.remove(&seq);
        recorded?;
        self.sync(&mut state)
    }

    /// Takes in what is new, orders what became due, tells who watches.
    fn sync(&self, state: &mut State) -> Result<(), Error> {
        let seen = state.knowledge.sync(self.deps.archive)?;
        self.n_done.fetch_add(seen.len() as u64, Ordering::Relaxed);
        for due in state.knowledge.population_mut().take_due() {
            self.deps.archive.order(due.attempt, due.kind, due.round)?;
        }
        for finding in &seen {
            if let Some(attempt) = state.knowledge.attempt(finding.attempt) {
                self.progress.found(attempt, finding, &self.standing(&state.knowledge));
            }
        }
        Ok(())
    }

    fn propose(&self, plan: &Plan) -> Result<(), Error> {
        let proposed = self.make_and_record(plan);
        self.lock().reserved.remove(&plan.seq);
        proposed
    }

    fn make_and_record(&self, plan: &Plan) -> Result<(), Error> {
        match self.make(plan) {
            Ok(Some(attempt)) => {
                let recorded = self.deps.archive.propose(&attempt);
                self.planned(plan.seq, recorded)
            }
            Ok(None) => {
                let mut state = self.lock();
                state.planned.remove(&plan.seq);
                Ok(())
            }
            Err(error) => {
                self.lock().planned.remove(&plan.seq);
                Err(error)
            }
        }
    }

    /// The attempt, or none when the number has to be planned anew.
    fn make(&self, plan: &Plan) -> Result<Option<NewAttempt>, Error> {
        let parents = self.parents(&plan.parents)?;
        // Who draws without learning is not told of failures either.
        let failures = match self.config.strategy {
            Strategy::Evolve => self.lock().knowledge.failures(plan.island),
            Strategy::BestOfN | Strategy::Random => Vec::new(),
        };
        let request = |operator: Operator, seed: u64, strength: usize| Request {
            operator,
            strength,
            parents: &parents,
            failures: &failures,
            seed,
            tokens_left: None,
            usd_left: None,
        };
        if plan.proposer != self.builtin.name() {
            return self.ask_model(plan, request(plan.operator, plan.seed, plan.strength));
        }
        for draw in 0..N_DRAWS {
            // Parents that are much alike have few children; where everything near was tried, look
            // further away.
            let operator = if draw < N_CROSSINGS { plan.operator } else { Operator::Mutate };
            let strength = plan.strength + (draw / 4) as usize;
            let seed = plan.seed.wrapping_add(draw);
            let offer = self.builtin.propose(&request(operator, seed, strength))?;
            if let Ok(proposal) = offer.proposal
                && self.lock().knowledge.tried(&proposal.candidate.id()).is_none()
            {
                let plan = Plan { operator, strength, ..plan.clone() };
                return Ok(Some(self.attempt(&plan, proposal, offer.spent)));
            }
        }
        self.lock().end.get_or_insert(End::Exhausted);
        Ok(None)
    }

    fn ask_model(
        &self,
        plan: &Plan,
        mut request: Request<'_>,
    ) -> Result<Option<NewAttempt>, Error> {
        let Some(model) = self.deps.models.iter().find(|model| model.name() == plan.proposer)
        else {
            return Err(Error::Config { reason: format!("no proposer `{}`", plan.proposer) });
        };
        {
            let mut state = self.lock();
            let left = self.affordable(&state).unwrap_or((Some(0), None));
            (request.tokens_left, request.usd_left) = left;
            state.reserved.insert(plan.seq, model.most(&request));
        }
        let offer = match model.propose(&request) {
            Ok(offer) => offer,
            Err(Error::Model(llm::Error::Interrupted { .. })) => return Err(Error::Interrupted),
            Err(error) => {
                let is_budget = matches!(&error, Error::Model(llm::Error::Budget { .. }));
                let mut state = self.lock();
                state.silent.insert(plan.proposer.clone());
                if self.arms(&state).is_empty() {
                    if !is_budget {
                        return Err(error);
                    }
                    state.end.get_or_insert(End::BudgetUsedUp);
                }
                drop(state);
                self.progress.note(&format!("`{}` is left out from here: {error}", plan.proposer));
                return Ok(None);
            }
        };
        let (problem, spent) = match offer {
            Offer { proposal: Ok(proposal), spent } => {
                match self.lock().knowledge.tried(&proposal.candidate.id()) {
                    None => return Ok(Some(self.attempt(plan, proposal, spent))),
                    Some(attempt) => (format!("the text of attempt {attempt} again"), spent),
                }
            }
            Offer { proposal: Err(problem), spent } => (problem, spent),
        };
        let archive = self.deps.archive;
        let (key, operator) = (&self.search.key, plan.operator);
        archive.record_fruitless(key, plan.seq, &plan.proposer, operator, &problem, &spent)?;
        let replies = archive.fruitless(key)?;
        let n_same = replies.iter().filter(|reply| reply.seq == plan.seq).count();
        let mut state = self.lock();
        self.sync(&mut state)?;
        if n_same >= N_REPLIES {
            state.silent.insert(plan.proposer.clone());
            self.progress.note(&format!(
                "`{}` is left out from here: {n_same} replies without a candidate, last: {problem}",
                plan.proposer
            ));
        }
        Ok(None)
    }

    fn attempt(&self, plan: &Plan, proposal: crate::propose::Proposal, spent: Spent) -> NewAttempt {
        let varies = plan.operator == Operator::Mutate;
        NewAttempt {
            search: self.search.key.clone(),
            seq: plan.seq,
            island: plan.island,
            proposer: plan.proposer.clone(),
            operator: plan.operator,
            strength: if varies { plan.strength } else { 0 },
            parents: plan.parents.clone(),
            proposal,
            spent,
        }
    }

    fn parents(&self, ids: &[AttemptId]) -> Result<Vec<Parent>, Error> {
        let mut parents = Vec::new();
        for &attempt in ids {
            let proposal = self.deps.archive.proposal(attempt)?;
            let findings = self.deps.archive.findings(attempt)?;
            let Some(last) = findings.into_iter().next_back() else { continue };
            let ratio = {
                let state = self.lock();
                state.knowledge.population().member(attempt).map(|member| member.estimate.exp())
            };
            parents.push(Parent {
                attempt,
                candidate: proposal.candidate,
                genotype: proposal.genotype,
                descriptors: proposal.descriptors,
                ratio,
                evaluation: last.finding.evaluation,
            });
        }
        Ok(parents)
    }

    fn standing(&self, knowledge: &Knowledge) -> Standing {
        let secs = self.began.elapsed().as_secs_f64().max(1e-9);
        Standing {
            n_evaluated: knowledge.population().n_evaluated(),
            n_budget: self.config.budget.evaluations,
            per_sec: self.n_done.load(Ordering::Relaxed) as f64 / secs,
            best: knowledge.population().best().map(|best| best.estimate.exp()),
            rejected: knowledge.rejected().clone(),
        }
    }
}
