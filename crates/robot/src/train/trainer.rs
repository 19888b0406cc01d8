//! A policy being trained.

use nn::train::{AdamW, Gather, Gradients, Rates, Room, Tape, Var};
use nn::{Blocked, Cpu, Precision, threads};
use serde::{Deserialize, Serialize};

use super::episodes::{check, starts};
use super::sample::{Moment, Sample, Source};
use super::{Episodes, Recipe};
use crate::error::{Error, Result};
use crate::model::config::KEYPOINT_SCALES;
use crate::model::network::{Fast, Maker, Memory, Slow};
use crate::model::{Normalisation, Policy, PolicyConfig, write_rows, write_windows};

/// Streams of random numbers: samples that are learned from, and that are only looked at.
const LEARNED: u64 = 1;
const LOOKED_AT: u64 = 2;

/// Sums of what samples cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Loss {
    /// Sum over samples of the mean absolute error of normalised values.
    pub error: f64,
    /// Sum over samples of the mean cross-entropy of the completed share.
    pub completion: f64,
    /// Sum over samples of the mean absolute errors of marks: S2's, and S1's.
    pub marks: [f64; 2],
    /// Sum over samples of the mean cross-entropy of S2's first keypoints, in nats.
    pub points: f64,
    /// Moments of S1.
    pub n: usize,
}

impl Loss {
    fn add(&mut self, other: Loss) {
        self.error += other.error;
        self.completion += other.completion;
        self.marks.iter_mut().zip(other.marks).for_each(|(to, marks)| *to += marks);
        self.points += other.points;
        self.n += other.n;
    }

    /// Mean absolute error of normalised values over all samples.
    #[must_use]
    pub fn mean_error(&self) -> f64 {
        self.error / self.n.max(1) as f64
    }

    /// Mean absolute errors of marks, S2's and S1's.
    #[must_use]
    pub fn mean_marks(&self) -> [f64; 2] {
        self.marks.map(|marks| marks / self.n.max(1) as f64)
    }

    /// Mean cross-entropy of S2's first keypoints, in nats.
    #[must_use]
    pub fn mean_points(&self) -> f64 {
        self.points / self.n.max(1) as f64
    }

    /// Mean cross-entropy of the completed share.
    #[must_use]
    pub fn mean_completion(&self) -> f64 {
        self.completion / self.n.max(1) as f64
    }
}

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
    /// Mean cross-entropy of S2's first keypoints, in nats, before the step.
    pub points: f64,
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
        Ok(Trainer { policy, recipe, adam, cpu: Cpu::best(), rooms: Vec::new() })
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
        let (marks, points) = (loss.mean_marks(), loss.mean_points());
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
        let Trainer { policy, recipe, cpu, rooms, .. } = self;
        let Policy { config, normalisation: normal, weights, .. } = &*policy;
        check(episodes, config)?;
        let starts = starts(episodes);
        let source = Source { episodes, starts: &starts, config, normal, recipe, augments: learns };
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

/// Both, on the present weights.
struct Networks<'n> {
    fast: Fast,
    slow: Slow,
    config: &'n PolicyConfig,
    recipe: &'n Recipe,
    /// A latent for each moment that it is used in.
    repeat: Gather,
    cpu: Cpu,
}

