//! Laws of the islands, whatever is found in whatever order.

use proptest::prelude::*;

use super::SHAPE;
use crate::archive::{AttemptRecord, Kind, Seen};
use crate::evaluation::{Level, Reason, Rejection};
use crate::propose::{Operator, Spent};
use crate::search::Population;
use crate::space::Descriptors;

fn attempt(id: i64, kind: u8, has_genotype: bool) -> AttemptRecord {
    AttemptRecord {
        id,
        search: "k".to_owned(),
        seq: id as u64,
        island: id as usize % SHAPE.n_islands,
        proposer: "p".to_owned(),
        operator: Operator::Mutate,
        strength: 1,
        parents: Vec::new(),
        candidate: id.to_string(),
        has_genotype,
        descriptors: Descriptors {
            fusion: format!("fused-{kind}"),
            parallel: "none".to_owned(),
            memory: "plain".to_owned(),
        },
        spent: Spent::default(),
        at_millis: 0,
    }
}

fn seen(id: i64, attempt: i64, kind: Kind, ratio: f64, is_right: bool, is_ours: bool) -> Seen {
    let level = if kind == Kind::Evaluation { Level::Timed } else { Level::Verified };
    let wrong = Rejection { reason: Reason::Wrong, detail: String::new() };
    Seen {
        id,
        attempt,
        kind,
        harness: if is_ours { "ours" } else { "older" }.to_owned(),
        level: if is_right { level } else { Level::Compiled },
        rejection: (!is_right).then_some(wrong),
        ratio: is_right.then_some(ratio),
        wall_secs: 0.0,
        at_millis: 0,
    }
}

/// For each attempt: kind, schedule or text, first ratio, and outcomes of its reviews.
type Script = Vec<(u8, bool, f64, bool, Vec<(f64, bool, bool)>)>;

fn scripts() -> impl Strategy<Value = Script> {
    let review = (0.5_f64..4.0, prop::bool::weighted(0.8), prop::bool::weighted(0.9));
    let one = (
        0_u8..3,
        prop::bool::weighted(0.7),
        0.5_f64..4.0,
        prop::bool::weighted(0.8),
        prop::collection::vec(review, 4),
    );
    prop::collection::vec(one, 1..60)
}

/// Plays a script the way a search does: reviews that became due come before the next attempt.
fn play(script: &Script, mut check: impl FnMut(&Population, &Population)) -> Population {
    let mut population = Population::new(SHAPE, "ours");
    let mut before = Population::new(SHAPE, "ours");
    let (mut id, mut reviewed) = (0, vec![0_usize; script.len()]);
    let mut log: Vec<(AttemptRecord, Seen)> = Vec::new();
    let mut step = |population: &mut Population, record: &AttemptRecord, seen: Seen| {
        population.absorb(record, &seen);
        check(&before, population);
        before.absorb(record, &seen);
        log.push((record.clone(), seen));
    };
    for (idx, (kind, has_genotype, ratio, is_right, _)) in script.iter().enumerate() {
        let record = attempt(idx as i64, *kind, *has_genotype);
        id += 1;
        step(
            &mut population,
            &record,
            seen(id, record.id, Kind::Evaluation, *ratio, *is_right, true),
        );
        loop {
            let due = population.take_due();
            if due.is_empty() {
                break;
            }
            for due in due {
                let target = due.attempt as usize;
                let record = attempt(due.attempt, script[target].0, script[target].1);
                let reviews = &script[target].4;
                let n = reviewed[target];
                reviewed[target] += 1;
                let (ratio, is_right, is_ours) = reviews[n % reviews.len()];
                // A judge of an earlier version judges only once.
                let is_ours = is_ours || n > 0;
                id += 1;
                step(
                    &mut population,
                    &record,
                    seen(id, record.id, due.kind, ratio, is_right, is_ours),
                );
            }
        }
    }
    let mut again = Population::new(SHAPE, "ours");
    for (record, seen) in &log {
        again.absorb(record, seen);
    }
    for island in 0..SHAPE.n_islands {
        let of = |population: &Population| -> Vec<String> {
            population.residents(island).map(|member| format!("{member:?}")).collect()
        };
        assert_eq!(of(&again), of(&population), "the state follows from what was seen");
    }
    population
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn owners_are_the_best_of_their_kind_and_the_wrong_are_nowhere(script in scripts()) {
        play(&script, |_, after| {
            for island in 0..SHAPE.n_islands {
                for (kind, owner) in after.owners(island) {
                    for member in after.residents(island) {
                        assert!(!after.quarantined().contains(&member.attempt));
                        assert!(member.descriptors != *kind || member.estimate <= owner.estimate);
                        assert!(member.has_genotype || member.is_verified, "text lives verified");
                    }
                }
            }
        });
    }

    #[test]
    fn owners_give_way_only_to_better_ones_or_to_the_truth(script in scripts()) {
        play(&script, |before, after| {
            for island in 0..SHAPE.n_islands {
                for (kind, owner) in before.owners(island) {
                    let now = after.owner(island, kind);
                    // Measured again or found wrong, it may fall; otherwise only a better one comes.
                    let same = after.member(owner.attempt).is_some_and(|it| it.estimate == owner.estimate);
                    if same {
                        assert!(now.is_some_and(|now| now.estimate >= owner.estimate));
                    }
                }
            }
        });
    }

    #[test]
    fn a_champion_is_verified_and_an_inhabited_island_stays_inhabited(script in scripts()) {
        play(&script, |before, after| {
            for island in 0..SHAPE.n_islands {
                if let Some(best) = after.champion(island) {
                    assert!(best.is_verified);
                    assert!(after.best().is_some_and(|all| all.estimate >= best.estimate));
                }
                let n_wrong = after.quarantined().len() - before.quarantined().len();
                let n = |population: &Population| population.residents(island).count();
                assert!(n(after) + n_wrong >= n(before), "nobody leaves but the wrong");
            }
        });
    }

    #[test]
    fn residents_are_natives_or_came_by_the_ring(script in scripts()) {
        let population = play(&script, |_, _| {});
        for island in 0..SHAPE.n_islands {
            for member in population.residents(island) {
                let came = population
                    .migrations()
                    .iter()
                    .any(|step| step.attempt == member.attempt && step.to == island);
                prop_assert!(member.island == island || came);
            }
        }
    }
}

#[test]
fn only_what_leads_clearly_is_looked_at_again() {
    let mut population = Population::new(SHAPE, "ours");
    let mut absorb = |id: i64, attempt_id: i64, kind: Kind, ratio: f64| {
        let record = attempt(attempt_id * SHAPE.n_islands as i64, 0, true);
        population.absorb(&record, &seen(id, record.id, kind, ratio, true, true));
        population.take_due().len()
    };
    assert_eq!(absorb(1, 1, Kind::Evaluation, 2.0), 1, "the first one leads");
    assert_eq!(absorb(2, 1, Kind::Promotion, 2.0), 0);
    assert_eq!(absorb(3, 2, Kind::Evaluation, 2.02), 0, "within what measurements scatter");
    assert_eq!(absorb(4, 3, Kind::Evaluation, 2.1), 1);
}
