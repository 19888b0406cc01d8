//! Products with fixed weights.

use nn::{Activation, Blocked, Cpu, Glu, Isa, Linear, Precision, Then, threads};

use crate::reference::{assert_close, product, random};

/// Sums of up to 200 products of numbers below 1: f32 rounds each to 6e-8 of the sum.
const F32_TOLERANCE: f32 = 2e-5;

/// bfloat16 keeps 8 bits: 200 products, each off by up to 2^-8, add up like a random walk.
const BF16_TOLERANCE: f32 = 0.08;

/// Bytes: steps of 1/127 of weights and inputs.
const INT8_TOLERANCE: f32 = 0.15;

/// Shapes with whole and partial blocks, and every remainder of tiles of tokens.
const SHAPES: [(usize, usize, usize); 6] =
    [(1, 32, 32), (2, 64, 96), (17, 33, 31), (45, 200, 70), (14, 128, 64), (64, 96, 160)];

fn linear(w: &[f32], n: usize, k: usize, precision: Precision, bias: Option<&[f32]>) -> Linear {
    Linear::new(n, k, precision, bias, |row, into| into.copy_from_slice(&w[row * k..][..k]))
}

fn forward(linear: &Linear, cpu: Cpu, x: &[f32]) -> Vec<f32> {
    let x = Blocked::from_rows(x, linear.n_inputs());
    let mut out = Blocked::new(x.n_tokens(), linear.n_outputs());
    linear.forward(cpu, &x, &mut out, Then::Store);
    out.to_rows()
}

#[test]
fn products_match_their_definition_in_every_precision_on_every_processor() {
    for (t, k, n) in SHAPES {
        let (x, w) = (random(1, t * k), random(2, n * k));
        let want = product(&x, &w, k);
        for (precision, tolerance) in [
            (Precision::F32, F32_TOLERANCE),
            (Precision::Bf16, BF16_TOLERANCE),
            (Precision::Int8, INT8_TOLERANCE),
        ] {
            let linear = linear(&w, n, k, precision, None);
            for cpu in Cpu::all() {
                let got = forward(&linear, cpu, &x);
                assert_close(&got, &want, tolerance, &format!("{precision:?} {cpu:?} {t}x{k}x{n}"));
            }
        }
    }
}

#[test]
fn f32_and_int8_products_have_the_same_bits_on_every_processor() {
    let (t, k, n) = (29, 96, 64);
    let (x, w) = (random(3, t * k), random(4, n * k));
    for precision in [Precision::F32, Precision::Int8] {
        let linear = linear(&w, n, k, precision, None);
        let want = forward(&linear, Cpu::PORTABLE, &x);
        for cpu in Cpu::all() {
            assert_eq!(forward(&linear, cpu, &x), want, "{precision:?} {cpu:?}");
        }
    }
}

/// So many weights that they are kept in fewer bits where that loses nothing.
fn many(change: impl Fn(f32) -> f32) -> (Vec<f32>, [usize; 2]) {
    let (k, n) = (544, 256);
    (random(3, n * k).into_iter().map(change).collect(), [k, n])
}

/// Checks that weights take so many bits each, and give the bits of those that take 32.
fn assert_held(w: &[f32], [k, n]: [usize; 2], bits: std::ops::RangeInclusive<f64>) {
    let held = linear(w, n, k, Precision::F32, None);
    let each = 8.0 * held.size_bytes() as f64 / w.len() as f64;
    assert!(bits.contains(&each), "{each} bits a weight");
    // A last block of outputs that only floats hold: their exponents are too many.
    let wide = (0..32 * k).map(|i| f32::from_bits(((i % 200 + 20) << 23 | 1) as u32));
    let all: Vec<f32> = w.iter().copied().chain(wide).collect();
    let whole = linear(&all, n + 32, k, Precision::F32, None);
    assert_eq!(whole.size_bytes(), 4 * all.len());
    // From tiles of every size to more activations than stay near.
    for t in (1..18).chain([67, 500]) {
        let x = random(4, t * k);
        let want = forward(&whole, Cpu::PORTABLE, &x);
        let want = want.chunks(n + 32).flat_map(|row| &row[..n]).map(|value| value.to_bits());
        let want: Vec<_> = want.collect();
        for cpu in Cpu::all() {
            let got: Vec<_> = forward(&held, cpu, &x).into_iter().map(f32::to_bits).collect();
            assert_eq!(got, want, "{t} tokens, {cpu:?}");
        }
    }
}

#[test]
fn weights_that_bfloat16_holds_take_half_the_memory_and_give_the_same_bits() {
    let (mut w, shape) = many(|value| f32::from_bits(value.to_bits() & 0xffff_0000));
    (w[5], w[6], w[7]) = (0.0, -0.0, f32::MIN_POSITIVE / 4.0);
    assert_held(&w, shape, 16.0..=16.0);
}

