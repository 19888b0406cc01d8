//! `tetrad robot scene`: scenes to MJCF, and what a file of MJCF holds.

use std::path::Path;

use robot::tasks::Setup;
use robot::world::scene::Joint;
use robot::world::{Physics as _, Rapier, Scene, mjcf};
use serde::Serialize;

use super::robot::tasks;
use super::robot_eval::variation;
use crate::args::robot::Scene as Flags;
use crate::exit::{Status, usage};
use crate::output::Output;

/// Ticks for which a scene that was read is watched: two seconds.
const N_TICKS: u32 = 400;

/// What a scene holds.
#[derive(Debug, Serialize)]
struct Held {
    file: String,
    bodies: usize,
    /// Free bodies, and joints of one axis; those of the latter that a servo drives.
    free: usize,
    joints: usize,
    servos: usize,
    shapes: usize,
    /// Of everything that can move.
    mass_kg: f32,
    robots: usize,
}

impl Held {
    fn of(scene: &Scene, file: &Path) -> Self {
        let axes = || scene.bodies.iter().filter_map(|body| body.joint.axis());
        let moving = || (0..scene.bodies.len()).filter(|&body| !scene.is_static(body));
        Self {
            file: file.display().to_string(),
            bodies: scene.bodies.len(),
            free: scene.bodies.iter().filter(|body| body.joint == Joint::Free).count(),
            joints: axes().count(),
            servos: axes().filter(|axis| axis.motor.is_some()).count(),
            shapes: scene.bodies.iter().map(|body| body.geoms.len()).sum(),
            mass_kg: moving().map(|body| scene.bodies[body].mass).sum(),
            robots: robot::world::body::find_robots(scene).len(),
        }
    }

    fn line(&self) -> String {
        format!(
            "{}: {} bodies ({} free), {} joints ({} driven), {} shapes, {:.3} kg that move, {} robots\n",
            self.file,
            self.bodies,
            self.free,
            self.joints,
            self.servos,
            self.shapes,
            self.mass_kg,
            self.robots
        )
    }
}

/// What was read, and what became of it.
#[derive(Debug, Serialize)]
struct Watched {
    #[serde(flatten)]
    held: Held,
    secs: f32,
    /// The fastest body at the end, and its speed.
    fastest: String,
    fastest_m_per_s: f32,
}

pub(crate) fn run(flags: &Flags, output: &Output) -> anyhow::Result<Status> {
    match (&flags.from, &flags.to) {
        (Some(from), _) => read(from, output),
        (None, Some(to)) => write(flags, to, output),
        (None, None) => Err(usage("neither `--to` nor `--from`", "name a file to write or read")),
    }
}

fn write(flags: &Flags, to: &Path, output: &Output) -> anyhow::Result<Status> {
    let variation = variation(flags.scenes);
    let [task] = tasks(std::slice::from_ref(&flags.task))?[..] else {
        return Err(usage("more than one task", "one file holds one scene"));
    };
    let setup = Setup::new(task, flags.seed, variation);
    let name = format!("{} {}: {}", task.name(), flags.seed, setup.instructions.join(" / "));
    std::fs::write(to, mjcf::write(&setup.scene, &name)).map_err(|error| {
        usage(format!("{}: {error}", to.display()), "name a file that can be written")
    })?;
    let held = Held::of(&setup.scene, to);
    output.answer("tetrad.robot.scene", &held, || held.line())?;
    Ok(Status::Ok)
}

fn read(from: &Path, output: &Output) -> anyhow::Result<Status> {
    let scene = mjcf::read(from)?;
    let mut physics = Rapier::new(&scene);
    for _ in 0..N_TICKS {
        physics.step();
    }
    let speeds = (0..scene.bodies.len()).map(|body| (body, physics.velocity(body).0.length()));
    let fastest = speeds.max_by(|(_, one), (_, other)| one.total_cmp(other));
    let watched = Watched {
        held: Held::of(&scene, from),
        secs: robot::world::physics::STEP_SECS * N_TICKS as f32,
        fastest: fastest.map_or(String::new(), |(body, _)| scene.bodies[body].name.clone()),
        fastest_m_per_s: fastest.map_or(0.0, |(_, speed)| speed),
    };
    output.answer("tetrad.robot.scene", &watched, || {
        format!(
            "{}after {:.1} simulated seconds the fastest body is `{}` at {:.3} m/s\n",
            watched.held.line(),
            watched.secs,
            watched.fastest,
            watched.fastest_m_per_s
        )
    })?;
    Ok(Status::Ok)
}
