//! S1 on one thread: `cargo bench -p robot --bench s1`.
//!
//! For each shape and precision: milliseconds of a frame (vision, encoder, keys and values) and of a
//! tick (decoder), over frames and ticks one after another. Then the transformer of the `helix` shape,
//! encoder and decoder whole, at about 16 and 64 tokens; where `ROBOT_PEER_PYTHON` names a Python that
//! has `torch`, `onnx` and `onnxruntime`, side by side with the same network there, one forward each in
//! turn, so that whatever else the machine does falls on all of them. All times are the thread's own.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};

use cpu_time::ThreadTime;
use nn::train::{Room, Tape};
use nn::{Attended, Cpu, Precision, threads};
use robot::bench::time_shape;
use robot::model::PolicyConfig;
use robot::model::network::{Fast, Maker, Memory};
use robot::model::tensors::{Weights, s1};

/// Frames that are timed, and five times as many ticks, after some that are not.
const FRAMES: usize = 60;

/// Forwards of each side in a comparison.
const ROUNDS: usize = 30;

const PRECISIONS: [Precision; 3] = [Precision::F32, Precision::Bf16, Precision::Int8];

fn main() {
    let only: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    let wanted = |name: &str| only.is_empty() || only.iter().any(|only| only == name);
    for name in ["tiny", "small", "medium"].into_iter().filter(|name| wanted(name)) {
        loops(name);
    }
    if wanted("helix") {
        for (tokens, chunk) in [(16, 4), (16, 16), (64, 16)] {
            compare(tokens, chunk);
        }
    }
}

/// The value below which a share of all lies.
fn quantile(all: &mut [f64], share: f64) -> f64 {
    all.sort_by(f64::total_cmp);
    all[((all.len() - 1) as f64 * share).round() as usize]
}

fn print(text: std::fmt::Arguments<'_>) {
    #[expect(clippy::print_stdout, reason = "a bench prints")]
    {
        println!("{text}");
    }
}

/// Milliseconds of the thread's own time: what other work on the machine takes is not counted.
fn time(mut work: impl FnMut()) -> f64 {
    let start = ThreadTime::now();
    work();
    start.elapsed().as_secs_f64() * 1e3
}

fn loops(name: &str) {
    for precision in PRECISIONS {
        let times = time_shape(name, precision, FRAMES).expect("a shape");
        let (frame, tick) = (&times.frame_millis, &times.tick_millis);
        print(format_args!(
            "{name:6} {:4}  frame {:7.3} ms (p99 {:7.3}, longest slice {:.3}, n = {})  tick {:7.3} ms \
             (p99 {:7.3}, n = {})  {:.1} MB a tick, one thread",
            precision.name(),
            frame.p50,
            frame.p99,
            times.slice_millis.p50,
            frame.n,
            tick.p50,
            tick.p99,
            tick.n,
            times.tick_bytes as f64 / 1e6,
        ));
    }
}

/// The `helix` shape with one camera, of so many visual tokens.
fn helix(tokens: usize, chunk: usize) -> PolicyConfig {
    let mut config = PolicyConfig::shipped("helix").expect("shipped");
    let side = tokens.isqrt() * 32;
    config.cameras.truncate(1);
    config.s1.cameras = vec![0];
    (config.cameras[0].width, config.cameras[0].height) = (side, side);
    config.s1.chunk = chunk;
    config.check().expect("a configuration");
    config
}

/// One forward of the transformer.
struct Ours {
    config: PolicyConfig,
    fast: Fast,
    rooms: [Room; 2],
    held: Vec<Attended>,
}

impl Ours {
    fn new(config: &PolicyConfig, weights: &Weights, precision: Precision) -> Ours {
        let make = Maker { weights, precision, learns: false };
        let fast = Fast::new(make, config);
        Ours { config: config.clone(), fast, rooms: Default::default(), held: Vec::new() }
    }

