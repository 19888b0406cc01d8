//! Picking an object up, carrying it, letting it go where it belongs.

use rapier3d::glamx::Vec3;

use super::view::{View, across, ramp};
use super::{Advice, Goal, SPEED, at_home, handles};
use crate::tasks::{is_in_drawer, is_in_fridge, is_placed};
use crate::world::stage::{DRAWER_Y, FRIDGE_Y, FRONT, Form};

/// Height above a grip at which the tool comes.
const HOVER: f32 = 0.11;
/// Height of a carried object's lower side over the table.
const CARRY: f32 = 0.12;
/// The opening with which the fingers come down, and that with which they let go.
const OPEN: f32 = 0.95;
const RELEASE: f32 = 0.78;

/// Where an object goes, and how high it must be on its way.
struct Destination {
    /// Where its lower side's middle comes to.
    at: Vec3,
    /// Height of its lower side on the way.
    carry: f32,
    /// Height of its lower side below which it only goes up.
    clear: f32,
    /// Whether it is there.
    reached: bool,
}

pub(super) fn to_place(view: &View, side: usize) -> Advice {
    let place = view.place();
    let at = Vec3::new(place.x, place.y, view.setup.goal().place.floor());
    let reached = is_placed(view.setup, view.world);
    transport(view, side, &Destination { at, carry: CARRY, clear: 0.06, reached }, 0.0)
}

pub(super) fn to_drawer(view: &View, side: usize) -> Advice {
    let reached = is_in_drawer(view.setup, view.world);
    let open = view.drawer();
    let carried = view.grips(side, view.setup.target().body);
    if !reached && !carried && (open < handles::DRAWER_PULLED || handles::on_drawer(view, side)) {
        let mut advice = handles::open_drawer(view, side);
        advice.done *= 0.4;
        return advice;
    }
    // The middle of what is out of the shell.
    let at = Vec3::new(FRONT - 0.012 - 0.5 * open + 0.012, DRAWER_Y, 0.02);
    let destination = Destination { at, carry: 0.145, clear: 0.125, reached };
    transport(view, side, &destination, 0.4)
}

pub(super) fn to_fridge(view: &View, side: usize) -> Advice {
    let reached = is_in_fridge(view.setup, view.world);
    let carried = view.grips(side, view.setup.target().body);
    let open = view.door();
    if !reached && !carried && (open < handles::DOOR_PULLED || handles::on_door(view, side)) {
        let mut advice = handles::open_fridge(view, side);
        advice.done *= 0.4;
        return advice;
    }
    let tool = view.tool(side).translation;
    let inside = Vec3::new(FRONT + 0.085, FRIDGE_Y, 0.014);
    let mut advice;
    if carried && !reached {
        // First before the opening, then straight in, below the roof.
        let item = view.item().translation;
        let aligned = 1.0 - ramp((item.y - FRIDGE_Y).abs(), 0.015, 0.05);
        let entry = FRONT - 0.13;
        let x = entry + (inside.x - entry) * aligned;
        let at = Vec3::new(x, inside.y, inside.z);
        advice =
            transport(view, side, &Destination { at, carry: 0.085, clear: 0.05, reached }, 0.4);
        if item.x < FRONT - 0.06 {
            // Not down before it is inside.
            advice.goal.opening = 0.0;
            let lift = tool.z - (item.z - 0.5 * view.sizes().height);
            advice.goal.at.z = advice.goal.at.z.max(0.085 + lift);
        }
    } else {
        advice = transport(
            view,
            side,
            &Destination { at: inside, carry: 0.085, clear: 0.05, reached },
            0.4,
        );
        let in_fridge = tool.x > FRONT - 0.09 && tool.y > 0.24 && tool.z < 0.30;
        if reached && in_fridge && view.gap(side) > view.sizes().width + 0.012 {
            advice.goal = Goal {
                at: Vec3::new(FRONT - 0.14, FRIDGE_Y - 0.02, tool.z.max(0.09)),
                yaw: 0.0,
                opening: RELEASE,
                speed: SPEED,
            };
        }
    }
    // Over the open door, not through it.
    if tool.y > 0.385 && tool.x < FRONT && !carried {
        advice.goal.at.z = advice.goal.at.z.max(0.45);
    }
    advice
}

/// Whether the object is where it belongs.
pub(super) fn is_at_place(view: &View) -> bool {
    is_placed(view.setup, view.world)
}

