//! The last thing between a policy and the robot: what is published is inside every limit, whatever
//! the policy says.
//!
//! A wrist's target is brought into its workspace, joints for it are found, and the joints follow under
//! their limits of range, velocity and acceleration. A step is taken only if the arm could brake from it
//! without its wrist leaving the workspace; otherwise it brakes, along a path that was checked the tick
//! before. So the workspace holds for the wrist at every tick, not only for its targets.
//!
//! Limits hold from one published value to the next, a tick apart. An action with anything that is not
//! a finite number, or with a rotation that says no direction, is not used at all.
//!
//! Not covered: the path of the wrist where joints are at their limits of speed, each of them hurrying
//! on its own; arms that meet each other or the table, loads, and what the robot's own controller
//! makes of a target. A measured posture outside the ranges is taken as the nearest one inside.

mod audit;
mod joint;
mod targets;

use serde::{Deserialize, Serialize};

use crate::interface::{ACTION, ARM_JOINTS, ARMS, STATE, WRIST};
use crate::kinematics::{Chain, Inverse, Joints, Pose, Posture};
use crate::{Error, Result};
pub use audit::{Audit, Broken};
use joint::Bounds;
pub use targets::{TARGETS, Targets};

/// A box that a wrist stays in, in the robot's frame, in metres.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Workspace {
    /// Least x, y and z.
    pub low: [f64; 3],
    /// Greatest x, y and z.
    pub high: [f64; 3],
}

impl Workspace {
    /// How far outside a position is, in metres; 0 inside.
    #[must_use]
    pub fn outside(&self, position: [f64; 3]) -> f64 {
        let beyond = |axis: usize| {
            (self.low[axis] - position[axis]).max(position[axis] - self.high[axis]).max(0.0)
        };
        (0..3).map(beyond).fold(0.0, f64::max)
    }

    /// The nearest position that is inside by `margin` metres, or in the middle where there is none.
    fn clamp(&self, position: [f64; 3], margin: f64) -> [f64; 3] {
        std::array::from_fn(|axis| {
            let (low, high) = (self.low[axis] + margin, self.high[axis] - margin);
            if low < high { position[axis].clamp(low, high) } else { (low + high) / 2.0 }
        })
    }
}

/// An arm and how it may be moved.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ArmLimits {
    /// Its joints, with their limits.
    pub chain: Chain,
    /// Where its wrist stays.
    pub workspace: Workspace,
    /// What it is kept near where the wrist leaves a choice; where it is before anything is known.
    pub posture: Posture,
}

/// A body and how it may be moved.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Limits {
    /// Left, then right.
    pub arms: [ArmLimits; ARMS],
    /// How much of its way from shut to open a gripper may go in a second.
    pub gripper_speed: f64,
}

impl Limits {
    /// Checks that these are limits of a body.
    ///
    /// # Errors
    /// When an arm is none, or a limit leaves nothing; arm and limit are named.
    pub fn check(&self) -> Result<()> {
        let wrong = |what: String| Err(Error::config("limits", what));
        for (arm, name) in self.arms.iter().zip(["left", "right"]) {
            arm.chain.check(name)?;
            let Workspace { low, high } = arm.workspace;
            if !(0..3).all(|axis| low[axis] + 2.0 * TARGET_MARGIN < high[axis]) {
                return wrong(format!("`{name}`: nothing is in the workspace {low:?} to {high:?}"));
            }
            if arm.chain.clamp(&arm.posture.rest) != arm.posture.rest {
                return wrong(format!("`{name}`: the rest posture is outside the ranges"));
            }
            if !arm.posture.pull.iter().all(|pull| (0.0..=1.0).contains(pull)) {
                return wrong(format!("`{name}`: a pull to rest is no share from 0 to 1"));
            }
            let outside = arm.workspace.outside(arm.chain.forward(&arm.posture.rest).position);
            if outside > 0.0 {
                return wrong(format!(
                    "`{name}`: at rest the wrist is {outside:.3} m outside the workspace"
                ));
            }
        }
        if !(self.gripper_speed > 0.0 && self.gripper_speed.is_finite()) {
            return wrong(format!("{} is no speed of a gripper", self.gripper_speed));
        }
        Ok(())
    }
}

/// How much may be asked of the robot in a tick.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pace {
    /// Follow the action with this share of every velocity limit, from 0 to 1.
    Follow(f64),
    /// Brake, and stand.
    Stand,
}