    fn forward(&mut self) -> f64 {
        let Ours { config, fast, rooms, held } = self;
        let n_tokens = robot::model::tensors::memory_tokens(config);
        let fill =
            |into: &mut nn::Blocked| into.rows_mut().iter_mut().for_each(|row| row.0.fill(0.3));
        time(|| {
            let mut tape = Tape::forward_in(Cpu::best(), std::mem::take(&mut rooms[0]));
            let seen = tape.given(n_tokens, config.s1.width, fill);
            let memory = fast.digest(&mut tape, 1, seen);
            fast.hold(&mut tape, 1, memory, held);
            rooms[0] = tape.into_room();
            let mut tape = Tape::forward_in(Cpu::best(), std::mem::take(&mut rooms[1]));
            let latent = tape.given(1, config.latent, fill);
            let state = tape.given(1, config.state.next_multiple_of(nn::BLOCK), fill);
            let glance = tape.given(1, config.s1.width, fill);
            let out = fast.decode(&mut tape, 1, latent, state, Memory::Held(held), glance);
            std::hint::black_box(tape.value(out));
            rooms[1] = tape.into_room();
        })
    }
}

/// The same network in Python, which does one forward for each line it is given.
struct Peer {
    child: Child,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl Peer {
    fn start(config: &PolicyConfig) -> Option<Peer> {
        let python = std::env::var_os("ROBOT_PEER_PYTHON")?;
        let s1 = &config.s1;
        let shape = [
            s1.width,
            s1.head_size,
            s1.encoder_layers,
            s1.decoder_layers,
            s1.hidden,
            robot::model::tensors::memory_tokens(config),
            s1.chunk,
            config.latent,
            config.state.next_multiple_of(nn::BLOCK),
        ];
        let mut child = Command::new(python)
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/benches/s1_peer.py"))
            .args(shape.map(|n| n.to_string()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the peer starts");
        let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let mut peer = Peer { child, lines };
        print(format_args!("peer: {}", peer.line()));
        Some(peer)
    }

    fn line(&mut self) -> String {
        self.lines.next().expect("the peer answers").expect("a line")
    }

    fn forward(&mut self, which: &str) -> f64 {
        writeln!(self.child.stdin.as_mut().expect("piped"), "{which}").expect("the peer listens");
        self.line().parse().expect("milliseconds")
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        // It ends when its input does.
        let _ = self.child.wait();
    }
}

fn compare(tokens: usize, chunk: usize) {
    let config = helix(tokens, chunk);
    let weights = Weights::drawn(&s1(&config), 1);
    let mut ours = PRECISIONS.map(|precision| Ours::new(&config, &weights, precision));
    let mut peer = Peer::start(&config);
    let sides = ["torch-f32", "ort-f32", "ort-int8"];
    let mut all = vec![Vec::new(); PRECISIONS.len() + sides.len()];
    for round in 0..ROUNDS + 3 {
        for (at, one) in ours.iter_mut().enumerate() {
            let ms = threads::alone(|| one.forward());
            if round >= 3 {
                all[at].push(ms);
            }
            if let Some(peer) = &mut peer {
                let ms = peer.forward(sides[at]);
                if round >= 3 {
                    all[PRECISIONS.len() + at].push(ms);
                }
            }
        }
    }
    let n_tokens = robot::model::tensors::memory_tokens(&config);
    let head = format!("helix, {n_tokens} tokens seen, {chunk} actions");
    let mut medians = Vec::new();
    let names = PRECISIONS.iter().map(|precision| format!("ours {}", precision.name()));
    for (name, all) in names.chain(sides.map(str::to_owned)).zip(&mut all) {
        if !all.is_empty() {
            let (low, median, high) = (quantile(all, 0.1), quantile(all, 0.5), quantile(all, 0.9));
            print(format_args!(
                "{head}: {name:9} {median:7.2} ms (p10 {low:.2}, p90 {high:.2}, n = {ROUNDS})"
            ));
            medians.push(median);
        }
    }
    if let [f32, _, int8, torch, ort, ort_int8] = medians[..] {
        print(format_args!(
            "{head}: int8 / ONNX Runtime int8 {:.2}; f32 / PyTorch f32 {:.2}; \
             f32 / ONNX Runtime f32 {:.2}; medians, one thread each",
            int8 / ort_int8,
            f32 / torch,
            f32 / ort,
        ));
    }
}
