//! Chunks of actions: what a policy says for the next ticks, played, blended and hurried.
//!
//! A policy gives one action a tick for some ticks ahead. Chunks overlap; what is played at a tick is a
//! blend of what they say about it. Ticks are absolute: when the loop is late and skips some, so do the
//! chunks. Nothing allocates after [`Chunks::new`].

use serde::{Deserialize, Serialize};

use crate::interface::ACTION;
use crate::{Error, Result};

/// One action.
pub type Action = [f32; ACTION];

/// How chunks that say something about the same tick are blended.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Blend {
    /// The newest alone.
    Newest,
    /// From the chunk before to the newest, evenly over so many ticks; for chunks that come less often
    /// than that.
    Crossfade(u32),
    /// All of them, the i-th from the oldest weighing exp(−m i): ACT's temporal ensembling (Zhao et al.
    /// 2023), in which 0.01 is usual.
    Ensemble(f32),
}

impl Blend {
    /// How trained policies are played.
    pub const PLAYED: Blend = Blend::Ensemble(0.01);
}

/// How actions are played.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ChunkConfig {
    /// Actions of a chunk.
    pub length: usize,
    /// How they are blended.
    pub blend: Blend,
    /// How much faster than it was demonstrated a chunk is played, from 0.25 to 4: it is resampled
    /// linearly to so many fewer ticks (Figure's "sport mode").
    pub speed: f32,
}

impl ChunkConfig {
    /// One action a time, as it comes.
    pub const SINGLE: ChunkConfig = ChunkConfig { length: 1, blend: Blend::Newest, speed: 1.0 };

    /// Ticks that a chunk lasts.
    fn n_ticks(&self) -> usize {
        // Half a thousandth: f32 has 1/1.1 · 11 a little under 10.
        ((self.length - 1) as f32 / self.speed + 5e-4) as usize + 1
    }

    fn check(&self) -> Result<()> {
        let wrong = |reason: String| Err(Error::config("chunks", reason));
        if !(1..=1000).contains(&self.length) {
            return wrong(format!("{} actions; from 1 to 1000 are possible", self.length));
        }
        if !(0.25..=4.0).contains(&self.speed) {
            return wrong(format!("speed {}; from 0.25 to 4 is possible", self.speed));
        }
        if let Blend::Ensemble(decay) = self.blend
            && !(decay.is_finite() && decay.abs() <= 1.0)
        {
            return wrong(format!("decay {decay}; from -1 to 1 is possible"));
        }
        Ok(())
    }
}

#[derive(Debug, Clone)]
struct Chunk {
    /// The tick of its first action.
    start: u64,
    /// The tick at which it came.
    came: u64,
    /// Actions it has now; 0 for none.
    n_ticks: usize,
    actions: Vec<Action>,
}

impl Chunk {
    /// What it says about a tick; its last action after its end when `held`.
    fn at(&self, tick: u64, held: bool) -> Option<&Action> {
        let idx = usize::try_from(tick.checked_sub(self.start)?).ok()?;
        let idx = if held { idx.min(self.n_ticks.checked_sub(1)?) } else { idx };
        (idx < self.n_ticks).then(|| &self.actions[idx])
    }
}

/// Chunks that are being played.
#[derive(Debug, Clone)]
pub struct Chunks {
    config: ChunkConfig,
    /// A ring, oldest first from `next`.
    ring: Vec<Chunk>,
    next: usize,
}

impl Chunks {
    /// With nothing to play yet.
    ///
    /// # Errors
    /// When the configuration cannot be.
    pub fn new(config: ChunkConfig) -> Result<Chunks> {
        config.check()?;
        let n_ticks = config.n_ticks();
        let n_chunks = match config.blend {
            Blend::Newest => 1,
            Blend::Crossfade(_) => 2,
            // One a tick: older ones are over.
            Blend::Ensemble(_) => n_ticks,
        };
        let chunk = Chunk { start: 0, came: 0, n_ticks: 0, actions: vec![[0.0; ACTION]; n_ticks] };
        Ok(Chunks { config, ring: vec![chunk; n_chunks], next: 0 })
    }

