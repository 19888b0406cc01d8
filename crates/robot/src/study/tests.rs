use super::{Delay, Demonstrations, Rehearsal, Score, rehearse};
use crate::collect::{CollectConfig, collect};
use crate::model::{Normalisation, Policy, PolicyConfig};
use crate::tasks::{Setup, Task, Variation};
use crate::train::{Episodes, measure};

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
    let collected = collect(&config, &|_| true).expect("collected");
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
    let normal: Normalisation = measure(&demonstrations, &config, 1).expect("measured");
    let policy = Policy::drawn(config, normal, 1).expect("a policy");
    let mut setup = Setup::new(Task::OpenDrawer, 3, Variation::HELD_OUT);
    setup.task = Task::OpenDrawer;
    let how = Rehearsal { act_every: 48, delay: Delay::DEPLOYED, swapped: false };
    let outcome = rehearse(&policy, nn::Precision::F32, &setup, &how).expect("an attempt");
    assert!(!outcome.success);
    let score = Score::of(Task::OpenDrawer, &[outcome]);
    assert_eq!((score.rate.hits, score.rate.n, score.mean_secs), (0, 1, None));
}
