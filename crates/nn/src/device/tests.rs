//! Each operation against the reference, on candle's processor device; on a GPU where asked for.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{Attention, Device, Glu, Hyena, Linear, RmsNorm};
use crate::{Activation, Blocked, Cpu, Filter, Rotary, Then};

/// Of values of about 1 that are sums of some tens.
const TOLERANCE: f32 = 3e-5;

/// More than two pieces of the modal filter, and two of attention.
const N_TOKENS: usize = 300;

fn random(seed: u64, n: usize) -> Vec<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    (0..n).map(|_| rng.random_range(-1.0..1.0)).collect()
}

fn close(got: &[f32], want: &Blocked, what: &str) {
    let want = want.to_rows();
    assert_eq!(got.len(), want.len(), "{what}");
    for (at, (got, want)) in got.iter().zip(&want).enumerate() {
        assert!(
            (got - want).abs() <= TOLERANCE * want.abs().max(1.0),
            "{what} at {at}: {got} {want}"
        );
    }
}

/// All of them on a device.
fn agree_on(device: &Device) {
    let (c, inner, cpu) = (64, 96, Cpu::best());
    let x = random(1, N_TOKENS * c);
    let (on_device, x) = (device.array(&x, c).expect("room"), Blocked::from_rows(&x, c));
    let mut out = Blocked::new(N_TOKENS, c);

    let scale = random(2, c);
    crate::RmsNorm::new(&scale, 1e-6).forward(cpu, &x, &mut out);
    let norm = RmsNorm::new(device, &scale, 1e-6).expect("room");
    close(&norm.forward(&on_device).and_then(|y| y.to_rows()).expect("a norm"), &out, "norm");

    let matrices = [3, 4].map(|seed| random(seed, inner * c));
    let read = |idx: usize| {
        let matrix = &matrices[idx];
        move |row: usize, into: &mut [f32]| into.copy_from_slice(&matrix[row * c..][..c])
    };
    let bias = random(5, inner);
    let mut wide = Blocked::new(N_TOKENS, inner);
    let reference = crate::Linear::new(inner, c, crate::Precision::F32, Some(&bias), read(0));
    reference.forward(cpu, &x, &mut wide, Then::Store);
    let linear = Linear::new(device, [inner, c], Some(&bias), read(0)).expect("room");
    close(
        &linear.forward(&on_device).and_then(|y| y.to_rows()).expect("a product"),
        &wide,
        "linear",
    );
    for activation in [Activation::Identity, Activation::Gelu] {
        let f32 = crate::Precision::F32;
        let reference = crate::Glu::new(inner, c, f32, activation, read(0), read(1));
        reference.forward(cpu, &x, &mut wide);
        let half = |idx| Linear::new(device, [inner, c], None, read(idx)).expect("room");
        let glu = Glu::new(half(0), half(1), activation);
        close(&glu.forward(&on_device).and_then(|y| y.to_rows()).expect("a product"), &wide, "glu");
    }

    let p = random(6, N_TOKENS * 3 * c);
    let (on_device, p) = (device.array(&p, 3 * c).expect("room"), Blocked::from_rows(&p, 3 * c));
    let (short, skip) = (random(7, 3 * c * 3), random(8, c));
    let taps = random(9, c * 7);
    let poles: Vec<f32> = random(10, c * 4).iter().map(|x| 0.5 + 0.499 * x).collect();
    let residues = random(11, c * 4);
    for filter in [
        Filter::Fir { taps: &taps, n_taps: 7 },
        Filter::Modal { poles: &poles, residues: &residues, n_modes: 4 },
    ] {
        let reference = crate::Hyena::new(&short, 3, filter, Some(&skip));
        reference.forward(cpu, &p, &mut reference.state(), &mut out);
        let hyena = Hyena::new(device, &short, 3, filter, Some(&skip)).expect("room");
        let got = hyena.forward(&on_device).and_then(|y| y.to_rows()).expect("a filter");
        close(&got, &out, &format!("{filter:?}")[..5]);
    }

    let rotary = Rotary::new(32, 1e4, 2.0);
    let reference = crate::Attention::new(2, 32, rotary.clone());
    reference.forward(cpu, &p, &mut reference.state(), &mut out);
    let attention = Attention::new(2, 32, rotary);
    let got = attention.forward(&on_device).and_then(|y| y.to_rows()).expect("attention");
    close(&got, &out, "attention");
}

#[test]
fn every_operation_is_that_of_the_reference() {
    agree_on(&Device::cpu());
}

#[cfg(feature = "cuda")]
#[test]
#[ignore = "needs a GPU"]
fn every_operation_on_a_gpu_is_that_of_the_reference() {
    agree_on(&Device::cuda(0).expect("a GPU"));
}

#[test]
fn what_does_not_fit_is_an_error_of_one_line() {
    let device = Device::cpu();
    let x = device.array(&[0.0; 6], 3).expect("room");
    let linear = Linear::new(&device, [2, 4], None, |_, row| row.fill(0.0)).expect("room");
    let said = linear.forward(&x).expect_err("3 is not 4").to_string();
    assert!(said.starts_with("failed to compute: ") && said.lines().count() == 1, "{said}");
}