    /// Forgets all chunks.
    pub fn clear(&mut self) {
        self.ring.iter_mut().for_each(|chunk| chunk.n_ticks = 0);
    }

    /// Forgets all chunks but the newest: those before are about a motion that did not come to pass.
    pub fn keep_newest(&mut self) {
        let n = self.ring.len();
        let newest = (self.next + n - 1) % n;
        let others = self.ring.iter_mut().enumerate().filter(|(idx, _)| *idx != newest);
        others.for_each(|(_, chunk)| chunk.n_ticks = 0);
    }

    /// Takes a chunk whose first action is for tick `start`, at tick `now`: later, when a policy thinks for
    /// longer than a tick. What is over by then is not played.
    ///
    /// # Panics
    /// If it has another length than was configured.
    pub fn push(&mut self, start: u64, now: u64, actions: &[Action]) {
        assert_eq!(actions.len(), self.config.length, "chunks have one length");
        let n = self.ring.len();
        let chunk = &mut self.ring[self.next];
        self.next = (self.next + 1) % n;
        (chunk.start, chunk.came, chunk.n_ticks) = (start, now, self.config.n_ticks());
        let last = actions.len() - 1;
        for (idx, into) in chunk.actions.iter_mut().enumerate() {
            let at = (idx as f32 * self.config.speed).min(last as f32);
            let (before, between) = (at as usize, at.fract());
            let after = (before + 1).min(last);
            for (value, into) in into.iter_mut().enumerate() {
                let (a, b) = (actions[before][value], actions[after][value]);
                // Not a + t (b − a), which is not a number between two infinities of one sign.
                *into = if between == 0.0 { a } else { a * (1.0 - between) + b * between };
            }
        }
    }

    /// The action for a tick. Nothing when no chunk says anything about it: before the first, and after
    /// the end of the last.
    #[must_use]
    pub fn at(&self, tick: u64) -> Option<Action> {
        let n = self.ring.len();
        let newest = &self.ring[(self.next + n - 1) % n];
        match self.config.blend {
            Blend::Newest => newest.at(tick, false).copied(),
            Blend::Crossfade(ticks) => {
                let action = *newest.at(tick, false)?;
                let before = &self.ring[self.next];
                let share = (tick.saturating_sub(newest.came) + 1) as f32 / (ticks + 1) as f32;
                match before.at(tick, true) {
                    Some(before) if share < 1.0 => Some(std::array::from_fn(|idx| {
                        before[idx] * (1.0 - share) + action[idx] * share
                    })),
                    _ => Some(action),
                }
            }
            Blend::Ensemble(decay) => {
                let mut sum = [0.0; ACTION];
                let mut weights = 0.0;
                let mut age = 0;
                for chunk in (0..n).map(|idx| &self.ring[(self.next + idx) % n]) {
                    let Some(action) = chunk.at(tick, false) else { continue };
                    let weight = (-decay * age as f32).exp();
                    age += 1;
                    weights += weight;
                    sum.iter_mut().zip(action).for_each(|(sum, value)| *sum += weight * value);
                }
                (age > 0).then(|| sum.map(|value| value / weights))
            }
        }
    }
}

/// Actions of every `every`-th tick of a chunk, `[tick, value]`, for worlds that take fewer a second. What an
/// [`Action`] has beyond `width` values is 0.
///
/// # Panics
/// If an action has more values than an [`Action`], or one of both numbers is 0.
#[must_use]
pub fn thinned(chunk: &[f32], width: usize, every: usize) -> Vec<Action> {
    let action = |values: &[f32]| {
        let mut action = [0.0; ACTION];
        action[..width].copy_from_slice(values);
        action
    };
    chunk.chunks_exact(width).step_by(every).map(action).collect()
}

