//! The embedded engine beside MuJoCo, on the same scenes and joint targets.
//!
//! ```sh
//! eval "$(scripts/mujoco.sh)"
//! cargo test -p robot --features mujoco --test it needs_libmujoco -- --ignored --nocapture
//! ```
#![allow(clippy::print_stdout, reason = "a comparison that is read")]

use robot::experts::Expert;
use robot::tasks::{Setup, Task, Variation};
use robot::world::physics::STEP_SECS;
use robot::world::scene::{Group, Joint};
use robot::world::{
    Body, Driver, Geom, Joints, Mujoco, Physics, Pose3, Quat, Rapier, Scene, Shape, Vec3, World,
};

const GRAVITY: f32 = 9.81;

fn engines(scene: &Scene) -> [(&'static str, Box<dyn Physics>); 2] {
    let mujoco = Mujoco::new(scene).expect("MuJoCo takes the scene");
    [("rapier", Box::new(Rapier::new(scene))), ("mujoco", Box::new(mujoco))]
}

fn cuboid(name: &str, pose: Pose3, half: Vec3, joint: Joint, friction: f32) -> Body {
    let free = joint == Joint::Free;
    Body {
        name: name.to_owned(),
        parent: None,
        pose,
        joint,
        geoms: vec![Geom::new(Shape::Cuboid(half), Vec3::ZERO, [90; 3])],
        mass: 0.1,
        inertial: None,
        group: if free { Group::Object } else { Group::Fixture },
        friction,
        weighs: free,
    }
}

#[test]
#[ignore = "needs: libmujoco"]
fn needs_libmujoco_both_engines_let_a_cube_fall_and_slide_as_the_textbook_says() {
    let half = Vec3::splat(0.02);
    let mut scene = Scene::default();
    let high = Pose3::from_translation(Vec3::new(0.0, 0.0, 2.0));
    let cube = scene.add(cuboid("cube", high, half, Joint::Free, 0.3));
    let secs = 40.0 * STEP_SECS;
    let fall = 0.5 * GRAVITY * secs * secs;
    for (name, mut engine) in engines(&scene) {
        (0..40).for_each(|_| engine.step());
        let fell = 2.0 - engine.pose(cube).translation.z;
        println!("free fall of {secs:.2} s, {name}: {fell:.4} m, textbook {fall:.4} m");
        // Steps of 5 ms after velocity: at most one step's way too far.
        assert!((fell - fall).abs() < GRAVITY * secs * STEP_SECS, "{name}: {fell}");
    }

    let (angle, friction) = (0.5_f32, 0.3);
    let turn = Quat::from_rotation_y(angle);
    let mut scene = Scene::default();
    let ramp = Pose3::from_rotation(turn);
    scene.add(cuboid("ramp", ramp, Vec3::new(1.5, 0.5, 0.05), Joint::Fixed, friction));
    let on_top = ramp * Pose3::from_translation(Vec3::new(-1.0, 0.0, 0.07));
    let cube = scene.add(cuboid("cube", on_top, half, Joint::Free, friction));
    let secs = 160.0 * STEP_SECS;
    let acceleration = GRAVITY * (libm::sinf(angle) - friction * libm::cosf(angle));
    let way = 0.5 * acceleration * secs * secs;
    for (name, mut engine) in engines(&scene) {
        (0..160).for_each(|_| engine.step());
        let slid = engine.pose(cube).translation.distance(on_top.translation);
        let (linear, angular) = engine.velocity(cube);
        // A box that slides in MuJoCo chatters on its edges, at any step and stiffness that was tried.
        println!(
            "slide of {secs:.2} s down {angle} rad with friction {friction}, {name}: {slid:.4} m at \
             {:.3} m/s, turning at {:.2} rad/s; textbook {way:.4} m at {:.3} m/s",
            linear.length(),
            angular.length(),
            acceleration * secs
        );
        assert!((slid / way - 1.0).abs() < 0.05, "{name}: {slid} instead of {way}");
    }
}

/// One expert's joint targets in the embedded engine.
fn recorded(setup: &Setup) -> Vec<Joints> {
    let mut world = setup.world();
    let mut expert = Expert::new(setup, &world, 0);
    let mut driver = Driver::new(world.joints(0));
    let mut all = Vec::new();
    for _ in 0..1200 {
        let action = expert.act(setup, &world);
        let targets = driver.targets(&action).expect("an expert's action");
        world.step(&[targets]);
        all.push(targets);
        if action[action.len() - 1] >= 1.0 {
            break;
        }
    }
    all
}

/// What replaying targets gave: joints, object's pose against its hand, and its place, at each tick.
struct Replay {
    joints: Vec<Joints>,
    items: Vec<Pose3>,
    held: Vec<Pose3>,
}

fn replay(setup: &Setup, mut world: World, targets: &[Joints], side: usize) -> Replay {
    let mut replay = Replay { joints: Vec::new(), items: Vec::new(), held: Vec::new() };
    for targets in targets {
        world.step(&[*targets]);
        replay.joints.push(world.joints(0));
        let item = setup.item_pose(&world, setup.target);
        replay.items.push(item);
        replay.held.push(world.tool(0, side).inverse() * item);
    }
    replay
}

#[test]
#[ignore = "needs: libmujoco"]
fn needs_libmujoco_an_expert_s_joint_targets_move_both_engines_alike() {
    const SEEDS: u64 = 20;
    let (mut worst, mut n_lifted, mut n_same) = (0.0_f32, 0, 0);
    for seed in 0..SEEDS {
        let setup = Setup::new(Task::PickPlace, seed, Variation::HELD_OUT);
        let targets = recorded(&setup);
        let start = setup.world();
        let side = usize::from(setup.item_pose(&start, setup.target).translation.y < 0.0);
        let mujoco = Mujoco::new(&setup.scene).expect("MuJoCo takes the scene");
        let [ours, theirs] = [setup.world(), setup.world_with(Box::new(mujoco))]
            .map(|world| replay(&setup, world, &targets, side));
        let (mut largest, mut square, mut n) = (0.0_f32, 0.0_f32, 0.0_f32);
        for (a, b) in ours.joints.iter().zip(&theirs.joints) {
            for (a, b) in a.angles.as_flattened().iter().zip(b.angles.as_flattened()) {
                largest = largest.max((a - b).abs());
                square += (a - b) * (a - b);
                n += 1.0;
            }
        }
        worst = worst.max(largest);
        let ground = ours.items[0].translation.z;
        // Where the object is highest in the embedded engine.
        let top = (0..targets.len())
            .max_by(|&a, &b| ours.items[a].translation.z.total_cmp(&ours.items[b].translation.z))
            .expect("some ticks");
        let lifted = theirs.items[top].translation.z - ground > 0.05;
        let (a, b) = (&ours.held[top], &theirs.held[top]);
        let end = ours
            .items
            .last()
            .zip(theirs.items.last())
            .map_or(0.0, |(a, b)| a.translation.distance(b.translation));
        n_lifted += u32::from(lifted);
        n_same += u32::from(end < 0.03);
        println!(
            "seed {seed}, {} ticks: joints differ by {:.4} rad rms, {largest:.4} at most; at the top the \
             object is {} ({:.1} mm and {:.2} rad apart in the hand); at the end {:.1} mm apart",
            targets.len(),
            (square / n).sqrt(),
            if lifted { "held" } else { "not held" },
            1e3 * a.translation.distance(b.translation),
            (a.rotation.inverse() * b.rotation).to_scaled_axis().length(),
            1e3 * end
        );
    }
    println!("{n_lifted} of {SEEDS} lifted in MuJoCo, {n_same} of {SEEDS} end within 30 mm");
    assert!(worst < 0.1, "joints differ by {worst} rad");
    assert!(n_lifted >= 16, "{n_lifted} of {SEEDS} lifted");
}
