//! The three kinds of process: a world, an S1 for each robot, one S2 for all of them; and who looks
//! after them.
//!
//! [`run_world`], [`run_s1`] and [`run_s2`] are what a process does once it has its [`Wires`]; a
//! [`Supervisor`] makes the wires, starts the processes, and replaces those that die or fall silent.
//! [`Lockstep`] does the same in one thread on a simulated clock, for tests and for evaluation at a
//! latent age of choice.

mod chaos;
mod lockstep;
mod s1;
mod s2;
mod supervisor;
mod wires;
mod world;

pub use chaos::{Chaos, ChaosConfig, Strike};
pub use lockstep::{Lockstep, LockstepConfig};
pub use s1::{S1Report, Trace, run_s1};
pub use s2::{SlowConfig, SlowLinks, SlowSide, run_s2};
pub use supervisor::{Happening, Part, Patience, Supervisor, What};
pub use wires::{Role, Shape, Wires};
pub use world::{WorldCounts, WorldLinks, WorldSide, run_world};

use crate::fast::Published;
use crate::interface::STATE;
use crate::limits::{Limits, Targets};

/// A simulator, or a driver of robots.
pub trait World {
    /// How many robots are in it.
    fn n_robots(&self) -> usize;

    /// Bytes of all pictures of one robot's cameras, one after another.
    fn frame_bytes(&self) -> usize;

    /// The robots' limits; all have the same body.
    fn limits(&self) -> &Limits;

    /// Counts episodes: when it changes, robots are somewhere else all at once.
    fn episode(&self) -> u32 {
        0
    }

    /// Takes up what a world before this one left: the last state that was observed of a robot.
    fn resume(&mut self, robot: usize, state: &[f32; STATE]) {
        let _ = (robot, state);
    }

    /// Before each step, for those who look on: the time in nanoseconds, and what a robot's S1 said last
    /// about this episode; none before it said anything.
    fn hear(&mut self, now: u64, robot: usize, said: Option<&Published>) {
        let _ = (now, robot, said);
    }

    /// Goes on by a tick, with these targets for each robot. They are inside all limits.
    fn step(&mut self, targets: &[Targets]);

    /// A robot's state as it is measured.
    fn state(&mut self, robot: usize, into: &mut [f32; STATE]);

    /// Takes a picture with each of a robot's cameras.
    fn look(&mut self, robot: usize, into: &mut [u8]);
}

/// What S2 sees.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// Whose view it is.
    pub robot: usize,
    /// The cameras' pictures, one after another.
    pub frames: &'a [u8],
    /// The state when they were taken.
    pub state: &'a [f32],
    /// What the robot is asked to do; empty before it was asked anything.
    pub prompt: &'a str,
}

/// S2: from pictures, state and words to a latent.
pub trait Thinker {
    /// Fills the latent, which has the configured width.
    fn think(&mut self, view: &View<'_>, latent: &mut [f32]);

    /// The first eight bytes of the SHA-256 of its weights; 0 for none.
    fn checkpoint(&self) -> u64 {
        0
    }
}
