//! Policies played in simulated time, and what is left of it. In processes: `tetrad robot run`.

use std::sync::atomic::AtomicBool;

use super::*;
use crate::deploy::{Lockstep, LockstepConfig};
use crate::model::{Normalisation, PolicyConfig};
use crate::record::{Record, Time, list};
use crate::report;
use crate::study::{LiveS1, LiveS2, LiveWorld};
use crate::watchdog::Rung;

fn untrained() -> Policy {
    let config = PolicyConfig::shipped("tiny").expect("shipped");
    Policy::drawn(config.clone(), Normalisation::unit(&config), 1).expect("a policy")
}

fn plan(folder: &Path, task: Task) -> Plan {
    let path = folder.join("policy.safetensors");
    untrained().save(&path, false).expect("saved");
    let plan = Plan {
        policy: Some(path),
        keep: Keep::F32,
        tasks: vec![task],
        seed: 3,
        variation: Variation::HELD_OUT,
        folder: folder.to_owned(),
        iceoryx2: None,
        backbone: None,
    };
    plan.write().expect("written");
    plan
}

#[test]
fn what_is_played_is_on_record_and_on_pages() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = runs::Store::open(folder.path()).expect("a store");
    let mut run = store.create("robot", "run", &serde_json::json!({}), 3).expect("a run");
    let plan = plan(run.path(), Task::Handover);
    let stop = AtomicBool::new(false);
    let played = simulate(&plan, 260, &stop, &mut |_| ()).expect("played");
    assert!(!played.broke_limits() && played.has_moved(), "{played:?}");
    assert_eq!((played.success.n, played.attempts.len(), played.robots.len()), (0, 1, 2));
    assert_eq!((played.robots[1].missed.hits, played.robots[1].missed.n), (0, 260));
    let paths = list(&plan.records()).expect("records");
    let record = Record::load(&paths[1]).expect("a record");
    assert_eq!((record.rows().len(), record.heading().robot, record.end()), (260, 1, None));
    let last = record.rows()[259];
    let runs = last.rung == Some(Rung::Run) && last.latent_age > 0.1 && last.asked[0].is_finite();
    assert!(runs, "{last:?}");
    run.write_summary(&serde_json::json!({ "played": played })).expect("written");
    run.finish(runs::Status::Done).expect("finished");
    let pages = report::write(&run).expect("pages");
    let text = |path: &Path| std::fs::read_to_string(path).expect("a page");
    let report = text(&pages.report);
    assert!(report.contains("attempt-0000.html") && report.contains("cut off"));
    let page = text(&pages.attempts[0]);
    assert!(
        page.matches("class=\"player\"").count() == 2 && page.contains("data:image/png;base64,")
    );
    assert!(page.contains("Age of the latent, ms") && page.len() < 5_000_000);
}

/// Demonstrations, evaluations and deployments have to move alike: a policy that is used to one way of
/// following its actions fails with another.
#[test]
fn the_shipped_policy_does_in_the_loops_what_it_does_in_evaluations() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut plan = plan(folder.path(), Task::OpenDrawer);
    (plan.policy, plan.seed) = (None, 1_000_000);
    plan.write().expect("written");
    let stop = AtomicBool::new(false);
    let played = simulate(&plan, 900, &stop, &mut |_| ()).expect("played");
    assert_eq!(
        played.attempts.first().and_then(|attempt| attempt.end).map(|end| end.success),
        Some(true)
    );
}

#[test]
fn plans_that_cannot_be_are_refused_with_what_would_be_right() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut mixed = plan(folder.path(), Task::Handover);
    assert_eq!(Plan::read(&folder.path().join("plan.json")).expect("a plan"), mixed);
    mixed.tasks.push(Task::PickPlace);
    assert!(mixed.n_robots().expect_err("one or two").to_string().contains("name either"));
    mixed.policy = Some(folder.path().join("none.safetensors"));
    assert!(mixed.policy().expect_err("no file").to_string().contains("none.safetensors"));
    let mut other = PolicyConfig::shipped("tiny").expect("shipped");
    other.cameras[0].width = 96;
    let path = folder.path().join("other.safetensors");
    let policy = Policy::drawn(other.clone(), Normalisation::unit(&other), 1).expect("a policy");
    policy.save(&path, false).expect("saved");
    mixed.policy = Some(path);
    let error = mixed.policy().expect_err("other cameras").to_string();
    assert!(error.contains("head 96 x 96") && error.contains("head 128 x 96"), "{error}");
}

#[test]
fn weights_that_are_no_numbers_are_refused_and_would_move_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut policy = untrained();
    for parameter in policy.weights.parameters.iter_mut() {
        parameter.raw.fill(f32::NAN);
    }
    let path = folder.path().join("broken.safetensors");
    policy.save(&path, false).expect("saved");
    let error = Policy::load(&path).expect_err("no numbers").to_string();
    assert!(error.contains("NaN") && error.contains("broken.safetensors"), "{error}");
    // The same from memory, with a good S2 so that S1 is asked at all.
    let world = LiveWorld::new(vec![Setup::new(Task::OpenDrawer, 3, Variation::HELD_OUT)]);
    let s1 = LiveS1::new(&policy, nn::Precision::F32, 0);
    let s2 = LiveS2::new(&untrained(), nn::Precision::F32, 0);
    let config = LockstepConfig {
        fast: fast_config(&policy.config),
        latent_width: policy.config.latent,
        think_nanos: Box::new(|| 0),
    };
    let mut robot = Lockstep::new(world, vec![s1], s2, config).expect("it fits");
    let before = *robot.world().expect("a world").targets(0);
    (0..150).for_each(|_| _ = robot.tick());
    let side = robot.world().expect("a world");
    let counts = side.counts(0);
    assert_eq!((counts.n_on_rung, counts.n_broken), ([0, 0, 0, 149], 0), "{counts:?}");
    for (now, before) in side.targets(0).joints.iter().zip(&before.joints) {
        assert!(now.iter().zip(before).all(|(now, before)| (now - before).abs() < 1e-3));
    }
}

#[test]
fn a_stage_that_starts_again_goes_on_with_the_scene_that_was_cut_off() {
    let folder = tempfile::tempdir().expect("a folder");
    let plan = plan(folder.path(), Task::OpenDrawer);
    let stop = AtomicBool::new(false);
    simulate(&plan, 20, &stop, &mut |_| ()).expect("played");
    simulate(&plan, 20, &stop, &mut |_| ()).expect("played");
    let records = list(&plan.records()).expect("records");
    let records: Vec<Record> =
        records.iter().map(|path| Record::load(path).expect("a record")).collect();
    assert_eq!(records.len(), 2);
    assert_eq!(records[0].heading().seed, records[1].heading().seed);
    assert_eq!(records[1].heading().time, Time::Simulated);
}
