//! What a scene is made of: bodies with joints and primitive shapes, as plain data.
//!
//! Both the physics and the rasteriser are built from this description, so that what is seen is what
//! collides. Lengths are in metres, angles in radians, masses in kilograms; the frame is the first
//! robot's own (x forward, y left, z up), with z = 0 at the table's top.

use rapier3d::glamx::{Pose3, Quat, Vec3};

/// A primitive, centred at its own origin.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Shape {
    /// A box of these half extents.
    Cuboid(Vec3),
    /// A cylinder along z: radius, half height.
    Cylinder(f32, f32),
    /// A ball of this radius.
    Ball(f32),
}

impl Shape {
    /// Volume in cubic metres.
    #[must_use]
    pub fn volume(&self) -> f32 {
        match *self {
            Self::Cuboid(half) => 8.0 * half.x * half.y * half.z,
            Self::Cylinder(radius, half) => std::f32::consts::TAU * radius * radius * half,
            Self::Ball(radius) => 4.0 / 3.0 * std::f32::consts::PI * radius.powi(3),
        }
    }

    /// Half extents of the box around it.
    #[must_use]
    pub fn half_extents(&self) -> Vec3 {
        match *self {
            Self::Cuboid(half) => half,
            Self::Cylinder(radius, half) => Vec3::new(radius, radius, half),
            Self::Ball(radius) => Vec3::splat(radius),
        }
    }
}

/// One primitive of a body.
#[derive(Debug, Clone, PartialEq)]
pub struct Geom {
    /// Its form.
    pub shape: Shape,
    /// Where it is in its body's frame.
    pub pose: Pose3,
    /// Its colour.
    pub rgb: [u8; 3],
    /// Whether it touches anything, or is only seen.
    pub solid: bool,
}

impl Geom {
    /// A solid primitive at `at` in its body's frame.
    #[must_use]
    pub fn new(shape: Shape, at: Vec3, rgb: [u8; 3]) -> Self {
        Self { shape, pose: Pose3::from_translation(at), rgb, solid: true }
    }

    /// The same, turned by `rotation`.
    #[must_use]
    pub fn turned(mut self, rotation: Quat) -> Self {
        self.pose.rotation = rotation;
        self
    }

    /// The same, seen only.
    #[must_use]
    pub fn ghost(mut self) -> Self {
        self.solid = false;
        self
    }
}

/// How a body moves against its parent (or against the world).
#[derive(Debug, Clone, PartialEq)]
pub enum Joint {
    /// Not at all.
    Fixed,
    /// In all six ways, as objects do.
    Free,
    /// About an axis of the body's frame, through its origin.
    Hinge(Axis),
    /// Along an axis of the body's frame.
    Slide(Axis),
}

impl Joint {
    /// The axis of a hinge or slide.
    #[must_use]
    pub fn axis(&self) -> Option<&Axis> {
        match self {
            Self::Hinge(axis) | Self::Slide(axis) => Some(axis),
            Self::Fixed | Self::Free => None,
        }
    }

    /// The displacement at which it starts.
    #[must_use]
    pub fn start(&self) -> Pose3 {
        match self {
            Self::Fixed | Self::Free => Pose3::IDENTITY,
            Self::Hinge(axis) => {
                Pose3::from_rotation(Quat::from_axis_angle(axis.direction, axis.start))
            }
            Self::Slide(axis) => Pose3::from_translation(axis.direction * axis.start),
        }
    }
}

/// A joint of one degree of freedom.
#[derive(Debug, Clone, PartialEq)]
pub struct Axis {
    /// Its direction in the body's frame, of length 1.
    pub direction: Vec3,
    /// Smallest and largest position, in radians or metres.
    pub range: [f32; 2],
    /// Where it stands at first.
    pub start: f32,
    /// Dry friction in newtons or newton metres.
    pub friction: f32,
    /// Damping in newton seconds per metre, or newton metre seconds.
    pub damping: f32,
    /// What drives it, if anything.
    pub motor: Option<Motor>,
}

/// A servo: a spring and a damper between a joint and its target, with bounded force.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Motor {
    /// Acceleration a unit of error asks for, in 1/s².
    pub stiffness: f32,
    /// Acceleration a unit of velocity error asks for, in 1/s.
    pub damping: f32,
    /// Largest force in newtons, or torque in newton metres.
    pub max_force: f32,
    /// Inertia of its rotor seen from the joint, in kilograms or kilogram square metres.
    pub armature: f32,
}

/// Which things a body can touch. A pair touches when each lists the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// Table, shells, places.
    Fixture,
    /// Drawer and door.
    Moving,
    /// Things to be handled.
    Object,
    /// Hands and fingers of a robot.
    Hand,
}

