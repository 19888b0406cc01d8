//! Side by side with the official code: `cargo bench -p genome --bench peer`.
//!
//! Random weights of 512 channels and 12 layers (38.9 M parameters), the same on both sides, two
//! threads each. They are numbers of bfloat16, as those of published models are; ours keeps such
//! weights in 16 bits in f32 too, and one more row decodes with weights that need all 32. Every row
//! alternates one run of the peer with one of ours; ratios are of medians. Between them, rows of whole
//! passes measure what the machine can do: a shared host gives more in one minute than in the next. The
//! first run installs the peer from PyPI into `target/evo2-peer` (several GB).
//!
//! After `--`, words choose the rows whose names hold one of them: `-- decode prefill`. The rows of a
//! machine without products of bfloat16 leave that precision out but in decoding.
//!
//! Beside the times of decoding stands what narrow weights cost a trained model, the small one on phage
//! lambda: bits per base in each precision. `-- --weights FILE --fasta FILE` measures nothing but that, of
//! another model on other sequences.
#![expect(clippy::print_stdout, reason = "a bench prints")]

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Instant;

use genome::model::{Random, Source, StripedHyena, Token};
use genome::{ModelConfig, fasta, load, score};
use nn::weights::{File, NewTensor};
use nn::{Blocked, Cpu, Linear, Precision, Then, threads};

const THREADS: usize = 2;

/// Runs of each side per row.
const ROUNDS: usize = 5;

const SEED: u64 = 1;

/// Products of either library, in each round of a row, that the rate of products is the best of: a busy
/// host only ever takes away.
const N_PRODUCTS: usize = 6;

/// Tokens, inputs and outputs of those products.
const PRODUCT: [usize; 3] = [512, 1536, 4096];

/// Readings that the bandwidth is the median of.
const N_READINGS: usize = 31;

const CONFIG: &str = r#"{
    "model_name": "bench-512x12", "vocab_size": 512, "hidden_size": 512, "num_layers": 12,
    "hcs_layer_idxs": [0, 4, 7, 11], "hcm_layer_idxs": [1, 5, 8], "hcl_layer_idxs": [2, 6, 9],
    "attn_layer_idxs": [3, 10], "short_filter_length": 3,
    "hcs_filter_length": 7, "hcs_filter_groups": 32,
    "hcm_filter_length": 128, "hcm_filter_groups": 32, "state_size": 16,
    "num_attention_heads": 4, "rotary_emb_base": 10000, "inner_mlp_size": 1408, "eps": 1e-6,
    "max_seqlen": 32768
}"#;

/// The official code in its own process.
struct Peer {
    child: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Peer {
    fn start(root: &Path, config: &Path, weights: &Path) -> Peer {
        let mut child = Command::new("python3")
            .arg(root.join("scripts/evo2_peer.py"))
            .arg(root.join("target/evo2-peer"))
            .args([config, weights])
            .args(["--threads", &THREADS.to_string()])
            // The package leaves a log where it runs.
            .current_dir(config.with_file_name(""))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("python3 starts");
        let requests = child.stdin.take().expect("a pipe");
        let mut answers = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut line = String::new();
        answers.read_line(&mut line).expect("a line");
        assert_eq!(line.trim(), "ready", "the peer starts: see scripts/evo2_peer.py");
        Peer { child, requests, answers }
    }

    fn ask(&mut self, request: &str) -> serde_json::Value {
        writeln!(self.requests, "{request}").expect("the peer reads");
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("the peer answers");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {request}: {line}"))
    }

    fn seconds(&mut self, request: &str) -> f64 {
        self.ask(request)["seconds"].as_f64().expect("seconds")
    }
}

fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

fn timed(work: impl FnOnce()) -> f64 {
    let start = Instant::now();
    work();
    start.elapsed().as_secs_f64()
}

/// The bases that the peer's script makes too.
fn bases(n: usize) -> Vec<Token> {
    let mut state = 1_u64;
    let mut next = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        Token::from(b"ACGT"[(state >> 62) as usize])
    };
    (0..n).map(|_| next()).collect()
}

