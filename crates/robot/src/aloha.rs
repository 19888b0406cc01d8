//! The two tasks of `gym-aloha` on its own models, in MuJoCo: to hand a cube over, and to put a peg into a
//! socket.
//!
//! The models come with the Python package of that name (Apache-2.0) and are not part of this project:
//! `pip download --no-deps gym-aloha==0.1.5`, unpack the wheel, and name its folder
//! `gym_aloha/assets`. Actions, rates, starting positions and rewards are those of the package: 50 Hz,
//! fourteen numbers, reward 4 is success.

mod expert;
mod player;
mod record;
mod view;

use std::path::Path;
use std::sync::Arc;

use mujoco_rs::prelude::{MjData, MjModel, MjtObjBase};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rapier3d::glamx::{Pose3, Quat, Vec3};

pub use expert::{Outcome, demonstrate};
pub use player::Player;
pub use record::{Recording, record};
pub use view::View;

use crate::error::{Error, Result};

/// Actions and states: for each arm six angles in radians and an opening from 0 to 1, left arm first.
pub const ACTION: usize = 14;
/// Actions of an episode, at 50 Hz: as in ACT's evaluation.
pub const N_STEPS: usize = 400;
/// Reward of success.
pub const SUCCESS: u8 = 4;
/// Actions a second.
pub const RATE_HZ: u32 = 50;
/// The package's camera that policies look through.
pub const CAMERA: &str = "top";
/// Seeds from this one on are for evaluations: none of them is recorded.
pub const HELD_OUT: u64 = 100_000;

/// Steps of physics, of 2 ms, in one action.
const SUBSTEPS: usize = 10;
/// Joints of an arm in MuJoCo: six and two fingers.
const N_JOINTS: usize = 8;
/// Where each arm starts.
const START: [f64; N_JOINTS] = [0.0, -0.96, 1.16, 0.0, -0.3, 0.0, 0.02239, -0.02239];
/// A finger's position with the gripper shut and open, in metres.
const FINGER: [f64; 2] = [0.01844, 0.058];

/// One of the package's tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlohaTask {
    /// The right arm picks a cube up and hands it to the left arm.
    TransferCube,
    /// The right arm puts a peg into a socket that the left arm holds, both off the table.
    Insertion,
}

impl AlohaTask {
    /// Both.
    pub const ALL: [Self; 2] = [Self::TransferCube, Self::Insertion];

    /// The package's name for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::TransferCube => "transfer_cube",
            Self::Insertion => "insertion",
        }
    }

    /// The task of that name.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] where there is none.
    pub fn parse(name: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|task| task.name() == name);
        found.ok_or_else(|| {
            Error::config("gym-aloha", format!("no task `{name}`: use transfer_cube or insertion"))
        })
    }

    /// What a policy is told to do.
    #[must_use]
    pub fn instruction(self) -> &'static str {
        match self {
            Self::TransferCube => "pick up the red cube and give it to the other hand",
            Self::Insertion => "pick up the red stick and put it into the other hand's box",
        }
    }

    /// Where objects lie at first, at random as in the package: x and y ranges of each.
    fn places(self) -> &'static [[f64; 4]] {
        match self {
            Self::TransferCube => &[[0.0, 0.2, 0.4, 0.6]],
            Self::Insertion => &[[0.1, 0.2, 0.4, 0.6], [-0.2, -0.1, 0.4, 0.6]],
        }
    }
}

/// An environment of the package.
#[derive(Debug)]
pub struct Aloha {
    task: AlohaTask,
    data: MjData<Arc<MjModel>>,
    /// For kinematics without motion.
    scratch: MjData<Arc<MjModel>>,
    /// Bodies of the left and right gripper.
    grippers: [usize; 2],
    geoms: Vec<String>,
}

impl Aloha {
    /// Loads a task's model from the package's folder of assets.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] where the model is not there or is another one.
    pub fn new(task: AlohaTask, assets: &Path) -> Result<Self> {
        let path = assets.join(format!("bimanual_viperx_{}.xml", task.name()));
        let wrong = |reason: &dyn std::fmt::Display| {
            let reason = reason.to_string().replace('\n', " ");
            Error::config("gym-aloha", format!("{}: {reason}", path.display()))
        };
        if !path.is_file() {
            return Err(wrong(&"no such file; name the folder gym_aloha/assets of the package"));
        }
        let model = MjModel::from_xml(&path).map_err(|error| wrong(&error))?;
        let model = Arc::new(model);
        let find = |name: &str| {
            let body = model.name_to_id(MjtObjBase::mjOBJ_BODY, name);
            body.ok_or_else(|| wrong(&format!("no body `{name}`")))
        };
        let grippers = [find("vx300s_left/gripper_link")?, find("vx300s_right/gripper_link")?];
        let n_positions = 2 * N_JOINTS + 7 * task.places().len();
        let data = MjData::try_new(model.clone()).map_err(|error| wrong(&error))?;
        let scratch = MjData::try_new(model.clone()).map_err(|error| wrong(&error))?;
        if data.qpos().len() != n_positions || data.ctrl().len() != 2 * N_JOINTS {
            return Err(wrong(&"another model than that of gym-aloha 0.1"));
        }
        let name = |geom| model.id_to_name(MjtObjBase::mjOBJ_GEOM, geom).unwrap_or("").to_owned();
        let geoms = (0..model.geom_bodyid().len()).map(name).collect();
        Ok(Self { task, data, scratch, grippers, geoms })
    }

