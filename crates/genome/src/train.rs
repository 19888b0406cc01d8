//! Training: the published recipe at any size.
//!
//! Next-base prediction with AdamW under a cosine of learning rates, in stages of growing context
//! (`savanna`, the code that Evo 2 was trained with; Evo 2 paper, training procedure). A step sums
//! gradients over its windows in a fixed order, and everything random comes from the seed and the
//! step's number: a run that was interrupted goes on to the same bits, with any number of threads.

mod checkpoint;
mod init;
mod network;
mod recipe;
mod run;

use nn::train::{AdamW, Gradients, Loss, Parameters, Rates};
use nn::{Cpu, Precision, threads};
use serde::{Deserialize, Serialize};

use crate::config::ModelConfig;
use crate::corpus::Window;
use crate::error::Error;
use network::{Layers, Network};

pub use checkpoint::{Trained, write_model};
pub use recipe::{Recipe, Validation};
pub use run::{Progress, Row, Run, run};

/// Sums of gradients that are taken side by side. Fixed, so that the order of summation does not
/// depend on threads.
const SUMS: usize = 4;

/// Some steps at one context length.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stage {
    /// Steps.
    pub steps: u64,
    /// Windows a step.
    pub batch: usize,
    /// Tokens predicted in a window.
    pub length: usize,
    /// What rotary positions are divided by: 1, or how many times the context has grown.
    pub rotary_scale: f64,
    /// Share of windows around start codons.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub start_share: f64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_zero(share: &f64) -> bool {
    *share == 0.0
}

/// All that a trained model depends on, but for its corpus.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrainConfig {
    /// Seed of the first weights and of the windows.
    pub seed: u64,
    /// Whether products run in bfloat16. What is learned stays in f32.
    pub bf16: bool,
    /// Highest learning rate.
    pub learning_rate: f64,
    /// Learning rate at the end, as a share of the highest.
    pub final_share: f64,
    /// Share of the steps over which the rate rises.
    pub warmup_share: f64,
    /// Decay of AdamW's mean.
    pub beta1: f64,
    /// Decay of AdamW's mean square.
    pub beta2: f64,
    /// Decay of matrices.
    pub weight_decay: f64,
    /// Longest gradient.
    pub clip: f64,
    /// In order.
    pub stages: Vec<Stage>,
    /// The model's shape.
    pub model: ModelConfig,
}

impl TrainConfig {
    /// Steps in all.
    pub fn n_steps(&self) -> u64 {
        self.stages.iter().map(|stage| stage.steps).sum()
    }

    /// The stage of a step, from 0; the last one afterwards.
    ///
    /// # Panics
    /// If there is no stage.
    pub fn stage(&self, step: u64) -> &Stage {
        let mut before = 0;
        let found = self.stages.iter().find(|stage| {
            before += stage.steps;
            step < before
        });
        found.or(self.stages.last()).expect("checked when it was made")
    }

    /// Learning rate of a step, from 0: up a line, then down a cosine.
    pub fn rate(&self, step: u64) -> f64 {
        let n = self.n_steps().max(1) as f64;
        let warmup = (self.warmup_share * n).max(1.0);
        let step = step as f64;
        if step < warmup {
            return self.learning_rate * (step + 1.0) / warmup;
        }
        let done = ((step - warmup) / (n - warmup).max(1.0)).min(1.0);
        let cosine = (1.0 + (std::f64::consts::PI * done).cos()) / 2.0;
        self.learning_rate * (self.final_share + (1.0 - self.final_share) * cosine)
    }

    fn check(&self) -> Result<(), String> {
        if self.stages.is_empty() {
            return Err("there is no stage".to_owned());
        }
        for stage in &self.stages {
            if stage.batch == 0 || stage.length == 0 {
                return Err("a stage needs windows and tokens".to_owned());
            }
            if !(stage.rotary_scale >= 1.0 && stage.rotary_scale.is_finite()) {
                return Err(format!("rotary positions divided by {}", stage.rotary_scale));
            }
        }
        for (name, value) in [
            ("learning_rate", self.learning_rate),
            ("clip", self.clip),
            ("final_share", self.final_share),
        ] {
            if !(value > 0.0 && value.is_finite()) {
                return Err(format!("`{name}` is {value}, not above 0"));
            }
        }
        for (name, size) in [
            ("inner_mlp_size", self.model.inner_size()),
            ("head size", self.model.head_size()),
            ("vocab_size", self.model.vocab_size),
        ] {
            if !size.is_multiple_of(nn::BLOCK) {
                return Err(format!("training takes sizes in multiples of 32: `{name}` is {size}"));
            }
        }
        Ok(())
    }
}

