//! `tetrad kernels`: one function per subcommand that does not search.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use kernels::archive::{Archive, AttemptRecord, FindingRecord};
use kernels::export;
use kernels::queue::{Queue, Relay, work};
use kernels::report::{Server, gather, gather_with_rivals, render, render_attempt};
use runs::Store;
use serde::Serialize;

use super::kernels_bench::{self, Benches};
use super::{kernels_cuda, kernels_judge, kernels_search, kernels_table};
use crate::args::kernels::{ArchiveFlag, Kernels, Worker};
use crate::exit::{Status, usage};
use crate::output::Output;

/// Calls the subcommand that was asked for.
pub(crate) fn run(
    arguments: Kernels,
    store: impl Fn() -> anyhow::Result<Store>,
    output: &Output,
) -> anyhow::Result<Status> {
    let existing = |flag: &ArchiveFlag| -> anyhow::Result<PathBuf> {
        let path = archive_path(flag, &store()?);
        if path.exists() {
            return Ok(path);
        }
        Err(usage(
            format!("failed to find an archive: {}", path.display()),
            "`tetrad kernels search` begins one; name another with `--archive`",
        ))
    };
    match arguments {
        Kernels::Search(flags) => kernels_search::run(&flags, &store()?, output),
        Kernels::Show { what, to, archive } => {
            let archive = Archive::open_existing(&existing(&archive)?)?;
            match what {
                None => list(&archive, output),
                Some(what) => match what.parse() {
                    Ok(attempt) => show_attempt(&archive, attempt, to, output),
                    Err(_) => show_search(&archive, &what, to, output),
                },
            }
        }
        Kernels::Export { attempt, to, archive } => {
            write_out(&Archive::open_existing(&existing(&archive)?)?, attempt, &to, output)
        }
        Kernels::Serve { port, archive } => serve(&existing(&archive)?, port, output),
        Kernels::Tasks => kernels_judge::tasks(output),
        Kernels::Import(flags) => kernels_judge::import(&flags, output),
        Kernels::Convert(flags) => kernels_judge::convert(&flags, output),
        Kernels::Verify(flags) => kernels_judge::verify(&flags, output),
        Kernels::Time(flags) => kernels_judge::time(&flags, output),
        Kernels::Cuda(flags) => kernels_cuda::run(&flags, output),
        Kernels::Zoo => kernels_judge::zoo(output),
        Kernels::Table(flags) => kernels_table::run(&flags, &store()?, output),
        Kernels::Worker(flags) => worker(&flags, output),
    }
}

/// The archive that a flag names, or the store's own.
pub(crate) fn archive_path(flag: &ArchiveFlag, store: &Store) -> PathBuf {
    let path =
        flag.archive.clone().unwrap_or_else(|| kernels_search::default_archive(store.root()));
    // The working folder is gone only where nothing can be done anyway.
    std::path::absolute(&path).unwrap_or(path)
}

/// One search in the list.
#[derive(Debug, Serialize)]
struct Listed {
    key: String,
    task: String,
    n_evaluated: u64,
    best: Option<f64>,
    best_attempt: Option<i64>,
}

fn list(archive: &Archive, output: &Output) -> anyhow::Result<Status> {
    let mut rows = Vec::new();
    for search in archive.searches()? {
        let gathered = gather(archive, &search.key)?;
        let population = gathered.knowledge.population();
        let best = population.best();
        rows.push(Listed {
            key: search.key,
            task: search.task,
            n_evaluated: population.n_evaluated(),
            best: best.map(|best| best.estimate.exp()),
            best_attempt: best.map(|best| best.attempt),
        });
    }
    output.answer("tetrad.kernels.list", &rows, || {
        let line = |row: &Listed| {
            let best = match (row.best, row.best_attempt) {
                (Some(ratio), Some(attempt)) => format!("best {ratio:.2} (attempt {attempt})"),
                _ => "nothing verified".to_owned(),
            };
            format!("{}  {}  {} evaluated, {best}\n", row.key, row.task, row.n_evaluated)
        };
        rows.iter().map(line).collect()
    })?;
    Ok(Status::Ok)
}

fn show_search(
    archive: &Archive,
    wanted: &str,
    to: Option<PathBuf>,
    output: &Output,
) -> anyhow::Result<Status> {
    let keys: Vec<String> = archive.searches()?.into_iter().map(|search| search.key).collect();
    let exact = keys.iter().find(|key| *key == wanted);
    let fitting: Vec<&String> = keys.iter().filter(|key| key.starts_with(wanted)).collect();
    let key = match (exact, fitting.as_slice()) {
        (Some(key), _) => key,
        (None, [key]) => *key,
        (None, []) => {
            return Err(usage(
                format!("failed to find search `{wanted}`"),
                "`tetrad kernels show` lists the searches",
            ));
        }
        (None, many) => {
            return Err(usage(
                format!("failed to find search `{wanted}`: {} begin so", many.len()),
                "give more of its key",
            ));
        }
    };
    let searches = gather_with_rivals(archive, key)?;
    let page = render(&searches);
    let path = to.unwrap_or_else(|| PathBuf::from("kernels.html"));
    write(&path, &page)?;
    #[derive(Serialize)]
    struct Answer<'a> {
        search: &'a str,
        page: &'a Path,
    }
    let answer = Answer { search: key, page: &path };
    output.answer("tetrad.kernels.show", &answer, || path.display().to_string())?;
    Ok(Status::Ok)
}

