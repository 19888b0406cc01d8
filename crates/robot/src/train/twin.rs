//! A task like the real ones, but tiny: two coloured squares in a picture, reach the one that is named.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{Ages, Episodes, Recipe};
use crate::error::Result;
use crate::interface::{ACTION, ARMS, Camera, STATE, WRIST};
use crate::model::PolicyConfig;

/// How such a policy is trained.
pub(crate) fn recipe(steps: u64) -> Recipe {
    Recipe {
        steps,
        batch: 16,
        moments: 1,
        together: 8,
        learning_rate: 2e-3,
        warmup: 10,
        shift: 0,
        points: 1.0,
        ages: Ages::always(0),
        ..Recipe::tiny()
    }
}

/// A policy for it.
pub(crate) fn config() -> PolicyConfig {
    let text = r#"
        name = "twin"
        state = 34
        action = 21
        latent = 32
        marks = 2
        cameras = [{ name = "head", width = 24, height = 24 }]
        [s1]
        width = 64
        head_size = 32
        encoder_layers = 1
        decoder_layers = 1
        hidden = 64
        chunk = 2
        stride = 4
        keypoints = 32
        cameras = [0]
        [s1.backbone]
        stages = [
            { channels = 32, kernel = 3, stride = 2 },
            { channels = 32, kernel = 3, stride = 1 },
            { channels = 32, kernel = 3, stride = 2 },
        ]
        [s2]
        width = 64
        head_size = 32
        readers = 1
        layers = 1
        hidden = 64
        words = 2
        vocabulary = 8
        keypoints = 32
        cameras = [0]
        [s2.backbone]
        stages = [
            { channels = 32, kernel = 3, stride = 2 },
            { channels = 32, kernel = 3, stride = 2 },
            { channels = 32, kernel = 3, stride = 2 },
        ]
    "#;
    PolicyConfig::parse(text).expect("a configuration")
}

/// Episodes of one tick each.
pub(crate) struct Twin {
    cameras: Vec<Camera>,
    n: usize,
    /// Whether the other square is named than the one that is reached.
    pub(crate) misnamed: bool,
    /// Whether millimetres matter in every tenth episode.
    pub(crate) fine: bool,
    /// Whether somebody else acted than said what to do.
    pub(crate) strayed: bool,
    /// Whether words say nothing, and texts alone name one of two places, which pictures do not show.
    pub(crate) mute: bool,
}

/// Where the squares are, and which is reached: red is 0, green 1.
struct Scene {
    squares: [[usize; 2]; 2],
    named: usize,
}

/// Pixels of a square's side.
const SIDE: usize = 5;

impl Twin {
    pub(crate) fn new(n: usize) -> Twin {
        let cameras = config().cameras;
        Twin { cameras, n, misnamed: false, fine: false, strayed: false, mute: false }
    }

    fn scene(episode: usize) -> Scene {
        let mut rng = ChaCha8Rng::seed_from_u64(episode as u64);
        let mut one = || [rng.random_range(0..24 - SIDE), rng.random_range(0..24 - SIDE)];
        let first = one();
        let mut second = one();
        while first.iter().zip(&second).all(|(a, b)| a.abs_diff(*b) < SIDE) {
            second = one();
        }
        Scene { squares: [first, second], named: rng.random_range(0..2) }
    }
}

impl Twin {
    /// What is reached.
    fn goal(&self, episode: usize) -> [usize; 2] {
        let scene = Twin::scene(episode);
        let places = if self.mute { [[2, 2], [20, 20]] } else { scene.squares };
        places[scene.named]
    }
}

impl Episodes for Twin {
    fn cameras(&self) -> &[Camera] {
        &self.cameras
    }

    fn n_episodes(&self) -> usize {
        self.n
    }

    fn n_ticks(&self, _: usize) -> usize {
        1
    }

    fn picture(&self, episode: usize, _: usize, _: usize, into: &mut [u8]) -> Result<()> {
        into.fill(60);
        for (colour, square) in Twin::scene(episode).squares.into_iter().enumerate() {
            for (row, column) in (0..SIDE).flat_map(|r| (0..SIDE).map(move |c| (r, c))) {
                let at = ((square[1] + row) * 24 + square[0] + column) * 3;
                into[at..at + 3].copy_from_slice(&[[230, 30, 30], [30, 230, 30]][colour]);
            }
        }
        Ok(())
    }

    fn state(&self, _: usize, _: usize, into: &mut [f32]) -> Result<()> {
        into.copy_from_slice(&[0.0; STATE]);
        for arm in 0..ARMS {
            into[arm * WRIST + 3] = 1.0;
            into[arm * WRIST + 7] = 1.0;
        }
        Ok(())
    }

    fn action(&self, episode: usize, _: usize, into: &mut [f32]) -> Result<()> {
        let mut state = [0.0; STATE];
        self.state(episode, 0, &mut state)?;
        into.copy_from_slice(&state[..ACTION]);
        for (to, at) in into.iter_mut().zip(self.goal(episode)) {
            *to = at as f32 / 24.0 - 0.4;
        }
        into[ACTION - 1] = 0.5;
        Ok(())
    }

    fn marks(&self, episode: usize, _: usize, into: &mut [f32]) -> Result<bool> {
        for (to, at) in into.iter_mut().zip(self.goal(episode)) {
            *to = at as f32 / 12.0 - 0.8;
        }
        Ok(true)
    }

    fn points(&self, episode: usize, _: usize, _: usize) -> Vec<Option<[f32; 2]>> {
        let scene = Twin::scene(episode);
        let middle = |at: usize| (2 * at + SIDE) as f32 / 24.0 - 1.0;
        vec![Some(scene.squares[scene.named].map(middle))]
    }

    fn n_led(&self, _: usize, _: usize) -> usize {
        if self.strayed { 0 } else { usize::MAX }
    }

    fn is_fine(&self, episode: usize, _: usize) -> bool {
        self.fine && episode.is_multiple_of(10)
    }

    fn words(&self, episode: usize, _: u64) -> Vec<u16> {
        let named = Twin::scene(episode).named;
        vec![2 + u16::from(!self.mute && (named == 1) != self.misnamed)]
    }

    fn text(&self, episode: usize, _: u64) -> String {
        let is_green = (Twin::scene(episode).named == 1) != self.misnamed;
        format!("put the {} cube in the bin", if is_green { "green" } else { "red" })
    }
}