/// What one step did.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Stepped {
    /// The step, from 1.
    pub step: u64,
    /// Weighted mean of what the windows cost before the step, bits a base.
    pub bits_per_base: f64,
    /// Length of the gradient.
    pub gradient: f64,
    /// Learning rate.
    pub rate: f64,
    /// Tokens predicted.
    pub tokens: u64,
}

/// A model being trained.
#[derive(Debug)]
pub struct Trainer {
    config: TrainConfig,
    cpu: Cpu,
    network: Network,
    parameters: Parameters,
    adam: AdamW,
    /// Whether it began with a model's weights.
    loaded: bool,
}

/// Nats of a loss as bits a base.
pub fn bits_per_base(loss: Loss) -> f64 {
    loss.nats / loss.weight / std::f64::consts::LN_2
}

impl Trainer {
    /// Before the first step.
    ///
    /// # Errors
    /// If the settings make no sense.
    pub fn new(config: TrainConfig) -> Result<Trainer, Error> {
        let config_error = |reason| Error::Config { reason };
        config.check().map_err(config_error)?;
        let (network, parameters) =
            Network::new(&config.model, config.seed).map_err(config_error)?;
        let adam = AdamW::new(&parameters);
        Ok(Trainer { config, cpu: Cpu::best(), network, parameters, adam, loaded: false })
    }

    /// Its settings.
    pub fn config(&self) -> &TrainConfig {
        &self.config
    }

    /// Steps taken.
    pub fn step(&self) -> u64 {
        self.adam.n_steps
    }

    /// The model's shape as of the step to come: a later stage stretches positions.
    pub fn model(&self) -> ModelConfig {
        let stage = self.config.stage(self.step());
        let mut model = self.config.model.clone();
        model.max_seqlen = stage.length;
        if stage.rotary_scale != 1.0 {
            model.use_interpolated_rotary_pos_emb = true;
            model.rotary_emb_scaling_factor = stage.rotary_scale;
        }
        model
    }

    fn layers(&self) -> Layers {
        let precision = if self.config.bf16 { Precision::Bf16 } else { Precision::F32 };
        self.network.layers(&self.model(), &self.parameters, precision)
    }

    /// Learns from some windows.
    ///
    /// # Errors
    /// If the gradient is no number: nothing has moved then.
    pub fn learn(&mut self, windows: &[Window]) -> Result<Stepped, Error> {
        let layers = self.layers();
        let weight: f64 = windows.iter().flat_map(|w| &w.weights).map(|w| f64::from(*w)).sum();
        // Windows without anything to learn from give no gradient, and no division by zero.
        let scale = if weight > 0.0 { (1.0 / weight) as f32 } else { 0.0 };
        let sums = (0..SUMS.min(windows.len())).collect();
        let sums = threads::map(sums, |first: usize| {
            let mut gradients = Gradients::zeros(&self.parameters);
            let mut loss = Loss::default();
            for window in windows.iter().skip(first).step_by(SUMS) {
                let cost = one(&layers, self.cpu, window, Some((scale, &mut gradients)));
                loss.nats += cost.nats;
                loss.weight += cost.weight;
            }
            (gradients, loss)
        });
        let mut sums = sums.into_iter();
        let (mut gradients, mut loss) = sums.next().expect("a window");
        for (others, other) in sums {
            gradients.add(&others);
            loss.nats += other.nats;
            loss.weight += other.weight;
        }
        gradients.pull_back(&self.parameters);
        let rate = self.config.rate(self.step());
        let rates = Rates {
            learning: rate,
            beta1: self.config.beta1,
            beta2: self.config.beta2,
            eps: 1e-8,
            decay: self.config.weight_decay,
            clip: self.config.clip,
        };
        let gradient = self.adam.step(self.cpu, &mut self.parameters, &gradients, &rates);
        if !gradient.is_finite() {
            return Err(Error::Diverged { step: self.step() + 1 });
        }
        let tokens = windows.iter().map(|window| window.weights.len() as u64).sum();
        let bits_per_base = bits_per_base(loss);
        Ok(Stepped { step: self.step(), bits_per_base, gradient, rate, tokens })
    }

    /// What windows cost, each, without learning from them.
    pub fn evaluate(&self, windows: &[Window]) -> Vec<Loss> {
        let layers = self.layers();
        threads::map(windows.iter().collect(), |window| one(&layers, self.cpu, window, None))
    }
}

fn one(layers: &Layers, cpu: Cpu, window: &Window, back: Option<(f32, &mut Gradients)>) -> Loss {
    let all: Vec<usize> = window.tokens.iter().copied().map(usize::from).collect();
    let n = all.len() - 1;
    layers.run(cpu, &all[..n], &all[1..], &window.weights, back)
}

#[cfg(test)]
mod tests;
