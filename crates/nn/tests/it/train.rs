//! Gradients against finite differences, through small networks that end in a loss.

use nn::train::{
    AdamW, Embedding, Form, Gradients, Inner, Loss, Norm, Operator, Param, Parameter, Parameters,
    Product, Rates, Tape, Var, cross_entropy,
};
use nn::{Activation, Attention, Blocked, Cpu, Precision, Rotary, threads};

use crate::reference::random;

const CHANNELS: usize = 64;
const TOKENS: usize = 75;
const VOCABULARY: usize = 32;

/// Half of the difference; small enough for the curve, large enough for f32.
const STEP: f32 = 4e-3;

/// Relative: differences of losses that are summed in f32.
const TOLERANCE: f64 = 1e-2;

/// Adds a random parameter.
fn add(parameters: &mut Parameters, name: &str, shape: &[usize], size: f32, form: Form) -> Param {
    let n = shape.iter().product();
    let raw = random(name.len() as u64 * 31 + n as u64, n).iter().map(|v| v * size).collect();
    let (name, shape) = (name.to_owned(), shape.to_vec());
    parameters.add(Parameter { name, shape, raw, form, decays: true })
}

/// A network's middle: from an activation to one of as many channels.
trait Middle {
    /// Adds its parameters.
    fn new(parameters: &mut Parameters) -> Self;
    /// Its layers, on the present values; `then` is given what runs them.
    fn with<T>(&self, parameters: &Parameters, then: impl FnOnce(&dyn ForwardMiddle) -> T) -> T;
}

trait ForwardMiddle {
    fn forward<'a>(&'a self, tape: &mut Tape<'a>, x: Var) -> Var;
}

struct Ends {
    table: Param,
    unembed: Param,
}

fn network<M: Middle>() -> (Parameters, Ends, M) {
    let mut parameters = Parameters::default();
    let table = add(&mut parameters, "table", &[VOCABULARY, CHANNELS], 1.0, Form::Plain);
    let unembed = add(&mut parameters, "unembed", &[VOCABULARY, CHANNELS], 0.5, Form::Plain);
    let middle = M::new(&mut parameters);
    (parameters, Ends { table, unembed }, middle)
}

fn run<M: Middle>(
    cpu: Cpu,
    parameters: &Parameters,
    ends: &Ends,
    middle: &M,
    gradients: Option<&mut Gradients>,
) -> Loss {
    let tokens: Vec<usize> = (0..TOKENS).map(|at| at * at * 7 % 31).collect();
    let targets: Vec<usize> = (0..TOKENS).map(|at| (at * 5 + 3) % VOCABULARY).collect();
    let weights: Vec<f32> = (0..TOKENS).map(|at| (at % 3) as f32 * 0.5).collect();
    let embedding = Embedding::new(parameters, ends.table);
    let unembed = Product::new(parameters, ends.unembed, None, Precision::F32);
    middle.with(parameters, |middle| {
        let mut tape = Tape::new(cpu);
        let x = tape.embed(&embedding, tokens);
        let x = middle.forward(&mut tape, x);
        let logits = tape.product(&unembed, x, None);
        let mut d = tape.value(logits).clone();
        let loss = cross_entropy(cpu, &mut d, &targets, &weights, 1.0);
        if let Some(gradients) = gradients {
            tape.backward(d, gradients);
        }
        loss
    })
}

/// Holds every parameter's gradient to differences of the loss along a random direction, and along
/// some single values.
fn check<M: Middle>() {
    let (parameters, ends, middle) = network::<M>();
    let mut gradients = Gradients::zeros(&parameters);
    run(Cpu::best(), &parameters, &ends, &middle, Some(&mut gradients));
    let learned = gradients.clone();
    gradients.pull_back(&parameters);
    let count = parameters.iter().count();
    for which in 0..count {
        let (name, n) =
            parameters.iter().nth(which).map(|p| (p.name.clone(), p.raw.len())).expect("it");
        let param = param_at(&parameters, which);
        let mut directions = vec![random(which as u64, n)];
        for at in [0, n / 2, n - 1] {
            let mut one = vec![0.0; n];
            one[at] = 1.0;
            directions.push(one);
        }
        for (idx, direction) in directions.iter().enumerate() {
            let at = |sign: f32| {
                let mut moved = parameters.clone();
                let raw = &mut moved.iter_mut().nth(which).expect("it").raw;
                raw.iter_mut().zip(direction).for_each(|(v, d)| *v += sign * STEP * d);
                run(Cpu::best(), &moved, &ends, &middle, None).nats
            };
            let want = (at(1.0) - at(-1.0)) / (2.0 * f64::from(STEP));
            let got: f64 =
                gradients.of(param).iter().zip(direction).map(|(g, d)| f64::from(g * d)).sum();
            let off = (got - want).abs();
            assert!(
                off <= TOLERANCE * want.abs().max(1.0),
                "`{name}`, direction {idx}: got {got}, want {want}"
            );
        }
    }
    // The same bits on every set of instructions, and for any number of threads.
    for cpu in Cpu::all() {
        for n_threads in [1, 3] {
            let mut again = Gradients::zeros(&parameters);
            threads::with_count(n_threads, || {
                run(cpu, &parameters, &ends, &middle, Some(&mut again));
            });
            assert!(again == learned, "{cpu:?} with {n_threads} threads");
        }
    }
}

