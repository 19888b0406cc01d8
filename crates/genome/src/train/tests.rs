//! Training on the tiny configuration of the golden fixture, made trainable.

use super::*;
use crate::annotation::Strand;
use crate::corpus::Place;
use crate::model::{StripedHyena, Token};
use crate::score;

fn config(steps: u64) -> TrainConfig {
    let text = include_str!("../../tests/data/evo2_tiny/config.json");
    let mut model = ModelConfig::parse(text).expect("the fixture");
    model.num_attention_heads = 2;
    let stage = |steps, length, rotary_scale| Stage {
        steps,
        batch: 6,
        length,
        rotary_scale,
        start_share: 0.0,
    };
    TrainConfig {
        seed: 7,
        bf16: false,
        learning_rate: 3e-3,
        final_share: 0.1,
        warmup_share: 0.2,
        beta1: 0.9,
        beta2: 0.95,
        weight_decay: 0.1,
        clip: 1.0,
        stages: vec![stage(steps / 2, 40, 1.0), stage(steps - steps / 2, 80, 2.0)],
        model,
    }
}

/// Windows of a repeated pattern: something that can be learned in few steps.
fn windows(step: u64, config: &TrainConfig) -> Vec<Window> {
    let stage = config.stage(step);
    let base = |at: usize| Token::from(b"ACGTTGCAAC"[at % 10]);
    (0..stage.batch)
        .map(|idx| {
            let first = step as usize * 3 + idx;
            let tokens = (first..=first + stage.length).map(base).collect();
            let weights = (0..stage.length).map(|at| if at % 7 == 0 { 0.1 } else { 1.0 }).collect();
            let place =
                Place { sequence: 0, start: first, n_bases: stage.length, strand: Strand::Forward };
            Window { tokens, weights, place }
        })
        .collect()
}

fn train(trainer: &mut Trainer, until: u64) -> Vec<Stepped> {
    let mut steps = Vec::new();
    while trainer.step() < until {
        let windows = windows(trainer.step(), trainer.config());
        steps.push(trainer.learn(&windows).expect("a step"));
    }
    steps
}

#[test]
fn a_pattern_is_learned() {
    let mut trainer = Trainer::new(config(24)).expect("a trainer");
    let steps = train(&mut trainer, 24);
    assert!(steps[0].bits_per_base > 8.0, "{:?}", steps[0]);
    assert!(steps[23].bits_per_base < 4.0, "{:?}", steps[23]);
    assert!(steps[0].rate < steps[4].rate && steps[23].rate < steps[4].rate);
}

#[test]
fn an_interrupted_run_goes_on_to_the_same_bits_with_other_threads() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("checkpoint.safetensors");
    let mut whole = Trainer::new(config(6)).expect("a trainer");
    threads::with_count(1, || train(&mut whole, 6));
    let mut first = Trainer::new(config(6)).expect("a trainer");
    train(&mut first, 2);
    first.save(&path).expect("saved");
    let mut second = Trainer::resume(config(6), &path).expect("it goes on");
    assert_eq!(second.step(), 2);
    threads::with_count(3, || train(&mut second, 6));
    assert_eq!(whole.trained(), second.trained());
    assert!(matches!(Trainer::resume(config(8), &path), Err(Error::OtherRun { .. })));
    std::fs::write(&path, b"nothing").expect("a file");
    assert!(matches!(Trainer::resume(config(6), &path), Err(Error::Weights(_))));
}

/// What training computes is what the model computes once its weights are written and loaded; also
/// after the context was stretched.
#[test]
fn a_trained_model_scores_as_it_did_in_training() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("model.safetensors");
    let mut trainer = Trainer::new(config(4)).expect("a trainer");
    for until in [1, 4] {
        train(&mut trainer, until);
        write_model(&path, &trainer.model(), &trainer.trained(), false).expect("written");
        let shown = path.to_string_lossy();
        let model = crate::load::model(&shown, None, Precision::F32).expect("loaded");
        let mut window = windows(3, trainer.config()).remove(0);
        window.weights.fill(1.0);
        let [loss] = trainer.evaluate(std::slice::from_ref(&window))[..] else { panic!("one") };
        let scores = score::score(&model, &[&window.tokens]);
        let want = -scores[0].total();
        assert!((loss.nats - want).abs() < 1e-4 * want, "{} {want}", loss.nats);
    }
}

/// Weights of the official fixture through the layers of training: the same loss as the model's. Its
/// heads are taken two at a time, as training wants them wider, and so without its frequencies.
#[test]
fn training_can_begin_from_official_weights() {
    let data = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/evo2_tiny/weights.safetensors");
    let fixture = nn::weights::File::open(std::path::Path::new(data)).expect("the fixture");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("weights.safetensors");
    let names = fixture.names().filter(|name| !name.ends_with("inv_freq"));
    let tensors = names.map(|name| (name, fixture.get(name).expect("it")));
    nn::weights::write(&path, tensors, Default::default()).expect("written");
    let file = nn::weights::File::open(&path).expect("read");
    let mut config = config(4);
    let model = StripedHyena::load(&config.model, &file, Precision::F32).expect("loaded");
    config.stages[0].rotary_scale = 1.0;
    let mut trainer = Trainer::new(config).expect("a trainer");
    trainer.start_from(&file).expect("it begins");
    let mut window = windows(0, trainer.config()).remove(0);
    window.weights.fill(1.0);
    let [loss] = trainer.evaluate(std::slice::from_ref(&window))[..] else { panic!("one") };
    let want = -score::score(&model, &[&window.tokens])[0].total();
    assert!((loss.nats - want).abs() < 1e-4 * want, "{} {want}", loss.nats);
    // Filters keep their form when such a run goes on.
    let path = folder.path().join("checkpoint.safetensors");
    train(&mut trainer, 1);
    trainer.save(&path).expect("saved");
    let mut second = Trainer::resume(trainer.config().clone(), &path).expect("it goes on");
    train(&mut trainer, 2);
    train(&mut second, 2);
    assert_eq!(trainer.trained(), second.trained());
}

#[test]
fn settings_that_cannot_be_trained_are_refused() {
    let refused = |change: &dyn Fn(&mut TrainConfig)| {
        let mut config = config(4);
        change(&mut config);
        let Err(Error::Config { reason }) = Trainer::new(config) else { panic!("not refused") };
        reason
    };
    assert_eq!(refused(&|config| config.stages.clear()), "there is no stage");
    assert_eq!(refused(&|config| config.clip = f64::NAN), "`clip` is NaN, not above 0");
    assert_eq!(
        refused(&|config| config.model.num_attention_heads = 4),
        "training takes sizes in multiples of 32: `head size` is 16"
    );
}
