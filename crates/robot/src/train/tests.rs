//! Training on the twin task.

use std::sync::atomic::{AtomicBool, Ordering};

use nn::{Precision, threads};

use super::episodes::starts;
use super::sample::{Sample, Source};
use super::twin::{Twin, config, recipe};
use super::{Ages, Episodes, Recipe, Start, Trainer, measure, run};
use crate::error::Error;
use crate::interface::ACTION;
use crate::model::{Instruction, Mind, Policy, PolicyConfig, is_position};

fn trainer(steps: u64, data: &dyn Episodes) -> Trainer {
    let normal = measure(data, &config(), None, 1).expect("data");
    Trainer::new(config(), normal, recipe(steps)).expect("a trainer")
}

/// Mean distance, in pictures' widths, of what both run-time networks reach from what is named.
fn distance(trainer: &Trainer, data: &Twin, n: usize) -> f32 {
    let mut s1 = trainer.policy().s1(Precision::F32);
    let mut s2 = trainer.policy().s2(Precision::F32);
    let (mut picture, mut state) = (vec![0; 24 * 24 * 3], vec![0.0; 34]);
    let (mut latent, mut action) = (vec![0.0; 32], vec![0.0; 21]);
    let mut chunk = vec![0.0; config().chunk_ticks() * 21];
    let mut sum = 0.0;
    for episode in 0..n {
        data.picture(episode, 0, 0, &mut picture).expect("a picture");
        data.state(episode, 0, &mut state).expect("a state");
        data.action(episode, 0, &mut action).expect("an action");
        let instruction = Instruction { text: "", words: &data.words(episode, 0) };
        s2.think(&[&picture], &state, instruction, &mut latent).expect("a latent");
        s1.see(&[&picture], &latent).expect("seen");
        s1.act(&state, &latent, &mut chunk).expect("a chunk");
        sum += (chunk[0] - action[0]).hypot(chunk[1] - action[1]);
    }
    sum / n as f32
}

#[test]
fn the_recipe_beside_the_shapes_is_one() {
    let text = include_str!("../../configs/aloha.recipe.toml");
    let recipe: Recipe = toml::from_str(text).expect("a recipe");
    recipe.check().expect("of use");
}

#[test]
fn the_square_that_is_named_is_reached() {
    let mut data = Twin::new(4000);
    let mut trainer = trainer(STEPS, &data);
    let before = distance(&trainer, &data, 40);
    let points_before = trainer.evaluate(&data, 64).expect("a loss").points[0].mean();
    while trainer.step() < STEPS {
        trainer.learn(&data).expect("a step");
    }
    let after = distance(&trainer, &data, 40);
    let points = trainer.evaluate(&data, 64).expect("a loss").points[0].mean();
    data.misnamed = true;
    let misled = distance(&trainer, &data, 40);
    assert!(after < 0.4 * before, "{before} before, {after} after");
    assert!(points < 0.5 * points_before, "points: {points_before} before, {points} after");
    assert!(misled > 2.0 * after, "{after} as named, {misled} when the other is named");
}

/// Enough for the twin task.
const STEPS: u64 = 200;

#[test]
fn a_run_that_was_interrupted_goes_on_to_the_same_bits() {
    let data = Twin::new(50);
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("checkpoint.safetensors");
    let mut whole = trainer(6, &data);
    let mut log = Vec::new();
    for step in 0..4 {
        if step == 2 {
            whole.save(&path).expect("saved");
        }
        log.push(whole.learn(&data).expect("a step"));
    }
    let mut again = Trainer::resume(&config(), recipe(6), &path).expect("a checkpoint");
    // Another number of threads changes nothing.
    threads::with_count(1, || {
        for step in &log[2..] {
            assert_eq!(again.learn(&data).expect("a step"), *step);
        }
    });
    assert!(again.policy().weights.parameters == whole.policy().weights.parameters);
    let other = Recipe { clip: 2.0, ..recipe(6) };
    let error = Trainer::resume(&config(), other, &path).expect_err("another recipe");
    assert!(error.to_string().contains("another recipe"), "{error}");
    let tiny = PolicyConfig::shipped("tiny").expect("shipped");
    let error = Trainer::resume(&tiny, recipe(6), &path).expect_err("another shape");
    assert!(error.to_string().contains("shape `twin`, not `tiny`"), "{error}");
}

