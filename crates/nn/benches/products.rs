//! Rates of the products: `cargo bench -p nn --bench products`.
//!
//! Prints, for each precision and instruction set, and for f32 weights that are kept in fewer bits,
//! multiply-adds a second over many tokens and at some, and bytes of weights a second at one token, with
//! the medians of repeated runs.

use std::time::Instant;

use nn::{Blocked, Cpu, Linear, Precision, Then, threads};

/// Repeats of each measurement.
const REPEATS: usize = 15;

fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

fn seconds(linear: &Linear, cpu: Cpu, n_tokens: usize, rounds: usize) -> f64 {
    let x = vec![0.5; n_tokens * linear.n_inputs()];
    let x = Blocked::from_rows(&x, linear.n_inputs());
    let mut out = Blocked::new(n_tokens, linear.n_outputs());
    let once = || {
        let start = Instant::now();
        for _ in 0..rounds {
            linear.forward(cpu, &x, std::hint::black_box(&mut out), Then::Store);
        }
        start.elapsed().as_secs_f64() / rounds as f64
    };
    median(std::iter::repeat_with(once).take(REPEATS).collect())
}

fn main() {
    let (k, n) = (1536, 4096);
    #[expect(clippy::print_stdout, reason = "a bench prints")]
    for (name, precision, weight, n_exponents) in [
        ("f32", Precision::F32, 0.1, 40),
        ("f32, in 28 bits", Precision::F32, 0.1, 4),
        ("f32, in 16 bits", Precision::F32, 0.5, 4),
        ("bf16", Precision::Bf16, 0.1, 4),
        ("int8", Precision::Int8, 0.1, 4),
    ] {
        let linear = Linear::new(n, k, precision, None, |_, into| {
            for (i, into) in into.iter_mut().enumerate() {
                *into = weight / (1_u64 << (i % n_exponents)) as f32;
            }
        });
        for cpu in Cpu::all().into_iter().skip(1) {
            // Kept so only where AVX-512 is the best there is.
            if name == "f32, in 28 bits" && cpu.isa != Cpu::best().isa {
                continue;
            }
            let [many, some] = [512, 14].map(|n_tokens| {
                (n_tokens * k * n) as f64 / seconds(&linear, cpu, n_tokens, 1) / 1e9
            });
            let one = seconds(&linear, cpu, 1, 8);
            println!(
                "{name:18} {:40} {many:8.1} G multiply-adds/s at 512 tokens, {some:8.1} at 14, {:6.1} GB/s at one, {:.3} ms ({} threads, n = {REPEATS})",
                cpu.names().join(" "),
                linear.size_bytes() as f64 / one / 1e9,
                1e3 * one,
                threads::count(),
            );
        }
    }
}
