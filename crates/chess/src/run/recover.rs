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
            let retry =
                game.verdicts[0].1.outcome == Outcome::Infrastructure && n_failed < n_retries;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Cell, PlannedGame, Rules};
    use crate::evidence::Profile;
    use crate::sample::{log_line, write_game};

    fn planned(index: usize) -> PlannedGame {
        let (model, variant) = ("m".to_owned(), "v".to_owned());
        let cell = Cell { model, variant, profile: Profile::Faithful, rules: Rules::Silent };
        PlannedGame { index, repetition: 0, cell, seed: 1 }
    }

    fn write(run: &Path, name: &str, index: usize, outcome: Outcome, tokens: u64) {
        write_game(&run.join(name), &planned(index), outcome, tokens);
    }

    fn names(run: &Path, folder: &str) -> Vec<String> {
        sorted_names(&run.join(folder)).unwrap()
    }

    #[test]
    fn an_empty_run_has_nothing_finished() {
        let run = tempfile::tempdir().unwrap();
        assert_eq!(recover(run.path(), 1).unwrap(), Recovered::default());
    }

    #[test]
    fn whole_games_stay_and_count() {
        let run = tempfile::tempdir().unwrap();
        write(run.path(), "games/0003", 3, Outcome::Loss, 10);
        let recovered = recover(run.path(), 1).unwrap();
        assert_eq!(recovered.finished, BTreeSet::from([3]));
        assert_eq!((recovered.spent.tokens, recovered.n_set_aside), (10, 0));
    }

    #[test]
    fn a_game_cut_off_at_any_file_is_set_aside_and_its_tokens_count() {
        let files = ["plan.json", "wire.jsonl", "game.json", "verdict.json"];
        for n_files in 0..files.len() {
            let run = tempfile::tempdir().unwrap();
            write(run.path(), "games/0000.partial", 0, Outcome::Loss, 10);
            for file in &files[n_files..] {
                std::fs::remove_file(run.path().join("games/0000.partial").join(file)).unwrap();
            }
            let recovered = recover(run.path(), 1).unwrap();
            assert!(recovered.finished.is_empty(), "{n_files} files are no whole game");
            assert_eq!(recovered.spent.tokens, if n_files >= 2 { 10 } else { 0 });
            assert!(names(run.path(), "games").is_empty());
            assert_eq!(names(run.path(), "attempts"), ["0000-0"]);
            assert!(recovered.n_failed.is_empty(), "a crash is no failure of infrastructure");
        }
    }

    #[test]
    fn a_game_cut_off_in_the_middle_of_its_last_file_is_set_aside() {
        let run = tempfile::tempdir().unwrap();
        write(run.path(), "games/0000.partial", 0, Outcome::Loss, 10);
        let verdict = run.path().join("games/0000.partial/verdict.json");
        let text = std::fs::read_to_string(&verdict).unwrap();
        std::fs::write(&verdict, &text[..text.len() / 2]).unwrap();
        assert!(recover(run.path(), 1).unwrap().finished.is_empty());
    }

    #[test]
    fn a_game_complete_but_for_its_rename_is_kept() {
        let run = tempfile::tempdir().unwrap();
        write(run.path(), "games/0005.partial", 5, Outcome::Loss, 10);
        let recovered = recover(run.path(), 1).unwrap();
        assert_eq!(recovered.finished, BTreeSet::from([5]));
        assert_eq!(names(run.path(), "games"), ["0005"]);
        assert_eq!(recovered.spent.tokens, 10);
    }

    #[test]
    fn a_left_over_beside_a_whole_game_never_replaces_it() {
        let run = tempfile::tempdir().unwrap();
        write(run.path(), "games/0001", 1, Outcome::Win, 10);
        write(run.path(), "games/0001.partial", 1, Outcome::Loss, 7);
        let recovered = recover(run.path(), 1).unwrap();
        assert_eq!(recovered.spent.tokens, 17);
        assert_eq!(names(run.path(), "games"), ["0001"]);
        let kept = read_game(&run.path().join("games/0001")).unwrap();
        assert_eq!(kept.verdict().outcome, Outcome::Win);
        assert!(recovered.n_failed.is_empty());
    }

    #[test]
    fn a_broken_game_that_may_be_retried_becomes_a_failed_attempt_else_it_is_kept() {
        for (n_retries, kept) in [(1, false), (0, true)] {
            let run = tempfile::tempdir().unwrap();
            write(run.path(), "games/0002.partial", 2, Outcome::Infrastructure, 10);
            let recovered = recover(run.path(), n_retries).unwrap();
            assert_eq!(recovered.finished.contains(&2), kept);
            assert_eq!(recovered.n_failed.get(&2).copied(), (!kept).then_some(1));
            // The next sitting reads the same from the folders alone.
            let again = recover(run.path(), n_retries).unwrap();
            assert_eq!((again.finished, again.n_failed), (recovered.finished, recovered.n_failed));
            assert_eq!(again.spent, recovered.spent);
        }
    }

    #[test]
    fn recovering_twice_changes_nothing_more() {
        let run = tempfile::tempdir().unwrap();
        write(run.path(), "games/0000", 0, Outcome::Loss, 1);
        write(run.path(), "games/0001.partial", 1, Outcome::Loss, 2);
        std::fs::create_dir_all(run.path().join("games/0002.partial")).unwrap();
        write(run.path(), "attempts/0000-0", 0, Outcome::Infrastructure, 4);
        let first = recover(run.path(), 2).unwrap();
        let second = recover(run.path(), 2).unwrap();
        assert_eq!((first.spent.tokens, first.n_set_aside), (7, 1));
        assert_eq!(second, Recovered { n_set_aside: 0, ..first });
    }

    #[test]
    fn attempts_are_numbered_on_and_never_overwritten() {
        let run = tempfile::tempdir().unwrap();
        for number in 0..12 {
            let partial = run.path().join("games/0004.partial");
            std::fs::create_dir_all(&partial).unwrap();
            let to = set_aside(run.path(), 4, &partial).unwrap();
            assert!(to.ends_with(format!("attempts/0004-{number}")));
        }
        assert_eq!(next_attempt(run.path(), 4).unwrap(), 12);
        assert_eq!(next_attempt(run.path(), 5).unwrap(), 0);
    }

    #[test]
    fn a_torn_last_line_of_the_wire_log_is_not_counted_and_harms_nothing() {
        let run = tempfile::tempdir().unwrap();
        write(run.path(), "games/0000.partial", 0, Outcome::Loss, 10);
        let wire = run.path().join("games/0000.partial/wire.jsonl");
        let mut text = std::fs::read_to_string(&wire).unwrap();
        let torn = log_line(&serde_json::to_string(&crate::sample::reply(99)).unwrap());
        text.push_str(&torn[..torn.len() / 2]);
        std::fs::write(&wire, text).unwrap();
        std::fs::remove_file(run.path().join("games/0000.partial/verdict.json")).unwrap();
        assert_eq!(recover(run.path(), 1).unwrap().spent.tokens, 10);
    }
}
