//! Attempts in simulated time, kept on record.

use std::path::Path;

use crate::collect::{Outcome, demonstrate};
use crate::error::Result;
use crate::interface::{ACTION, STATE, TICK_NS};
use crate::limits::Targets;
use crate::record::{Actor, End, Heading, Recording, Row, Time, path_of};
use crate::tasks::Setup;
use crate::world::{Driver, Joints, World};

/// Writes down what every robot of an attempt does.
pub(super) struct Keeper {
    recordings: Vec<Recording>,
    /// What turns actions into what joints are told, as the attempt itself does.
    drivers: Vec<Option<(Driver, Joints)>>,
}

impl Keeper {
    /// Begins the records of an attempt at a setup, whose instructions are what robots are told.
    pub(super) fn begin(
        folder: &Path,
        attempt: usize,
        told: &Setup,
        actor: Actor,
    ) -> Result<Keeper> {
        let n_robots = told.instructions.len();
        let begin = |robot| {
            let path = path_of(folder, attempt, robot);
            // One from before was of an attempt that was not finished.
            match std::fs::remove_file(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(crate::Error::file(&path, error));
                }
                _ => {}
            }
            Recording::create(&path, &Heading::new(told, robot, actor, Time::Simulated, 0))
        };
        let recordings = (0..n_robots).map(begin).collect::<Result<_>>()?;
        Ok(Keeper { recordings, drivers: vec![None; n_robots] })
    }

    /// A robot's tick: its state and new pictures before it, and what its policy asked for.
    pub(super) fn tick(
        &mut self,
        (tick, robot): (u32, usize),
        world: &World,
        state: &[f32; STATE],
        pictures: Option<&[Vec<u8>; 3]>,
        asked: Option<&[f32; ACTION]>,
        latent_age: f32,
    ) -> Result<()> {
        let begin = || {
            let joints = world.joints(robot);
            (Driver::new(joints), joints)
        };
        let (driver, joints) = self.drivers[robot].get_or_insert_with(begin);
        // What no body can follow changes nothing.
        if let Some(targets) = asked.and_then(|action| driver.targets(action).ok()) {
            *joints = targets;
        }
        let targets = Targets {
            joints: joints.angles.map(|arm| arm.map(f64::from)),
            grippers: joints.openings.map(f64::from),
            completion: 0.0,
        };
        let at = (f64::from(tick) * TICK_NS as f64 / 1e9) as f32;
        let told = Row::told(at, &targets, state);
        let row = Row { latent_age, asked: asked.copied().unwrap_or(told.asked), ..told };
        let recording = &mut self.recordings[robot];
        if let Some(pictures) = pictures {
            recording.frame(pictures.iter().map(Vec::as_slice))?;
        }
        recording.row(&row)
    }

    pub(super) fn end(self, outcome: Outcome) -> Result<()> {
        let end = End { success: outcome.success, n_ticks: outcome.n_ticks };
        self.recordings.into_iter().try_for_each(|recording| recording.end(end))
    }
}

/// Lets the experts do the task of a setup, on record in a folder under this attempt's number.
///
/// # Errors
/// When the file system refuses.
pub fn show_experts(folder: &Path, attempt: usize, setup: &Setup) -> Result<Outcome> {
    let mut keeper = Keeper::begin(folder, attempt, setup, Actor::Expert)?;
    let (mut n_ticks, mut failed) = (0, Ok(()));
    let outcome = demonstrate(setup, 0.0, true, &mut |tick| {
        for (robot, state) in tick.states.iter().enumerate() {
            let pictures = tick.pictures.map(|all| &all[robot]);
            let asked = Some(&tick.actions[robot]);
            let at = (n_ticks, robot);
            let kept = keeper.tick(at, tick.world, state, pictures, asked, f32::NAN);
            failed = std::mem::replace(&mut failed, Ok(())).and(kept);
        }
        n_ticks += 1;
    });
    failed?;
    keeper.end(outcome)?;
    Ok(outcome)
}