fn show_attempt(
    archive: &Archive,
    id: i64,
    to: Option<PathBuf>,
    output: &Output,
) -> anyhow::Result<Status> {
    #[derive(Serialize)]
    struct Answer {
        attempt: AttemptRecord,
        findings: Vec<FindingRecord>,
        genotype: Option<serde_json::Value>,
        flags: Vec<String>,
        source: String,
    }
    let proposal = archive.proposal(id)?;
    let answer = Answer {
        attempt: archive.attempt(id)?,
        findings: archive.findings(id)?,
        genotype: proposal.genotype.map(|genotype| genotype.0),
        flags: proposal.candidate.flags,
        source: proposal.candidate.source,
    };
    if let Some(path) = to {
        write(&path, &render_attempt(archive, id)?)?;
        output.note(&format!("wrote {}", path.display()));
    }
    output.answer("tetrad.kernels.attempt", &answer, || {
        let attempt = &answer.attempt;
        let mut text = format!(
            "attempt {id} of {}: {} by {}, island {}, from {:?}\n",
            attempt.search,
            attempt.operator.name(),
            attempt.proposer,
            attempt.island,
            attempt.parents
        );
        for each in &answer.findings {
            let evaluation = &each.finding.evaluation;
            let ratio = evaluation.timing.as_ref().map_or(String::new(), |timing| {
                let interval = timing.interval.map_or("no interval".to_owned(), |(low, high)| {
                    format!("95 % interval {low:.2} to {high:.2}")
                });
                format!(", {:.2} over `{}` ({interval})", timing.ratio, timing.baseline)
            });
            let rejection = evaluation
                .rejection
                .as_ref()
                .map_or(String::new(), |rejection| format!(", turned away: {}", rejection.detail));
            text.push_str(&format!(
                "{}: {:?}{ratio}{rejection}\n",
                each.kind.name(),
                evaluation.level
            ));
        }
        text + "\n" + &answer.source
    })?;
    Ok(Status::Ok)
}

fn write_out(
    archive: &Archive,
    attempt: i64,
    folder: &Path,
    output: &Output,
) -> anyhow::Result<Status> {
    let record = archive.attempt(attempt)?;
    let search = archive.search(&record.search)?.context("the attempt's search is missing")?;
    let bench = kernels_bench::open(&search.task)?;
    let base = bench.space.emit(&bench.space.base());
    let exported = export::export(archive, attempt, &bench.task, &base)?;
    std::fs::create_dir_all(folder)
        .with_context(|| format!("failed to create `{}`", folder.display()))?;
    for (name, text) in &exported.files {
        write(&folder.join(name), text)?;
    }
    let names: Vec<&String> = exported.files.iter().map(|(name, _)| name).collect();
    #[derive(Serialize)]
    struct Answer<'a> {
        candidate: &'a str,
        folder: &'a Path,
        files: &'a [&'a String],
    }
    let answer = Answer { candidate: &exported.candidate, folder, files: &names };
    output.answer("tetrad.kernels.export", &answer, || {
        names.iter().map(|name| format!("{}\n", folder.join(name).display())).collect()
    })?;
    Ok(Status::Ok)
}

/// Whether a queue's name is a database's and not a file's.
fn is_postgres(name: &str) -> bool {
    name.starts_with("postgres://") || name.starts_with("postgresql://")
}

fn queue(name: &str) -> anyhow::Result<Box<dyn Queue>> {
    if is_postgres(name) {
        return postgres_queue(name);
    }
    Ok(Box::new(Archive::open_existing(Path::new(name))?))
}

#[cfg(feature = "postgres")]
fn postgres_queue(url: &str) -> anyhow::Result<Box<dyn Queue>> {
    Ok(Box::new(kernels::queue::Postgres::connect(url)?))
}

#[cfg(not(feature = "postgres"))]
fn postgres_queue(_: &str) -> anyhow::Result<Box<dyn Queue>> {
    Err(without_postgres())
}

/// The relay of a search.
#[cfg(feature = "postgres")]
pub(crate) fn relay(url: &str) -> anyhow::Result<Box<dyn Relay>> {
    if !is_postgres(url) {
        return Err(usage(format!("failed to use relay `{url}`"), "give a `postgres://` URL"));
    }
    Ok(Box::new(kernels::queue::Postgres::connect(url)?))
}

/// The relay of a search.
#[cfg(not(feature = "postgres"))]
pub(crate) fn relay(_: &str) -> anyhow::Result<Box<dyn Relay>> {
    Err(without_postgres())
}

#[cfg(not(feature = "postgres"))]
fn without_postgres() -> anyhow::Error {
    crate::exit::unavailable(
        "failed to reach a PostgreSQL queue: this program was built without it",
        "build with `cargo build --release --features postgres`",
    )
}

/// Serves until it is killed. The first line on stdout is the URL, for scripts that wait for it.
fn serve(archive: &Path, port: u16, output: &Output) -> anyhow::Result<Status> {
    let server = Server::bind(archive, port)?;
    output.data(&server.url()?)?;
    output.note(&format!("serving {} for reading; stop with ctrl-c", archive.display()));
    server.run()?;
    Ok(Status::Ok)
}

fn worker(arguments: &Worker, output: &Output) -> anyhow::Result<Status> {
    let queue = queue(&arguments.queue)?;
    let name = format!("worker:{}", std::process::id());
    let idle = match arguments.idle {
        Some(secs) if !(secs.is_finite() && secs >= 0.0) => {
            return Err(usage(format!("failed to read `--idle {secs}`"), "give seconds"));
        }
        secs => secs.map(Duration::from_secs_f64),
    };
    let cancel = super::chess_run::interrupt_flag();
    let lease = Duration::from_secs(arguments.lease);
    let worked = work(queue.as_ref(), &Benches::default(), &name, lease, idle, &cancel)?;
    output.answer("tetrad.kernels.worker", &worked, || {
        format!("{} completed, {} too late", worked.n_completed, worked.n_late)
    })?;
    Ok(Status::Ok)
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    std::fs::write(path, text).with_context(|| format!("failed to write `{}`", path.display()))
}
