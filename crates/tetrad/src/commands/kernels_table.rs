//! `tetrad kernels table`: many tasks searched, one line for each, and what they come to.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use kernels::archive::Archive;
use kernels::court::Court;
use kernels::evaluator::Evaluator;
use kernels::judge::Peer;
use kernels::search::{Budget, Deps, Progress, SearchConfig, Shape, Strategy, run as search};
use kernels::{Candidate, Space, Task};
use runs::Store;
use serde::{Deserialize, Serialize};

use super::kernels_bench;
use super::kernels_search::{self, Bar};
use super::kernels_table_rows::{Answer, Ratio, Row, groups, line, text};
use crate::args::kernels_judge::Table as Flags;
use crate::exit::Status;
use crate::output::Output;

/// Islands of each search, and its clocks.
const SHAPE: Shape = Shape { n_islands: 2, migrate_every: 16, recheck_every: 32 };

/// What a run is asked to do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Settings {
    tasks: Vec<String>,
    modules: Option<PathBuf>,
    /// Beside PyTorch.
    peers: bool,
    compiled: bool,
    evaluations: u64,
    ablation: bool,
    seed: u64,
}

pub(crate) fn run(arguments: &Flags, store: &Store, output: &Output) -> anyhow::Result<Status> {
    let tasks = if arguments.tasks.is_empty() {
        kernels::suite::tasks().into_iter().map(|task| task.name).collect()
    } else {
        arguments.tasks.clone()
    };
    let settings = Settings {
        tasks,
        modules: arguments.modules.clone(),
        peers: arguments.python.is_some() || arguments.modules.is_some() || arguments.compiled,
        compiled: arguments.compiled,
        evaluations: arguments.evaluations,
        ablation: arguments.ablation,
        seed: arguments.seed,
    };
    let archive = Archive::open(&kernels_search::default_archive(store.root()))?;
    let (mut run, _) = store.resume_or_create("kernels", "table", &settings, settings.seed)?;
    let mut rows: Vec<Row> = Vec::new();
    let log = run.path().join("events.jsonl");
    let done: Vec<(u64, Row)> = if log.exists() { runs::Log::read(&log)? } else { Vec::new() };
    let cancel = super::chess_run::interrupt_flag();
    let bar = Bar::new(output);
    for (idx, name) in settings.tasks.iter().enumerate() {
        if cancel.load(std::sync::atomic::Ordering::Relaxed) {
            break;
        }
        // What is there already is not searched again.
        let row = match done.iter().find(|(_, row)| row.task == *name) {
            Some((_, row)) => row.clone(),
            None => {
                let key = format!("{}:{name}", run.id());
                bar.about(&format!("{name} ({} of {})", idx + 1, settings.tasks.len()));
                let row = one(name, &key, &settings, arguments, &archive, &cancel, &bar)?;
                if cancel.load(std::sync::atomic::Ordering::Relaxed) {
                    break;
                }
                run.log().append(&row)?;
                row
            }
        };
        bar.note(&line(&row));
        rows.push(row);
    }
    bar.clear();
    let id = run.id().to_owned();
    let answer = Answer { run: &id, groups: groups(&rows), rows: &rows };
    run.write_summary(&answer)?;
    let whole = rows.len() == settings.tasks.len();
    run.finish(if whole { runs::Status::Done } else { runs::Status::Interrupted })?;
    output.answer("tetrad.kernels.table", &answer, || text(&answer))?;
    output.note(&format!("run {id}"));
    let failed = rows.iter().any(|row| row.reason.is_some());
    Ok(match (whole, failed) {
        (false, _) => Status::Interrupted,
        (_, true) => Status::Partial,
        _ => Status::Ok,
    })
}

