//! Laws of the search, on scripted landscapes.

mod law;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::time::Duration;

use super::twin::{HARNESS, Twin};
use super::*;
use crate::archive::{AttemptId, Kind};
use crate::evaluation::{Level, Reason, Rejection};
use crate::evaluator::Effort;
use crate::propose::{Operator, Proposal};
use crate::{Evaluation, Space};

pub(super) const SHAPE: Shape = Shape { n_islands: 3, migrate_every: 12, recheck_every: 16 };

fn config(strategy: Strategy, seed: u64, evaluations: u64) -> SearchConfig {
    SearchConfig {
        task: "twin:hill".to_owned(),
        strategy,
        seed,
        shape: SHAPE,
        proposers: vec!["builtin".to_owned()],
        budget: Budget { evaluations, secs: None, tokens: None, usd: None },
        jobs: 1,
    }
}

struct World {
    folder: tempfile::TempDir,
    archive: Archive,
    twin: Twin,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let archive = Archive::open(&folder.path().join("a.sqlite")).unwrap();
        Self { folder, archive, twin: Twin::new("hill") }
    }

    fn run_with(
        &self,
        config: &SearchConfig,
        space: &dyn Space,
        evaluator: Arc<dyn Evaluator>,
    ) -> Result<SearchSummary, Error> {
        let task = self.twin.task();
        let deps = Deps {
            archive: &self.archive,
            task: &task,
            space,
            evaluator,
            models: Vec::new(),
            cancel: &AtomicBool::new(false),
            relay: None,
        };
        run(config, "k", &deps, &NoProgress)
    }

    fn run(&self, config: &SearchConfig) -> SearchSummary {
        self.run_with(config, &self.twin, Arc::new(self.twin.clone())).unwrap()
    }

    fn knowledge(&self) -> Knowledge {
        let mut knowledge = Knowledge::new("k", SHAPE, HARNESS);
        knowledge.sync(&self.archive).unwrap();
        knowledge
    }

    /// All that must not depend on when things happened.
    fn story(&self) -> Vec<String> {
        let attempts = self.archive.attempts("k").unwrap();
        let line = |attempt: &AttemptRecord| {
            let found = self.archive.findings(attempt.id).unwrap();
            let found: Vec<String> = found
                .iter()
                .map(|each| format!("{}: {:?}", each.kind.name(), each.finding.evaluation))
                .collect();
            format!(
                "{} {} {:?} {} {:?} {} {found:?}",
                attempt.id,
                attempt.island,
                attempt.operator,
                attempt.strength,
                attempt.parents,
                attempt.candidate
            )
        };
        attempts.iter().map(line).collect()
    }
}

/// Asks the twin, until told otherwise.
struct Wrapped<F> {
    twin: Twin,
    change: F,
}

impl<F> Evaluator for Wrapped<F>
where
    F: Fn(&Proposal, Effort, Evaluation) -> Result<Evaluation, Error> + Send + Sync,
{
    fn harness(&self) -> String {
        HARNESS.to_owned()
    }

    fn evaluate(&self, proposal: &Proposal, effort: Effort) -> Result<Evaluation, Error> {
        (self.change)(proposal, effort, self.twin.evaluate(proposal, effort)?)
    }
}

#[test]
fn the_same_seed_gives_the_same_attempts_and_another_one_others() {
    let stories = [5, 5, 6].map(|seed| {
        let world = World::new();
        world.run(&config(Strategy::Evolve, seed, 40));
        world.story()
    });
    assert_eq!(stories[0], stories[1]);
    assert_ne!(stories[0], stories[2]);
}

#[test]
fn a_search_stopped_at_any_time_goes_on_as_if_it_had_not_been() {
    let undisturbed = World::new();
    let expected = undisturbed.run(&config(Strategy::Evolve, 3, 40));
    let disturbed = World::new();
    // Every seventh evaluation ends the sitting, in the middle of an order.
    let n_left = Arc::new(AtomicI64::new(7));
    let mut n_sittings = 0;
    let summary = loop {
        n_sittings += 1;
        let counter = Arc::clone(&n_left);
        let twin = disturbed.twin.clone();
        let change = move |_: &Proposal, _, found| {
            if counter.fetch_sub(1, Ordering::Relaxed) > 0 {
                Ok(found)
            } else {
                Err(Error::Interrupted)
            }
        };
        let evaluator = Arc::new(Wrapped { twin, change });
        let config = config(Strategy::Evolve, 3, 40);
        let summary = disturbed.run_with(&config, &disturbed.twin, evaluator).unwrap();
        if summary.end != End::Interrupted {
            break summary;
        }
        n_left.store(7, Ordering::Relaxed);
    };
    assert!(n_sittings > 5, "{n_sittings} sittings");
    assert_eq!(disturbed.story(), undisturbed.story());
    let timeless = |summary: SearchSummary| {
        let curve: Vec<_> =
            summary.curve.iter().map(|point| (point.n_evaluated, point.attempt)).collect();
        (summary.best, summary.rejected, summary.n_reviews, curve, summary.end)
    };
    assert_eq!(timeless(summary), timeless(expected));
}

