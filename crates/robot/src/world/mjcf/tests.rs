//! Scenes there and back, and files that are none.

use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::experts::Expert;
use crate::tasks::{Setup, Task, Variation};
use crate::world::scene::{FrictionRule, Group, Joint, Shape};
use crate::world::{Driver, Physics as _, Rapier, Scene, Vec3, World, body::find_robots};

fn back(scene: &Scene) -> Scene {
    let text = write(scene, "test");
    read_text(&text, Path::new("test.xml")).expect("what was written can be read")
}

#[test]
fn every_task_s_scene_comes_back_to_the_bit() {
    for task in Task::ALL {
        for seed in 0..4 {
            let mut scene = Setup::new(task, seed, Variation::TRAIN).scene;
            let read = back(&scene);
            for (body, read) in scene.bodies.iter_mut().zip(&read.bodies) {
                // A body without shapes has no surface whose friction could be said.
                if body.geoms.is_empty() {
                    body.friction = read.friction;
                }
                assert_eq!(body, read, "{} {seed}", task.name());
            }
            assert_eq!(scene, read, "{} {seed}", task.name());
        }
    }
}

#[test]
fn a_scene_that_came_back_moves_the_same_way_bit_for_bit() {
    let mut setup = Setup::new(Task::PickPlace, 3, Variation::TRAIN);
    let run = |setup: &Setup| {
        let mut world = World::new(&setup.scene, setup.robots.clone());
        let mut expert = Expert::new(setup, &world, 0);
        let mut driver = Driver::new(world.joints(0));
        let mut states = Vec::new();
        for _ in 0..500 {
            let action = expert.act(setup, &world);
            world.step(&[driver.targets(&action).expect("an expert's action")]);
            states.extend(world.state(0).map(f32::to_bits));
            let at = setup.item_pose(&world, setup.target).translation;
            states.extend(at.to_array().map(f32::to_bits));
        }
        states
    };
    let before = run(&setup);
    setup.scene = back(&setup.scene);
    setup.robots = find_robots(&setup.scene);
    let after = run(&setup);
    let first = before.iter().zip(&after).position(|(a, b)| a != b);
    assert_eq!((first, before.len()), (None, after.len()));
}

#[test]
fn a_scene_by_another_hand_is_read_and_moves_as_its_author_meant() {
    let text = r#"<mujoco>
      <compiler angle="degree"/>
      <option timestep="0.002"><flag energy="enable"/></option>
      <default>
        <geom rgba="1 0 0 1" friction="0.5"/>
        <default class="arm"><joint damping="0.1" armature="0.01"/><geom density="500"/></default>
      </default>
      <asset><material name="blue" rgba="0 0 1 1"/></asset>
      <worldbody>
        <geom name="floor" type="plane" size="0 0 1" pos="0 0 -1" material="blue" rgba="0 1 0 1"/>
        <camera name="eye" pos="1 0 0"/>
        <body name="turret" pos="0 0 0.5" childclass="arm" euler="0 0 90">
          <joint name="yaw" axis="0 0 2" range="-90 90"/>
          <geom type="capsule" fromto="0 0 0 0.2 0 0" size="0.02"/>
          <geom type="box" size=".01 .01 .01" material="blue" rgba=".5 .5 .5 1" contype="0" conaffinity="0"/>
        </body>
        <body name="ball" pos="1 0 0"><freejoint/><geom size="0.1" mass="0.3"/></body>
      </worldbody>
      <actuator><position joint="yaw" kp="10" dampratio="1" ctrlrange="-1.6 1.6"/></actuator>
    </mujoco>"#;
    let scene = read_text(text, Path::new("other.xml")).expect("a valid model");
    let names: Vec<&str> = scene.bodies.iter().map(|body| body.name.as_str()).collect();
    assert_eq!(names, ["ground", "turret", "ball"]);
    assert_eq!(scene.friction_rule, FrictionRule::Mean, "all friction is the same");
    let turret = &scene.bodies[1];
    let Joint::Hinge(axis) = &turret.joint else { panic!("{:?}", turret.joint) };
    assert!(
        (axis.range[1] - std::f32::consts::FRAC_PI_2).abs() < 1e-6 && axis.direction == Vec3::Z
    );
    assert_eq!((axis.damping, turret.group, turret.geoms.len()), (0.1, Group::Hand, 4));
    // A capsule of 500 kg/m³, and a small box; water would be twice as heavy.
    let volume = std::f32::consts::PI * 0.02 * 0.02 * (0.2 + 4.0 / 3.0 * 0.02) + 8e-6;
    assert!((turret.mass - 500.0 * volume).abs() < 1e-4, "{}", turret.mass);
    assert_eq!(scene.bodies[2].geoms[0].shape, Shape::Ball(0.1));
    assert_eq!((scene.bodies[2].mass, scene.bodies[2].group), (0.3, Group::Object));
    assert_eq!(scene.bodies[0].geoms[0].rgb, [0, 255, 0]);

    let mut physics = Rapier::new(&scene);
    physics.set_target(1, 1.2, 0.0);
    for _ in 0..300 {
        physics.step();
    }
    let (angle, _) = physics.joint(1);
    assert!((angle - 1.2).abs() < 0.01, "{angle}");
    let height = physics.pose(2).translation.z;
    assert!((height + 0.9).abs() < 2e-3, "{height}");
}

