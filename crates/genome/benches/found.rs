//! What schedules found by `kernels` are worth to the model: `cargo bench -p genome --bench found`.
//!
//! Operations at the sizes of the model that comes with the program and of a larger one, then whole
//! forward passes: the same weights and tokens with [`Cpu::found`] off and on, in turn, on one thread, by
//! the time that thread was on a processor. A ratio is the geometric mean over pairs with its 95 %
//! bootstrap interval; above 1 is faster with them. Results have to be the same bits.
#![expect(clippy::print_stdout, reason = "a bench prints")]

use std::hint::black_box;
use std::time::Instant;

use genome::load;
use genome::model::{Random, StripedHyena, Token};
use genome::{ModelConfig, shipped};
use nn::{Attention, Blocked, Cpu, Precision, RmsNorm, Rotary, threads};
use runs::stats::{geometric_mean_ratio, median};

const SEED: u64 = 1;

/// Pairs of each operation, and of forward passes.
const PAIRS: usize = 31;
const PASSES: usize = 11;

/// Seconds of one timed side of an operation, at least: the clock ticks every few milliseconds.
const LEAST_SECS: f64 = 0.2;

const LARGE: &str = r#"{
    "model_name": "bench-512x12", "vocab_size": 512, "hidden_size": 512, "num_layers": 12,
    "hcs_layer_idxs": [0, 4, 7, 11], "hcm_layer_idxs": [1, 5, 8], "hcl_layer_idxs": [2, 6, 9],
    "attn_layer_idxs": [3, 10], "short_filter_length": 3,
    "hcs_filter_length": 7, "hcs_filter_groups": 32,
    "hcm_filter_length": 128, "hcm_filter_groups": 32, "state_size": 16,
    "num_attention_heads": 4, "rotary_emb_base": 10000, "inner_mlp_size": 1408, "eps": 1e-6,
    "max_seqlen": 32768
}"#;

fn main() {
    let found = Cpu::best();
    if !found.found {
        println!("no schedules were found for this processor: {}", found.names().join(" "));
        return;
    }
    let sides = [Cpu { found: false, ..found }, found];
    println!("{}, one thread, seed {SEED}", found.names().join(" "));
    threads::with_count(1, || {
        for (n_channels, n_heads) in [(160, 5), (512, 4)] {
            operations(sides, n_channels, n_heads);
        }
        let small = load::model(shipped::SMALL, None, Precision::F32).expect("it is built in");
        forward(sides, small, 4096);
        let large = ModelConfig::parse(LARGE).expect("a valid configuration");
        let source = Random { seed: SEED, narrow: true };
        let large = StripedHyena::load(&large, &source, Precision::F32).expect("random weights");
        forward(sides, large, 2048);
    });
}

/// Seconds that this thread was on a processor, or on the clock where the system does not say.
fn seconds(work: impl FnOnce()) -> f64 {
    let spent = || {
        let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
        text.split_whitespace().next()?.parse::<f64>().ok()
    };
    let (start, before) = (Instant::now(), spent());
    work();
    match (before, spent()) {
        (Some(before), Some(after)) => (after - before) / 1e9,
        _ => start.elapsed().as_secs_f64(),
    }
}

fn random(n: usize) -> Vec<f32> {
    let mut state = SEED;
    let mut next = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / 2_f32.powi(24) * 4.0 - 2.0
    };
    (0..n).map(|_| next()).collect()
}

/// One row: `side` does the work so many times on the instructions it is given.
fn row(name: &str, sides: [Cpu; 2], n: usize, mut side: impl FnMut(Cpu, usize)) {
    // How often makes up the least time; the first call also settles caches.
    side(sides[0], 1);
    let start = Instant::now();
    side(sides[0], 4);
    let times = (LEAST_SECS / (start.elapsed().as_secs_f64() / 4.0)).ceil().max(1.0) as usize;
    let mut all = [Vec::new(), Vec::new()];
    for _ in 0..n {
        for (cpu, all) in sides.into_iter().zip(&mut all) {
            all.push(seconds(|| side(cpu, times)) / times as f64);
        }
    }
    show(name, &all, 1e6, "us");
}

fn show(name: &str, [before, after]: &[Vec<f64>; 2], unit: f64, unit_name: &str) {
    let ratio = geometric_mean_ratio(before, after, 2000, SEED).expect("times");
    let middle = |all: &[f64]| median(all).expect("times") * unit;
    println!(
        "{name:44} {:10.1} {unit_name} before, {:10.1} after: {:.3} [{:.3}, {:.3}], n = {}",
        middle(before),
        middle(after),
        ratio.ratio,
        ratio.interval.low,
        ratio.interval.high,
        ratio.n,
    );
}

fn operations(sides: [Cpu; 2], n_channels: usize, n_heads: usize) {
    const TOKENS: usize = 512;
    let x = Blocked::from_rows(&random(TOKENS * n_channels), n_channels);
    let mut out = Blocked::new(TOKENS, n_channels);
    let norm = RmsNorm::new(&random(n_channels), 1e-6);
    row(&format!("RMSNorm, {TOKENS} tokens of {n_channels}"), sides, PAIRS, |cpu, times| {
        (0..times).for_each(|_| norm.forward(cpu, &x, black_box(&mut out)));
    });
    let qkv = Blocked::from_rows(&random(TOKENS * 3 * n_channels), 3 * n_channels);
    let size = n_channels / n_heads;
    let attention = Attention::new(n_heads, size, Rotary::new(size, 1e4, 1.0));
    for n_before in [0, 2048] {
        let mut state = attention.state();
        while state.n_tokens() < n_before {
            attention.forward(sides[1], &qkv, &mut state, &mut out);
        }
        let name = format!("attention, {n_heads} heads of {size}, after {n_before}");
        row(&name, sides, PAIRS, |cpu, times| {
            for _ in 0..times {
                attention.forward(cpu, &qkv, &mut state.clone(), black_box(&mut out));
            }
        });
    }
}

fn forward(sides: [Cpu; 2], model: StripedHyena, n_tokens: usize) {
    let name = model.config().model_name.clone();
    let tokens: Vec<Token> =
        random(n_tokens).iter().map(|x| Token::from(b"ACGT"[(*x + 2.0) as usize % 4])).collect();
    let mut model = Some(model);
    let mut pass = |cpu: Cpu| {
        let on = model.take().expect("it is put back").on(cpu);
        let mut last = vec![0.0; on.config().vocab_size];
        let secs = seconds(|| {
            on.forward(&tokens, &mut on.state(), |_, logits| {
                logits.read_token(logits.n_tokens() - 1, &mut last);
            });
        });
        model = Some(on);
        (secs, last)
    };
    let [before, after] = sides.map(|cpu| pass(cpu).1);
    assert!(before == after, "the same bits");
    let mut all = [Vec::new(), Vec::new()];
    for _ in 0..PASSES {
        for (cpu, all) in sides.into_iter().zip(&mut all) {
            all.push(pass(cpu).0);
        }
    }
    let rates = all.each_ref().map(|all| n_tokens as f64 / median(all).expect("times"));
    show(&format!("{name}, {n_tokens} bases"), &all, 1e3, "ms");
    println!("{:44} {:10.0} bases/s before, {:.0} after", "", rates[0], rates[1]);
}