#[test]
fn more_evaluations_later_continue_the_same_search() {
    let world = World::new();
    world.run(&config(Strategy::Evolve, 3, 20));
    let first = world.story();
    world.run(&config(Strategy::Evolve, 3, 40));
    assert_eq!(world.story().len(), 40);
    // The first twenty stay; the best of them may have been looked at again since.
    for (first, again) in first.iter().zip(world.story()) {
        assert!(again.starts_with(first.trim_end_matches(']')));
    }
}

#[test]
fn every_island_is_inhabited_and_lineage_stays_on_it_but_for_migrants() {
    let world = World::new();
    world.run(&config(Strategy::Evolve, 1, 80));
    let knowledge = world.knowledge();
    let population = knowledge.population();
    let mut settled: BTreeSet<(AttemptId, usize)> = BTreeSet::new();
    for migration in population.migrations() {
        assert_eq!(migration.to, (migration.from + 1) % SHAPE.n_islands);
        settled.insert((migration.attempt, migration.to));
    }
    assert!(!settled.is_empty());
    for island in 0..SHAPE.n_islands {
        assert!(population.residents(island).count() > 0, "island {island} is empty");
        assert!(population.champion(island).is_some());
    }
    let attempts = world.archive.attempts("k").unwrap();
    let born: BTreeMap<AttemptId, usize> =
        attempts.iter().map(|attempt| (attempt.id, attempt.island)).collect();
    let mut n_children = 0;
    for attempt in &attempts {
        for parent in &attempt.parents {
            let native = born[parent] == attempt.island;
            let migrant = settled.contains(&(*parent, attempt.island));
            assert!(native || migrant, "attempt {} has a foreign parent {parent}", attempt.id);
            assert!(*parent < attempt.id);
            n_children += 1;
        }
    }
    assert!(n_children > 40);
}

#[test]
fn the_best_never_gets_worse_where_measurements_do_not_scatter() {
    let world = World::new();
    let summary = world.run(&config(Strategy::Evolve, 2, 80));
    assert!(summary.curve.len() > 2);
    for pair in summary.curve.windows(2) {
        assert!(pair[1].ratio > pair[0].ratio, "{pair:?}");
    }
    assert!(summary.best.unwrap().ratio > 1.5);
}

#[test]
fn only_what_was_measured_again_becomes_best() {
    let world = World::new();
    let summary = world.run(&config(Strategy::Evolve, 2, 60));
    for point in &summary.curve {
        let kinds: Vec<Kind> =
            world.archive.findings(point.attempt).unwrap().iter().map(|each| each.kind).collect();
        assert_eq!(kinds[..2], [Kind::Evaluation, Kind::Promotion]);
    }
    assert!(summary.best.unwrap().n_measured >= 2);
    let rechecked = world.archive.seen_after("k", 0).unwrap();
    assert!(rechecked.iter().any(|seen| seen.kind == Kind::Recheck), "the best is looked at again");
}

#[test]
fn a_lucky_first_measurement_does_not_count() {
    // Every quick look says ten times as fast; only the careful one tells the truth.
    let world = World::new();
    let twin = world.twin.clone();
    let change = |_: &Proposal, effort, mut found: Evaluation| {
        if let (Effort::Quick, Some(timing)) = (effort, &mut found.timing) {
            timing.ratio *= 10.0;
        }
        Ok(found)
    };
    let evaluator = Arc::new(Wrapped { twin, change });
    let summary = world.run_with(&config(Strategy::Evolve, 2, 40), &world.twin, evaluator).unwrap();
    let best = summary.best.unwrap();
    let proposal = world.archive.proposal(best.attempt).unwrap();
    let truth = world.twin.evaluate(&proposal, Effort::Thorough).unwrap().timing.unwrap().ratio;
    assert!((best.ratio / truth - 1.0).abs() < 1e-9, "{} is not {truth}", best.ratio);
}