impl Networks<'_> {
    /// Some samples both ways. Gradients are those of the sum of their costs times `scale`.
    fn run(
        &self,
        samples: &[Sample],
        scale: f32,
        gradients: Option<&mut Gradients>,
        room: Room,
    ) -> (Loss, Room) {
        let config = self.config;
        let learns = gradients.is_some();
        let begin = if learns { Tape::learning_in } else { Tape::forward_in };
        let mut tape = begin(self.cpu, room);
        let then: Vec<&Moment> = samples.iter().map(|sample| &sample.then).collect();
        let now = || samples.iter().flat_map(|sample| &sample.now);
        let (now, targets): (Vec<&Moment>, Vec<&[f32]>) =
            now().map(|(moment, targets)| (moment, targets.as_slice())).unzip();
        let words = samples.iter().flat_map(|sample| sample.words.iter().copied()).collect();
        let state = self.states(&mut tape, &then);
        let mut fill = self.fill(config.s2.backbone.stages[0], &then);
        let read = self.slow.read(&mut tape, then.len(), words, state, &mut fill);
        let told = self.slow.tell(&mut tape, read.latent);
        let latent = tape.gather(&self.repeat, read.latent);
        let mut fill = self.fill(config.s1.backbone.stages[0], &now);
        let memory = self.fast.encode(&mut tape, now.len(), latent, &mut fill);
        let state = self.states(&mut tape, &now);
        let out = self.fast.decode(&mut tape, now.len(), latent, state, Memory::Live(memory));

        let mut loss = Loss { n: now.len(), ..Loss::default() };
        let mut seeds = Vec::new();
        if let Some(told) = told {
            let value = tape.value(told);
            let mut d = Blocked::new(value.n_tokens(), value.n_channels());
            let each = scale * self.recipe.moments as f32;
            let off = self.marks(value, 0, 1, &then, each, &mut d);
            loss.marks[0] = off * self.recipe.moments as f64;
            seeds.push((told, d));
        }
        for heat in read.heat {
            let value = tape.value(heat.values);
            let mut d = Blocked::new(value.n_tokens(), value.n_channels());
            let each = scale * self.recipe.moments as f32 / KEYPOINT_SCALES as f32;
            let nats = self.points(value, heat.shape, &then, each, &mut d);
            loss.points += nats * self.recipe.moments as f64 / KEYPOINT_SCALES as f64;
            seeds.push((heat.values, d));
        }
        let value = tape.value(out);
        let mut d = Blocked::new(value.n_tokens(), value.n_channels());
        let targets = targets.iter().flat_map(|targets| targets.chunks_exact(config.action));
        self.cost(value, targets, scale, &mut loss, &mut d);
        loss.marks[1] = self.marks(value, config.action, config.s1.chunk, &now, scale, &mut d);
        seeds.push((out, d));
        let room = match gradients {
            Some(gradients) => tape.backward_from(seeds, gradients),
            None => tape.into_room(),
        };
        (loss, room)
    }

    /// States of moments, filled up to whole blocks.
    fn states(&self, tape: &mut Tape<'_>, moments: &[&Moment]) -> Var {
        let width = self.config.state.next_multiple_of(nn::BLOCK);
        tape.given(moments.len(), width, |into| {
            for (at, moment) in moments.iter().enumerate() {
                write_rows(into, at, &moment.state);
            }
        })
    }

    /// Fills in the windows of a camera's pictures.
    fn fill<'m>(
        &'m self,
        stem: crate::model::config::Stage,
        moments: &'m [&'m Moment],
    ) -> impl FnMut(usize, &mut Blocked) + 'm {
        move |place, into| {
            let each = into.n_tokens() / moments.len();
            for (at, moment) in moments.iter().enumerate() {
                let (camera, shape) = (&self.config.cameras[place], [stem.kernel, stem.stride]);
                let (picture, shift) = (&moment.pictures[place], moment.shifts[place]);
                write_windows(camera, picture, shape, shift, at * each, into);
            }
        }
    }

    /// Absolute errors of marks, which are told from channel `first` on in every `every`-th token: their
    /// mean over marks, summed over moments. Slopes of that times `scale` go to `d`.
    fn marks(
        &self,
        out: &Blocked,
        first: usize,
        every: usize,
        moments: &[&Moment],
        scale: f32,
        d: &mut Blocked,
    ) -> f64 {
        let (mut values, mut slopes) = (vec![0.0; out.n_channels()], vec![0.0; out.n_channels()]);
        let n = self.config.marks.max(1);
        let weight = scale * self.recipe.marks as f32 / n as f32;
        let mut sum = 0.0;
        for (at, moment) in moments.iter().enumerate() {
            let Some(marks) = &moment.marks else { continue };
            out.read_token(at * every, &mut values);
            d.read_token(at * every, &mut slopes);
            for ((value, slope), mark) in
                values[first..].iter().zip(&mut slopes[first..]).zip(marks)
            {
                let off = value - mark;
                sum += f64::from(off.abs()) / n as f64;
                *slope = if off == 0.0 { 0.0 } else { off.signum() * weight };
            }
            d.write_token(at * every, &slopes);
        }
        sum
    }

    /// Cross-entropies of the first keypoints, of which each is to be where a thing is: their mean over
    /// things, summed over moments. Slopes of that times `scale` go to `d`.
    ///
    /// The distance of a keypoint from its thing would be no such teacher: where all speaks for one wrong
    /// place, it has no slope at the right one.
    fn points(
        &self,
        heat: &Blocked,
        shape: [usize; 2],
        then: &[&Moment],
        scale: f32,
        d: &mut Blocked,
    ) -> f64 {
        let [height, width] = shape;
        let n = height * width;
        let mut rows = vec![vec![0.0; heat.n_channels()]; n];
        let mut sum = 0.0;
        for (at, moment) in then.iter().enumerate() {
            let Some(points) = &moment.points else { continue };
            (0..n).for_each(|position| heat.read_token(at * n + position, &mut rows[position]));
            let share = scale * self.recipe.points as f32 / points.len().max(1) as f32;
            let mut slopes = vec![vec![0.0; heat.n_channels()]; n];
            for (channel, point) in points.iter().enumerate().take(heat.n_channels()) {
                let cell = |at: f32, size: usize| {
                    (((at + 1.0) / 2.0 * size as f32) as usize).min(size - 1)
                };
                let right = cell(point[1], height) * width + cell(point[0], width);
                let most = rows.iter().map(|row| row[channel]).fold(f32::MIN, f32::max);
                let total: f32 = rows.iter().map(|row| (row[channel] - most).exp()).sum();
                for (position, (row, slopes)) in rows.iter().zip(&mut slopes).enumerate() {
                    let p = (row[channel] - most).exp() / total;
                    slopes[channel] = share * (p - f32::from(u8::from(position == right)));
                }
                let nats = total.ln() + most - rows[right][channel];
                sum += f64::from(nats) / points.len() as f64;
            }
            for (position, slopes) in slopes.iter().enumerate() {
                d.write_token(at * n + position, slopes);
            }
        }
        sum
    }

    /// Absolute errors of all known values but the last, whose logit is held to the completed share by
    /// cross-entropy: that has no flat ends, and its least is where the sigmoid is right.
    fn cost<'t>(
        &self,
        out: &Blocked,
        targets: impl Iterator<Item = &'t [f32]>,
        scale: f32,
        loss: &mut Loss,
        d: &mut Blocked,
    ) {
        let last = self.config.action - 1;
        let mut values = vec![0.0; out.n_channels()];
        let mut slopes = vec![0.0; out.n_channels()];
        let each = scale / self.config.s1.chunk as f32;
        let share = 1.0 / (self.config.s1.chunk as f64);
        for (token, target) in targets.enumerate().filter(|(_, target)| !target[0].is_nan()) {
            out.read_token(token, &mut values);
            for (at, (value, target)) in values[..last].iter().zip(target).enumerate() {
                let off = value - target;
                loss.error += f64::from(off.abs()) * share / last.max(1) as f64;
                slopes[at] =
                    if off == 0.0 { 0.0 } else { off.signum() } * each / last.max(1) as f32;
            }
            let (logit, target) = (values[last], target[last]);
            // ln(1 + e^x) - target x, without overflow.
            let nats = logit.max(0.0) + (-logit.abs()).exp().ln_1p() - target * logit;
            loss.completion += f64::from(nats) * share;
            let done = 1.0 / (1.0 + (-logit).exp());
            slopes[last] = (done - target) * each * self.recipe.completion as f32;
            d.write_token(token, &slopes);
        }
    }
}
