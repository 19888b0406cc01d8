//! Shapes, and the loop.

use nn::Precision;
use nn::train::Tape;
use nn::{Blocked, Cpu};

use super::network::{Fast, Maker, Memory};
use super::pictures::{Shift, rows, windows};
use super::tensors::{self, n_values};
use super::{Instruction, Mind, Normalisation, Policy, PolicyConfig};
use crate::train::twin;

fn policy() -> Policy {
    let config = twin::config();
    let normal = Normalisation::unit(&config);
    Policy::drawn(config, normal, 5).expect("a policy")
}

fn picture(seed: usize) -> Vec<u8> {
    (0..24 * 24 * 3).map(|at| ((at * 31 + seed * 17) % 251) as u8).collect()
}

fn state() -> Vec<f32> {
    let mut state = vec![0.1; 34];
    for wrist in [0, 10] {
        state[wrist + 3..wrist + 9].copy_from_slice(&[1.0, 0.0, 0.0, 0.0, 1.0, 0.0]);
    }
    state
}

fn latent() -> Vec<f32> {
    (0..32).map(|at| (at as f32).sin()).collect()
}

#[test]
fn the_shipped_shapes_have_as_many_parameters_as_their_names_say() {
    let count = |name: &str| {
        let config = PolicyConfig::shipped(name).expect("shipped");
        [tensors::s1(&config), tensors::s2(&config)].map(|all| n_values(&all) as f64 / 1e6)
    };
    let [tiny, small, medium, helix] = ["tiny", "small", "medium", "helix"].map(count);
    let within = |value: f64, low: f64, high: f64| (low..high).contains(&value);
    assert!(within(tiny[0], 1.0, 3.0) && within(tiny[1], 0.5, 3.0), "{tiny:?}");
    let aloha = count("aloha");
    assert!(within(aloha[0] + aloha[1], 2.0, 3.0), "{aloha:?}");
    assert!(within(small[0], 7.0, 9.0), "{small:?}");
    assert!(within(medium[0], 18.0, 22.0), "{medium:?}");
    assert!(within(helix[0], 76.0, 84.0) && within(helix[1], 6.7e3, 7.3e3), "{helix:?}");
    assert_eq!(PolicyConfig::shipped("helix").expect("shipped").action, 35);
}

#[test]
fn a_configuration_with_a_mistake_says_which() {
    let text = include_str!("../../configs/tiny.toml");
    let reason = |from: &str, to: &str| {
        assert!(text.contains(from), "{from}");
        PolicyConfig::parse(&text.replacen(from, to, 1)).expect_err("a mistake").to_string()
    };
    assert!(
        reason("latent = 128", "latent = 100").contains("`latent` is 100, not a multiple of 32")
    );
    assert!(reason("cameras = [0]", "cameras = [3]").contains("`s2.cameras`"));
    assert!(reason("kernel = 5", "kernel = 4").contains("even kernel"));
    assert!(reason("chunk = 12", "chunks = 12").contains("chunks"));
    assert!(
        reason("width = 128\nhead_size = 32", "width = 160\nhead_size = 64")
            .contains("whole heads")
    );
}

#[test]
fn the_loop_gives_the_bits_of_the_network_that_is_trained() {
    let policy = policy();
    let config = &policy.config;
    let mut s1 = policy.s1(Precision::F32);
    let mut chunk = vec![0.0; config.chunk_ticks() * 21];
    s1.see(&[&picture(1)], &latent()).expect("seen");
    s1.act(&state(), &latent(), &mut chunk).expect("a chunk");

    let make = Maker { weights: &policy.weights, precision: Precision::F32, learns: true };
    let fast = Fast::new(make, config);
    let mut tape = Tape::new(Cpu::best());
    let given = tape.given(1, 32, |into| rows(into, 0, &latent()));
    let mut normal = vec![0.0; 34];
    policy.normalisation.normal_state(&state(), &mut normal);
    let normal = tape.given(1, 64, |into| rows(into, 0, &normal));
    let mut fill = |camera: usize, into: &mut Blocked| {
        windows(&config.cameras[camera], &picture(1), [3, 2], Shift::default(), 0, into);
    };
    let seen = fast.encode(&mut tape, 1, given, &mut fill);
    let out = fast.decode(&mut tape, 1, given, normal, Memory::Live(seen.memory), seen.glance);
    let mut values = vec![0.0; 32];
    for k in 0..2 {
        tape.value(out).read_token(k, &mut values);
        let mut action = vec![0.0; 21];
        policy.normalisation.action(k, &state(), &values[..21], &mut action).expect("an action");
        assert_eq!(action, s1.knots()[k * 21..][..21]);
    }
    assert_eq!(chunk[..21], s1.knots()[..21]);
    assert_eq!(chunk[4 * 21..], s1.knots()[21..]);
}

