//! What is learned from.

use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::error::{Error, Result, expect_length};
use crate::interface::{Camera, TICKS_PER_FRAME};
use crate::model::{Lender, Moments, Normalisation, PolicyConfig, not_lent};

/// Ticks that are looked at for a normalisation, at most.
const MOST_MEASURED: usize = 4096;

/// Of these, those that an open model looks at: it may take seconds for each.
const MOST_BORROWED: usize = 128;

/// Demonstrations. Pictures are taken every [`crate::interface::TICKS_PER_FRAME`] ticks from tick 0 on.
pub trait Episodes: Sync {
    /// The cameras, in the order of the pictures.
    fn cameras(&self) -> &[Camera];

    /// How many demonstrations there are.
    fn n_episodes(&self) -> usize;

    /// Ticks of one, each with a state and an action.
    fn n_ticks(&self, episode: usize) -> usize;

    /// A picture, `[H, W, 3]` bytes.
    ///
    /// # Errors
    /// If it is not there, or cannot be read.
    fn picture(&self, episode: usize, frame: usize, camera: usize, into: &mut [u8]) -> Result<()>;

    /// The state at a tick.
    ///
    /// # Errors
    /// If it is not there, or cannot be read.
    fn state(&self, episode: usize, tick: usize, into: &mut [f32]) -> Result<()>;

    /// The action at a tick; its last value is the completed share.
    ///
    /// # Errors
    /// If it is not there, or cannot be read.
    fn action(&self, episode: usize, tick: usize, into: &mut [f32]) -> Result<()>;

    /// What a tick is about, beside what is done: as many values as the configuration has marks. Whether
    /// that is known.
    ///
    /// # Errors
    /// If it cannot be read.
    fn marks(&self, _episode: usize, _tick: usize, _into: &mut [f32]) -> Result<bool> {
        Ok(false)
    }

    /// Where in the picture of a camera, by its place, the things are that a tick is about, in the same order
    /// in every episode: column and row, from −1 to 1. None for those that are not in it; nothing where none is
    /// known.
    fn points(&self, _episode: usize, _tick: usize, _camera: usize) -> Vec<Option<[f32; 2]>> {
        Vec::new()
    }

    /// Ticks from this one on whose actions one has led to the next. Where somebody else acted than said what
    /// to do, a chunk says what would follow only as far as that.
    fn n_led(&self, _episode: usize, _tick: usize) -> usize {
        usize::MAX
    }

    /// Whether millimetres matter at a tick, or it is one of few of its kind.
    fn is_fine(&self, _episode: usize, _tick: usize) -> bool {
        false
    }

    /// Words of the instruction by number, in one of its phrasings: which, `variant` decides.
    fn words(&self, episode: usize, variant: u64) -> Vec<u16>;

    /// The same as text, for an open model that S2 borrows from; nothing where only words are known.
    fn text(&self, _episode: usize, _variant: u64) -> String {
        String::new()
    }
}

/// Holds demonstrations to a policy.
pub(super) fn check(episodes: &dyn Episodes, config: &PolicyConfig) -> Result<()> {
    let cameras = episodes.cameras();
    expect_length("the list of cameras", cameras.len(), config.cameras.len())?;
    for (got, want) in cameras.iter().zip(&config.cameras) {
        if got != want {
            let name =
                |camera: &Camera| format!("`{}` {}x{}", camera.name, camera.width, camera.height);
            let reason = format!("a camera {} where the policy has {}", name(got), name(want));
            return Err(Error::config("training data", reason));
        }
    }
    if (0..episodes.n_episodes()).all(|episode| episodes.n_ticks(episode) == 0) {
        return Err(Error::config("training data", "there is no tick to learn from"));
    }
    Ok(())
}

/// Ticks before each episode, and in all.
pub(super) fn starts(episodes: &dyn Episodes) -> Vec<usize> {
    let mut all = vec![0];
    for episode in 0..episodes.n_episodes() {
        all.push(all[episode] + episodes.n_ticks(episode));
    }
    all
}

/// Episode and tick of the `at`-th of all ticks.
pub(super) fn place(starts: &[usize], at: usize) -> (usize, usize) {
    let episode = starts.partition_point(|start| *start <= at) - 1;
    (episode, at - starts[episode])
}

/// The action that a chunk has at `k`, and past the end the last one.
pub(super) fn chunk_action(
    episodes: &dyn Episodes,
    config: &PolicyConfig,
    (episode, tick): (usize, usize),
    k: usize,
    into: &mut [f32],
) -> Result<()> {
    let last = episodes.n_ticks(episode) - 1;
    episodes.action(episode, (tick + k * config.s1.stride).min(last), into)
}

/// Means and deviations over at most 4096 ticks of demonstrations, drawn by a seed; of borrowed features
/// over at most 128 of them.
///
/// # Errors
/// If they are not for such a policy, or cannot be read, or nothing is lent to one that borrows.
pub fn measure(
    episodes: &dyn Episodes,
    config: &PolicyConfig,
    lender: Option<&Lender>,
    seed: u64,
) -> Result<Normalisation> {
    check(episodes, config)?;
    let starts = starts(episodes);
    let n_all = starts[starts.len() - 1];
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let n = n_all.min(MOST_MEASURED);
    let places: Vec<(usize, usize)> = (0..n)
        .map(|at| place(&starts, if n == n_all { at } else { rng.random_range(0..n_all) }))
        .collect();
    let mut states = vec![vec![0.0; config.state]; n];
    for ((episode, tick), state) in places.iter().zip(&mut states) {
        episodes.state(*episode, *tick, state)?;
    }
    let mut actions = Vec::new();
    let mut action = vec![0.0; config.action];
    for k in 0..config.s1.chunk {
        let mut rows = vec![vec![0.0; config.action]; n];
        for ((place, state), row) in places.iter().zip(&states).zip(&mut rows) {
            chunk_action(episodes, config, *place, k, &mut action)?;
            Normalisation::relative(state, &action, row);
        }
        actions.push(Moments::of(config.action, rows.iter()));
    }
    let borrowed = match &config.s2.borrowed {
        None => None,
        Some(borrowed) => {
            let lender = lender.ok_or_else(|| not_lent(borrowed))?;
            let place = config.s2.cameras[0];
            let camera = &config.cameras[place];
            let mut picture = vec![0; camera.bytes()];
            let mut rows = Vec::new();
            for _ in 0..n_all.min(MOST_BORROWED) {
                let (episode, tick) = self::place(&starts, rng.random_range(0..n_all));
                let frame = tick / TICKS_PER_FRAME as usize;
                episodes.picture(episode, frame, place, &mut picture)?;
                let text = episodes.text(episode, rng.next_u64());
                rows.push(lender.features(camera, &picture, &text)?);
            }
            Some(Moments::of(borrowed.features, rows.iter()))
        }
    };
    let all = Normalisation { state: Moments::of(config.state, states.iter()), actions, borrowed };
    all.check(config)?;
    Ok(all)
}
