//! `tetrad robot run`: a policy at work, world, S2 and S1 as processes of this program.

use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use robot::deploy::Role;
use robot::interface::TICKS_PER_SECOND;
use robot::play::{
    Keep, Measured, Plan, Played, Spread, Told, deploy, part as play_part, simulate,
};
use robot::record::Time;
use robot::shared::Carrier;
use runs::Store;
use serde::Serialize;

use super::genome::interrupted;
use super::robot::{bar, tasks};
use super::robot_eval::variation;
use super::robot_rerun;
use crate::args::genome::Precision;
use crate::args::robot::{Part, Run};
use crate::exit::Status;
use crate::output::Output;

/// What a run answers.
#[derive(Debug, Serialize)]
pub(crate) struct Answer {
    pub(crate) run: String,
    plan: Plan,
    pub(crate) played: Played,
    report: PathBuf,
}

/// What a run is asked to do, besides where.
#[derive(Debug, Serialize)]
struct Settings<'a> {
    policy: &'a Option<PathBuf>,
    digest: Option<String>,
    precision: &'static str,
    tasks: &'a [String],
    seed: u64,
    seconds: u32,
    simulated_time: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    iceoryx2: &'a Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    backbone: &'a Option<PathBuf>,
}

/// One thing that happened to a process.
#[derive(Debug, Serialize)]
struct Happened {
    /// Since the run began.
    seconds: f64,
    text: String,
}

fn keep(precision: Precision) -> Keep {
    match precision {
        Precision::F32 => Keep::F32,
        Precision::Bf16 => Keep::Bf16,
        Precision::Int8 => Keep::Int8,
    }
}

pub(super) fn run(flags: &Run, store: &Store, output: &Output) -> anyhow::Result<Status> {
    let answer = play(flags, store, &interrupted(), output)?;
    output.answer("tetrad.robot.run", &answer, || text(&answer))?;
    if flags.open {
        super::report::open(&answer.report, output);
    }
    let played = &answer.played;
    Ok(if played.broke_limits() || !played.has_moved() {
        Status::Negative
    } else if played.interrupted {
        Status::Interrupted
    } else {
        Status::Ok
    })
}

/// Plays, keeps and renders one run.
pub(crate) fn play(
    flags: &Run,
    store: &Store,
    stop: &AtomicBool,
    output: &Output,
) -> anyhow::Result<Answer> {
    let absolute = |path: &PathBuf| std::path::absolute(path);
    let mut plan = Plan {
        policy: flags.policy.as_ref().map(absolute).transpose()?,
        keep: keep(flags.precision),
        tasks: tasks(&flags.tasks)?,
        seed: flags.seed,
        variation: variation(flags.scenes),
        folder: PathBuf::new(),
        iceoryx2: flags.iceoryx2.clone(),
        backbone: flags.backbone.as_ref().map(absolute).transpose()?,
    };
    // Before there is a run: what cannot be played leaves none behind.
    let n_robots = plan.n_robots()?;
    plan.policy()?;
    plan.iceoryx2.as_deref().map(Carrier::open).transpose()?;
    let viewer = flags.rerun.as_deref().map(robot_rerun::open).transpose()?;
    let digest = plan.policy.as_ref().map(std::fs::read).transpose()?;
    let settings = Settings {
        policy: &plan.policy,
        digest: digest.map(|bytes| runs::sha256(&bytes)),
        precision: nn::Precision::from(plan.keep).name(),
        tasks: &flags.tasks,
        seed: flags.seed,
        seconds: flags.seconds,
        simulated_time: flags.simulated_time,
        iceoryx2: &plan.iceoryx2,
        backbone: &plan.backbone,
    };
    let mut run = store.create("robot", "run", &settings, flags.seed)?;
    plan.folder = run.path().to_owned();
    let path = plan.write()?;
    let follower = viewer.map(|viewer| robot_rerun::Follower::start(viewer, plan.records()));
    let follower = follower.transpose()?;
    let began = Instant::now();
    let bar = bar(u64::from(flags.seconds), "s", output);
    let mut failed = None;
    let mut tell = |told: Told<'_>| match told {
        Told::Happened(happening) => {
            let text = happening.to_string();
            bar.suspend(|| output.note(&text));
            let happened = Happened { seconds: began.elapsed().as_secs_f64(), text };
            failed = run.log().append(&happened).err().or(failed.take());
        }
        Told::Playing(seconds) => bar.set_position(seconds as u64),
    };
    let played = if flags.simulated_time {
        simulate(&plan, u64::from(flags.seconds * TICKS_PER_SECOND), stop, &mut tell)
    } else {
        output.note(&format!("starting world, S2 and {n_robots} S1 as processes"));
        let program = std::env::current_exe()?;
        let command = move |role: Role| command(&program, role, &path);
        let duration = Duration::from_secs(u64::from(flags.seconds));
        deploy(&plan, command, duration, stop, &mut tell)
    };
    bar.finish_and_clear();
    let played = match played {
        Ok(played) => played,
        Err(error) => {
            run.finish(runs::Status::Failed)?;
            return Err(error.into());
        }
    };
    failed.map_or(Ok(()), Err)?;
    if let Some(follower) = follower {
        let n_rows = follower.finish()?;
        output.note(&format!("{n_rows} ticks went to rerun"));
    }
    let report = run.report_path();
    let answer = Answer { run: run.id().to_owned(), plan, played, report };
    run.write_summary(&answer)?;
    let stopped = answer.played.interrupted;
    run.finish(if stopped { runs::Status::Interrupted } else { runs::Status::Done })?;
    robot::report::write(&run)?;
    Ok(answer)
}