/// Brings the object meant to a destination; `from` is the share of the task that is done before.
fn transport(view: &View, side: usize, to: &Destination, from: f32) -> Advice {
    let tool = view.tool(side).translation;
    let sizes = view.sizes();
    let item = view.item().translation;
    let body = view.setup.target().body;
    let gap = view.gap(side);
    let share = |done: f32| from + (1.0 - from) * done;
    let gripped = view.grips(side, body);
    if to.reached {
        let reach = if sizes.form == Form::Bar { 0.08 } else { 0.06 };
        let near = across(tool, item) < reach && tool.z < item.z + 0.5 * sizes.height + 0.06;
        if near {
            let released = gap > sizes.width + 0.012 && !gripped;
            let low = if released { tool.z + 0.05 } else { tool.z };
            // Up first; no way along the table before the fingers are clear.
            let at = Vec3::new(tool.x, tool.y, low);
            let done = if released { 0.9 } else { 0.84 };
            let speed = if released { SPEED } else { 0.1 };
            let opening = RELEASE;
            return Advice { goal: Goal { at, yaw: 0.0, opening, speed }, done: share(done) };
        }
        return go_home(view, side, share(0.92));
    }
    if gripped && view.fingers_rest(side) {
        return carry(view, side, to, from);
    }
    let advice = reach(view, side, 0.0, item_grip(view), sizes.width);
    Advice { done: share(advice.done), ..advice }
}

/// Where the object is to be gripped.
pub(super) fn item_grip(view: &View) -> Vec3 {
    let (item, sizes) = (view.item(), view.sizes());
    let mut grip = item.translation;
    grip.z += sizes.grip_height() - 0.5 * sizes.height;
    if sizes.form == Form::Bar {
        // At the end that is nearer to the robot.
        let along = item.rotation * Vec3::X;
        let along = if along.x < 0.0 { along } else { -along };
        grip += along * 0.048;
    }
    grip.z = grip.z.max(0.014);
    grip
}

/// Comes down over a grip with open fingers and shuts them.
pub(super) fn reach(view: &View, side: usize, yaw: f32, grip: Vec3, width: f32) -> Advice {
    let tool = view.tool(side).translation;
    let gap = view.gap(side);
    let off = across(tool, grip) + 0.03 * (view.yaw(side) - yaw).abs();
    let below = (tool.z - grip.z).abs();
    let closing = gap < 0.074 && gap > width - 0.012;
    let there = if closing { off < 0.018 && below < 0.018 } else { off < 0.006 && below < 0.007 };
    if there {
        let at = grip;
        return Advice { goal: Goal { at, yaw, opening: 0.0, speed: 0.2 }, done: 0.32 };
    }
    // A funnel: the nearer above it, the lower.
    let hover = HOVER * ramp(off, 0.005, 0.055);
    let mut at = grip + Vec3::new(0.0, 0.0, hover);
    // Low beside something: up before along.
    if tool.z < grip.z + 0.06 && off > 0.05 {
        let free = ramp(tool.z - grip.z, 0.0, 0.06);
        at.x = tool.x + (at.x - tool.x) * free;
        at.y = tool.y + (at.y - tool.y) * free;
    }
    let speed = if off < 0.05 { 0.32 } else { SPEED };
    let done = 0.3 * (1.0 - (off / 0.5).min(1.0));
    Advice { goal: Goal { at, yaw, opening: OPEN, speed }, done }
}

/// Carries what is gripped.
fn carry(view: &View, side: usize, to: &Destination, from: f32) -> Advice {
    let tool = view.tool(side).translation;
    let item = view.item().translation;
    let lower = item.z - 0.5 * view.sizes().height;
    let lift = tool.z - lower;
    let off = across(item, to.at);
    let share = |done: f32| from + (1.0 - from) * done;
    if off < 0.014 && lower < to.at.z + 0.016 {
        let goal = Goal { at: tool, yaw: 0.0, opening: RELEASE, speed: 0.1 };
        return Advice { goal, done: share(0.82) };
    }
    let height = to.at.z + 0.008 + (to.carry - to.at.z).max(0.0) * ramp(off, 0.008, 0.06);
    let free = if off > 0.06 { ramp(lower, 0.3 * to.clear, to.clear) } else { 1.0 };
    let along = (to.at - item) * free;
    let at = Vec3::new(tool.x + along.x, tool.y + along.y, height + lift);
    let speed = if off < 0.05 { 0.32 } else { SPEED };
    let done = 0.36 + 0.44 * (1.0 - (off / 0.5).min(1.0));
    Advice { goal: Goal { at, yaw: 0.0, opening: 0.0, speed }, done: share(done) }
}

/// Up, then back to where arms wait.
pub(super) fn go_home(view: &View, side: usize, done: f32) -> Advice {
    let tool = view.tool(side).translation;
    let mut goal = at_home(side);
    let off = across(tool, goal.at);
    if tool.z < 0.16 && off > 0.05 {
        let free = ramp(tool.z, 0.10, 0.16);
        goal.at.x = tool.x + (goal.at.x - tool.x) * free;
        goal.at.y = tool.y + (goal.at.y - tool.y) * free;
    }
    let left = tool.distance(at_home(side).at);
    let done = if left < 0.03 { 1.0 } else { done + (0.99 - done) * (1.0 - (left / 0.6).min(1.0)) };
    Advice { goal, done }
}
