//! From a scene to MJCF.

use std::fmt::Write as _;

use rapier3d::glamx::{Pose3, Quat, Vec3};

use super::{START, bits, servo};
use crate::world::scene::{Axis, Body, FrictionRule, Geom, Joint, Scene, Shape};

/// What holds for the whole file. Two steps make a tick. Contacts are as stiff as these steps allow, or
/// fingers would sink into what they hold; cones are elliptic, or what is held would creep.
const HEAD: &str = r#"  <compiler angle="radian" autolimits="true"/>
  <option timestep="0.0025" integrator="implicitfast" cone="elliptic" impratio="10"/>
  <default>
    <geom condim="4" solref="0.005 1" solimp="0.95 0.99 0.001"/>
    <equality solref="0.005 1"/>
    <default class="seen">
      <geom contype="0" conaffinity="0" group="1"/>
    </default>
  </default>
"#;

/// Friction against spinning on the spot and against rolling, in metres. The second stands for the
/// embedded engine's drag on turns of loose bodies.
const SPIN_AND_ROLL: &str = "0.005 0.001";

/// A scene as one MJCF file.
#[must_use]
pub fn write(scene: &Scene, name: &str) -> String {
    let mut out = format!("<mujoco model=\"{}\">\n{HEAD}", escaped(name));
    let push = |out: &mut String, text: &str| out.push_str(text);
    push(
        &mut out,
        "  <worldbody>\n    <light directional=\"true\" pos=\"0 0 2\" dir=\"0.35 -0.25 -0.9\"/>\n",
    );
    for root in children(scene, None) {
        body(&mut out, scene, root, 2);
    }
    push(&mut out, "  </worldbody>\n");
    let order = order(scene);
    let section = |out: &mut String, tag: &str, inside: &str| {
        if !inside.is_empty() {
            let _ = write!(out, "  <{tag}>\n{inside}  </{tag}>\n");
        }
    };
    section(&mut out, "contact", &contacts(scene));
    section(&mut out, "equality", &couplings(scene));
    section(&mut out, "actuator", &servos(scene, &order));
    section(&mut out, "keyframe", &start(scene, &order));
    out.push_str("</mujoco>\n");
    out
}

fn children(scene: &Scene, parent: Option<usize>) -> Vec<usize> {
    (0..scene.bodies.len()).filter(|&idx| scene.bodies[idx].parent == parent).collect()
}

/// Bodies in the order of the file, which is that of MuJoCo's positions too.
fn order(scene: &Scene) -> Vec<usize> {
    let mut order = Vec::with_capacity(scene.bodies.len());
    let mut open: Vec<usize> = children(scene, None).into_iter().rev().collect();
    while let Some(idx) = open.pop() {
        order.push(idx);
        open.extend(children(scene, Some(idx)).into_iter().rev());
    }
    order
}

fn body(out: &mut String, scene: &Scene, idx: usize, depth: usize) {
    let body = &scene.bodies[idx];
    let name = escaped(&body.name);
    let indent = "  ".repeat(depth);
    let weight = if body.weighs { "" } else { " gravcomp=\"1\"" };
    let _ = writeln!(out, "{indent}<body name=\"{name}\"{}{weight}>", pose(&body.pose));
    let spread = body.spread();
    let _ = writeln!(
        out,
        "{indent}  <inertial{} mass=\"{}\" diaginertia=\"{}\"/>",
        pose(&spread.frame),
        body.mass,
        vector(spread.moments)
    );
    match &body.joint {
        Joint::Fixed => {}
        Joint::Free => {
            let _ = writeln!(out, "{indent}  <freejoint name=\"{name}\"/>");
        }
        Joint::Hinge(axis) => joint(out, &indent, &name, "hinge", axis),
        Joint::Slide(axis) => joint(out, &indent, &name, "slide", axis),
    }
    for (number, geom) in body.geoms.iter().enumerate() {
        let _ = writeln!(out, "{indent}  <geom name=\"{name}/{number}\"{}/>", form(body, geom));
    }
    for child in children(scene, Some(idx)) {
        self::body(out, scene, child, depth + 1);
    }
    let _ = writeln!(out, "{indent}</body>");
}

fn joint(out: &mut String, indent: &str, name: &str, kind: &str, axis: &Axis) {
    let armature = axis.motor.map_or(0.0, |motor| motor.armature);
    let _ = writeln!(
        out,
        "{indent}  <joint name=\"{name}\" type=\"{kind}\" axis=\"{}\" range=\"{} {}\" \
         damping=\"{}\" frictionloss=\"{}\" armature=\"{armature}\"/>",
        vector(axis.direction),
        axis.range[0],
        axis.range[1],
        axis.damping,
        axis.friction
    );
}

/// Attributes of a geom.
fn form(body: &Body, geom: &Geom) -> String {
    let (kind, size) = match geom.shape {
        Shape::Cuboid(half) => ("box", vector(half)),
        Shape::Cylinder(radius, half) => ("cylinder", format!("{radius} {half}")),
        Shape::Ball(radius) => ("sphere", radius.to_string()),
    };
    let touch = if geom.solid {
        let (own, others) = bits(body.group);
        // What is loose may roll.
        let rolls = if matches!(body.joint, Joint::Free) { " condim=\"6\"" } else { "" };
        format!(" contype=\"{own}\" conaffinity=\"{others}\"{rolls}")
    } else {
        " class=\"seen\"".to_owned()
    };
    let [red, green, blue] = geom.rgb.map(|value| f64::from(value) / 255.0);
    format!(
        " type=\"{kind}\" size=\"{size}\"{}{touch} friction=\"{} {SPIN_AND_ROLL}\" \
         rgba=\"{red} {green} {blue} 1\"",
        pose(&geom.pose),
        body.friction
    )
}

