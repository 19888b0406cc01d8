//! gym-aloha's tasks: demonstrations as a dataset, and a policy that plays. The package's folder of models is
//! named by a variable:
//!
//! ```sh
//! eval "$(scripts/mujoco.sh)"
//! export TETRAD_GYM_ALOHA=/path/to/gym_aloha/assets
//! cargo test -p robot --features mujoco --test it needs_libmujoco -- --ignored
//! ```

use std::path::{Path, PathBuf};

use robot::Error;
use robot::aloha::{
    ACTION, Aloha, AlohaTask, HELD_OUT, N_STEPS, Player, Recording, SUCCESS, record,
};
use robot::lerobot::{Dataset, Mapping, Source};
use robot::model::{Normalisation, Policy, PolicyConfig};
use robot::train::Episodes;

fn aloha() -> Aloha {
    let assets = std::env::var_os("TETRAD_GYM_ALOHA").map(PathBuf::from);
    let assets = assets.expect("TETRAD_GYM_ALOHA names the package's folder of models");
    Aloha::new(AlohaTask::TransferCube, &assets).expect("the package's model")
}

#[test]
#[ignore = "needs: libmujoco and gym-aloha's models"]
fn needs_libmujoco_a_recorded_demonstration_succeeds_again_by_its_actions() {
    const SEED: u64 = 7;
    let mut aloha = aloha();
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("dataset");
    let recording = Recording { first_seed: SEED, n: 1, ..Recording::DEFAULT };
    let done = record(&mut aloha, recording.clone(), &to, &mut |_| true).unwrap();
    assert!(done.failed.is_empty());
    let source = Source {
        folder: &to,
        mapping: &Mapping::default(),
        n_words: 24,
        scratch: folder.path(),
        ffmpeg: Path::new("/no/ffmpeg"),
    };
    let dataset = Dataset::open(&source, &mut |_, _| true).unwrap();
    let shape = PolicyConfig::shipped("aloha").unwrap();
    assert_eq!(
        dataset.policy(shape.clone()).unwrap(),
        shape,
        "what is recorded is what `aloha` takes"
    );
    aloha.reset(SEED);
    let cube = aloha.object(0).translation;
    let (mut state, mut all, mut reward) = ([0.0; ACTION], [0.0; ACTION + 1], 0);
    for step in 0..N_STEPS {
        dataset.state(0, 4 * step, &mut state).unwrap();
        assert_eq!(state, aloha.state(), "step {step}");
        dataset.action(0, 4 * step, &mut all).unwrap();
        let mut action = [0.0; ACTION];
        action.copy_from_slice(&all[..ACTION]);
        reward = reward.max(aloha.step(&action));
    }
    assert_eq!(reward, SUCCESS);

    // The camera is 0.8 m above the table at y = 0.6 m and sees 78 degrees from its picture's top to its bottom.
    let mut picture = vec![0; dataset.cameras()[0].bytes()];
    dataset.picture(0, 0, 0, &mut picture).unwrap();
    let focal = 48.0 / 39.0_f32.to_radians().tan();
    let depth = 0.8 - (cube.z + 0.02);
    let (column, row) = (64.0 + focal * cube.x / depth, 48.0 - focal * (cube.y - 0.6) / depth);
    let pixel = |row: f32, column: f32| &picture[(row as usize * 128 + column as usize) * 3..][..3];
    let seen = pixel(row, column);
    assert!(seen[0] > 150 && seen[1] < 40, "the cube: {seen:?}");
    // Grippers hang before the table's dark at both sides.
    for side in [34.0, 93.0] {
        let seen = pixel(60.0, side);
        assert!(seen[0] > 70 && seen[0] == seen[1], "a gripper: {seen:?}");
    }
    let again = record(&mut aloha, recording, &to, &mut |_| true);
    assert!(again.unwrap_err().to_string().contains("is there already"));
    let recording = Recording { first_seed: HELD_OUT - 1, n: 2, ..Recording::DEFAULT };
    let held_out = record(&mut aloha, recording, &folder.path().join("other"), &mut |_| true);
    assert!(held_out.unwrap_err().to_string().contains("held out"));
}

#[test]
#[ignore = "needs: libmujoco and gym-aloha's models"]
fn needs_libmujoco_a_policy_plays_a_seed_the_same_way_twice() {
    let mut aloha = aloha();
    let policy = |shape: &str| {
        let config = PolicyConfig::shipped(shape).unwrap();
        let normal = Normalisation::unit(&config);
        Policy::drawn(config, normal, 1).unwrap()
    };
    let mut player = Player::new(&policy("aloha"), &aloha).unwrap();
    let mut play = |seed: u64| {
        let mut actions = Vec::new();
        let outcome = player.play(&mut aloha, seed, &mut |_, action| actions.push(*action));
        (outcome.unwrap(), actions)
    };
    let (outcome, actions) = play(HELD_OUT);
    assert!(!outcome.is_success() && actions.len() == N_STEPS);
    assert_ne!(actions, play(HELD_OUT + 1).1, "it looks");
    assert_eq!((outcome, actions), play(HELD_OUT));
    let refused = Player::new(&policy("tiny"), &aloha);
    assert!(matches!(refused, Err(Error::Config { .. })), "{refused:?}");
}
