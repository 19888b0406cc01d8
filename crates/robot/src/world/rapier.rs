//! The embedded engine: `rapier3d` with joints in reduced coordinates.
//!
//! Reduced coordinates, because joints held by impulses let a gripped object creep at steps of 5 ms.
//! Every chain that starts at the world gets a fixed root of its own, so that one chain's mass matrix
//! does not hold another's joints.

use rapier3d::dynamics::{MotorModel, MultibodyDofCoupling};
use rapier3d::glamx::{Pose3, Quat, Vec3};
use rapier3d::prelude as rp;

use super::physics::{Physics, STEP_SECS};
use super::scene::{Axis, Body, FrictionRule, Geom, Group, Inertial, Joint, Scene, Shape};

/// Surfaces nearer than this touch, in metres.
const TOUCH: f32 = 5e-4;

/// Damping of turns of loose bodies in 1/s, in place of rolling resistance.
const ROLLING: f32 = 8.0;

/// A scene in motion.
pub struct Rapier {
    pipeline: rp::PhysicsPipeline,
    parameters: rp::IntegrationParameters,
    islands: rp::IslandManager,
    broad_phase: rp::BroadPhaseBvh,
    narrow_phase: rp::NarrowPhase,
    bodies: rp::RigidBodySet,
    colliders: rp::ColliderSet,
    impulse_joints: rp::ImpulseJointSet,
    multibody_joints: rp::MultibodyJointSet,
    soft_bodies: rp::SoftBodySet,
    ccd: rp::CCDSolver,
    handles: Vec<Handle>,
}

#[derive(Clone, Copy)]
struct Handle {
    body: rp::RigidBodyHandle,
    joint: Option<(rp::MultibodyJointHandle, rp::JointAxis)>,
}

impl Rapier {
    /// Builds the scene. Joints stand where [`Axis::start`] says.
    #[must_use]
    pub fn new(scene: &Scene) -> Self {
        let parameters = rp::IntegrationParameters {
            dt: STEP_SECS,
            // Things here are decimetres: the engine's tolerances are meant for metres.
            length_unit: 0.1,
            normalized_prediction_distance: 0.05,
            // Soft contacts let fingers sink millimetres into what they hold.
            contact_softness: rp::SpringCoefficients::new(150.0, 10.0),
            static_contact_softness: rp::SpringCoefficients::new(150.0, 10.0),
            // Recycled contacts report touches that are no more.
            contact_recycling: false,
            ..Default::default()
        };
        let mut engine = Self {
            pipeline: rp::PhysicsPipeline::new(),
            parameters,
            islands: rp::IslandManager::new(),
            broad_phase: rp::BroadPhaseBvh::new(),
            narrow_phase: rp::NarrowPhase::new(),
            bodies: rp::RigidBodySet::new(),
            colliders: rp::ColliderSet::new(),
            impulse_joints: rp::ImpulseJointSet::new(),
            multibody_joints: rp::MultibodyJointSet::new(),
            soft_bodies: rp::SoftBodySet::new(),
            ccd: rp::CCDSolver::new(),
            handles: Vec::with_capacity(scene.bodies.len()),
        };
        let mut world_poses: Vec<Pose3> = Vec::with_capacity(scene.bodies.len());
        for body in &scene.bodies {
            let parent = body.parent.map_or(Pose3::IDENTITY, |parent| world_poses[parent]);
            let pose = parent * body.pose;
            engine.add(body, pose, scene.friction_rule);
            world_poses.push(pose);
        }
        engine.couple(scene);
        engine.place(scene);
        engine
    }

