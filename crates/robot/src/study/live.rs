//! The simulated world and the trained networks as the three processes run them.

use nn::Precision;

use crate::chunks::Action;
use crate::deploy::{self, Thinker, View};
use crate::error::{Error, Result, expect_length};
use crate::fast::{self, Published};
use crate::interface::{ACTION, Camera, STATE, TICKS_PER_SECOND};
use crate::language;
use crate::limits::{Limits, Targets};
use crate::model::{Instruction, Mind, Policy, S1, S2};
use crate::tasks::{Judge, Setup};
use crate::watchdog::Rung;
use crate::world::body::cameras;
use crate::world::driver::limits;
use crate::world::{Joints, World, picture_buffers};

/// Scenes one after another, each until its task is done or its time is over.
pub struct LiveWorld {
    setups: Vec<Setup>,
    at: usize,
    world: World,
    judge: Judge,
    ticks: u32,
    /// Whether a robot has set out: an attempt's time begins there.
    has_begun: bool,
    limits: Limits,
    pictures: [Vec<u8>; 3],
    outcomes: Vec<crate::collect::Outcome>,
}

impl std::fmt::Debug for LiveWorld {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LiveWorld").field("at", &self.at).finish_non_exhaustive()
    }
}

impl LiveWorld {
    /// Begins with the first setup; after the last it begins anew. All have as many robots.
    ///
    /// # Panics
    /// Where there is none.
    #[must_use]
    pub fn new(setups: Vec<Setup>) -> LiveWorld {
        let world = setups.first().expect("a setup at least").world();
        LiveWorld {
            setups,
            at: 0,
            world,
            judge: Judge::default(),
            ticks: 0,
            has_begun: false,
            limits: limits(),
            pictures: picture_buffers(),
            outcomes: Vec::new(),
        }
    }

    /// The setup that is played.
    #[must_use]
    pub fn setup(&self) -> &Setup {
        &self.setups[self.at % self.setups.len()]
    }

    /// How the setups before it ended.
    #[must_use]
    pub fn outcomes(&self) -> &[crate::collect::Outcome] {
        &self.outcomes
    }

    fn next_setup(&mut self, success: bool) {
        self.outcomes.push(crate::collect::Outcome { success, n_ticks: self.ticks });
        self.at += 1;
        self.world = self.setup().world();
        self.judge = Judge::default();
        (self.ticks, self.has_begun) = (0, false);
    }
}

impl deploy::World for LiveWorld {
    fn n_robots(&self) -> usize {
        self.world.n_robots()
    }

    fn frame_bytes(&self) -> usize {
        cameras().iter().map(Camera::bytes).sum()
    }

    fn limits(&self) -> &Limits {
        &self.limits
    }

    fn episode(&self) -> u32 {
        u32::try_from(self.at).unwrap_or(u32::MAX)
    }

    fn hear(&mut self, _now: u64, _robot: usize, said: Option<&Published>) {
        self.has_begun |= said.is_some_and(|said| said.rung < Rung::Stop);
    }

    fn step(&mut self, targets: &[Targets]) {
        let joints: Vec<Joints> = targets
            .iter()
            .map(|targets| Joints {
                angles: targets.joints.map(|arm| arm.map(|angle| angle as f32)),
                openings: targets.grippers.map(|opening| opening as f32),
            })
            .collect();
        self.world.step(&joints);
        if !self.has_begun {
            return;
        }
        self.ticks += 1;
        let setup = &self.setups[self.at % self.setups.len()];
        let success = self.judge.watch(setup, &self.world);
        let limit = setup.task.limit_secs() * TICKS_PER_SECOND as f32;
        if success || self.ticks as f32 >= limit {
            self.next_setup(success);
        }
    }

    fn state(&mut self, robot: usize, into: &mut [f32; STATE]) {
        *into = self.world.state(robot);
    }

    fn look(&mut self, robot: usize, into: &mut [u8]) {
        self.world.look(robot, &mut self.pictures);
        let mut rest = into;
        for picture in &self.pictures {
            let (part, after) = rest.split_at_mut(picture.len());
            part.copy_from_slice(picture);
            rest = after;
        }
    }
}

/// Holds a policy to the body of this world: its cameras, states and actions.
///
/// # Errors
/// [`Error::Shape`] or [`Error::Config`] where it is for another body.
pub fn expect_body(policy: &Policy) -> Result<()> {
    let config = &policy.config;
    expect_length("the policy's state", config.state, STATE)?;
    expect_length("the policy's action", config.action, ACTION)?;
    if config.cameras == cameras() {
        return Ok(());
    }
    let named = |all: &[Camera]| {
        let camera =
            |camera: &Camera| format!("{} {} x {}", camera.name, camera.width, camera.height);
        all.iter().map(camera).collect::<Vec<_>>().join(", ")
    };
    let (got, expected) = (named(&config.cameras), named(&cameras()));
    let reason =
        format!("policy `{}` has the cameras {got}; this body has {expected}", config.name);
    Err(Error::config("a robot", reason))
}

