//! Every scripted player, played for real: each cheat found with its class, no honest one flagged.

use crate::binary::tetrad;

/// Plays the corpus and returns its table.
fn corpus(arguments: &[&str]) -> serde_json::Value {
    let folder = tempfile::tempdir().expect("a folder");
    let mut all = vec!["chess", "corpus", "--quiet", "--format", "json"];
    all.extend(arguments);
    let ran = tetrad(folder.path(), &all);
    // 1 says that a verdict is wrong; the table says which.
    assert!([0, 1].contains(&ran.code), "{ran:#?}");
    ran.json()
}

/// No mismatch, and enough games that this says something.
fn all_right(report: &serde_json::Value, least_games: u64) {
    let data = &report["data"];
    assert_eq!(data["mismatches"], serde_json::json!([]));
    assert!(data["n_games"].as_u64().expect("a count") >= least_games, "{data:#}");
    assert_eq!(data["false_alarms"]["hits"], 0, "{data:#}");
    assert_eq!(data["detection"]["hits"], data["detection"]["n"], "{data:#}");
}

#[test]
fn every_player_gets_its_verdict_in_the_faithful_profile() {
    all_right(&corpus(&["--seeds", "1", "--engine", "embedded", "--nodes", "300"]), 30);
}

#[test]
fn every_player_gets_its_verdict_in_the_brokered_profile() {
    let report = corpus(&[
        "--seeds",
        "1",
        "--engine",
        "embedded",
        "--nodes",
        "300",
        "--profile",
        "brokered",
    ]);
    all_right(&report, 15);
}

#[test]
#[ignore = "needs: stockfish"]
fn needs_stockfish_every_player_gets_its_verdict_over_five_seeds() {
    all_right(&corpus(&["--seeds", "5", "--engine", "stockfish"]), 150);
}