#[test]
fn a_joint_comes_to_both_ends_of_its_range_and_no_further() {
    let setup = Setup::new(Task::OpenDrawer, 0, Variation::TRAIN);
    let scene = back(&setup.scene);
    for end in [0, 1] {
        let mut physics = Rapier::new(&scene);
        let driven: Vec<(usize, f32)> = scene
            .bodies
            .iter()
            .enumerate()
            .filter_map(|(idx, body)| body.joint.axis().map(|axis| (idx, axis)))
            .filter(|(_, axis)| axis.motor.is_some())
            .map(|(idx, axis)| (idx, axis.range[end]))
            .collect();
        for _ in 0..400 {
            for &(body, to) in &driven {
                physics.set_target(body, to, 0.0);
            }
            physics.step();
        }
        for &(body, to) in &driven {
            let (at, _) = physics.joint(body);
            assert!((at - to).abs() < 0.02, "{}: {at} instead of {to}", scene.bodies[body].name);
        }
    }
}

/// What is said of a model; the model's text stands between `<mujoco>` and its end.
fn fault(inside: &str) -> String {
    let text = format!("<mujoco>\n{inside}\n</mujoco>");
    let error = read_text(&text, Path::new("bad.xml")).expect_err(inside).to_string();
    assert_eq!(error.lines().count(), 1, "{error}");
    error
}

fn in_body(inside: &str) -> String {
    fault(&format!("<worldbody><body name='b'>\n{inside}\n</body></worldbody>"))
}

