//! Two robots: one presents an object in the middle, the other takes it and puts it down.
//!
//! Neither knows of the other's plan. The giver opens its hand once it sees the object gripped at the
//! other end; the receiver comes once it sees the object presented, and leaves once the giver let go.

use rapier3d::glamx::Vec3;

use super::carry::{self, go_home};
use super::view::{View, across};
use super::{Advice, Goal, SPEED, at_home};
use crate::world::stage::OPPOSITE;

/// Height of the object while it is handed over.
const HEIGHT: f32 = 0.20;
/// How far to the acting arm's side of the middle, in metres.
const SIDE: f32 = 0.10;
/// Lowest height at which an object counts as presented.
const PRESENTED: f32 = 0.15;

pub(super) fn give(view: &View, side: usize) -> Advice {
    let body = view.setup.target().body;
    let other = 1 - view.robot;
    let item = view.item().translation;
    let tool = view.tool(side).translation;
    let way = if side == 0 { 1.0 } else { -1.0 };
    let middle = Vec3::new(0.5 * OPPOSITE, SIDE * way, HEIGHT);
    let received = (0..2).any(|side| view.grips_of(other, side, body));
    if view.grips(side, body) {
        if !view.fingers_rest(side) && !received {
            // Still shutting: not up before it is held.
            let goal = Goal { at: tool, yaw: 0.0, opening: 0.0, speed: 0.1 };
            return Advice { goal, done: 0.34 };
        }
        let presented = item.distance(middle) < 0.02;
        let opening = if received && presented { 0.8 } else { 0.0 };
        let off = across(item, middle);
        let free = if item.z < 0.06 && off > 0.05 { (item.z / 0.06).clamp(0.0, 1.0) } else { 1.0 };
        let mut at = tool + (middle - item);
        at.x = tool.x + (at.x - tool.x) * free;
        at.y = tool.y + (at.y - tool.y) * free;
        let goal = Goal { at, yaw: 0.0, opening, speed: 0.8 * SPEED };
        let done = if presented { 0.7 } else { 0.36 + 0.3 * (1.0 - (off / 0.4).min(1.0)) };
        return Advice { goal, done };
    }
    let away = item.x > 0.5 * OPPOSITE + 0.04 || item.z > PRESENTED;
    if received || away {
        // Back out of the object before anything else.
        let near = across(tool, item) < 0.13 && (tool.z - item.z).abs() < 0.05;
        if near {
            let at = tool + Vec3::new(-0.06, 0.0, 0.0);
            return Advice { goal: Goal { at, yaw: 0.0, opening: 0.8, speed: 0.3 }, done: 0.84 };
        }
        return go_home(view, side, 0.9);
    }
    carry::reach(view, side, 0.0, carry::item_grip(view), view.sizes().width)
}

pub(super) fn receive(view: &View, side: usize) -> Advice {
    let body = view.setup.target().body;
    let other = 1 - view.robot;
    let item = view.item();
    let tool = view.tool(side).translation;
    let held_by_other = (0..2).any(|side| view.touches_of(other, side, body));
    if view.grips(side, body) && held_by_other {
        let goal = Goal { at: tool, yaw: 0.0, opening: 0.0, speed: 0.1 };
        return Advice { goal, done: 0.45 };
    }
    let (linear, _) = view.world.physics().velocity(body);
    let presented = item.translation.z > PRESENTED
        && (item.translation.x - 0.5 * OPPOSITE).abs() < 0.06
        && linear.length() < 0.08;
    let reached = carry::is_at_place(view);
    let on_my_side = item.translation.x < 0.5 * OPPOSITE - 0.06;
    if !held_by_other && (reached || on_my_side || view.grips(side, body)) {
        let mut advice = carry::to_place(view, side);
        advice.done = 0.4 + 0.6 * advice.done;
        return advice;
    }
    if presented {
        let mut advice = carry::reach(view, side, 0.0, carry::item_grip(view), view.sizes().width);
        advice.done = 0.1 + 0.8 * advice.done;
        return advice;
    }
    Advice { goal: at_home(side), done: 0.05 }
}
