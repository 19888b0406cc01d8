//! A robot's upper body in a scene: two arms, their grippers, its cameras.

use std::f32::consts::FRAC_PI_2;

use rapier3d::glamx::{Mat3, Pose3, Quat, Vec3};

use super::arm::{Arm, FOREARM, GAP, PULL, UPPER_ARM, downward, plain};
use super::scene::{Axis, Body, Coupling, Geom, Group, Joint, Motor, Scene, Shape};
use crate::interface::{ARM_JOINTS, ARMS, Camera};
use crate::kinematics::{Inverse, Posture};

/// Which bodies of a scene are an arm.
#[derive(Debug, Clone)]
pub struct ArmBodies {
    /// One a joint; the last carries the hand.
    pub links: [usize; ARM_JOINTS],
    /// Both fingers; the first leads.
    pub fingers: [usize; 2],
}

/// A robot in a scene.
#[derive(Debug, Clone)]
pub struct RobotBodies {
    /// Where its own frame is in the world.
    pub base: Pose3,
    /// Left and right arm.
    pub arms: [ArmBodies; ARMS],
}

/// A camera's place and lens: x right, y down, z forward.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Lens {
    /// Pose in the robot's frame (head) or in the frame of the arm's last joint (wrist).
    pub pose: Pose3,
    /// Angle from the left to the right edge of the picture, in radians.
    pub width_rads: f32,
}

impl Lens {
    /// Where in a camera's picture a point of the lens's frame of reference is: column and row, from −1 to 1
    /// over the picture; nothing behind the lens.
    #[must_use]
    pub fn place(&self, camera: &Camera, at: Vec3) -> Option<[f32; 2]> {
        let seen = self.pose.inverse() * at;
        let half_width = libm::tanf(0.5 * self.width_rads);
        let half_height = half_width * camera.height as f32 / camera.width as f32;
        (seen.z > 0.0).then(|| [seen.x / seen.z / half_width, seen.y / seen.z / half_height])
    }
}

/// The cameras of a robot, in the order of its pictures: head, left wrist, right wrist.
#[must_use]
pub fn cameras() -> [Camera; 3] {
    let camera = |name: &str, width, height| Camera { name: name.to_owned(), width, height };
    [camera("head", 128, 96), camera("left_wrist", 64, 64), camera("right_wrist", 64, 64)]
}

/// Above the body, looking down at the table.
#[must_use]
pub fn head_lens() -> Lens {
    Lens {
        pose: look_at(Vec3::new(-0.04, 0.0, 1.10), Vec3::new(0.48, 0.0, 0.0), Vec3::Z),
        width_rads: 0.92,
    }
}

/// Beside the palm, looking past the fingertips.
#[must_use]
pub fn wrist_lens() -> Lens {
    Lens {
        pose: look_at(Vec3::new(0.03, 0.0, 0.10), Vec3::new(0.24, 0.0, 0.01), Vec3::Z),
        width_rads: 1.25,
    }
}

/// The same in the robot's frame, where its arm's tool is there.
#[must_use]
pub fn wrist_lens_at(tool: &Pose3) -> Lens {
    // Arms differ in where they are mounted alone.
    let hand = *tool * Arm::new(1.0).tool.inverse();
    Lens { pose: hand * wrist_lens().pose, ..wrist_lens() }
}

/// A camera's pose from where it is and what it looks at; `up` points upwards in the picture.
#[must_use]
pub fn look_at(eye: Vec3, target: Vec3, up: Vec3) -> Pose3 {
    let z = (target - eye).normalize();
    let x = z.cross(up).normalize();
    let y = z.cross(x);
    Pose3::from_parts(eye, Quat::from_mat3(&Mat3::from_cols(x, y, z)))
}

/// Where an arm waits: tool down, beside the body, above the table. `side` is 1 for left.
#[must_use]
pub fn home(side: f32) -> Pose3 {
    downward(Vec3::new(0.24, 0.26 * side, 0.24), 0.0)
}

/// Joint angles at which an arm is at home.
#[must_use]
pub fn home_angles(side: f32) -> [f32; ARM_JOINTS] {
    let inverse = Inverse { n_steps: 200, ..Inverse::default() };
    let posture = Posture { rest: [0.0; ARM_JOINTS], pull: PULL };
    let near = [0.0, -0.5, 0.0, 1.8, 0.0, 0.3, 0.0];
    let found = inverse.solve(&Arm::new(side).chain(), &near, &posture, &plain(&home(side)));
    found.joints.map(|angle| angle as f32)
}

/// Adds a robot whose frame is at `base`, in the given colour, named by `prefix`.
pub fn add_robot(scene: &mut Scene, prefix: &str, base: Pose3, rgb: [u8; 3]) -> RobotBodies {
    scene.add(Body {
        name: format!("{prefix}.torso"),
        parent: None,
        pose: base,
        joint: Joint::Fixed,
        geoms: vec![
            Geom::new(Shape::Cuboid(Vec3::new(0.08, 0.16, 0.30)), Vec3::new(-0.14, 0.0, 0.16), rgb)
                .ghost(),
            Geom::new(Shape::Ball(0.09), Vec3::new(-0.12, 0.0, 0.62), [60, 62, 66]).ghost(),
        ],
        mass: 1.0,
        inertial: None,
        group: Group::Fixture,
        friction: 0.5,
        weighs: false,
    });
    let left = add_arm(scene, &format!("{prefix}.left"), base, 1.0, rgb);
    let right = add_arm(scene, &format!("{prefix}.right"), base, -1.0, rgb);
    RobotBodies { base, arms: [left, right] }
}