/// Writes random weights for both sides.
fn weights(folder: &Path, config: &ModelConfig) -> PathBuf {
    let path = folder.join("weights.safetensors");
    let source = Random { seed: SEED, narrow: true };
    let tensors = config.tensors().into_iter().map(|(name, shape)| {
        let mut values = vec![0.0; shape.iter().product()];
        source.tensor(&name, &shape).expect("random weights").read(0, &mut values);
        (name, NewTensor::f32(&shape, &values))
    });
    let tensors: Vec<_> = tensors.collect();
    let views = tensors.iter().map(|(name, tensor)| (name.as_str(), tensor));
    nn::weights::write(&path, views, BTreeMap::new()).expect("weights are written");
    path
}

fn last_logits(model: &StripedHyena, tokens: &[Token]) -> Vec<f32> {
    let mut state = model.state();
    let mut last = vec![0.0; model.config().vocab_size];
    model.forward(tokens, &mut state, |_, logits| {
        logits.read_token(logits.n_tokens() - 1, &mut last);
    });
    last
}

/// Greatest resident memory of this process, bytes.
fn peak() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<f64>().ok());
    kib.unwrap_or(f64::NAN) * 1024.0
}

/// One row: medians of both sides and their ratio.
fn row(name: &str, peer: impl FnMut() -> f64, ours: impl FnMut() -> f64) -> f64 {
    let mut sides: [Box<dyn FnMut() -> f64 + '_>; 2] = [Box::new(peer), Box::new(ours)];
    let [theirs, own] = in_turn(&mut sides);
    print_row(name, theirs, own);
    own
}

fn print_row(name: &str, theirs: f64, own: f64) {
    println!("{name:42} peer {theirs:9.4} s   ours {own:9.4} s   {:6.2} x", theirs / own);
}

/// Seconds of the fastest of some products, by either side.
fn best_product(peer: &mut Peer, name: &str, precision: Precision) -> f64 {
    let [m, k, n] = PRODUCT;
    // Numbers of bfloat16, as the model's.
    let linear = Linear::new(n, k, precision, None, |_, into| into.fill(0.5));
    let x = Blocked::from_rows(&vec![0.5; m * k], k);
    let mut out = Blocked::new(m, n);
    let request = format!("matmul {name} {m} {k} {n}");
    let mut best = f64::INFINITY;
    for _ in 0..N_PRODUCTS {
        let own = timed(|| linear.forward(Cpu::best(), &x, &mut out, Then::Store));
        best = best.min(own).min(peer.seconds(&request));
    }
    best
}

/// Medians of sides that run one after another, again and again: a busy host is busy for all of them.
fn in_turn<const N: usize>(sides: &mut [Box<dyn FnMut() -> f64 + '_>; N]) -> [f64; N] {
    let mut times = [const { Vec::new() }; N];
    for round in 0..=ROUNDS {
        for (side, times) in sides.iter_mut().zip(&mut times) {
            let seconds = side();
            // One unmeasured run each: filters, threads and allocations settle.
            if round > 0 {
                times.push(seconds);
            }
        }
    }
    times.map(median)
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == "--test") {
        return;
    }
    let value = |flag: &str| {
        let at = arguments.iter().position(|argument| argument == flag)?;
        Some(arguments.get(at + 1).unwrap_or_else(|| panic!("{flag} FILE")).as_str())
    };
    match (value("--weights"), value("--fasta")) {
        (Some(weights), Some(fasta)) => cost_of_narrow_weights(weights, Path::new(fasta)),
        (None, None) => {
            // Cargo adds `--bench`.
            let names: Vec<&str> = arguments.iter().map(String::as_str).collect();
            let names = names.into_iter().filter(|name| !name.starts_with("--")).collect();
            threads::with_count(THREADS, || compare(&Rows { names }));
        }
        _ => panic!("--weights FILE and --fasta FILE go together"),
    }
}

/// Prints bits per base of a trained model in each precision, and what that is beside f32.
fn cost_of_narrow_weights(weights: &str, fasta: &Path) {
    let records: Vec<_> = fasta::Reader::open(fasta)
        .and_then(Iterator::collect)
        .unwrap_or_else(|error| panic!("{error}"));
    let sequences: Vec<Vec<Token>> =
        records.iter().map(|record| score::tokens(&record.sequence)).collect();
    let n_bases: usize = sequences.iter().map(|tokens| tokens.len() - 1).sum();
    println!(
        "{weights} on {} sequences of {}, n = {n_bases} bases, {}; differences with 95 % intervals",
        sequences.len(),
        fasta.display(),
        Cpu::best().names().join(" "),
    );
    let bits = |precision| -> Vec<f64> {
        let model = load::model(weights, None, precision).unwrap_or_else(|error| panic!("{error}"));
        let of = |tokens: &Vec<Token>| score::score(&model, &[tokens]).remove(0).log_likelihoods;
        let nats = sequences.iter().flat_map(of);
        nats.map(|nats| f64::from(-nats) / std::f64::consts::LN_2).collect()
    };
    let mean = |bits: &[f64]| bits.iter().sum::<f64>() / bits.len() as f64;
    let exact = bits(Precision::F32);
    println!("f32   {:.5} bits per base", mean(&exact));
    for precision in [Precision::Bf16, Precision::Int8] {
        let bits = bits(precision);
        let more: Vec<f64> = bits.iter().zip(&exact).map(|(bits, exact)| bits - exact).collect();
        // Of the mean of the differences at each base, by their spread.
        let middle = mean(&more);
        let square = |more: &f64| (more - middle).powi(2);
        let spread = more.iter().map(square).sum::<f64>() / (more.len() - 1) as f64;
        let half = 1.96 * (spread / more.len() as f64).sqrt();
        println!(
            "{:5} {:.5} bits per base, {:+.5} [{:+.5}, {:+.5}]",
            precision.name(),
            mean(&bits),
            middle,
            middle - half,
            middle + half,
        );
    }
}

/// Which rows are asked for.
struct Rows<'a> {
    names: Vec<&'a str>,
}

