//! Rates of the products: `cargo bench -p nn --bench products`.
//!
//! Prints, for each precision and instruction set, and for f32 weights that bfloat16 holds too,
//! multiply-adds a second over many tokens, and bytes of weights a second at one token, with the medians
//! of repeated runs.

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
    for (name, precision, weight) in [
        ("f32", Precision::F32, 0.1),
        ("f32, kept as bf16", Precision::F32, 0.5),
        ("bf16", Precision::Bf16, 0.1),
        ("int8", Precision::Int8, 0.1),
    ] {
        let linear = Linear::new(n, k, precision, None, |_, into| into.fill(weight));
        for cpu in Cpu::all().into_iter().skip(1) {
            let many = seconds(&linear, cpu, 512, 1);
            let one = seconds(&linear, cpu, 1, 8);
            println!(
                "{name:18} {:40} {:8.1} G multiply-adds/s at 512 tokens, {:6.1} GB/s at one ({} threads, n = {REPEATS})",
                cpu.names().join(" "),
                (512 * k * n) as f64 / many / 1e9,
                linear.size_bytes() as f64 / one / 1e9,
                threads::count(),
            );
        }
    }
}