/// When a policy says that its task is done: its completed share stays high for a while.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Completion {
    /// Share from which on the task counts as done, from 0 to 1.
    pub share: f32,
    /// Ticks in a row for which it must hold.
    pub n_ticks: u32,
    /// Ticks for which it has held so far.
    #[serde(skip)]
    n_held: u32,
}

impl Completion {
    /// Done when the share is at least `share` for `n_ticks` in a row.
    #[must_use]
    pub fn new(share: f32, n_ticks: u32) -> Completion {
        Completion { share, n_ticks, n_held: 0 }
    }

    /// Takes the share of a tick and says whether the task is done.
    pub fn see(&mut self, share: f32) -> bool {
        self.n_held = if share >= self.share { self.n_held.saturating_add(1) } else { 0 };
        self.n_held >= self.n_ticks
    }

    /// Begins anew, for another task.
    pub fn reset(&mut self) {
        self.n_held = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunks(length: usize, blend: Blend, speed: f32) -> Chunks {
        Chunks::new(ChunkConfig { length, blend, speed }).expect("a configuration")
    }

    #[test]
    fn what_was_said_before_the_newest_can_be_forgotten() {
        let mut chunks = chunks(4, Blend::Ensemble(0.0), 1.0);
        chunks.push(0, 0, &ramp(4, 0.0));
        chunks.push(1, 1, &ramp(4, 5.0));
        assert_eq!(chunks.at(1), Some(all(3.0)));
        chunks.keep_newest();
        assert_eq!((chunks.at(0), chunks.at(1)), (None, Some(all(5.0))));
        chunks.push(2, 2, &ramp(4, 8.0));
        assert_eq!(chunks.at(2), Some(all(7.0)));
    }

    fn all(value: f32) -> Action {
        [value; ACTION]
    }

    fn ramp(length: usize, from: f32) -> Vec<Action> {
        (0..length).map(|idx| all(from + idx as f32)).collect()
    }

    fn at(chunks: &Chunks, tick: u64) -> Option<f32> {
        chunks.at(tick).map(|action| action[ACTION - 1])
    }

    #[test]
    fn a_chunk_plays_by_the_tick_however_many_are_skipped() {
        let mut chunks = chunks(5, Blend::Newest, 1.0);
        assert_eq!(at(&chunks, 0), None);
        chunks.push(100, 100, &ramp(5, 10.0));
        let played: Vec<_> = [99, 100, 103, 104, 105].map(|tick| at(&chunks, tick)).into();
        assert_eq!(played, [None, Some(10.0), Some(13.0), Some(14.0), None]);
        chunks.push(102, 102, &ramp(5, 50.0));
        assert_eq!((at(&chunks, 101), at(&chunks, 102)), (None, Some(50.0)));
        chunks.clear();
        assert_eq!(at(&chunks, 102), None);
    }

    #[test]
    fn a_hurried_chunk_takes_fewer_ticks_to_the_same_end() {
        let check = |length, speed, expected: &[f32]| {
            let mut chunks = chunks(length, Blend::Newest, speed);
            chunks.push(0, 0, &ramp(length, 0.0));
            let played: Vec<_> = (0..40).map_while(|tick| at(&chunks, tick)).collect();
            assert_eq!(played.len(), expected.len(), "{played:?}");
            let near = |(a, b): (&f32, &f32)| (a - b).abs() < 1e-5;
            assert!(played.iter().zip(expected).all(near), "{played:?}");
        };
        check(7, 1.5, &[0.0, 1.5, 3.0, 4.5, 6.0]);
        check(7, 2.0, &[0.0, 2.0, 4.0, 6.0]);
        check(3, 0.5, &[0.0, 0.5, 1.0, 1.5, 2.0]);
        check(1, 3.0, &[0.0]);
        check(12, 1.1, &[0.0, 1.1, 2.2, 3.3, 4.4, 5.5, 6.6, 7.7, 8.8, 9.9, 11.0]);
    }

    #[test]
    fn a_crossfade_goes_evenly_from_one_chunk_to_the_next() {
        let mut chunks = chunks(8, Blend::Crossfade(3), 1.0);
        chunks.push(0, 0, &[all(0.0); 8]);
        chunks.push(6, 6, &[all(8.0); 8]);
        // The chunk before has ended at tick 7; what it said last is held.
        let played: Vec<_> = (6..11).filter_map(|tick| at(&chunks, tick)).collect();
        assert_eq!(played, [2.0, 4.0, 6.0, 8.0, 8.0]);
    }

    #[test]
    fn a_chunk_that_comes_late_plays_what_is_left_of_it_and_fades_in_from_then() {
        let mut chunks = chunks(8, Blend::Crossfade(3), 1.0);
        chunks.push(0, 0, &[all(0.0); 8]);
        chunks.push(2, 5, &ramp(8, 100.0));
        let played: Vec<_> = (5..11).map(|tick| at(&chunks, tick)).collect();
        let expected = [Some(25.75), Some(52.0), Some(78.75), Some(106.0), Some(107.0), None];
        assert_eq!(played, expected);
    }

    #[test]
    fn an_ensemble_weighs_the_oldest_most_as_act_does() {
        let mut chunks = chunks(3, Blend::Ensemble(0.5), 1.0);
        for (tick, value) in [(0, 1.0), (1, 2.0), (2, 4.0)] {
            chunks.push(tick, tick, &[all(value); 3]);
        }
        let weights = [1.0, (-0.5_f32).exp(), (-1.0_f32).exp()];
        let expected = (weights[0] + 2.0 * weights[1] + 4.0 * weights[2])
            / (weights[0] + weights[1] + weights[2]);
        assert!((at(&chunks, 2).expect("an action") - expected).abs() < 1e-6);
        assert_eq!(at(&chunks, 4), Some(4.0));
    }

    #[test]
    fn a_slower_world_gets_every_so_many_actions() {
        let chunk: Vec<f32> =
            (0..9_u8).flat_map(|tick| [tick, 100 + tick].map(f32::from)).collect();
        let actions = thinned(&chunk, 2, 4);
        let values: Vec<_> = actions.iter().map(|action| [action[0], action[1]]).collect();
        assert_eq!(values, [[0.0, 100.0], [4.0, 104.0], [8.0, 108.0]]);
        assert!(actions.iter().all(|action| action[2..].iter().all(|value| *value == 0.0)));
    }

    #[test]
    fn what_is_no_number_stays_none() {
        for blend in [Blend::Newest, Blend::Crossfade(2), Blend::Ensemble(0.1)] {
            let mut chunks = chunks(4, blend, 1.5);
            chunks.push(0, 0, &[all(f32::NAN); 4]);
            assert!(at(&chunks, 1).expect("an action").is_nan());
        }
    }

    #[test]
    fn chunks_that_cannot_be_are_refused() {
        let check = |length, blend, speed, part: &str| {
            let error = Chunks::new(ChunkConfig { length, blend, speed });
            let error = error.expect_err("no configuration").to_string();
            assert!(error.contains(part), "{error}");
        };
        check(0, Blend::Newest, 1.0, "0 actions");
        check(3, Blend::Newest, f32::NAN, "speed NaN");
        check(3, Blend::Ensemble(f32::INFINITY), 1.0, "decay inf");
    }

    #[test]
    fn a_task_is_done_when_its_share_stays_high() {
        let mut completion = Completion::new(0.9, 3);
        let shares = [0.95, 0.95, 0.2, 0.95, 0.95, 0.95];
        let done = shares.map(|share| completion.see(share));
        assert_eq!(done, [false, false, false, false, false, true]);
        completion.reset();
        assert!(!completion.see(1.0) && !completion.see(f32::NAN));
    }
}