#[test]
fn a_run_begins_with_the_weights_that_it_is_given() {
    let data = Twin::new(50);
    let mut first = trainer(3, &data);
    (0..3).for_each(|_| _ = first.learn(&data).expect("a step"));
    let from = first.policy().clone();
    let again = Trainer::going_on(&config(), from.clone(), recipe(5)).expect("a trainer");
    assert_eq!(again.step(), 0);
    assert!(again.policy().weights.parameters == first.policy().weights.parameters);
    let tiny = PolicyConfig::shipped("tiny").expect("shipped");
    let error = Trainer::going_on(&tiny, from, recipe(5)).expect_err("another shape");
    assert!(error.to_string().contains("`twin` where `tiny`"), "{error}");
}

#[test]
fn eyes_alone_learn_from_points_alone() {
    let data = Twin::new(400);
    let recipe = Recipe { only_points: true, weight_decay: 0.0, ..recipe(60) };
    let normal = measure(&data, &config(), None, 1).expect("data");
    let mut trainer = Trainer::new(config(), normal, recipe).expect("a trainer");
    let value = |trainer: &Trainer, name: &str| {
        let weights = &trainer.policy().weights;
        weights.parameters.get(weights.find(name).expect("a tensor")).raw.clone()
    };
    let untouched = ["s1.act.weight", "s2.layers.0.qkv.weight", "s2.found.0.weight"];
    let before = untouched.map(|name| value(&trainer, name));
    let heat = value(&trainer, "s2.points.0.heat.weight");
    let looked = trainer.evaluate(&data, 64).expect("a loss");
    assert_eq!((looked.mean_error(), looked.mean_marks()), (0.0, [0.0; 2]));
    while trainer.step() < 60 {
        trainer.learn(&data).expect("a step");
    }
    let after = trainer.evaluate(&data, 64).expect("a loss");
    assert!(after.points[0].mean() < 0.9 * looked.points[0].mean(), "{looked:?} before, {after:?}");
    assert!(
        after.points[0].shares()[0] > looked.points[0].shares()[0],
        "{looked:?} before, {after:?}"
    );
    assert!(before == untouched.map(|name| value(&trainer, name)));
    assert!(heat != value(&trainer, "s2.points.0.heat.weight"));
    for useless in [
        Recipe { points: 0.0, ..trainer.recipe().clone() },
        Recipe { shift: 1, ..trainer.recipe().clone() },
    ] {
        let error = useless.check().expect_err("nothing to learn").to_string();
        assert!(error.contains("`only_points`"), "{error}");
    }
}

/// Samples as training draws them.
fn drawn(data: &Twin, recipe: &Recipe, n: u64) -> Vec<Sample> {
    let (config, starts) = (config(), starts(data));
    let normal = measure(data, &config, None, 1).expect("data");
    let source = Source {
        episodes: data,
        starts: &starts,
        config: &config,
        normal: &normal,
        recipe,
        lender: None,
        augments: true,
    };
    (0..n).map(|idx| source.draw(1, 1, idx).expect("a sample")).collect()
}

#[test]
fn samples_are_looked_for_where_millimetres_matter() {
    let mut data = Twin::new(400);
    data.fine = true;
    let mut marks = vec![vec![0.0; 2]; 40];
    for (at, marks) in marks.iter_mut().enumerate() {
        data.marks(10 * at, 0, marks).expect("marks");
    }
    let n_fine = |share: f64| {
        let samples = drawn(&data, &Recipe { fine: share, ..recipe(1) }, 200);
        let is_fine =
            |sample: &&Sample| marks.iter().any(|of| sample.then.marks.as_ref() == Some(of));
        samples.iter().filter(is_fine).count()
    };
    // One in ten alone; of 13 draws one at least is fine in three of four.
    let (few, many) = (n_fine(0.0), n_fine(1.0));
    assert!((5..40).contains(&few) && many > 120, "{few} and {many} of 200");
}