/// Searches one task and times the best beside its peers. A task that cannot be judged is a row
/// with a reason.
fn one(
    name: &str,
    key: &str,
    settings: &Settings,
    arguments: &Flags,
    archive: &Archive,
    cancel: &std::sync::atomic::AtomicBool,
    bar: &Bar<'_>,
) -> anyhow::Result<Row> {
    let begun = std::time::Instant::now();
    let mut row = Row::new(name);
    let task: Arc<Task> = match kernels_bench::task(name) {
        Ok(task) => Arc::new(task),
        Err(error) => return Ok(Row { reason: Some(error.to_string()), ..row }),
    };
    (row.product_bound, row.redundant) = (task.policy.product_bound, task.policy.redundant);
    let court = match Court::open(&task, kernels_bench::options()) {
        Ok(court) => Arc::new(court),
        Err(error) => return Ok(Row { reason: Some(error.to_string()), ..row }),
    };
    let hunt = |strategy: Strategy| {
        let config = SearchConfig {
            task: name.to_owned(),
            strategy,
            seed: settings.seed,
            shape: SHAPE,
            proposers: vec!["builtin".to_owned()],
            budget: Budget {
                evaluations: settings.evaluations,
                secs: None,
                tokens: None,
                usd: None,
            },
            jobs: 1,
        };
        let evaluator: Arc<dyn Evaluator> = court.clone();
        let deps = Deps {
            archive,
            task: &task,
            space: court.schedules() as &dyn Space,
            evaluator,
            models: Vec::new(),
            cancel,
            relay: None,
        };
        search(&config, &format!("{key}:{}", strategy.name()), &deps, bar)
    };
    let evolved = hunt(Strategy::Evolve)?;
    row.n_evaluated = evolved.n_evaluated;
    row.n_rejected = evolved.rejected.values().sum();
    let drawn = settings.ablation.then(|| hunt(Strategy::BestOfN)).transpose()?;
    let drawn = drawn.and_then(|summary| summary.best);
    if let Some(best) = evolved.best {
        row.base = Some(best.ratio);
        row.roofline = Some(best.roofline);
        let candidate = archive.proposal(best.attempt)?.candidate;
        if settings.peers {
            row.candidate_millis = beside_peers(&court, &candidate, &task, arguments, &mut row)?;
        }
        // These take the base's place, so they come last.
        if let Some(drawn) = drawn {
            row.best_of_n = Some(drawn.ratio);
            let drawn = archive.proposal(drawn.attempt)?.candidate;
            row.over_best_of_n = beside(&court, "best of n", &drawn, &candidate, &mut row);
        }
        row.scalar = beside(&court, "scalar base", &court.scalar_base(), &candidate, &mut row);
    } else {
        row.reason = Some("nothing is verified".to_owned());
    }
    row.secs = begun.elapsed().as_secs_f64();
    Ok(row)
}

/// The best beside another kernel in the base's place.
fn beside(
    court: &Court,
    name: &str,
    other: &Candidate,
    candidate: &Candidate,
    row: &mut Row,
) -> Option<Ratio> {
    let timing = court.time_over(name, other, candidate);
    match timing.map_err(|error| error.to_string()).flatten() {
        Ok(timing) => Some(Ratio::from(&timing)),
        Err(reason) => {
            row.reason = Some(reason);
            None
        }
    }
}

/// The best beside PyTorch, in one interleaved run each; its time in milliseconds.
fn beside_peers(
    court: &Court,
    candidate: &Candidate,
    task: &Task,
    arguments: &Flags,
    row: &mut Row,
) -> anyhow::Result<Option<f64>> {
    let module = arguments.modules.as_ref().map(|folder| folder.join(format!("{}.py", task.name)));
    let module = module.filter(|path| path.exists());
    let python = arguments.python.as_deref().unwrap_or(Path::new("python3"));
    let mut millis = None;
    let modes = [Some(false), arguments.compiled.then_some(true)];
    for compiled in modes.into_iter().flatten() {
        let n_threads = kernels_bench::options().n_threads;
        let peer = Peer::torch(python, module.as_deref(), compiled, task, n_threads);
        match court.judge().time_against(candidate, &peer) {
            Ok(Ok(timing)) => {
                millis = millis.or(Some(timing.candidate_nanos / 1e6));
                row.peers.push((peer.name.clone(), Ratio::from(&timing)));
            }
            Ok(Err(rejection)) => row.reason = Some(rejection.detail),
            Err(error) => row.reason = Some(error.to_string()),
        }
    }
    Ok(millis)
}
