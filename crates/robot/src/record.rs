//! What a robot did in an attempt, tick by tick, with what it saw: for pages and for whoever asks later.
//!
//! ```text
//! magic (8 bytes), version (u32)
//! then parts, one after another: kind (u32), length (u32), CRC-32 of the content (u32), content
//!   0  the heading: JSON, first of all
//!   1  rows: f32, deflated
//!   2  a frame: the row that it was seen before (u32), all cameras' bytes one after another, deflated
//!   3  the end: JSON
//! ```
//! All numbers are little-endian. Parts are appended as things happen: a process that is killed leaves
//! a record that ends early and is otherwise whole.

mod read;
mod write;

use crate::interface::{ACTION, ARM_JOINTS, ARMS, Camera, STATE};
use crate::limits::Targets;
use crate::tasks::{Setup, Task, Variation};
use crate::watchdog::Rung;
use crate::world::body::cameras;

pub use read::{Record, list};
pub use write::{Recorder, Recording, path_of};

const MAGIC: &[u8; 8] = b"TETRADRC";
/// Format 1: as above.
const VERSION: u32 = 1;

/// Kinds of parts.
const HEADING: u32 = 0;
const ROWS: u32 = 1;
const FRAME: u32 = 2;
const END: u32 = 3;

/// Who acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Actor {
    /// S1 and S2.
    Policy,
    /// A scripted expert, which sees the simulator's state.
    Expert,
}

/// By which clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Time {
    /// In processes of their own, by the machine's clock.
    Real,
    /// One after another: a tick takes as long as it takes.
    Simulated,
}

/// What a record is about.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Heading {
    /// The task.
    pub task: Task,
    /// The seed of its scene.
    pub seed: u64,
    /// What the scene was drawn from.
    pub variation: Variation,
    /// Which robot of the scene, and of how many.
    pub robot: usize,
    /// Robots.
    pub n_robots: usize,
    /// What it was told.
    pub instruction: String,
    /// Who acts.
    pub actor: Actor,
    /// By which clock.
    pub time: Time,
    /// When the first row is, in nanoseconds of that clock.
    pub begun_at: u64,
    /// The cameras, in the order of a frame's pictures.
    pub cameras: Vec<Camera>,
}

impl Heading {
    /// For a robot of a setup that is told its instruction.
    #[must_use]
    pub fn new(setup: &Setup, robot: usize, actor: Actor, time: Time, begun_at: u64) -> Heading {
        Heading {
            task: setup.task,
            seed: setup.seed,
            variation: setup.variation,
            robot,
            n_robots: setup.instructions.len(),
            instruction: setup.instructions[robot].clone(),
            actor,
            time,
            begun_at,
            cameras: cameras().to_vec(),
        }
    }

    fn frame_bytes(&self) -> usize {
        self.cameras.iter().map(Camera::bytes).sum()
    }
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct End {
    /// Whether the task was done.
    pub success: bool,
    /// Ticks that counted.
    pub n_ticks: u32,
}

/// One tick of one robot.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Row {
    /// Seconds since the first row was due.
    pub at: f32,
    /// The watchdog's rung; none where no watchdog is.
    pub rung: Option<Rung>,
    /// Age of the latent in seconds; not a number where there was none.
    pub latent_age: f32,
    /// What the policy asked for; not numbers where it asked for nothing, or for no numbers.
    pub asked: [f32; ACTION],
    /// What the joints were told, after limits, in radians: left arm, right arm.
    pub joints: [[f32; ARM_JOINTS]; ARMS],
    /// What the grippers were told, from 0 (shut) to 1 (open).
    pub grippers: [f32; ARMS],
    /// The state before the tick.
    pub state: [f32; STATE],
}

impl Row {
    /// Values of a row in a file.
    pub const LEN: usize = 3 + ACTION + ARMS * (ARM_JOINTS + 1) + STATE;

    /// Of what a robot was told, with nothing asked; `at` in seconds.
    #[must_use]
    pub fn told(at: f32, targets: &Targets, state: &[f32; STATE]) -> Row {
        Row {
            at,
            rung: None,
            latent_age: f32::NAN,
            asked: [f32::NAN; ACTION],
            joints: targets.joints.map(|arm| arm.map(|angle| angle as f32)),
            grippers: targets.grippers.map(|opening| opening as f32),
            state: *state,
        }
    }

    fn to_floats(self) -> Vec<f32> {
        let rung = self.rung.map_or(-1.0, |rung| f32::from(rung as u8));
        let mut floats = Vec::with_capacity(Row::LEN);
        floats.extend([self.at, rung, self.latent_age]);
        floats.extend(self.asked);
        floats.extend(self.joints.as_flattened());
        floats.extend(self.grippers);
        floats.extend(self.state);
        floats
    }

    fn from_floats(floats: &[f32]) -> Option<Row> {
        let (head, rest) = floats.split_first_chunk::<3>()?;
        let (asked, rest) = rest.split_first_chunk::<ACTION>()?;
        let (left, rest) = rest.split_first_chunk::<ARM_JOINTS>()?;
        let (right, rest) = rest.split_first_chunk::<ARM_JOINTS>()?;
        let (grippers, rest) = rest.split_first_chunk::<ARMS>()?;
        let state = <[f32; STATE]>::try_from(rest).ok()?;
        let [at, rung, latent_age] = *head;
        let rung = if rung < 0.0 { None } else { Some(Rung::from_index(rung as usize)?) };
        let (asked, grippers, joints) = (*asked, *grippers, [*left, *right]);
        Some(Row { at, rung, latent_age, asked, joints, grippers, state })
    }
}

#[cfg(test)]
mod tests;
