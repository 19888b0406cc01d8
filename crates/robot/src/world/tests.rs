//! The world as a whole.

use super::*;
use crate::interface::{ACTION, Camera};
use crate::tasks::{Setup, Task, Variation};

fn reach(world: &World, to: Vec3) -> [f32; ACTION] {
    let mut action = [0.0; ACTION];
    for side in 0..ARMS {
        let at = if side == 0 { to } else { world.tool(0, side).translation };
        let wrist = wrist::encode(&arm::downward(at, 0.0), 1.0);
        action[side * WRIST..(side + 1) * WRIST].copy_from_slice(&wrist);
    }
    action
}

#[test]
fn the_same_scene_moves_the_same_way_bit_for_bit() {
    let run = || {
        let setup = Setup::new(Task::PickPlace, 5, Variation::TRAIN);
        let mut world = setup.world();
        let mut driver = Driver::new(world.joints(0));
        let action = reach(&world, Vec3::new(0.42, 0.05, 0.03));
        let mut states = Vec::new();
        for _ in 0..100 {
            let targets = driver.targets(&action).expect("a valid action");
            world.step(&[targets]);
            states.extend(world.state(0).map(f32::to_bits));
        }
        let mut pictures = picture_buffers();
        world.look(0, &mut pictures);
        (states, pictures)
    };
    assert_eq!(run(), run());
}

#[test]
fn a_tool_comes_to_where_it_is_sent_within_two_millimetres() {
    let setup = Setup::new(Task::PickPlace, 5, Variation::TRAIN);
    let mut world = setup.world();
    let mut driver = Driver::new(world.joints(0));
    let goal = Vec3::new(0.40, 0.20, 0.20);
    let action = reach(&world, goal);
    for _ in 0..200 {
        let targets = driver.targets(&action).expect("a valid action");
        world.step(&[targets]);
    }
    let off = world.tool(0, 0).translation.distance(goal);
    assert!(off < 0.002, "{off}");
}

#[test]
fn a_driver_keeps_to_speeds_and_accelerations_whatever_is_asked() {
    let setup = Setup::new(Task::PickPlace, 5, Variation::TRAIN);
    let world = setup.world();
    let mut driver = Driver::new(world.joints(0));
    let arm = Arm::new(1.0);
    let (mut before, mut speeds) = (world.joints(0).angles[0], [0.0_f32; ARM_JOINTS]);
    for tick in 0..300 {
        let to =
            if tick / 60 % 2 == 0 { Vec3::new(0.7, 0.4, 0.1) } else { Vec3::new(0.2, -0.3, 0.5) };
        let now = driver.targets(&reach(&world, to)).expect("a valid action").angles[0];
        for (idx, joint) in arm.joints.iter().enumerate() {
            let speed = (now[idx] - before[idx]) / physics::STEP_SECS;
            assert!(speed.abs() <= joint.velocity * 1.001, "joint {idx} at tick {tick}: {speed}");
            let change = (speed - speeds[idx]).abs() / physics::STEP_SECS;
            assert!(change <= joint.acceleration * 1.02, "joint {idx} at tick {tick}: {change}");
            assert!((joint.range[0]..=joint.range[1]).contains(&now[idx]));
            speeds[idx] = speed;
        }
        before = now;
    }
}

#[test]
fn an_action_that_is_no_action_moves_nothing() {
    let setup = Setup::new(Task::PickPlace, 5, Variation::TRAIN);
    let world = setup.world();
    let mut driver = Driver::new(world.joints(0));
    let good = reach(&world, world.tool(0, 0).translation);
    let before = driver.targets(&good).expect("a valid action");
    for bad in [f32::NAN, f32::INFINITY] {
        let mut action = good;
        action[4] = bad;
        assert!(driver.targets(&action).is_err());
    }
    assert!(driver.targets(&good[1..]).is_err());
    let after = driver.targets(&good).expect("a valid action");
    for (a, b) in before.angles[0].iter().zip(after.angles[0]) {
        assert!((a - b).abs() < 1e-4);
    }
}

