//! `tetrad robot eval`: attempts at tasks, counted.

use std::path::PathBuf;

use nn::Precision;
use robot::chunks::Blend;
use robot::collect::demonstrate;
use robot::interface::TICK_NS;
use robot::model::Policy;
use robot::study::{
    Delay, Rehearsal, Score, expect_body, rehearse, rehearse_on_record, show_experts,
};
use robot::tasks::{Setup, Task, Variation};
use runs::Store;
use serde::{Deserialize, Serialize};

use super::genome::interrupted;
use super::robot::{bar, jobs, tasks};
use super::robot_attempts::spread;
use crate::args::robot::{Eval, Scenes};
use crate::exit::Status;
use crate::output::Output;

/// What a run is asked to do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Settings {
    /// None for the one that comes with the program.
    policy: Option<PathBuf>,
    /// SHA-256 of the policy's file.
    digest: String,
    /// Folder of the open model that it borrows from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    backbone: Option<PathBuf>,
    /// Whether experts act in its place.
    #[serde(default, skip_serializing_if = "is_false")]
    expert: bool,
    tasks: Vec<Task>,
    attempts: u64,
    seed: u64,
    variation: Variation,
    how: Rehearsal,
    int8: bool,
    /// Attempts at each task that are kept on record.
    #[serde(default, skip_serializing_if = "is_zero")]
    record: u64,
}

fn is_zero(n: &u64) -> bool {
    *n == 0
}

fn is_false(is: &bool) -> bool {
    !is
}

/// One attempt.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Row {
    task: Task,
    seed: u64,
    success: bool,
    n_ticks: u32,
}

#[derive(Debug, Serialize)]
struct Answer {
    run: String,
    settings: Settings,
    scores: Vec<Score>,
    /// With links to the attempts on record, where there are any.
    #[serde(skip_serializing_if = "Option::is_none")]
    report: Option<PathBuf>,
}

/// What scenes are drawn from.
pub(super) fn variation(scenes: Scenes) -> Variation {
    match scenes {
        Scenes::HeldOut => Variation::HELD_OUT,
        Scenes::Novel => Variation::NOVEL,
        Scenes::NovelObjects => Variation { novel_objects: true, ..Variation::HELD_OUT },
        Scenes::NovelPositions => Variation { novel_positions: true, ..Variation::HELD_OUT },
        Scenes::NovelPhrases => Variation { novel_phrases: true, ..Variation::HELD_OUT },
        Scenes::Train => Variation::TRAIN,
    }
}

pub(crate) fn run(flags: &Eval, store: &Store, output: &Output) -> anyhow::Result<Status> {
    let (mut policy, digest) = Policy::or_shipped(flags.policy.as_deref())?;
    expect_body(&policy)?;
    policy.lend(flags.backbone.as_deref())?;
    let variation = variation(flags.scenes);
    let tick_millis = (TICK_NS / 1_000_000) as u32;
    let thinking = flags.thinking.div_ceil(tick_millis);
    let delay = Delay { thinking, period: Delay::DEPLOYED.period };
    let settings = Settings {
        policy: flags.policy.clone(),
        digest,
        backbone: flags.backbone.clone(),
        expert: flags.expert,
        tasks: tasks(&flags.tasks)?,
        attempts: flags.attempts,
        seed: flags.seed,
        variation,
        how: Rehearsal {
            delay,
            act_every: flags.act_every.max(1),
            blend: if flags.newest { Blend::Newest } else { Blend::Ensemble(flags.decay) },
            swapped: flags.swapped,
        },
        int8: flags.int8,
        record: flags.record,
    };
    let (mut run, _) = store.resume_or_create("robot", "eval", &settings, settings.seed)?;
    let log = run.path().join("events.jsonl");
    let done: Vec<(u64, Row)> = if log.exists() { runs::Log::read(&log)? } else { Vec::new() };
    let mut rows: Vec<Row> = done.into_iter().map(|(_, row)| row).collect();
    let missing: Vec<(Task, u64)> = settings
        .tasks
        .iter()
        .flat_map(|&task| (0..settings.attempts).map(move |idx| (task, settings.seed + idx)))
        .filter(|(task, seed)| !rows.iter().any(|row| (row.task, row.seed) == (*task, *seed)))
        .collect();
    let records = run.path().join(robot::play::RECORDS);
    if settings.record > 0 {
        std::fs::create_dir_all(&records)?;
    }
    let stop = interrupted();
    let bar = bar(missing.len() as u64, "attempts", output);
    let precision = if flags.int8 { Precision::Int8 } else { Precision::F32 };
    let one = |&(task, seed): &(Task, u64)| {
        let setup = Setup::new(task, seed, variation);
        let kept = on_record(&settings, task, seed).map(|number| (records.as_path(), number));
        let outcome = match kept {
            Some((folder, number)) if settings.expert => show_experts(folder, number, &setup)?,
            None if settings.expert => demonstrate(&setup, 0.0, false, &mut |_| {}),
            Some(to) => rehearse_on_record(&policy, precision, &setup, &settings.how, to)?,
            None => rehearse(&policy, precision, &setup, &settings.how)?,
        };
        Ok(Row { task, seed, success: outcome.success, n_ticks: outcome.n_ticks })
    };
    rows.extend(spread(&missing, jobs(flags.jobs), run.log(), &bar, &stop, &one)?);
    let score = |task: Task| {
        let of_task = rows.iter().filter(|row| row.task == task);
        let outcomes: Vec<robot::collect::Outcome> = of_task
            .map(|row| robot::collect::Outcome { success: row.success, n_ticks: row.n_ticks })
            .collect();
        Score::of(task, &outcomes)
    };
    let scores: Vec<Score> = settings.tasks.iter().map(|&task| score(task)).collect();
    let whole = rows.len() as u64 == settings.attempts * settings.tasks.len() as u64;
    let mut answer = Answer { run: run.id().to_owned(), settings, scores, report: None };
    run.write_summary(&answer)?;
    run.finish(if whole { runs::Status::Done } else { runs::Status::Interrupted })?;
    if answer.settings.record > 0 {
        answer.report = Some(robot::report::write(&run)?.report);
    }
    output.answer("tetrad.robot.eval", &answer, || text(&answer))?;
    Ok(if whole { Status::Ok } else { Status::Interrupted })
}

/// The number of an attempt that is kept on record.
fn on_record(settings: &Settings, task: Task, seed: u64) -> Option<usize> {
    let idx = (seed - settings.seed).min(settings.record);
    let task = settings.tasks.iter().position(|known| *known == task)?;
    (idx < settings.record).then_some(task * settings.record as usize + idx as usize)
}

fn text(answer: &Answer) -> String {
    let seed = answer.settings.seed;
    let line = |score: &Score| {
        let interval = score.rate.wilson().map_or(String::new(), |interval| {
            format!(" [{:.1}, {:.1}] (95 %)", 100.0 * interval.low, 100.0 * interval.high)
        });
        let secs = score.mean_secs.map_or(String::new(), |secs| format!(", {secs:.1} s each"));
        let runs::stats::Rate { hits, n } = score.rate;
        let share = 100.0 * hits as f64 / n.max(1) as f64;
        format!("{:<14} {share:5.1} %{interval}, {hits} of {n}{secs}\n", score.task.name())
    };
    let rows: String = answer.scores.iter().map(line).collect();
    let report = answer.report.as_ref();
    let report = report.map_or(String::new(), |path| format!("report {}\n", path.display()));
    format!("{rows}seeds from {seed}; run {}\n{report}", answer.run)
}