#[test]
fn broken_models_are_told_apart_with_file_and_line() {
    let solid = "<inertial pos='0 0 0' mass='1' diaginertia='1 1 1'/>";
    let cases = [
        (fault("<worldbody>"), "bad.xml:3: not valid XML"),
        (
            in_body("<joint type='screw'/>"),
            "bad.xml:3: no joint is of type `screw`: hinge, slide or free",
        ),
        (in_body("<joint type='ball'/>"), "bad.xml:3: a ball joint"),
        (in_body("<joint/><joint/>"), "bad.xml:3: a second joint"),
        (in_body("<joint/>"), "bad.xml:2: body `b` moves and has no mass"),
        (in_body("<joint range='1 0'/>"), "bad.xml:3: nothing is in a joint's range"),
        (in_body("<joint axis='0 0 0'/>"), "bad.xml:3: a joint's `axis` has no direction"),
        (in_body("<joint pos='0 0 1'/>"), "bad.xml:3: a joint beside its body's origin"),
        (in_body("<joint stiffness='1'/>"), "bad.xml:3: a joint's `stiffness` is read only where"),
        (in_body("<joint friction='1'/>"), "bad.xml:3: <joint> has an attribute `friction`"),
        (in_body("<inertial mass='-1' diaginertia='1 1 1'/>"), "bad.xml:3: a mass of -1"),
        (
            in_body("<inertial pos='0 0 0' mass='1' diaginertia='1 1 3'/>"),
            "bad.xml:3: no body has moments",
        ),
        (
            in_body("<inertial mass='1' diaginertia='1 1 1'/>"),
            "bad.xml:3: <inertial> without `pos`",
        ),
        (in_body("<geom size='0.1' mass='-1'/>"), "bad.xml:3: a negative mass"),
        (in_body("<geom type='box' size='1 1'/>"), "bad.xml:3: `size` is `1 1`: 3 positive"),
        (in_body("<geom type='box' size='1 x 1'/>"), "bad.xml:3: `size` holds `x`"),
        (in_body("<geom size='nan'/>"), "bad.xml:3: `size` holds `nan`"),
        (in_body("<geom size='1' friction='-1'/>"), "bad.xml:3: `friction` needs a number"),
        (in_body("<geom size='1e30'/>"), "bad.xml:3: `size` holds `1e30`"),
        (in_body("<geom size='1' quat='1e9 0 0 0'/>"), "bad.xml:3: `quat` has no direction"),
        (in_body("<geom size='-1'/>"), "bad.xml:3: `size` is `-1`"),
        (in_body("<geom type='ellipsoid' size='1 1 1'/>"), "bad.xml:3: a geom of type `ellipsoid`"),
        (in_body("<geom type='mesh' mesh='m'/>"), "bad.xml:3: no mesh `m`"),
        (in_body("<geom size='1' quat='0 0 0 0'/>"), "bad.xml:3: `quat` has no direction"),
        (in_body("<geom size='1' class='c'/>"), "bad.xml:3: no class `c`"),
        (in_body("<geom size='1' contype='3'/>"), "bad.xml:3: contype 3"),
        (in_body("<geom size='1' material='m'/>"), "bad.xml:3: no material `m`"),
        (in_body("<frame/>"), "bad.xml:3: <frame> in <body> is not read"),
        (in_body("<body><freejoint/></body>"), "bad.xml:3: a free body within another"),
        (in_body(&format!("{solid}<joint armature='1'/>")), "bad.xml:2: a joint with armature"),
        (
            fault("<asset><mesh name='m' file='none.stl'/></asset>"),
            "bad.xml:2: no mesh file none.stl",
        ),
        (fault("<wordbody/>"), "bad.xml:2: <wordbody> in <mujoco> is not read"),
        (fault("<include file='none.xml'/>"), "bad.xml:2: failed to include none.xml"),
        (
            fault("<include file='bad.xml'/>"),
            "bad.xml:2: `bad.xml` is included twice, or by itself",
        ),
        (fault("<option gravity='0 0 -1'/>"), "bad.xml:2: gravity"),
        (fault("<option><flag contact='disable'/></option>"), "bad.xml:2: `contact` is `disable`"),
        (fault("<compiler coordinate='global'/>"), "bad.xml:2: `coordinate` is `global`"),
        (fault("<actuator><motor joint='j'/></actuator>"), "bad.xml:2: <motor> in <actuator>"),
        (fault("<actuator><position joint='j'/></actuator>"), "bad.xml:2: no joint is named `j`"),
        (fault("<equality><weld body1='a'/></equality>"), "bad.xml:2: <weld> in <equality>"),
        (
            fault("<worldbody><body name='b'/><body name='b'/></worldbody>"),
            "bad.xml:2: two bodies are named `b`",
        ),
        (
            fault("<worldbody/><keyframe><key name='start' qpos='1'/></keyframe>"),
            "bad.xml:2: `qpos` has 1 numbers where the joints need 0",
        ),
    ];
    for (error, expected) in cases {
        assert!(error.starts_with(expected), "got:      {error}\nexpected: {expected}");
    }
}

#[test]
fn a_servo_in_degrees_is_noticed() {
    let error = fault(
        "<worldbody><body><joint name='j' range='-90 90'/><geom size='0.1'/></body></worldbody>\n\
         <actuator>\n<position joint='j' kp='1' ctrlrange='-1 1'/></actuator>",
    );
    assert!(error.contains("bad.xml:4: a servo's ctrlrange -1 to 1 is less"), "{error}");
}

