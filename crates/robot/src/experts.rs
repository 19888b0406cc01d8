//! Scripted experts that see the simulator's state and show how tasks are done.
//!
//! An expert has no script in time. Each tick it looks at the state and says where the tool should go
//! from here, as a field that leads to the task's end from anywhere near: what is shown depends on what
//! can be seen, so that it can be learned, and it can be asked in states that a policy got itself into
//! ([`Expert::resume`]). The tool always points down; the arm nearer to the object (y ≥ 0: left) does the
//! picking, the right arm the drawer and the left arm the fridge.

mod carry;
mod handles;
mod handover;
mod marks;
mod view;

use rapier3d::glamx::{Mat3, Vec3};

use crate::interface::{ACTION, ARMS, MARKS, WRIST};
use crate::tasks::{Setup, Task};
use crate::world::arm::{OPENING_VELOCITY, downward};
use crate::world::body::home;
use crate::world::physics::STEP_SECS;
use crate::world::{World, wrist};
pub(crate) use marks::{is_fine, points};
use view::View;

/// Where a tool should be, and how it gets there.
#[derive(Debug, Clone, Copy)]
struct Goal {
    /// Position in the robot's frame.
    at: Vec3,
    /// Turn about z.
    yaw: f32,
    /// Opening of the gripper.
    opening: f32,
    /// Largest speed in metres per second.
    speed: f32,
}

/// What is to be done next, and how far the task is done, from 0 to 1.
#[derive(Debug, Clone, Copy)]
struct Advice {
    goal: Goal,
    done: f32,
}

/// Usual speed of a tool, in metres per second.
const SPEED: f32 = 0.55;
/// How fast it may change, in metres per second squared.
const ACCELERATION: f32 = 3.0;
/// Largest turn about z, in radians per second, and how fast that may change.
const TURN: f32 = 2.6;
const TURN_ACCELERATION: f32 = 14.0;
/// How far a command may be from the tool, in metres.
const LEAD: f32 = 0.03;

#[derive(Debug, Clone, Copy)]
struct Command {
    at: Vec3,
    velocity: Vec3,
    yaw: f32,
    yaw_speed: f32,
    opening: f32,
}

/// The expert of one robot for one setup.
#[derive(Debug, Clone)]
pub struct Expert {
    robot: usize,
    side: usize,
    commands: [Command; ARMS],
    /// The same before the last [`Expert::act`].
    before: [Command; ARMS],
    /// What it went for in the last tick.
    last: Option<Goal>,
}

impl Expert {
    /// For `robot` at the beginning of an attempt.
    #[must_use]
    pub fn new(setup: &Setup, world: &World, robot: usize) -> Self {
        let command = Command {
            at: Vec3::ZERO,
            velocity: Vec3::ZERO,
            yaw: 0.0,
            yaw_speed: 0.0,
            opening: 1.0,
        };
        let (side, commands) = (side_of(setup, world, robot), [command; ARMS]);
        let mut expert = Self { robot, side, commands, before: commands, last: None };
        expert.resume(world);
        expert
    }

    /// Which arm does the task: 0 is left, 1 is right.
    #[must_use]
    pub fn side(&self) -> usize {
        self.side
    }

    /// Starts anew from the state as it is, wherever something else has brought the robot.
    pub fn resume(&mut self, world: &World) {
        let openings = world.joints(self.robot).openings;
        for (side, command) in self.commands.iter_mut().enumerate() {
            let tool = world.tool(self.robot, side);
            let x = Mat3::from_quat(tool.rotation).x_axis;
            command.at = tool.translation;
            command.yaw = libm::atan2f(x.y, x.x);
            command.velocity = Vec3::ZERO;
            command.yaw_speed = 0.0;
            command.opening = openings[side];
        }
    }

    /// Takes an action that something else chose, and that is being executed, in place of what the last
    /// [`Expert::act`] gave: the next one then says what to do from there.
    pub fn follow(&mut self, action: &[f32; ACTION]) {
        let commands = self.commands.iter_mut().zip(&self.before);
        for ((command, before), values) in commands.zip(action.chunks_exact(WRIST)) {
            let values = values.try_into().unwrap_or(&[f32::NAN; WRIST]);
            let Some((pose, opening)) = wrist::decode(values) else { continue };
            let x = Mat3::from_quat(pose.rotation).x_axis;
            let yaw = libm::atan2f(x.y, x.x);
            // Actions of a policy jitter: their speed is a mean over some ticks.
            let velocity = (pose.translation - before.at) / STEP_SECS;
            command.velocity = before.velocity.lerp(velocity, 0.2).clamp_length_max(SPEED);
            let yaw_speed = (yaw - before.yaw) / STEP_SECS;
            let mixed = before.yaw_speed + 0.2 * (yaw_speed - before.yaw_speed);
            command.yaw_speed = mixed.clamp(-TURN, TURN);
            (command.at, command.yaw, command.opening) = (pose.translation, yaw, opening);
        }
    }

