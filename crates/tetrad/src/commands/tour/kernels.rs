//! The tour's kernels part: a task converted, searched for a while, and a cheat shown being caught.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use kernels::archive::Archive;
use kernels::evaluator::Evaluator;
use kernels::report::{gather, render};
use kernels::search::{
    Budget, Deps, End, NoProgress, SearchConfig, SearchSummary, Shape, Strategy, run as search,
};
use kernels::{Space, suite, zoo};
use runs::html::{Cell, Page};
use serde::Serialize;

use crate::commands::kernels_bench;
use crate::output::Output;

/// What is made faster: small enough to be judged many times.
const TASK: &str = "rms_norm";
/// Wall seconds of the search.
const SECS: f64 = 45.0;
/// A class of cheats that is easy to understand: answers of earlier calls are given again.
const CHEAT: &str = "replay";

/// One cheat and what the judge said.
#[derive(Debug, Serialize)]
struct Caught {
    class: &'static str,
    variant: usize,
    caught: bool,
    said: String,
}

/// What the kernels part answers.
#[derive(Debug, Serialize)]
pub(super) struct Part {
    /// Why there is nothing: no compiler, say.
    missing: Option<String>,
    folder: PathBuf,
    summary: String,
    base: String,
    best: String,
    search: Option<SearchSummary>,
    cheats: Vec<Caught>,
    wall_secs: f64,
}

/// Does it, in a folder of the run. `None` if the user interrupts.
pub(super) fn run(folder: &Path, seed: u64, output: &Output) -> anyhow::Result<Option<Part>> {
    let began = Instant::now();
    std::fs::create_dir_all(folder)?;
    let task = suite::find(TASK).ok_or_else(|| anyhow::anyhow!("no task `{TASK}`"))?;
    let mut part = Part {
        missing: None,
        folder: folder.to_owned(),
        summary: task.summary.clone(),
        base: String::new(),
        best: String::new(),
        search: None,
        cheats: Vec::new(),
        wall_secs: 0.0,
    };
    let task = Arc::new(task);
    let court = match kernels::court::Court::open(&task, kernels_bench::options()) {
        Ok(court) => Arc::new(court),
        // The tour goes on without a compiler, and says so.
        Err(error @ kernels::Error::Tool { .. }) => {
            output.note(&format!("no kernels: {error}"));
            part.missing = Some(error.to_string());
            return Ok(Some(part));
        }
        Err(error) => return Err(error.into()),
    };
    part.base = court.schedules().emit(&court.schedules().base()).source;
    output.note(&format!("searching a faster kernel for `{TASK}` for {SECS} s"));
    let archive = Archive::open(&folder.join("kernels.sqlite"))?;
    let config = SearchConfig {
        task: TASK.to_owned(),
        strategy: Strategy::Evolve,
        seed,
        shape: Shape { n_islands: 2, migrate_every: 16, recheck_every: 32 },
        proposers: vec!["builtin".to_owned()],
        budget: Budget { evaluations: 400, secs: Some(SECS), tokens: None, usd: None },
        jobs: 1,
    };
    let cancel = crate::commands::chess_run::interrupt_flag();
    let evaluator: Arc<dyn Evaluator> = court.clone();
    let deps = Deps {
        archive: &archive,
        task: &task,
        space: court.schedules() as &dyn Space,
        evaluator,
        models: Vec::new(),
        cancel: &cancel,
        relay: None,
    };
    let summary = search(&config, TASK, &deps, &NoProgress)?;
    if summary.end == End::Interrupted {
        return Ok(None);
    }
    if let Some(best) = &summary.best {
        part.best = archive.proposal(best.attempt)?.candidate.source;
    }
    runs::write_atomic(&folder.join("search.html"), render(&[gather(&archive, TASK)?]).as_bytes())?;
    part.search = Some(summary);
    let examined = zoo::examine(kernels_bench::options(), |animal| animal.class == CHEAT, |_| {})?;
    part.cheats = examined
        .cheats
        .iter()
        .map(|finding| Caught {
            class: finding.animal.class,
            variant: finding.animal.variant,
            caught: finding.rejected(),
            said: finding
                .evaluation
                .rejection
                .as_ref()
                .map_or_else(|| "accepted".to_owned(), |rejection| rejection.detail.clone()),
        })
        .collect();
    part.wall_secs = began.elapsed().as_secs_f64();
    Ok(Some(part))
}

impl Part {
    /// Whether every cheat was caught, and something was found.
    pub(super) fn is_right(&self) -> bool {
        self.missing.is_some()
            || self.cheats.iter().all(|cheat| cheat.caught)
                && self.search.as_ref().is_some_and(|search| search.best.is_some())
    }

    /// A few lines for a terminal.
    pub(super) fn text(&self) -> String {
        if let Some(reason) = &self.missing {
            return format!("\nkernels: none, {reason}\n");
        }
        let mut text = format!("\nkernels, {:.0} s: {}\n", self.wall_secs, self.found());
        let caught = self.cheats.iter().filter(|cheat| cheat.caught).count();
        text.push_str(&format!(
            "  cheats of class `{CHEAT}` caught: {caught} of {}\n",
            self.cheats.len()
        ));
        text
    }

    fn found(&self) -> String {
        let Some(search) = &self.search else { return "no search".to_owned() };
        let Some(best) = &search.best else {
            return format!("nothing verified for `{TASK}` in {} evaluations", search.n_evaluated);
        };
        let interval = best.interval.map_or("no interval".to_owned(), |(low, high)| {
            format!("95 % interval {low:.1} to {high:.1}")
        });
        format!(
            "`{TASK}` {:.1} times as fast as its base (mean of {} measurements, {interval}; {} evaluations, \
             seed {}, {:.0} % of the machine's limit)",
            best.ratio,
            best.n_measured,
            search.n_evaluated,
            search.seed,
            100.0 * best.roofline
        )
    }

    /// The part's section of the tour's page.
    pub(super) fn show(&self, page: &mut Page) {
        page.section("Kernels");
        if let Some(reason) = &self.missing {
            page.paragraph(format!("Nothing here: {reason}."));
            return;
        }
        page.paragraph(format!(
            "The task: {}. It was converted to a plain C kernel, and schedules of it were varied and \
             measured for {SECS} s, each in a process of its own, on inputs it had not seen: {}.",
            self.summary,
            self.found()
        ));
        page.list([Cell::link(
            format!(
                "{}/search.html",
                self.folder.file_name().unwrap_or_default().to_string_lossy()
            ),
            "the whole search, with its lineage",
        )]);
        page.subsection("A cheat, caught");
        page.paragraph(format!(
            "Three kernels of the class `{CHEAT}` keep the answers of earlier calls instead of \
             computing. What the judge said:"
        ));
        let row = |cheat: &Caught| {
            [
                Cell::text(format!("{} {}", cheat.class, cheat.variant + 1)),
                Cell::text(if cheat.caught { "turned away" } else { "accepted" }),
                Cell::text(cheat.said.clone()),
            ]
        };
        page.table(["kernel", "verdict", "why"], self.cheats.iter().map(row).collect::<Vec<_>>());
        page.subsection("Before and after");
        page.paragraph("The loops of the plain kernel, then of the best one.");
        for source in [&self.base, &self.best] {
            if let Some(at) = source.find("void tetrad_kernel") {
                page.code(&source[at..]);
            }
        }
    }
}
