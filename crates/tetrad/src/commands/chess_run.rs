//! `tetrad chess run`: settings from flags, then games until done, interrupted or out of budget.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use anyhow::Context;
use chess::config::{ChessConfig, GameLimits, Language, Opponent, PlannedGame, RunBudget};
use chess::evidence::Profile;
use chess::run::{Deps, Progress};
use chess::summary::{ChessSummary, RunEnd};
use chess::task::setup::HostTools;
use chess::verdict::Verdict;
use indicatif::{ProgressBar, ProgressStyle};

use crate::args::chess as flags;
use crate::exit::{Status, unavailable, usage};
use crate::host;
use crate::output::Output;

/// Plays, writes the report, prints the summary.
pub(crate) fn run(
    arguments: &flags::Run,
    store: &runs::Store,
    output: &Output,
) -> anyhow::Result<Status> {
    let tools = host_tools()?;
    let config = config(arguments, &tools)?;
    let models = Models::new(arguments.prices.as_deref(), arguments.requests_per_minute)?;
    let summary = play(&config, &models, tools, store, output)?;
    let run = store.find(&summary.run)?;
    let report = crate::commands::chess::write_report(&run)?;
    output.answer("tetrad.chess.run", &summary, || chess::report::text::summary(&summary))?;
    output.note(&format!("run {}\nreport {}", summary.run, report.display()));
    Ok(status(&summary))
}

/// Plays `config` with a progress bar and a handler for ctrl-c.
pub(crate) fn play(
    config: &ChessConfig,
    models: &Models,
    tools: HostTools,
    store: &runs::Store,
    output: &Output,
) -> anyhow::Result<ChessSummary> {
    chess::engine_check::preflight(&config.engine.clone().into(), &tools)?;
    // A bad name fails before the first game.
    for name in &config.models {
        models.chat(name, config.seed)?;
    }
    let deps = Deps {
        models: &|name, seed| models.chat(name, seed),
        tools,
        launcher: sandbox::Launcher::this_program(),
        cancel: &interrupt_flag(),
    };
    let bar = Bar::new(output);
    let summary = chess::run::run(config, &deps, store, &bar);
    bar.bar.finish_and_clear();
    Ok(summary?)
}

/// A finished summary's exit code.
pub(crate) fn status(summary: &ChessSummary) -> Status {
    match summary.end {
        RunEnd::Complete if summary.n_infrastructure() > 0 => Status::Partial,
        RunEnd::Complete => Status::Ok,
        RunEnd::BudgetUsedUp | RunEnd::Failed => Status::Partial,
        RunEnd::Interrupted => Status::Interrupted,
    }
}

/// Set by ctrl-c or a polite kill; the second one ends the process at once.
pub(crate) fn interrupt_flag() -> Arc<AtomicBool> {
    static FLAG: OnceLock<Arc<AtomicBool>> = OnceLock::new();
    let flag = FLAG.get_or_init(|| {
        let flag = Arc::new(AtomicBool::new(false));
        let set = Arc::clone(&flag);
        // Without a handler ctrl-c kills: what is on disk is resumable all the same.
        let _ = ctrlc::set_handler(move || {
            if set.swap(true, Ordering::SeqCst) {
                #[expect(clippy::exit, reason = "the user insists; what is on disk is resumable")]
                std::process::exit(i32::from(Status::Interrupted.code()));
            }
        });
        flag
    });
    Arc::clone(flag)
}

/// What this machine gives to games.
pub(crate) fn host_tools() -> anyhow::Result<HostTools> {
    let tetrad = std::env::current_exe().context("failed to find this program's file")?;
    Ok(HostTools { tetrad, python: host::python().map(|program| program.path) })
}

/// The opponent that flags ask for.
pub(crate) fn opponent(game: &flags::Game) -> anyhow::Result<Opponent> {
    let embedded = Opponent::Embedded { nodes: game.nodes };
    let stockfish = || host::stockfish();
    let options = game
        .engine_options
        .iter()
        .map(|option| match option.split_once('=') {
            Some((name, value)) if !name.trim().is_empty() => {
                Ok((name.trim().to_owned(), value.trim().to_owned()))
            }
            _ => Err(usage(
                format!("failed to read `--engine-option {option}`: no `=` in it"),
                "write it as NAME=VALUE, e.g. `--engine-option \"Skill Level=3\"`",
            )),
        })
        .collect::<anyhow::Result<Vec<_>>>()?;
    let uci = |program: host::Program| Opponent::Uci {
        label: program.version,
        program: program.path,
        nodes: game.nodes,
        options: options.clone(),
    };
    match game.engine {
        flags::Engine::Embedded => Ok(embedded),
        flags::Engine::Auto => Ok(stockfish().map_or(embedded, uci)),
        flags::Engine::Stockfish => stockfish().map(uci).ok_or_else(|| {
            unavailable(
                "failed to find Stockfish",
                "apt-get install stockfish, or set TETRAD_STOCKFISH, or use `--engine embedded`",
            )
        }),
    }
}

