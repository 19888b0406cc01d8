//! What is published to the world: joints, not wrists.

use crate::interface::{ARM_JOINTS, ARMS};
use crate::kinematics::Joints;

/// Values of [`Targets`] in shared memory: of each arm its joints in radians and its gripper from 0
/// (shut) to 1 (open), then the completed share of the task.
pub const TARGETS: usize = ARMS * (ARM_JOINTS + 1) + 1;

/// Where a body should be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Targets {
    /// Joints of the left arm, then of the right, in radians.
    pub joints: [Joints; ARMS],
    /// Openings of the grippers, from 0 (shut) to 1 (open).
    pub grippers: [f64; ARMS],
    /// How much of its task the policy takes to be done, from 0 to 1.
    pub completion: f64,
}

impl Targets {
    /// As they are published.
    #[must_use]
    pub fn to_floats(&self) -> [f32; TARGETS] {
        let mut floats = [0.0; TARGETS];
        let (arms, completion) = floats.split_at_mut(TARGETS - 1);
        for (idx, arm) in arms.chunks_mut(ARM_JOINTS + 1).enumerate() {
            for (into, &joint) in arm.iter_mut().zip(&self.joints[idx]) {
                *into = joint as f32;
            }
            arm[ARM_JOINTS] = self.grippers[idx] as f32;
        }
        completion[0] = self.completion as f32;
        floats
    }

    /// From what was published; nothing where there are fewer values.
    #[must_use]
    pub fn from_floats(floats: &[f32]) -> Option<Targets> {
        let floats = floats.get(..TARGETS)?;
        let at = |arm: usize, idx: usize| f64::from(floats[arm * (ARM_JOINTS + 1) + idx]);
        Some(Targets {
            joints: std::array::from_fn(|arm| std::array::from_fn(|idx| at(arm, idx))),
            grippers: std::array::from_fn(|arm| at(arm, ARM_JOINTS)),
            completion: f64::from(floats[TARGETS - 1]),
        })
    }

    /// Whether all of it are finite numbers.
    #[must_use]
    pub fn is_finite(&self) -> bool {
        let joints = self.joints.iter().flatten().chain(&self.grippers);
        joints.chain([&self.completion]).all(|value| value.is_finite())
    }
}