    /// Which task it is.
    #[must_use]
    pub fn task(&self) -> AlohaTask {
        self.task
    }

    /// Starts an episode: arms at their start, objects where the seed says.
    pub fn reset(&mut self, seed: u64) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        self.data.reset();
        let positions = self.data.qpos_mut();
        for arm in positions[..2 * N_JOINTS].chunks_exact_mut(N_JOINTS) {
            arm.copy_from_slice(&START);
        }
        let objects = positions[2 * N_JOINTS..].chunks_exact_mut(7);
        for (object, [x0, x1, y0, y1]) in objects.zip(self.task.places()) {
            let x = x0 + (x1 - x0) * rng.random::<f64>();
            let y = y0 + (y1 - y0) * rng.random::<f64>();
            object.copy_from_slice(&[x, y, 0.05, 1.0, 0.0, 0.0, 0.0]);
        }
        for arm in self.data.ctrl_mut().chunks_exact_mut(N_JOINTS) {
            arm.copy_from_slice(&START);
        }
        self.data.forward();
    }

    /// Executes an action for 20 ms; gives the reward then, from 0 to [`SUCCESS`].
    pub fn step(&mut self, action: &[f32; ACTION]) -> u8 {
        let arms = self.data.ctrl_mut().chunks_exact_mut(N_JOINTS);
        for (control, action) in arms.zip(action.chunks_exact(ACTION / 2)) {
            for (control, &angle) in control.iter_mut().zip(&action[..6]) {
                *control = f64::from(angle);
            }
            let finger = FINGER[0] + (FINGER[1] - FINGER[0]) * f64::from(action[6]);
            control[6] = finger;
            control[7] = -finger;
        }
        self.data.step2();
        for _ in 1..SUBSTEPS {
            self.data.step();
        }
        self.data.step1();
        self.reward()
    }

    /// What the package's observation calls `qpos`.
    #[must_use]
    pub fn state(&self) -> [f32; ACTION] {
        let mut state = [0.0; ACTION];
        let arms = self.data.qpos()[..2 * N_JOINTS].chunks_exact(N_JOINTS);
        for (state, arm) in state.chunks_exact_mut(ACTION / 2).zip(arms) {
            for (state, &angle) in state.iter_mut().zip(&arm[..6]) {
                *state = single(angle);
            }
            state[6] = single((arm[6] - FINGER[0]) / (FINGER[1] - FINGER[0]));
        }
        state
    }

    /// Where an object is: the cube, or the peg and then the socket.
    #[must_use]
    pub fn object(&self, idx: usize) -> Pose3 {
        let at = 2 * N_JOINTS + 7 * idx;
        let [x, y, z, w, i, j, k] =
            std::array::from_fn(|value| single(self.data.qpos()[at + value]));
        Pose3::from_parts(Vec3::new(x, y, z), Quat::from_xyzw(i, j, k, w))
    }

    /// Whether some geom whose name begins with `one` touches some whose name begins with `other`.
    #[must_use]
    pub fn touching(&self, one: &str, other: &str) -> bool {
        let name = |geom: i32| {
            usize::try_from(geom).ok().and_then(|geom| self.geoms.get(geom)).map_or("", |name| name)
        };
        self.data.contact().iter().any(|contact| {
            let (a, b) = (name(contact.geom1), name(contact.geom2));
            (a.starts_with(one) && b.starts_with(other))
                || (a.starts_with(other) && b.starts_with(one))
        })
    }

    /// The package's reward, by what touches what.
    fn reward(&self) -> u8 {
        const LEFT: &str = "vx300s_left/10_left_gripper_finger";
        const RIGHT: &str = "vx300s_right/10_right_gripper_finger";
        let mut reward = 0;
        let mut is = |holds: bool, value: u8| {
            if holds {
                reward = value;
            }
        };
        match self.task {
            AlohaTask::TransferCube => {
                let (left, right) =
                    (self.touching("red_box", LEFT), self.touching("red_box", RIGHT));
                let lifted = !self.touching("red_box", "table");
                is(right, 1);
                is(right && lifted, 2);
                is(left, 3);
                is(left && lifted, SUCCESS);
            }
            AlohaTask::Insertion => {
                let both = self.touching("red_peg", RIGHT) && self.touching("socket-", LEFT);
                let lifted =
                    !self.touching("red_peg", "table") && !self.touching("socket-", "table");
                is(both, 1);
                is(both && lifted, 2);
                is(self.touching("red_peg", "socket-") && lifted, 3);
                is(self.touching("red_peg", "pin"), SUCCESS);
            }
        }
        reward
    }
}

#[allow(clippy::cast_possible_truncation, reason = "metres and radians")]
fn single(value: f64) -> f32 {
    value as f32
}