    fn add(&mut self, body: &Body, pose: Pose3, rule: FrictionRule) {
        let fixed = matches!(body.joint, Joint::Fixed) && body.parent.is_none();
        let builder =
            if fixed { rp::RigidBodyBuilder::fixed() } else { rp::RigidBodyBuilder::dynamic() };
        let free = matches!(body.joint, Joint::Free);
        let builder = builder
            .pose(pose)
            .gravity_scale(if body.weighs { 1.0 } else { 0.0 })
            // A joint that sleeps would not follow its servo.
            .can_sleep(free)
            .angular_damping(if free { ROLLING } else { 0.0 });
        let builder =
            if fixed { builder } else { builder.additional_mass_properties(mass_of(body)) };
        let handle = self.bodies.insert(builder);
        let (memberships, filter) = groups(body.group);
        let solid = body.geoms.iter().filter(|geom| geom.solid);
        let feet: Vec<Geom> =
            if free { solid.clone().filter_map(foot_of).collect() } else { Vec::new() };
        for geom in solid.chain(&feet) {
            let collider = rp::ColliderBuilder::new(shape_of(geom))
                .position(pose_of(geom))
                .density(0.0)
                .friction(body.friction)
                .friction_combine_rule(combine_rule(rule))
                .collision_groups(rp::InteractionGroups::new(
                    memberships,
                    filter,
                    rp::InteractionTestMode::And,
                ));
            self.colliders.insert_with_parent(collider, handle, &mut self.bodies);
        }
        let joint = match &body.joint {
            Joint::Fixed if fixed => None,
            Joint::Free => None,
            Joint::Fixed => {
                let joint = rp::FixedJointBuilder::new().local_frame1(body.pose);
                let parent = body.parent.map(|parent| self.handles[parent].body);
                parent.and_then(|parent| {
                    self.multibody_joints.insert(parent, handle, joint.build(), true)
                });
                None
            }
            Joint::Hinge(axis) => Some(self.attach(body, handle, axis, rp::JointAxis::AngX, pose)),
            Joint::Slide(axis) => Some(self.attach(body, handle, axis, rp::JointAxis::LinX, pose)),
        };
        self.handles.push(Handle { body: handle, joint: joint.flatten() });
    }

    fn attach(
        &mut self,
        body: &Body,
        handle: rp::RigidBodyHandle,
        axis: &Axis,
        freedom: rp::JointAxis,
        pose: Pose3,
    ) -> Option<(rp::MultibodyJointHandle, rp::JointAxis)> {
        let (parent, frame) = match body.parent {
            Some(parent) => (self.handles[parent].body, body.pose),
            None => {
                let root = self.bodies.insert(rp::RigidBodyBuilder::fixed().pose(pose));
                (root, Pose3::IDENTITY)
            }
        };
        let turn = Pose3::from_rotation(Quat::from_rotation_arc(Vec3::X, axis.direction));
        let locked = match freedom {
            rp::JointAxis::AngX => rp::JointAxesMask::LOCKED_REVOLUTE_AXES,
            _ => rp::JointAxesMask::LOCKED_PRISMATIC_AXES,
        };
        let mut joint = rp::GenericJointBuilder::new(locked)
            .local_frame1(frame * turn)
            .local_frame2(turn)
            .limits(freedom, axis.range)
            .build();
        if let Some(motor) = axis.motor {
            joint.set_motor_model(freedom, MotorModel::AccelerationBased);
            joint.set_motor(freedom, axis.start, 0.0, motor.stiffness, motor.damping);
            joint.set_motor_max_force(freedom, motor.max_force);
        }
        let joint = self.multibody_joints.insert(parent, handle, joint, true)?;
        let (chain, link) = self.multibody_joints.get_mut(joint)?;
        chain.set_self_contacts_enabled(false);
        let freedom_idx = chain.link(link)?.assembly_id();
        chain.damping_mut()[freedom_idx] = axis.damping;
        chain.frictions_mut()[freedom_idx] = axis.friction;
        chain.armature_mut()[freedom_idx] = axis.motor.map_or(0.0, |motor| motor.armature);
        Some((joint, freedom))
    }

    fn couple(&mut self, scene: &Scene) {
        for coupling in &scene.couplings {
            let (Some((leader, axis1)), Some((follower, axis2))) =
                (self.handles[coupling.leader].joint, self.handles[coupling.follower].joint)
            else {
                continue;
            };
            let Some((_, link2)) = self.multibody_joints.get(follower) else { continue };
            let Some((chain, link1)) = self.multibody_joints.get_mut(leader) else { continue };
            chain.add_dof_coupling(MultibodyDofCoupling {
                link1,
                dof1: 0,
                axis1: axis1 as usize,
                link2,
                dof2: 0,
                axis2: axis2 as usize,
                coeff: 1.0,
                offset: 0.0,
            });
        }
    }

    /// Moves every joint to where it starts.
    fn place(&mut self, scene: &Scene) {
        for (body, handle) in scene.bodies.iter().zip(&self.handles) {
            let (Joint::Hinge(axis) | Joint::Slide(axis), Some((joint, _))) =
                (&body.joint, handle.joint)
            else {
                continue;
            };
            let Some((chain, link)) = self.multibody_joints.get_mut(joint) else { continue };
            let mut displacement = vec![0.0; chain.ndofs()];
            if let Some(link) = chain.link(link) {
                displacement[link.assembly_id()] = axis.start;
            }
            chain.apply_displacements(&displacement);
            chain.forward_kinematics(&self.bodies, true);
            chain.update_rigid_bodies(&mut self.bodies, true);
        }
    }
}

