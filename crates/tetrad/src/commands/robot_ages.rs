//! `tetrad robot ages`: success against the latent's age.

use std::path::PathBuf;

use nn::Precision;
use robot::model::Policy;
use robot::study::{AtAge, Rehearsal, expect_body, rehearse, together};
use robot::tasks::{Setup, Task, Variation};
use runs::Store;
use runs::stats::Rate;
use serde::{Deserialize, Serialize};

use super::genome::interrupted;
use super::robot::{bar, jobs, tasks};
use super::robot_attempts::spread;
use crate::args::robot::Ages;
use crate::exit::{Status, usage};
use crate::output::Output;

/// What a run is asked to do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Settings {
    policies: Vec<Named>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    backbone: Option<PathBuf>,
    ages: Vec<u32>,
    tasks: Vec<Task>,
    attempts: u64,
    seed: u64,
}

/// A policy, and what it is called in the plot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Named {
    name: String,
    /// None for the one that comes with the program.
    file: Option<PathBuf>,
    /// SHA-256 of its file.
    digest: String,
}

/// One attempt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Row {
    policy: usize,
    millis: u32,
    task: Task,
    seed: u64,
    success: bool,
}

#[derive(Debug, Serialize)]
struct Answer {
    run: String,
    settings: Settings,
    ages: Vec<AtAge>,
    report: Option<PathBuf>,
}

/// `NAME=FILE`, or a file, which is called by its name.
fn named(text: &str) -> anyhow::Result<(Named, Policy)> {
    let (name, file) = text.split_once('=').unwrap_or((text, text));
    if name.is_empty() || file.is_empty() {
        let hint = "write `--policy NAME=FILE`";
        return Err(usage(format!("`{text}` names no policy"), hint));
    }
    let (policy, digest) = Policy::or_shipped(Some(file.as_ref()))?;
    Ok((Named { name: name.to_owned(), file: Some(file.into()), digest }, policy))
}

pub(crate) fn run(flags: &Ages, store: &Store, output: &Output) -> anyhow::Result<Status> {
    let mut all: Vec<(Named, Policy)> =
        flags.policies.iter().map(|text| named(text)).collect::<anyhow::Result<_>>()?;
    if all.is_empty() {
        let (policy, digest) = Policy::or_shipped(None)?;
        all.push((Named { name: "shipped".to_owned(), file: None, digest }, policy));
    }
    let backbone = flags.backbone.as_deref();
    let none_borrows = all.iter().all(|(_, policy)| policy.config.s2.borrowed.is_none());
    for (_, policy) in &mut all {
        expect_body(policy)?;
        // One that borrows nothing stands beside those that do; a folder that nobody takes is a mistake.
        if none_borrows || policy.config.s2.borrowed.is_some() {
            policy.lend(backbone)?;
        }
    }
    let (named, policies): (Vec<Named>, Vec<Policy>) = all.into_iter().unzip();
    let settings = Settings {
        policies: named,
        backbone: flags.backbone.clone(),
        ages: flags.ages.clone(),
        tasks: tasks(&flags.tasks)?,
        attempts: flags.attempts,
        seed: flags.seed,
    };
    let (mut run, _) = store.resume_or_create("robot", "ages", &settings, settings.seed)?;
    let log = run.path().join("events.jsonl");
    let done: Vec<(u64, Row)> = if log.exists() { runs::Log::read(&log)? } else { Vec::new() };
    let mut rows: Vec<Row> = done.into_iter().map(|(_, row)| row).collect();
    let jobs_of = |&task: &Task| {
        let Settings { attempts, seed, .. } = settings;
        (0..policies.len())
            .flat_map(move |policy| (0..attempts).map(move |n| (policy, seed + n)))
            .map(move |(policy, seed)| (policy, task, seed))
    };
    let wanted: Vec<(usize, Task, u64)> = settings.tasks.iter().flat_map(jobs_of).collect();
    let missing: Vec<(u32, usize, Task, u64)> = settings
        .ages
        .iter()
        .flat_map(|&millis| {
            wanted.iter().map(move |&(policy, task, seed)| (millis, policy, task, seed))
        })
        .filter(|&(millis, policy, task, seed)| {
            let is = |row: &Row| {
                (row.millis, row.policy, row.task, row.seed) == (millis, policy, task, seed)
            };
            !rows.iter().any(is)
        })
        .collect();
    let stop = interrupted();
    let bar = bar(missing.len() as u64, "attempts", output);
    let one = |&(millis, policy, task, seed): &(u32, usize, Task, u64)| {
        let setup = Setup::new(task, seed, Variation::HELD_OUT);
        let how = Rehearsal { delay: AtAge::delay(millis), ..Rehearsal::default() };
        let outcome = rehearse(&policies[policy], Precision::F32, &setup, &how)?;
        Ok(Row { policy, millis, task, seed, success: outcome.success })
    };
    let n_missing = missing.len();
    let found = spread(&missing, jobs(flags.jobs), run.log(), &bar, &stop, &one)?;
    let whole = found.len() == n_missing;
    rows.extend(found);
    let mut ages = Vec::new();
    for (policy, named) in settings.policies.iter().enumerate() {
        for (&task, &millis) in
            settings.tasks.iter().flat_map(|task| settings.ages.iter().map(move |age| (task, age)))
        {
            let of = rows
                .iter()
                .filter(|row| (row.policy, row.task, row.millis) == (policy, task, millis));
            let rate = Rate::of(of.map(|row| row.success));
            ages.push(AtAge { policy: named.name.clone(), millis, task, rate });
        }
    }
    let mut answer = Answer { run: run.id().to_owned(), settings, ages, report: None };
    run.write_summary(&answer)?;
    run.finish(if whole { runs::Status::Done } else { runs::Status::Interrupted })?;
    answer.report = Some(robot::report::write(&run)?.report);
    output.answer("tetrad.robot.ages", &answer, || text(&answer))?;
    Ok(if whole { Status::Ok } else { Status::Interrupted })
}

fn text(answer: &Answer) -> String {
    let settings = &answer.settings;
    let line = |(named, &millis): (&Named, &u32)| {
        let rate = together(&answer.ages, &named.name, millis);
        format!("{:<16} {millis:>4} ms  {rate}\n", named.name)
    };
    let of = |named| settings.ages.iter().map(move |millis| (named, millis));
    let rows: String = settings.policies.iter().flat_map(of).map(line).collect();
    let report = answer.report.as_ref();
    let report = report.map_or(String::new(), |path| format!("report {}\n", path.display()));
    let n_tasks = settings.tasks.len();
    format!(
        "{rows}over {n_tasks} tasks, seeds from {}; run {}\n{report}",
        settings.seed, answer.run
    )
}
