//! Joints for a wrist, by damped least squares.
//!
//! C. W. Wampler, "Manipulator inverse kinematic solutions based on vector formulations and damped
//! least-squares methods", IEEE Trans. SMC 16 (1986). A step d solves min ‖J d − e‖² + λ²‖d − r‖²:
//! near the posture's pull r where the wrist does not care (an arm of seven joints has one
//! direction too many), and bounded where the arm is stretched and J loses rank. With y from
//! (J Jᵀ + λ²) y = e − J r it is d = r + Jᵀ y.
//!
//! How the spare direction is used shows in the joints, which a policy sees: demonstrations, evaluations
//! and deployments have to use it alike.

use serde::{Deserialize, Serialize};

use super::{Chain, Jacobian, Joints, Pose, norm, scale, sub};
use crate::interface::ARM_JOINTS;

/// Where joints are drawn to as far as the wrist does not care.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Posture {
    /// The joints.
    pub rest: Joints,
    /// Share of the way there that a step is to make, for each joint.
    pub pull: Joints,
}

/// How joints are sought.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Inverse {
    /// Most steps.
    pub n_steps: usize,
    /// λ, in metres or radians a radian.
    pub damping: f64,
    /// Furthest that one step is to move the wrist, in metres.
    pub furthest: f64,
    /// Most that one step is to turn it, in radians.
    pub most_turn: f64,
    /// Steps in which no joint moves further than this, in radians, are the last.
    pub enough: f64,
}

impl Default for Inverse {
    /// For 200 times a second from one solution to the next.
    fn default() -> Inverse {
        Inverse { n_steps: 3, damping: 0.01, furthest: 0.1, most_turn: 0.4, enough: 1e-5 }
    }
}

/// Joints found, inside their ranges.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Solution {
    /// The joints.
    pub joints: Joints,
    /// How far the wrist is from where it should be, in metres.
    pub off: f64,
    /// How far it is turned from how it should be, in radians.
    pub turned: f64,
}

impl Inverse {
    /// Joints that bring the wrist to `target`, or nearer to it, from those at `from`. Always an
    /// answer, always inside the ranges; how good it is, it says.
    #[must_use]
    pub fn solve(&self, chain: &Chain, from: &Joints, to: &Posture, target: &Pose) -> Solution {
        let mut joints = chain.clamp(from);
        for _ in 0..self.n_steps {
            let reach = chain.reach(&joints);
            let way = sub(target.position, reach.wrist.position);
            let turn = reach.wrist.turn_to(target);
            // Not beyond what the wrist's first derivatives are good for.
            let way = scale(way, (self.furthest / norm(way)).min(1.0));
            let turn = scale(turn, (self.most_turn / norm(turn)).min(1.0));
            let error = [way[0], way[1], way[2], turn[0], turn[1], turn[2]];
            let before = joints;
            joints = self.step(chain, &reach.jacobian(), &joints, to, error);
            if (0..ARM_JOINTS).all(|idx| (joints[idx] - before[idx]).abs() < self.enough) {
                break;
            }
        }
        let wrist = chain.forward(&joints);
        let off = norm(sub(target.position, wrist.position));
        Solution { joints, off, turned: norm(wrist.turn_to(target)) }
    }

    /// How joints move when the wrist goes straight to `target`: a direction, of the length of one step.
    #[must_use]
    pub fn straight(&self, chain: &Chain, joints: &Joints, target: &Pose) -> Joints {
        let reach = chain.reach(joints);
        let way = sub(target.position, reach.wrist.position);
        let turn = reach.wrist.turn_to(target);
        // Shortened as one, so that way and turn are done at the same time.
        let share = (self.furthest / norm(way)).min(self.most_turn / norm(turn)).min(1.0);
        let (way, turn) = (scale(way, share), scale(turn, share));
        let error = [way[0], way[1], way[2], turn[0], turn[1], turn[2]];
        let free = Posture { rest: *joints, pull: [0.0; ARM_JOINTS] };
        let moved = self.step(chain, &reach.jacobian(), joints, &free, error);
        std::array::from_fn(|idx| moved[idx] - joints[idx])
    }

    fn step(
        &self,
        chain: &Chain,
        jacobian: &Jacobian,
        joints: &Joints,
        to: &Posture,
        error: [f64; 6],
    ) -> Joints {
        let pull = std::array::from_fn(|idx| to.pull[idx] * (to.rest[idx] - joints[idx]));
        let step = damped_step(jacobian, error, &pull, self.damping);
        chain.clamp(&std::array::from_fn(|idx| joints[idx] + step[idx]))
    }
}

/// The step that takes back `error`, near `pull` where the wrist does not care.
pub(crate) fn damped_step(
    jacobian: &Jacobian,
    mut error: [f64; 6],
    pull: &Joints,
    damping: f64,
) -> Joints {
    let mut matrix = [[0.0; 6]; 6];
    for row in 0..6 {
        for idx in 0..ARM_JOINTS {
            error[row] -= jacobian[row][idx] * pull[idx];
        }
        for column in 0..=row {
            let product = (0..ARM_JOINTS).map(|idx| jacobian[row][idx] * jacobian[column][idx]);
            matrix[row][column] = product.sum();
        }
        matrix[row][row] += damping * damping;
    }
    let solved = solve_symmetric(matrix, error);
    std::array::from_fn(|idx| {
        pull[idx] + (0..6).map(|row| jacobian[row][idx] * solved[row]).sum::<f64>()
    })
}

/// x of A x = b for a symmetric positive definite A, of which the lower half is given: by Cholesky.
fn solve_symmetric(mut a: [[f64; 6]; 6], mut b: [f64; 6]) -> [f64; 6] {
    for i in 0..6 {
        for j in 0..=i {
            let rest: f64 = (0..j).map(|k| a[i][k] * a[j][k]).sum();
            // Positive by the damping; the floor is for what rounding leaves of it.
            a[i][j] = if i == j {
                (a[i][i] - rest).max(1e-12).sqrt()
            } else {
                (a[i][j] - rest) / a[j][j]
            };
        }
    }
    for i in 0..6 {
        let rest: f64 = (0..i).map(|k| a[i][k] * b[k]).sum();
        b[i] = (b[i] - rest) / a[i][i];
    }
    for i in (0..6).rev() {
        let rest: f64 = (i + 1..6).map(|k| a[k][i] * b[k]).sum();
        b[i] = (b[i] - rest) / a[i][i];
    }
    b
}
