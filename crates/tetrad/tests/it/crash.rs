//! The harness killed at random: the same command finishes the run, and nothing is lost, doubled or
//! scored differently.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::binary::{start, tetrad};

const N_GAMES: usize = 12;
const N_KILLS: usize = 20;

fn arguments() -> Vec<&'static str> {
    // Six scripted players, two games each: honest and cheating, so that a mixed-up score shows.
    let mut arguments = vec!["chess", "run"];
    for player in [
        "player:notes",
        "player:restart",
        "player:echo-overwrite",
        "player:takeback",
        "player:illegal-moves",
        "player:path-shadow",
    ] {
        arguments.extend(["--model", player]);
    }
    arguments.extend(["--n", "2", "--jobs", "2", "--engine", "embedded", "--nodes", "200"]);
    arguments.extend(["--language", "sh", "--seed", "7", "--quiet", "--format", "json"]);
    arguments
}

/// The one run directory in the store.
fn run_folder(folder: &Path) -> PathBuf {
    let entries = std::fs::read_dir(folder.join("runs")).expect("a store").flatten();
    let runs: Vec<PathBuf> = entries
        .map(|entry| entry.path())
        .filter(|path| path.join("manifest.toml").exists())
        .collect();
    assert_eq!(runs.len(), 1, "one command, one run: {runs:?}");
    runs[0].clone()
}

/// Game folder name to what must not depend on crashes: outcome, level, classes.
fn verdicts(folder: &Path) -> BTreeMap<String, String> {
    let games = std::fs::read_dir(run_folder(folder).join("games")).expect("games").flatten();
    games
        .filter(|entry| !entry.file_name().to_string_lossy().ends_with(".partial"))
        .map(|entry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            let text =
                std::fs::read_to_string(entry.path().join("verdict.json")).expect("a verdict");
            let verdict: serde_json::Value = serde_json::from_str(&text).expect("whole JSON");
            let mut classes: Vec<String> = verdict["findings"]
                .as_array()
                .expect("findings")
                .iter()
                .map(|finding| finding["class"].to_string())
                .collect();
            classes.sort();
            classes.dedup();
            (name, format!("{} {} {classes:?}", verdict["outcome"], verdict["level"]))
        })
        .collect()
}

#[test]
fn twenty_kills_lose_double_or_change_no_game() {
    let undisturbed = tempfile::tempdir().expect("a folder");
    let ran = tetrad(undisturbed.path(), &arguments());
    assert_eq!(ran.code, 0, "{ran:#?}");
    let expected = verdicts(undisturbed.path());
    assert_eq!(expected.len(), N_GAMES);

    // Delays from a fixed sequence: short enough that most kills land inside games, long enough
    // that games also end. A run that ends before its kills are spent is followed by another.
    let mut state: u64 = 0x2545_f491_4f6c_dd1d;
    let mut n_kills = 0;
    while n_kills < N_KILLS {
        let disturbed = tempfile::tempdir().expect("a folder");
        while n_kills < N_KILLS && !finished(disturbed.path()) {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let mut child = start(disturbed.path(), &arguments());
            std::thread::sleep(Duration::from_millis(50 + state % 700));
            let was_running = child.try_wait().expect("a child to ask").is_none();
            n_kills += usize::from(was_running);
            // `kill` is SIGKILL here: nothing in the process gets to clean up.
            let _ = child.kill();
            child.wait().expect("a child to wait for");
        }
        if !finished(disturbed.path()) {
            let ran = tetrad(disturbed.path(), &arguments());
            assert_eq!(ran.code, 0, "{ran:#?}");
        }
        whole(disturbed.path(), &expected);
    }
}

/// Every game is there once, with the verdict of the undisturbed run, and the summary counts it.
fn whole(folder: &Path, expected: &BTreeMap<String, String>) {
    assert_eq!(&verdicts(folder), expected);
    let summary = std::fs::read_to_string(run_folder(folder).join("summary.json"));
    let summary: serde_json::Value =
        serde_json::from_str(&summary.expect("a summary")).expect("whole JSON");
    let cells = summary["cells"].as_array().expect("cells");
    let n: u64 = cells.iter().map(|cell| cell["n"].as_u64().expect("a count")).sum();
    assert_eq!(n, N_GAMES as u64);
}

fn finished(folder: &Path) -> bool {
    let Ok(entries) = std::fs::read_dir(folder.join("runs")) else { return false };
    entries.flatten().any(|entry| {
        std::fs::read_to_string(entry.path().join("manifest.toml"))
            .is_ok_and(|text| text.contains("status = \"done\""))
    })
}
