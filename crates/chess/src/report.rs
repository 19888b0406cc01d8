//! What people read: a run's report, and one game to step through. Records in, text out: no clock,
//! nothing is played or judged here.

pub mod board;
mod html;
pub mod replay;
pub mod text;

use std::path::PathBuf;

use runs::Run;

use crate::Error;
use crate::judge_llm::{Agreement, agreement_in, judges_of};
use crate::record::{StoredGame, read_evidence, read_games};
use crate::run::{settings, summary_of};
use crate::summary::{ChessSummary, RunEnd};

/// Name of a replay in its game's folder.
pub const REPLAY_NAME: &str = "replay.html";

/// Everything a run's report is made of.
#[derive(Debug, Clone)]
pub struct RunReport {
    /// Rates, comparisons, caveats; of the newest verdicts.
    pub summary: ChessSummary,
    /// The games.
    pub games: Vec<StoredGame>,
    /// One entry per judging model, where there was one.
    pub agreements: Vec<Agreement>,
}

/// Reads what a run's folder holds.
///
/// # Errors
/// When it is no chess run or cannot be read.
pub fn read(run: &Run) -> Result<RunReport, Error> {
    let games = read_games(run.path())?;
    let end = run.summary::<ChessSummary>()?.map_or(RunEnd::Interrupted, |summary| summary.end);
    let summary = summary_of(run, &games, end)?;
    let agreements = judges_of(&games)?
        .iter()
        .map(|model| agreement_in(&games, model))
        .collect::<Result<Vec<Agreement>, Error>>()?;
    Ok(RunReport { summary, games, agreements })
}

/// Writes the run's report and a replay of each game, and says where the report is.
///
/// # Errors
/// When the run cannot be read or written.
pub fn write(run: &Run) -> Result<PathBuf, Error> {
    let report = read(run)?;
    let config = settings(run)?;
    for game in &report.games {
        let page = replay_of(run, game)?;
        runs::write_atomic(&game.folder.join(REPLAY_NAME), page.as_bytes())?;
    }
    Ok(run.write_report(&html::render(&report, &config, run.manifest()))?)
}

/// The replay of one stored game.
///
/// # Errors
/// When the game cannot be read.
pub fn replay_of(run: &Run, game: &StoredGame) -> Result<String, Error> {
    let evidence = read_evidence(run, game)?;
    let heading = replay::Heading {
        game: Some(game.plan.game.index),
        run: Some(run.id().to_owned()),
        model: game.plan.game.cell.model.clone(),
        scaffold: game.plan.scaffold,
        rules: game.plan.game.cell.rules,
        task: game.record.task.clone(),
    };
    Ok(replay::render(&heading, &evidence, game.verdict()))
}