#[test]
fn what_is_found_wrong_later_leaves_the_islands_and_has_no_more_children() {
    // A cheat: everything with an even tile is wrong on inputs that were held back.
    let change = |proposal: &Proposal, effort, mut found: Evaluation| {
        let tile = proposal.genotype.as_ref().unwrap().0["tile"].as_i64().unwrap();
        if effort == Effort::Thorough && tile % 2 == 0 && tile > 0 {
            found.level = Level::Timed;
            found.rejection =
                Some(Rejection { reason: Reason::Drift, detail: "held-out input".to_owned() });
        }
        Ok(found)
    };
    let mut n_quarantined = 0;
    for seed in 1..=4 {
        let world = World::new();
        let evaluator = Arc::new(Wrapped { twin: world.twin.clone(), change });
        let config = config(Strategy::Evolve, seed, 80);
        let summary = world.run_with(&config, &world.twin, evaluator).unwrap();
        n_quarantined += summary.n_quarantined;
        let knowledge = world.knowledge();
        let quarantined = knowledge.population().quarantined();
        assert_eq!(quarantined.len() as u64, summary.n_quarantined);
        let best = world.archive.proposal(summary.best.unwrap().attempt).unwrap();
        assert!(matches!(best.genotype.unwrap().0["tile"].as_i64().unwrap(), 0 | 1 | 3 | 5 | 7));
        for island in 0..SHAPE.n_islands {
            for member in knowledge.population().residents(island) {
                assert!(!quarantined.contains(&member.attempt));
            }
        }
        for attempt in world.archive.attempts("k").unwrap() {
            for parent in &attempt.parents {
                assert!(!quarantined.contains(parent), "{} descends from a cheat", attempt.id);
            }
        }
    }
    assert!(n_quarantined > 0);
}