/// The handle of the parameter at a place: they are counted as they are added.
fn param_at(parameters: &Parameters, which: usize) -> Param {
    let mut copy = Parameters::default();
    let handles: Vec<Param> = parameters.iter().map(|p| copy.add(p.clone())).collect();
    handles[which]
}

struct Norms(Param);

impl Middle for Norms {
    fn new(parameters: &mut Parameters) -> Norms {
        Norms(add(parameters, "scale", &[CHANNELS], 1.5, Form::Plain))
    }

    fn with<T>(&self, parameters: &Parameters, then: impl FnOnce(&dyn ForwardMiddle) -> T) -> T {
        then(&Norm::new(parameters, self.0, 1e-2))
    }
}

impl ForwardMiddle for Norm {
    fn forward<'a>(&'a self, tape: &mut Tape<'a>, x: Var) -> Var {
        tape.norm(self, x)
    }
}

#[test]
fn rms_norm_goes_back() {
    check::<Norms>();
}

struct Mlp<const GELU: bool> {
    gate: Param,
    value: Param,
    down: Param,
    bias: Param,
}

impl<const GELU: bool> Middle for Mlp<GELU> {
    fn new(parameters: &mut Parameters) -> Self {
        let wide = [2 * CHANNELS, CHANNELS];
        Mlp {
            gate: add(parameters, "gate", &wide, 0.3, Form::Plain),
            value: add(parameters, "values", &wide, 0.3, Form::Plain),
            down: add(parameters, "down", &[CHANNELS, 2 * CHANNELS], 0.3, Form::Plain),
            bias: add(parameters, "bias", &[CHANNELS], 0.3, Form::Plain),
        }
    }

    fn with<T>(&self, parameters: &Parameters, then: impl FnOnce(&dyn ForwardMiddle) -> T) -> T {
        struct Layers(Product, Product, Product, Activation);
        impl ForwardMiddle for Layers {
            fn forward<'a>(&'a self, tape: &mut Tape<'a>, x: Var) -> Var {
                let gate = tape.product(&self.0, x, None);
                let value = tape.product(&self.1, x, None);
                let inner = tape.gate(self.3, gate, value);
                tape.product(&self.2, inner, Some(x))
            }
        }
        let product = |weight, bias| Product::new(parameters, weight, bias, Precision::F32);
        let activation = if GELU { Activation::Gelu } else { Activation::Identity };
        let (gate, value) = (product(self.gate, None), product(self.value, None));
        then(&Layers(gate, value, product(self.down, Some(self.bias)), activation))
    }
}

#[test]
fn a_gated_mlp_with_a_residual_goes_back() {
    check::<Mlp<false>>();
    check::<Mlp<true>>();
}

/// Kind 0: seven taps; 1: many taps, the present first, under a window; 2: modes.
struct Mixer<const KIND: usize> {
    project: Param,
    short: Param,
    inner: Inner,
    skip: Option<Param>,
}

impl<const KIND: usize> Middle for Mixer<KIND> {
    fn new(parameters: &mut Parameters) -> Self {
        let project = add(parameters, "project", &[3 * CHANNELS, CHANNELS], 0.4, Form::Plain);
        let short = add(parameters, "short", &[3 * CHANNELS, 1, 3], 0.7, Form::Plain);
        let inner = match KIND {
            0 => {
                let taps = add(parameters, "taps", &[8, 1, 7], 0.5, Form::Plain);
                Inner::Fir { taps, newest_first: false }
            }
            1 => {
                let window = (0..4 * 21).map(|at| 1.0 / (1 + at % 21) as f32).collect();
                let taps = add(parameters, "taps", &[4, 1, 21], 0.7, Form::Scaled(window));
                Inner::Fir { taps, newest_first: true }
            }
            _ => {
                let shape = [CHANNELS, 5, 1];
                let log_poles = add(parameters, "log_poles", &shape, 2.0, Form::NegativeExp);
                let residues = add(parameters, "residues", &[CHANNELS, 5], 0.3, Form::Plain);
                Inner::Modal { log_poles, residues }
            }
        };
        let skip = (KIND > 0).then(|| add(parameters, "skip", &[CHANNELS], 0.5, Form::Plain));
        Mixer { project, short, inner, skip }
    }

