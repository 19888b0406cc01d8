//! How a policy is trained.

use serde::{Deserialize, Serialize};

use super::Ages;
use crate::error::{Error, Result};

/// All that a trained policy depends on, but for its shape and its data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// Seed of the first weights and of everything that is drawn.
    pub seed: u64,
    /// Steps.
    pub steps: u64,
    /// Looks of S2 a step.
    pub batch: usize,
    /// Moments of S1 after each of them, with ages of their own.
    pub moments: usize,
    /// Looks that go through the networks together; memory grows with it.
    pub together: usize,
    /// Sums of gradients that are taken side by side. The sums' order depends on it, not on threads.
    pub sums: usize,
    /// Highest learning rate.
    pub learning_rate: f64,
    /// Learning rate at the end, as a share of the highest.
    pub final_share: f64,
    /// Steps over which the rate rises.
    pub warmup: u64,
    /// Decay of matrices.
    pub weight_decay: f64,
    /// Longest gradient.
    pub clip: f64,
    /// Most pixels by which pictures are moved.
    pub shift: u32,
    /// Share of samples that are looked for where millimetres matter ([`super::Episodes::is_fine`]); the rest
    /// are drawn from all ticks alike.
    pub fine: f64,
    /// Share of words that are hidden from S2.
    pub hidden_words: f64,
    /// Share of instructions that S2 reads with a word between that nobody knows.
    #[serde(default)]
    pub strange_words: f64,
    /// Weight of each value of a wrist's position beside 1 for all others.
    #[serde(default = "one")]
    pub positions: f64,
    /// Weight of the completed share beside the mean over all other values.
    pub completion: f64,
    /// Weight of marks beside it.
    pub marks: f64,
    /// Weight beside it of each camera's first keypoints, each of which is held to a thing that the task is about.
    pub points: f64,
    /// Whether those of S2 alone are learned, by its readers and eyes.
    #[serde(default)]
    pub only_points: bool,
    /// Ages of the latent.
    pub ages: Ages,
}

/// What recipes from before there was a weight mean by none.
fn one() -> f64 {
    1.0
}

impl Recipe {
    /// What `tiny` is trained with.
    #[must_use]
    pub fn tiny() -> Recipe {
        Recipe {
            seed: 1,
            steps: 20_000,
            batch: 24,
            moments: 1,
            together: 6,
            sums: 2,
            learning_rate: 5e-4,
            final_share: 0.02,
            warmup: 200,
            weight_decay: 0.02,
            clip: 1.0,
            // A pixel of a wrist's camera is what decides whether fingers close.
            shift: 0,
            fine: 0.5,
            hidden_words: 0.0,
            strange_words: 0.3,
            positions: 3.0,
            completion: 0.1,
            marks: 2.0,
            points: 0.2,
            only_points: false,
            ages: Ages::between(10, 70),
        }
    }

    /// Learning rate of a step, from 0: up a line, then down a cosine.
    #[must_use]
    pub fn rate(&self, step: u64) -> f64 {
        let (step, warmup, n) = (step as f64, self.warmup as f64, self.steps as f64);
        if step < warmup {
            return self.learning_rate * (step + 1.0) / warmup;
        }
        let done = ((step - warmup) / (n - warmup).max(1.0)).min(1.0);
        let cosine = (1.0 + (std::f64::consts::PI * done).cos()) / 2.0;
        self.learning_rate * (self.final_share + (1.0 - self.final_share) * cosine)
    }

    /// Whether one can train with it.
    ///
    /// # Errors
    /// Names the first thing that is of no use.
    pub fn check(&self) -> Result<()> {
        let wrong = |reason: String| Err(Error::config("recipe", reason));
        let counts = [
            ("batch", self.batch),
            ("moments", self.moments),
            ("together", self.together),
            ("sums", self.sums),
        ];
        if let Some((name, _)) = counts.into_iter().find(|(_, n)| *n == 0) {
            return wrong(format!("`{name}` is 0"));
        }
        for (name, value) in [
            ("learning_rate", self.learning_rate),
            ("clip", self.clip),
            ("final_share", self.final_share),
        ] {
            if !(value > 0.0 && value.is_finite()) {
                return wrong(format!("`{name}` is {value}, not above 0"));
            }
        }
        let shares = [
            ("weight_decay", self.weight_decay),
            ("completion", self.completion),
            ("hidden_words", self.hidden_words),
            ("strange_words", self.strange_words),
            ("fine", self.fine),
        ];
        for (name, value) in shares {
            if !(0.0..=1.0).contains(&value) {
                return wrong(format!("`{name}` is {value}, not from 0 to 1"));
            }
        }
        let weights =
            [("positions", self.positions), ("marks", self.marks), ("points", self.points)];
        for (name, weight) in weights {
            if !(0.0..=100.0).contains(&weight) {
                return wrong(format!("`{name}` is {weight}, not from 0 to 100"));
            }
        }
        if self.only_points && (self.points == 0.0 || self.shift > 0) {
            let reason = "`only_points` where `points` weigh nothing, or pictures are moved: nothing is learned";
            return wrong(reason.to_owned());
        }
        if self.shift > 64 {
            return wrong(format!("`shift` is {}; at most 64 pixels are possible", self.shift));
        }
        self.ages.check()
    }
}
