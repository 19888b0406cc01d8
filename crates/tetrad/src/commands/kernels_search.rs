//! `tetrad kernels search`: settings from flags, then a search for each strategy and seed.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use indicatif::{ProgressBar, ProgressStyle};
use kernels::Space;
use kernels::archive::{Archive, AttemptRecord, Kind, SearchRecord, Seen};
use kernels::propose::Proposer;
use kernels::propose::model::{Brief, Estimate, Model, ModelConfig};
use kernels::report::{Ablation, Gathered, ablation, gather, render};
use kernels::search::{
    Budget, Deps, End, Progress, SearchConfig, SearchSummary, Shape, Standing, Strategy,
    run as search,
};
use llm::price::Prices;
use runs::{Run, Store};
use serde::{Deserialize, Serialize};

use super::kernels_bench::{self, Workbench};
use crate::args::kernels as flags;
use crate::exit::{Status, usage};
use crate::output::Output;

/// Evaluations between migrations and between looking at the best again, for each island.
const MIGRATE_EVERY: u64 = 8;
const RECHECK_EVERY: u64 = 32;

/// What a run is asked to do, as it is kept in its manifest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Settings {
    task: String,
    strategies: Vec<Strategy>,
    n_searches: u32,
    shape: Shape,
    proposers: Vec<String>,
    reply_tokens: u32,
    temperature: Option<f32>,
    budget: Budget,
    jobs: usize,
    seed: u64,
    archive: PathBuf,
}

/// What the command answers.
#[derive(Debug, Serialize, Deserialize)]
struct Answer {
    run: String,
    archive: PathBuf,
    searches: Vec<SearchSummary>,
}

/// Searches, writes the report, prints what came of it.
pub(crate) fn run(
    arguments: &flags::Search,
    store: &Store,
    output: &Output,
) -> anyhow::Result<Status> {
    let settings = settings(arguments, store);
    let bench = kernels_bench::open(&settings.task)?;
    let brief = Brief::new(&bench.task, bench.space.emit(&bench.space.base()));
    let models = Models::new(arguments, &settings, &brief)?;
    let estimates = models.check(&settings)?;
    if arguments.dry_run {
        output.answer("tetrad.kernels.estimate", &estimates, || estimate_text(&estimates))?;
        return Ok(Status::Ok);
    }
    for (_, config) in configs(&settings, "") {
        config.check().map_err(|reason| kernels::Error::Config { reason })?;
    }
    let relay = arguments.relay.as_deref().map(super::kernels::relay).transpose()?;
    let archive = Archive::open(&settings.archive)?;
    let (mut run, _) = store.resume_or_create("kernels", "search", &settings, settings.seed)?;
    let mut answer = Answer {
        run: run.id().to_owned(),
        archive: settings.archive.clone(),
        searches: Vec::new(),
    };
    let bar = Bar::new(output);
    let mut outcome = Ok(());
    for (key, config) in configs(&settings, run.id()) {
        match one(&config, &key, &bench, models.make()?, &archive, relay.as_deref(), &bar) {
            Ok(summary) => {
                let is_over = summary.end == End::Interrupted;
                answer.searches.push(summary);
                if is_over {
                    break;
                }
            }
            Err(error) => {
                outcome = Err(error);
                break;
            }
        }
    }
    bar.clear();
    run.write_summary(&answer)?;
    let interrupted = answer.searches.iter().any(|summary| summary.end == End::Interrupted);
    run.finish(match (&outcome, interrupted) {
        (Err(_), _) | (_, true) => runs::Status::Interrupted,
        _ => runs::Status::Done,
    })?;
    let report = write_report(&run)?;
    outcome?;
    output.answer("tetrad.kernels.search", &answer, || text(&answer))?;
    output.note(&format!("run {}\nreport {}", run.id(), report.display()));
    let is_empty = answer.searches.iter().all(|summary| summary.best.is_none());
    Ok(match (interrupted, is_empty) {
        (true, _) => Status::Interrupted,
        (_, true) => Status::Negative,
        _ => Status::Ok,
    })
}

fn settings(arguments: &flags::Search, store: &Store) -> Settings {
    let builtin = (!arguments.models_only).then(|| "builtin".to_owned());
    let n_islands = arguments.islands as u64;
    Settings {
        task: arguments.task.clone(),
        strategies: arguments.strategies.iter().copied().map(Strategy::from).collect(),
        n_searches: arguments.searches,
        shape: Shape {
            n_islands: arguments.islands,
            migrate_every: MIGRATE_EVERY * n_islands,
            recheck_every: RECHECK_EVERY,
        },
        proposers: builtin.into_iter().chain(arguments.models.iter().cloned()).collect(),
        reply_tokens: arguments.reply_tokens,
        temperature: arguments.temperature,
        budget: Budget {
            evaluations: arguments.evaluations,
            secs: arguments.secs,
            tokens: arguments.budget_tokens,
            usd: arguments.budget_usd,
        },
        jobs: arguments.jobs,
        seed: arguments.seed,
        archive: super::kernels::archive_path(&arguments.archive, store),
    }
}

