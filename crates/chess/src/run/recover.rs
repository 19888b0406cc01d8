//! What an earlier sitting left on disk, whatever ended it.
//!
//! A game counts when, and only when, `games/NNNN/` exists and is whole; everything else is set
//! aside and played again from its start. Nothing is ever deleted: what was spent on it counts.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::{Path, PathBuf};

use crate::Error;
use crate::record::{Spent, game_name, read_game, sorted_names, spent_in};
use crate::verdict::Outcome;

/// What is there already.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Recovered {
    /// Whole games.
    pub finished: BTreeSet<usize>,
    /// Attempts that infrastructure broke, by game.
    pub n_failed: BTreeMap<usize, u32>,
    /// Spent on whole games and on attempts.
    pub spent: Spent,
    /// Folders that this call set aside.
    pub n_set_aside: usize,
}

/// An attempt that came to nothing.
#[derive(Debug, Clone, PartialEq)]
pub struct Attempt {
    /// The game.
    pub game: usize,
    /// Whether it was played to an end that was infrastructure's; otherwise the harness died or
    /// was stopped.
    pub failed: bool,
    /// Spent on it.
    pub spent: Spent,
}

/// Puts a run's folder in order and says what it holds.
///
/// # Errors
/// When a folder cannot be read or renamed.
pub fn recover(run_folder: &Path, n_retries: u32) -> Result<Recovered, Error> {
    let games = run_folder.join("games");
    std::fs::create_dir_all(&games).map_err(|source| Error::io("create", &games, source))?;
    let mut recovered = Recovered::default();
    for attempt in attempts_in(run_folder)? {
        recovered.spent.add_all(&attempt.spent);
        if attempt.failed {
            *recovered.n_failed.entry(attempt.game).or_default() += 1;
        }
    }
    // `0007` sorts before `0007.partial`: a whole game is known before its left-over is looked at.
    for name in sorted_names(&games)? {
        let folder = games.join(&name);
        let (number, partial) = match name.strip_suffix(".partial") {
            Some(number) => (number, true),
            None => (name.as_str(), false),
        };
        let Ok(index) = number.parse::<usize>() else { continue };
        let spent = spent_in(&folder)?;
        recovered.spent.add_all(&spent);
        let stored = read_game(&folder).ok();
        let n_failed = recovered.n_failed.get(&index).copied().unwrap_or(0);
        let keep = stored.as_ref().is_some_and(|game| {
            let retry = game.verdicts[0].1.outcome == Outcome::Infrastructure && n_failed < n_retries;
            // A folder that was complete but for its rename is as good as a whole one.
            !partial || (!retry && !recovered.finished.contains(&index))
        });
        if keep {
            if partial {
                rename_durably(&folder, &games.join(game_name(index)))?;
            }
            recovered.finished.insert(index);
        } else {
            if stored.is_some() && !recovered.finished.contains(&index) {
                *recovered.n_failed.entry(index).or_default() += 1;
            }
            set_aside(run_folder, index, &folder)?;
            recovered.n_set_aside += 1;
        }
    }
    Ok(recovered)
}

/// Every attempt that was set aside, in order.
///
/// # Errors
/// When the folder cannot be read.
pub fn attempts_in(run_folder: &Path) -> Result<Vec<Attempt>, Error> {
    let folder = run_folder.join("attempts");
    let mut attempts = Vec::new();
    for name in sorted_names(&folder)? {
        let Some((game, _)) = parse_attempt(&name) else { continue };
        let path = folder.join(&name);
        let failed = read_game(&path)
            .is_ok_and(|stored| stored.verdicts[0].1.outcome == Outcome::Infrastructure);
        attempts.push(Attempt { game, failed, spent: spent_in(&path)? });
    }
    Ok(attempts)
}

/// Number of the next attempt at a game: one more than the highest that was set aside.
///
/// # Errors
/// When the folder cannot be read.
pub fn next_attempt(run_folder: &Path, index: usize) -> Result<u32, Error> {
    let numbers = sorted_names(&run_folder.join("attempts"))?
        .iter()
        .filter_map(|name| parse_attempt(name))
        .filter(|(game, _)| *game == index)
        .map(|(_, number)| number + 1)
        .max();
    Ok(numbers.unwrap_or(0))
}

/// Moves a game's folder to `attempts/`, under the next free number.
///
/// # Errors
/// When the folder cannot be moved.
pub fn set_aside(run_folder: &Path, index: usize, folder: &Path) -> Result<PathBuf, Error> {
    let attempts = run_folder.join("attempts");
    std::fs::create_dir_all(&attempts).map_err(|source| Error::io("create", &attempts, source))?;
    let number = next_attempt(run_folder, index)?;
    let to = attempts.join(format!("{}-{number}", game_name(index)));
    rename_durably(folder, &to)?;
    Ok(to)
}

/// Renames, and makes the rename survive a power cut: both parent folders are synced.
///
/// # Errors
/// When the system refuses.
pub fn rename_durably(from: &Path, to: &Path) -> Result<(), Error> {
    std::fs::rename(from, to).map_err(|source| Error::io("rename", from, source))?;
    for folder in [to.parent(), from.parent()].into_iter().flatten() {
        File::open(folder)
            .and_then(|folder| folder.sync_all())
            .map_err(|source| Error::io("sync", folder, source))?;
    }
    Ok(())
}

fn parse_attempt(name: &str) -> Option<(usize, u32)> {
    let (game, number) = name.split_once('-')?;
    Some((game.parse().ok()?, number.parse().ok()?))
}
