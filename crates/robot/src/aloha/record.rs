//! Demonstrations as a LeRobot dataset.

use std::path::Path;

use super::{ACTION, Aloha, CAMERA, HELD_OUT, RATE_HZ, View, demonstrate};
use crate::error::{Error, Result};
use crate::interface::Camera;
use crate::lerobot::{RecordConfig, Recorder, Rows};

/// Names of an arm's values.
const ARM: [&str; 7] =
    ["waist", "shoulder", "elbow", "forearm_roll", "wrist_angle", "wrist_rotate", "gripper"];

/// What to record, and how much of it is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recording {
    /// The first episode's seed; one each from there on.
    pub first_seed: u64,
    /// Episodes that are played.
    pub n: u64,
    /// Pixels in a row, and rows of them: as a policy shall have them.
    pub size: [usize; 2],
    /// Whether failures are written too.
    pub with_failures: bool,
    /// Seeds of failures so far, written or not.
    pub failed: Vec<u64>,
}

impl Recording {
    /// Fifty, as ACT has them, at the size that policies get when they are asked nothing else.
    pub const DEFAULT: Recording = Recording {
        first_seed: 0,
        n: 50,
        size: [128, 96],
        with_failures: false,
        failed: Vec::new(),
    };
}

/// Plays demonstrations and writes those that succeed to a new folder. `progress` hears after each episode
/// which seed it was, and returns whether to go on; a dataset that was not is not there.
///
/// # Errors
/// Where a seed is held out, nothing succeeds, or what [`Recorder`] says; [`Error::Interrupted`] where
/// `progress` said so.
pub fn record(
    aloha: &mut Aloha,
    mut recording: Recording,
    to: &Path,
    progress: &mut dyn FnMut(u64) -> bool,
) -> Result<Recording> {
    let Recording { first_seed, n, size: [width, height], with_failures, .. } = recording;
    let end = first_seed.saturating_add(n);
    if end > HELD_OUT {
        let reason = format!("seeds from {HELD_OUT} on are held out, and {} is asked for", end - 1);
        return Err(Error::config("gym-aloha", reason));
    }
    let camera = Camera { name: CAMERA.to_owned(), width, height };
    let mut view = View::new(aloha, camera.clone())?;
    let n_bytes = camera.bytes();
    let (task, text) = (aloha.task().name(), aloha.task().instruction());
    let mut recorder = Recorder::begin(RecordConfig {
        to: to.to_path_buf(),
        robot: "aloha".to_owned(),
        fps: RATE_HZ,
        state: names(),
        action: names(),
        cameras: vec![camera],
        content: format!("Scripted demonstrations of gym-aloha's {task} in MuJoCo"),
    })?;
    for seed in first_seed..end {
        let mut rows = Rows::default();
        let mut drawn = Ok(());
        let outcome = demonstrate(aloha, seed, &mut |aloha: &Aloha, action: &[f32; ACTION]| {
            rows.states.extend(aloha.state());
            rows.actions.extend(action);
            let at = rows.pictures.len();
            rows.pictures.resize(at + n_bytes, 0);
            if let Err(error) = view.draw(aloha, &mut rows.pictures[at..]) {
                drawn = Err(error);
            }
        });
        drawn?;
        if !outcome.is_success() {
            recording.failed.push(seed);
        }
        if outcome.is_success() || with_failures {
            let (reward, kept) = (outcome.reward, outcome.is_kept);
            let header = serde_json::json!({
                "task": task, "seed": seed, "reward": reward, "kept": kept
            });
            recorder.episode(text, header.to_string(), &rows)?;
        }
        if !progress(seed) {
            return Err(Error::Interrupted);
        }
    }
    recorder.finish()?;
    Ok(recording)
}

/// Names of the values of a state or an action.
fn names() -> Vec<String> {
    ["left", "right"].iter().flat_map(|side| ARM.map(|part| format!("{side}_{part}"))).collect()
}
