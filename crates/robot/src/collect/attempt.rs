//! Policies at work on one setup, in simulated time.

use super::Outcome;
use crate::experts::Expert;
use crate::interface::{ACTION, MARKS, STATE, TICKS_PER_FRAME, TICKS_PER_SECOND};
use crate::tasks::{Judge, Setup};
use crate::world::{Driver, World, picture_buffers};

/// What one robot's policy may know at a tick.
pub struct Seen<'a> {
    /// Ticks since the beginning.
    pub tick: u32,
    /// Which robot.
    pub robot: usize,
    /// What it was told.
    pub instruction: &'a str,
    /// What it feels.
    pub state: &'a [f32; STATE],
    /// What its cameras saw last.
    pub pictures: &'a [Vec<u8>; 3],
    /// Whether these pictures are new.
    pub is_new: bool,
    /// What the expert would do here, where experts were asked to watch: an answer to learn from, not
    /// to act by.
    pub expert: Option<&'a [f32; ACTION]>,
    /// What the tick is about, where experts watch.
    pub marks: Option<&'a [f32; MARKS]>,
    /// The world, for records and judges.
    pub world: &'a World,
}

/// Lets a policy act until the task is done or its time is over. The policy is asked for each robot in
/// each tick; a robot whose policy gives no action, or one that no body can follow, stays where its last
/// targets are. With `with_experts` experts watch and say what they would do.
pub fn attempt(
    setup: &Setup,
    with_experts: bool,
    policy: &mut dyn FnMut(&Seen) -> Option<[f32; ACTION]>,
) -> Outcome {
    let mut world = setup.world();
    let n_robots = world.n_robots();
    let mut drivers: Vec<Driver> =
        (0..n_robots).map(|robot| Driver::new(world.joints(robot))).collect();
    let mut targets: Vec<_> = (0..n_robots).map(|robot| world.joints(robot)).collect();
    let mut experts: Vec<Expert> = if with_experts {
        (0..n_robots).map(|robot| Expert::new(setup, &world, robot)).collect()
    } else {
        Vec::new()
    };
    let mut pictures = vec![picture_buffers(); n_robots];
    let mut judge = Judge::default();
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "some thousand ticks"
    )]
    let limit = (setup.task.limit_secs() * TICKS_PER_SECOND as f32) as u32;
    for tick in 0..limit {
        let is_new = tick % TICKS_PER_FRAME == 0;
        for robot in 0..n_robots {
            if is_new {
                world.look(robot, &mut pictures[robot]);
            }
            let state = world.state(robot);
            let expert = experts.get_mut(robot).map(|expert| expert.act(setup, &world));
            let marks = experts.get(robot).map(|expert| expert.marks(setup, &world));
            let action = policy(&Seen {
                tick,
                robot,
                instruction: &setup.instructions[robot],
                state: &state,
                pictures: &pictures[robot],
                is_new,
                expert: expert.as_ref(),
                marks: marks.as_ref(),
                world: &world,
            });
            let Some(action) = action else { continue };
            if let Ok(joints) = drivers[robot].targets(&action) {
                targets[robot] = joints;
                let is_own = expert.as_ref() == Some(&action);
                if let Some(expert) = experts.get_mut(robot).filter(|_| !is_own) {
                    expert.follow(&action);
                }
            }
        }
        world.step(&targets);
        if judge.watch(setup, &world) {
            return Outcome { success: true, n_ticks: tick + 1 };
        }
    }
    Outcome { success: false, n_ticks: limit }
}
