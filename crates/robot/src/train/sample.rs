//! One sample: what S2 saw then, what S1 sees now, and what was done next.

use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::episodes::{chunk_action, place};
use super::{Episodes, Recipe};
use crate::error::Result;
use crate::interface::{Camera, TICKS_PER_FRAME};
use crate::language::{END, PAD, STRANGE};
use crate::model::{Lender, Normalisation, PolicyConfig, Shift, not_lent, padded_words};

/// Draws until one is where millimetres matter.
const FINE_TRIES: usize = 12;

/// What a network is given of a moment, beside words or latents.
#[derive(Debug, Clone)]
pub(super) struct Moment {
    /// Pictures of every camera; empty where the network does not look.
    pub(super) pictures: Vec<Vec<u8>>,
    /// By how much each is moved.
    pub(super) shifts: Vec<Shift>,
    /// Normalised state.
    pub(super) state: Vec<f32>,
    /// What it is about, where that is known.
    pub(super) marks: Option<Vec<f32>>,
    /// Where in each picture things are that it is about, where that is known; empty as those are.
    pub(super) points: Vec<Vec<Option<[f32; 2]>>>,
}

/// One of a batch.
#[derive(Debug, Clone)]
pub(super) struct Sample {
    /// What S2 saw.
    pub(super) then: Moment,
    /// Words for S2, filled up.
    pub(super) words: Vec<usize>,
    /// Features that S2 borrows, normalised; empty where it does not.
    pub(super) borrowed: Vec<f32>,
    /// What S1 sees while it has that latent, and normalised actions, `[chunk, action]`; not numbers where
    /// nobody knows them.
    pub(super) now: Vec<(Moment, Vec<f32>)>,
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
    /// What S2 borrows from. It sees pictures that are not moved and reads texts of which nothing is hidden:
    /// there would be no end of what it had to make.
    pub(super) lender: Option<&'s Lender>,
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
        let wants_fine = rng.random_range(0.0..1.0) < recipe.fine;
        let mut any = || place(self.starts, rng.random_range(0..n_all));
        let (mut episode, mut tick) = any();
        if wants_fine {
            // A few tries: where there is none, any will do.
            for _ in 0..FINE_TRIES {
                if episodes.is_fine(episode, tick) {
                    break;
                }
                (episode, tick) = any();
            }
        }
        let last = episodes.n_ticks(episode) as i64 - 1;
        // Of an attempt's beginning S2's first look is the only one: moments before it see it, too.
        let mut looked = None;
        let ticks: Vec<usize> = (0..recipe.moments)
            .map(|_| {
                let age = i64::from(recipe.ages.at(rng.random_range(0.0..1.0)));
                let looked = *looked.get_or_insert(tick as i64 - age);
                (looked + age).clamp(0, last) as usize
            })
            .collect();
        let looked = looked.map_or(0, |looked| looked.max(0) as usize);
        let variant = rng.next_u64();
        let mut words = episodes.words(episode, variant);
        if self.augments && recipe.hidden_words > 0.0 {
            words.retain(|_| rng.random_range(0.0..1.0) >= recipe.hidden_words);
        }
        if self.augments && recipe.strange_words > 0.0 && rng.random_bool(recipe.strange_words) {
            interrupt(&mut words, &mut rng);
        }
        let (then, _) = self.moment((episode, looked), &config.s2.cameras, &mut rng)?;
        let borrowed = self.borrowed(&then, episode, variant)?;
        let mut now = Vec::with_capacity(ticks.len());
        for tick in ticks {
            let (moment, raw) = self.moment((episode, tick), &config.s1.cameras, &mut rng)?;
            let n = config.action;
            let mut targets = vec![0.0; config.s1.chunk * n];
            let mut action = vec![0.0; n];
            for (k, target) in targets.chunks_exact_mut(n).enumerate() {
                if k > 0 && episodes.n_led(episode, tick) < k * config.s1.stride {
                    target.fill(f32::NAN);
                    continue;
                }
                chunk_action(episodes, config, (episode, tick), k, &mut action)?;
                self.normal.normal_action(k, &raw, &action, target);
            }
            now.push((moment, targets));
        }
        Ok(Sample { then, words: padded_words(config, &words)?, borrowed, now })
    }

    /// What S2 borrows at a look.
    fn borrowed(&self, then: &Moment, episode: usize, variant: u64) -> Result<Vec<f32>> {
        let Some(borrowed) = &self.config.s2.borrowed else { return Ok(Vec::new()) };
        let lender = self.lender.ok_or_else(|| not_lent(borrowed))?;
        let place = self.config.s2.cameras[0];
        let (camera, picture) = (&self.config.cameras[place], &then.pictures[place]);
        let mut features =
            lender.features(camera, picture, &self.episodes.text(episode, variant))?;
        self.normal.normal_borrowed(&mut features);
        Ok(features)
    }

    /// What there is at a tick for a network that looks through some cameras; and the state as it was.
    fn moment(
        &self,
        (episode, tick): (usize, usize),
        cameras: &[usize],
        rng: &mut ChaCha8Rng,
    ) -> Result<(Moment, Vec<f32>)> {
        let Source { episodes, config, .. } = *self;
        let most = if self.augments { self.recipe.shift as i32 } else { 0 };
        let mut shift = |_: &Camera| {
            let mut one = || rng.random_range(-most..=most);
            Shift { right: one(), down: one() }
        };
        let shifts = config.cameras.iter().map(&mut shift).collect();
        let frame = tick / TICKS_PER_FRAME as usize;
        let picture = |(at, camera): (usize, &Camera)| {
            if !cameras.contains(&at) {
                return Ok(Vec::new());
            }
            let mut bytes = vec![0; camera.bytes()];
            episodes.picture(episode, frame, at, &mut bytes)?;
            Ok(bytes)
        };
        let pictures = config.cameras.iter().enumerate().map(picture).collect::<Result<_>>()?;
        let (mut raw, mut state) = (vec![0.0; config.state], vec![0.0; config.state]);
        episodes.state(episode, tick, &mut raw)?;
        self.normal.normal_state(&raw, &mut state);
        let mut marks = vec![0.0; config.marks];
        let known = config.marks > 0 && episodes.marks(episode, tick, &mut marks)?;
        let marks = known.then_some(marks);
        let points = |at: usize| {
            // In pictures that were moved they are elsewhere.
            if most > 0 || !cameras.contains(&at) {
                return Vec::new();
            }
            episodes.points(episode, tick, at)
        };
        let points = (0..config.cameras.len()).map(points).collect();
        Ok((Moment { pictures, shifts, state, marks, points }, raw))
    }
}

