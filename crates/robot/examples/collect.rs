//! Collects demonstrations: `collect FOLDER [task|all] [n] [first seed] [threads] [disturbance]`.
#![allow(clippy::print_stdout, reason = "a development tool that reports")]

use std::time::Instant;

use robot::collect::{CollectConfig, Episode, collect, list};
use robot::tasks::{Task, Variation};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let folder = args.first().ok_or("a folder is needed")?;
    let word = args.get(1).map_or("all", String::as_str);
    let number = |at: usize, default: u64| args.get(at).map_or(Ok(default), |text| text.parse());
    let config = CollectConfig {
        folder: folder.into(),
        tasks: Task::ALL.into_iter().filter(|task| word == "all" || task.name() == word).collect(),
        first_seed: number(3, 0)?,
        n_seeds: number(2, 10)?,
        variation: Variation::TRAIN,
        disturbance: args.get(5).map_or(Ok(0.05), |text| text.parse())?,
        n_threads: usize::try_from(number(4, 1)?)?,
    };
    let start = Instant::now();
    let collected = collect(&config, &|_| true)?;
    let secs = start.elapsed().as_secs_f64();
    println!("{collected:?} in {secs:.1} s");
    let (mut bytes, mut n_frames, mut n_ticks, mut unpacking) = (0, 0, 0, 0.0);
    for path in list(&config.folder)? {
        bytes += std::fs::metadata(&path)?.len();
        let episode = Episode::load(&path)?;
        n_frames += episode.header().n_frames;
        n_ticks += episode.header().n_ticks;
        let mut frame = vec![0; episode.frame_bytes()];
        let start = Instant::now();
        for idx in 0..episode.header().n_frames {
            episode.frame(idx, &mut frame)?;
        }
        unpacking += start.elapsed().as_secs_f64();
    }
    println!(
        "{n_ticks} ticks, {n_frames} frames, {} bytes a frame, {:.0} µs to unpack one",
        bytes / n_frames.max(1) as u64,
        1e6 * unpacking / n_frames.max(1) as f64
    );
    Ok(())
}
