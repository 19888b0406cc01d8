//! `tetrad robot`: demonstrations, training, evaluation.

use std::sync::Mutex;
use std::sync::atomic::Ordering;

use indicatif::{ProgressBar, ProgressStyle};
use robot::collect::{Actor, CollectConfig, Collected};
use robot::interface::TICK_NS;
use robot::model::config::Borrowed;
use robot::model::{Backbone, Lender, Policy, PolicyConfig};
use robot::study::{Corrected, Rehearsal};
use robot::tasks::{Task, Variation};
use robot::train::{Ages, Pointed, Recipe, Start, Stepped};
use runs::Store;
use serde::Serialize;

use super::genome::interrupted;
use super::{
    robot_ages, robot_bench, robot_eval, robot_lerobot, robot_replay, robot_run, robot_scene,
};
use crate::args::robot::{Collect, Robot, Train};
use crate::exit::{Status, usage};
use crate::output::Output;

pub(crate) fn run(
    robot: Robot,
    store: impl Fn() -> anyhow::Result<Store>,
    output: &Output,
) -> anyhow::Result<Status> {
    match robot {
        Robot::Collect(flags) => collect(&flags, output),
        Robot::Export(flags) => robot_lerobot::export(&flags, output),
        Robot::Train(flags) => {
            let ages = flags.latent_age.as_deref().map(|asked| latent_ages(asked, &store));
            let ages = ages.transpose()?;
            match flags.threads {
                Some(n) => nn::threads::with_count(n, || train(&flags, ages, output)),
                None => train(&flags, ages, output),
            }
        }
        Robot::Ages(flags) => robot_ages::run(&flags, &store()?, output),
        Robot::Eval(flags) => robot_eval::run(&flags, &store()?, output),
        Robot::Run(flags) => robot_run::run(&flags, &store()?, output),
        Robot::Replay { run, rerun, open } => {
            robot_replay::run(&run, rerun.as_deref(), open, &store()?, output)
        }
        Robot::Bench(flags) => robot_bench::run(&flags, output),
        Robot::Part(part) => robot_run::part(part, output),
        Robot::Scene(flags) => robot_scene::run(&flags, output),
        Robot::Info { policy } => info(&policy, output),
    }
}

/// Tasks by their names; all where none is named.
pub(super) fn tasks(names: &[String]) -> anyhow::Result<Vec<Task>> {
    if names.is_empty() {
        return Ok(Task::ALL.to_vec());
    }
    let known = || Task::ALL.map(Task::name).join(", ");
    let named = |name: &String| {
        Task::named(name)
            .ok_or_else(|| usage(format!("no task `{name}`"), format!("tasks: {}", known())))
    };
    names.iter().map(named).collect()
}

/// A bar for people, hidden from everyone else.
pub(super) fn bar(length: u64, of: &str, output: &Output) -> ProgressBar {
    if !output.interactive() {
        return ProgressBar::hidden();
    }
    let template = format!("{{bar:30}} {{pos}}/{{len}} {of}, {{msg}}, {{elapsed}}, {{eta}} left");
    let style = ProgressStyle::with_template(&template).expect("a valid template");
    ProgressBar::new(length).with_style(style)
}

pub(super) fn jobs(asked: Option<usize>) -> usize {
    asked.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from)).max(1)
}