/// What became of an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Followed, as far as limits allow.
    Followed,
    /// Not a usable action: the last one that was is still followed.
    Refused,
    /// Not asked for: the body stands, or is on its way to.
    Standing,
}

/// Targets are kept this far inside the workspace, in metres, so that the wrist may move along its
/// sides.
const TARGET_MARGIN: f64 = 0.005;

/// The workspace is kept this much narrower inside, in metres: what rounding to f32 moves the wrist.
const WORKSPACE_MARGIN: f64 = 1e-5;

/// A goal further from the joints than this, in radians, is sought from the joints anew.
const FAR: f64 = 0.6;

/// Shares of a step that are tried before the arm brakes.
const SHARES: [f64; 3] = [1.0, 0.5, 0.2];

#[derive(Debug, Clone, Copy)]
struct Arm {
    limits: ArmLimits,
    bounds: [Bounds; ARM_JOINTS],
    position: Joints,
    velocity: Joints,
    goal: Joints,
    /// How far the goal has moved since the tick before.
    goal_moved: Joints,
    /// The wrist's goal; none where only joints were given.
    wrist: Option<Pose>,
    gripper: f64,
    gripper_goal: f64,
}

/// Keeps a body inside its limits. Allocates nothing after it was made.
#[derive(Debug, Clone)]
pub struct Limiter {
    arms: [Arm; ARMS],
    inverse: Inverse,
    /// Seconds of a tick.
    tick: f64,
    gripper_speed: f64,
    completion: f64,
}

impl Limiter {
    /// For a body that rests, with ticks of `tick_nanos`.
    ///
    /// # Errors
    /// When the limits are none ([`Limits::check`]).
    pub fn new(limits: &Limits, tick_nanos: u64) -> Result<Limiter> {
        limits.check()?;
        let tick = tick_nanos as f64 / 1e9;
        if tick_nanos == 0 {
            return Err(Error::config("limits", "a tick of no length"));
        }
        // Positions are published as f32, of which a difference over a tick is a velocity and over two
        // an acceleration: each limit is kept with what rounding can add to it left free.
        let ulp = 5e-7;
        let arm = |limits: ArmLimits| Arm {
            bounds: limits.chain.joints.map(|joint| Bounds {
                low: joint.range[0] + ulp,
                high: joint.range[1] - ulp,
                velocity: (joint.velocity - 2.0 * ulp / tick).max(joint.velocity / 2.0),
                acceleration: (joint.acceleration - 4.0 * ulp / (tick * tick))
                    .max(joint.acceleration / 2.0),
                tick,
            }),
            position: limits.posture.rest,
            velocity: [0.0; ARM_JOINTS],
            goal: limits.posture.rest,
            goal_moved: [0.0; ARM_JOINTS],
            wrist: None,
            gripper: 0.0,
            gripper_goal: 0.0,
            limits,
        };
        Ok(Limiter {
            arms: limits.arms.map(arm),
            inverse: Inverse::default(),
            tick,
            gripper_speed: limits.gripper_speed,
            completion: 0.0,
        })
    }

    /// Begins from a measured state, at rest. Says whether the state could be used: not when anything
    /// that is needed of it is no finite number.
    pub fn begin(&mut self, state: &[f32; STATE]) -> bool {
        let joints = |arm: usize| -> Joints {
            std::array::from_fn(|idx| f64::from(state[ARMS * WRIST + arm * ARM_JOINTS + idx]))
        };
        let gripper = |arm: usize| f64::from(state[arm * WRIST + WRIST - 1]);
        let usable = |arm| gripper(arm).is_finite() && joints(arm).iter().all(|q| q.is_finite());
        if !(0..ARMS).all(usable) {
            return false;
        }
        self.begin_at(&Targets {
            joints: std::array::from_fn(joints),
            grippers: std::array::from_fn(gripper),
            completion: 0.0,
        });
        true
    }

    /// Begins from these targets, brought inside the ranges, at rest.
    pub fn begin_at(&mut self, targets: &Targets) {
        for (idx, arm) in self.arms.iter_mut().enumerate() {
            for (joint, bounds) in arm.bounds.iter().enumerate() {
                let at = targets.joints[idx][joint];
                let at = if at.is_finite() { at } else { arm.limits.posture.rest[joint] };
                arm.position[joint] = at.clamp(bounds.low, bounds.high);
            }
            arm.velocity = [0.0; ARM_JOINTS];
            arm.stand();
            let gripper = targets.grippers[idx];
            arm.gripper = if gripper.is_finite() { gripper.clamp(0.0, 1.0) } else { 0.0 };
            arm.gripper_goal = arm.gripper;
        }
        self.completion = 0.0;
    }

