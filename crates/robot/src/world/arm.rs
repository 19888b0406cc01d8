//! An arm as a chain of seven joints: its numbers, where its tool is, and which joints bring it there.
//!
//! The chain is shoulder yaw, pitch, roll, elbow pitch, forearm roll, wrist pitch, roll. With all joints
//! at zero the arm is stretched along x. The tool frame is between the fingertips: z leaves the hand,
//! y is the way the fingers open. With the tool pointing straight down and rolls at zero, the arm lies
//! in one upright plane with its elbow up, which keeps it off the table and every solution unique.

use rapier3d::glamx::{Mat3, Pose3, Quat, Vec3};

use crate::interface::ARM_JOINTS;

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

    /// Poses of all joints' frames, after turning, in the robot's frame.
    #[must_use]
    pub fn frames(&self, angles: &[f32; ARM_JOINTS]) -> [Pose3; ARM_JOINTS] {
        let mut frames = [Pose3::IDENTITY; ARM_JOINTS];
        let mut at = self.mount;
        for ((joint, &angle), frame) in self.joints.iter().zip(angles).zip(&mut frames) {
            let turn = Quat::from_axis_angle(joint.axis, angle);
            at *= Pose3::from_parts(joint.origin, turn);
            *frame = at;
        }
        frames
    }

    /// Where the tool is in the robot's frame.
    #[must_use]
    pub fn tool_at(&self, angles: &[f32; ARM_JOINTS]) -> Pose3 {
        self.frames(angles)[ARM_JOINTS - 1] * self.tool
    }

    /// Joint angles that bring the tool nearer to `goal` (robot's frame), by damped least squares from
    /// `start` in at most `n_steps` steps. Rolls are drawn to zero as far as the goal allows.
    #[must_use]
    pub fn solve(
        &self,
        goal: &Pose3,
        start: &[f32; ARM_JOINTS],
        n_steps: usize,
    ) -> [f32; ARM_JOINTS] {
        let mut angles = *start;
        for _ in 0..n_steps {
            let frames = self.frames(&angles);
            let tool = frames[ARM_JOINTS - 1] * self.tool;
            let error = pose_error(&tool, goal);
            let mut jacobian = [[0.0_f32; 6]; ARM_JOINTS];
            for ((frame, joint), column) in frames.iter().zip(&self.joints).zip(&mut jacobian) {
                let axis = frame.rotation * joint.axis;
                let linear = axis.cross(tool.translation - frame.translation);
                *column = [linear.x, linear.y, linear.z, axis.x, axis.y, axis.z];
            }
            let step = least_squares(&jacobian, &error, &rest(&angles));
            let mut largest = 0.0_f32;
            for ((angle, change), joint) in angles.iter_mut().zip(step).zip(&self.joints) {
                let change = change.clamp(-0.3, 0.3);
                largest = largest.max(change.abs());
                *angle = (*angle + change).clamp(joint.range[0], joint.range[1]);
            }
            if largest < 1e-5 {
                break;
            }
        }
        angles
    }
}

/// What leads from `from` to `to`: a translation, and a rotation vector in the common frame.
#[must_use]
pub fn pose_error(from: &Pose3, to: &Pose3) -> [f32; 6] {
    let linear = to.translation - from.translation;
    let mut turn = to.rotation * from.rotation.inverse();
    if turn.w < 0.0 {
        turn = -turn;
    }
    let angular = turn.to_scaled_axis();
    [linear.x, linear.y, linear.z, angular.x, angular.y, angular.z]
}

/// Pull of both rolls to zero.
fn rest(angles: &[f32; ARM_JOINTS]) -> [f32; ARM_JOINTS] {
    let mut pull = [0.0; ARM_JOINTS];
    pull[2] = -0.3 * angles[2];
    pull[4] = -0.3 * angles[4];
    pull
}

/// The step that reduces `error` with damping, plus as much of `pull` as does not disturb it.
pub(crate) fn least_squares(
    columns: &[[f32; 6]; ARM_JOINTS],
    error: &[f32; 6],
    pull: &[f32; ARM_JOINTS],
) -> [f32; ARM_JOINTS] {
    const DAMPING: f32 = 0.01;
    let mut square = [[0.0_f32; 6]; 6];
    let mut wanted = *error;
    for (column, &pull) in columns.iter().zip(pull) {
        for row in 0..6 {
            for other in 0..6 {
                square[row][other] += column[row] * column[other];
            }
            // What the pull would disturb is taken back.
            wanted[row] -= column[row] * pull;
        }
    }
    for (row, values) in square.iter_mut().enumerate() {
        values[row] += DAMPING * DAMPING;
    }
    let weights = solve_symmetric(square, wanted);
    let mut step = *pull;
    for (value, column) in step.iter_mut().zip(columns) {
        *value += column.iter().zip(&weights).map(|(a, b)| a * b).sum::<f32>();
    }
    step
}

/// Solves a positive definite system of six by Cholesky.
fn solve_symmetric(mut matrix: [[f32; 6]; 6], mut right: [f32; 6]) -> [f32; 6] {
    for row in 0..6 {
        for col in 0..=row {
            let dot: f32 = (0..col).map(|k| matrix[row][k] * matrix[col][k]).sum();
            let value = matrix[row][col] - dot;
            matrix[row][col] =
                if row == col { value.max(1e-12).sqrt() } else { value / matrix[col][col] };
        }
    }
    for row in 0..6 {
        let dot: f32 = (0..row).map(|k| matrix[row][k] * right[k]).sum();
        right[row] = (right[row] - dot) / matrix[row][row];
    }
    for row in (0..6).rev() {
        let dot: f32 = (row + 1..6).map(|k| matrix[k][row] * right[k]).sum();
        right[row] = (right[row] - dot) / matrix[row][row];
    }
    right
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

    #[test]
    fn the_tool_comes_to_within_a_tenth_of_a_millimetre_all_over_the_table() {
        let arm = Arm::new(1.0);
        let start = [0.0, -0.5, 0.0, 1.8, 0.0, 0.3, 0.0];
        for x in 0..6 {
            for y in 0..5 {
                for yaw in [0.0, -1.5, 0.7] {
                    #[allow(clippy::cast_precision_loss, reason = "small numbers")]
                    let at = Vec3::new(0.25 + 0.08 * x as f32, -0.15 + 0.12 * y as f32, 0.05);
                    let goal = downward(at, yaw);
                    let angles = arm.solve(&goal, &start, 100);
                    let error = pose_error(&arm.tool_at(&angles), &goal);
                    assert!(error.iter().all(|e| e.abs() < 1e-4), "{at} {yaw}: {error:?}");
                    assert!(angles[2].abs() < 0.02 && angles[4].abs() < 0.02, "{angles:?}");
                }
            }
        }
    }
}
