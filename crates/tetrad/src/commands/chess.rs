//! `tetrad chess`: one function per subcommand that does not play games itself.

use std::path::{Path, PathBuf};

use anyhow::Context;
use chess::record::{StoredGame, read_games};
use runs::{Run, Store};
use serde::Serialize;

use super::runs::find;
use super::{chess_corpus, chess_run};
use crate::args::chess::{Chess, ExportAs};
use crate::exit::{Status, usage};
use crate::output::Output;

/// Calls the subcommand that was asked for.
pub(crate) fn run(
    arguments: Chess,
    store: impl Fn() -> anyhow::Result<Store>,
    output: &Output,
) -> anyhow::Result<Status> {
    match arguments {
        Chess::Run(flags) => chess_run::run(&flags, &store()?, output),
        Chess::Report { run } => report(&find(&store()?, &run)?, output),
        Chess::Rejudge { run } => rejudge(&find(&store()?, &run)?, output),
        Chess::Replay { run, game, to } => replay(&find(&store()?, &run)?, game, to, output),
        Chess::Export { run, r#as, to } => export(&find(&store()?, &run)?, r#as, to, output),
        Chess::Judge { run, model, samples } => {
            judge(&find(&store()?, &run)?, &model, samples, output)
        }
        Chess::Players => players(output),
        Chess::Corpus(flags) => chess_corpus::run(&flags, output),
        Chess::Variants => variants(output),
    }
}

/// Renders a run's report and returns its path.
pub(crate) fn write_report(run: &Run) -> anyhow::Result<PathBuf> {
    Ok(chess::report::write(run)?)
}

fn report(run: &Run, output: &Output) -> anyhow::Result<Status> {
    let summary = chess::report::read(run)?.summary;
    let path = write_report(run)?;
    output.answer("tetrad.chess.report", &summary, || chess::report::text::summary(&summary))?;
    output.note(&format!("report {}", path.display()));
    Ok(chess_run::status(&summary))
}

fn rejudge(run: &Run, output: &Output) -> anyhow::Result<Status> {
    let report = chess::rejudge::rejudge(run)?;
    output.answer("tetrad.chess.rejudge", &report, || chess::report::text::rejudge(&report))?;
    Ok(if report.changed.is_empty() { Status::Ok } else { Status::Negative })
}

fn replay(run: &Run, index: usize, to: Option<PathBuf>, output: &Output) -> anyhow::Result<Status> {
    let game = game(run, index)?;
    let page = chess::report::replay_of(run, &game)?;
    let path = to.unwrap_or_else(|| game.folder.join("replay.html"));
    write(&path, &page)?;
    #[derive(Serialize)]
    struct Answer<'a> {
        run: &'a str,
        game: usize,
        replay: &'a Path,
    }
    let answer = Answer { run: run.id(), game: index, replay: &path };
    output.answer("tetrad.chess.replay", &answer, || path.display().to_string())?;
    Ok(Status::Ok)
}

fn game(run: &Run, index: usize) -> anyhow::Result<StoredGame> {
    let games = read_games(run.path())?;
    let n_games = games.len();
    games.into_iter().find(|game| game.plan.game.index == index).ok_or_else(|| {
        let hint = format!("the run has {n_games} finished games, numbered from 0");
        usage(format!("failed to find game {index} of `{}`", run.id()), hint)
    })
}

fn export(
    run: &Run,
    format: ExportAs,
    to: Option<PathBuf>,
    output: &Output,
) -> anyhow::Result<Status> {
    match format {
        ExportAs::Pgn => {
            let pgn = chess::export::pgn(run)?;
            match to {
                Some(path) => {
                    write(&path, &pgn)?;
                    output.note(&format!("wrote {}", path.display()));
                }
                None => output.data(&pgn)?,
            }
        }
        ExportAs::Inspect => {
            // A log is of one model and task, so a run becomes several: a folder of them.
            let logs = chess::export::inspect(run)?;
            match (to, logs.as_slice()) {
                (Some(folder), logs) => {
                    std::fs::create_dir_all(&folder)
                        .with_context(|| format!("failed to create `{}`", folder.display()))?;
                    for (name, log) in logs {
                        write(&folder.join(name), &serde_json::to_string_pretty(log)?)?;
                    }
                    output.note(&format!("wrote {} logs to {}", logs.len(), folder.display()));
                }
                (None, [(_, log)]) => output.data(&serde_json::to_string_pretty(log)?)?,
                (None, logs) => {
                    let message = format!("failed to print {} logs on stdout", logs.len());
                    return Err(usage(message, "name a folder for them with `--to`"));
                }
            }
        }
    }
    Ok(Status::Ok)
}

fn judge(run: &Run, model: &str, n_samples: u32, output: &Output) -> anyhow::Result<Status> {
    let seed = chess::run::settings(run)?.seed;
    let chat = chess_run::chat(model, seed)?;
    let progress = |game: usize, record: &chess::judge_llm::OpinionRecord| {
        output.note(&format!("game {game}: {} samples", record.samples.len()));
    };
    let agreement = chess::judge_llm::judge_run(
        run,
        chat.as_ref(),
        n_samples,
        &chess_run::interrupt_flag(),
        &progress,
    )?;
    output
        .answer("tetrad.chess.judge", &agreement, || chess::report::text::agreement(&agreement))?;
    Ok(Status::Ok)
}

fn players(output: &Output) -> anyhow::Result<Status> {
    #[derive(Serialize)]
    struct Row<'a> {
        name: &'a str,
        honest: bool,
        summary: &'a str,
    }
    let rows: Vec<Row<'_>> = chess::players::all()
        .iter()
        .map(|player| Row { name: &player.name, honest: player.honest, summary: &player.summary })
        .collect();
    output.answer("tetrad.chess.players", &rows, || {
        let line = |row: &Row<'_>| {
            let kind = if row.honest { "honest" } else { "cheat" };
            format!("{kind:<7} {:<22} {}\n", row.name, row.summary)
        };
        rows.iter().map(line).collect()
    })?;
    Ok(Status::Ok)
}

fn variants(output: &Output) -> anyhow::Result<Status> {
    let variants = chess::task::variant::variants()?;
    output.answer("tetrad.chess.variants", &variants, || {
        let line = |variant: &chess::task::variant::Variant| {
            format!("{:<17} {} ({})\n", variant.name, variant.summary, variant.source)
        };
        variants.iter().map(line).collect()
    })?;
    Ok(Status::Ok)
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    std::fs::write(path, text).with_context(|| format!("failed to write `{}`", path.display()))
}
