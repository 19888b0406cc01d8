//! `tetrad kernels table`: many tasks searched, one line for each, and what they come to.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use kernels::archive::Archive;
use kernels::evaluation::Timing;
use kernels::evaluator::Evaluator;
use kernels::judge::Peer;
use kernels::search::{Budget, Deps, NoProgress, SearchConfig, Shape, Strategy, run as search};
use kernels::{Space, Task};
use runs::Store;
use serde::{Deserialize, Serialize};

use super::{kernels_bench, kernels_search};
use crate::args::kernels_judge::Table as Flags;
use crate::exit::Status;
use crate::output::Output;

/// Islands of each search, and its clocks.
const SHAPE: Shape = Shape { n_islands: 4, migrate_every: 32, recheck_every: 32 };

/// Draws behind an interval.
const N_RESAMPLES: usize = 2000;

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

/// A ratio of times, larger is better.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Ratio {
    ratio: f64,
    interval: Option<(f64, f64)>,
    n_calls: usize,
}

/// What came of one task.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Row {
    task: String,
    product_bound: bool,
    redundant: bool,
    /// Over the base.
    base: Option<f64>,
    /// Over each of the peers, by name.
    peers: Vec<(String, Ratio)>,
    /// Best of independent draws over the base, at as many evaluations.
    best_of_n: Option<f64>,
    candidate_millis: Option<f64>,
    roofline: Option<f64>,
    n_evaluated: u64,
    n_rejected: u64,
    secs: f64,
    /// Why there is no result.
    reason: Option<String>,
}

/// Ratios over a group of tasks.
#[derive(Debug, Serialize)]
struct Group {
    name: String,
    n: usize,
    geometric_mean: f64,
    /// Bootstrap over tasks, 95 %.
    interval: Option<(f64, f64)>,
    at_least_as_fast: runs::stats::Rate,
}

#[derive(Debug, Serialize)]
struct Answer<'a> {
    run: &'a str,
    rows: &'a [Row],
    groups: Vec<Group>,
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
    for name in &settings.tasks {
        if cancel.load(std::sync::atomic::Ordering::Relaxed) {
            break;
        }
        // What is there already is not searched again.
        let row = match done.iter().find(|(_, row)| row.task == *name) {
            Some((_, row)) => row.clone(),
            None => {
                let key = format!("{}:{name}", run.id());
                let row = one(name, &key, &settings, arguments, &archive, &cancel)?;
                if cancel.load(std::sync::atomic::Ordering::Relaxed) {
                    break;
                }
                run.log().append(&row)?;
                row
            }
        };
        output.note(&line(&row));
        rows.push(row);
    }
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
) -> anyhow::Result<Row> {
    let begun = std::time::Instant::now();
    let mut row = Row {
        task: name.to_owned(),
        product_bound: false,
        redundant: false,
        base: None,
        peers: Vec::new(),
        best_of_n: None,
        candidate_millis: None,
        roofline: None,
        n_evaluated: 0,
        n_rejected: 0,
        secs: 0.0,
        reason: None,
    };
    let task: Arc<Task> = match kernels_bench::task(name) {
        Ok(task) => Arc::new(task),
        Err(error) => return Ok(Row { reason: Some(error.to_string()), ..row }),
    };
    (row.product_bound, row.redundant) = (task.policy.product_bound, task.policy.redundant);
    let court = match kernels::court::Court::open(&task, kernels_bench::options()) {
        Ok(court) => Arc::new(court),
        Err(error) => return Ok(Row { reason: Some(error.to_string()), ..row }),
    };
    let strategies = [Some(Strategy::Evolve), settings.ablation.then_some(Strategy::BestOfN)];
    let mut best = None;
    for strategy in strategies.into_iter().flatten() {
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
        let summary = search(&config, &format!("{key}:{}", strategy.name()), &deps, &NoProgress)?;
        let ratio = summary.best.as_ref().map(|best| best.ratio);
        if strategy == Strategy::Evolve {
            row.base = ratio;
            row.n_evaluated = summary.n_evaluated;
            row.n_rejected = summary.rejected.values().sum();
            best = summary.best;
        } else {
            row.best_of_n = ratio;
        }
    }
    if let Some(best) = best {
        row.roofline = Some(best.roofline);
        let proposal = archive.proposal(best.attempt)?;
        if settings.peers {
            row.candidate_millis =
                timed_again(&court, &proposal.candidate, &task, arguments, &mut row)?;
        }
    } else {
        row.reason = Some("nothing is verified".to_owned());
    }
    row.secs = begun.elapsed().as_secs_f64();
    Ok(row)
}