#[test]
fn a_four_centimetre_cube_is_found_in_the_head_picture_to_five_millimetres() {
    let mut worst = 0.0_f32;
    let mut offsets = Vec::new();
    for row in 0..4 {
        for col in 0..6 {
            #[allow(clippy::cast_precision_loss, reason = "small numbers")]
            let at = Vec3::new(0.27 + 0.057 * row as f32, -0.16 + 0.067 * col as f32, 0.0);
            let mut scene = Scene::default();
            stage::add_table(&mut scene, [160, 160, 160]);
            let item = stage::Item {
                form: stage::Form::Cube,
                width: 0.04,
                height: 0.04,
                mass: 0.1,
                rgb: [220, 30, 30],
            };
            let cube = stage::add_item(&mut scene, "cube", &item, at, 0.0);
            let robot = body::add_robot(&mut scene, "a", Pose3::IDENTITY, [70, 92, 120]);
            let mut world = World::new(&scene, vec![robot]);
            let mut pictures = picture_buffers();
            world.look(0, &mut pictures);
            assert_eq!(world.physics().pose(cube).translation.truncate(), at.truncate());
            // The centre of what is red, seen as lying at half the cube's height.
            let (mut sum, mut total) = ([0.0_f32; 2], 0.0_f32);
            for (idx, pixel) in pictures[0].chunks_exact(3).enumerate() {
                let red = (f32::from(pixel[0]) - f32::from(pixel[1]) - 40.0).max(0.0);
                #[allow(clippy::cast_precision_loss, reason = "small numbers")]
                let (x, y) = ((idx % 128) as f32 + 0.5, (idx / 128) as f32 + 0.5);
                sum[0] += red * x;
                sum[1] += red * y;
                total += red;
            }
            let lens = body::head_lens();
            let focal = 64.0 / libm::tanf(0.5 * lens.width_rads);
            let ray = lens.pose.rotation
                * Vec3::new((sum[0] / total - 64.0) / focal, (sum[1] / total - 48.0) / focal, 1.0);
            let eye = lens.pose.translation;
            let found = eye + ray * ((0.02 - eye.z) / ray.z);
            offsets.push((found - at).truncate());
        }
    }
    #[allow(clippy::cast_precision_loss, reason = "small numbers")]
    let mean =
        offsets.iter().copied().fold(Default::default(), |a: rapier3d::glamx::Vec2, b| a + b)
            / offsets.len() as f32;
    for offset in &offsets {
        worst = worst.max((*offset - mean).length());
    }
    assert!(worst < 0.005, "{worst} {offsets:?}");
}

#[test]
fn the_head_sees_a_thing_where_its_lens_says() {
    let setup = Setup::new(Task::PickPlace, 4, Variation::TRAIN);
    let mut world = setup.world();
    let ([head, ..], lens) = (body::cameras(), body::head_lens());
    let middle = lens.place(&head, Vec3::new(0.48, 0.0, 0.0)).expect("before the lens");
    assert!(middle.iter().all(|off| off.abs() < 1e-3), "{middle:?}");
    assert_eq!(lens.place(&head, Vec3::new(-0.5, 0.0, 2.0)), None);
    let thing = setup.target().body;
    let said = lens.place(&head, world.physics().pose(thing).translation).expect("in sight");
    world.look(0, &mut picture_buffers());
    assert_seen(&world, 0, thing, said);
}

#[test]
fn a_wrist_sees_a_thing_where_its_lens_says() {
    let setup = Setup::new(Task::PickPlace, 4, Variation::TRAIN);
    let mut world = setup.world();
    let mut driver = Driver::new(world.joints(0));
    let thing = setup.target().body;
    let at = |world: &World| world.physics().pose(thing).translation;
    let action = reach(&world, at(&world) + Vec3::new(-0.02, 0.02, 0.12));
    for _ in 0..300 {
        world.step(&[driver.targets(&action).expect("a valid action")]);
    }
    let [_, camera, _] = body::cameras();
    let lens = body::wrist_lens_at(&world.tool(0, 0));
    let said = lens.place(&camera, at(&world)).expect("in sight");
    assert!(said.iter().all(|at| at.abs() < 0.8), "{said:?}");
    world.look(0, &mut picture_buffers());
    assert_seen(&world, 1, thing, said);
}

/// A body's pixels in the picture of a camera, around where it is said to be.
fn assert_seen(world: &World, camera: usize, body: usize, said: [f32; 2]) {
    let Camera { width, height, .. } = body::cameras()[camera];
    let (mut sum, mut n) = ([0.0_f32; 2], 0.0_f32);
    for (at, (seen, _)) in world.rasters[camera].labels().into_iter().enumerate() {
        if usize::from(seen) == body {
            let unit = |at: usize, size: usize| (2 * at + 1) as f32 / size as f32 - 1.0;
            sum[0] += unit(at % width, width);
            sum[1] += unit(at / width, height);
            n += 1.0;
        }
    }
    let off = [sum[0] / n - said[0], sum[1] / n - said[1]];
    // The middle of what is seen is that of the sides that face the camera.
    let most = if camera == 0 { 0.05 } else { 0.2 };
    assert!(n > 4.0 && off.iter().all(|off| off.abs() < most), "{off:?} over {n} pixels");
}
