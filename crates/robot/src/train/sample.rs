//! One sample: what S2 saw then, what S1 sees now, and what was done next.

use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::episodes::{chunk_action, place};
use super::{Episodes, Recipe};
use crate::error::Result;
use crate::interface::TICKS_PER_FRAME;
use crate::model::{Normalisation, PolicyConfig, Shift, padded_words};

/// One of a batch.
#[derive(Debug, Clone)]
pub(super) struct Sample {
    /// Pictures of every camera now, for S1.
    pub(super) now: Vec<Vec<u8>>,
    /// Pictures of every camera then; empty where S2 does not look.
    pub(super) then: Vec<Vec<u8>>,
    /// By how much each is moved, now and then.
    pub(super) shifts: [Vec<Shift>; 2],
    /// Normalised states now and then.
    pub(super) states: [Vec<f32>; 2],
    /// Words for S2, filled up.
    pub(super) words: Vec<usize>,
    /// Normalised actions, `[chunk, action]`.
    pub(super) targets: Vec<f32>,
}

/// What is drawn from, and how.
#[derive(Clone, Copy)]
pub(super) struct Source<'s> {
    pub(super) episodes: &'s dyn Episodes,
    /// Of all episodes, as [`super::episodes::starts`] gives them.
    pub(super) starts: &'s [usize],
    pub(super) config: &'s PolicyConfig,
    pub(super) normal: &'s Normalisation,
    pub(super) recipe: &'s Recipe,
    /// Whether pictures are moved and words hidden.
    pub(super) augments: bool,
}

impl Source<'_> {
    /// The `idx`-th sample of a stream.
    pub(super) fn draw(&self, seed: u64, stream: u64, idx: u64) -> Result<Sample> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(stream);
        // 4096 words of random numbers are more than a sample takes.
        rng.set_word_pos(u128::from(idx) << 12);
        let Source { episodes, config, recipe, .. } = *self;
        let n_all = self.starts[self.starts.len() - 1];
        let (episode, tick) = place(self.starts, rng.random_range(0..n_all));
        let age = recipe.ages.at(rng.random_range(0.0..1.0)) as usize;
        let earlier = tick.saturating_sub(age);
        let mut words = episodes.words(episode, rng.next_u64());
        let mut shift = || {
            let most = if self.augments { recipe.shift as i32 } else { 0 };
            let mut one = || rng.random_range(-most..=most);
            Shift { right: one(), down: one() }
        };
        let mut shifts = || config.cameras.iter().map(|_| shift()).collect::<Vec<Shift>>();
        let shifts = [shifts(), shifts()];
        if self.augments && recipe.hidden_words > 0.0 {
            words.retain(|_| rng.random_range(0.0..1.0) >= recipe.hidden_words);
        }
        let pictures = |tick: usize, wanted: &dyn Fn(usize) -> bool| {
            let frame = tick / TICKS_PER_FRAME as usize;
            let picture = |(at, camera): (usize, &crate::interface::Camera)| {
                if !wanted(at) {
                    return Ok(Vec::new());
                }
                let mut bytes = vec![0; camera.bytes()];
                episodes.picture(episode, frame, at, &mut bytes)?;
                Ok(bytes)
            };
            config.cameras.iter().enumerate().map(picture).collect::<Result<Vec<Vec<u8>>>>()
        };
        let mut raw = vec![0.0; config.state];
        let mut state = |tick: usize| -> Result<(Vec<f32>, Vec<f32>)> {
            episodes.state(episode, tick, &mut raw)?;
            let mut normal = vec![0.0; config.state];
            self.normal.normal_state(&raw, &mut normal);
            Ok((raw.clone(), normal))
        };
        let (raw_now, state_now) = state(tick)?;
        let (_, state_then) = state(earlier)?;
        let n = config.action;
        let mut targets = vec![0.0; config.s1.chunk * n];
        let mut action = vec![0.0; n];
        for (k, target) in targets.chunks_exact_mut(n).enumerate() {
            chunk_action(episodes, config, (episode, tick), k, &mut action)?;
            self.normal.normal_action(k, &raw_now, &action, target);
        }
        Ok(Sample {
            now: pictures(tick, &|_| true)?,
            then: pictures(earlier, &|camera| config.s2.cameras.contains(&camera))?,
            shifts,
            states: [state_now, state_then],
            words: padded_words(config, &words)?,
            targets,
        })
    }
}