impl Physics for Rapier {
    fn step(&mut self) {
        self.pipeline.step(
            Vec3::new(0.0, 0.0, -9.81),
            &self.parameters,
            &mut self.islands,
            &mut self.broad_phase,
            &mut self.narrow_phase,
            &mut self.bodies,
            &mut self.colliders,
            &mut self.impulse_joints,
            &mut self.multibody_joints,
            &mut self.soft_bodies,
            &mut self.ccd,
            &(),
            &(),
        );
    }

    fn set_target(&mut self, body: usize, position: f32, velocity: f32) {
        let Some((joint, freedom)) = self.handles[body].joint else { return };
        let Some((chain, link)) = self.multibody_joints.get_mut(joint) else { return };
        if let Some(link) = chain.link_mut(link) {
            let motor = &mut link.joint.data.motors[freedom as usize];
            motor.target_pos = position;
            motor.target_vel = velocity;
        }
    }

    fn joint(&self, body: usize) -> (f32, f32) {
        let Some((joint, freedom)) = self.handles[body].joint else { return (0.0, 0.0) };
        let Some((chain, link)) = self.multibody_joints.get(joint) else { return (0.0, 0.0) };
        let Some(link) = chain.link(link) else { return (0.0, 0.0) };
        let velocity = chain.generalized_velocity()[link.assembly_id()];
        (link.joint().coords()[freedom as usize], velocity)
    }

    fn pose(&self, body: usize) -> Pose3 {
        *self.bodies[self.handles[body].body].position()
    }

    fn velocity(&self, body: usize) -> (Vec3, Vec3) {
        let body = &self.bodies[self.handles[body].body];
        (body.linvel(), body.angvel())
    }

    fn touching(&self, one: usize, other: usize) -> bool {
        let one = self.bodies[self.handles[one].body].colliders();
        let other = self.bodies[self.handles[other].body].colliders();
        one.iter().any(|&one| {
            other.iter().any(|&other| {
                self.narrow_phase
                    .contact_pair(one, other)
                    .and_then(rp::ContactPair::find_deepest_contact)
                    .is_some_and(|(_, contact)| contact.dist < TOUCH)
            })
        })
    }
}

fn groups(group: Group) -> (rp::Group, rp::Group) {
    const FIXTURE: rp::Group = rp::Group::GROUP_1;
    const MOVING: rp::Group = rp::Group::GROUP_2;
    const OBJECT: rp::Group = rp::Group::GROUP_3;
    const HAND: rp::Group = rp::Group::GROUP_4;
    match group {
        Group::Fixture => (FIXTURE, OBJECT | HAND),
        Group::Moving => (MOVING, OBJECT | HAND),
        Group::Object => (OBJECT, FIXTURE | MOVING | OBJECT | HAND),
        Group::Hand => (HAND, FIXTURE | MOVING | OBJECT | HAND),
    }
}

/// A cylinder lies along y in the engine and along z in a scene.
fn pose_of(geom: &Geom) -> Pose3 {
    match geom.shape {
        Shape::Cylinder(..) => {
            let turn = Quat::from_rotation_arc(Vec3::Y, Vec3::Z);
            geom.pose * Pose3::from_rotation(turn)
        }
        Shape::Cuboid(_) | Shape::Ball(_) => geom.pose,
    }
}

/// A square foot for a cylinder, a hair longer than it: on its round rim alone it would rock for ever.
fn foot_of(geom: &Geom) -> Option<Geom> {
    let Shape::Cylinder(radius, half) = geom.shape else { return None };
    let side = 0.68 * radius;
    Some(Geom { shape: Shape::Cuboid(Vec3::new(side, side, half + 3e-4)), ..geom.clone() })
}

fn shape_of(geom: &Geom) -> rp::SharedShape {
    match geom.shape {
        Shape::Cuboid(half) => rp::SharedShape::cuboid(half.x, half.y, half.z),
        Shape::Cylinder(radius, half) => rp::SharedShape::cylinder(half, radius),
        Shape::Ball(radius) => rp::SharedShape::ball(radius),
    }
}

fn mass_of(body: &Body) -> rp::MassProperties {
    let Inertial { frame, moments } = body.spread();
    let (centre, axes) = (frame.translation, frame.rotation);
    rp::MassProperties::with_principal_inertia_frame(centre, body.mass, moments, axes)
}

fn combine_rule(rule: FrictionRule) -> rp::CoefficientCombineRule {
    match rule {
        FrictionRule::Mean => rp::CoefficientCombineRule::Average,
        FrictionRule::Larger => rp::CoefficientCombineRule::Max,
    }
}