fn collect(flags: &Collect, output: &Output) -> anyhow::Result<Status> {
    let config = CollectConfig {
        folder: flags.to.clone(),
        tasks: tasks(&flags.tasks)?,
        first_seed: flags.seed,
        n_seeds: flags.scenes,
        variation: Variation::TRAIN,
        disturbance: flags.disturbance,
        n_threads: jobs(flags.jobs),
    };
    let mut policy = flags.policy.as_ref().map(|path| Policy::load(path)).transpose()?;
    if let Some(policy) = &mut policy {
        policy.lend(flags.backbone.as_deref())?;
    }
    let corrected = match (&policy, &flags.policy) {
        (Some(policy), Some(path)) => Some(Corrected {
            policy,
            name: runs::sha256(&std::fs::read(path)?),
            how: Rehearsal::default(),
        }),
        _ => None,
    };
    let actor = corrected.as_ref().map(|corrected| corrected as &dyn Actor);
    let stop = interrupted();
    let bar = bar(config.tasks.len() as u64 * flags.scenes, "scenes", output);
    let progress = |collected: Collected| {
        bar.set_position((collected.n_done + collected.n_failed) as u64);
        bar.set_message(format!("{} without success", collected.n_failed));
        !stop.load(Ordering::Relaxed)
    };
    let collected = robot::collect::collect(&config, actor, &progress)?;
    bar.finish_and_clear();
    let rate = runs::stats::Rate {
        hits: collected.n_done as u64,
        n: (collected.n_done + collected.n_failed) as u64,
    };
    output.answer("tetrad.robot.collect", &rate, || {
        format!(
            "{} scenes recorded below {}, {} left out because the expert failed\n",
            collected.n_done,
            flags.to.display(),
            collected.n_failed
        )
    })?;
    let whole = rate.n as usize == collected.n_seeds;
    Ok(if whole { Status::Ok } else { Status::Interrupted })
}

/// Where training stands.
#[derive(Debug, Serialize)]
struct Trained {
    finished: bool,
    steps: u64,
    seed: u64,
    n_parameters: usize,
    n_episodes: usize,
    /// Mean absolute error of normalised actions over the last steps.
    error: f64,
    n_steps_averaged: usize,
}

/// Ages of the latent: always as many milliseconds, or as a run measured them.
fn latent_ages(asked: &str, store: impl Fn() -> anyhow::Result<Store>) -> anyhow::Result<Ages> {
    if let Ok(millis) = asked.parse::<u32>() {
        return Ok(Ages::always(millis.div_ceil((TICK_NS / 1_000_000) as u32)));
    }
    let run = super::runs::find(&store()?, asked)?;
    robot_replay::check(&run)?;
    Ok(robot::play::latent_ages(run.path())?)
}

fn train(flags: &Train, ages: Option<Ages>, output: &Output) -> anyhow::Result<Status> {
    let mut recipe = match &flags.recipe {
        Some(path) => {
            let text = std::fs::read_to_string(path).map_err(|error| {
                usage(format!("{}: {error}", path.display()), "name a TOML file")
            })?;
            toml::from_str(&text).map_err(|error| {
                usage(format!("{}: {error}", path.display()), "see `tetrad robot info` of a policy")
            })?
        }
        None => Recipe::tiny(),
    };
    recipe.steps = flags.steps.unwrap_or(recipe.steps);
    recipe.seed = flags.seed.unwrap_or(recipe.seed);
    recipe.ages = ages.unwrap_or(recipe.ages);
    let mut shape = PolicyConfig::shipped(&flags.shape)?;
    let backbone = flags.backbone.as_deref().map(Backbone::open).transpose()?;
    shape.s2.borrowed = backbone.as_ref().map(|backbone| backbone.shape().clone());
    let stop = interrupted();
    let (config, demonstrations) = robot_lerobot::episodes(flags, shape, &stop, output)?;
    let n_parameters = config.n_parameters();
    output.note(&format!(
        "training `{}` ({n_parameters} parameters) on {} episodes, {} steps of {} x {} samples, seed {}",
        config.name,
        demonstrations.n_episodes(),
        recipe.steps,
        recipe.batch,
        recipe.moments,
        recipe.seed
    ));
    let bar = bar(recipe.steps, "steps", output);
    /// Steps that are averaged.
    const N_LAST: usize = 200;
    let last = Mutex::new(std::collections::VecDeque::<Stepped>::new());
    let say = |last: &std::collections::VecDeque<Stepped>| {
        let mean = |of: fn(&Stepped) -> f64| last.iter().map(of).sum::<f64>() / last.len() as f64;
        let found = |network: usize| {
            let mut all = Pointed::default();
            last.iter().for_each(|stepped| all.add(stepped.points[network]));
            if all.n == 0 {
                return "not known where things are".to_owned();
            }
            let [thing, place] = all.shares().map(|share| 100.0 * share);
            format!("{:.2} nats, thing {thing:.1} %, place {place:.1} %", all.mean())
        };
        format!(
            "error {:.4}; marks off by {:.4} (S2), {:.4} (S1); found by S2: {}; by S1: {}",
            mean(|stepped| stepped.error),
            mean(|stepped| stepped.marks[0]),
            mean(|stepped| stepped.marks[1]),
            found(0),
            found(1)
        )
    };
    let mut tell = |stepped: &Stepped| {
        let mut last = last.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        last.push_back(*stepped);
        if last.len() > N_LAST {
            last.pop_front();
        }
        bar.set_position(stepped.step);
        bar.set_message(say(&last));
        if stepped.step.is_multiple_of(500) {
            bar.suspend(|| output.note(&format!("step {}: {}", stepped.step, say(&last))));
        }
    };
    let (steps, seed) = (recipe.steps, recipe.seed);
    let from = flags.from.as_ref().map(|path| Policy::load(path)).transpose()?;
    // Beside episodes of ours, so that all runs find them; a dataset of somebody's is left as it is.
    let is_ours = !robot::lerobot::is_dataset(&flags.episodes);
    let kept = if is_ours { &flags.episodes } else { &flags.to };
    std::fs::create_dir_all(kept)?;
    let lender = backbone.map(|backbone| Lender::new(backbone, kept)).transpose()?;
    let (episodes, to, start) = (demonstrations.as_ref(), &flags.to, Start { from, lender });
    let trainer = robot::train::run(&config, recipe, start, episodes, to, &stop, &mut tell)?;
    bar.finish_and_clear();
    let last = last.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    let answer = Trained {
        finished: trainer.step() >= steps,
        steps: trainer.step(),
        seed,
        n_parameters,
        n_episodes: demonstrations.n_episodes(),
        error: last.iter().map(|stepped| stepped.error).sum::<f64>() / last.len().max(1) as f64,
        n_steps_averaged: last.len(),
    };
    output.answer("tetrad.robot.train", &answer, || {
        format!(
            "{} after {} steps on {} episodes, seed {seed}: mean absolute error {:.4} of normalised \
             actions (n = the last {} steps); policy {}\n",
            if answer.finished { "finished" } else { "interrupted" },
            answer.steps,
            answer.n_episodes,
            answer.error,
            answer.n_steps_averaged,
            flags.to.join("policy.safetensors").display()
        )
    })?;
    Ok(if answer.finished { Status::Ok } else { Status::Interrupted })
}

