//! Scripted stand-ins for world, S1 and S2: what is left of them when there is no physics and nothing
//! is learned. They exist to exercise the runtime, and are named as twins wherever they appear.

use crate::chunks::Action;
use crate::deploy::{Thinker, View, World};
use crate::fast::Policy;
use crate::interface::{ACTION, ARM_JOINTS, ARMS, STATE, WRIST};
use crate::kinematics::{Chain, Joint, Joints, Pose, Posture};
use crate::limits::{ArmLimits, Limits, Targets, Workspace};

/// A body of two plain arms, seven joints each, alternately about z and y.
#[must_use]
pub fn body() -> Limits {
    let lengths = [0.0, 0.1, 0.15, 0.15, 0.12, 0.12, 0.06];
    let joints = std::array::from_fn(|idx| Joint {
        origin: Pose::at([0.0, 0.0, lengths[idx]]),
        axis: if idx % 2 == 0 { [0.0, 0.0, 1.0] } else { [0.0, 1.0, 0.0] },
        range: if idx % 2 == 0 { [-2.8, 2.8] } else { [-1.9, 1.9] },
        velocity: 2.0 + 0.2 * idx as f64,
        acceleration: 10.0 + idx as f64,
    });
    let arm = |y: f64| ArmLimits {
        chain: Chain { base: Pose::at([0.0, y, 0.3]), joints, tool: Pose::at([0.0, 0.0, 0.1]) },
        workspace: Workspace { low: [0.1, y - 0.4, 0.35], high: [0.65, y + 0.4, 1.0] },
        posture: Posture { rest: [0.0, 0.7, 0.0, 0.9, 0.0, 0.6, 0.0], pull: [0.02; ARM_JOINTS] },
    };
    Limits { arms: [arm(0.2), arm(-0.2)], gripper_speed: 4.0 }
}

/// The state of a body at these joints.
#[must_use]
pub fn state_at(limits: &Limits, targets: &Targets) -> [f32; STATE] {
    let mut state = [0.0; STATE];
    for (arm, limits) in limits.arms.iter().enumerate() {
        let wrist = limits.chain.forward(&targets.joints[arm]);
        let gripper = targets.grippers[arm];
        let values = wrist.position.into_iter().chain(wrist.columns()).chain([gripper]);
        for (into, value) in state[arm * WRIST..].iter_mut().zip(values) {
            *into = value as f32;
        }
        for (idx, &joint) in targets.joints[arm].iter().enumerate() {
            state[ARMS * WRIST + arm * ARM_JOINTS + idx] = joint as f32;
        }
    }
    state
}

/// The twin of a world: bodies that are at once where they are told to be. Its pictures are a count
/// of them, over and over.
#[derive(Debug, Clone)]
pub struct StillWorld {
    limits: Limits,
    bodies: Vec<Targets>,
    frame_bytes: usize,
    n_looks: u64,
    episode: u32,
}

impl StillWorld {
    /// With these robots at rest.
    #[must_use]
    pub fn new(n_robots: usize, frame_bytes: usize) -> StillWorld {
        let limits = body();
        let rest: [Joints; ARMS] = limits.arms.map(|arm| arm.posture.rest);
        let body = Targets { joints: rest, grippers: [0.5; ARMS], completion: 0.0 };
        StillWorld { limits, bodies: vec![body; n_robots], frame_bytes, n_looks: 0, episode: 0 }
    }

    /// Another episode, with robots at rest again.
    pub fn reset(&mut self) {
        let StillWorld { limits, bodies, .. } = self;
        bodies.iter_mut().for_each(|body| body.joints = limits.arms.map(|arm| arm.posture.rest));
        self.episode += 1;
    }
}

impl World for StillWorld {
    fn n_robots(&self) -> usize {
        self.bodies.len()
    }

    fn frame_bytes(&self) -> usize {
        self.frame_bytes
    }

    fn limits(&self) -> &Limits {
        &self.limits
    }

    fn episode(&self) -> u32 {
        self.episode
    }

