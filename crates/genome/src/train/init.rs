//! What parameters are before anything is learned: as the published models were begun (`savanna`).

use nn::train::Form;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::config::ModelConfig;

/// Draws each parameter from its own stream, so that one does not depend on the others.
#[derive(Debug, Clone, Copy)]
pub(super) struct Draw<'a> {
    pub(super) config: &'a ModelConfig,
    pub(super) seed: u64,
}

/// Range of the bounds of decay, `log_r_min` of the weakest preset to 2, in powers of ten: filters of
/// medium length begin under windows `e^(-α t)` from nearly flat to short.
const WINDOW_POWERS: (f32, f32) = (-2.0, 2.0);

impl Draw<'_> {
    /// What is learned of a tensor, and how it is used.
    pub(super) fn parameter(&self, name: &str, shape: &[usize]) -> (Vec<f32>, Form) {
        let n: usize = shape.iter().product();
        let mut stream = Stream::new(self.seed, name);
        let (c, n_layers) = (self.config.hidden_size as f32, self.config.num_layers as f32);
        let last = |part: &str| name.ends_with(part);
        if last("scale") || last("filter.D") {
            return (vec![1.0; n], Form::Plain);
        }
        if last("bias") {
            return (vec![0.0; n], Form::Plain);
        }
        if last("short_filter_weight") {
            return (stream.uniform(n, (1.0 / 3.0_f32).sqrt()), Form::Plain);
        }
        if last("filter.log_poles") {
            // The pole is e^(-e^(p + γ)) with p = -1 and e^γ from 0.01 to 0.1; p and γ always appear
            // together and are learned as one.
            let raw = (0..n).map(|_| -1.0 + stream.between(0.01, 0.1).ln()).collect();
            return (raw, Form::NegativeExp);
        }
        if last("filter.residues") {
            return (stream.normal(n, 0.1 / (self.config.state_size as f32).sqrt()), Form::Plain);
        }
        if last("filter.h") {
            let (n_groups, n_taps) = (shape[0], shape[2]);
            let medium = |layer: &usize| name == format!("blocks.{layer}.filter.h");
            if !self.config.hcm_layer_idxs.iter().any(medium) {
                return (stream.uniform(n, (1.0 / 3.0_f32).sqrt()), Form::Plain);
            }
            let power = |group: usize| {
                let (low, high) = WINDOW_POWERS;
                low + (high - low) * group as f32 / (n_groups - 1).max(1) as f32
            };
            let window = (0..n)
                .map(|at| {
                    let t = (at % n_taps) as f32 / (n_taps - 1).max(1) as f32;
                    (-10.0_f32.powf(power(at / n_taps)) * t).exp()
                })
                .collect();
            return (stream.normal(n, 1e-5 / (n_taps as f32).sqrt()), Form::Scaled(window));
        }
        let leaves =
            last("out_filter_dense.weight") || last("out_proj.weight") || last("l3.weight");
        let std = if leaves { 2.0 / (n_layers * c.sqrt()) } else { (2.0 / (5.0 * c)).sqrt() };
        (stream.normal(n, std), Form::Plain)
    }
}

/// Random numbers of one tensor.
struct Stream(ChaCha8Rng);

impl Stream {
    fn new(seed: u64, name: &str) -> Stream {
        // FNV-1a: names are few, and theirs differ.
        let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(hash);
        Stream(rng)
    }

    fn between(&mut self, low: f32, high: f32) -> f32 {
        self.0.random_range(low..high)
    }

    fn uniform(&mut self, n: usize, most: f32) -> Vec<f32> {
        (0..n).map(|_| self.between(-most, most)).collect()
    }

    /// By Box and Muller.
    fn normal(&mut self, n: usize, std: f32) -> Vec<f32> {
        (0..n)
            .map(|_| {
                let radius = (-2.0 * (1.0 - self.0.random::<f64>()).ln()).sqrt();
                let angle = std::f64::consts::TAU * self.0.random::<f64>();
                std * (radius * angle.cos()) as f32
            })
            .collect()
    }
}