/// What is said of a policy.
#[derive(Debug, Serialize)]
struct Described {
    config: PolicyConfig,
    n_parameters: usize,
    recipe: Option<String>,
}

fn info(name: &str, output: &Output) -> anyhow::Result<Status> {
    if std::path::Path::new(name).is_dir() {
        return info_of_backbone(name, output);
    }
    let is_shape = PolicyConfig::names().any(|known| known == name);
    let (config, recipe) = if is_shape {
        (PolicyConfig::shipped(name)?, None)
    } else {
        let policy = Policy::load(std::path::Path::new(name))?;
        (policy.config, policy.recipe)
    };
    let n_parameters = config.n_parameters();
    let described = Described { config, n_parameters, recipe };
    output.answer("tetrad.robot.info", &described, || {
        let Described { config, recipe, .. } = &described;
        format!(
            "{}: {n_parameters} parameters, latent {}, {} cameras, chunks of {} ticks\n{}{}",
            config.name,
            config.latent,
            config.cameras.len(),
            config.chunk_ticks(),
            config.s2.borrowed.as_ref().map_or(String::new(), borrowed_text),
            recipe.as_ref().map_or(String::new(), |recipe| format!("trained with {recipe}\n"))
        )
    })?;
    Ok(Status::Ok)
}

fn borrowed_text(Borrowed { model, features }: &Borrowed) -> String {
    format!("S2 borrows {features} features from a `{model}`: give its folder with `--backbone`\n")
}

/// What an open model's folder holds.
fn info_of_backbone(folder: &str, output: &Output) -> anyhow::Result<Status> {
    let backbone = Backbone::open(std::path::Path::new(folder))?;
    output.answer("tetrad.robot.backbone", backbone.shape(), || {
        let Borrowed { model, features } = backbone.shape();
        format!("{folder}: an open model, `{model}`, that gives {features} features\n")
    })?;
    Ok(Status::Ok)
}
