//! What samples cost, and the way back through both networks.

use nn::train::{Gather, Gradients, Room, Tape, Var};
use nn::{Blocked, Cpu};
use serde::{Deserialize, Serialize};

use super::Recipe;
use super::points::Pointed;
use super::sample::{Moment, Sample};
use crate::model::config::Stage;
use crate::model::network::{Fast, Memory, Slow};
use crate::model::{PolicyConfig, is_position, write_rows, write_windows};

/// Slopes that the way back begins with.
pub(super) type Seeds = Vec<(Var, Blocked)>;

/// Sums of what samples cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Loss {
    /// Sum over samples of the mean absolute error of normalised values.
    pub error: f64,
    /// Sum over samples of the mean cross-entropy of the completed share.
    pub completion: f64,
    /// Sum over samples of the mean absolute errors of marks: S2's, and S1's.
    pub marks: [f64; 2],
    /// First keypoints of S2, and of S1.
    pub points: [Pointed; 2],
    /// Moments of S1.
    pub n: usize,
}

impl Loss {
    pub(super) fn add(&mut self, other: Loss) {
        self.error += other.error;
        self.completion += other.completion;
        self.marks.iter_mut().zip(other.marks).for_each(|(to, marks)| *to += marks);
        self.points.iter_mut().zip(other.points).for_each(|(to, points)| to.add(points));
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

    /// Mean cross-entropy of the completed share.
    #[must_use]
    pub fn mean_completion(&self) -> f64 {
        self.completion / self.n.max(1) as f64
    }
}

/// What S2 sees and reads.
fn looks(samples: &[Sample]) -> (Vec<&Moment>, Vec<usize>) {
    let words = samples.iter().flat_map(|sample| sample.words.iter().copied());
    (samples.iter().map(|sample| &sample.then).collect(), words.collect())
}

/// Both, on the present weights.
pub(super) struct Networks<'n> {
    pub(super) fast: Fast,
    pub(super) slow: Slow,
    pub(super) config: &'n PolicyConfig,
    pub(super) recipe: &'n Recipe,
    /// A latent for each moment that it is used in.
    pub(super) repeat: Gather,
    pub(super) cpu: Cpu,
}

impl Networks<'_> {
    /// Some samples both ways. Gradients are those of the sum of their costs times `scale`.
    pub(super) fn run(
        &self,
        samples: &[Sample],
        scale: f32,
        gradients: Option<&mut Gradients>,
        room: Room,
    ) -> (Loss, Room) {
        let learns = gradients.is_some();
        let begin = if learns { Tape::learning_in } else { Tape::forward_in };
        let mut tape = begin(self.cpu, room);
        let mut loss = Loss { n: samples.len() * self.recipe.moments, ..Loss::default() };
        let seeds = if self.recipe.only_points {
            self.look(&mut tape, samples, scale, &mut loss)
        } else {
            self.act(&mut tape, samples, scale, &mut loss)
        };
        let room = match gradients {
            Some(gradients) => tape.backward_from(seeds, gradients),
            None => tape.into_room(),
        };
        (loss, room)
    }

    /// S2's eyes alone, and what they are held to.
    fn look<'a>(
        &'a self,
        tape: &mut Tape<'a>,
        samples: &[Sample],
        scale: f32,
        loss: &mut Loss,
    ) -> Seeds {
        let (then, words) = looks(samples);
        let mut fill = self.fill(self.config.s2.backbone.stages[0], &then);
        let regarded = self.slow.regard(tape, then.len(), words, &mut fill);
        let mut seeds = Seeds::new();
        let each = scale * self.recipe.moments as f32;
        let camera = self.config.s2.cameras[0];
        loss.points[0] = self.seen(tape, regarded.heat, camera, &then, each, &mut seeds);
        seeds
    }

    /// Both networks whole, and what they are held to.
    fn act<'a>(
        &'a self,
        tape: &mut Tape<'a>,
        samples: &[Sample],
        scale: f32,
        loss: &mut Loss,
    ) -> Seeds {
        let config = self.config;
        let (then, words) = looks(samples);
        let now = || samples.iter().flat_map(|sample| &sample.now);
        let (now, targets): (Vec<&Moment>, Vec<&[f32]>) =
            now().map(|(moment, targets)| (moment, targets.as_slice())).unzip();
        let state = self.states(tape, &then);
        let borrowed = config.s2.borrowed.as_ref().map(|borrowed| {
            let width = borrowed.features.next_multiple_of(nn::BLOCK);
            tape.given(samples.len(), width, |into| {
                for (at, sample) in samples.iter().enumerate() {
                    write_rows(into, at, &sample.borrowed);
                }
            })
        });
        let mut fill = self.fill(config.s2.backbone.stages[0], &then);
        let read = self.slow.read(tape, then.len(), words, state, borrowed, &mut fill);
        let told = self.slow.tell(tape, read.latent);
        let latent = tape.gather(&self.repeat, read.latent);
        let mut fill = self.fill(config.s1.backbone.stages[0], &now);
        let seen = self.fast.encode(tape, now.len(), latent, &mut fill);
        let state = self.states(tape, &now);
        let memory = Memory::Live(seen.memory);
        let out = self.fast.decode(tape, now.len(), latent, state, memory, seen.glance);

        let mut seeds = Seeds::new();
        let each = scale * self.recipe.moments as f32;
        let camera = config.s2.cameras[0];
        loss.points[0] = self.seen(tape, read.heat, camera, &then, each, &mut seeds);
        for (&camera, heat) in config.s1.cameras.iter().zip(seen.heat) {
            loss.points[1].add(self.seen(tape, heat, camera, &now, scale, &mut seeds));
        }
        if let Some(told) = told {
            let value = tape.value(told);
            let mut d = Blocked::new(value.n_tokens(), value.n_channels());
            let off = self.marks(value, 0, 1, &then, each, &mut d);
            loss.marks[0] = off * self.recipe.moments as f64;
            seeds.push((told, d));
        }
        let value = tape.value(out);
        let mut d = Blocked::new(value.n_tokens(), value.n_channels());
        let targets = targets.iter().flat_map(|targets| targets.chunks_exact(config.action));
        self.cost(value, targets, scale, loss, &mut d);
        loss.marks[1] = self.marks(value, config.action, config.s1.chunk, &now, scale, &mut d);
        seeds.push((out, d));
        seeds
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
        stem: Stage,
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
                let weight = if is_position(last + 1, at) { self.recipe.positions } else { 1.0 };
                let slope = if off == 0.0 { 0.0 } else { off.signum() };
                slopes[at] = slope * weight as f32 * each / last.max(1) as f32;
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