/// Puts parts of a word that nobody knows between the words of an instruction, where there is room.
fn interrupt(words: &mut Vec<u16>, rng: &mut ChaCha8Rng) {
    let n_said = words.iter().position(|&word| word == END).unwrap_or(words.len());
    let n_room = words[n_said..].iter().filter(|&&word| word == PAD).count();
    let n_parts = rng.random_range(1..=6).min(n_room);
    let at = rng.random_range(0..=n_said);
    words.truncate(words.len() - n_parts);
    words.splice(at..at, (0..n_parts).map(|_| rng.random_range(STRANGE)));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::tokens;

    #[test]
    fn a_strange_word_leaves_an_instruction_whole_and_as_long() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let before = tokens("put the red cube in the bin", 16);
        let said = &before[..8];
        for _ in 0..50 {
            let mut words = before.clone();
            interrupt(&mut words, &mut rng);
            assert_eq!(words.len(), before.len());
            let n_strange = words.iter().filter(|word| STRANGE.contains(*word)).count();
            assert!((1..=6).contains(&n_strange));
            words.retain(|word| !STRANGE.contains(word));
            assert_eq!(&words[..8], said);
        }
        let mut full = tokens("put the red cube in the bin", 8);
        interrupt(&mut full, &mut rng);
        assert_eq!(full, said);
    }
}