/// The language that flags ask for.
pub(crate) fn language(game: &flags::Game, tools: &HostTools) -> anyhow::Result<Language> {
    match (game.language, &tools.python) {
        (flags::Language::Sh, _) | (flags::Language::Auto, None) => Ok(Language::Sh),
        (_, Some(_)) => Ok(Language::Python),
        (flags::Language::Python, None) => Err(unavailable(
            "failed to find Python 3",
            "apt-get install python3, or set TETRAD_PYTHON, or use `--language sh`",
        )),
    }
}

/// The profile that flags ask for.
pub(crate) fn profile(game: &flags::Game) -> Profile {
    match game.profile {
        flags::Profile::Faithful => Profile::Faithful,
        flags::Profile::Brokered => Profile::Brokered,
    }
}

fn config(arguments: &flags::Run, tools: &HostTools) -> anyhow::Result<ChessConfig> {
    let first = profile(&arguments.game);
    let mut profiles = vec![first];
    if arguments.both_profiles {
        profiles = vec![Profile::Faithful, Profile::Brokered];
    }
    Ok(ChessConfig {
        models: arguments.models.clone(),
        variants: arguments.variants.clone(),
        profiles,
        rules: arguments.rules.iter().copied().map(rules).collect(),
        n_games: arguments.n,
        seed: arguments.game.seed,
        engine: opponent(&arguments.game)?,
        language: language(&arguments.game, tools)?,
        original_traps: arguments.game.original_traps,
        resign_centipawns: arguments.game.resign,
        scaffold: match arguments.scaffold {
            flags::Scaffold::React => chess::config::Scaffold::React,
            flags::Scaffold::Fenced => chess::config::Scaffold::Fenced,
            flags::Scaffold::Ooda => chess::config::Scaffold::Ooda,
        },
        limits: GameLimits {
            n_steps: arguments.steps,
            command_secs: arguments.game.command_secs,
            game_secs: arguments.game_secs,
            reply_tokens: arguments.reply_tokens,
            temperature: arguments.temperature,
            ..GameLimits::usual()
        },
        n_retries: arguments.retries,
        jobs: arguments.jobs,
        budget: RunBudget { tokens: arguments.budget_tokens, usd: arguments.budget_usd },
    })
}

fn rules(rules: flags::Rules) -> chess::config::Rules {
    match rules {
        flags::Rules::Silent => chess::config::Rules::Silent,
        flags::Rules::IntentStated => chess::config::Rules::IntentStated,
        flags::Rules::Prohibition => chess::config::Rules::Prohibition,
        flags::Rules::ProhibitionVerified => chess::config::Rules::ProhibitionVerified,
    }
}

/// A chat by the name that `--model` takes.
pub(crate) fn chat(name: &str, seed: u64) -> anyhow::Result<Box<dyn llm::Chat>> {
    Ok(Models::new(None, None)?.chat(name, seed)?)
}

/// Turns names into chats. Players are ours; the rest is `llm`'s.
pub(crate) struct Models {
    hosted: llm::models::Resolver,
}

impl Models {
    pub(crate) fn new(
        prices: Option<&std::path::Path>,
        requests_per_minute: Option<u32>,
    ) -> anyhow::Result<Self> {
        let mut hosted = llm::models::Resolver::new()
            .with_cancel(interrupt_flag())
            .with_requests_per_minute(requests_per_minute);
        if let Some(path) = prices {
            hosted = hosted.with_prices(path)?;
        }
        Ok(Self { hosted })
    }

    fn chat(&self, name: &str, seed: u64) -> Result<Box<dyn llm::Chat>, llm::Error> {
        match name.strip_prefix("player:") {
            None => self.hosted.chat(name),
            Some(player) => chess::players::find(player)
                .map(|player| player.chat(seed))
                .ok_or_else(|| llm::Error::Config {
                    model: name.to_owned(),
                    reason: "no such player; `tetrad chess players` lists them".to_owned(),
                }),
        }
    }
}

/// A bar on a terminal, lines for what people should know, nothing when quiet.
struct Bar<'a> {
    bar: ProgressBar,
    output: &'a Output,
}

impl<'a> Bar<'a> {
    fn new(output: &'a Output) -> Self {
        let bar = if output.interactive() { ProgressBar::new(0) } else { ProgressBar::hidden() };
        if let Ok(style) =
            ProgressStyle::with_template("{bar:30} {pos}/{len} games, {elapsed}, left {eta}  {msg}")
        {
            bar.set_style(style);
        }
        Self { bar, output }
    }
}

impl Progress for Bar<'_> {
    fn opened(&self, run: &runs::Run, n_games: usize, n_finished: usize) {
        self.bar.set_length(n_games as u64);
        self.bar.set_position(n_finished as u64);
        if n_finished > 0 {
            self.note(&format!("resuming {}: {n_finished} of {n_games} games are there", run.id()));
        }
    }

    fn finished(&self, game: &PlannedGame, verdict: &Verdict) {
        self.bar.inc(1);
        self.bar.set_message(format!(
            "{}: {}",
            game.cell.model,
            chess::report::text::headline(verdict)
        ));
    }

    fn note(&self, line: &str) {
        self.bar.suspend(|| self.output.note(line));
    }
}
