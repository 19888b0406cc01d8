//! The world: a robot's body at a table, what lies and stands there, its cameras.
//!
//! A [`Scene`] says what there is, a [`Physics`] moves it in steps of 5 ms, [`World`] speaks to the rest
//! in the terms of [`interface`](crate::interface): joint targets in, states and pictures out.
//!
//! *Simplified:* only hands and fingers touch other things, upper arms and forearms pass through; arms
//! carry their own weight; rolling is slowed by the air.

pub mod arm;
pub mod body;
pub mod driver;
pub mod mjcf;
#[cfg(feature = "mujoco")]
pub mod mujoco;
pub mod physics;
pub mod rapier;
pub mod scene;
pub mod stage;
pub mod wrist;

#[cfg(test)]
mod tests;

pub use rapier3d::glamx::{Pose3, Quat, Vec3};

pub use arm::Arm;
pub use body::RobotBodies;
pub use driver::{Driver, limits};
#[cfg(feature = "mujoco")]
pub use mujoco::Mujoco;
pub use physics::Physics;
pub use rapier::Rapier;
pub use scene::{Body, Geom, Inertial, Scene, Shape};

use crate::interface::{ARM_JOINTS, ARMS, STATE, WRIST};
use crate::raster::{Models, Raster};

/// What the joints of a robot shall do, or do.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Joints {
    /// Angles of both arms, in radians.
    pub angles: [[f32; ARM_JOINTS]; ARMS],
    /// Openings of both grippers, from 0 (shut) to 1 (open).
    pub openings: [f32; ARMS],
}

/// Samples along each side of a pixel.
const SAMPLES: usize = 2;

/// A scene in motion, with its robots and their cameras.
pub struct World {
    physics: Box<dyn Physics>,
    robots: Vec<RobotBodies>,
    arms: [Arm; ARMS],
    targets: Vec<Joints>,
    models: Models,
    rasters: [Raster; 3],
    poses: Vec<Pose3>,
    ticks: u64,
}

impl World {
    /// A world at rest, with the embedded engine.
    #[must_use]
    pub fn new(scene: &Scene, robots: Vec<RobotBodies>) -> Self {
        Self::with_physics(scene, robots, Box::new(Rapier::new(scene)))
    }

    /// A world moved by another engine that was built from the same scene.
    #[must_use]
    pub fn with_physics(
        scene: &Scene,
        robots: Vec<RobotBodies>,
        physics: Box<dyn Physics>,
    ) -> Self {
        let rasters =
            body::cameras().map(|camera| Raster::new(camera.width, camera.height, SAMPLES));
        let mut world = Self {
            physics,
            robots,
            arms: [Arm::new(1.0), Arm::new(-1.0)],
            targets: Vec::new(),
            models: Models::new(scene),
            rasters,
            poses: vec![Pose3::IDENTITY; scene.bodies.len()],
            ticks: 0,
        };
        world.targets = (0..world.robots.len()).map(|robot| world.joints(robot)).collect();
        world
    }

    /// How the scene is lit and what is behind it.
    pub fn models_mut(&mut self) -> &mut Models {
        &mut self.models
    }

    /// Robots in it.
    #[must_use]
    pub fn n_robots(&self) -> usize {
        self.robots.len()
    }

    /// Ticks since the beginning.
    #[must_use]
    pub fn ticks(&self) -> u64 {
        self.ticks
    }

    /// What moves it, for those who may see more than a robot does: experts and judges.
    #[must_use]
    pub fn physics(&self) -> &dyn Physics {
        self.physics.as_ref()
    }

