//! Scripted demonstrations of gym-aloha's tasks: `aloha <folder gym_aloha/assets> [n] [first seed]`.
#![allow(clippy::print_stdout, reason = "a development tool that reports")]

use std::path::Path;
use std::time::Instant;

use robot::aloha::{Aloha, AlohaTask, N_STEPS, demonstrate};
use runs::stats::Rate;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let folder = args.first().ok_or("name the folder gym_aloha/assets of the package gym-aloha")?;
    let n: u64 = args.get(1).map_or(Ok(50), |text| text.parse())?;
    let first: u64 = args.get(2).map_or(Ok(0), |text| text.parse())?;
    for task in AlohaTask::ALL {
        let mut aloha = Aloha::new(task, Path::new(folder))?;
        let (mut n_done, mut n_kept, mut failed) = (0, 0, Vec::new());
        let start = Instant::now();
        for seed in first..first + n {
            let outcome = demonstrate(&mut aloha, seed, &mut |_, _| {});
            n_done += u64::from(outcome.is_success());
            n_kept += u64::from(outcome.is_success() && outcome.is_kept);
            if !outcome.is_success() {
                failed.push((seed, outcome.reward));
            }
        }
        let interval = |hits: u64| {
            let interval = Rate { hits, n }.wilson();
            let (low, high) = interval.map_or((0.0, 0.0), |interval| (interval.low, interval.high));
            format!("{hits}/{n} (95% {:.1}..{:.1} %)", 100.0 * low, 100.0 * high)
        };
        println!(
            "{}: reward 4 {}, kept for the last second {}, seeds from {first}, {N_STEPS} actions, \
             {:.2} s an episode, failed (seed, reward) {failed:?}",
            task.name(),
            interval(n_done),
            interval(n_kept),
            start.elapsed().as_secs_f64() / n as f64
        );
    }
    Ok(())
}
