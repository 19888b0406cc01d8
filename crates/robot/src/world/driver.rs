//! From wrist targets to joint targets: by the limits that a deployment keeps, so that what is shown,
//! trained and evaluated moves as what runs.

use crate::error::{Error, Result};
use crate::interface::{ACTION, TICK_NS};
use crate::kinematics::Posture;
use crate::limits::{ArmLimits, Limiter, Limits, Pace, Targets, Workspace};

use super::Joints;
use super::arm::{Arm, OPENING_VELOCITY, PULL};
use super::body::home_angles;

/// Where a wrist may be: over the table and its kitchen, not in them.
const WORKSPACE: Workspace = Workspace { low: [-0.1, -0.75, -0.02], high: [0.85, 0.75, 0.75] };

/// The limits of the body in the simulated world.
#[must_use]
pub fn limits() -> Limits {
    let arm = |side: f32| ArmLimits {
        chain: Arm::new(side).chain(),
        workspace: WORKSPACE,
        posture: Posture { rest: home_angles(side).map(f64::from), pull: PULL },
    };
    Limits { arms: [arm(1.0), arm(-1.0)], gripper_speed: f64::from(OPENING_VELOCITY) }
}

/// Turns the actions of one robot into joint targets that its drives can follow.
#[derive(Debug, Clone)]
pub struct Driver {
    limiter: Limiter,
}

impl Driver {
    /// For a robot at rest whose joints are `joints`.
    ///
    /// # Panics
    /// Never: the body's limits are some.
    #[must_use]
    pub fn new(joints: Joints) -> Self {
        let mut limiter = Limiter::new(&limits(), TICK_NS).expect("the body's own limits");
        limiter.begin_at(&Targets {
            joints: joints.angles.map(|arm| arm.map(f64::from)),
            grippers: joints.openings.map(f64::from),
            completion: 0.0,
        });
        Self { limiter }
    }

    /// The joint targets of the next tick on the way to an action's wrists (robot's frame).
    ///
    /// # Errors
    ///
    /// [`Error::Shape`] where the action has another length, [`Error::Action`] where it is not finite or
    /// its rotation has no direction; the targets then stay as they were.
    pub fn targets(&mut self, action: &[f32]) -> Result<Joints> {
        let Ok(action) = <&[f32; ACTION]>::try_from(action) else {
            let (what, got) = ("an action".to_owned(), action.len());
            return Err(Error::Shape { what, got, expected: ACTION });
        };
        if !Limiter::can_use(action) {
            return Err(Error::Action);
        }
        let (targets, _) = self.limiter.step(Some(action), Pace::Follow(1.0));
        Ok(Joints {
            angles: targets.joints.map(|arm| arm.map(|angle| angle as f32)),
            openings: targets.grippers.map(|opening| opening as f32),
        })
    }
}
