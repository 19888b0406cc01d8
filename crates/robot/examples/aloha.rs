//! gym-aloha's tasks, with the package's models in the folder ASSETS (`gym_aloha/assets`):
//!
//! ```text
//! aloha demonstrate ASSETS [N] [SEED]             count successes of scripted demonstrations of both tasks
//! aloha record ASSETS TASK DATASET [N] [SEED]     write them as a LeRobot dataset
//! aloha evaluate ASSETS TASK POLICY [N] [SEED]    count successes of a trained policy
//! aloha look ASSETS TASK FOLDER [POLICY] [SEED]   pictures of an episode as PNG files
//! ```
#![allow(clippy::print_stdout, reason = "a development tool that reports")]

use std::path::Path;
use std::time::Instant;

use robot::aloha::{
    ACTION, Aloha, AlohaTask, CAMERA, HELD_OUT, N_STEPS, Outcome, Player, Recording, View,
    demonstrate, record,
};
use robot::interface::Camera;
use robot::model::Policy;
use runs::stats::Rate;

type Answer<T> = Result<T, Box<dyn std::error::Error>>;

/// Steps from one picture of an episode to the next.
const LOOK_EVERY: usize = 25;

fn main() -> Answer<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args.as_slice() {
        ["demonstrate", assets, rest @ ..] => {
            let (n, first) = (number(rest, 0, 50)?, number(rest, 1, 0)?);
            for task in AlohaTask::ALL {
                let mut aloha = Aloha::new(task, Path::new(assets))?;
                count(task, "demonstrations", n, first, &mut |seed| {
                    Ok(demonstrate(&mut aloha, seed, &mut |_, _| {}))
                })?;
            }
        }
        ["record", assets, task, to, rest @ ..] => {
            let (n, first_seed) = (number(rest, 0, 50)?, number(rest, 1, 0)?);
            let mut aloha = Aloha::new(AlohaTask::parse(task)?, Path::new(assets))?;
            let recording = Recording { n, first_seed, ..Recording::DEFAULT };
            let start = Instant::now();
            let done = record(&mut aloha, recording, Path::new(to), &mut |_| true)?;
            let secs = start.elapsed().as_secs_f64() / n as f64;
            let failed = done.failed;
            println!(
                "{task}: {} of {n} episodes written to {to}, seeds from {first_seed}, left out {failed:?}, \
                 {secs:.2} s an episode",
                n - failed.len() as u64
            );
        }
        ["evaluate", assets, task, policy, rest @ ..] => {
            let (n, first) = (number(rest, 0, 50)?, number(rest, 1, HELD_OUT)?);
            let task = AlohaTask::parse(task)?;
            let mut aloha = Aloha::new(task, Path::new(assets))?;
            let mut player = Player::new(&Policy::load(Path::new(policy))?, &aloha)?;
            count(task, policy, n, first, &mut |seed| {
                Ok(player.play(&mut aloha, seed, &mut |_, _| {})?)
            })?;
        }
        ["look", assets, task, folder, rest @ ..] => {
            let seed = number(rest, 1, HELD_OUT)?;
            let mut aloha = Aloha::new(AlohaTask::parse(task)?, Path::new(assets))?;
            look(&mut aloha, Path::new(folder), rest.first().copied(), seed)?;
        }
        _ => return Err("say demonstrate, record, evaluate or look; see the example's head".into()),
    }
    Ok(())
}

fn number(rest: &[&str], at: usize, default: u64) -> Answer<u64> {
    Ok(rest.get(at).map_or(Ok(default), |text| text.parse())?)
}

/// Plays episodes and prints how many succeed.
fn count(
    task: AlohaTask,
    who: &str,
    n: u64,
    first: u64,
    play: &mut dyn FnMut(u64) -> Answer<Outcome>,
) -> Answer<()> {
    let (mut n_done, mut n_kept, mut failed) = (0, 0, Vec::new());
    let start = Instant::now();
    for seed in first..first + n {
        let outcome = play(seed)?;
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
        "{}, {who}: reward 4 {}, kept for the last second {}, seeds from {first}, {N_STEPS} actions, \
         {:.2} s an episode, failed (seed, reward) {failed:?}",
        task.name(),
        interval(n_done),
        interval(n_kept),
        start.elapsed().as_secs_f64() / n as f64
    );
    Ok(())
}

/// Writes pictures of an episode, of a policy's or a demonstration: large, and as a policy sees them.
fn look(aloha: &mut Aloha, folder: &Path, policy: Option<&str>, seed: u64) -> Answer<()> {
    std::fs::create_dir_all(folder)?;
    let camera = |[width, height]: [usize; 2]| Camera { name: CAMERA.to_owned(), width, height };
    let mut views =
        [View::new(aloha, camera([640, 480]))?, View::new(aloha, camera(Recording::DEFAULT.size))?];
    let (mut step, mut saved) = (0, Ok(()));
    let mut observer = |aloha: &Aloha, _: &[f32; ACTION]| {
        for (view, size) in views.iter_mut().zip(["large", "small"]) {
            if step % LOOK_EVERY == 0 && saved.is_ok() {
                saved = view.save(aloha, &folder.join(format!("{size}-{step:03}.png")));
            }
        }
        step += 1;
    };
    let outcome = match policy {
        Some(policy) => {
            let policy = Policy::load(Path::new(policy))?;
            Player::new(&policy, aloha)?.play(aloha, seed, &mut observer)?
        }
        None => demonstrate(aloha, seed, &mut observer),
    };
    saved?;
    println!("seed {seed}: reward {}, pictures in {}", outcome.reward, folder.display());
    Ok(())
}
