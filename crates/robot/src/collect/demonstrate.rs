//! Experts at work on one setup.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rapier3d::glamx::Vec3;

use crate::experts::Expert;
use crate::interface::{ACTION, ARMS, MARKS, STATE, TICKS_PER_FRAME, TICKS_PER_SECOND};
use crate::tasks::{Judge, Setup};
use crate::world::physics::STEP_SECS;
use crate::world::{Driver, World, picture_buffers};

/// One tick of all robots: what they felt and saw, and what their experts wanted then.
pub struct Tick<'a> {
    /// States before the tick, one a robot.
    pub states: &'a [[f32; STATE]],
    /// The experts' actions for the tick.
    pub actions: &'a [[f32; ACTION]],
    /// What the tick is about, for training.
    pub marks: &'a [[f32; MARKS]],
    /// What the cameras saw before the tick, on ticks with a new frame, where pictures are wanted.
    pub pictures: Option<&'a [[Vec<u8>; 3]]>,
    /// The world before the tick.
    pub world: &'a World,
}

/// How a demonstration ended.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Outcome {
    /// Whether the task was done.
    pub success: bool,
    /// Ticks it took, or the limit.
    pub n_ticks: u32,
}

/// Ticks shown after the end, so that staying where one is can be learned: 0.3 s.
const REST_TICKS: u32 = 60;
/// How long a disturbance pushes one way, in seconds.
const MEMORY_SECS: f32 = 0.25;

/// Lets experts do the task of a setup, from the same beginning always the same way. Random pushes of
/// about `disturbance` metres per second lead the commands astray; the actions shown are what experts
/// answer, not the pushes. Pictures are drawn only `with_pictures`; nothing else depends on them.
pub fn demonstrate(
    setup: &Setup,
    disturbance: f32,
    with_pictures: bool,
    observer: &mut dyn FnMut(Tick),
) -> Outcome {
    demonstrate_in(setup.world(), setup, disturbance, with_pictures, observer)
}

/// The same in a world of this setup with another engine.
pub fn demonstrate_in(
    mut world: World,
    setup: &Setup,
    disturbance: f32,
    with_pictures: bool,
    observer: &mut dyn FnMut(Tick),
) -> Outcome {
    let n_robots = world.n_robots();
    let mut experts: Vec<Expert> =
        (0..n_robots).map(|robot| Expert::new(setup, &world, robot)).collect();
    let mut drivers: Vec<Driver> =
        (0..n_robots).map(|robot| Driver::new(world.joints(robot))).collect();
    let mut rng = ChaCha8Rng::seed_from_u64(setup.seed);
    rng.set_stream(u64::MAX);
    let mut pushes = vec![[Vec3::ZERO; ARMS]; n_robots];
    let mut judge = Judge::default();
    let mut pictures = vec![picture_buffers(); n_robots];
    let mut states = vec![[0.0; STATE]; n_robots];
    let mut actions = vec![[0.0; ACTION]; n_robots];
    let mut marks = vec![[0.0; MARKS]; n_robots];
    let mut n_rest = 0;
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "some thousand ticks"
    )]
    let limit = (setup.task.limit_secs() * TICKS_PER_SECOND as f32) as u32;
    for tick in 0..limit {
        let frame = with_pictures && tick % TICKS_PER_FRAME == 0;
        for robot in 0..n_robots {
            if frame {
                world.look(robot, &mut pictures[robot]);
            }
            states[robot] = world.state(robot);
            actions[robot] = experts[robot].act(setup, &world);
            marks[robot] = experts[robot].marks(setup, &world);
        }
        observer(Tick {
            states: &states,
            actions: &actions,
            marks: &marks,
            pictures: frame.then_some(pictures.as_slice()),
            world: &world,
        });
        let mut targets = Vec::with_capacity(n_robots);
        for (driver, action) in drivers.iter_mut().zip(&actions) {
            match driver.targets(action) {
                Ok(joints) => targets.push(joints),
                // An expert that asks for no pose has lost its way.
                Err(_) => return Outcome { success: false, n_ticks: tick },
            }
        }
        world.step(&targets);
        if disturbance > 0.0 {
            for (expert, pushes) in experts.iter_mut().zip(&mut pushes) {
                for push in pushes.iter_mut() {
                    *push = next_push(*push, disturbance, &mut rng);
                }
                expert.disturb(pushes.map(|push| push * STEP_SECS));
            }
        }
        let finished = actions.iter().all(|action| action[ACTION - 1] >= 1.0);
        if judge.watch(setup, &world) && finished {
            n_rest += 1;
        } else {
            n_rest = 0;
        }
        if n_rest >= REST_TICKS {
            return Outcome { success: true, n_ticks: tick + 1 };
        }
    }
    Outcome { success: false, n_ticks: limit }
}

/// An Ornstein-Uhlenbeck step: forgets in [`MEMORY_SECS`], strays by `size`.
fn next_push(push: Vec3, size: f32, rng: &mut ChaCha8Rng) -> Vec3 {
    let keep = 1.0 - STEP_SECS / MEMORY_SECS;
    let spread = size * (1.0 - keep * keep).sqrt();
    // Variance 1 from the sum of three even numbers.
    let mut draw = || (0..3).map(|_| 2.0 * rng.random::<f32>() - 1.0).sum::<f32>();
    push * keep + Vec3::new(draw(), draw(), draw()) * spread
}
