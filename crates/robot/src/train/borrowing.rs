//! Training beside an open model, on the twin task.

use std::path::PathBuf;

use nn::train::Tape;
use nn::{Blocked, Cpu, Precision};

use super::twin::{Twin, config, recipe};
use super::{Episodes, Trainer, measure};
use crate::interface::Camera;
use crate::model::config::Borrowed;
use crate::model::network::{Maker, Slow};
use crate::model::{
    Backbone, Instruction, Lender, Mind, Normalisation, Policy, PolicyConfig, Shift, write_rows,
    write_windows,
};

/// Tiny models with drawn weights; nothing that they say means anything, but they tell inputs apart.
fn folder(model: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../nn/tests/data/backbones").join(model)
}

fn backbone(model: &str) -> Backbone {
    Backbone::open(&folder(model)).expect(model)
}

/// A policy that borrows.
fn borrowing(model: &str) -> PolicyConfig {
    let mut config = config();
    config.s2.borrowed = Some(backbone(model).shape().clone());
    config
}

/// One that learns to borrow, with features kept below a folder.
fn trainer(model: &str, steps: u64, data: &Twin, kept: &std::path::Path) -> Trainer {
    let config = borrowing(model);
    let lender = Lender::new(backbone(model), kept).expect("a lender");
    let normal = measure(data, &config, Some(&lender), 1).expect("data");
    let mut trainer = Trainer::new(config, normal, recipe(steps)).expect("a trainer");
    trainer.borrow_from(lender).expect("the same model");
    trainer
}

fn values(policy: &Policy, name: &str) -> Vec<f32> {
    let param = policy.weights.find(name).expect("a tensor");
    policy.weights.parameters.get(param).raw.clone()
}

fn picture_and_state(data: &Twin, episode: usize) -> (Vec<u8>, Vec<f32>) {
    let (mut picture, mut state) = (vec![0; 24 * 24 * 3], vec![0.0; 34]);
    data.picture(episode, 0, 0, &mut picture).expect("a picture");
    data.state(episode, 0, &mut state).expect("a state");
    (picture, state)
}

fn think(policy: &Policy, data: &Twin, episode: usize, text: &str) -> crate::Result<Vec<f32>> {
    let (picture, state) = picture_and_state(data, episode);
    let mut latent = vec![0.0; 32];
    let instruction = Instruction { text, words: &data.words(episode, 0) };
    policy.s2(Precision::F32).think(&[&picture], &state, instruction, &mut latent)?;
    Ok(latent)
}

#[test]
fn a_few_steps_with_a_borrowed_model_bring_the_error_down_and_move_its_product() {
    let (data, kept) = (Twin::new(60), tempfile::tempdir().expect("a folder"));
    let mut trainer = trainer("siglip", 40, &data, kept.path());
    let names = ["s2.borrowed.weight", "s2.borrowed.bias"];
    let before = names.map(|name| values(trainer.policy(), name));
    let first = trainer.learn(&data).expect("a step");
    assert!(first.error.is_finite() && first.gradient.is_finite());
    let after = names.map(|name| values(trainer.policy(), name));
    for (before, after) in before.iter().zip(&after) {
        let n_moved = before.iter().zip(after).filter(|(a, b)| a != b).count();
        assert!(2 * n_moved > before.len(), "{n_moved} of {}", before.len());
    }
    let looked = trainer.evaluate(&data, 64).expect("a loss").mean_error();
    while trainer.step() < 40 {
        trainer.learn(&data).expect("a step");
    }
    let learned = trainer.evaluate(&data, 64).expect("a loss").mean_error();
    assert!(learned < 0.7 * looked, "{looked} before, {learned} after");
}

#[test]
fn what_only_the_borrowed_model_reads_is_followed() {
    for model in ["clip", "llava", "paligemma", "siglip"] {
        let (mut data, kept) = (Twin::new(600), tempfile::tempdir().expect("a folder"));
        // All words are the same: which place is meant, the text alone says, and only the model reads it.
        data.mute = true;
        let mut trainer = trainer(model, STEPS, &data, kept.path());
        trainer.recipe.points = 0.0;
        while trainer.step() < STEPS {
            trainer.learn(&data).expect("a step");
        }
        let right = trainer.evaluate(&data, 128).expect("a loss").mean_error();
        data.misnamed = true;
        let misled = trainer.evaluate(&data, 128).expect("a loss").mean_error();
        println!("{model}: {right} as named, {misled} when the other is named");
        assert!(right < 0.5 * misled, "{model}: {right} as named, {misled} otherwise");
    }
}

