//! Opening and closing what has a handle.

use std::f32::consts::FRAC_PI_2;

use rapier3d::glamx::{Pose3, Quat, Vec3};

use super::carry::go_home;
use super::view::{View, across, ramp};
use super::{Advice, Goal, SPEED};
use crate::world::stage::{
    DOOR_HANDLE, DOOR_HANDLE_TOP, DRAWER_HANDLE_Z, DRAWER_Y, FRONT, HINGE, STANDOFF,
};

/// The drawer is pulled to here before it is let go, in metres.
pub(super) const DRAWER_PULLED: f32 = 0.152;
/// The door is pulled to here before it is let go, in radians.
pub(super) const DOOR_PULLED: f32 = 1.28;
/// The door is pushed to here, in radians.
const DOOR_PUSHED: f32 = 0.03;
/// How far from its hinge, and at which height, the door is pushed.
const PUSH_AT: f32 = 0.18;
const PUSH_Z: f32 = 0.285;
/// The opening with which fingers come down over a handle.
const OPEN: f32 = 0.44;
/// The fingers hold a handle when the gap is below this, in metres.
const HELD: f32 = 0.028;
/// Height above a handle at which the tool comes.
const HOVER: f32 = 0.09;
/// Speed of what is pulled or pushed.
const PULL: f32 = 0.30;
/// Turn of the tool over the drawer's handle: fingers along x.
const DRAWER_YAW: f32 = -FRAC_PI_2;

pub(super) fn drawer_handle(open: f32) -> Vec3 {
    Vec3::new(FRONT - 0.012 - STANDOFF - open, DRAWER_Y, DRAWER_HANDLE_Z)
}

pub(super) fn door_handle(angle: f32) -> Vec3 {
    door_pose(angle) * Vec3::new(-STANDOFF, -DOOR_HANDLE, DOOR_HANDLE_TOP - 0.018)
}

fn door_pose(angle: f32) -> Pose3 {
    Pose3::from_parts(Vec3::new(HINGE[0], HINGE[1], 0.0), Quat::from_rotation_z(-angle))
}

/// Whether the tool is still down at the drawer's handle.
pub(super) fn on_drawer(view: &View, side: usize) -> bool {
    is_on(view, side, drawer_handle(view.drawer()))
}

/// Whether the tool is still down at the door's handle.
pub(super) fn on_door(view: &View, side: usize) -> bool {
    is_on(view, side, door_handle(view.door()))
}

fn is_on(view: &View, side: usize, handle: Vec3) -> bool {
    let tool = view.tool(side).translation;
    across(tool, handle) < 0.06 && tool.z < handle.z + 0.05
}

pub(super) fn open_drawer(view: &View, side: usize) -> Advice {
    let open = view.drawer();
    let next = drawer_handle((open + 0.04).min(0.172));
    let finished = open > DRAWER_PULLED;
    let grasp = Grasp { handle: drawer_handle(open), yaw: DRAWER_YAW, body: view.setup.drawer };
    grasp.work(view, side, finished, next, open / 0.16)
}

pub(super) fn close_drawer(view: &View, side: usize) -> Advice {
    let open = view.drawer();
    let next = drawer_handle((open - 0.04).max(-0.012));
    let grasp = Grasp { handle: drawer_handle(open), yaw: DRAWER_YAW, body: view.setup.drawer };
    grasp.work(view, side, open < 0.006, next, 1.0 - open / 0.16)
}

pub(super) fn open_fridge(view: &View, side: usize) -> Advice {
    let angle = view.door();
    let next = door_handle((angle + 0.30).min(1.40));
    // The fingers stay along the door, where there is room.
    let grasp = Grasp { handle: door_handle(angle), yaw: -angle, body: view.setup.door };
    grasp.work(view, side, angle > DOOR_PULLED, next, angle / 1.3)
}