/// This program once more, in a part of its own, out of reach of the terminal's Ctrl-C: the run ends it.
fn command(program: &PathBuf, role: Role, plan: &PathBuf) -> Command {
    let mut command = Command::new(program);
    command.args(["robot", "part"]).process_group(0).stdin(Stdio::null()).stdout(Stdio::null());
    match role {
        Role::World => command.arg("world"),
        Role::S2 => command.arg("s2"),
        Role::S1(robot) => command.arg("s1").arg(robot.to_string()),
    };
    command.arg(plan);
    command
}

/// What a process that [`command`] or the bench starts does.
pub(super) fn part(part: Part, output: &Output) -> anyhow::Result<Status> {
    let (role, plan) = match part {
        Part::Ticks { task } => {
            let times = robot::bench::time_ticks(&serde_json::from_str(&task)?)?;
            output.data(&serde_json::to_string(&times)?)?;
            return Ok(Status::Ok);
        }
        Part::World { plan } => (Role::World, plan),
        Part::S2 { plan } => (Role::S2, plan),
        Part::S1 { robot, plan } => (Role::S1(robot), plan),
    };
    play_part(role, &Plan::read(&plan)?)?;
    Ok(Status::Ok)
}

fn text(answer: &Answer) -> String {
    let Answer { run, played, report, .. } = answer;
    let clock = if played.time == Time::Real { "by the clock" } else { "of simulated time" };
    let done = match played.success.n {
        0 => "no attempt came to its end".to_owned(),
        _ => format!("{} attempts done", played.success),
    };
    let mut text = format!("{:.1} s {clock}: {done}\n", played.seconds);
    for attempt in &played.attempts {
        let how =
            attempt.end.map_or("cut off", |end| if end.success { "done" } else { "not done" });
        let words = attempt.instructions.join(" / ");
        text += &format!(
            "  {:<13} {how:<9} {:>5.1} s  {words}\n",
            attempt.task.name(),
            attempt.seconds
        );
    }
    for (robot, measured) in played.robots.iter().enumerate() {
        text += &format!("robot {}\n{}", robot + 1, robot_text(measured, played.time));
        let counts = &played.counts[robot];
        let [run, hold, slow, stop] = measured.on_rung;
        text += &format!(
            "  watchdog: {} steps; ticks on run {run}, hold {hold}, slow {slow}, stop {stop}\n  limits: \
             {} of {} targets broke one; S1 followed {}\n",
            measured.n_steps, counts.n_broken, counts.n_ticks, counts.n_followed
        );
    }
    let rates: Vec<String> =
        played.latents_per_second.iter().map(|rate| format!("{rate:.1}")).collect();
    text += &format!("S2: {} latents a second\n", rates.join(", "));
    if played.time == Time::Real {
        let orderly =
            if played.orderly { "all ended by themselves" } else { "some had to be killed" };
        text += &format!("processes: {} replaced, {orderly}\n", played.n_replaced);
    }
    if !played.has_moved() {
        text += "the robot was never let go: S2 gave no latent, or S1 no usable action\n";
    }
    if played.broke_limits() {
        text += "A TARGET BROKE A LIMIT\n";
    }
    text + &format!("run {run}\nreport {}\n", report.display())
}

fn robot_text(measured: &Measured, time: Time) -> String {
    let mut text = String::new();
    if time == Time::Real {
        for granted in &measured.granted {
            text += &format!("  granted: {granted}\n");
        }
        if measured.beside {
            text += "  S1 takes longer than a tick: it thinks beside the loop, which plays its chunks\n";
        }
        text += &format!(
            "  missed {}, longest outage {} ticks\n",
            measured.missed, measured.longest_outage
        );
        text += &spread_text("wake", "µs", measured.wake_micros.as_ref());
        text += &spread_text("work", "µs", measured.work_micros.as_ref());
    }
    text += &spread_text("latent age", "ms", measured.latent_millis.as_ref());
    if measured.n_lost > 0 {
        text += &format!("  {} ticks were not written down\n", measured.n_lost);
    }
    text
}

pub(super) fn spread_text(what: &str, unit: &str, spread: Option<&Spread>) -> String {
    let Some(Spread { n, p50, p99, p999, max }) = spread else { return String::new() };
    format!(
        "  {what}, {unit}: p50 {p50:.1}, p99 {p99:.1}, p99.9 {p999:.1}, max {max:.1}, n = {n}\n"
    )
}
