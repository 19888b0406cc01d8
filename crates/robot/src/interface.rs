//! What the world, S1 and S2 exchange: names, shapes and units.
//!
//! The upper body has two arms. An arm is described at its wrist, as Helix does: a position in metres in
//! the robot's own frame (x forward, y left, z up, origin at the base), an orientation as the first two
//! columns of the rotation matrix (continuous, unlike angles or quaternions: Zhou et al. 2019), and the
//! gripper's opening from 0 (shut) to 1 (open). S1's targets are in the same terms, so that one policy
//! serves any arm; joints are found from them after the policy, where the limits are.

/// Arms of a body: left, then right.
pub const ARMS: usize = 2;

/// Actuated joints of an arm, without its gripper.
pub const ARM_JOINTS: usize = 7;

/// Values that describe a wrist: position (3, metres), rotation (6), gripper opening (1, from 0 to 1).
pub const WRIST: usize = 10;

/// Values of the proprioceptive state: both wrists as they are, then every arm joint in radians.
pub const STATE: usize = ARMS * (WRIST + ARM_JOINTS);

/// Values of an action: both wrists as they should be, then the completed share of the task, from 0 to 1
/// (Helix's synthetic "percentage task completion").
pub const ACTION: usize = ARMS * WRIST + 1;

/// Values that a simulated world tells of a tick for training alone ([`crate::experts::Expert::marks`]): no
/// policy is given them.
pub const MARKS: usize = 20;

/// Ticks of the fast loop in a second.
pub const TICKS_PER_SECOND: u32 = 200;

/// Ticks from one camera frame to the next: 200 Hz / 6 = 33.3 Hz, the whole divisor nearest to 30 Hz.
pub const TICKS_PER_FRAME: u32 = 6;

/// Nanoseconds of a tick.
pub const TICK_NS: u64 = 1_000_000_000 / TICKS_PER_SECOND as u64;

/// One camera of a robot: a name, and a picture of `height` rows of `width` pixels of three bytes (RGB).
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Camera {
    /// Its name in data sets, for instance `head`.
    pub name: String,
    /// Pixels in a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
}

impl Camera {
    /// Bytes of one picture.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.width * self.height * 3
    }
}
