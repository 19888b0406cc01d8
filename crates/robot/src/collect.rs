//! Demonstrations: experts at work, recorded.
//!
//! [`demonstrate`] lets the experts of a setup do their task and shows every tick to an observer;
//! [`collect`] writes one [`Episode`] file for each robot and seed into a folder. The same call again
//! goes on where it was interrupted: what is there and whole is kept. Episodes are independent of each
//! other and of the number of threads.

mod attempt;
mod demonstrate;
mod episode;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

pub use attempt::{Seen, attempt};
pub use demonstrate::{Outcome, Tick, demonstrate, demonstrate_in};
pub use episode::{Episode, EpisodeWriter, Header};

use crate::error::{Error, Result};
use crate::interface::ACTION;
use crate::tasks::{Setup, Task, Variation};

/// What to collect.
#[derive(Debug, Clone)]
pub struct CollectConfig {
    /// Where episodes go, one folder a task.
    pub folder: PathBuf,
    /// Which tasks.
    pub tasks: Vec<Task>,
    /// The first seed of each task.
    pub first_seed: u64,
    /// Seeds of each task; seeds at which the expert fails give no episode.
    pub n_seeds: u64,
    /// What scenes are drawn from.
    pub variation: Variation,
    /// Speed of the disturbances that experts must recover from, in metres per second (0: none).
    pub disturbance: f32,
    /// Episodes at once.
    pub n_threads: usize,
}

/// What is done at a tick; nothing to stay where one is.
pub type Acting<'a> = dyn FnMut(&Seen) -> Option<[f32; ACTION]> + 'a;

/// Somebody who acts while experts say what they would do: an attempt shows where it goes wrong, and
/// what would have been right (DAgger, arXiv 1011.0686).
pub trait Actor: Sync {
    /// Who it is, for the record.
    fn name(&self) -> &str;

    /// Begins an attempt: what is given is asked at every tick, as in [`attempt`].
    fn begin<'a>(&'a self, setup: &Setup) -> Box<Acting<'a>>;
}

/// What became of a collection so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Collected {
    /// Seeds with a successful demonstration, new or from before.
    pub n_done: usize,
    /// Seeds at which the expert failed.
    pub n_failed: usize,
    /// Seeds in all.
    pub n_seeds: usize,
}

/// Collects what is not there yet, of experts or of an `actor` whom they correct; `progress` hears of every finished seed and returns whether to go on.
///
/// # Errors
///
/// The first file that cannot be written. Nothing half-written stays under an episode's name.
pub fn collect(
    config: &CollectConfig,
    actor: Option<&dyn Actor>,
    progress: &(dyn Fn(Collected) -> bool + Sync),
) -> Result<Collected> {
    let jobs: Vec<(Task, u64)> = config
        .tasks
        .iter()
        .flat_map(|&task| (0..config.n_seeds).map(move |idx| (task, config.first_seed + idx)))
        .collect();
    for task in &config.tasks {
        let folder = config.folder.join(task.name());
        std::fs::create_dir_all(&folder).map_err(|error| Error::file(&folder, error))?;
    }
    let next = AtomicUsize::new(0);
    let stop = AtomicBool::new(false);
    let state = Mutex::new((Collected { n_seeds: jobs.len(), ..Default::default() }, None));
    let work = || {
        while !stop.load(Ordering::Relaxed) {
            let Some(&(task, seed)) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) else { break };
            let outcome = one(config, actor, task, seed);
            // A thread that panicked has left nothing half-done in here.
            let mut state = state.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            match outcome {
                Ok(true) => state.0.n_done += 1,
                Ok(false) => state.0.n_failed += 1,
                Err(error) => {
                    state.1.get_or_insert(error);
                    stop.store(true, Ordering::Relaxed);
                }
            }
            if !progress(state.0) {
                stop.store(true, Ordering::Relaxed);
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..config.n_threads.max(1) {
            scope.spawn(work);
        }
        work();
    });
    let (collected, error) = state.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    error.map_or(Ok(collected), Err)
}

/// The file of one robot's episode.
#[must_use]
pub fn path_of(folder: &Path, task: Task, seed: u64, robot: usize) -> PathBuf {
    folder.join(task.name()).join(format!("{seed:08}-{robot}.episode"))
}

/// All episode files below a folder, by name.
///
/// # Errors
///
/// A folder that cannot be read.
pub fn list(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_path_buf()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).map_err(|error| Error::file(&folder, error))? {
            let path = entry.map_err(|error| Error::file(&folder, error))?.path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|ending| ending == "episode") {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// One seed; whether there is an episode of it.
fn one(config: &CollectConfig, actor: Option<&dyn Actor>, task: Task, seed: u64) -> Result<bool> {
    let paths: Vec<PathBuf> =
        (0..task.n_robots()).map(|robot| path_of(&config.folder, task, seed, robot)).collect();
    // Experts fail the same way each time, so that a failure is remembered by an empty file.
    let failed = paths[0].with_extension("failed");
    if failed.exists() {
        return Ok(false);
    }
    let is_wanted = |episode: Episode| {
        let header = episode.header();
        header.variation == config.variation
            && header.actor.as_deref() == actor.map(Actor::name)
            && (header.disturbance - config.disturbance).abs() < f32::EPSILON
    };
    if paths.iter().all(|path| Episode::load(path).is_ok_and(is_wanted)) {
        return Ok(true);
    }
    let setup = Setup::new(task, seed, config.variation);
    let mut writers: Vec<EpisodeWriter> = (0..task.n_robots())
        .map(|robot| EpisodeWriter::new(&setup, robot, config.disturbance))
        .collect();
    if let Some(actor) = actor {
        correct(actor, &setup, &mut writers);
    } else if !show(config, &setup, &mut writers) {
        std::fs::write(&failed, []).map_err(|error| Error::file(&failed, error))?;
        return Ok(false);
    }
    for (writer, path) in writers.into_iter().zip(&paths) {
        writer.finish(path)?;
    }
    Ok(true)
}

/// Whether experts do what a setup asks for, taken down.
fn show(config: &CollectConfig, setup: &Setup, writers: &mut [EpisodeWriter]) -> bool {
    let outcome = demonstrate(setup, config.disturbance, true, &mut |tick| {
        for (robot, writer) in writers.iter_mut().enumerate() {
            writer.add(
                &tick.states[robot],
                &tick.actions[robot],
                &tick.marks[robot],
                tick.pictures.map(|pictures| &pictures[robot]),
            );
        }
    });
    outcome.success
}

/// Lets somebody act, and takes down what experts would have done.
fn correct(actor: &dyn Actor, setup: &Setup, writers: &mut [EpisodeWriter]) {
    let mut act = actor.begin(setup);
    let outcome = attempt(setup, true, &mut |seen| {
        if let (Some(expert), Some(marks)) = (seen.expert, seen.marks) {
            let pictures = seen.is_new.then_some(seen.pictures);
            writers[seen.robot].add(seen.state, expert, marks, pictures);
        }
        let action = act(seen);
        if action.as_ref() != seen.expert {
            writers[seen.robot].stray();
        }
        action
    });
    for writer in writers {
        writer.acted(actor.name(), outcome.success);
    }
}