#[test]
fn rotations_stay_orthonormal_between_actions() {
    let mut s1 = policy().s1(Precision::F32);
    let mut chunk = vec![0.0; 5 * 21];
    s1.see(&[&picture(1)], &latent()).expect("seen");
    s1.act(&state(), &latent(), &mut chunk).expect("a chunk");
    for action in chunk.chunks(21) {
        let (a, b) = (&action[3..6], &action[6..9]);
        let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
        let off = [dot(a, a) - 1.0, dot(b, b) - 1.0, dot(a, b)];
        assert!(off.into_iter().all(|off| off.abs() < 1e-5), "{off:?}");
        assert!((0.0..=1.0).contains(&action[20]));
    }
}

#[test]
fn nothing_is_allocated_once_frames_and_ticks_were_seen() {
    let policy = policy();
    for precision in [Precision::F32, Precision::Bf16, Precision::Int8] {
        let mut s1 = policy.s1(precision);
        let pictures = [picture(1), picture(2)];
        let (state, latent) = (state(), latent());
        let mut chunk = vec![0.0; 5 * 21];
        s1.see(&[&pictures[1]], &latent).expect("seen");
        s1.see(&[&pictures[0]], &latent).expect("seen");
        s1.act(&state, &latent, &mut chunk).expect("a chunk");
        let before = chunk.clone();
        let counted = allocation_counter::measure(|| {
            s1.see(&[&pictures[1]], &latent).expect("seen");
            s1.act(&state, &latent, &mut chunk).expect("a chunk");
        });
        assert_eq!(counted.count_total, 0, "{precision:?}");
        assert_ne!(before, chunk, "another picture, another action");
    }
}

#[test]
fn until_a_frame_is_taken_in_whole_the_one_before_is_acted_on() {
    let mut s1 = policy().s1(Precision::F32);
    let act = |s1: &mut super::S1| {
        let mut chunk = vec![0.0; 5 * 21];
        s1.act(&state(), &latent(), &mut chunk).expect("a chunk");
        chunk
    };
    s1.see(&[&picture(2)], &latent()).expect("seen");
    let second = act(&mut s1);
    s1.see(&[&picture(1)], &latent()).expect("seen");
    let first = act(&mut s1);
    s1.begin(&[&picture(3)], &latent()).expect("begun");
    assert!(!s1.advance() && act(&mut s1) == first);
    // Given up for a newer one.
    s1.begin(&[&picture(2)], &latent()).expect("begun");
    assert!(!s1.advance() && act(&mut s1) == first);
    assert!(s1.advance() && act(&mut s1) == second && s1.advance());
    assert_ne!(first, second);
}

#[test]
fn narrow_weights_change_actions_little() {
    let policy = policy();
    let chunks = [Precision::F32, Precision::Bf16, Precision::Int8].map(|precision| {
        let mut s1 = policy.s1(precision);
        let mut chunk = vec![0.0; 5 * 21];
        s1.see(&[&picture(3)], &latent()).expect("seen");
        s1.act(&state(), &latent(), &mut chunk).expect("a chunk");
        chunk
    });
    let off = |at: usize| {
        let pairs = chunks[0].iter().zip(&chunks[at]);
        pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
    };
    let spread = chunks[0].iter().zip(state()).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(off(1) < 0.02 * spread && off(2) < 0.1 * spread, "{} {} of {spread}", off(1), off(2));
}