/// A rigid body.
#[derive(Debug, Clone, PartialEq)]
pub struct Body {
    /// Its name, unique in the scene.
    pub name: String,
    /// Which body carries it, as an index into the scene; none: the world.
    pub parent: Option<usize>,
    /// Where its frame is in its parent's, with its joint at zero.
    pub pose: Pose3,
    /// How it moves.
    pub joint: Joint,
    /// Its form and colour.
    pub geoms: Vec<Geom>,
    /// Its mass in kilograms (of no account where it is fixed to the world).
    pub mass: f32,
    /// Where its mass is; none: as of one box around its shapes.
    pub inertial: Option<Inertial>,
    /// What it can touch.
    pub group: Group,
    /// Coulomb friction of its surface.
    pub friction: f32,
    /// Whether gravity pulls it. Arms hold their own weight.
    pub weighs: bool,
}

impl Body {
    /// How its mass is spread: as said, or as of one box around all shapes, which is near enough for
    /// balls and cylinders and gives every body an inertia about every axis.
    #[must_use]
    pub fn spread(&self) -> Inertial {
        self.inertial.unwrap_or_else(|| self.boxed())
    }

    fn boxed(&self) -> Inertial {
        let volume: f32 = self.geoms.iter().map(|geom| geom.shape.volume()).sum();
        let (mut centre, mut low, mut high) =
            (Vec3::ZERO, Vec3::splat(f32::MAX), Vec3::splat(f32::MIN));
        for geom in &self.geoms {
            centre += geom.pose.translation * (geom.shape.volume() / volume);
            let half = geom.shape.half_extents();
            for corner in 0..8 {
                let sign = |bit: usize| if corner >> bit & 1 == 0 { -1.0 } else { 1.0 };
                let point = geom.pose * (half * Vec3::new(sign(0), sign(1), sign(2)));
                low = low.min(point);
                high = high.max(point);
            }
        }
        let size = if self.geoms.is_empty() { Vec3::splat(0.05) } else { high - low };
        let square = size * size;
        let moments = Vec3::new(square.y + square.z, square.x + square.z, square.x + square.y)
            * (self.mass / 12.0);
        Inertial { frame: Pose3::from_translation(centre), moments }
    }
}

/// How the mass of a body is spread.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Inertial {
    /// The centre of mass, and which way the principal axes point, in the body's frame.
    pub frame: Pose3,
    /// Moments of inertia about these axes, in kilogram square metres.
    pub moments: Vec3,
}

/// The friction of two bodies that touch, from that of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FrictionRule {
    /// The mean of both.
    #[default]
    Mean,
    /// The larger one, as MuJoCo has it.
    Larger,
}

/// Two joints that move as one: the second is always at the position of the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Coupling {
    /// Body of the joint that leads.
    pub leader: usize,
    /// Body of the joint that follows.
    pub follower: usize,
}

/// Everything that is in a world, before it moves.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Scene {
    /// All bodies; a parent comes before its children.
    pub bodies: Vec<Body>,
    /// Joints that move as one.
    pub couplings: Vec<Coupling>,
    /// What friction two bodies have together.
    pub friction_rule: FrictionRule,
}

impl Scene {
    /// Adds a body and returns its index.
    pub fn add(&mut self, body: Body) -> usize {
        self.bodies.push(body);
        self.bodies.len() - 1
    }

    /// Where every body is at first: joints stand where [`Axis::start`] says.
    #[must_use]
    pub fn start_poses(&self) -> Vec<Pose3> {
        let mut poses: Vec<Pose3> = Vec::with_capacity(self.bodies.len());
        for body in &self.bodies {
            let parent = body.parent.map_or(Pose3::IDENTITY, |parent| poses[parent]);
            poses.push(parent * body.pose * body.joint.start());
        }
        poses
    }

    /// The body from which a body hangs, which stands on the world itself.
    #[must_use]
    pub fn root(&self, mut body: usize) -> usize {
        while let Some(parent) = self.bodies[body].parent {
            body = parent;
        }
        body
    }

    /// Whether a body can never move.
    #[must_use]
    pub fn is_static(&self, mut body: usize) -> bool {
        loop {
            match (&self.bodies[body].joint, self.bodies[body].parent) {
                (Joint::Fixed, Some(parent)) => body = parent,
                (joint, _) => return *joint == Joint::Fixed,
            }
        }
    }

    /// The body of this name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<usize> {
        self.bodies.iter().position(|body| body.name == name)
    }
}