/// S1 in the fast loop. A frame is taken in at once, or, for what takes too long, in a slice a tick, so
/// that no tick is longer than others by all of it; before the first one is in, and where a value is no number, it gives actions that are not
/// numbers either, which the limits refuse.
#[derive(Debug)]
pub struct LiveS1 {
    s1: S1,
    latent: Vec<f32>,
    sizes: Vec<usize>,
    actions: Vec<f32>,
    checkpoint: u64,
    /// Since the last beginning: whether there is a latent, a frame is being taken in, one was.
    has_latent: bool,
    is_looking: bool,
    has_seen: bool,
    in_slices: bool,
}

impl LiveS1 {
    /// Of a policy whose file has this checkpoint number (see [`fast::Policy::checkpoint`]).
    #[must_use]
    pub fn new(policy: &Policy, precision: Precision, checkpoint: u64) -> LiveS1 {
        let config = &policy.config;
        LiveS1 {
            s1: policy.s1(precision),
            latent: vec![0.0; config.latent],
            sizes: config.cameras.iter().map(Camera::bytes).collect(),
            actions: vec![0.0; config.chunk_ticks() * config.action],
            checkpoint,
            has_latent: false,
            is_looking: false,
            has_seen: false,
            in_slices: false,
        }
    }

    /// Takes in a slice of a frame a tick from now on.
    pub fn go_in_slices(&mut self) {
        self.in_slices = true;
    }

    /// Most cameras of a policy: more fit no frame of ours.
    const MOST_CAMERAS: usize = 8;
}

impl fast::Policy for LiveS1 {
    fn see(&mut self, frames: &[u8], _state: &[f32; STATE]) {
        // A frame that has begun is finished first: a loop that misses ticks would finish none else.
        let fits = self.sizes.iter().sum::<usize>() == frames.len();
        if !self.has_latent || self.is_looking || !fits {
            return;
        }
        // On the stack: the loop does not allocate.
        let mut pictures: [&[u8]; Self::MOST_CAMERAS] = [&[]; Self::MOST_CAMERAS];
        let mut at = 0;
        for (picture, &size) in pictures.iter_mut().zip(&self.sizes) {
            *picture = &frames[at..at + size];
            at += size;
        }
        // A latent that is no number was refused when it came.
        self.is_looking = self.s1.begin(&pictures[..self.sizes.len()], &self.latent).is_ok();
    }

    fn act(&mut self, state: &[f32; STATE], latent: &[f32], chunk: &mut [Action]) {
        if latent.len() == self.latent.len() && latent.iter().all(|value| value.is_finite()) {
            self.latent.copy_from_slice(latent);
            self.has_latent = true;
        }
        while self.is_looking {
            if self.s1.advance() {
                (self.is_looking, self.has_seen) = (false, true);
            } else if self.in_slices {
                break;
            }
        }
        let acted = self.has_seen && self.s1.act(state, &self.latent, &mut self.actions).is_ok();
        let n = self.actions.len() / ACTION;
        for (idx, action) in chunk.iter_mut().enumerate() {
            if acted {
                // Past its end a chunk stays where it is.
                let from = idx.min(n - 1) * ACTION;
                action.copy_from_slice(&self.actions[from..from + ACTION]);
            } else {
                action.fill(f32::NAN);
            }
        }
    }

    fn begin(&mut self) {
        (self.has_latent, self.is_looking, self.has_seen) = (false, false, false);
    }

    fn checkpoint(&self) -> u64 {
        self.checkpoint
    }
}

/// S2 in its process.
#[derive(Debug)]
pub struct LiveS2 {
    s2: S2,
    sizes: Vec<usize>,
    n_words: usize,
    checkpoint: u64,
}

impl LiveS2 {
    /// Of a policy whose file has this checkpoint number.
    #[must_use]
    pub fn new(policy: &Policy, precision: Precision, checkpoint: u64) -> LiveS2 {
        let config = &policy.config;
        let sizes = config.cameras.iter().map(Camera::bytes).collect();
        LiveS2 { s2: policy.s2(precision), sizes, n_words: config.s2.words, checkpoint }
    }

    fn try_think(&mut self, view: &View<'_>, latent: &mut [f32]) -> Result<()> {
        let mut pictures = Vec::with_capacity(self.sizes.len());
        let mut rest = view.frames;
        for &size in &self.sizes {
            let (picture, after) = rest.split_at(size.min(rest.len()));
            pictures.push(picture);
            rest = after;
        }
        let words = language::tokens(view.prompt, self.n_words);
        let instruction = Instruction { text: view.prompt, words: &words };
        self.s2.think(&pictures, view.state, instruction, latent)
    }
}

impl Thinker for LiveS2 {
    fn think(&mut self, view: &View<'_>, latent: &mut [f32]) {
        if self.try_think(view, latent).is_err() {
            // S1 goes on with the latent that it has; the watchdog sees that it grows old.
            latent.fill(f32::NAN);
        }
    }

    fn checkpoint(&self) -> u64 {
        self.checkpoint
    }
}