/// Keys in the archive and configurations of a run's searches.
fn configs(settings: &Settings, run: &str) -> Vec<(String, SearchConfig)> {
    let mut configs = Vec::new();
    for &strategy in &settings.strategies {
        for offset in 0..u64::from(settings.n_searches) {
            let seed = settings.seed.wrapping_add(offset);
            let config = SearchConfig {
                task: settings.task.clone(),
                strategy,
                seed,
                shape: settings.shape,
                proposers: settings.proposers.clone(),
                budget: settings.budget,
                jobs: settings.jobs,
            };
            configs.push((format!("{run}:{}:{seed}", strategy.name()), config));
        }
    }
    configs
}

fn one(
    config: &SearchConfig,
    key: &str,
    bench: &Workbench,
    models: Vec<Box<dyn Proposer + '_>>,
    archive: &Archive,
    relay: Option<&dyn kernels::queue::Relay>,
    bar: &Bar<'_>,
) -> Result<SearchSummary, kernels::Error> {
    let cancel = super::chess_run::interrupt_flag();
    let deps = Deps {
        archive,
        task: &bench.task,
        space: bench.space.as_ref() as &dyn Space,
        evaluator: Arc::clone(&bench.evaluator),
        models,
        cancel: &cancel,
        relay,
    };
    search(config, key, &deps, bar)
}

/// Renders a run's report from the archive that its settings name.
pub(crate) fn write_report(run: &Run) -> anyhow::Result<PathBuf> {
    let settings: Settings = run.manifest().settings()?;
    let archive = Archive::open_existing(&settings.archive)?;
    let mut searches: Vec<Gathered> = Vec::new();
    for (key, _) in configs(&settings, run.id()) {
        if archive.search(&key)?.is_some() {
            searches.push(gather(&archive, &key)?);
        }
    }
    Ok(run.write_report(&render(&searches))?)
}

/// Chats by name, and what they are asked about.
struct Models<'a> {
    names: &'a [String],
    resolver: llm::models::Resolver,
    prices: Arc<Prices>,
    config: ModelConfig,
    brief: &'a Brief,
}

impl<'a> Models<'a> {
    fn new(
        arguments: &'a flags::Search,
        settings: &Settings,
        brief: &'a Brief,
    ) -> anyhow::Result<Self> {
        let mut resolver = llm::models::Resolver::new()
            .with_cancel(super::chess_run::interrupt_flag())
            .with_requests_per_minute(arguments.requests_per_minute);
        let mut prices = Prices::default();
        if let Some(path) = &arguments.prices {
            resolver = resolver.with_prices(path)?;
            prices = Prices::load(path)?;
        }
        Ok(Self {
            names: &arguments.models,
            resolver,
            prices: Arc::new(prices),
            config: ModelConfig {
                reply_tokens: settings.reply_tokens,
                temperature: settings.temperature,
            },
            brief,
        })
    }

    fn model(&self, name: &str) -> Result<Model<'a>, llm::Error> {
        let chat: Box<dyn llm::Chat> = match name {
            "coder:twin" => Box::new(kernels::search::twin::coder()),
            _ => self.resolver.chat(name)?,
        };
        Ok(Model::new(chat, self.brief, self.config.clone(), Arc::clone(&self.prices)))
    }

    fn make(&self) -> Result<Vec<Box<dyn Proposer + 'a>>, llm::Error> {
        let model = |name: &String| {
            let model: Box<dyn Proposer + 'a> = Box::new(self.model(name)?);
            Ok(model)
        };
        self.names.iter().map(model).collect()
    }

    /// A bad name or a missing price fails before anything is begun.
    fn check(&self, settings: &Settings) -> anyhow::Result<Vec<(String, Estimate)>> {
        let mut estimates = Vec::new();
        for name in self.names {
            let estimate = self.model(name)?.estimate(settings.budget.evaluations);
            if settings.budget.usd.is_some() && estimate.usd.is_none() {
                return Err(usage(
                    format!("failed to keep to `--budget-usd`: `{name}` has no price"),
                    "give its price per million tokens in a file, with `--prices`",
                ));
            }
            estimates.push((name.clone(), estimate));
        }
        Ok(estimates)
    }
}

fn estimate_text(estimates: &[(String, Estimate)]) -> String {
    let mut text = String::from("nothing was sent; at most, if one model made every attempt:\n");
    for (name, estimate) in estimates {
        let usd = estimate.usd.map_or("price unknown".to_owned(), |usd| format!("{usd:.2} USD"));
        text.push_str(&format!(
            "{name}: {} requests, about {} tokens in at first, {} tokens out, {usd}\n",
            estimate.n_requests, estimate.input_tokens, estimate.output_tokens
        ));
    }
    if estimates.is_empty() {
        text.push_str("no model is asked\n");
    }
    text
}