/// The robots of a scene that was read from a file, by the names that [`add_robot`] gives.
#[must_use]
pub fn find_robots(scene: &Scene) -> Vec<RobotBodies> {
    let arm = |prefix: &str| -> Option<ArmBodies> {
        let mut links = [0; ARM_JOINTS];
        for (idx, link) in links.iter_mut().enumerate() {
            *link = scene.find(&format!("{prefix}.{}", idx + 1))?;
        }
        let finger = |number: usize| scene.find(&format!("{prefix}.finger{number}"));
        Some(ArmBodies { links, fingers: [finger(1)?, finger(2)?] })
    };
    let torsos = scene.bodies.iter().filter_map(|body| {
        let prefix = body.name.strip_suffix(".torso")?;
        let arms = [arm(&format!("{prefix}.left"))?, arm(&format!("{prefix}.right"))?];
        Some(RobotBodies { base: body.pose, arms })
    });
    torsos.collect()
}

fn add_arm(scene: &mut Scene, prefix: &str, base: Pose3, side: f32, rgb: [u8; 3]) -> ArmBodies {
    const DARK: [u8; 3] = [52, 54, 60];
    let arm = Arm::new(side);
    let start = home_angles(side);
    let along = Quat::from_rotation_y(FRAC_PI_2);
    let limb = |radius: f32, from: f32, to: f32, rgb: [u8; 3]| {
        let shape = Shape::Cylinder(radius, 0.5 * (to - from));
        Geom::new(shape, Vec3::new(0.5 * (from + to), 0.0, 0.0), rgb).turned(along).ghost()
    };
    let ball = |radius: f32| Geom::new(Shape::Ball(radius), Vec3::ZERO, DARK).ghost();
    let forms: [(f32, Vec<Geom>); ARM_JOINTS] = [
        (1.0, vec![ball(0.06)]),
        (0.8, vec![]),
        (1.2, vec![limb(0.042, 0.05, UPPER_ARM - 0.03, rgb)]),
        (0.6, vec![ball(0.046)]),
        (0.9, vec![limb(0.034, 0.03, FOREARM - 0.03, rgb)]),
        (0.4, vec![ball(0.036)]),
        (
            0.5,
            vec![
                limb(0.024, 0.01, 0.06, DARK),
                Geom::new(
                    Shape::Cuboid(Vec3::new(0.02, 0.052, 0.022)),
                    Vec3::new(0.078, 0.0, 0.0),
                    DARK,
                ),
            ],
        ),
    ];
    let mut links = [0; ARM_JOINTS];
    for (idx, ((joint, (mass, geoms)), &start)) in
        arm.joints.iter().zip(forms).zip(&start).enumerate()
    {
        let (parent, pose) = if idx == 0 {
            (None, base * arm.mount)
        } else {
            (Some(links[idx - 1]), Pose3::from_translation(joint.origin))
        };
        links[idx] = scene.add(Body {
            name: format!("{prefix}.{}", idx + 1),
            parent,
            pose,
            joint: Joint::Hinge(Axis {
                direction: joint.axis,
                range: joint.range,
                start,
                friction: 0.0,
                damping: 0.5,
                motor: Some(Motor {
                    stiffness: 10_000.0,
                    damping: 200.0,
                    max_force: 120.0,
                    armature: 0.05,
                }),
            }),
            geoms,
            mass,
            inertial: None,
            group: Group::Hand,
            friction: 0.6,
            weighs: false,
        });
    }
    let fingers = [1.0_f32, -1.0].map(|way| {
        scene.add(Body {
            name: format!("{prefix}.finger{}", if way > 0.0 { 1 } else { 2 }),
            parent: Some(links[ARM_JOINTS - 1]),
            pose: Pose3::from_translation(Vec3::new(0.098, 0.0, 0.0)),
            joint: Joint::Slide(Axis {
                direction: Vec3::new(0.0, way, 0.0),
                range: [0.0, 0.5 * GAP],
                start: 0.5 * GAP,
                friction: 0.0,
                damping: 1.0,
                motor: Some(Motor {
                    stiffness: 20_000.0,
                    damping: 280.0,
                    max_force: 10.0,
                    armature: 0.3,
                }),
            }),
            geoms: vec![Geom::new(
                Shape::Cuboid(Vec3::new(0.041, 0.006, 0.011)),
                Vec3::new(0.041, 0.006 * way, 0.0),
                [206, 208, 212],
            )],
            mass: 0.05,
            inertial: None,
            group: Group::Hand,
            friction: 1.6,
            weighs: false,
        })
    });
    scene.couplings.push(Coupling { leader: fingers[0], follower: fingers[1] });
    ArmBodies { links, fingers }
}
