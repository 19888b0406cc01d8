//! Networks over samples: every operation's gradient against finite differences, and the same results
//! without a record.

use nn::train::{Embedding, Form, Gather, Gradients, Norm, Param, Parameter, Parameters, Product};
use nn::train::{Room, Tape, Var};
use nn::{Attended, Blocked, Channels, Cpu, Heads, Precision};

use crate::reference::random;

const SAMPLES: usize = 3;
const HEADS: Heads = Heads { n: 2, size: 32, narrow: false };
const WIDTH: usize = 64;
const SIDE: usize = 7;
const QUERIES: usize = 5;
const PARTS: [(&str, &[usize]); 13] = [
    ("stem", &[32, 32]),
    ("stem bias", &[32]),
    ("convolution", &[WIDTH, 9 * 32]),
    ("film", &[2 * WIDTH, 32]),
    ("points", &[WIDTH, 2 * WIDTH]),
    ("positions", &[17, WIDTH]),
    ("scale", &[WIDTH]),
    ("qkv", &[3 * WIDTH, WIDTH]),
    ("leave", &[WIDTH, WIDTH]),
    ("queries", &[QUERIES, WIDTH]),
    ("q", &[WIDTH, WIDTH]),
    ("kv", &[2 * WIDTH, WIDTH]),
    ("out", &[32, WIDTH]),
];

fn parameters() -> (Parameters, Vec<Param>) {
    let mut all = Parameters::default();
    let mut handles = Vec::new();
    for (seed, (name, shape)) in PARTS.into_iter().enumerate() {
        let n: usize = shape.iter().product();
        let size = 1.5 / (*shape.last().expect("a shape") as f32).sqrt();
        let raw = random(seed as u64, n).iter().map(|v| v * size.max(0.2)).collect();
        let (name, shape) = (name.to_owned(), shape.to_vec());
        handles.push(all.add(Parameter { name, shape, raw, form: Form::Plain, decays: true }));
    }
    (all, handles)
}

/// Layers of the network.
struct Layers {
    products: Vec<Product>,
    positions: Embedding,
    norm: Norm,
    queries: Embedding,
    gather: Gather,
    shape: [usize; 2],
    take: Gather,
}

impl Layers {
    fn new(all: &Parameters, of: &[Param]) -> Layers {
        let product = |at: usize, bias| Product::new(all, of[at], bias, Precision::F32);
        let products = [(0, Some(of[1])), (2, None), (3, None), (4, None), (7, None), (8, None)];
        let products = products.into_iter().chain([(10, None), (11, None), (12, None)]);
        let (gather, shape) = Gather::convolution([SIDE; 2], 3, 2, 1);
        Layers {
            products: products.map(|(at, bias)| product(at, bias)).collect(),
            positions: Embedding::new(all, of[5]),
            norm: Norm::new(all, of[6], 1e-3),
            queries: Embedding::new(all, of[9]),
            gather,
            shape,
            take: Gather::range(QUERIES, 1..QUERIES),
        }
    }

    /// Up to what queries attend to.
    fn memory<'a>(&'a self, tape: &mut Tape<'a>, samples: &[usize]) -> Var {
        let [stem, convolution, film, points, qkv, leave, ..] = &self.products[..] else {
            panic!()
        };
        let pictures = given(tape, samples, SIDE * SIDE, 32, 100);
        let x = tape.product(stem, pictures, None);
        let x = tape.gelu(x);
        let x = tape.gather(&self.gather, x);
        let x = tape.product(convolution, x, None);
        let latents = given(tape, samples, 1, 32, 200);
        let by = tape.product(film, latents, None);
        let x = tape.modulate(x, by);
        let places = tape.keypoints(x, self.shape);
        let places = tape.product(points, places, None);
        let x = tape.join(&[x, places], samples.len());
        let x = tape.add_table(&self.positions, x);
        let normed = tape.norm(&self.norm, x);
        let all = tape.product(qkv, normed, None);
        let mixed = tape.attend(HEADS, samples.len(), [(all, 0), (all, WIDTH), (all, 2 * WIDTH)]);
        tape.product(leave, mixed, Some(x))
    }

    fn run<'a>(&'a self, tape: &mut Tape<'a>, samples: &[usize], held: bool) -> Var {
        let [.., q, kv, out] = &self.products[..] else { panic!() };
        let memory = self.memory(tape, samples);
        let kv = tape.product(kv, memory, None);
        let queries = tape.table(&self.queries, samples.len());
        let asked = tape.product(q, queries, None);
        let x = if held {
            let mut attended = Attended::default();
            let all = tape.value(kv).clone();
            let [keys, values] = [0, WIDTH].map(|first| Channels { all: &all, first });
            attended.hold(tape.cpu(), HEADS, samples.len(), keys, values);
            tape.attend_held(HEADS, (asked, 0), &attended)
        } else {
            tape.attend(HEADS, samples.len(), [(asked, 0), (kv, 0), (kv, WIDTH)])
        };
        let x = tape.gather(&self.take, x);
        tape.product(out, x, None)
    }
}

fn given(tape: &mut Tape<'_>, samples: &[usize], n: usize, n_channels: usize, seed: u64) -> Var {
    tape.given(samples.len() * n, n_channels, |into| {
        for (at, sample) in samples.iter().enumerate() {
            let values = random(seed + *sample as u64, n * n_channels);
            for (token, values) in values.chunks(n_channels).enumerate() {
                into.write_token(at * n + token, values);
            }
        }
    })
}