#[test]
fn what_does_not_fit_or_is_no_number_is_refused() {
    let policy = policy();
    let mut s1 = policy.s1(Precision::F32);
    let mut chunk = vec![0.0; 5 * 21];
    let error = s1.act(&state(), &latent(), &mut chunk).expect_err("nothing was seen");
    assert!(error.to_string().contains("see before you act"), "{error}");
    let error = s1.see(&[&[0; 5]], &latent()).expect_err("a small picture");
    assert!(error.to_string().contains("head has 5 values where 1728"), "{error}");
    s1.see(&[&picture(1)], &[f32::NAN; 32]).expect_err("no latent");
    s1.see(&[&picture(1)], &latent()).expect("seen");
    s1.act(&[f32::INFINITY; 34], &latent(), &mut chunk).expect_err("no state");
    s1.act(&state(), &latent()[1..], &mut chunk).expect_err("a short latent");
    let mut s2 = policy.s2(Precision::F32);
    let mut latent = vec![0.0; 32];
    let words = [2; 3];
    let instruction = Instruction { text: "", words: &words };
    let error = s2.think(&[&picture(1)], &state(), instruction, &mut latent).expect_err("too long");
    assert!(error.to_string().contains("3 words; at most 2"), "{error}");
}

#[test]
fn a_policy_comes_back_from_its_file_and_other_files_are_refused() {
    let policy = policy();
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("policy.safetensors");
    policy.save(&path, false).expect("saved");
    let again = Policy::load_as(&path, &policy.config).expect("the same shape");
    assert!(again.weights.parameters == policy.weights.parameters);
    assert_eq!(again.normalisation, policy.normalisation);
    let tiny = PolicyConfig::shipped("tiny").expect("shipped");
    let error = Policy::load_as(&path, &tiny).expect_err("another shape");
    assert!(error.to_string().contains("shape `twin`, not `tiny`"), "{error}");

    let bytes = std::fs::read(&path).expect("bytes");
    std::fs::write(&path, &bytes[..bytes.len() / 2]).expect("cut");
    Policy::load(&path).expect_err("half a file");

    let mut broken = policy.clone();
    broken.weights.parameters.iter_mut().next().expect("one").raw[3] = f32::NAN;
    broken.save(&path, false).expect("saved");
    Policy::load(&path).expect_err("not finite");
    let mut other = policy;
    other.normalisation.actions.pop();
    other.save(&path, false).expect("saved");
    let error = Policy::load(&path).expect_err("another normalisation");
    assert!(error.to_string().contains("chunk has 1 values where 2"), "{error}");
}

#[cfg(not(feature = "backbones"))]
#[test]
fn a_policy_that_borrows_is_read_but_gives_no_latent_where_nothing_can_be_lent() {
    use super::config::Borrowed;

    let mut config = twin::config();
    config.s2.borrowed = Some(Borrowed { model: "clip".to_owned(), features: 40 });
    let normal = Normalisation::unit(&config);
    let mut policy = Policy::drawn(config, normal, 5).expect("a policy");
    let folder = tempfile::tempdir().expect("a folder");
    let error = policy.lend(Some(folder.path())).expect_err("built without");
    assert!(matches!(error, crate::Error::Program { .. }), "{error}");
    let (picture, mut latent) = (picture(1), [0.0; 32]);
    let instruction = Instruction { text: "open", words: &[2] };
    let mut s2 = policy.s2(Precision::F32);
    let error = s2.think(&[&picture], &state(), instruction, &mut latent).expect_err("not lent");
    assert!(error.to_string().contains("`clip` of 40 features, and none is given"), "{error}");
    // S1 needs none.
    policy.s1(Precision::F32).see(&[&picture], &self::latent()).expect("seen");
}