    /// Whether an action could be followed: all of it finite numbers, both rotations with a direction.
    #[must_use]
    pub fn can_use(action: &[f32; ACTION]) -> bool {
        wrists(action).is_some()
    }

    /// One tick towards an action; without one, towards the last one that was usable.
    pub fn step(&mut self, action: Option<&[f32; ACTION]>, pace: Pace) -> (Targets, Verdict) {
        let share = match pace {
            Pace::Stand => {
                self.arms.iter_mut().for_each(Arm::stand_still);
                return (self.targets(), Verdict::Standing);
            }
            Pace::Follow(share) => share_of(share),
        };
        let usable = action.and_then(|action| Some((action, wrists(action)?)));
        let verdict = match usable {
            Some((action, wrists)) => {
                for (idx, (arm, wrist)) in self.arms.iter_mut().zip(wrists).enumerate() {
                    arm.aim(&self.inverse, wrist);
                    arm.gripper_goal = f64::from(action[idx * WRIST + WRIST - 1]).clamp(0.0, 1.0);
                }
                self.completion = f64::from(action[ACTION - 1]).clamp(0.0, 1.0);
                Verdict::Followed
            }
            None => {
                self.arms.iter_mut().for_each(|arm| arm.goal_moved = [0.0; ARM_JOINTS]);
                Verdict::Refused
            }
        };
        self.follow(share);
        (self.targets(), verdict)
    }

    fn follow(&mut self, share: f64) {
        for arm in &mut self.arms {
            arm.follow(&self.inverse, share);
            let most = self.gripper_speed * share * self.tick;
            arm.gripper += (arm.gripper_goal - arm.gripper).clamp(-most, most);
        }
    }

    /// One tick towards joints instead of wrists: for whoever receives targets and does not trust them.
    /// Those that keep the limits are passed on as they are.
    pub fn step_joints(&mut self, targets: Option<&Targets>, pace: Pace) -> (Targets, Verdict) {
        let Pace::Follow(share) = pace else { return self.step(None, pace) };
        let Some(targets) = targets.filter(|targets| targets.is_finite()) else {
            return self.step(None, pace);
        };
        for (idx, arm) in self.arms.iter_mut().enumerate() {
            arm.aim_at(targets.joints[idx]);
            arm.wrist = None;
            arm.gripper_goal = targets.grippers[idx].clamp(0.0, 1.0);
        }
        self.completion = targets.completion.clamp(0.0, 1.0);
        self.follow(share_of(share));
        (self.targets(), Verdict::Followed)
    }

    /// Where the body is told to be now.
    #[must_use]
    pub fn targets(&self) -> Targets {
        Targets {
            joints: self.arms.map(|arm| arm.position),
            grippers: self.arms.map(|arm| arm.gripper),
            completion: self.completion,
        }
    }
}

/// A share from 0 to 1, also for what is no number.
fn share_of(share: f64) -> f64 {
    if share >= 0.0 { share.min(1.0) } else { 0.0 }
}

/// Wrists of an action; nothing where anything of it cannot be used.
fn wrists(action: &[f32; ACTION]) -> Option<[Pose; ARMS]> {
    if !action.iter().all(|value| value.is_finite()) {
        return None;
    }
    let wrist = |arm: usize| {
        let at = |idx: usize| f64::from(action[arm * WRIST + idx]);
        let three = |first: usize| [at(first), at(first + 1), at(first + 2)];
        Pose::from_columns(three(0), three(3), three(6))
    };
    let mut wrists = [Pose::IDENTITY; ARMS];
    for (arm, into) in wrists.iter_mut().enumerate() {
        *into = wrist(arm)?;
    }
    Some(wrists)
}

impl Arm {
    /// Takes a wrist's pose for goal.
    fn aim(&mut self, inverse: &Inverse, mut wrist: Pose) {
        wrist.position = self.limits.workspace.clamp(wrist.position, TARGET_MARGIN);
        let far = (0..ARM_JOINTS).any(|idx| (self.goal[idx] - self.position[idx]).abs() > FAR);
        let from = if far { self.position } else { self.goal };
        let ArmLimits { chain, posture, .. } = &self.limits;
        let solution = inverse.solve(chain, &from, posture, &wrist);
        self.aim_at(solution.joints);
        self.wrist = Some(wrist);
    }

