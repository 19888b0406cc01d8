//! A policy being trained.

use nn::train::{AdamW, Gather, Gradients, Rates, Room};
use nn::{Cpu, Precision, threads};
use serde::{Deserialize, Serialize};

use super::episodes::{check, starts};
use super::networks::{Loss, Networks};
use super::points::Pointed;
use super::sample::{Sample, Source};
use super::{Episodes, Recipe};
use crate::error::{Error, Result};
use crate::model::network::{Fast, Maker, Slow};
use crate::model::{Lender, Normalisation, Policy, PolicyConfig};

/// Streams of random numbers: samples that are learned from, and that are only looked at.
const LEARNED: u64 = 1;
const LOOKED_AT: u64 = 2;

/// What one step did.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Stepped {
    /// The step, from 1.
    pub step: u64,
    /// Mean absolute error of normalised values, before the step.
    pub error: f64,
    /// Mean cross-entropy of the completed share, before the step.
    pub completion: f64,
    /// Mean absolute errors of marks, S2's and S1's, before the step.
    pub marks: [f64; 2],
    /// First keypoints of S2, and of S1, before the step.
    pub points: [Pointed; 2],
    /// Length of the gradient.
    pub gradient: f64,
    /// Learning rate.
    pub rate: f64,
}

/// A policy being trained.
#[derive(Debug)]
pub struct Trainer {
    pub(super) policy: Policy,
    pub(super) recipe: Recipe,
    pub(super) adam: AdamW,
    lender: Option<Lender>,
    cpu: Cpu,
    rooms: Vec<Room>,
}

impl Trainer {
    /// Before the first step.
    ///
    /// # Errors
    /// If the configuration, the normalisation or the recipe is of no use.
    pub fn new(config: PolicyConfig, normal: Normalisation, recipe: Recipe) -> Result<Trainer> {
        recipe.check()?;
        let mut policy = Policy::drawn(config, normal, recipe.seed)?;
        policy.recipe = Some(serde_json::to_string(&recipe).expect("plain data"));
        let adam = AdamW::new(&policy.weights.parameters);
        let (cpu, rooms) = (Cpu::best(), Vec::new());
        Ok(Trainer { policy, recipe, adam, lender: None, cpu, rooms })
    }

    /// Before the first step, with the weights and the normalisation of a policy that is there.
    ///
    /// # Errors
    /// If it is of another shape, or the recipe is of no use.
    pub fn going_on(config: &PolicyConfig, from: Policy, recipe: Recipe) -> Result<Trainer> {
        if from.config != *config {
            let (got, want) = (&from.config.name, &config.name);
            let reason = format!("a policy `{got}` where `{want}` is trained: shapes differ");
            return Err(Error::config("first weights", reason));
        }
        let mut trainer = Trainer::new(from.config.clone(), from.normalisation.clone(), recipe)?;
        trainer.policy.weights = from.weights;
        Ok(trainer)
    }

    /// Lets S2 borrow from an open model. A policy that borrows can only be trained so.
    ///
    /// # Errors
    /// If it is another model than the policy is for.
    pub fn borrow_from(&mut self, lender: Lender) -> Result<()> {
        self.policy.lend_opened(lender.backbone().clone())?;
        self.lender = Some(lender);
        Ok(())
    }

    /// The policy as it is.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// What it is trained with.
    #[must_use]
    pub fn recipe(&self) -> &Recipe {
        &self.recipe
    }

    /// Steps taken.
    #[must_use]
    pub fn step(&self) -> u64 {
        self.adam.n_steps
    }

    /// Takes a step.
    ///
    /// # Errors
    /// If the data do not fit or cannot be read, or the gradient is no number: nothing has moved then.
    pub fn learn(&mut self, episodes: &dyn Episodes) -> Result<Stepped> {
        let first = self.step() * self.recipe.batch as u64;
        let idxs: Vec<u64> = (first..first + self.recipe.batch as u64).collect();
        let (loss, gradients) = self.run(episodes, &idxs, LEARNED, true)?;
        let mut gradients = gradients.expect("asked for");
        gradients.pull_back(&self.policy.weights.parameters);
        let rate = self.recipe.rate(self.step());
        let rates = Rates {
            learning: rate,
            beta1: 0.9,
            beta2: 0.95,
            eps: 1e-8,
            decay: self.recipe.weight_decay,
            clip: self.recipe.clip,
        };
        let parameters = &mut self.policy.weights.parameters;
        let gradient = self.adam.step(self.cpu, parameters, &gradients, &rates);
        if !gradient.is_finite() {
            return Err(Error::Diverged { step: self.step() + 1 });
        }
        let (error, completion) = (loss.mean_error(), loss.mean_completion());
        let (marks, points) = (loss.mean_marks(), loss.points);
        Ok(Stepped { step: self.step(), error, completion, marks, points, gradient, rate })
    }

    /// What `n` samples, the same each time, cost without learning from them.
    ///
    /// # Errors
    /// If the data do not fit or cannot be read.
    pub fn evaluate(&mut self, episodes: &dyn Episodes, n: usize) -> Result<Loss> {
        let idxs: Vec<u64> = (0..n as u64).collect();
        Ok(self.run(episodes, &idxs, LOOKED_AT, false)?.0)
    }

    fn run(
        &mut self,
        episodes: &dyn Episodes,
        idxs: &[u64],
        stream: u64,
        learns: bool,
    ) -> Result<(Loss, Option<Gradients>)> {
        let Trainer { policy, recipe, lender, cpu, rooms, .. } = self;
        let lender = lender.as_ref();
        let Policy { config, normalisation: normal, weights, .. } = &*policy;
        check(episodes, config)?;
        let starts = starts(episodes);
        let (starts, augments) = (&starts, learns);
        let source = Source { episodes, starts, config, normal, recipe, lender, augments };
        let make = Maker { weights, precision: Precision::F32, learns };
        let networks = Networks {
            fast: Fast::new(make, config),
            slow: Slow::new(make, config),
            config,
            recipe,
            repeat: Gather::repeat(recipe.moments),
            cpu: *cpu,
        };
        let scale = 1.0 / (idxs.len() * recipe.moments).max(1) as f32;
        rooms.resize_with(recipe.sums, Room::default);
        let groups: Vec<&[u64]> = idxs.chunks(recipe.together).collect();
        let parts = rooms.drain(..).enumerate().collect();
        type Sum = Result<(Loss, Option<Gradients>, Room)>;
        let sums: Vec<Sum> = threads::map(parts, |(first, mut room): (usize, Room)| {
            threads::alone(|| {
                let mut gradients = learns.then(|| Gradients::zeros(&weights.parameters));
                let mut loss = Loss::default();
                for group in groups.iter().skip(first).step_by(recipe.sums) {
                    let draw = |idx: &u64| source.draw(recipe.seed, stream, *idx);
                    let samples: Vec<Sample> = group.iter().map(draw).collect::<Result<_>>()?;
                    let (cost, back) = networks.run(&samples, scale, gradients.as_mut(), room);
                    loss.add(cost);
                    room = back;
                }
                Ok((loss, gradients, room))
            })
        });
        let (mut loss, mut gradients) = (Loss::default(), None);
        for sum in sums {
            let (cost, others, room) = sum?;
            loss.add(cost);
            rooms.push(room);
            match (&mut gradients, others) {
                (Some(gradients), Some(others)) => Gradients::add(gradients, &others),
                (gradients, others) => *gradients = others,
            }
        }
        Ok((loss, gradients))
    }
}