#[test]
fn weights_of_few_exponents_take_an_eighth_less_memory_and_give_the_same_bits() {
    let (mut w, shape) = many(|value| value);
    // Without vectors of sixteen, that would take longer than reading what it spares.
    let bits = if Cpu::best().isa < Isa::Avx512 { 32.0..=32.0 } else { 28.0..=28.5 };
    assert_held(&w, shape, bits.clone());
    // Zeros of both signs, and lines that have to be kept whole: more than one after another.
    for (i, odd) in [0.0, -0.0, f32::MIN_POSITIVE / 4.0, -1e-20, 3e30].into_iter().enumerate() {
        w[7 * i] = odd;
        w[shape[0] + 7 * i + 1] = -odd;
    }
    assert_held(&w, shape, bits);
}

#[test]
fn what_is_no_number_stays_none_and_spoils_no_other_output() {
    let (mut w, [k, n]) = many(|value| value);
    (w[40], w[41], w[k]) = (f32::NAN, f32::INFINITY, f32::NEG_INFINITY);
    let linear = linear(&w, n, k, Precision::F32, None);
    for cpu in Cpu::all() {
        let got = forward(&linear, cpu, &vec![1.0; k]);
        assert!(got[0].is_nan() && got[1] == f32::NEG_INFINITY, "{:?}", &got[..2]);
        assert!(got[2..].iter().all(|value| value.is_finite()));
    }
}

#[test]
fn a_token_alone_has_the_same_bits_as_among_others() {
    let (t, k, n) = (40, 70, 50);
    let (x, w) = (random(5, t * k), random(6, n * k));
    for precision in [Precision::F32, Precision::Int8] {
        let linear = linear(&w, n, k, precision, None);
        let all = forward(&linear, Cpu::best(), &x);
        for token in [0, 1, 13, 14, 39] {
            let alone = forward(&linear, Cpu::best(), &x[token * k..][..k]);
            assert_eq!(alone, all[token * n..][..n], "{precision:?} token {token}");
        }
    }
}

#[test]
fn bias_and_residual_are_added() {
    let (k, n) = (3, 2);
    let w = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0];
    // Rounded to bytes, 2 of at most 3 is not quite 2.
    for (precision, off) in [(Precision::F32, 0.0), (Precision::Bf16, 0.0), (Precision::Int8, 0.02)]
    {
        let linear = linear(&w, n, k, precision, Some(&[10.0, 20.0]));
        for cpu in Cpu::all() {
            let near = |out: &Blocked, want: [f32; 2]| {
                let got = out.to_rows();
                let is_near = got.iter().zip(want).all(|(got, want)| (got - want).abs() <= off);
                assert!(is_near, "{precision:?} {cpu:?}: {got:?} for {want:?}");
            };
            let x = Blocked::from_rows(&[1.0, 2.0, 3.0], k);
            let before = Blocked::from_rows(&[100.0, 200.0], n);
            let mut out = before.clone();
            linear.forward(cpu, &x, &mut out, Then::Add);
            near(&out, [111.0, 222.0]);
            linear.forward(cpu, &x, &mut out, Then::Store);
            near(&out, [11.0, 22.0]);
            linear.forward(cpu, &x, &mut out, Then::Onto(&before));
            near(&out, [111.0, 222.0]);
        }
    }
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let (t, k, n) = (64, 256, 512);
    let (x, w) = (random(7, t * k), random(8, n * k));
    for precision in [Precision::F32, Precision::Bf16, Precision::Int8] {
        let linear = linear(&w, n, k, precision, None);
        let one = threads::with_count(1, || forward(&linear, Cpu::best(), &x));
        let three = threads::with_count(3, || forward(&linear, Cpu::best(), &x));
        assert_eq!(one, three, "{precision:?}");
    }
}

/// The error function by its series and, far out, by its limit.
fn erf(x: f64) -> f64 {
    if x.abs() > 5.0 {
        return x.signum();
    }
    let (mut term, mut sum) = (x, x);
    for n in 1..200 {
        term *= -x * x / f64::from(n);
        sum += term / f64::from(2 * n + 1);
    }
    sum * std::f64::consts::FRAC_2_SQRT_PI
}

#[test]
fn gated_units_match_their_definition() {
    let (t, k, n) = (19, 64, 70);
    let x = random(9, t * k);
    let (a, b) = (random(10, n * k), random(11, n * k));
    for activation in [Activation::Identity, Activation::Gelu] {
        let glu = Glu::new(
            n,
            k,
            Precision::F32,
            activation,
            |row, into| into.copy_from_slice(&a[row * k..][..k]),
            |row, into| into.copy_from_slice(&b[row * k..][..k]),
        );
        let (gate, value) = (product(&x, &a, k), product(&x, &b, k));
        let act = |x: f32| match activation {
            Activation::Identity => x,
            Activation::Gelu => {
                let x = f64::from(x);
                (x * 0.5 * (1.0 + erf(x * std::f64::consts::FRAC_1_SQRT_2))) as f32
            }
        };
        let want: Vec<f32> =
            gate.iter().zip(&value).map(|(gate, value)| act(*gate) * value).collect();
        for cpu in Cpu::all() {
            let mut out = Blocked::new(t, n);
            glu.forward(cpu, &Blocked::from_rows(&x, k), &mut out);
            assert_close(&out.to_rows(), &want, 1e-4, &format!("{activation:?} {cpu:?}"));
        }
    }
}