    fn aim_at(&mut self, goal: Joints) {
        for (idx, bounds) in self.bounds.iter().enumerate() {
            let goal = goal[idx].clamp(bounds.low, bounds.high);
            self.goal_moved[idx] = goal - self.goal[idx];
            self.goal[idx] = goal;
        }
    }

    /// Forgets its goal.
    fn stand(&mut self) {
        self.goal = self.position;
        self.goal_moved = [0.0; ARM_JOINTS];
        self.wrist = None;
        self.gripper_goal = self.gripper;
    }

    fn stand_still(&mut self) {
        self.take(self.braking());
        self.stand();
    }

    fn braking(&self) -> Joints {
        std::array::from_fn(|idx| self.bounds[idx].brake(self.velocity[idx]))
    }

    fn take(&mut self, velocity: Joints) {
        self.velocity = velocity;
        for ((position, velocity), bounds) in
            self.position.iter_mut().zip(velocity).zip(&self.bounds)
        {
            *position += velocity * bounds.tick;
        }
    }

    fn follow(&mut self, inverse: &Inverse, share: f64) {
        let wanted: Joints = std::array::from_fn(|idx| {
            let (position, velocity) = (self.position[idx], self.velocity[idx]);
            let (goal, moved) = (self.goal[idx], self.goal_moved[idx]);
            // Wrists come from a policy, which has learned to lead its arms by what this lags.
            match self.wrist {
                Some(_) => self.bounds[idx].approach(position, velocity, goal, share),
                None => self.bounds[idx].towards(position, velocity, goal, moved, share),
            }
        });
        let braking = self.braking();
        // Every mix of the two keeps each joint's limits, since these are intervals.
        let mixed = SHARES.map(|share| {
            std::array::from_fn(|idx| braking[idx] + share * (wanted[idx] - braking[idx]))
        });
        let step = mixed.into_iter().find(|step| self.stays(*step));
        let step = step.or_else(|| self.straight(inverse, share)).unwrap_or(braking);
        self.take(step);
    }

    /// A step along the straight way to the goal, which is inside the workspace like all of that way.
    /// Joints that each hurry to their goals bring the wrist there in a curve, which a side of the
    /// workspace may cut off.
    fn straight(&self, inverse: &Inverse, share: f64) -> Option<Joints> {
        let way = match &self.wrist {
            Some(wrist) => inverse.straight(&self.limits.chain, &self.position, wrist),
            None => std::array::from_fn(|idx| self.goal[idx] - self.position[idx]),
        };
        // Speeds along the way that every joint can have in the next tick; at most all of it in one.
        let (mut slowest, mut fastest) = (0.0_f64, 1.0 / self.bounds[0].tick);
        for (idx, bounds) in self.bounds.iter().enumerate() {
            let [low, high] = bounds.interval(self.position[idx], self.velocity[idx], share);
            if way[idx] == 0.0 {
                // It may not move, so it must be able to stand.
                fastest = if low <= 0.0 && 0.0 <= high { fastest } else { -1.0 };
                continue;
            }
            let (a, b) = (low / way[idx], high / way[idx]);
            slowest = slowest.max(a.min(b));
            fastest = fastest.min(a.max(b));
        }
        let speeds = [fastest, (fastest + slowest) / 2.0, slowest];
        let possible = speeds.into_iter().filter(|_| slowest <= fastest);
        possible.map(|speed| way.map(|way| way * speed)).find(|step| self.stays(*step))
    }

    /// Whether the wrist stays in the workspace if this step is taken and all joints brake after it. An
    /// arm that is outside may come in, but not go further out.
    fn stays(&self, velocity: Joints) -> bool {
        let outside = |joints: &Joints| {
            self.limits.workspace.outside(self.limits.chain.forward(joints).position)
        };
        let workspace = Workspace {
            low: self.limits.workspace.low.map(|low| low + WORKSPACE_MARGIN),
            high: self.limits.workspace.high.map(|high| high - WORKSPACE_MARGIN),
        };
        let allowed = {
            let now = outside(&self.position);
            if now > 0.0 { now + WORKSPACE_MARGIN } else { 0.0 }
        };
        let mut path = *self;
        path.take(velocity);
        loop {
            let wrist = self.limits.chain.forward(&path.position).position;
            if workspace.outside(wrist) > allowed {
                return false;
            }
            if path.velocity.iter().all(|&velocity| velocity == 0.0) {
                return true;
            }
            path.take(path.braking());
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
