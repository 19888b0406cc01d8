//! When a task is done, from the simulator's state.
//!
//! Strict: the thing is where it should be, at rest, let go by every hand, and all that for a while.

use rapier3d::glamx::Vec3;

use super::{Setup, Task};
use crate::interface::ARM_JOINTS;
use crate::world::World;
use crate::world::stage::{DRAWER_TRAVEL, FRIDGE_Y, FRONT};

/// Ticks for which all must hold: 0.2 s.
const HOLD_TICKS: u32 = 40;
/// Slower than this is at rest, in metres per second.
const REST: f32 = 0.03;
/// The drawer is open from here, in metres.
pub const DRAWER_OPEN: f32 = 0.72 * DRAWER_TRAVEL;
/// The drawer is shut up to here, in metres.
pub const DRAWER_SHUT: f32 = 0.012;
/// The fridge is open from here, in radians.
pub const DOOR_OPEN: f32 = 1.1;
/// The fridge is shut up to here, in radians.
pub const DOOR_SHUT: f32 = 0.06;

/// Watches one attempt.
#[derive(Debug, Clone, Default)]
pub struct Judge {
    held_ticks: u32,
    given: bool,
}

impl Judge {
    /// Sees the world after a tick; true once the task is done.
    pub fn watch(&mut self, setup: &Setup, world: &World) -> bool {
        if setup.task == Task::Handover && !self.given {
            self.given = given(setup, world);
        }
        if holds(setup, world) && (setup.task != Task::Handover || self.given) {
            self.held_ticks += 1;
        } else {
            self.held_ticks = 0;
        }
        self.held_ticks >= HOLD_TICKS
    }

    /// Whether it is done now.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.held_ticks >= HOLD_TICKS
    }
}

fn holds(setup: &Setup, world: &World) -> bool {
    let joint = |body: Option<usize>| body.map_or((0.0, 0.0), |body| world.physics().joint(body));
    let free = |body: Option<usize>| body.is_some_and(|body| !is_touched(setup, world, body));
    match setup.task {
        Task::PickPlace | Task::Handover => is_placed(setup, world) && is_let_go(setup, world),
        Task::OpenDrawer => joint(setup.drawer).0 > DRAWER_OPEN && free(setup.drawer),
        Task::CloseDrawer => joint(setup.drawer).0 < DRAWER_SHUT && free(setup.drawer),
        Task::OpenFridge => joint(setup.door).0 > DOOR_OPEN && free(setup.door),
        Task::CloseFridge => joint(setup.door).0 < DOOR_SHUT && free(setup.door),
        Task::PutInDrawer => is_in_drawer(setup, world) && is_let_go(setup, world),
        Task::PutInFridge => is_in_fridge(setup, world) && is_let_go(setup, world),
    }
}

fn target_at(setup: &Setup, world: &World) -> Vec3 {
    setup.item_pose(world, setup.target).translation
}

/// Whether the object meant is within the place meant.
pub(crate) fn is_placed(setup: &Setup, world: &World) -> bool {
    let (at, goal) = (target_at(setup, world), setup.goal());
    let height = setup.target().item.height;
    let over = at.z - goal.place.floor();
    (at.x - goal.at.x).abs() < goal.half[0]
        && (at.y - goal.at.y).abs() < goal.half[1]
        && over > 0.0
        && over < 0.5 * height + 0.03
}

/// Whether the object meant is in the drawer.
pub(crate) fn is_in_drawer(setup: &Setup, world: &World) -> bool {
    let Some(drawer) = setup.drawer else { return false };
    let at = world.physics().pose(drawer).inverse() * target_at(setup, world);
    at.x > 0.0 && at.x < 0.23 && at.y.abs() < 0.11 && at.z < 0.09
}

/// Whether the object meant is in the fridge.
pub(crate) fn is_in_fridge(setup: &Setup, world: &World) -> bool {
    let at = target_at(setup, world);
    at.x > FRONT && at.x < FRONT + 0.28 && (at.y - FRIDGE_Y).abs() < 0.13 && at.z < 0.12
}

/// Whether a hand touches a body.
pub(crate) fn is_touched(setup: &Setup, world: &World, body: usize) -> bool {
    setup.robots.iter().flat_map(|robot| &robot.arms).any(|arm| {
        let hand = arm.links[ARM_JOINTS - 1];
        arm.fingers.iter().chain([&hand]).any(|&part| world.physics().touching(part, body))
    })
}

fn is_let_go(setup: &Setup, world: &World) -> bool {
    let body = setup.target().body;
    let (linear, _) = world.physics().velocity(body);
    linear.length() < REST && !is_touched(setup, world, body)
}

/// Whether the second robot alone holds the object in the air.
fn given(setup: &Setup, world: &World) -> bool {
    let body = setup.target().body;
    let touch = |robot: usize| {
        setup.robots[robot]
            .arms
            .iter()
            .any(|arm| arm.fingers.iter().all(|&finger| world.physics().touching(finger, body)))
    };
    target_at(setup, world).z > 0.08 && touch(1) && !touch(0)
}