    /// Moves the commands of both arms by this much, as a disturbance does.
    pub fn disturb(&mut self, by: [Vec3; ARMS]) {
        for (command, by) in self.commands.iter_mut().zip(by) {
            command.at += by;
        }
    }

    /// The action of this tick: where both wrists should be in the next, and the completed share.
    #[must_use]
    pub fn act(&mut self, setup: &Setup, world: &World) -> [f32; ACTION] {
        let view = View { setup, world, robot: self.robot };
        let advice = advise(&view, self.side);
        self.last = Some(advice.goal);
        self.before = self.commands;
        let mut action = [0.0; ACTION];
        for side in 0..ARMS {
            let goal = if side == self.side { advice.goal } else { at_home(side) };
            let command = &mut self.commands[side];
            command.approach(&goal, view.tool(side).translation);
            let pose = downward(command.at, command.yaw);
            let wrist = wrist::encode(&pose, command.opening);
            action[side * WRIST..(side + 1) * WRIST].copy_from_slice(&wrist);
        }
        action[ACTION - 1] = advice.done.clamp(0.0, 1.0);
        action
    }

    /// What the last [`Expert::act`] went for, and where that is, for training: numbers near 1.
    #[must_use]
    pub fn marks(&self, setup: &Setup, world: &World) -> [f32; MARKS] {
        let view = View { setup, world, robot: self.robot };
        let goal = self.last.unwrap_or_else(|| at_home(self.side));
        marks::marks(&view, self.side, &goal)
    }
}

/// Which arm does the task.
fn side_of(setup: &Setup, world: &World, robot: usize) -> usize {
    match setup.task {
        Task::OpenDrawer | Task::CloseDrawer | Task::PutInDrawer => 1,
        Task::OpenFridge | Task::CloseFridge | Task::PutInFridge => 0,
        Task::PickPlace | Task::Handover => {
            let view = View { setup, world, robot };
            usize::from(view.item().translation.y < 0.0)
        }
    }
}

fn advise(view: &View, side: usize) -> Advice {
    match view.setup.task {
        Task::PickPlace => carry::to_place(view, side),
        Task::OpenDrawer => handles::open_drawer(view, side),
        Task::CloseDrawer => handles::close_drawer(view, side),
        Task::PutInDrawer => carry::to_drawer(view, side),
        Task::OpenFridge => handles::open_fridge(view, side),
        Task::CloseFridge => handles::close_fridge(view, side),
        Task::PutInFridge => carry::to_fridge(view, side),
        Task::Handover if view.robot == 0 => handover::give(view, side),
        Task::Handover => handover::receive(view, side),
    }
}

fn at_home(side: usize) -> Goal {
    let at = home(if side == 0 { 1.0 } else { -1.0 }).translation;
    Goal { at, yaw: 0.0, opening: 1.0, speed: SPEED }
}

impl Command {
    /// One tick towards a goal: as fast as allowed, but so that it can stop there.
    fn approach(&mut self, goal: &Goal, tool: Vec3) {
        let way = goal.at - self.at;
        let distance = way.length();
        let braking = (1.6 * ACCELERATION * distance).sqrt();
        let speed = goal.speed.min(braking).min(distance / STEP_SECS);
        let wanted = way.normalize_or_zero() * speed;
        let change = (wanted - self.velocity).clamp_length_max(ACCELERATION * STEP_SECS);
        self.velocity += change;
        self.at += self.velocity * STEP_SECS;
        // What blocks the tool must not wind the command up.
        self.at = tool + (self.at - tool).clamp_length_max(LEAD);

        let turn = goal.yaw - self.yaw;
        let braking = (1.6 * TURN_ACCELERATION * turn.abs()).sqrt();
        let speed = TURN.min(braking).min(turn.abs() / STEP_SECS) * turn.signum();
        let most = TURN_ACCELERATION * STEP_SECS;
        self.yaw_speed += (speed - self.yaw_speed).clamp(-most, most);
        self.yaw += self.yaw_speed * STEP_SECS;

        let most = 0.7 * OPENING_VELOCITY * STEP_SECS;
        self.opening += (goal.opening - self.opening).clamp(-most, most);
    }
}
