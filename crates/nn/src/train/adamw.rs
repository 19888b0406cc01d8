//! AdamW (Loshchilov and Hutter, arXiv 1711.05101): decay is apart from the gradient.

use crate::cpu::Cpu;
use crate::simd::{self, Kernel, Lanes};
use crate::threads;

use super::parameters::{CHUNK, Gradients, Parameters};

/// How far and how a step goes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rates {
    /// Learning rate of this step.
    pub learning: f64,
    /// Decay of the mean gradient.
    pub beta1: f64,
    /// Decay of the mean square.
    pub beta2: f64,
    /// Added to the root of the mean square.
    pub eps: f64,
    /// Share of each value that is lost per step, times the learning rate.
    pub decay: f64,
    /// Gradients longer than this are shortened to it.
    pub clip: f64,
}

/// Its memory.
#[derive(Debug, Clone, PartialEq)]
pub struct AdamW {
    /// Steps taken.
    pub n_steps: u64,
    /// Running mean of gradients, as [`Parameters`].
    pub mean: Vec<Vec<f32>>,
    /// Running mean of their squares.
    pub square: Vec<Vec<f32>>,
}

impl AdamW {
    /// Before the first step.
    pub fn new(parameters: &Parameters) -> AdamW {
        let zeros: Vec<Vec<f32>> = parameters.iter().map(|p| vec![0.0; p.raw.len()]).collect();
        AdamW { n_steps: 0, mean: zeros.clone(), square: zeros }
    }

    /// Moves parameters against their gradients; gives the length of the gradient before clipping.
    /// One that is no number moves nothing.
    pub fn step(
        &mut self,
        cpu: Cpu,
        parameters: &mut Parameters,
        gradients: &Gradients,
        rates: &Rates,
    ) -> f64 {
        let norm = gradients.norm();
        if !norm.is_finite() {
            return norm;
        }
        self.n_steps += 1;
        let shorten = if norm > rates.clip { rates.clip / norm } else { 1.0 };
        let unbias = |beta: f64| 1.0 / (1.0 - beta.powf(self.n_steps as f64));
        let (unbias1, unbias2) = (unbias(rates.beta1), unbias(rates.beta2));
        let mut parts = Vec::new();
        let moments = self.mean.iter_mut().zip(&mut self.square);
        for ((parameter, gradient), (mean, square)) in
            parameters.iter_mut().zip(gradients.iter()).zip(moments)
        {
            let decay = if parameter.decays { rates.decay * rates.learning } else { 0.0 };
            let values = parameter.raw.chunks_mut(CHUNK).zip(gradient.chunks(CHUNK));
            let moments = mean.chunks_mut(CHUNK).zip(square.chunks_mut(CHUNK));
            for ((values, gradient), (mean, square)) in values.zip(moments) {
                parts.push(Step {
                    values,
                    gradient,
                    mean,
                    square,
                    shorten: shorten as f32,
                    beta1: rates.beta1 as f32,
                    beta2: rates.beta2 as f32,
                    eps: rates.eps as f32,
                    keep: (1.0 - decay) as f32,
                    length: (rates.learning * unbias1) as f32,
                    unbias2: unbias2 as f32,
                });
            }
        }
        threads::map(parts, |part| simd::run(cpu, part));
        norm
    }
}

struct Step<'a> {
    values: &'a mut [f32],
    gradient: &'a [f32],
    mean: &'a mut [f32],
    square: &'a mut [f32],
    shorten: f32,
    beta1: f32,
    beta2: f32,
    eps: f32,
    keep: f32,
    length: f32,
    unbias2: f32,
}

impl Kernel for Step<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Lanes>(self) {
        let moments = self.mean.iter_mut().zip(self.square);
        for ((value, gradient), (mean, square)) in
            self.values.iter_mut().zip(self.gradient).zip(moments)
        {
            let gradient = gradient * self.shorten;
            *mean = self.beta1 * *mean + (1.0 - self.beta1) * gradient;
            *square = self.beta2 * *square + (1.0 - self.beta2) * gradient * gradient;
            let root = (*square * self.unbias2).sqrt() + self.eps;
            *value = *value * self.keep - self.length * *mean / root;
        }
    }
}
