//! A run's games for other tools.

pub mod inspect;
pub mod pgn;

use runs::Run;
use serde_json::Value;

use crate::Error;
use crate::config::{Cell, profile_name};
use crate::evidence::Evidence;
use crate::record::{StoredGame, read_evidence, read_games};
use crate::run::settings;
use crate::summary::{ChessSummary, RunEnd};

/// Every game of a run as PGN, by the ledger.
///
/// # Errors
/// When the run cannot be read.
pub fn pgn(run: &Run) -> Result<String, Error> {
    let mut records = Vec::new();
    for game in read_games(run.path())? {
        let evidence = read_evidence(run, &game)?;
        let source = pgn::Source {
            run: run.id(),
            created: &run.manifest().created,
            game: game.plan.game.index,
            cell: &game.plan.game.cell,
        };
        records.push(pgn::render(&source, &evidence, game.verdict()));
    }
    Ok(records.join("\n"))
}

/// A run as Inspect logs, one per cell with games: a file name without folder, and the log.
///
/// # Errors
/// When the run cannot be read.
pub fn inspect(run: &Run) -> Result<Vec<(String, Value)>, Error> {
    let config = settings(run)?;
    let summary = crate::report::read(run)?.summary;
    let end = run.summary::<ChessSummary>()?.map_or(RunEnd::Interrupted, |summary| summary.end);
    let origin =
        inspect::Origin { run: run.id(), created: &run.manifest().created, config: &config, end };
    let games = read_games(run.path())?;
    let mut logs = Vec::new();
    for cell in &summary.cells {
        let of_cell: Vec<(StoredGame, Evidence)> = games
            .iter()
            .filter(|game| game.plan.game.cell == cell.cell)
            .map(|game| Ok((game.clone(), read_evidence(run, game)?)))
            .collect::<Result<_, Error>>()?;
        if !of_cell.is_empty() {
            logs.push((log_name(run.id(), &cell.cell), inspect::log(&origin, cell, &of_cell)));
        }
    }
    Ok(logs)
}

/// A file name that is safe whatever a model is called.
fn log_name(run: &str, cell: &Cell) -> String {
    let (profile, rules) = (profile_name(cell.profile), cell.rules.name());
    let name = format!("{run}_{}_{}_{profile}_{rules}", cell.model, cell.variant);
    let safe = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '-' };
    format!("{}.json", name.chars().map(safe).collect::<String>())
}