    fn with<T>(&self, parameters: &Parameters, then: impl FnOnce(&dyn ForwardMiddle) -> T) -> T {
        struct Layers(Product, Operator);
        impl ForwardMiddle for Layers {
            fn forward<'a>(&'a self, tape: &mut Tape<'a>, x: Var) -> Var {
                let p = tape.product(&self.0, x, None);
                tape.hyena(&self.1, p)
            }
        }
        let project = Product::new(parameters, self.project, None, Precision::F32);
        then(&Layers(project, Operator::new(parameters, self.short, self.inner, self.skip)))
    }
}

#[test]
fn hyena_goes_back() {
    check::<Mixer<0>>();
    check::<Mixer<1>>();
    check::<Mixer<2>>();
}

struct Heads(Param);

impl Middle for Heads {
    fn new(parameters: &mut Parameters) -> Heads {
        Heads(add(parameters, "qkv", &[3 * CHANNELS, CHANNELS], 0.3, Form::Plain))
    }

    fn with<T>(&self, parameters: &Parameters, then: impl FnOnce(&dyn ForwardMiddle) -> T) -> T {
        struct Layers(Product, Attention);
        impl ForwardMiddle for Layers {
            fn forward<'a>(&'a self, tape: &mut Tape<'a>, x: Var) -> Var {
                let qkv = tape.product(&self.0, x, None);
                tape.attention(&self.1, qkv)
            }
        }
        let project = Product::new(parameters, self.0, None, Precision::F32);
        then(&Layers(project, Attention::new(2, 32, Rotary::new(32, 1e4, 1.0))))
    }
}

#[test]
fn attention_goes_back() {
    check::<Heads>();
}

#[test]
fn a_loss_is_the_weighted_log_likelihood() {
    let logits = Blocked::from_rows(&random(3, 4 * VOCABULARY), VOCABULARY);
    let (targets, weights) = ([3, 0, 31, 7], [1.0, 0.1, 0.0, 2.0]);
    let each = nn::log_likelihoods(Cpu::best(), &logits, &targets);
    let want: f64 = each.iter().zip(weights).map(|(l, w)| -f64::from(l * w)).sum();
    let loss = cross_entropy(Cpu::best(), &mut logits.clone(), &targets, &weights, 1.0);
    assert!((loss.nats - want).abs() < 1e-5, "{} {want}", loss.nats);
    assert!((loss.weight - 3.1).abs() < 1e-6);
}

#[test]
fn adamw_moves_as_its_formula_says() {
    let mut parameters = Parameters::default();
    let form = Form::Plain;
    for (name, decays) in [("a", true), ("b", false)] {
        let (name, shape, raw) = (name.to_owned(), vec![1], vec![2.0]);
        parameters.add(Parameter { name, shape, raw, form: form.clone(), decays });
    }
    let mut gradients = Gradients::zeros(&parameters);
    let mut adam = AdamW::new(&parameters);
    let rates = Rates { learning: 0.1, beta1: 0.9, beta2: 0.99, eps: 1e-8, decay: 0.5, clip: 1.0 };
    // Without a gradient only what decays moves.
    adam.step(Cpu::best(), &mut parameters, &gradients, &rates);
    let raw: Vec<f32> = parameters.iter().map(|p| p.raw[0]).collect();
    assert_eq!(raw, [1.9, 2.0]);
    // A gradient of (3, 4), length 5, is shortened to length 1; the second step's means are a tenth
    // of it, unbiased by 1 - 0.9² and 1 - 0.99².
    let table = add(&mut Parameters::default(), "x", &[1], 1.0, Form::Plain);
    assert_eq!(gradients.of(table).len(), 1);
    gradients = gradients_of(&parameters, &[3.0, 4.0]);
    assert!((gradients.norm() - 5.0).abs() < 1e-6);
    adam.step(Cpu::best(), &mut parameters, &gradients, &rates);
    for (at, (parameter, before)) in parameters.iter().zip([1.9 * 0.95, 2.0]).enumerate() {
        let g = [0.6, 0.8][at];
        let (mean, square): (f64, f64) = (0.1 * g / 0.19, 0.01 * g * g / 0.0199);
        let want = before - 0.1 * mean / square.sqrt();
        assert!((f64::from(parameter.raw[0]) - want).abs() < 1e-5, "{} {want}", parameter.raw[0]);
    }
    // What is no number moves nothing.
    let before = parameters.clone();
    let broken = gradients_of(&parameters, &[f32::NAN, 0.0]);
    assert!(!adam.step(Cpu::best(), &mut parameters, &broken, &rates).is_finite());
    assert_eq!((before, adam.n_steps), (parameters, 2));
}

/// Chosen gradients of two single values, by a network whose gradient they are.
fn gradients_of(parameters: &Parameters, values: &[f32]) -> Gradients {
    let mut all = Gradients::zeros(parameters);
    for (at, value) in values.iter().enumerate() {
        all.of_mut(param_at(parameters, at))[0] = *value;
    }
    all
}
