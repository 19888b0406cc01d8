//! Scripted demonstrations: hands go from waypoint to waypoint, inverse kinematics makes joints of it.
//!
//! The arms sag under their own weight by a centimetre or two, each in its own way. The peg therefore
//! is led by where it is against the socket, not by where the hand was sent.

use std::f32::consts::{FRAC_PI_2, PI};

use rapier3d::glamx::{Pose3, Quat, Vec3};

use super::{ACTION, Aloha, AlohaTask, N_JOINTS, N_STEPS, SUCCESS, single};
use crate::kinematics::damped_step;
use crate::world::arm::plain;

/// From a gripper's frame to between its fingertips, in metres.
const REACH: f32 = 0.13;
/// Damping of inverse kinematics, in metres or radians a radian.
const DAMPING: f64 = 0.01;
/// Steps of inverse kinematics for an action.
const ITERATIONS: usize = 8;
/// Actions at the end, a second, in which the stricter criterion must hold.
const LAST: usize = 50;
/// Share of the peg's error that is taken back with each action, and its largest sum, in metres.
const GAIN: f32 = 0.08;
const MOST: f32 = 0.04;

/// How a demonstration went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// The largest reward of any step; the package counts [`SUCCESS`] as success.
    pub reward: u8,
    /// A stricter criterion of ours, for the whole last second: the cube is off the table and the right
    /// gripper does not touch it; the peg is more than 15 mm within the socket, and both off the table.
    pub is_kept: bool,
}

impl Outcome {
    /// Before the first step.
    pub(super) const NONE: Outcome = Outcome { reward: 0, is_kept: true };

    /// Takes what a step, from 0, has led to.
    pub(super) fn see(&mut self, aloha: &Aloha, step: usize, reward: u8) {
        self.reward = self.reward.max(reward);
        self.is_kept &= step + LAST < N_STEPS || kept(aloha);
    }

    /// Success as the package has it.
    #[must_use]
    pub fn is_success(&self) -> bool {
        self.reward == SUCCESS
    }
}

/// Where a hand shall be after so many actions.
#[derive(Debug, Clone, Copy)]
struct Waypoint {
    step: usize,
    at: Vec3,
    turn: Quat,
    opening: f32,
}

/// Plays one episode from a seed; `observer` sees the world before each action, and the action.
pub fn demonstrate(
    aloha: &mut Aloha,
    seed: u64,
    observer: &mut dyn FnMut(&Aloha, &[f32; ACTION]),
) -> Outcome {
    aloha.reset(seed);
    let plans = plans(aloha);
    let start = aloha.state();
    let mut angles: [[f32; 6]; 2] =
        [0, 1].map(|arm| std::array::from_fn(|joint| start[7 * arm + joint]));
    let mut led = Vec3::ZERO;
    let mut outcome = Outcome::NONE;
    for step in 0..N_STEPS {
        let mut action = [0.0; ACTION];
        for arm in 0..2 {
            let mut goal = between(&plans[arm], step);
            if aloha.task == AlohaTask::Insertion && arm == 1 && step >= 200 {
                let mut error = aloha.object(1).translation - aloha.object(0).translation;
                error.x = 0.0;
                led = (led + GAIN * error).clamp(Vec3::splat(-MOST), Vec3::splat(MOST));
                goal.at += led;
            }
            angles[arm] = aloha.solve(arm, angles[arm], &Pose3::from_parts(goal.at, goal.turn));
            action[7 * arm..7 * arm + 6].copy_from_slice(&angles[arm]);
            action[7 * arm + 6] = goal.opening;
        }
        observer(aloha, &action);
        let reward = aloha.step(&action);
        outcome.see(aloha, step, reward);
    }
    outcome
}

fn kept(aloha: &Aloha) -> bool {
    match aloha.task {
        AlohaTask::TransferCube => {
            aloha.object(0).translation.z > 0.1 && !aloha.touching("red_box", "vx300s_right/10_")
        }
        AlohaTask::Insertion => {
            let peg = aloha.object(1).inverse() * aloha.object(0);
            // Both are 120 mm long: ends meet where their middles are as far apart.
            let depth = 0.12 - peg.translation.x;
            let across = peg.translation.y.abs().max(peg.translation.z.abs());
            depth > 0.015 && across < 0.012 && aloha.object(0).translation.z > 0.05
        }
    }
}

/// The waypoint of an action, between two of the plan, softly from one to the next.
fn between(plan: &[Waypoint], step: usize) -> Waypoint {
    let next = plan.iter().position(|point| point.step > step).unwrap_or(plan.len() - 1);
    let (from, to) = (plan[next.saturating_sub(1)], plan[next]);
    if step >= to.step {
        return to;
    }
    #[allow(clippy::cast_precision_loss, reason = "some hundred steps")]
    let share = (step + 1 - from.step) as f32 / (to.step - from.step) as f32;
    let share = share * share * (3.0 - 2.0 * share);
    Waypoint {
        step,
        at: from.at.lerp(to.at, share),
        turn: from.turn.slerp(to.turn, share),
        opening: from.opening + (to.opening - from.opening) * share,
    }
}

/// A hand's rotation: the right arm faces the left one, `pitch` is down, `roll` about the way it points.
fn hand(arm: usize, pitch: f32, roll: f32) -> Quat {
    let facing = if arm == 0 { 0.0 } else { PI };
    Quat::from_rotation_z(facing) * Quat::from_rotation_y(pitch) * Quat::from_rotation_x(roll)
}

