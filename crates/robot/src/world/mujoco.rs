//! The reference engine: MuJoCo, on the same scene, by way of [`mjcf::write`].
//!
//! Only with the feature `mujoco`, which needs `libmujoco` of the version that the bindings name;
//! `scripts/mujoco.sh` fetches it and says what to set. Steps are those of the file, two a tick.

use mujoco_rs::prelude::{MjData, MjModel, MjtObjBase};
use rapier3d::glamx::{Pose3, Quat, Vec3};

use super::mjcf;
use super::physics::{Physics, STEP_SECS};
use super::scene::Scene;
use crate::error::{Error, Result};

/// Surfaces nearer than this touch, in metres: as in the embedded engine.
const TOUCH: f64 = 5e-4;

/// A scene in motion.
pub struct Mujoco {
    data: MjData<Box<MjModel>>,
    bodies: Vec<Handle>,
    /// Body of the scene that each geom belongs to.
    owners: Vec<usize>,
    n_steps: u32,
}

struct Handle {
    body: usize,
    /// Where its position and velocity are.
    joint: Option<(usize, usize)>,
    /// Its control, and how far the target must lead for each unit of velocity: MuJoCo's servos damp
    /// velocity itself, not its error.
    servo: Option<(usize, f64)>,
}

impl Mujoco {
    /// Builds the scene. Joints stand where [`Axis::start`](super::scene::Axis::start) says.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] where MuJoCo refuses the scene, with its own words.
    pub fn new(scene: &Scene) -> Result<Self> {
        let text = mjcf::write(scene, "scene");
        let wrong = |reason: String| Error::config("MuJoCo", reason.replace('\n', " "));
        let model = MjModel::from_xml_string(&text).map_err(|error| wrong(error.to_string()))?;
        let mut data =
            MjData::try_new(Box::new(model)).map_err(|error| wrong(error.to_string()))?;
        let model = data.model();
        let index = |value: i32| usize::try_from(value).unwrap_or(0);
        let mut bodies = Vec::with_capacity(scene.bodies.len());
        for body in &scene.bodies {
            let find = |kind| model.name_to_id(kind, &body.name);
            let id = find(MjtObjBase::mjOBJ_BODY)
                .ok_or_else(|| wrong(format!("it lost the body `{}`", body.name)))?;
            let axis = body.joint.axis();
            let joint = axis
                .and_then(|_| find(MjtObjBase::mjOBJ_JOINT))
                .map(|joint| (index(model.jnt_qposadr()[joint]), index(model.jnt_dofadr()[joint])));
            let motor = axis.and_then(|axis| axis.motor);
            let servo = motor.zip(find(MjtObjBase::mjOBJ_ACTUATOR)).map(|(motor, servo)| {
                let lead = motor.damping / motor.stiffness.max(f32::MIN_POSITIVE);
                (index(model.actuator_ctrladr()[servo]), f64::from(lead))
            });
            bodies.push(Handle { body: id, joint, servo });
        }
        let owner = |id: i32| bodies.iter().position(|body| body.body == index(id));
        let owners =
            model.geom_bodyid().iter().map(|&id| owner(id).unwrap_or(usize::MAX)).collect();
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a few steps, as the written file says"
        )]
        let n_steps = (f64::from(STEP_SECS) / model.opt().timestep).round() as u32;
        if model.name_to_id(MjtObjBase::mjOBJ_KEY, "start").is_some() {
            data.reset_keyframe(0).map_err(|error| wrong(error.to_string()))?;
        }
        data.step1();
        Ok(Self { data, bodies, owners, n_steps })
    }
}

impl Physics for Mujoco {
    fn step(&mut self) {
        for _ in 0..self.n_steps {
            // In this order poses and contacts are those of the newest positions.
            self.data.step2();
            self.data.step1();
        }
    }

    fn set_target(&mut self, body: usize, position: f32, velocity: f32) {
        if let Some((control, lead)) = self.bodies[body].servo {
            self.data.ctrl_mut()[control] = f64::from(position) + lead * f64::from(velocity);
        }
    }

    fn joint(&self, body: usize) -> (f32, f32) {
        let Some((position, velocity)) = self.bodies[body].joint else { return (0.0, 0.0) };
        (single(self.data.qpos()[position]), single(self.data.qvel()[velocity]))
    }

    fn pose(&self, body: usize) -> Pose3 {
        let id = self.bodies[body].body;
        let [w, x, y, z] = self.data.xquat()[id].map(single);
        Pose3::from_parts(vector(&self.data.xpos()[id]), Quat::from_xyzw(x, y, z, w).normalize())
    }

    fn velocity(&self, body: usize) -> (Vec3, Vec3) {
        let id = self.bodies[body].body;
        let both = self.data.object_velocity(MjtObjBase::mjOBJ_BODY, id, false);
        (vector(&both[3..]), vector(&both[..3]))
    }

    fn touching(&self, one: usize, other: usize) -> bool {
        self.data.contact().iter().any(|contact| {
            let owner = |geom: i32| usize::try_from(geom).ok().map(|geom| self.owners[geom]);
            let pair = (owner(contact.geom1), owner(contact.geom2));
            contact.dist < TOUCH
                && (pair == (Some(one), Some(other)) || pair == (Some(other), Some(one)))
        })
    }
}

#[allow(clippy::cast_possible_truncation, reason = "metres and radians")]
fn single(value: f64) -> f32 {
    value as f32
}

fn vector(values: &[f64]) -> Vec3 {
    Vec3::new(single(values[0]), single(values[1]), single(values[2]))
}