#[test]
fn no_more_are_in_flight_than_there_are_islands() {
    let world = World::new();
    let twin = world.twin.clone().with_pause(Duration::from_millis(2));
    let (inside, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (now, peak) = (Arc::clone(&inside), Arc::clone(&most));
    struct Counting {
        twin: Twin,
        now: Arc<AtomicUsize>,
        peak: Arc<AtomicUsize>,
    }
    impl Evaluator for Counting {
        fn harness(&self) -> String {
            HARNESS.to_owned()
        }
        fn evaluate(&self, proposal: &Proposal, effort: Effort) -> Result<Evaluation, Error> {
            self.peak.fetch_max(self.now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            let found = self.twin.evaluate(proposal, effort);
            self.now.fetch_sub(1, Ordering::SeqCst);
            found
        }
    }
    let config = SearchConfig { jobs: 16, ..config(Strategy::Evolve, 1, 40) };
    let summary =
        world.run_with(&config, &world.twin, Arc::new(Counting { twin, now, peak })).unwrap();
    assert_eq!((summary.n_attempts, summary.n_evaluated, summary.end), (40, 40, End::Complete));
    assert!(most.load(Ordering::SeqCst) <= SHAPE.n_islands);
    let seqs: Vec<u64> =
        world.archive.attempts("k").unwrap().iter().map(|attempt| attempt.seq).collect();
    assert_eq!(seqs, (0..40).collect::<Vec<_>>(), "none lost, none doubled");
}

#[test]
fn one_candidate_is_tried_once() {
    let world = World::new();
    world.run(&config(Strategy::Evolve, 4, 80));
    let attempts = world.archive.attempts("k").unwrap();
    let texts: BTreeSet<&String> = attempts.iter().map(|attempt| &attempt.candidate).collect();
    assert_eq!(texts.len(), attempts.len());
}

/// A space of three points.
struct Tiny(Twin);

impl Space for Tiny {
    fn base(&self) -> crate::space::Genotype {
        self.0.base()
    }
    fn seeds(&self) -> Vec<crate::space::Genotype> {
        self.0.seeds()
    }
    fn mutate(
        &self,
        _: &crate::space::Genotype,
        _: usize,
        _: &mut rand_chacha::ChaCha8Rng,
    ) -> crate::space::Genotype {
        self.0.base()
    }
    fn cross(
        &self,
        one: &crate::space::Genotype,
        _: &crate::space::Genotype,
        _: &mut rand_chacha::ChaCha8Rng,
    ) -> crate::space::Genotype {
        one.clone()
    }
    fn adopt(&self, _: &crate::space::Genotype) -> Option<crate::space::Genotype> {
        None
    }
    fn emit(&self, genotype: &crate::space::Genotype) -> crate::Candidate {
        self.0.emit(genotype)
    }
    fn emit_variant(&self, _: &crate::space::Genotype, _: usize) -> Option<crate::Candidate> {
        None
    }
    fn descriptors(&self, genotype: &crate::space::Genotype) -> crate::space::Descriptors {
        self.0.descriptors(genotype)
    }
    fn signature(&self) -> String {
        "tiny".to_owned()
    }
}

#[test]
fn a_space_without_anything_new_ends_the_search() {
    let world = World::new();
    let tiny = Tiny(world.twin.clone());
    let evaluator = Arc::new(world.twin.clone());
    let summary = world.run_with(&config(Strategy::Evolve, 1, 40), &tiny, evaluator).unwrap();
    assert_eq!((summary.n_evaluated, summary.end), (3, End::Exhausted));
}

#[test]
fn good_schedules_of_a_similar_task_are_among_the_first_tried() {
    let world = World::new();
    let donor = Twin::new("donor");
    let task = donor.task();
    let cancel = AtomicBool::new(false);
    let deps = |space, evaluator, task| Deps {
        archive: &world.archive,
        task,
        space,
        evaluator,
        models: Vec::new(),
        cancel: &cancel,
        relay: None,
    };
    let donor_config =
        SearchConfig { task: "twin:donor".into(), ..config(Strategy::Evolve, 1, 30) };
    let evaluator: Arc<dyn Evaluator> = Arc::new(donor.clone());
    let found = run(&donor_config, "d", &deps(&donor, evaluator, &task), &NoProgress).unwrap();
    let hill = world.twin.task();
    let evaluator: Arc<dyn Evaluator> = Arc::new(world.twin.clone());
    let config = config(Strategy::Evolve, 1, 20);
    run(&config, "k", &deps(&world.twin, evaluator, &hill), &NoProgress).unwrap();
    let adopted: Vec<AttemptRecord> = world.archive.attempts("k").unwrap();
    let adopted: Vec<&AttemptRecord> =
        adopted.iter().filter(|attempt| attempt.operator == Operator::Adopt).collect();
    assert_eq!(adopted.len(), 1);
    assert_eq!(adopted[0].parents, [found.best.unwrap().attempt], "the link says where from");
    assert!(adopted[0].seq < 5);
}

#[test]
fn a_judge_that_fails_twice_ends_the_search_and_the_attempt_waits() {
    let world = World::new();
    let twin = world.twin.clone();
    let n_asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&n_asked);
    let change = move |_: &Proposal, _, found| {
        if counter.fetch_add(1, Ordering::Relaxed) < 5 {
            return Ok(found);
        }
        Err(Error::System { action: "fork", source: std::io::Error::other("no memory") })
    };
    let evaluator = Arc::new(Wrapped { twin, change });
    let config = config(Strategy::Evolve, 1, 40);
    let error = world.run_with(&config, &world.twin, evaluator).unwrap_err();
    assert!(error.to_string().contains("no memory"));
    assert_eq!(n_asked.load(Ordering::Relaxed), 7);
    assert_eq!(world.archive.n_open("k").unwrap(), 1);
    assert_eq!(world.run(&config).n_evaluated, 40);
    assert!(world.folder.path().exists());
}

#[test]
fn learning_from_results_beats_drawing_at_random_on_the_twins_hills() {
    // Heights of the best after 60 evaluations; the landscapes and seeds are fixed, so is the result. Of a few
    // landscapes the order of the first schedules decides.
    let mean = |strategy: Strategy| {
        let heights = (1..=16).map(|seed| {
            let world = World { twin: Twin::new(&format!("hill-{seed}")), ..World::new() };
            world.run(&config(strategy, seed, 60)).best.unwrap().ratio.ln()
        });
        heights.sum::<f64>() / 16.0
    };
    let (evolve, random) = (mean(Strategy::Evolve), mean(Strategy::Random));
    assert!(evolve > random, "evolve {evolve}, random {random}");
}

#[test]
fn when_time_is_up_what_is_under_way_is_finished_and_nothing_new_begun() {
    let world = World::new();
    let twin = world.twin.clone().with_pause(Duration::from_millis(1));
    let mut config = config(Strategy::Evolve, 1, 1_000_000);
    config.budget.secs = Some(0.05);
    let summary = world.run_with(&config, &world.twin, Arc::new(twin)).unwrap();
    assert_eq!(summary.end, End::TimeUp);
    assert_eq!(world.archive.n_open("k").unwrap(), 0);
    assert!(summary.n_evaluated == summary.n_attempts && summary.n_attempts > 0);
    let again = world.run(&config);
    assert_eq!((again.n_attempts, again.end), (summary.n_attempts, End::TimeUp), "no time is left");
}

#[test]
fn a_configuration_that_makes_no_sense_is_refused() {
    let world = World::new();
    let base = config(Strategy::Random, 1, 4);
    for broken in [
        SearchConfig { proposers: Vec::new(), ..base.clone() },
        SearchConfig { proposers: vec!["m".to_owned()], ..base.clone() },
        SearchConfig { shape: Shape { n_islands: 0, ..SHAPE }, ..base.clone() },
        SearchConfig { budget: Budget { usd: Some(-1.0), ..base.budget }, ..base },
    ] {
        let result = world.run_with(&broken, &world.twin, Arc::new(world.twin.clone()));
        assert!(matches!(result, Err(Error::Config { .. })), "{broken:?}");
    }
}
