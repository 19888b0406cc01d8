//! A policy that experts correct.

use nn::Precision;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::rehearse::{Pilot, Rehearsal};
use crate::collect::{Acting, Actor};
use crate::interface::TICKS_PER_SECOND;
use crate::model::Policy;
use crate::tasks::Setup;

/// Seconds for which the policy acts, and the expert, in turn: from .. to. What policies do wrong is
/// seen, how it is mended too, and the later parts of a task are reached by those that cannot do it yet.
const POLICY_SECS: [f32; 2] = [0.2, 2.0];
const EXPERT_SECS: [f32; 2] = [0.3, 1.2];

/// A policy that acts in turn with experts, by a setup's seed always in the same way.
#[derive(Debug)]
pub struct Corrected<'p> {
    /// Who acts.
    pub policy: &'p Policy,
    /// Name for the record, for instance the digest of its file.
    pub name: String,
    /// How it is played.
    pub how: Rehearsal,
}

impl Actor for Corrected<'_> {
    fn name(&self) -> &str {
        &self.name
    }

    fn begin<'a>(&'a self, setup: &Setup) -> Box<Acting<'a>> {
        let told = setup.instructions.clone();
        let new = |text: &String| Pilot::new(self.policy, Precision::F32, text, &self.how).ok();
        // A way to play that cannot be played moves nothing.
        let mut pilots: Vec<Option<Pilot>> = told.iter().map(new).collect();
        let mut rng = ChaCha8Rng::seed_from_u64(setup.seed);
        rng.set_stream(u64::MAX - 1);
        let (mut is_policy, mut until) = (false, 0);
        Box::new(move |seen| {
            if seen.tick >= until && seen.robot == 0 {
                is_policy = !is_policy;
                let [from, to] = if is_policy { POLICY_SECS } else { EXPERT_SECS };
                let secs = rng.random_range(from..to);
                until = seen.tick + (secs * TICKS_PER_SECOND as f32) as u32;
            }
            // It looks and thinks all the time, so that its latents are as old as they would be. What is
            // no action keeps the arm where it is, and the expert's answer to that is learned.
            let pilot = pilots[seen.robot].as_mut();
            let acted = pilot.map(|pilot| pilot.act(seen, &told[seen.robot], &self.how));
            let action = acted.and_then(Result::ok).flatten();
            if is_policy { action } else { seen.expert.copied() }
        })
    }
}
