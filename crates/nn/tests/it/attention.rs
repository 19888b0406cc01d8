//! Attention.

use half::bf16;
use nn::{Attention, Blocked, Cpu, Precision, Rotary};

use crate::reference::{assert_close, random};

/// Weighted means of values below 3; angles in f32.
const TOLERANCE: f32 = 2e-5;

/// The same where weights are rounded to bfloat16, half of 2⁻⁸ of each.
const TOLERANCE_BF16: f32 = 8e-3;

/// Attention by its definition over `[T, 3 C]`; queries, keys and values as `round` leaves them.
fn reference(
    qkv: &[f32],
    [n_heads, d]: [usize; 2],
    base: f64,
    scale: f64,
    round: fn(f64) -> f64,
) -> Vec<f32> {
    let c = n_heads * d;
    let n_tokens = qkv.len() / (3 * c);
    let rotated = |t: usize, from: usize| -> Vec<f64> {
        let x = |i: usize| f64::from(qkv[t * 3 * c + from + i]);
        let mut out = vec![0.0; d];
        for i in 0..d / 2 {
            let angle = t as f64 / scale * base.powf(-2.0 * i as f64 / d as f64);
            out[i] = x(i) * angle.cos() - x(d / 2 + i) * angle.sin();
            out[d / 2 + i] = x(i) * angle.sin() + x(d / 2 + i) * angle.cos();
        }
        out
    };
    let mut out = vec![0.0; n_tokens * c];
    for head in 0..n_heads {
        let rounded = |row: Vec<f64>| -> Vec<f64> { row.into_iter().map(round).collect() };
        let keys: Vec<_> = (0..n_tokens).map(|t| rounded(rotated(t, c + head * d))).collect();
        for t in 0..n_tokens {
            let scaled = |x: f64| x / (d as f64).sqrt();
            let q = rounded(rotated(t, head * d).into_iter().map(scaled).collect());
            let score = |k: &Vec<f64>| q.iter().zip(k).map(|(q, k)| q * k).sum::<f64>();
            let scores: Vec<f64> = keys[..=t].iter().map(score).collect();
            let best = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let total: f64 = scores.iter().map(|score| (score - best).exp()).sum();
            for i in 0..d {
                let value = |s: usize| round(f64::from(qkv[s * 3 * c + 2 * c + head * d + i]));
                let weighted = scores.iter().enumerate().map(|(s, x)| (x - best).exp() * value(s));
                out[t * c + head * d + i] = (weighted.sum::<f64>() / total) as f32;
            }
        }
    }
    out
}

fn run(attention: &Attention, cpu: Cpu, qkv: &[f32], c: usize, pieces: &[usize]) -> Vec<f32> {
    let mut state = attention.state();
    let mut all = Vec::new();
    let mut at = 0;
    for piece in pieces {
        let part = Blocked::from_rows(&qkv[at * 3 * c..(at + piece) * 3 * c], 3 * c);
        let mut out = Blocked::new(*piece, c);
        attention.forward(cpu, &part, &mut state, &mut out);
        all.extend(out.to_rows());
        at += piece;
    }
    all
}

#[test]
fn attention_matches_its_definition_on_every_processor() {
    for (n_heads, d, scale) in [(4, 16, 1.0), (3, 32, 16.0), (2, 128, 1.0)] {
        let (n_tokens, c) = (170, n_heads * d);
        // Large enough that some scores dominate.
        let qkv: Vec<f32> = random(1, n_tokens * 3 * c).iter().map(|x| 3.0 * x).collect();
        let attention = Attention::new(n_heads, d, Rotary::new(d, 1e4, scale));
        let narrow = attention.clone().in_precision(Precision::Bf16);
        let exact = reference(&qkv, [n_heads, d], 1e4, scale, |x| x);
        let to_bf16 = |x| f64::from(bf16::from_f64(x));
        // Heads that are no whole blocks stay as they are.
        let (rounded, tolerance) = if d % 32 == 0 {
            (reference(&qkv, [n_heads, d], 1e4, scale, to_bf16), TOLERANCE_BF16)
        } else {
            (exact.clone(), TOLERANCE)
        };
        for cpu in Cpu::all() {
            let what = format!("{n_heads} heads of {d}, {cpu:?}");
            let got = run(&attention, cpu, &qkv, c, &[n_tokens]);
            assert_close(&got, &exact, TOLERANCE, &what);
            let got = run(&narrow, cpu, &qkv, c, &[n_tokens]);
            assert_close(&got, &rounded, tolerance, &format!("bf16, {what}"));
        }
    }
}

#[test]
fn pieces_of_any_size_give_the_same_bits() {
    let (n_heads, d, n_tokens) = (2, 32, 300);
    let c = n_heads * d;
    let qkv = random(2, n_tokens * 3 * c);
    let attention = Attention::new(n_heads, d, Rotary::new(d, 1e4, 1.0));
    let ones = vec![1; n_tokens];
    for precision in [Precision::F32, Precision::Bf16] {
        let attention = attention.clone().in_precision(precision);
        let whole = run(&attention, Cpu::best(), &qkv, c, &[n_tokens]);
        for pieces in [&ones[..], &[7, 293], &[31, 1, 33, 235], &[128, 172], &[129, 171]] {
            let got = run(&attention, Cpu::best(), &qkv, c, pieces);
            assert!(got == whole, "{} in pieces {pieces:?}", precision.name());
        }
        // Products of bfloat16 round a pair's sum once or twice, by processor.
        if precision == Precision::F32 {
            assert!(run(&attention, Cpu::PORTABLE, &qkv, c, &[n_tokens]) == whole);
        }
    }
}