/// The best beside PyTorch, in one interleaved run each; its time in milliseconds.
fn timed_again(
    court: &kernels::court::Court,
    candidate: &kernels::Candidate,
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
                row.peers.push((peer.name.clone(), ratio(&timing)));
            }
            Ok(Err(rejection)) => row.reason = Some(rejection.detail),
            Err(error) => row.reason = Some(error.to_string()),
        }
    }
    Ok(millis)
}

fn ratio(timing: &Timing) -> Ratio {
    let n_calls = timing.blocks.iter().map(|block| block.candidate_nanos.len()).sum();
    Ratio { ratio: timing.ratio, interval: timing.interval, n_calls }
}

/// Over the faster of the peers.
fn over_peers(row: &Row) -> Option<f64> {
    row.peers.iter().map(|(_, ratio)| ratio.ratio).min_by(f64::total_cmp)
}

fn groups(rows: &[Row]) -> Vec<Group> {
    let clean = |row: &&Row| !row.redundant;
    let group = |name: &str, ratios: Vec<f64>| {
        let mean = |ratios: &[f64]| runs::stats::geometric_mean(ratios).unwrap_or(f64::NAN);
        let interval = runs::stats::bootstrap(&ratios, mean, N_RESAMPLES, 1);
        Group {
            name: name.to_owned(),
            n: ratios.len(),
            geometric_mean: mean(&ratios),
            interval: interval.map(|interval| (interval.low, interval.high)),
            at_least_as_fast: runs::stats::Rate::of(ratios.iter().map(|ratio| *ratio >= 1.0)),
        }
    };
    let select = |product: Option<bool>, of: &dyn Fn(&Row) -> Option<f64>| -> Vec<f64> {
        let rows = rows.iter().filter(clean);
        rows.filter(|row| product.is_none_or(|product| row.product_bound == product))
            .filter_map(of)
            .collect()
    };
    let mut groups = vec![
        group(
            "over the faster of the peers, not bound by products",
            select(Some(false), &over_peers),
        ),
        group("over the faster of the peers, bound by products", select(Some(true), &over_peers)),
        group("over the base", select(None, &|row| row.base)),
        group("best of independent draws over the base", select(None, &|row| row.best_of_n)),
    ];
    groups.retain(|group| group.n > 0);
    groups
}

fn line(row: &Row) -> String {
    if let Some(reason) = &row.reason {
        return format!("{:<44} {reason}", row.task);
    }
    let base = row.base.map_or("-".to_owned(), |ratio| format!("{ratio:.1}x base"));
    let peers: Vec<String> = row
        .peers
        .iter()
        .map(|(name, ratio)| {
            let interval = ratio
                .interval
                .map_or(String::new(), |(low, high)| format!(" [{low:.2}, {high:.2}]"));
            format!("{:.2}x {name}{interval}", ratio.ratio)
        })
        .collect();
    let roofline =
        row.roofline.map_or(String::new(), |share| format!(", {:.0} % of limit", 100.0 * share));
    let random = row.best_of_n.map_or(String::new(), |ratio| format!(", best of n {ratio:.1}x"));
    let peers = if peers.is_empty() { String::new() } else { format!(", {}", peers.join(", ")) };
    format!(
        "{:<44} {base}{peers}{roofline}{random} (n = {}, {} turned away, {:.0} s)",
        row.task, row.n_evaluated, row.n_rejected, row.secs
    )
}

fn text(answer: &Answer<'_>) -> String {
    let mut text: String = answer.rows.iter().map(|row| line(row) + "\n").collect();
    for group in &answer.groups {
        let interval = group.interval.map_or("no interval".to_owned(), |(low, high)| {
            format!("95 % interval {low:.2} to {high:.2} over tasks")
        });
        let fast = group.at_least_as_fast;
        text.push_str(&format!(
            "{}: geometric mean {:.2} (n = {}, {interval}); at least as fast on {} of {}\n",
            group.name, group.geometric_mean, group.n, fast.hits, fast.n
        ));
    }
    text
}
