//! `tetrad kernels`: what is judged without a search.

use std::path::Path;
use std::sync::Arc;

use kernels::court::Court;
use kernels::evaluation::{Level, Timing};
use kernels::judge::{Effort, Peer};
use kernels::plan::Schedule;
use kernels::{Candidate, Evaluation, Language, Task, emit, import, pt2, schedules, suite};
use serde::Serialize;

use super::kernels_bench;
use crate::args::kernels_judge as flags;
use crate::exit::{Status, usage};
use crate::output::Output;

/// One bundled task.
#[derive(Debug, Serialize)]
struct Listed {
    name: String,
    summary: String,
    n_operations: usize,
    bytes: usize,
    product_bound: bool,
}

pub(crate) fn tasks(output: &Output) -> anyhow::Result<Status> {
    let listed: Vec<Listed> = suite::tasks()
        .into_iter()
        .map(|task| Listed {
            n_operations: task.graph.nodes.len(),
            bytes: task
                .graph
                .given()
                .chain(task.graph.returned())
                .map(|each| each.size_bytes())
                .sum(),
            product_bound: task.policy.product_bound,
            name: task.name,
            summary: task.summary,
        })
        .collect();
    output.answer("tetrad.kernels.tasks", &listed, || {
        let line = |each: &Listed| {
            let size = each.bytes as f64 / f64::from(1 << 20);
            format!("{:<16} {:>6.1} MiB in and out  {}\n", each.name, size, each.summary)
        };
        listed.iter().map(line).collect()
    })?;
    Ok(Status::Ok)
}

pub(crate) fn import(arguments: &flags::Import, output: &Output) -> anyhow::Result<Status> {
    let task = if arguments.file.extension().is_some_and(|extension| extension == "pt2") {
        pt2::read(&arguments.file)?
    } else {
        let options = import::Options {
            shrink: !arguments.whole,
            source: arguments.source.clone(),
            licence: arguments.licence.clone(),
            ..import::Options::default()
        };
        import::from_python(&arguments.python, &arguments.file, &options)?
    };
    task.save(&arguments.to)?;
    #[derive(Serialize)]
    struct Answer<'a> {
        task: &'a str,
        file: &'a Path,
        n_operations: usize,
        /// Why it cannot be lowered, if it cannot.
        missing: Option<String>,
    }
    let missing = kernels::lower::lower(&task.graph).err().map(|error| error.to_string());
    let answer = Answer {
        task: &task.name,
        file: &arguments.to,
        n_operations: task.graph.nodes.len(),
        missing,
    };
    output.answer("tetrad.kernels.import", &answer, || {
        let missing = answer.missing.as_ref().map_or(String::new(), |reason| format!("\n{reason}"));
        let (task, n) = (answer.task, answer.n_operations);
        format!("{task}: {n} operations, {}{missing}", answer.file.display())
    })?;
    Ok(if answer.missing.is_some() { Status::Negative } else { Status::Ok })
}

pub(crate) fn convert(arguments: &flags::Convert, output: &Output) -> anyhow::Result<Status> {
    let task = kernels_bench::task(&arguments.task)?;
    let program = kernels::lower::lower(&task.graph)?;
    let schedule = match arguments.schedule {
        flags::Which::Base => Schedule::base(&program),
        flags::Which::Sensible => schedules::sensible(&program),
    };
    let candidate = match arguments.cuda {
        true => emit::cuda(&program, &schedule),
        false => emit::c(&program, &schedule),
    };
    match &arguments.to {
        Some(path) => {
            runs::write_atomic(path, candidate.source.as_bytes())?;
            output.note(&format!("wrote {}", path.display()));
        }
        None => output.data(&candidate.source)?,
    }
    Ok(Status::Ok)
}

/// The task, its court, and the kernel that is judged.
fn opened(arguments: &flags::Judged) -> anyhow::Result<(Arc<Task>, Court, Candidate)> {
    let task = Arc::new(kernels_bench::task(&arguments.task)?);
    let source = match &arguments.kernel {
        None => None,
        Some(path) => Some(std::fs::read_to_string(path).map_err(|error| {
            usage(
                format!("failed to read kernel: {error}: {}", path.display()),
                "a kernel is C source text that defines `tetrad_kernel`",
            )
        })?),
    };
    let court = Court::open(&task, kernels_bench::options())?;
    let candidate = match source {
        Some(source) => Candidate { language: Language::C, source, flags: arguments.flags.clone() },
        None => {
            emit::c(court.schedules().program(), &schedules::sensible(court.schedules().program()))
        }
    };
    Ok((task, court, candidate))
}

