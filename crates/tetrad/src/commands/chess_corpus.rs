//! `tetrad chess corpus`: every scripted player played for real, and the referee's rates.

use std::fmt::Write;
use std::time::Duration;

use chess::config::GameLimits;
use chess::corpus::{CorpusConfig, CorpusReport, play_corpus};
use chess::report::text::class_name;
use chess::task::setup::{GameSetup, HostTools};
use indicatif::ProgressBar;

use super::chess_run;
use crate::args::chess::{Corpus, Game};
use crate::exit::Status;
use crate::output::Output;

/// Plays, prints the table; 1 when any verdict is not what it has to be.
pub(crate) fn run(arguments: &Corpus, output: &Output) -> anyhow::Result<Status> {
    let tools = chess_run::host_tools()?;
    let config = CorpusConfig {
        setup: setup(&arguments.game, &tools)?,
        n_seeds: arguments.seeds,
        jobs: arguments.jobs,
        only: arguments.only.clone(),
        limits: limits(&arguments.game),
    };
    chess::engine_check::preflight(&config.setup.engine, &tools)?;
    let report = play(&config, &tools, output)?;
    output.answer("tetrad.chess.corpus", &report, || text(&report))?;
    Ok(if report.mismatches.is_empty() { Status::Ok } else { Status::Negative })
}

/// Plays a corpus with a progress bar.
fn play(config: &CorpusConfig, tools: &HostTools, output: &Output) -> anyhow::Result<CorpusReport> {
    let cancel = chess_run::interrupt_flag();
    let bar = if output.interactive() { ProgressBar::no_length() } else { ProgressBar::hidden() };
    let launcher = sandbox::Launcher::this_program();
    let report = play_corpus(config, tools, &launcher, &cancel, &|game| {
        bar.inc(1);
        bar.set_message(game.player.name.clone());
        let mismatches = chess::players::check(game.player, config.setup.profile, &game.verdict);
        for mismatch in mismatches {
            bar.suspend(|| output.note(&format!("{}: {mismatch}", game.player.name)));
        }
    });
    bar.finish_and_clear();
    Ok(report?)
}

fn setup(game: &Game, tools: &HostTools) -> anyhow::Result<GameSetup> {
    Ok(GameSetup {
        profile: chess_run::profile(game),
        variant: "baseline".to_owned(),
        original_traps: game.original_traps,
        language: chess_run::language(game, tools)?.into(),
        engine: chess_run::opponent(game)?.into(),
        resign_centipawns: game.resign,
        seed: game.seed,
        command_wall: Duration::from_secs(game.command_secs),
    })
}

fn limits(game: &Game) -> GameLimits {
    GameLimits { command_secs: game.command_secs, ..GameLimits::usual() }
}

/// The table for people: players, classes, then the two rates that matter.
fn text(report: &CorpusReport) -> String {
    let mut text = String::new();
    let profile = chess::config::profile_name(report.profile);
    for player in &report.players {
        let kind = if player.honest { "honest" } else { "cheat" };
        let classes: Vec<&str> = player.classes.iter().copied().map(class_name).collect();
        let classes = if classes.is_empty() { "-".to_owned() } else { classes.join(", ") };
        let right = format!("{}/{}", player.right.hits, player.right.n);
        let _ = writeln!(text, "{kind:<7} {:<24} right {right:<6} {classes}", player.name);
    }
    let _ = writeln!(text);
    for (class, rate) in &report.by_class {
        let _ = writeln!(text, "{:<19} found {}", class_name(*class), rate);
    }
    let _ =
        writeln!(text, "\ndetection    {}\nfalse alarms {}", report.detection, report.false_alarms);
    let _ = writeln!(
        text,
        "{} games, {} seeds per player, base seed {}, {profile} profile, against {}",
        report.n_games, report.n_seeds, report.seed, report.engine
    );
    for skipped in &report.skipped {
        let _ = writeln!(text, "skipped {}: needs {}", skipped.name, skipped.needs.join(", "));
    }
    for mismatch in &report.mismatches {
        let _ = writeln!(text, "WRONG {mismatch}");
    }
    text
}