impl Rows<'_> {
    fn has(&self, name: &str) -> bool {
        self.names.is_empty() || self.names.iter().any(|part| name.contains(part))
    }
}

fn compare(rows: &Rows<'_>) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let folder = tempfile::tempdir().expect("a folder");
    let config = ModelConfig::parse(CONFIG).expect("a valid configuration");
    let config_path = folder.path().join("config.json");
    std::fs::write(&config_path, CONFIG).expect("a file");
    let weights = weights(folder.path(), &config);
    let file = File::open(&weights).expect("weights");
    let load = |precision| StripedHyena::load(&config, &file, precision).expect("a model");
    let mut peer = Peer::start(&root, &config_path, &weights);
    println!(
        "{} parameters, {THREADS} threads, {}, medians of {ROUNDS} alternating runs, seed {SEED}",
        config.n_parameters(),
        Cpu::best().names().join(" "),
    );
    let f32_model = load(Precision::F32);
    let theirs = peer.ask("forward f32 1024")["last"].clone();
    let theirs: Vec<f32> = serde_json::from_value(theirs).expect("logits");
    let worst = last_logits(&f32_model, &bases(1024))
        .iter()
        .zip(&theirs)
        .map(|(own, theirs)| (own - theirs).abs())
        .fold(0.0_f32, f32::max);
    let square = theirs.iter().map(|logit| logit * logit).sum::<f32>() / theirs.len() as f32;
    let size = square.sqrt();
    println!("same 1024 bases: logits of size {size:.1} differ by at most {worst:.1e}\n");
    assert!(worst < 1e-4 * size, "both sides run the same model");

    // What this machine can do, in the same sitting: here weights read at one token, and in each row the
    // better of both libraries' products at their best.
    let wide = Linear::new(8192, 2048, Precision::F32, None, |_, into| {
        // So many exponents that all 32 bits are kept.
        into.iter_mut().enumerate().for_each(|(i, into)| *into = 0.1 / (1_u64 << (i % 40)) as f32);
    });
    let x = Blocked::from_rows(&vec![0.5; 2048], 2048);
    let mut out = Blocked::new(1, 8192);
    let once = || timed(|| wide.forward(Cpu::best(), &x, &mut out, Then::Store));
    let reading = median(std::iter::repeat_with(once).take(N_READINGS).collect());
    let bandwidth = wide.size_bytes() as f64 / reading / 1e9;
    println!("reading 67 MB of weights: {bandwidth:.1} GB/s\n");

    let dense = 2.0 * (config.n_parameters() as f64);
    // A token's scores, and the values that it gathers, are products with half of all tokens.
    let attention = 2.0 * (config.attn_layer_idxs.len() * config.hidden_size) as f64;
    let peer = RefCell::new(peer);
    let both = [("f32", Precision::F32), ("bf16", Precision::Bf16)];
    for &(name, precision) in if Cpu::best().bf16 { &both[..] } else { &both[..1] } {
        let model = load(precision);
        for length in [1024, 4096, 8192] {
            let tokens = bases(length);
            let request = format!("forward {name} {length}");
            let title = format!("forward {name} L {length}");
            if !rows.has(&title) {
                continue;
            }
            let [theirs, own, product] = in_turn(&mut [
                Box::new(|| peer.borrow_mut().seconds(&request)) as Box<dyn FnMut() -> f64>,
                Box::new(|| timed(|| drop(last_logits(&model, &tokens)))),
                Box::new(|| best_product(&mut peer.borrow_mut(), name, precision)),
            ]);
            print_row(&title, theirs, own);
            let rate = 2.0 * PRODUCT.iter().product::<usize>() as f64 / product;
            let share = |of_a_token: f64| 100.0 * of_a_token * length as f64 / own / rate;
            println!(
                "{:42} products of layers {:.0} % of the product rate, {:.0} GFLOP/s, with attention's {:.0} %",
                "",
                share(dense),
                rate / 1e9,
                share(dense + attention * length as f64),
            );
            if precision != Precision::F32 {
                let run = |model| timed(|| drop(last_logits(model, &tokens)));
                let [own, in_f32] = in_turn(&mut [
                    Box::new(|| run(&model)) as Box<dyn FnMut() -> f64>,
                    Box::new(|| run(&f32_model)),
                ]);
                println!("{:42} {:.2} x our own f32, in turn", "", in_f32 / own);
            }
        }
        let tokens = bases(4096);
        let request = format!("prefill {name} 4096");
        let title = format!("cached prefill {name} 4096");
        if !rows.has(&title) {
            continue;
        }
        row(
            &title,
            || peer.borrow_mut().seconds(&request),
            || timed(|| drop(last_logits(&model, &tokens))),
        );
    }
    println!("peak memory: ours so far {:.2} GB with both models", peak() / 1e9);
    let steps = 64;
    let wide = Random { seed: SEED, narrow: false };
    let of_32_bits = || StripedHyena::load(&config, &wide, Precision::F32).expect("a model");
    let models: [(&str, &dyn Fn() -> StripedHyena); 4] = [
        ("f32", &|| load(Precision::F32)),
        ("f32, weights of 32 bits", &of_32_bits),
        ("bf16", &|| load(Precision::Bf16)),
        ("int8", &|| load(Precision::Int8)),
    ];
    for (name, model) in models {
        let title = format!("decode {name}, {steps} after 512");
        if !rows.has(&title) {
            continue;
        }
        let model = model();
        let walk = bases(512 + steps);
        let request = format!("decode f32 512 {steps}");
        let own = row(
            &title,
            || peer.borrow_mut().seconds(&request),
            || {
                let mut state = model.state();
                model.forward(&walk[..512], &mut state, |_, _| {});
                timed(|| {
                    for token in &walk[512..] {
                        model.forward(&[*token], &mut state, |_, _| {});
                    }
                })
            },
        );
        let read = model.size_bytes() as f64 * steps as f64 / own / 1e9;
        println!(
            "{:42} {:.0} MB of weights, read at {:.0} % of the bandwidth",
            "",
            model.size_bytes() as f64 / 1e6,
            100.0 * read / bandwidth
        );
    }
    if rows.has("decode bf16") || rows.has("decode int8") {
        cost_of_narrow_weights("small", Path::new("data/lambda.fa.gz"));
    }
    println!(
        "peer's peak memory {:.2} GB",
        peer.borrow_mut().ask("peak")["bytes"].as_f64().unwrap_or(0.0) / 1e9
    );
}
