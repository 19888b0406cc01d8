//! S2's side: pictures and words in, latents out, for one robot after another.

use serde::{Deserialize, Serialize};

use super::{Role, Thinker, View, Wires};
use crate::Result;
use crate::clock::Clock;
use crate::shared::{Reader, Stamp, Taken, Writer};

/// S2's ends of one robot's exchanges.
#[derive(Debug)]
pub struct SlowLinks {
    /// Pictures, with the state they belong to.
    pub frames: Reader,
    /// What the robot is asked to do.
    pub prompt: Reader,
    /// The latent.
    pub latent: Writer,
}

/// How S2 goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlowConfig {
    /// Least nanoseconds from one round over all robots to the next.
    pub period_nanos: u64,
}

impl SlowConfig {
    /// At most 8 times a second.
    pub const DEFAULT: SlowConfig = SlowConfig { period_nanos: 125_000_000 };
}

/// A thinker with its ends of the exchanges.
#[derive(Debug)]
pub struct SlowSide<T> {
    thinker: T,
    links: Vec<SlowLinks>,
    latent: Vec<f32>,
    n_refused: u64,
}

impl<T: Thinker> SlowSide<T> {
    /// For robots whose latents have this width.
    #[must_use]
    pub fn new(thinker: T, links: Vec<SlowLinks>, latent_width: usize) -> SlowSide<T> {
        SlowSide { thinker, links, latent: vec![0.0; latent_width], n_refused: 0 }
    }

    /// How many robots it serves.
    #[must_use]
    pub fn n_robots(&self) -> usize {
        self.links.len()
    }

    /// Thinks about a robot's newest pictures. Gives the stamp for what came of it; nothing when there
    /// are none that it has not thought about.
    ///
    /// # Panics
    /// If there is no such robot.
    pub fn think(&mut self, robot: usize) -> Option<Stamp> {
        let links = &mut self.links[robot];
        if links.frames.take() != Taken::New {
            return None;
        }
        links.prompt.take();
        let view = View {
            robot,
            frames: links.frames.bytes(),
            state: links.frames.floats(),
            prompt: std::str::from_utf8(links.prompt.bytes()).unwrap_or_default(),
        };
        self.thinker.think(&view, &mut self.latent);
        if !self.latent.iter().all(|value| value.is_finite()) {
            self.n_refused += 1;
            return None;
        }
        let header = links.frames.header()?;
        // Prompts are told apart by their number.
        let prompt = links.prompt.header().map_or(0, |header| header.sequence as u32);
        Some(Stamp {
            observed_at: header.stamp.observed_at,
            published_at: 0,
            checkpoint: self.thinker.checkpoint(),
            prompt,
        })
    }

    /// Publishes what [`SlowSide::think`] gave a stamp for, at time `now`.
    ///
    /// # Panics
    /// If there is no such robot.
    pub fn publish(&mut self, robot: usize, stamp: Stamp, now: u64) {
        let stamp = Stamp { published_at: now, ..stamp };
        self.links[robot].latent.publish(stamp, &self.latent, &[]);
    }

    /// Latents that were no finite numbers, and not published.
    #[must_use]
    pub fn n_refused(&self) -> u64 {
        self.n_refused
    }
}

/// S2's process: thinks until all is to end. Gives the thinker's side back.
///
/// # Errors
/// When there is no such exchange.
pub fn run_s2<T: Thinker, C: Clock>(
    thinker: T,
    wires: &Wires,
    clock: &C,
    config: SlowConfig,
) -> Result<SlowSide<T>> {
    /// How long it sleeps when there is nothing new: what that can add to a latent's age.
    const NAP: u64 = 2_000_000;
    let mut pulse = wires.pulse(Role::S2)?;
    let mut side = SlowSide::new(thinker, wires.s2()?, wires.shape().latent_width);
    while !wires.is_halted() {
        let began = clock.now();
        let mut any = false;
        for robot in 0..side.n_robots() {
            if let Some(stamp) = side.think(robot) {
                side.publish(robot, stamp, clock.now());
                any = true;
            }
            pulse.publish(Stamp::default(), &[], &[]);
        }
        clock.sleep_until(began + if any { config.period_nanos } else { NAP });
    }
    Ok(side)
}