#[test]
fn friction_that_follows_no_rule_is_refused() {
    let model = |friction: f32| {
        let text = format!(
            "<mujoco><worldbody><geom name='f' type='plane' size='1 1 1' friction='1'/>\n\
             <body><freejoint/><geom name='g' size='0.1' friction='0.5'/></body></worldbody>\n\
             <contact><pair geom1='f' geom2='g' friction='{friction} {friction}'/></contact></mujoco>"
        );
        read_text(&text, Path::new("bad.xml")).map(|scene| scene.friction_rule)
    };
    assert_eq!(model(0.75).expect("a mean"), FrictionRule::Mean);
    assert_eq!(model(1.0).expect("the larger"), FrictionRule::Larger);
    // Two balls on a plane, of which one pair says a mean and the other is left to the larger.
    let text = "<mujoco><worldbody><geom name='f' type='plane' size='1 1 1' friction='1'/>\n\
                <body><freejoint/><geom name='g' size='0.1' friction='0.5'/></body>\n\
                <body><freejoint/><geom name='h' size='0.1' friction='0.5'/></body></worldbody>\n\
                <contact><pair geom1='f' geom2='g' friction='0.75'/></contact></mujoco>";
    let error = read_text(text, Path::new("bad.xml")).expect_err("two rules").to_string();
    assert!(error.starts_with("bad.xml:4: <pair>s that give some"), "{error}");
    let error = model(0.3).expect_err("neither").to_string();
    assert!(error.starts_with("bad.xml:3: a <pair> whose friction"), "{error}");
}

#[test]
fn endless_files_end_early() {
    let folder = tempfile::tempdir().expect("a folder");
    let check = |name: &str, text: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("a written file");
        let error = read(&path).expect_err(name).to_string();
        error.replace(&format!("{}/", folder.path().display()), "")
    };
    let huge = check("huge.xml", &vec![b' '; (4 << 20) + 1]);
    assert!(huge.starts_with("huge.xml:1: longer than 4 MiB"), "{huge}");
    let many = format!("<mujoco>{}</mujoco>", "<a/>".repeat(200_001));
    let many = check("many.xml", many.as_bytes());
    assert!(many.contains("more than 200000 pieces"), "{many}");
    let crowd = format!("<mujoco><worldbody>{}</worldbody></mujoco>", "<body/>\n".repeat(2001));
    let crowd = check("crowd.xml", crowd.as_bytes());
    assert!(crowd.starts_with("crowd.xml:2001: more than 2000 bodies"), "{crowd}");
    let deep = format!("<mujoco>{}", "<body>\n".repeat(2000));
    let deep = check("deep.xml", deep.as_bytes());
    assert!(deep.starts_with("deep.xml:"), "{deep}");
    let nested = format!("<mujoco>\n{}{}</mujoco>", "<a>\n".repeat(300), "</a>".repeat(300));
    let nested = check("nested.xml", nested.as_bytes());
    assert!(nested.contains("nested deeper than 100"), "{nested}");
    let binary = check("binary.xml", b"<mujoco>\n\xff</mujoco>");
    assert!(binary.starts_with("binary.xml:2: not text"), "{binary}");
    let entities = b"<!DOCTYPE m [<!ENTITY a 'aaaa'>]><mujoco>&a;</mujoco>";
    let entities = check("entities.xml", entities);
    assert!(entities.starts_with("entities.xml:1: not valid XML"), "{entities}");
    // One file includes another that includes the first.
    std::fs::write(
        folder.path().join("b.xml"),
        "<mujocoinclude>\n<include file='a.xml'/></mujocoinclude>",
    )
    .expect("a written file");
    let cycle = check("a.xml", b"<mujoco><include file='b.xml'/></mujoco>");
    assert!(cycle.starts_with("b.xml:2: `a.xml` is included twice"), "{cycle}");
    let missing = read(&folder.path().join("none.xml")).expect_err("no file").to_string();
    assert!(missing.contains("none.xml: "), "{missing}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..Default::default() })]

    /// Whatever becomes of a file, it is read or refused with its name, and never takes anything down.
    #[test]
    fn a_damaged_file_is_read_or_refused(
        at in 0.0..1.0_f64,
        length in 0..40_usize,
        put in prop_oneof![
            Just(""), Just("-"), Just("1e9"), Just("0"), Just("\" "), Just("<body>"), Just("/>"),
            Just("<joint/>"), Just("nan"), Just("&"), Just(" x='1' "), Just("type=\"mesh\""),
        ],
    ) {
        let scene = Setup::new(Task::PickPlace, 1, Variation::TRAIN).scene;
        let text = write(&scene, "test");
        #[allow(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a place in a text"
        )]
        let at = (at * text.len() as f64) as usize;
        let end = (at + length).min(text.len());
        let damaged = format!("{}{put}{}", &text[..at], &text[end..]);
        if let Err(error) = read_text(&damaged, Path::new("bad.xml")) {
            prop_assert!(error.to_string().starts_with("bad.xml:"), "{error}");
        }
    }
}