/// Waypoints of the left and right hand for the objects as they lie.
fn plans(aloha: &Aloha) -> [Vec<Waypoint>; 2] {
    let start = [0, 1].map(|arm| {
        let tool = tool(&aloha.data, aloha.grippers[arm]);
        Waypoint { step: 0, at: tool.translation, turn: tool.rotation, opening: 0.1 }
    });
    let plan = |arm: usize, points: &[(usize, Vec3, Quat, f32)]| {
        let point = |&(step, at, turn, opening): &(usize, Vec3, Quat, f32)| Waypoint {
            step,
            at,
            turn,
            opening,
        };
        std::iter::once(start[arm]).chain(points.iter().map(point)).collect()
    };
    let lying = |object: usize, height: f32| aloha.object(object).translation.with_z(height);
    let up = Vec3::new(0.0, 0.0, 0.12);
    match aloha.task {
        AlohaTask::TransferCube => {
            let (down, across) = (hand(1, 70.0_f32.to_radians(), 0.0), hand(0, 0.0, FRAC_PI_2));
            let (cube, meet) = (lying(0, 0.02), Vec3::new(0.0, 0.5, 0.3));
            let away = meet + Vec3::new(0.12, 0.0, 0.08);
            let (before, at) = (meet - Vec3::X * 0.16, meet - Vec3::X * 0.008);
            let right = [
                (70, cube + up, down, 1.0),
                (110, cube, down, 1.0),
                (120, cube, down, 1.0),
                (145, cube, down, 0.0),
                (215, meet, down, 0.0),
                (300, meet, down, 0.0),
                (315, meet, down, 1.0),
                (345, away, down, 1.0),
                (400, away, down, 1.0),
            ];
            let left = [
                (150, before, across, 1.0),
                (215, before, across, 1.0),
                (255, at, across, 1.0),
                (265, at, across, 1.0),
                (290, at, across, 0.0),
                (345, at, across, 0.0),
                (400, meet - Vec3::X * 0.08, across, 0.0),
            ];
            [plan(0, &left), plan(1, &right)]
        }
        AlohaTask::Insertion => {
            let meet = Vec3::new(0.0, 0.5, 0.2);
            let way = |arm: usize, object: usize, side: f32| {
                let down = hand(arm, 60.0_f32.to_radians(), 0.0);
                let grip = lying(object, 0.025);
                let (apart, joined) = (meet + Vec3::X * side * 0.15, meet + Vec3::X * side * 0.04);
                plan(
                    arm,
                    &[
                        (60, grip + up, down, 1.0),
                        (95, grip, down, 1.0),
                        (105, grip, down, 1.0),
                        (135, grip, down, 0.0),
                        (160, grip, down, 0.0),
                        (220, apart, down, 0.0),
                        (260, apart, down, 0.0),
                        (340, joined, down, 0.0),
                        (400, joined, down, 0.0),
                    ],
                )
            };
            [way(0, 1, -1.0), way(1, 0, 1.0)]
        }
    }
}

type Data = mujoco_rs::prelude::MjData<std::sync::Arc<mujoco_rs::prelude::MjModel>>;

/// Between the fingertips of a gripper.
fn tool(data: &Data, gripper: usize) -> Pose3 {
    let [x, y, z] = data.xpos()[gripper].map(single);
    let [w, i, j, k] = data.xquat()[gripper].map(single);
    let frame = Pose3::from_parts(Vec3::new(x, y, z), Quat::from_xyzw(i, j, k, w).normalize());
    frame * Pose3::from_translation(Vec3::X * REACH)
}

impl Aloha {
    /// Angles that bring a hand nearer to a goal, from those given.
    fn solve(&mut self, arm: usize, mut angles: [f32; 6], goal: &Pose3) -> [f32; 6] {
        let (first, gripper) = (N_JOINTS * arm, self.grippers[arm]);
        for _ in 0..ITERATIONS {
            for (position, &angle) in self.scratch.qpos_mut()[first..].iter_mut().zip(&angles) {
                *position = f64::from(angle);
            }
            self.scratch.kinematics();
            self.scratch.com_pos();
            let tool = tool(&self.scratch, gripper);
            let (from, to) = (plain(&tool), plain(goal));
            let way: [f64; 3] = std::array::from_fn(|idx| to.position[idx] - from.position[idx]);
            let turn = from.turn_to(&to);
            let error = [way[0], way[1], way[2], turn[0], turn[1], turn[2]];
            let point = tool.translation.to_array().map(f64::from);
            let (linear, angular) = self.scratch.jac(true, true, &point, gripper);
            let n = linear.len() / 3;
            // A seventh joint that moves nothing.
            let mut jacobian = [[0.0; 7]; 6];
            for row in 0..3 {
                let range = row * n + first..row * n + first + 6;
                jacobian[row][..6].copy_from_slice(&linear[range.clone()]);
                jacobian[row + 3][..6].copy_from_slice(&angular[range]);
            }
            let step = damped_step(&jacobian, error, &[0.0; 7], DAMPING).map(single);
            let ranges = &self.scratch.model().jnt_range()[first..];
            let mut largest = 0.0_f32;
            for ((angle, step), range) in angles.iter_mut().zip(step).zip(ranges) {
                let step = step.clamp(-0.3, 0.3);
                largest = largest.max(step.abs());
                *angle = (*angle + step).clamp(single(range[0]), single(range[1]));
            }
            if largest < 1e-5 {
                break;
            }
        }
        angles
    }
}