#[test]
fn what_nobody_did_is_not_learned_from() {
    let mut data = Twin::new(40);
    data.strayed = true;
    for sample in drawn(&data, &recipe(1), 5) {
        let (_, targets) = &sample.now[0];
        let (first, second) = targets.split_at(21);
        assert!(first.iter().all(|value| value.is_finite()), "{first:?}");
        assert!(second.iter().all(|value| value.is_nan()), "{second:?}");
    }
    let stepped = trainer(1, &data).learn(&data).expect("a step");
    data.strayed = false;
    let whole = trainer(1, &data).learn(&data).expect("a step");
    assert!(stepped.error > 0.0 && stepped.error < whole.error, "{stepped:?} {whole:?}");
}

#[test]
fn ages_are_drawn_as_often_as_their_weights_say() {
    let ages = Ages::new(vec![(10, 1.0), (20, 0.0), (30, 3.0)]).expect("weights");
    assert_eq!([0.0, 0.2, 0.3, 0.999].map(|share| ages.at(share)), [10, 10, 30, 30]);
    assert_eq!(Ages::always(7).at(0.5), 7);
    for wrong in [vec![], vec![(1, 0.0)], vec![(1, -1.0), (2, 2.0)], vec![(1, f64::NAN)]] {
        Ages::new(wrong).expect_err("no histogram");
    }
}

#[test]
fn data_of_other_cameras_and_words_out_of_the_vocabulary_are_refused() {
    let mut other = config();
    other.cameras[0].width = 32;
    let error = measure(&Twin::new(3), &other, None, 1).expect_err("another camera");
    assert!(
        error.to_string().contains("`head` 24x24 where the policy has `head` 32x24"),
        "{error}"
    );
    let mut few = config();
    few.s2.vocabulary = 2;
    let normal = measure(&Twin::new(3), &few, None, 1).expect("data");
    let mut trainer = Trainer::new(few, normal, recipe(1)).expect("a trainer");
    let error = trainer.learn(&Twin::new(3)).expect_err("a word");
    assert!(matches!(error, Error::Config { what: "instruction", .. }), "{error}");
}

#[test]
fn a_run_stops_when_told_to_and_goes_on_in_its_folder() {
    let data = Twin::new(50);
    let folder = tempfile::tempdir().expect("a folder");
    let stop = AtomicBool::new(false);
    let mut steps = Vec::new();
    let mut tell = |stepped: &super::Stepped| {
        steps.push(stepped.step);
        stop.store(stepped.step == 2, Ordering::Relaxed);
    };
    let first = run(&config(), recipe(4), Start::default(), &data, folder.path(), &stop, &mut tell);
    assert!(first.expect("a run").step() == 2);
    stop.store(false, Ordering::Relaxed);
    let mut tell = |stepped: &super::Stepped| steps.push(stepped.step);
    let second =
        run(&config(), recipe(4), Start::default(), &data, folder.path(), &stop, &mut tell);
    let second = second.expect("a run");
    assert_eq!(steps, [1, 2, 3, 4]);
    let mut whole = trainer(4, &data);
    (0..4).for_each(|_| _ = whole.learn(&data).expect("a step"));
    assert!(whole.policy().weights.parameters == second.policy().weights.parameters);
    let policy = Policy::load_as(&folder.path().join("policy.safetensors"), &config());
    assert!(policy.expect("a policy").recipe.expect("a recipe").contains("\"steps\":4"));
}

#[test]
fn positions_of_wrists_are_known_and_their_weight_is_checked() {
    let known: Vec<usize> = (0..ACTION).filter(|&at| is_position(ACTION, at)).collect();
    assert_eq!(known, [0, 1, 2, 10, 11, 12]);
    assert!((0..7).all(|at| !is_position(7, at)), "of another body nobody knows");
    let error = Recipe { positions: 101.0, ..Recipe::tiny() }.check().expect_err("too much");
    assert!(error.to_string().contains("`positions` is 101"), "{error}");
    let text = toml::to_string(&Recipe::tiny()).expect("plain data");
    let before: Vec<&str> = text.lines().filter(|line| !line.starts_with("positions")).collect();
    let recipe: Recipe = toml::from_str(&before.join("\n")).expect("a recipe");
    assert_eq!(recipe, Recipe { positions: 1.0, ..Recipe::tiny() });
}