/// Enough to tell two texts apart.
const STEPS: u64 = 200;

#[test]
fn s2_at_work_gives_the_bits_of_the_network_that_is_trained() {
    let (data, kept) = (Twin::new(20), tempfile::tempdir().expect("a folder"));
    for model in ["clip", "llava", "paligemma", "siglip"] {
        let mut trainer = trainer(model, 2, &data, kept.path());
        trainer.learn(&data).expect("a step");
        let policy = trainer.policy();
        let text = data.text(3, 0);
        let got = think(policy, &data, 3, &text).expect("a latent");

        let (picture, state) = picture_and_state(&data, 3);
        let config = &policy.config;
        let camera: &Camera = &config.cameras[0];
        let lender = Lender::new(backbone(model), kept.path()).expect("a lender");
        let mut features = lender.features(camera, &picture, &text).expect("features");
        policy.normalisation.normal_borrowed(&mut features);
        let make = Maker { weights: &policy.weights, precision: Precision::F32, learns: true };
        let slow = Slow::new(make, config);
        let mut tape = Tape::new(Cpu::best());
        let mut normal = vec![0.0; 34];
        policy.normalisation.normal_state(&state, &mut normal);
        let given = tape.given(1, 64, |into| write_rows(into, 0, &normal));
        let width = features.len().next_multiple_of(32);
        let borrowed = tape.given(1, width, |into| write_rows(into, 0, &features));
        let mut fill = |_: usize, into: &mut Blocked| {
            write_windows(camera, &picture, [3, 2], Shift::default(), 0, into);
        };
        let mut words: Vec<usize> = data.words(3, 0).into_iter().map(usize::from).collect();
        words.resize(2, 0);
        let read = slow.read(&mut tape, 1, words, given, Some(borrowed), &mut fill);
        let mut want = vec![0.0; 32];
        tape.value(read.latent).read_token(0, &mut want);
        assert_eq!(got, want, "{model}");
        assert_ne!(
            got,
            think(policy, &data, 3, "open").expect("a latent"),
            "{model}: another text"
        );
    }
}

#[test]
fn a_policy_that_borrows_comes_back_and_takes_its_own_model_alone() {
    let (data, kept) = (Twin::new(20), tempfile::tempdir().expect("a folder"));
    let mut trainer = trainer("siglip", 2, &data, kept.path());
    trainer.learn(&data).expect("a step");
    let path = kept.path().join("policy.safetensors");
    trainer.policy().save(&path, false).expect("saved");
    let before = think(trainer.policy(), &data, 1, "put the red cube").expect("a latent");

    let mut again = Policy::load_as(&path, &borrowing("siglip")).expect("the same shape");
    assert!(again.weights.parameters == trainer.policy().weights.parameters);
    let error = think(&again, &data, 1, "put the red cube").expect_err("nothing was lent");
    assert!(error.to_string().contains("`siglip` of 32 features, and none is given"), "{error}");
    assert_eq!(again.expect_lent().expect_err("nothing").to_string(), error.to_string());
    assert_eq!(again.lend(None).expect_err("no folder").to_string(), error.to_string());
    let error = again.lend(Some(&folder("clip"))).expect_err("another model").to_string();
    assert!(error.contains("`clip` of 40 features where the policy has learned with a `siglip`"));
    let error = again.lend(Some(kept.path())).expect_err("no model").to_string();
    assert!(error.contains("config.json"), "{error}");
    again.lend(Some(&folder("siglip"))).expect("its own");
    assert_eq!(think(&again, &data, 1, "put the red cube").expect("a latent"), before);

    let error =
        Policy::load_as(&path, &config()).expect_err("one that does not borrow").to_string();
    assert!(
        error.contains("borrows from a `siglip` of 32 features, not from no backbone"),
        "{error}"
    );
    let mut plain = Policy::drawn(config(), Normalisation::unit(&config()), 5).expect("a policy");
    let error = plain.lend(Some(&folder("siglip"))).expect_err("it takes none").to_string();
    assert!(error.contains("policy `twin` was trained without one"), "{error}");
    plain.lend(None).expect("nothing is needed");
}