/// Exceptions to what bits say: bodies of one tree do not touch, and, where friction is a mean, pairs of
/// unequal friction, since MuJoCo takes the larger one.
fn contacts(scene: &Scene) -> String {
    let mut out = String::new();
    let solid = |idx: usize| {
        let geoms = scene.bodies[idx].geoms.iter().enumerate();
        geoms.filter(|(_, geom)| geom.solid).map(|(number, _)| number)
    };
    for one in 0..scene.bodies.len() {
        for other in one + 1..scene.bodies.len() {
            if solid(one).next().is_none() || solid(other).next().is_none() {
                continue;
            }
            let (a, b) = (&scene.bodies[one], &scene.bodies[other]);
            let ((own1, may1), (own2, may2)) = (bits(a.group), bits(b.group));
            let (name1, name2) = (escaped(&a.name), escaped(&b.name));
            if (own1 & may2) | (own2 & may1) == 0 {
                continue;
            }
            if scene.root(one) == scene.root(other) {
                let _ = writeln!(out, "    <exclude body1=\"{name1}\" body2=\"{name2}\"/>");
            } else if scene.friction_rule == FrictionRule::Mean
                && a.friction.to_bits() != b.friction.to_bits()
                && !(scene.is_static(one) && scene.is_static(other))
            {
                let loose = [a, b].iter().any(|body| matches!(body.joint, Joint::Free));
                let dimensions = if loose { 6 } else { 4 };
                let mean = 0.5 * (a.friction + b.friction);
                for number1 in solid(one) {
                    for number2 in solid(other) {
                        let _ = writeln!(
                            out,
                            "    <pair geom1=\"{name1}/{number1}\" geom2=\"{name2}/{number2}\" \
                             condim=\"{dimensions}\" friction=\"{mean} {mean} 0.005 0.001 0.001\" \
                             solref=\"0.005 1\" solimp=\"0.95 0.99 0.001\"/>"
                        );
                    }
                }
            }
        }
    }
    out
}

fn couplings(scene: &Scene) -> String {
    let mut out = String::new();
    for coupling in &scene.couplings {
        let _ = writeln!(
            out,
            "    <joint joint1=\"{}\" joint2=\"{}\" polycoef=\"0 1 0 0 0\"/>",
            escaped(&scene.bodies[coupling.follower].name),
            escaped(&scene.bodies[coupling.leader].name)
        );
    }
    out
}

fn servos(scene: &Scene, order: &[usize]) -> String {
    let inertias = servo::inertias(scene, &servo::armatures(scene));
    let mut out = String::new();
    for &idx in order {
        let body = &scene.bodies[idx];
        let Some(motor) = body.joint.axis().and_then(|axis| axis.motor) else { continue };
        let name = escaped(&body.name);
        let [kp, kv] = [motor.stiffness, motor.damping].map(|gain| f64::from(gain) * inertias[idx]);
        let bound = if motor.max_force < f32::MAX {
            format!(" forcerange=\"{} {}\"", -motor.max_force, motor.max_force)
        } else {
            String::new()
        };
        let _ = writeln!(
            out,
            "    <position name=\"{name}\" joint=\"{name}\" kp=\"{kp}\" kv=\"{kv}\"{bound}/>"
        );
    }
    out
}

fn start(scene: &Scene, order: &[usize]) -> String {
    let (mut positions, mut targets) = (Vec::new(), Vec::new());
    for &idx in order {
        let body = &scene.bodies[idx];
        match &body.joint {
            Joint::Fixed => {}
            Joint::Free => {
                positions.push(vector(body.pose.translation));
                positions.push(turn(body.pose.rotation));
            }
            Joint::Hinge(axis) | Joint::Slide(axis) => {
                positions.push(axis.start.to_string());
                targets.extend(axis.motor.map(|_| axis.start.to_string()));
            }
        }
    }
    if positions.is_empty() {
        return String::new();
    }
    let targets = match targets.join(" ") {
        targets if targets.is_empty() => targets,
        targets => format!(" ctrl=\"{targets}\""),
    };
    format!("    <key name=\"{START}\" qpos=\"{}\"{targets}/>\n", positions.join(" "))
}

/// Attributes of a pose.
fn pose(pose: &Pose3) -> String {
    let mut out = String::new();
    let _ = write!(out, " pos=\"{}\"", vector(pose.translation));
    if pose.rotation != Quat::IDENTITY {
        let _ = write!(out, " quat=\"{}\"", turn(pose.rotation));
    }
    out
}

fn vector(vector: Vec3) -> String {
    format!("{} {} {}", vector.x, vector.y, vector.z)
}

fn turn(turn: Quat) -> String {
    format!("{} {} {} {}", turn.w, turn.x, turn.y, turn.z)
}

fn escaped(name: &str) -> String {
    let name = name.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    name.replace('"', "&quot;").replace(['\n', '\t', '\r'], " ")
}
