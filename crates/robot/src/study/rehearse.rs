//! A policy at work in simulated time.
//!
//! S2 looks at a frame, and what it thinks of it is there some ticks later, as [`Delay`] says; meanwhile
//! S1 goes on with the latent that it has. Nothing is timed: the same seed gives the same attempt on any
//! machine, and a latent can be made as old as one likes.

use std::collections::VecDeque;
use std::path::Path;

use nn::Precision;

use super::keep::Keeper;
use super::live::expect_body;
use crate::chunks::{Action, Blend, ChunkConfig, Chunks};
use crate::collect::{Outcome, Seen, attempt};
use crate::error::{Error, Result};
use crate::interface::{ACTION, TICKS_PER_FRAME, TICKS_PER_SECOND};
use crate::language;
use crate::model::{Instruction, Mind, Policy, S1, S2};
use crate::record::Actor;
use crate::tasks::{Setup, Task};

/// How late S2 is, in ticks of the fast loop. Where a thought takes longer than a period, several are under
/// way: age and rate are then apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Delay {
    /// From a frame to the latent that S2 makes of it.
    pub thinking: u32,
    /// From one frame that S2 looks at to the next, at least.
    pub period: u32,
}

impl Delay {
    /// 8 Hz, and as long as that for a thought.
    pub const DEPLOYED: Delay = Delay { thinking: 25, period: 25 };

    /// Latents that are always from the newest frame.
    pub const NONE: Delay = Delay { thinking: 0, period: TICKS_PER_FRAME };
}

/// How a policy is to be played.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Rehearsal {
    /// How late S2 is.
    pub delay: Delay,
    /// Ticks from one chunk of actions to the next: 1 for a new one every tick.
    pub act_every: u32,
    /// How chunks that say something about the same tick are blended.
    pub blend: Blend,
    /// Whether instructions name another object and place of the scene: what a policy does then shows
    /// whether it reads.
    pub swapped: bool,
}

impl Default for Rehearsal {
    fn default() -> Self {
        Rehearsal { delay: Delay::DEPLOYED, act_every: 1, blend: Blend::PLAYED, swapped: false }
    }
}

/// Successes among attempts.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Score {
    /// The task.
    pub task: Task,
    /// Successful attempts and all, with a Wilson interval.
    pub rate: runs::stats::Rate,
    /// Mean seconds of successful ones.
    pub mean_secs: Option<f64>,
}

impl Score {
    /// Of attempts at a task.
    #[must_use]
    pub fn of(task: Task, outcomes: &[Outcome]) -> Score {
        let rate = runs::stats::Rate::of(outcomes.iter().map(|outcome| outcome.success));
        let done: Vec<f64> = outcomes
            .iter()
            .filter(|outcome| outcome.success)
            .map(|outcome| f64::from(outcome.n_ticks) / f64::from(TICKS_PER_SECOND))
            .collect();
        let mean_secs = (!done.is_empty()).then(|| done.iter().sum::<f64>() / done.len() as f64);
        Score { task, rate, mean_secs }
    }
}

/// A latent on its way.
struct Thought {
    /// The tick at which it is there.
    at: u32,
    /// The tick of the frame that it is about.
    from: u32,
    latent: Vec<f32>,
}

/// S2 at work for one robot, and S1.
pub(super) struct Pilot {
    s1: S1,
    s2: S2,
    words: Vec<u16>,
    /// What S1 has now, and the tick of the frame that it is about.
    latent: Option<(Vec<f32>, u32)>,
    /// What S2 will have thought, oldest first.
    coming: VecDeque<Thought>,
    /// When S2 may look again.
    next_look: u32,
    /// What S1 said last, and how it is played.
    said: Vec<f32>,
    chunk: Vec<Action>,
    chunks: Chunks,
    next_ask: u32,
}

impl Pilot {
    /// # Errors
    /// If chunks cannot be played so.
    pub(super) fn new(
        policy: &Policy,
        precision: Precision,
        text: &str,
        how: &Rehearsal,
    ) -> Result<Pilot> {
        let config = &policy.config;
        let length = config.chunk_ticks();
        Ok(Pilot {
            s1: policy.s1(precision),
            s2: policy.s2(precision),
            words: language::tokens(text, config.s2.words),
            latent: None,
            coming: VecDeque::new(),
            next_look: 0,
            said: vec![0.0; length * config.action],
            chunk: vec![[0.0; ACTION]; length],
            chunks: Chunks::new(ChunkConfig { length, blend: how.blend, speed: 1.0 })?,
            next_ask: 0,
        })
    }