    /// Advances by one tick of 5 ms with one set of joint targets a robot.
    pub fn step(&mut self, targets: &[Joints]) {
        for ((bodies, before), targets) in self.robots.iter().zip(&mut self.targets).zip(targets) {
            for side in 0..ARMS {
                let arm = &bodies.arms[side];
                let pairs = arm.links.iter().zip(&targets.angles[side]).zip(&before.angles[side]);
                for ((&link, &target), &before) in pairs {
                    // The speed is given along with the place, so that a servo does not trail behind.
                    let velocity = (target - before) / physics::STEP_SECS;
                    self.physics.set_target(link, target, velocity);
                }
                let half_gap = 0.5 * arm::GAP * targets.openings[side].clamp(0.0, 1.0);
                for finger in arm.fingers {
                    self.physics.set_target(finger, half_gap, 0.0);
                }
            }
            *before = *targets;
        }
        self.physics.step();
        self.ticks += 1;
    }

    /// The joints of a robot as they are.
    #[must_use]
    pub fn joints(&self, robot: usize) -> Joints {
        let arms = &self.robots[robot].arms;
        let openings = [0, 1].map(|side: usize| {
            let gap: f32 =
                arms[side].fingers.iter().map(|&finger| self.physics.joint(finger).0).sum();
            gap / arm::GAP
        });
        let angles =
            [0, 1].map(|side: usize| arms[side].links.map(|link| self.physics.joint(link).0));
        Joints { angles, openings }
    }

    /// Where the tool of an arm is in its robot's frame.
    #[must_use]
    pub fn tool(&self, robot: usize, side: usize) -> Pose3 {
        let hand = self.robots[robot].arms[side].links[ARM_JOINTS - 1];
        self.robots[robot].base.inverse() * self.physics.pose(hand) * self.arms[side].tool
    }

    /// What a robot feels of itself: both wrists (in its own frame), then its arm joints.
    #[must_use]
    pub fn state(&self, robot: usize) -> [f32; STATE] {
        let joints = self.joints(robot);
        let mut state = [0.0; STATE];
        for side in 0..ARMS {
            let wrist = wrist::encode(&self.tool(robot, side), joints.openings[side]);
            state[side * WRIST..(side + 1) * WRIST].copy_from_slice(&wrist);
            let at = ARMS * WRIST + side * ARM_JOINTS;
            state[at..at + ARM_JOINTS].copy_from_slice(&joints.angles[side]);
        }
        state
    }

    /// What the cameras of a robot see now, in the order of [`body::cameras`], each into its own buffer
    /// of three bytes a pixel.
    ///
    /// # Panics
    ///
    /// Where a buffer is not of its camera's size.
    pub fn look(&mut self, robot: usize, pictures: &mut [Vec<u8>; 3]) {
        for (body, pose) in self.poses.iter_mut().enumerate() {
            *pose = self.physics.pose(body);
        }
        let bodies = &self.robots[robot];
        let (head, wrist) = (body::head_lens(), body::wrist_lens());
        let hands = [0, 1].map(|side: usize| self.poses[bodies.arms[side].links[ARM_JOINTS - 1]]);
        let views = [
            (bodies.base * head.pose, head.width_rads),
            (hands[0] * wrist.pose, wrist.width_rads),
            (hands[1] * wrist.pose, wrist.width_rads),
        ];
        for ((raster, (camera, width_rads)), rgb) in
            self.rasters.iter_mut().zip(views).zip(pictures)
        {
            raster.draw(&self.models, &self.poses, &camera, width_rads);
            raster.rgb(rgb);
        }
    }

    /// A picture of the whole world from `eye` towards `target`, for people.
    #[must_use]
    pub fn photograph(&self, eye: Vec3, target: Vec3, width: usize, height: usize) -> Vec<u8> {
        let poses: Vec<Pose3> = (0..self.poses.len()).map(|body| self.physics.pose(body)).collect();
        let mut raster = Raster::new(width, height, 2);
        raster.draw(&self.models, &poses, &body::look_at(eye, target, Vec3::Z), 0.9);
        let mut rgb = vec![0; width * height * 3];
        raster.rgb(&mut rgb);
        rgb
    }
}

/// Empty buffers for [`World::look`].
#[must_use]
pub fn picture_buffers() -> [Vec<u8>; 3] {
    body::cameras().map(|camera| vec![0; camera.bytes()])
}
