//! From wrist targets to joint targets: inverse kinematics, then the limits of the drives.

use super::arm::{Arm, OPENING_VELOCITY};
use super::physics::STEP_SECS;
use super::{Joints, wrist};
use crate::error::{Error, Result};
use crate::interface::{ACTION, ARMS, WRIST};

/// Steps of inverse kinematics a tick: targets move little from one tick to the next.
const STEPS: usize = 3;

/// Turns the actions of one robot into joint targets that its drives can follow.
#[derive(Debug, Clone)]
pub struct Driver {
    arms: [Arm; ARMS],
    targets: Joints,
    speeds: [[f32; crate::interface::ARM_JOINTS]; ARMS],
    /// Where inverse kinematics left off; ahead of the targets while these are limited.
    wanted: [[f32; crate::interface::ARM_JOINTS]; ARMS],
}

impl Driver {
    /// For a robot at rest whose joints are `joints`.
    #[must_use]
    pub fn new(joints: Joints) -> Self {
        Self {
            arms: [Arm::new(1.0), Arm::new(-1.0)],
            wanted: joints.angles,
            targets: joints,
            speeds: Default::default(),
        }
    }

    /// The joint targets of the next tick on the way to an action's wrists (robot's frame). Speeds and
    /// accelerations stay within the arm's limits.
    ///
    /// # Errors
    ///
    /// [`Error::Shape`] where the action has another length, [`Error::Action`] where it is not finite or
    /// its rotation has no direction; the targets then stay as they were.
    pub fn targets(&mut self, action: &[f32]) -> Result<Joints> {
        if action.len() != ACTION {
            let what = "an action".to_owned();
            return Err(Error::Shape { what, got: action.len(), expected: ACTION });
        }
        let mut goals = Vec::with_capacity(ARMS);
        for values in action.chunks_exact(WRIST).take(ARMS) {
            let values = values.try_into().unwrap_or(&[f32::NAN; WRIST]);
            goals.push(wrist::decode(values).ok_or(Error::Action)?);
        }
        for (side, (goal, opening)) in goals.iter().enumerate() {
            let arm = &self.arms[side];
            self.wanted[side] = arm.solve(goal, &self.wanted[side], STEPS);
            for (idx, joint) in arm.joints.iter().enumerate() {
                let target = &mut self.targets.angles[side][idx];
                let speed = &mut self.speeds[side][idx];
                let error = self.wanted[side][idx] - *target;
                // Never faster than it can still brake from.
                let braking = (2.0 * joint.acceleration * error.abs()).sqrt();
                let most = (error.abs() / STEP_SECS).min(braking).min(joint.velocity);
                let change = joint.acceleration * STEP_SECS;
                *speed = (most * error.signum()).clamp(*speed - change, *speed + change);
                *target = (*target + *speed * STEP_SECS).clamp(joint.range[0], joint.range[1]);
            }
            let most = OPENING_VELOCITY * STEP_SECS;
            let before = self.targets.openings[side];
            self.targets.openings[side] =
                opening.clamp(0.0, 1.0).clamp(before - most, before + most);
        }
        Ok(self.targets)
    }
}
