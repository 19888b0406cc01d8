//! An independent look at what was published: was every limit kept?

use super::{Limits, Targets};
use crate::interface::{ARM_JOINTS, ARMS};

/// Looks at published targets one after another, each a tick after the one before.
///
/// It shares no code with the limiter but the forward kinematics, and sees what was rounded to f32.
#[derive(Debug, Clone)]
pub struct Audit {
    limits: Limits,
    /// Seconds of a tick.
    tick: f64,
    /// The last two, newest first.
    last: [Option<Targets>; 2],
    n_seen: u64,
    n_broken: u64,
}

impl Audit {
    /// Of a body under these limits.
    #[must_use]
    pub fn new(limits: &Limits, tick_nanos: u64) -> Audit {
        let tick = tick_nanos as f64 / 1e9;
        Audit { limits: *limits, tick, last: [None; 2], n_seen: 0, n_broken: 0 }
    }

    /// Begins anew with the next: after a restart there is nothing to take a difference to.
    pub fn forget(&mut self) {
        self.last = [None; 2];
    }

    /// Looks at the next. Gives the first limit that is broken.
    pub fn see(&mut self, targets: &Targets) -> Option<Broken> {
        let broken = self.broken(targets);
        self.last = [Some(*targets), self.last[0]];
        self.n_seen += 1;
        self.n_broken += u64::from(broken.is_some());
        broken
    }

    /// How many it has seen.
    #[must_use]
    pub fn n_seen(&self) -> u64 {
        self.n_seen
    }

    /// How many of them broke a limit.
    #[must_use]
    pub fn n_broken(&self) -> u64 {
        self.n_broken
    }

    fn broken(&self, targets: &Targets) -> Option<Broken> {
        if !targets.is_finite() {
            return Some(Broken::Number);
        }
        for arm in 0..ARMS {
            let limits = &self.limits.arms[arm];
            for idx in 0..ARM_JOINTS {
                let (joint, at) = (&limits.chain.joints[idx], targets.joints[arm][idx]);
                if !(joint.range[0] <= at && at <= joint.range[1]) {
                    return Some(Broken::Range { arm, joint: idx, value: at });
                }
                let Some(last) = self.last[0] else { continue };
                let velocity = (at - last.joints[arm][idx]) / self.tick;
                if velocity.abs() > joint.velocity {
                    return Some(Broken::Velocity { arm, joint: idx, value: velocity });
                }
                let Some(before) = self.last[1] else { continue };
                let earlier = (last.joints[arm][idx] - before.joints[arm][idx]) / self.tick;
                let acceleration = (velocity - earlier) / self.tick;
                if acceleration.abs() > joint.acceleration {
                    return Some(Broken::Acceleration { arm, joint: idx, value: acceleration });
                }
            }
            let outside =
                limits.workspace.outside(limits.chain.forward(&targets.joints[arm]).position);
            let was_inside = self.last[0].is_some_and(|last| {
                let wrist = limits.chain.forward(&last.joints[arm]).position;
                limits.workspace.outside(wrist) == 0.0
            });
            // Who is outside to begin with may come in.
            if outside > 0.0 && was_inside {
                return Some(Broken::Workspace { arm, value: outside });
            }
            let gripper = targets.grippers[arm];
            let jumped = self.last[0].is_some_and(|last| {
                // A rounding of f32 near 1.
                let most = self.limits.gripper_speed * self.tick + 2e-7;
                (gripper - last.grippers[arm]).abs() > most
            });
            if !(0.0..=1.0).contains(&gripper) || jumped {
                return Some(Broken::Gripper { arm, value: gripper });
            }
        }
        None
    }
}

/// A limit that was broken. Arms and joints count from 0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Broken {
    /// Something is no finite number.
    Number,
    /// A joint is outside its range, in radians.
    Range {
        /// Which arm.
        arm: usize,
        /// Which joint.
        joint: usize,
        /// Where it is.
        value: f64,
    },
    /// A joint is too fast, in radians a second.
    Velocity {
        /// Which arm.
        arm: usize,
        /// Which joint.
        joint: usize,
        /// How fast it is.
        value: f64,
    },
    /// A joint changes its speed too fast, in radians a second squared.
    Acceleration {
        /// Which arm.
        arm: usize,
        /// Which joint.
        joint: usize,
        /// How fast it changes.
        value: f64,
    },
    /// A wrist left its workspace, by so many metres.
    Workspace {
        /// Which arm.
        arm: usize,
        /// How far it is outside.
        value: f64,
    },
    /// A gripper is beyond shut or open, or moved too fast.
    Gripper {
        /// Which arm.
        arm: usize,
        /// How far it is open.
        value: f64,
    },
}
