//! What an expert sees: everything, in its robot's frame.

use rapier3d::glamx::{Mat3, Pose3, Vec3};

use crate::tasks::Setup;
use crate::world::World;
use crate::world::arm::GAP;
use crate::world::stage::Item;

/// One robot's view of an attempt.
pub(super) struct View<'a> {
    pub(super) setup: &'a Setup,
    pub(super) world: &'a World,
    pub(super) robot: usize,
}

impl View<'_> {
    /// The tool of an arm.
    pub(super) fn tool(&self, side: usize) -> Pose3 {
        self.world.tool(self.robot, side)
    }

    /// Turn of a tool about z.
    pub(super) fn yaw(&self, side: usize) -> f32 {
        let x = Mat3::from_quat(self.tool(side).rotation).x_axis;
        libm::atan2f(x.y, x.x)
    }

    /// Gap between the fingers in metres.
    pub(super) fn gap(&self, side: usize) -> f32 {
        GAP * self.world.joints(self.robot).openings[side]
    }

    /// The object that is meant.
    pub(super) fn item(&self) -> Pose3 {
        self.in_my_frame(self.setup.item_pose(self.world, self.setup.target))
    }

    /// Its sizes.
    pub(super) fn sizes(&self) -> &Item {
        &self.setup.target().item
    }

    /// A pose in this robot's frame.
    pub(super) fn in_my_frame(&self, pose: Pose3) -> Pose3 {
        self.setup.robots[self.robot].base.inverse() * pose
    }

    /// The place that is meant, at the table's top.
    pub(super) fn place(&self) -> Vec3 {
        self.in_my_frame(Pose3::from_translation(self.setup.goal().at)).translation
    }

    /// Whether both fingers of an arm touch a body.
    pub(super) fn grips(&self, side: usize, body: usize) -> bool {
        self.grips_of(self.robot, side, body)
    }

    /// Whether both fingers of an arm of some robot touch a body.
    pub(super) fn grips_of(&self, robot: usize, side: usize, body: usize) -> bool {
        let arm = &self.setup.robots[robot].arms[side];
        arm.fingers.iter().all(|&finger| self.world.physics().touching(finger, body))
    }

    /// Whether a finger of an arm of some robot touches a body.
    pub(super) fn touches_of(&self, robot: usize, side: usize, body: usize) -> bool {
        let arm = &self.setup.robots[robot].arms[side];
        arm.fingers.iter().any(|&finger| self.world.physics().touching(finger, body))
    }

    /// Whether the fingers have come to rest.
    pub(super) fn fingers_rest(&self, side: usize) -> bool {
        let finger = self.setup.robots[self.robot].arms[side].fingers[0];
        self.world.physics().joint(finger).1.abs() < 0.012
    }

    /// How far the drawer is open, in metres.
    pub(super) fn drawer(&self) -> f32 {
        self.setup.drawer.map_or(0.0, |body| self.world.physics().joint(body).0)
    }

    /// How far the door is open, in radians.
    pub(super) fn door(&self) -> f32 {
        self.setup.door.map_or(0.0, |body| self.world.physics().joint(body).0)
    }
}

/// 0 up to `from`, 1 from `to`, even in between.
pub(super) fn ramp(value: f32, from: f32, to: f32) -> f32 {
    ((value - from) / (to - from)).clamp(0.0, 1.0)
}

/// Distance along the table.
pub(super) fn across(one: Vec3, other: Vec3) -> f32 {
    one.truncate().distance(other.truncate())
}
