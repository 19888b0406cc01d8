//! `tetrad robot export`, and training on LeRobot datasets.

use std::sync::atomic::{AtomicBool, Ordering};

use robot::lerobot::{Dataset, ExportConfig, Exported, Mapping, Source};
use robot::model::PolicyConfig;
use robot::study::Demonstrations;
use robot::train::Episodes;

use super::genome::interrupted;
use super::robot::bar;
use crate::args::robot::{Export, Train};
use crate::exit::{Status, usage};
use crate::output::Output;

pub(super) fn export(flags: &Export, output: &Output) -> anyhow::Result<Status> {
    let config = ExportConfig::new(flags.episodes.clone(), flags.to.clone());
    let stop = interrupted();
    let bar = bar(0, "episodes", output);
    let mut progress = |done: &Exported| {
        bar.set_length(done.n_files as u64);
        bar.set_position((done.n_episodes + done.n_left_out) as u64);
        bar.set_message(format!("{} rows", done.n_rows));
        !stop.load(Ordering::Relaxed)
    };
    let done = robot::lerobot::export(&config, &mut progress)?;
    bar.finish_and_clear();
    output.answer("tetrad.robot.export", &done, || {
        if !done.finished {
            return format!("interrupted: {} is not written\n", flags.to.display());
        }
        format!(
            "{} episodes with {} rows written to {}, {} left out because their task was not done\n",
            done.n_episodes,
            done.n_rows,
            flags.to.display(),
            done.n_left_out
        )
    })?;
    Ok(if done.finished { Status::Ok } else { Status::Interrupted })
}

/// What `train` learns from, and the policy for it: episodes of ours, or a dataset.
pub(super) fn episodes(
    flags: &Train,
    shape: PolicyConfig,
    stop: &AtomicBool,
    output: &Output,
) -> anyhow::Result<(PolicyConfig, Box<dyn Episodes>)> {
    if !robot::lerobot::is_dataset(&flags.episodes) {
        if flags.features.is_some() {
            let hint = "`--features` is for LeRobot datasets, which have a `meta/info.json`";
            return Err(usage(format!("{} is no dataset", flags.episodes.display()), hint));
        }
        let demonstrations = Demonstrations::open(&flags.episodes, shape.s2.words)?;
        return Ok((shape, Box::new(demonstrations)));
    }
    let mapping =
        flags.features.as_deref().map_or_else(|| Ok(Mapping::default()), Mapping::load)?;
    let source = Source {
        folder: &flags.episodes,
        mapping: &mapping,
        n_words: shape.s2.words,
        scratch: &flags.to,
        ffmpeg: &flags.ffmpeg,
    };
    let bar = bar(0, "pictures", output);
    let mut progress = |n: usize, n_all: usize| {
        bar.set_length(n_all as u64);
        bar.set_position(n as u64);
        !stop.load(Ordering::Relaxed)
    };
    let dataset = Dataset::open(&source, &mut progress)?;
    bar.finish_and_clear();
    let config = dataset.policy(shape)?;
    let info = dataset.info();
    output.note(&format!(
        "{}: {} episodes, {} rows at {:.4} a second; states of {} and actions of {} values, {} cameras",
        flags.episodes.display(),
        info.total_episodes,
        info.total_frames,
        info.fps,
        config.state,
        config.action,
        config.cameras.len()
    ));
    Ok((config, Box::new(dataset)))
}