#[test]
fn a_run_goes_on_to_the_same_bits_whatever_is_remembered() {
    let (data, kept) = (Twin::new(30), tempfile::tempdir().expect("a folder"));
    let path = kept.path().join("checkpoint.safetensors");
    let mut whole = trainer("paligemma", 4, &data, kept.path());
    whole.learn(&data).expect("a step");
    whole.save(&path).expect("saved");
    let next = whole.learn(&data).expect("a step");
    let mut again = Trainer::resume(&borrowing("paligemma"), recipe(4), &path).expect("resumed");
    let error = again.learn(&data).expect_err("nothing is lent").to_string();
    assert!(error.contains("none is given"), "{error}");
    // In a folder where nothing is remembered.
    let empty = tempfile::tempdir().expect("a folder");
    let lender = Lender::new(backbone("paligemma"), empty.path()).expect("a lender");
    again.borrow_from(lender).expect("the same model");
    assert_eq!(again.learn(&data).expect("a step"), next);
    let lender = Lender::new(backbone("clip"), empty.path()).expect("a lender");
    again.borrow_from(lender).expect_err("another model");
}

#[test]
fn features_are_made_once_and_those_that_were_damaged_again() {
    let kept = tempfile::tempdir().expect("a folder");
    let camera = &config().cameras[0];
    let (picture, _) = picture_and_state(&Twin::new(1), 0);
    let open = || Lender::new(backbone("siglip"), kept.path()).expect("a lender");
    let look =
        |lender: &Lender, text: &str| lender.features(camera, &picture, text).expect("features");
    let lender = open();
    let made = ["put the red cube", "open the fridge"].map(|text| look(&lender, text));
    assert_ne!(made[0], made[1]);
    let square = made[0].iter().map(|value| value * value).sum::<f32>() / made[0].len() as f32;
    assert!((square - 1.0).abs() < 1e-5, "{square}");
    let files: Vec<PathBuf> = std::fs::read_dir(kept.path())
        .expect("files")
        .map(|entry| entry.expect("a file").path())
        .collect();
    let [file] = &files[..] else { panic!("{files:?}") };
    let size = || std::fs::metadata(file).expect("a size").len();
    let record = size() / 2;
    assert_eq!(record, 64 + 4 * 32 + 8);
    assert_eq!(look(&lender, "put the red cube"), made[0]);
    assert_eq!(size(), 2 * record, "remembered");
    assert_eq!(look(&open(), "open the fridge"), made[1]);
    assert_eq!(size(), 2 * record, "remembered by another run");

    // Half of a third, as a run that was killed leaves it; and a number of the first is another.
    let mut bytes = std::fs::read(file).expect("bytes");
    bytes[70] ^= 1;
    bytes.extend_from_within(..record as usize / 2);
    std::fs::write(file, bytes).expect("written");
    let lender = open();
    assert_eq!(size(), 2 * record);
    assert_eq!([look(&lender, "put the red cube"), look(&lender, "open the fridge")], made);
    assert_eq!(size(), 3 * record, "the damaged one was made again");
    assert_eq!(look(&open(), "put the red cube"), made[0]);
    assert_eq!(size(), 3 * record);

    Lender::new(backbone("clip"), kept.path()).expect("a lender");
    assert_eq!(std::fs::read_dir(kept.path()).expect("files").count(), 2, "a file for each model");
}

#[test]
fn a_configuration_says_what_is_borrowed_or_nothing_at_all() {
    let plain = serde_json::to_string(&config()).expect("plain data");
    assert!(!plain.contains("borrowed"), "files from before stay as they are");
    let text = serde_json::to_string(&borrowing("clip")).expect("plain data");
    let again: PolicyConfig = serde_json::from_str(&text).expect("a configuration");
    assert_eq!(again, borrowing("clip"));
    let mut none = config();
    none.s2.borrowed = Some(Borrowed { model: "clip".to_owned(), features: 0 });
    assert!(none.check().expect_err("no features").to_string().contains("`s2.borrowed.features`"));
}
