//! Arms as plain data: where a wrist is for given joints, and how it moves with them.
//!
//! Positions are in metres in the robot's frame (x forward, y left, z up), angles in radians. Nothing
//! here allocates: the fast loop calls it.

mod inverse;
mod pose;

use serde::{Deserialize, Serialize};

#[cfg(feature = "mujoco")]
pub(crate) use inverse::damped_step;
pub use inverse::{Inverse, Posture, Solution};
pub use pose::Pose;
#[cfg(test)]
pub(crate) use pose::add;
pub(crate) use pose::{cross, norm, scale, sub};

use crate::interface::ARM_JOINTS;
use crate::{Error, Result};

/// Angles of an arm's joints, from the shoulder on.
pub type Joints = [f64; ARM_JOINTS];

/// A revolute joint.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Joint {
    /// Where it is in the frame of the link before it, at angle zero.
    pub origin: Pose,
    /// What it turns about, in its own frame; of length one.
    pub axis: [f64; 3],
    /// Least and greatest angle.
    pub range: [f64; 2],
    /// Greatest speed, in radians a second.
    pub velocity: f64,
    /// Greatest acceleration, in radians a second squared.
    pub acceleration: f64,
}

/// An arm: joints one after another.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Chain {
    /// The arm's base in the robot's frame.
    pub base: Pose,
    /// From the shoulder on.
    pub joints: [Joint; ARM_JOINTS],
    /// The wrist, as actions mean it, in the frame of the last joint.
    pub tool: Pose,
}

/// Where an arm is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reach {
    /// The wrist.
    pub wrist: Pose,
    /// Where each joint is, in the robot's frame.
    pub origins: [[f64; 3]; ARM_JOINTS],
    /// What each turns about, in the robot's frame.
    pub axes: [[f64; 3]; ARM_JOINTS],
}

/// How the wrist moves with each joint: velocity in metres, then angular velocity, a radian.
pub type Jacobian = [[f64; ARM_JOINTS]; 6];

impl Chain {
    /// Where the wrist is for these angles.
    #[must_use]
    pub fn forward(&self, joints: &Joints) -> Pose {
        let mut frame = self.base;
        for (joint, &angle) in self.joints.iter().zip(joints) {
            frame = frame.then(&joint.origin).turned(joint.axis, angle);
        }
        frame.then(&self.tool)
    }

    /// Where the wrist and every joint are for these angles.
    #[must_use]
    pub fn reach(&self, joints: &Joints) -> Reach {
        let (mut origins, mut axes) = ([[0.0; 3]; ARM_JOINTS], [[0.0; 3]; ARM_JOINTS]);
        let mut frame = self.base;
        for (idx, (joint, &angle)) in self.joints.iter().zip(joints).enumerate() {
            let at = frame.then(&joint.origin);
            origins[idx] = at.position;
            axes[idx] = at.rotate(joint.axis);
            frame = at.turned(joint.axis, angle);
        }
        Reach { wrist: frame.then(&self.tool), origins, axes }
    }

    /// The nearest angles inside every range; the middle of a range for what is not a number.
    #[must_use]
    pub fn clamp(&self, joints: &Joints) -> Joints {
        std::array::from_fn(|idx| {
            let [low, high] = self.joints[idx].range;
            if joints[idx].is_finite() { joints[idx].clamp(low, high) } else { (low + high) / 2.0 }
        })
    }

    /// Checks that this describes an arm.
    ///
    /// # Errors
    /// When an axis has another length than one, a rotation is none, a range is empty or a limit is not
    /// a positive number; `name` and the joint are named.
    pub fn check(&self, name: &str) -> Result<()> {
        let wrong = |what: String| Err(Error::config("an arm", format!("`{name}`: {what}")));
        if !self.base.is_rigid() || !self.tool.is_rigid() {
            return wrong("base or tool is no rotation and position".to_owned());
        }
        for (idx, joint) in self.joints.iter().enumerate() {
            let [low, high] = joint.range;
            if !joint.origin.is_rigid() {
                return wrong(format!("joint {idx}: its origin is no rotation and position"));
            }
            if !(1.0 - 1e-6..1.0 + 1e-6).contains(&norm(joint.axis)) {
                return wrong(format!("joint {idx}: its axis {:?} has not length 1", joint.axis));
            }
            if !(low < high && low.is_finite() && high.is_finite()) {
                return wrong(format!("joint {idx}: nothing is between {low} and {high} rad"));
            }
            for limit in [joint.velocity, joint.acceleration] {
                if !(limit > 0.0 && limit.is_finite()) {
                    return wrong(format!(
                        "joint {idx}: {limit} is no limit of speed or acceleration"
                    ));
                }
            }
        }
        Ok(())
    }
}

impl Reach {
    /// How the wrist moves with each joint.
    #[must_use]
    pub fn jacobian(&self) -> Jacobian {
        let mut jacobian = [[0.0; ARM_JOINTS]; 6];
        for (idx, (&axis, &origin)) in self.axes.iter().zip(&self.origins).enumerate() {
            let moves = cross(axis, sub(self.wrist.position, origin));
            for row in 0..3 {
                jacobian[row][idx] = moves[row];
                jacobian[row + 3][idx] = axis[row];
            }
        }
        jacobian
    }
}

#[cfg(test)]
pub(crate) mod tests;