/// Pushes the door from outside with its fingers shut: that forgives centimetres, where a grip on the
/// handle forgives millimetres.
pub(super) fn close_fridge(view: &View, side: usize) -> Advice {
    let tool = view.tool(side).translation;
    let angle = view.door();
    let goal = |at: Vec3, speed: f32| Goal { at, yaw: -angle, opening: 0.0, speed };
    // How far in front of the door, and how far along it from where it is pushed.
    let own = door_pose(angle).inverse() * tool;
    let (before, aside) = (-own.x, (own.y + PUSH_AT).abs());
    if angle < DOOR_PUSHED {
        if before < 0.09 && tool.z < DOOR_HANDLE_TOP {
            // Fingers that open here would take the handle along.
            let back = Vec3::new(tool.x - 0.08, tool.y, tool.z);
            return Advice { goal: goal(back, SPEED), done: 0.84 };
        }
        return go_home(view, side, 0.85);
    }
    let over = PUSH_Z + 0.13;
    let low = tool.z < PUSH_Z + 0.05;
    if before > 0.0 && aside < if low { 0.06 } else { 0.03 } && (low || before > 0.06) {
        if tool.z < PUSH_Z + 0.03 {
            let towards = door_pose((angle - 0.30).max(-0.10));
            let at = towards * Vec3::new(-0.02, -PUSH_AT, PUSH_Z);
            let way = 1.0 - angle / 1.3;
            return Advice { goal: goal(at, PULL), done: 0.4 + 0.4 * way.clamp(0.0, 1.0) };
        }
        let at = door_pose(angle) * Vec3::new(-0.11, -PUSH_AT, PUSH_Z - 0.01);
        return Advice { goal: goal(at, SPEED), done: 0.36 };
    }
    let mut at = door_pose(angle) * Vec3::new(-0.11, -PUSH_AT, over);
    // Up before it goes across the door.
    let free = ramp(over - 0.03 - tool.z, 0.08, 0.0);
    let off = across(tool, at);
    at.x = tool.x + (at.x - tool.x) * free;
    at.y = tool.y + (at.y - tool.y) * free;
    Advice { goal: goal(at, SPEED), done: 0.34 * (1.0 - (off / 0.5).min(1.0)) }
}

struct Grasp {
    handle: Vec3,
    yaw: f32,
    body: Option<usize>,
}

impl Grasp {
    /// Grips the handle, leads it towards `next` until `finished`, lets go, goes up and home.
    fn work(&self, view: &View, side: usize, finished: bool, next: Vec3, way: f32) -> Advice {
        let tool = view.tool(side).translation;
        let gap = view.gap(side);
        let goal = |at: Vec3, opening: f32, speed: f32| Goal { at, yaw: self.yaw, opening, speed };
        let low = tool.z < self.handle.z + HOVER - 0.02 && across(tool, self.handle) < 0.07;
        if finished {
            if low {
                if gap < HELD + 0.008 {
                    return Advice { goal: goal(tool, OPEN, 0.05), done: 0.8 };
                }
                let up = Vec3::new(tool.x, tool.y, tool.z + 0.06);
                return Advice { goal: goal(up, OPEN, SPEED), done: 0.85 };
            }
            return go_home(view, side, 0.88);
        }
        let off = across(tool, self.handle) + 0.04 * (view.yaw(side) - self.yaw).abs();
        let below = (tool.z - self.handle.z).abs();
        let held = self.body.is_some_and(|body| view.grips(side, body));
        if held && gap < HELD && gap > 0.009 && below < 0.03 {
            let done = 0.4 + 0.4 * way.clamp(0.0, 1.0);
            return Advice { goal: goal(next, 0.0, PULL), done };
        }
        // Fingers that met nothing open again.
        let closing = gap < 0.036 && gap > 0.009;
        let there =
            if closing { off < 0.02 && below < 0.013 } else { off < 0.007 && below < 0.008 };
        if there {
            return Advice { goal: goal(self.handle, 0.0, 0.2), done: 0.36 };
        }
        // Steep, because fingers must not come down on what the handle is fixed to.
        let hover = HOVER * ramp(off, 0.006, 0.026);
        let mut at = self.handle + Vec3::new(0.0, 0.0, hover);
        if tool.z < self.handle.z + 0.05 && off > 0.05 {
            let free = ramp(tool.z - self.handle.z, 0.0, 0.05);
            at.x = tool.x + (at.x - tool.x) * free;
            at.y = tool.y + (at.y - tool.y) * free;
        }
        let speed = if off < 0.05 { 0.3 } else { SPEED };
        let done = 0.34 * (1.0 - (off / 0.5).min(1.0));
        Advice { goal: goal(at, OPEN, speed), done }
    }
}
