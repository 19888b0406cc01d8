//! Demonstrations, rehearsals, and the networks in the runtime's loops.

use super::{Demonstrations, LiveS1, LiveS2, LiveWorld, Rehearsal, Score, rehearse};
use crate::collect::{CollectConfig, collect};
use crate::model::{Normalisation, Policy, PolicyConfig};
use crate::tasks::{Setup, Task, Variation};
use crate::train::{Episodes, measure};
use crate::world::limits;

fn demonstrations(folder: &std::path::Path) -> Demonstrations {
    let config = CollectConfig {
        folder: folder.to_path_buf(),
        tasks: vec![Task::OpenDrawer],
        first_seed: 0,
        n_seeds: 1,
        variation: Variation::TRAIN,
        disturbance: 0.0,
        n_threads: 1,
    };
    let collected = collect(&config, None, &|_| true).expect("collected");
    assert_eq!(collected.n_done, 1);
    Demonstrations::open(folder, 24).expect("episodes")
}

fn tiny() -> PolicyConfig {
    PolicyConfig::shipped("tiny").expect("shipped")
}

#[test]
fn pictures_of_demonstrations_are_those_of_their_frames() {
    let folder = tempfile::tempdir().expect("a folder");
    let demonstrations = demonstrations(folder.path());
    let episode = &demonstrations.episodes()[0];
    let mut frame = vec![0; episode.frame_bytes()];
    episode.frame(3, &mut frame).expect("a frame");
    let mut all = Vec::new();
    for (idx, camera) in demonstrations.cameras().iter().enumerate() {
        let mut picture = vec![0; camera.bytes()];
        demonstrations.picture(0, 3, idx, &mut picture).expect("a picture");
        all.extend(picture);
    }
    assert_eq!(all, frame);
    assert!(
        demonstrations
            .picture(0, 100_000, 0, &mut vec![0; demonstrations.cameras()[0].bytes()])
            .is_err()
    );
}

#[test]
fn a_folder_without_episodes_is_an_error_with_a_hint() {
    let folder = tempfile::tempdir().expect("a folder");
    let error = Demonstrations::open(folder.path(), 24).expect_err("nothing there").to_string();
    assert!(error.contains("collect"), "{error}");
}

#[test]
fn an_untrained_policy_acts_the_same_way_each_time_and_fails() {
    let folder = tempfile::tempdir().expect("a folder");
    let demonstrations = demonstrations(folder.path());
    let config = tiny();
    let normal: Normalisation = measure(&demonstrations, &config, None, 1).expect("measured");
    let policy = Policy::drawn(config, normal, 1).expect("a policy");
    let mut setup = Setup::new(Task::OpenDrawer, 3, Variation::HELD_OUT);
    setup.task = Task::OpenDrawer;
    let how = Rehearsal { act_every: 40, ..Rehearsal::default() };
    let outcome = rehearse(&policy, nn::Precision::F32, &setup, &how).expect("an attempt");
    assert!(!outcome.success);
    let score = Score::of(Task::OpenDrawer, &[outcome]);
    assert_eq!((score.rate.hits, score.rate.n, score.mean_secs), (0, 1, None));
}

#[test]
fn demonstrations_are_told_in_all_ways_that_training_shows() {
    let folder = tempfile::tempdir().expect("a folder");
    let demonstrations = demonstrations(folder.path());
    let told: std::collections::BTreeSet<_> =
        (0..20).map(|variant| demonstrations.words(0, variant)).collect();
    assert_eq!(told.len(), crate::tasks::Phrases::of(Task::OpenDrawer, 0).shown.len());
}

#[test]
fn what_is_fine_is_a_part_of_a_demonstration() {
    let folder = tempfile::tempdir().expect("a folder");
    let demonstrations = demonstrations(folder.path());
    let n = demonstrations.n_ticks(0);
    let n_fine = (0..n).filter(|tick| demonstrations.is_fine(0, *tick)).count();
    assert!(n_fine > n / 10 && n_fine < n, "{n_fine} of {n}");
    assert!(demonstrations.is_fine(0, 0), "beginnings are few");
    assert!(!demonstrations.is_fine(0, 20), "arms begin away from things");
}

#[test]
fn the_body_as_limits_has_its_wrists_where_the_simulated_one_has_them() {
    let limits = limits();
    limits.check().expect("limits of a body");
    let setup = Setup::new(Task::PickPlace, 1, Variation::TRAIN);
    let world = setup.world();
    let state = world.state(0);
    for (arm, limits) in limits.arms.iter().enumerate() {
        let joints = world.joints(0).angles[arm].map(f64::from);
        let wrist = limits.chain.forward(&joints);
        let felt = wrist.position.into_iter().chain(wrist.columns());
        for (value, felt) in state[arm * 10..].iter().zip(felt) {
            assert!((f64::from(*value) - felt).abs() < 1e-4, "{value} {felt}");
        }
    }
}

#[test]
fn world_and_networks_go_through_the_loops_of_the_runtime() {
    use crate::deploy::{Lockstep, LockstepConfig};
    use crate::fast::FastConfig;
    let folder = tempfile::tempdir().expect("a folder");
    let demonstrations = demonstrations(folder.path());
    let normal: Normalisation = measure(&demonstrations, &tiny(), None, 1).expect("measured");
    let policy = Policy::drawn(tiny(), normal, 1).expect("a policy");
    let world = LiveWorld::new(vec![Setup::new(Task::OpenDrawer, 3, Variation::HELD_OUT)]);
    let s1 = LiveS1::new(&policy, nn::Precision::F32, 0);
    let s2 = LiveS2::new(&policy, nn::Precision::F32, 0);
    let config = LockstepConfig {
        fast: FastConfig::DEFAULT,
        latent_width: policy.config.latent,
        think_nanos: Box::new(|| 100_000_000),
    };
    let mut all = Lockstep::new(world, vec![s1], s2, config).expect("it fits");
    // It begins at rest and is let go step by step.
    let records: Vec<_> = (0..170).flat_map(|_| all.tick()).flatten().collect();
    let last = records.last().expect("ticks");
    assert_eq!((records.len(), last.rung), (170, crate::watchdog::Rung::Run), "{last:?}");
    assert!(last.latent > 2 && last.latent_age.is_some_and(|age| age < 300_000_000), "{last:?}");
}