fn text(answer: &Answer) -> String {
    let mut text = String::new();
    for summary in &answer.searches {
        let end = serde_json::to_string(&summary.end).unwrap_or_default();
        text.push_str(&format!(
            "{} {}, seed {}: {} evaluated, {} measured again, {:.1} s, {}\n",
            summary.task,
            summary.strategy.name(),
            summary.seed,
            summary.n_evaluated,
            summary.n_reviews,
            summary.elapsed_secs,
            end.trim_matches('"'),
        ));
        match &summary.best {
            None => text.push_str("  nothing is verified\n"),
            Some(best) => {
                let interval = best.interval.map_or("no interval".to_owned(), |(low, high)| {
                    format!("95 % interval {low:.2} to {high:.2}")
                });
                text.push_str(&format!(
                    "  best: attempt {}, {:.2} times as fast as `{}` (n = {} measurements, {interval}), \
                     {:.0} % of the machine's limit\n",
                    best.attempt,
                    best.ratio,
                    best.baseline,
                    best.n_measured,
                    100.0 * best.roofline,
                ));
                for warning in &best.warnings {
                    text.push_str(&format!("  doubt: {warning}\n"));
                }
            }
        }
        if !summary.rejected.is_empty() {
            let reasons: Vec<String> =
                summary.rejected.iter().map(|(reason, n)| format!("{reason} {n}")).collect();
            text.push_str(&format!("  turned away: {}\n", reasons.join(", ")));
        }
        if summary.spent.tokens() > 0 {
            let usd =
                summary.spent.usd.map_or("cost unknown".to_owned(), |usd| format!("{usd:.4} USD"));
            text.push_str(&format!("  models: {} tokens, {usd}\n", summary.spent.tokens()));
        }
    }
    text.push_str(&comparison(answer).unwrap_or_default());
    text
}

/// Strategies beside each other, where there are several.
fn comparison(answer: &Answer) -> Option<String> {
    let archive = Archive::open_existing(&answer.archive).ok()?;
    let searches: Option<Vec<Gathered>> =
        answer.searches.iter().map(|summary| gather(&archive, &summary.key).ok()).collect();
    let searches = searches?;
    let compared: Ablation = ablation(&searches.iter().collect::<Vec<_>>())?;
    let mut text =
        format!("at {} evaluations, geometric mean over searches:\n", compared.n_evaluations);
    for arm in &compared.arms {
        let interval = arm.interval.map_or("one search: no interval".to_owned(), |interval| {
            format!("95 % interval {:.2} to {:.2}", interval.low, interval.high)
        });
        text.push_str(&format!(
            "  {:<10} {:.2} (n = {} searches, {interval})\n",
            arm.strategy.name(),
            arm.mean,
            arm.ratios.len()
        ));
    }
    Some(text)
}

/// A bar on a terminal, lines for what people should know, nothing when quiet.
pub(super) struct Bar<'a> {
    bar: ProgressBar,
    output: &'a Output,
}

impl<'a> Bar<'a> {
    pub(super) fn new(output: &'a Output) -> Self {
        let bar = if output.interactive() { ProgressBar::new(0) } else { ProgressBar::hidden() };
        if let Ok(style) =
            ProgressStyle::with_template("{prefix}{bar:24} {pos}/{len} evaluated, {elapsed}  {msg}")
        {
            bar.set_style(style);
        }
        Self { bar, output }
    }

    /// Says before the bar what it is about.
    pub(super) fn about(&self, what: &str) {
        self.bar.reset_elapsed();
        self.bar.set_prefix(format!("{what}  "));
    }

    pub(super) fn clear(&self) {
        self.bar.finish_and_clear();
    }
}

impl Progress for Bar<'_> {
    fn opened(&self, search: &SearchRecord, n_attempts: usize) {
        if n_attempts > 0 {
            self.note(&format!("going on with {}: {n_attempts} attempts are there", search.key));
        }
    }

    fn found(&self, _: &AttemptRecord, seen: &Seen, standing: &Standing) {
        self.bar.set_length(standing.n_budget);
        self.bar.set_position(standing.n_evaluated);
        let best = standing.best.map_or("–".to_owned(), |best| format!("{best:.2}×"));
        let mut reasons: Vec<(&String, &u64)> = standing.rejected.iter().collect();
        reasons.sort_by_key(|(_, n)| std::cmp::Reverse(**n));
        let reasons: Vec<String> =
            reasons.iter().take(4).map(|(reason, n)| format!("{reason} {n}")).collect();
        self.bar.set_message(format!(
            "best {best}, {:.1}/s, turned away: {}",
            standing.per_sec,
            if reasons.is_empty() { "none".to_owned() } else { reasons.join(" ") }
        ));
        if seen.kind != Kind::Evaluation
            && let Some(rejection) = &seen.rejection
        {
            self.note(&format!(
                "attempt {} was wrong after all: {}",
                seen.attempt, rejection.detail
            ));
        }
    }

    fn note(&self, line: &str) {
        self.bar.suspend(|| self.output.note(line));
    }
}

/// The default archive of a store.
pub(crate) fn default_archive(root: &Path) -> PathBuf {
    root.join("kernels.sqlite")
}
