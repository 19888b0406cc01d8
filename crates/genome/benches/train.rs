//! How fast a model is trained, and how near to the machine's own rate of products.
//!
//! `cargo bench -p genome --bench train -- [CHANNELS LAYERS LENGTH BATCH STEPS]`

use std::time::Instant;

use genome::ModelConfig;
use genome::annotation::Strand;
use genome::corpus::{Place, Window};
use genome::train::{Stage, TrainConfig, Trainer};
use nn::{Blocked, Cpu, Linear, Precision, Then};

/// Multiply-adds are two operations; going back takes two products for each one forward.
const OPERATIONS: f64 = 6.0;

fn main() {
    let sizes: Vec<usize> = std::env::args().filter_map(|text| text.parse().ok()).collect();
    let [c, layers, length, batch, steps] = match sizes[..] {
        [c, layers, length, batch, steps] => [c, layers, length, batch, steps],
        _ => [192, 8, 1024, 8, 6],
    };
    let model = model(c, layers);
    let n_parameters = model.n_parameters();
    let stage = Stage { steps: steps as u64, batch, length, rotary_scale: 1.0, start_share: 0.0 };
    let mut trainer = Trainer::new(TrainConfig {
        seed: 1,
        bf16: false,
        learning_rate: 1e-3,
        final_share: 0.1,
        warmup_share: 0.1,
        beta1: 0.9,
        beta2: 0.95,
        weight_decay: 0.1,
        clip: 1.0,
        stages: vec![stage],
        model,
    })
    .expect("settings that can be trained");
    let mut seconds = Vec::new();
    for step in 0..steps {
        let window = |idx: usize| {
            let base = |at: usize| u16::from(b"ACGT"[(at * at / 7 + idx + step * 31) % 4]);
            let place = Place { sequence: 0, start: 0, n_bases: length, strand: Strand::Forward };
            Window { tokens: (0..=length).map(base).collect(), weights: vec![1.0; length], place }
        };
        let windows: Vec<Window> = (0..batch).map(window).collect();
        let begin = Instant::now();
        trainer.learn(&windows).expect("a step");
        seconds.push(begin.elapsed().as_secs_f64());
    }
    seconds.sort_by(f64::total_cmp);
    let median = seconds[seconds.len() / 2];
    let rate = (batch * length) as f64 / median;
    let reached = rate * OPERATIONS * n_parameters as f64;
    let products = product_rate();
    #[expect(clippy::print_stdout, reason = "a bench reports to its user")]
    {
        println!(
            "{n_parameters} parameters ({c} channels, {layers} layers), {batch} windows of {length}, \
             {} threads, n = {steps} steps, seed 1\n\
             median {median:.3} s a step, {rate:.0} tokens/s\n\
             {:.0} GFLOP/s in products with weights, {:.0} % of {:.0} GFLOP/s of a product alone",
            nn::threads::count(),
            reached / 1e9,
            100.0 * reached / products,
            products / 1e9,
        );
    }
}

fn model(c: usize, layers: usize) -> ModelConfig {
    let of = |kind: usize| -> Vec<usize> { (0..layers).filter(|l| l % 4 == kind).collect() };
    let text = serde_json::json!({
        "model_name": "bench", "vocab_size": 512, "hidden_size": c, "num_layers": layers,
        "hcs_layer_idxs": of(0), "hcm_layer_idxs": of(1), "hcl_layer_idxs": of(2),
        "attn_layer_idxs": of(3), "short_filter_length": 3, "hcs_filter_length": 7,
        "hcs_filter_groups": c / 16, "hcm_filter_length": 128, "hcm_filter_groups": c / 16,
        "state_size": 16, "num_attention_heads": c / 32, "rotary_emb_base": 10000.0,
        "inner_size_multiple_of": 32, "eps": 1e-6, "max_seqlen": 8192
    });
    ModelConfig::parse(&text.to_string()).expect("a valid shape")
}

/// Operations a second of one product of this machine, over a second.
fn product_rate() -> f64 {
    let (t, n, k) = (1024, 1024, 1024);
    let linear = Linear::new(n, k, Precision::F32, None, |row, into| {
        into.iter_mut().enumerate().for_each(|(at, into)| *into = ((row + at) % 7) as f32);
    });
    let (x, mut y) = (Blocked::new(t, k), Blocked::new(t, n));
    let mut best = f64::INFINITY;
    for _ in 0..30 {
        let begin = Instant::now();
        linear.forward(Cpu::best(), &x, &mut y, Then::Store);
        best = best.min(begin.elapsed().as_secs_f64());
    }
    2.0 * (t * n * k) as f64 / best
}
