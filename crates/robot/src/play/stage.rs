//! The simulated world on stage: it tells robots what to do, and everything is recorded.

use std::path::PathBuf;

use super::Plan;
use crate::deploy::World;
use crate::error::Result;
use crate::fast::Published;
use crate::interface::{STATE, WRIST};
use crate::limits::{Limits, Targets};
use crate::record::{Actor, End, Heading, Record, Recorder, Row, Time, list, path_of};
use crate::study::LiveWorld;

/// Tells a robot what to do.
type Say = Box<dyn FnMut(usize, &str) + Send>;

/// [`LiveWorld`] with records of what happens in it.
pub struct Stage {
    world: LiveWorld,
    recorder: Option<Recorder>,
    say: Say,
    folder: PathBuf,
    time: Time,
    /// Number of the attempt that is being played.
    attempt: usize,
    /// What each S1 said last, and when its record began.
    robots: Vec<(Option<Published>, Option<u64>)>,
    /// The tick that is being played, in nanoseconds.
    now: u64,
}

impl std::fmt::Debug for Stage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stage").field("attempt", &self.attempt).finish_non_exhaustive()
    }
}

impl Stage {
    /// Goes on after the attempts whose records are there: with the scene of one that was cut off.
    ///
    /// # Errors
    /// When records cannot be read or begun.
    pub fn new(plan: &Plan, time: Time, say: Say) -> Result<Stage> {
        let folder = plan.records();
        let before = list(&folder)?;
        let attempt = before.iter().filter_map(|path| number_of(path)).max().map_or(0, |n| n + 1);
        let of_first = before.iter().filter(|path| {
            path.file_stem().is_some_and(|name| name.to_string_lossy().ends_with("-0"))
        });
        let is_over =
            |path: &&PathBuf| Record::load(path).is_ok_and(|record| record.end().is_some());
        let n_over = of_first.filter(is_over).count() as u64;
        let n_robots = plan.n_robots()?;
        let setups = (0..super::MOST_SCENES).map(|idx| plan.setup(n_over + idx)).collect();
        let mut stage = Stage {
            world: LiveWorld::new(setups),
            recorder: Some(Recorder::start(n_robots)?),
            say,
            folder,
            time,
            attempt,
            robots: vec![(None, None); n_robots],
            now: 0,
        };
        stage.tell();
        Ok(stage)
    }

    /// The world.
    #[must_use]
    pub fn world(&self) -> &LiveWorld {
        &self.world
    }

    /// Tells every robot what to do.
    fn tell(&mut self) {
        for (robot, text) in self.world.setup().instructions.iter().enumerate() {
            (self.say)(robot, text);
        }
    }

    /// Ends the records; the attempt that is being played is cut off.
    ///
    /// # Errors
    /// The first that the file system refused.
    pub fn finish(&mut self) -> Result<()> {
        self.recorder.take().map_or(Ok(()), Recorder::finish)
    }
}

/// The attempt's number in the name of a record.
fn number_of(path: &std::path::Path) -> Option<usize> {
    path.file_stem()?.to_str()?.split('-').next()?.parse().ok()
}

impl World for Stage {
    fn n_robots(&self) -> usize {
        self.world.n_robots()
    }

    fn frame_bytes(&self) -> usize {
        self.world.frame_bytes()
    }

    fn limits(&self) -> &Limits {
        self.world.limits()
    }

    fn episode(&self) -> u32 {
        self.world.episode()
    }

    fn hear(&mut self, now: u64, robot: usize, said: Option<&Published>) {
        self.world.hear(now, robot, said);
        self.now = now;
        let Stage { world, recorder, robots, folder, time, attempt, .. } = self;
        let (last, begun_at) = &mut robots[robot];
        *last = said.copied();
        if begun_at.is_none()
            && let Some(recorder) = recorder
        {
            let heading = Heading::new(world.setup(), robot, Actor::Policy, *time, now);
            recorder.begin(robot, path_of(folder, *attempt, robot), heading);
            *begun_at = Some(now);
        }
    }

    fn step(&mut self, targets: &[Targets]) {
        for (robot, targets) in targets.iter().enumerate() {
            let mut state = [0.0; STATE];
            self.world.state(robot, &mut state);
            let (said, begun_at) = &self.robots[robot];
            let at = self.now - begun_at.unwrap_or(self.now);
            let row = row((at as f64 / 1e9) as f32, targets, &state, said.as_ref());
            self.recorder.iter().for_each(|recorder| recorder.row(robot, row));
        }
        let n_before = self.world.outcomes().len();
        self.world.step(targets);
        if let Some(outcome) = self.world.outcomes().get(n_before).copied() {
            let end = End { success: outcome.success, n_ticks: outcome.n_ticks };
            self.recorder.iter().for_each(|recorder| recorder.end(end));
            self.attempt += 1;
            self.robots.fill((None, None));
            // Before the first pictures of the new scene: whoever sees them has heard what to do.
            self.tell();
        }
    }

    fn state(&mut self, robot: usize, into: &mut [f32; STATE]) {
        self.world.state(robot, into);
    }

    fn look(&mut self, robot: usize, into: &mut [u8]) {
        self.world.look(robot, into);
        self.recorder.iter().for_each(|recorder| recorder.frame(robot, into));
    }
}

fn row(at: f32, targets: &Targets, state: &[f32; STATE], said: Option<&Published>) -> Row {
    let told = Row::told(at, targets, state);
    let Some(said) = said else { return told };
    // A rotation of zeros is what is published where the policy said nothing.
    let says = said.action[3..WRIST - 1].iter().any(|&value| value != 0.0);
    Row {
        rung: Some(said.rung),
        latent_age: said.latent_age.map_or(f32::NAN, |age| (age as f64 / 1e9) as f32),
        asked: if says { said.action } else { told.asked },
        ..told
    }
}
