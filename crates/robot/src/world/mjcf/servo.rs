//! Servos in MuJoCo's terms: force for an error of position or velocity.
//!
//! A scene's servo asks for accelerations. Force and acceleration meet in the inertia that a joint moves
//! where it starts: everything the joint carries, and its rotor.

use rapier3d::glamx::{Mat3, Pose3, Vec3};

use crate::world::scene::{Joint, Motor, Scene};

/// Inertia that each body's joint moves at the start, in kilograms or kilogram square metres; 0 for a
/// body without an axis.
pub(super) fn inertias(scene: &Scene, armatures: &[f32]) -> Vec<f64> {
    let poses = scene.start_poses();
    let mut inertias = vec![0.0; scene.bodies.len()];
    for (idx, body) in scene.bodies.iter().enumerate() {
        let Some(axis) = body.joint.axis() else { continue };
        let slides = matches!(body.joint, Joint::Slide(_));
        let (at, along) = (poses[idx].translation, poses[idx].rotation * axis.direction);
        let carried = (idx..scene.bodies.len()).filter(|&other| carries(scene, idx, other));
        let moved: f32 = carried
            .map(|other| {
                if slides {
                    scene.bodies[other].mass
                } else {
                    about(scene, &poses, other, at, along)
                }
            })
            .sum();
        inertias[idx] = f64::from(moved) + f64::from(armatures[idx]);
    }
    inertias
}

/// The rotor's inertia of each body's servo.
pub(super) fn armatures(scene: &Scene) -> Vec<f32> {
    let of = |motor: Option<Motor>| motor.map_or(0.0, |motor| motor.armature);
    scene.bodies.iter().map(|body| body.joint.axis().map_or(0.0, |axis| of(axis.motor))).collect()
}

fn carries(scene: &Scene, body: usize, other: usize) -> bool {
    let mut at = Some(other);
    while let Some(idx) = at {
        if idx == body {
            return true;
        }
        at = scene.bodies[idx].parent;
    }
    false
}

/// Moment of inertia of a body about an axis through `at`.
fn about(scene: &Scene, poses: &[Pose3], body: usize, at: Vec3, along: Vec3) -> f32 {
    let spread = scene.bodies[body].spread();
    let frame = poses[body] * spread.frame;
    let inner = Mat3::from_quat(frame.rotation).transpose() * along;
    let arm = along.cross(frame.translation - at);
    (inner * inner).dot(spread.moments) + scene.bodies[body].mass * arm.length_squared()
}