/// A loss: what comes out, weighted.
fn loss(out: &Blocked) -> (f64, Blocked) {
    let n = out.n_tokens() * out.n_channels();
    let weights = random(9, n);
    let sum = out.to_rows().iter().zip(&weights).map(|(a, b)| f64::from(a * b)).sum();
    (sum, Blocked::from_rows(&weights, out.n_channels()))
}

const ALL: [usize; SAMPLES] = [0, 1, 2];

fn value(all: &Parameters, of: &[Param]) -> f64 {
    let layers = Layers::new(all, of);
    let mut tape = Tape::new(Cpu::best());
    let out = layers.run(&mut tape, &ALL, false);
    loss(tape.value(out)).0
}

#[test]
fn gradients_over_samples_are_those_of_finite_differences() {
    let (all, of) = parameters();
    let layers = Layers::new(&all, &of);
    let run = |cpu, room| {
        let mut gradients = Gradients::zeros(&all);
        let mut tape = Tape::learning_in(cpu, room);
        let out = layers.run(&mut tape, &ALL, false);
        let (_, d) = loss(tape.value(out));
        let room = tape.backward(d, &mut gradients);
        (gradients, room)
    };
    let (gradients, room) = run(Cpu::best(), Room::default());
    for (which, param) in of.iter().enumerate() {
        let n = all.get(*param).raw.len();
        let mut directions = vec![random(which as u64 + 50, n)];
        for at in [0, n / 2, n - 1] {
            directions.push((0..n).map(|idx| f32::from(u8::from(idx == at))).collect());
        }
        for (idx, direction) in directions.iter().enumerate() {
            const STEP: f32 = 2e-3;
            let at = |sign: f32| {
                let mut moved = all.clone();
                let raw = &mut moved.iter_mut().nth(which).expect("it").raw;
                raw.iter_mut().zip(direction).for_each(|(v, d)| *v += sign * STEP * d);
                value(&moved, &of)
            };
            let want = (at(1.0) - at(-1.0)) / (2.0 * f64::from(STEP));
            let got = gradients.of(*param).iter().zip(direction);
            let got: f64 = got.map(|(g, d)| f64::from(g * d)).sum();
            let off = (got - want).abs();
            let name = PARTS[which].0;
            assert!(off <= 1e-2 * want.abs().max(1.0), "{name} {idx}: {got}, not {want}");
        }
    }
    // Memory of an earlier tape, and other instructions, change nothing.
    assert!(run(Cpu::best(), room).0 == gradients);
    for cpu in Cpu::all() {
        assert!(run(cpu, Room::default()).0 == gradients, "{cpu:?}");
    }
}

#[test]
fn a_sample_alone_gives_what_it_gives_among_others_and_from_what_is_held() {
    let (all, of) = parameters();
    let layers = Layers::new(&all, &of);
    let mut tape = Tape::new(Cpu::best());
    let out = layers.run(&mut tape, &ALL, false);
    let together = tape.value(out).clone();
    let mut room = Room::default();
    for sample in ALL {
        for held in [false, true] {
            let mut tape = Tape::forward_in(Cpu::best(), room);
            let out = layers.run(&mut tape, &[sample], held);
            let each = QUERIES - 1;
            let want = together.tokens(sample * each..(sample + 1) * each).to_rows();
            assert_eq!(tape.value(out).to_rows(), want, "{sample} {held}");
            room = tape.into_room();
        }
    }
}

/// Largest difference that rounding to bfloat16 makes of a mean of values in -1..1, with scores of a few units.
const NARROW: f32 = 0.02;

#[test]
fn attention_in_bfloat16_is_that_in_floats_but_for_rounding() {
    for (size, n_keys, n_queries) in
        [(32, 1, 1), (32, 32, 5), (64, 19, 18), (64, 67, 67), (96, 70, 3)]
    {
        for cpu in Cpu::all() {
            let mixed = |narrow: bool, held: bool| {
                let heads = Heads { n: 2, size, narrow };
                let mut tape = Tape::forward_in(cpu, Room::default());
                let samples = [0, 1, 2];
                let q = given(&mut tape, &samples, n_queries, 2 * size, 1);
                let kv = given(&mut tape, &samples, n_keys, 4 * size, 2);
                let mixed = if held {
                    let mut attended = Attended::default();
                    let all = tape.value(kv).clone();
                    let [keys, values] = [0, 2 * size].map(|first| Channels { all: &all, first });
                    attended.hold(cpu, heads, samples.len(), keys, values);
                    tape.attend_held(heads, (q, 0), &attended)
                } else {
                    tape.attend(heads, samples.len(), [(q, 0), (kv, 0), (kv, 2 * size)])
                };
                tape.value(mixed).to_rows()
            };
            let (exact, narrow) = (mixed(false, false), mixed(true, false));
            assert_eq!(narrow, mixed(true, true), "held, {n_keys} keys");
            let off = exact.iter().zip(&narrow).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            let names = cpu.names().join(" ");
            assert!(off < NARROW, "{n_keys} keys of {size}, {names}: {off}");
            assert_eq!(off > 0.0, cpu.bf16, "{n_keys} keys of {size}, {names}");
        }
    }
}
