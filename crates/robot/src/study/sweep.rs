//! Success against the latent's age.

use runs::stats::Rate;
use serde::{Deserialize, Serialize};

use super::Delay;
use crate::interface::{TICK_NS, TICKS_PER_SECOND};
use crate::tasks::Task;

/// A policy's attempts at a task with latents of one age.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AtAge {
    /// Name of the policy.
    pub policy: String,
    /// From a frame to its latent, in milliseconds; a latent is used until it is one period older.
    pub millis: u32,
    /// The task.
    pub task: Task,
    /// Successes.
    pub rate: Rate,
}

impl AtAge {
    /// How late S2 is at an age, at the rate at which it is deployed.
    #[must_use]
    pub fn delay(millis: u32) -> Delay {
        let thinking = millis.div_ceil((TICK_NS / 1_000_000) as u32);
        Delay { thinking, ..Delay::DEPLOYED }
    }

    /// Milliseconds by which a latent grows older while it is used.
    #[must_use]
    pub fn period_millis() -> u32 {
        Delay::DEPLOYED.period * 1000 / TICKS_PER_SECOND
    }
}

/// Attempts at all tasks together, of one policy at one age.
#[must_use]
pub fn together(all: &[AtAge], policy: &str, millis: u32) -> Rate {
    let these = all.iter().filter(|one| one.policy == policy && one.millis == millis);
    these.fold(Rate::default(), |sum, one| Rate {
        hits: sum.hits + one.rate.hits,
        n: sum.n + one.rate.n,
    })
}