    fn resume(&mut self, robot: usize, state: &[f32; STATE]) {
        let body = &mut self.bodies[robot];
        for arm in 0..ARMS {
            body.joints[arm] =
                std::array::from_fn(|idx| f64::from(state[ARMS * WRIST + arm * ARM_JOINTS + idx]));
            body.grippers[arm] = f64::from(state[arm * WRIST + WRIST - 1]);
        }
    }

    fn step(&mut self, targets: &[Targets]) {
        self.bodies.copy_from_slice(targets);
    }

    fn state(&mut self, robot: usize, into: &mut [f32; STATE]) {
        *into = state_at(&self.limits, &self.bodies[robot]);
    }

    fn look(&mut self, _robot: usize, into: &mut [u8]) {
        self.n_looks += 1;
        let count = self.n_looks.to_le_bytes();
        into.chunks_mut(count.len()).for_each(|part| part.copy_from_slice(&count[..part.len()]));
    }
}

/// The twin of S1: moves both wrists about where they were at first, as far and as fast as it is told.
///
/// It checks what it is given: latents are those of [`CountingThinker`], pictures those of
/// [`StillWorld`].
#[derive(Debug, Clone)]
pub struct WavingPolicy {
    /// Furthest from where the wrists were at first, in metres.
    pub reach: f32,
    /// Ticks of one wave.
    pub n_ticks: u32,
    /// Share of actions with something in them that is no number, one in so many; 0 for none.
    pub wrong_every: u64,
    center: Option<[f32; ARMS * WRIST]>,
    tick: u64,
    n_seen: u64,
    n_torn: u64,
}

impl WavingPolicy {
    /// Waves this far, in metres, once in so many ticks.
    #[must_use]
    pub fn new(reach: f32, n_ticks: u32) -> WavingPolicy {
        let (center, tick, n_seen, n_torn) = (None, 0, 0, 0);
        WavingPolicy { reach, n_ticks, wrong_every: 0, center, tick, n_seen, n_torn }
    }

    /// Latents and pictures that were not of one piece.
    #[must_use]
    pub fn n_torn(&self) -> u64 {
        self.n_torn
    }

    /// Pictures it was given.
    #[must_use]
    pub fn n_seen(&self) -> u64 {
        self.n_seen
    }
}

impl Policy for WavingPolicy {
    fn see(&mut self, frames: &[u8], _state: &[f32; STATE]) {
        let mut parts = frames.chunks_exact(8);
        let first = parts.next();
        let whole = parts.all(|part| Some(part) == first);
        self.n_seen += 1;
        self.n_torn += u64::from(!whole);
    }

    fn act(&mut self, state: &[f32; STATE], latent: &[f32], chunk: &mut [Action]) {
        self.n_torn += u64::from(latent.iter().any(|&value| value != latent[0]));
        let center = self.center.get_or_insert_with(|| std::array::from_fn(|idx| state[idx]));
        for (ahead, action) in chunk.iter_mut().enumerate() {
            action[..ARMS * WRIST].copy_from_slice(center);
            let share = (self.tick + ahead as u64) as f32 / self.n_ticks as f32;
            let (sin, cos) = (share * std::f32::consts::TAU).sin_cos();
            for arm in 0..ARMS {
                action[arm * WRIST] += self.reach * sin;
                action[arm * WRIST + 2] += self.reach * (cos - 1.0);
                action[arm * WRIST + WRIST - 1] = (sin + 1.0) / 2.0;
            }
            action[ACTION - 1] = share.fract();
        }
        self.tick += 1;
        if self.wrong_every > 0 && self.tick.is_multiple_of(self.wrong_every) {
            chunk[0][(self.tick / self.wrong_every) as usize % ACTION] = f32::NAN;
        }
    }

    fn begin(&mut self) {
        (self.center, self.tick) = (None, 0);
    }
}

/// The twin of S2: its latents are a count of them, in every place.
#[derive(Debug, Clone, Default)]
pub struct CountingThinker {
    n_thoughts: u64,
    /// What it was asked last.
    pub prompt: String,
}

impl Thinker for CountingThinker {
    fn think(&mut self, view: &View<'_>, latent: &mut [f32]) {
        self.n_thoughts += 1;
        view.prompt.clone_into(&mut self.prompt);
        latent.fill(self.n_thoughts as f32);
    }
}