    /// The action for a tick; none before the first latent is there.
    pub(super) fn act(
        &mut self,
        seen: &Seen<'_>,
        text: &str,
        how: &Rehearsal,
    ) -> Result<Option<[f32; ACTION]>> {
        let pictures: Vec<&[u8]> = seen.pictures.iter().map(Vec::as_slice).collect();
        if seen.is_new && seen.tick >= self.next_look {
            let mut latent = vec![0.0; self.s2.width()];
            let instruction = Instruction { text, words: &self.words };
            self.s2.think(&pictures, seen.state, instruction, &mut latent)?;
            // Before the first thought there is nothing to go on with: it is waited for.
            let thinking = if self.latent.is_none() { 0 } else { how.delay.thinking };
            self.coming.push_back(Thought { at: seen.tick + thinking, from: seen.tick, latent });
            self.next_look = seen.tick + how.delay.period;
        }
        while self.coming.front().is_some_and(|thought| thought.at <= seen.tick) {
            self.latent = self.coming.pop_front().map(|thought| (thought.latent, thought.from));
        }
        let Some((latent, _)) = &self.latent else { return Ok(None) };
        if seen.is_new {
            self.s1.see(&pictures, latent)?;
        }
        if seen.tick >= self.next_ask {
            self.s1.act(seen.state, latent, &mut self.said)?;
            for (into, action) in self.chunk.iter_mut().zip(self.said.chunks_exact(ACTION)) {
                into.copy_from_slice(action);
            }
            self.chunks.push(u64::from(seen.tick), u64::from(seen.tick), &self.chunk);
            self.next_ask = seen.tick + how.act_every.max(1);
        }
        Ok(self.chunks.at(u64::from(seen.tick)))
    }

    /// Age of the latent in seconds at a tick; not a number where there is none.
    fn latent_age(&self, tick: u32) -> f32 {
        let age = |(_, from): &(Vec<f32>, u32)| (tick - from) as f32 / TICKS_PER_SECOND as f32;
        self.latent.as_ref().map_or(f32::NAN, age)
    }
}

/// One attempt of a policy at a setup, every robot with the same weights and its own instruction.
///
/// # Errors
/// If the policy is for other cameras, states or actions than this body has.
pub fn rehearse(
    policy: &Policy,
    precision: Precision,
    setup: &Setup,
    how: &Rehearsal,
) -> Result<Outcome> {
    go(policy, precision, setup, how, None)
}

/// The same, on record in a folder under this attempt's number.
///
/// # Errors
/// As [`rehearse`], or when the file system refuses.
pub fn rehearse_on_record(
    policy: &Policy,
    precision: Precision,
    setup: &Setup,
    how: &Rehearsal,
    (folder, attempt): (&Path, usize),
) -> Result<Outcome> {
    go(policy, precision, setup, how, Some((folder, attempt)))
}

fn go(
    policy: &Policy,
    precision: Precision,
    setup: &Setup,
    how: &Rehearsal,
    keep: Option<(&Path, usize)>,
) -> Result<Outcome> {
    expect_body(policy)?;
    policy.expect_lent()?;
    let told = if how.swapped { setup.with_wrong_words() } else { setup.clone() };
    let begin = |(folder, number)| Keeper::begin(folder, number, &told, Actor::Policy);
    let mut keeper = keep.map(begin).transpose()?;
    let told = told.instructions;
    let mut pilots: Vec<Pilot> =
        told.iter().map(|text| Pilot::new(policy, precision, text, how)).collect::<Result<_>>()?;
    let mut failure = None;
    let outcome = attempt(setup, false, &mut |seen| {
        if failure.is_some() {
            return None;
        }
        let pilot = &mut pilots[seen.robot];
        let action = match pilot.act(seen, &told[seen.robot], how) {
            Ok(action) => action,
            // A rotation without direction is the policy's failure, not the machine's.
            Err(Error::NotFinite { .. }) => None,
            Err(error) => {
                failure = Some(error);
                None
            }
        };
        if let Some(keeper) = &mut keeper {
            let at = (seen.tick, seen.robot);
            let pictures = seen.is_new.then_some(seen.pictures);
            let age = pilot.latent_age(seen.tick);
            let kept = keeper.tick(at, seen.world, seen.state, pictures, action.as_ref(), age);
            failure = kept.err().or(failure.take());
        }
        action
    });
    if let Some(failure) = failure {
        return Err(failure);
    }
    keeper.map_or(Ok(()), |keeper| keeper.end(outcome))?;
    Ok(outcome)
}
