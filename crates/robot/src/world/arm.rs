//! An arm as a chain of seven joints: its numbers.
//!
//! The chain is shoulder yaw, pitch, roll, elbow pitch, forearm roll, wrist pitch, roll. With all joints
//! at zero the arm is stretched along x. The tool frame is between the fingertips: z leaves the hand,
//! y is the way the fingers open. With the tool pointing straight down and rolls at zero, the arm lies
//! in one upright plane with its elbow up, which keeps it off the table and every solution unique.

use rapier3d::glamx::{Mat3, Pose3, Quat, Vec3};

use crate::interface::ARM_JOINTS;
use crate::kinematics::{Chain, Joint, Pose};

/// One joint: numbers of the mechanism and limits of its drive.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ArmJoint {
    /// Where it is in the frame of the joint before it, in metres.
    pub origin: Vec3,
    /// What it turns about, in its own frame.
    pub axis: Vec3,
    /// Smallest and largest angle, in radians.
    pub range: [f32; 2],
    /// Largest speed, in radians per second.
    pub velocity: f32,
    /// Largest acceleration, in radians per second squared.
    pub acceleration: f32,
}

/// An arm on its body.
#[derive(Debug, Clone, PartialEq)]
pub struct Arm {
    /// Where the first joint is in the robot's frame.
    pub mount: Pose3,
    /// From the shoulder to the wrist.
    pub joints: [ArmJoint; ARM_JOINTS],
    /// The tool in the frame of the last joint.
    pub tool: Pose3,
}

/// Length of the upper arm, from shoulder to elbow, in metres.
pub const UPPER_ARM: f32 = 0.42;
/// Length of the forearm, from elbow to wrist, in metres.
pub const FOREARM: f32 = 0.44;
/// From the wrist to the tool's point, in metres.
pub const HAND: f32 = 0.17;
/// Largest gap between the fingers, in metres: what an opening of 1 means.
pub const GAP: f32 = 0.09;
/// Largest speed of an opening, in gaps per second.
pub const OPENING_VELOCITY: f32 = 3.0;

/// Shares of a step that joints are drawn to rest with: both rolls to zero, so that elbow and wrist stay in
/// the plane of the reach.
pub(super) const PULL: [f64; ARM_JOINTS] = [0.0, 0.0, 0.3, 0.0, 0.3, 0.0, 0.0];

impl Arm {
    /// The arm on the left (`side` = 1) or right (`side` = -1) of a body.
    #[must_use]
    pub fn new(side: f32) -> Self {
        let joint = |x: f32, axis: Vec3, low: f32, high: f32, velocity: f32| ArmJoint {
            origin: Vec3::new(x, 0.0, 0.0),
            axis,
            range: [low, high],
            velocity,
            acceleration: 30.0,
        };
        Self {
            mount: Pose3::from_translation(Vec3::new(-0.08, 0.22 * side, 0.36)),
            joints: [
                joint(0.0, Vec3::Z, -2.2, 2.2, 3.0),
                joint(0.0, Vec3::Y, -1.8, 1.6, 3.0),
                joint(0.0, Vec3::X, -2.6, 2.6, 3.5),
                joint(UPPER_ARM, Vec3::Y, 0.05, 2.7, 3.5),
                joint(0.0, Vec3::X, -2.6, 2.6, 4.0),
                joint(FOREARM, Vec3::Y, -1.6, 2.4, 4.0),
                joint(0.0, Vec3::X, -3.1, 3.1, 4.5),
            ],
            tool: Pose3::from_parts(
                Vec3::new(HAND, 0.0, 0.0),
                Quat::from_mat3(&Mat3::from_cols(Vec3::Z, Vec3::NEG_Y, Vec3::X)),
            ),
        }
    }

    /// The same as plain data, for its kinematics.
    #[must_use]
    pub fn chain(&self) -> Chain {
        let joints = self.joints.map(|joint| Joint {
            origin: Pose::at(joint.origin.to_array().map(f64::from)),
            axis: joint.axis.to_array().map(f64::from),
            range: joint.range.map(f64::from),
            velocity: f64::from(joint.velocity),
            acceleration: f64::from(joint.acceleration),
        });
        Chain { base: plain(&self.mount), joints, tool: plain(&self.tool) }
    }
}

/// A pose as plain data.
pub(crate) fn plain(from: &Pose3) -> Pose {
    let matrix = Mat3::from_quat(from.rotation);
    let columns = [matrix.x_axis, matrix.y_axis].map(|axis| axis.to_array().map(f64::from));
    let position = from.translation.to_array().map(f64::from);
    Pose::from_columns(position, columns[0], columns[1]).unwrap_or(Pose::at(position))
}

/// The tool pointing straight down at `at`, its x axis turned by `yaw` about z from forward.
#[must_use]
pub fn downward(at: Vec3, yaw: f32) -> Pose3 {
    let (sin, cos) = (libm::sinf(yaw), libm::cosf(yaw));
    let x = Vec3::new(cos, sin, 0.0);
    let y = Vec3::new(sin, -cos, 0.0);
    Pose3::from_parts(at, Quat::from_mat3(&Mat3::from_cols(x, y, Vec3::NEG_Z)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinematics::{Inverse, Posture};

    #[test]
    fn the_tool_comes_to_within_a_tenth_of_a_millimetre_all_over_the_table() {
        let chain = Arm::new(1.0).chain();
        let inverse = Inverse { n_steps: 100, ..Inverse::default() };
        let posture = Posture { rest: [0.0; ARM_JOINTS], pull: PULL };
        let start = [0.0, -0.5, 0.0, 1.8, 0.0, 0.3, 0.0];
        for x in 0..6 {
            for y in 0..5 {
                for yaw in [0.0, -1.5, 0.7] {
                    #[allow(clippy::cast_precision_loss, reason = "small numbers")]
                    let at = Vec3::new(0.25 + 0.08 * x as f32, -0.15 + 0.12 * y as f32, 0.05);
                    let goal = plain(&downward(at, yaw));
                    let found = inverse.solve(&chain, &start, &posture, &goal);
                    assert!(found.off < 1e-4 && found.turned < 1e-4, "{at} {yaw}: {found:?}");
                    let [_, _, upper, _, fore, ..] = found.joints;
                    assert!(upper.abs() < 0.02 && fore.abs() < 0.02, "{found:?}");
                }
            }
        }
    }
}
