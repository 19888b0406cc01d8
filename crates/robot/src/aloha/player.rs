//! A trained policy in the package's world: looks and acts at 50 Hz, thinks at 6.25 Hz.
//!
//! S2's latent is a few actions old when S1 has it, as in training. S1 acts at every step, and what is
//! played is blended over all chunks that say something about it, as in ACT.

use nn::Precision;

use super::{ACTION, Aloha, N_STEPS, Outcome, RATE_HZ, View};
use crate::chunks::{Blend, ChunkConfig, Chunks, thinned};
use crate::error::{Error, Result};
use crate::interface::TICKS_PER_SECOND;
use crate::language;
use crate::model::{Instruction, Mind as _, Policy, S1, S2};

/// Steps from one look of S2 to the next.
const THINK_EVERY: usize = 8;
/// Steps until S1 has what S2 thought.
const THINK_STEPS: usize = 3;
/// Ticks of a chunk in a step.
const STEP_TICKS: usize = (TICKS_PER_SECOND / RATE_HZ) as usize;

/// A policy that plays.
#[derive(Debug)]
pub struct Player {
    s1: S1,
    s2: S2,
    view: View,
    chunks: Chunks,
    n_words: usize,
    /// Values of a policy's action: the completed share is one.
    width: usize,
    picture: Vec<u8>,
    /// As S1 has it, and as S2 gave it last.
    latents: [Vec<f32>; 2],
    chunk: Vec<f32>,
}

impl Player {
    /// For a policy whose states, actions and only camera are the package's.
    ///
    /// # Errors
    /// [`Error::Config`] where they are not.
    pub fn new(policy: &Policy, aloha: &Aloha) -> Result<Self> {
        let config = &policy.config;
        let [camera] = config.cameras.as_slice() else {
            let reason = format!("a policy with {} cameras, not one", config.cameras.len());
            return Err(Error::config("gym-aloha", reason));
        };
        if config.state != ACTION || config.action != ACTION + 1 {
            let reason = format!(
                "a policy with states of {} and actions of {} values, not {ACTION} and {}",
                config.state,
                config.action,
                ACTION + 1
            );
            return Err(Error::config("gym-aloha", reason));
        }
        let n_ticks = config.chunk_ticks();
        let length = n_ticks.div_ceil(STEP_TICKS);
        Ok(Self {
            s1: policy.s1(Precision::F32),
            s2: policy.s2(Precision::F32),
            view: View::new(aloha, camera.clone())?,
            chunks: Chunks::new(ChunkConfig { length, blend: Blend::PLAYED, speed: 1.0 })?,
            n_words: config.s2.words,
            width: config.action,
            picture: vec![0; camera.bytes()],
            latents: [vec![0.0; config.latent], vec![0.0; config.latent]],
            chunk: vec![0.0; n_ticks * config.action],
        })
    }

    /// Plays one episode from a seed; `observer` sees the world before each action, and the action.
    ///
    /// # Errors
    /// Where a network gives no number.
    pub fn play(
        &mut self,
        aloha: &mut Aloha,
        seed: u64,
        observer: &mut dyn FnMut(&Aloha, &[f32; ACTION]),
    ) -> Result<Outcome> {
        let text = aloha.task().instruction();
        let words = language::tokens(text, self.n_words);
        aloha.reset(seed);
        self.chunks.clear();
        let mut outcome = Outcome::NONE;
        for step in 0..N_STEPS {
            let state = aloha.state();
            self.view.draw(aloha, &mut self.picture)?;
            let pictures = [self.picture.as_slice()];
            let [now, thought] = &mut self.latents;
            if step.is_multiple_of(THINK_EVERY) {
                let instruction = Instruction { text, words: &words };
                self.s2.think(&pictures, &state, instruction, thought)?;
            }
            // Nothing can be done before the first thought.
            if step == 0 || step % THINK_EVERY == THINK_STEPS {
                now.copy_from_slice(thought);
            }
            self.s1.see(&pictures, now)?;
            self.s1.act(&state, now, &mut self.chunk)?;
            let at = step as u64;
            self.chunks.push(at, at, &thinned(&self.chunk, self.width, STEP_TICKS));
            let played = self.chunks.at(at).expect("a chunk begins at this step");
            let mut action = [0.0; ACTION];
            action.copy_from_slice(&played[..ACTION]);
            observer(aloha, &action);
            let reward = aloha.step(&action);
            outcome.see(aloha, step, reward);
        }
        Ok(outcome)
    }
}