/// One line about what was found.
pub(crate) fn told(evaluation: &Evaluation) -> String {
    let error = evaluation
        .error_over_tolerance
        .map_or(String::new(), |error| format!(", largest error {error:.3} of what is allowed"));
    let calls = format!("{} calls compared{error}", evaluation.n_checked_calls);
    match &evaluation.rejection {
        Some(rejection) => {
            let reason = serde_json::to_value(rejection.reason).unwrap_or_default();
            let reason = reason.as_str().unwrap_or_default().to_owned();
            format!("turned away, {reason}: {} ({calls})", rejection.detail)
        }
        None => format!("right: {calls}"),
    }
}

pub(crate) fn verify(arguments: &flags::Judged, output: &Output) -> anyhow::Result<Status> {
    let (_, court, candidate) = opened(arguments)?;
    let evaluation = court.judge().evaluate(&candidate, Effort::Check)?;
    output.answer("tetrad.kernels.verify", &evaluation, || told(&evaluation))?;
    let right = evaluation.rejection.is_none() && evaluation.level >= Level::Correct;
    Ok(if right { Status::Ok } else { Status::Negative })
}

/// One line about times.
pub(crate) fn timed(timing: &Timing) -> String {
    let interval = timing.interval.map_or("no interval".to_owned(), |(low, high)| {
        format!("95 % interval {low:.2} to {high:.2}")
    });
    let n: usize = timing.blocks.iter().map(|block| block.candidate_nanos.len()).sum();
    let mut text = format!(
        "{:.2} times as fast as `{}` ({interval}; {:.3} ms against {:.3} ms, medians of {n} calls \
         in {} blocks; {:.0} % of the machine's limit)",
        timing.ratio,
        timing.baseline,
        timing.candidate_nanos / 1e6,
        timing.baseline_nanos / 1e6,
        timing.blocks.len(),
        100.0 * timing.floor_nanos / timing.candidate_nanos,
    );
    for warning in &timing.warnings {
        text.push_str(&format!("\n  doubt: {warning}"));
    }
    text
}

pub(crate) fn time(arguments: &flags::Time, output: &Output) -> anyhow::Result<Status> {
    let (task, court, candidate) = opened(&arguments.judged)?;
    let evaluation = court.judge().evaluate(&candidate, Effort::Full)?;
    let mut timings: Vec<Timing> = evaluation.timing.iter().cloned().collect();
    if let (Some(module), None) = (&arguments.module, &evaluation.rejection) {
        let modes = [Some(false), arguments.compiled.then_some(true)];
        for compiled in modes.into_iter().flatten() {
            let n_threads = kernels_bench::options().n_threads;
            let peer = Peer::torch(&arguments.python, Some(module), compiled, &task, n_threads);
            match court.judge().time_against(&candidate, &peer)? {
                Ok(timing) => timings.push(timing),
                Err(rejection) => {
                    output.note(&format!("beside `{}`: {}", peer.name, rejection.detail))
                }
            }
        }
    }
    #[derive(Serialize)]
    struct Answer {
        evaluation: Evaluation,
        timings: Vec<Timing>,
    }
    let answer = Answer { evaluation, timings };
    output.answer("tetrad.kernels.time", &answer, || {
        let mut lines = vec![told(&answer.evaluation)];
        lines.extend(answer.timings.iter().map(timed));
        lines.join("\n")
    })?;
    Ok(if answer.evaluation.rejection.is_none() { Status::Ok } else { Status::Negative })
}

pub(crate) fn zoo(output: &Output) -> anyhow::Result<Status> {
    let options = kernels_bench::options();
    let table = kernels::zoo::examine(
        options,
        |_| true,
        |finding| {
            output.note(&format!("{} {}", finding.animal.class, finding.animal.variant));
        },
    )?;
    #[derive(Serialize)]
    struct Answer {
        cheats: runs::stats::Rate,
        cheats_caught: Option<runs::stats::Interval>,
        honest: runs::stats::Rate,
        honest_accepted: Option<runs::stats::Interval>,
        complaints: Vec<String>,
    }
    let answer = Answer {
        cheats: table.caught(),
        cheats_caught: table.caught().wilson(),
        honest: table.accepted(),
        honest_accepted: table.accepted().wilson(),
        complaints: table.complaints(),
    };
    output.answer("tetrad.kernels.zoo", &answer, || {
        let mut text = table.to_string();
        for line in &answer.complaints {
            text.push_str(&format!("\n  not as it should be: {line}"));
        }
        text
    })?;
    Ok(if answer.complaints.is_empty() { Status::Ok } else { Status::Negative })
}
