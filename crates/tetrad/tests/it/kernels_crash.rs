//! A search killed at random: the same command finishes it, and no attempt is lost, doubled or made
//! otherwise. Candidates are judged by the scripted twin, and by the real judge, whose times scatter, so
//! that only numbers can be compared.

use std::path::Path;
use std::time::Duration;

use kernels::archive::{Archive, Kind};

use crate::binary::{start, tetrad};

const N_EVALUATIONS: usize = 64;
const N_KILLS: usize = 20;

fn arguments() -> Vec<&'static str> {
    "kernels search twin:hill@8 --evaluations 64 --islands 3 --model coder:twin --seed 7 --quiet \
     --format json"
        .split(' ')
        .filter(|part| !part.is_empty())
        .collect()
}

/// All that must not depend on crashes: attempts with what was found about each, in order.
fn story(folder: &Path) -> Vec<String> {
    let archive = Archive::open_existing(&folder.join("runs/kernels.sqlite")).expect("an archive");
    let searches = archive.searches().expect("readable");
    assert_eq!(searches.len(), 1, "one command, one search");
    let key = &searches[0].key;
    assert_eq!(archive.n_open(key).expect("readable"), 0, "nothing is left open");
    let attempts = archive.attempts(key).expect("readable");
    let line = |attempt: &kernels::archive::AttemptRecord| {
        let findings = archive.findings(attempt.id).expect("readable");
        let first = findings.iter().filter(|each| each.kind == Kind::Evaluation).count();
        assert_eq!(first, 1, "attempt {} was evaluated {first} times", attempt.id);
        let found: Vec<String> = findings
            .iter()
            .map(|each| format!("{:?} {} {:?}", each.kind, each.round, each.finding.evaluation))
            .collect();
        format!(
            "{} {} {:?} {} {:?} {} {found:?}",
            attempt.seq,
            attempt.island,
            attempt.operator,
            attempt.proposer,
            attempt.parents,
            attempt.candidate
        )
    };
    attempts.iter().map(line).collect()
}

fn finished(folder: &Path) -> bool {
    let Ok(entries) = std::fs::read_dir(folder.join("runs")) else { return false };
    entries.flatten().any(|entry| {
        std::fs::read_to_string(entry.path().join("manifest.toml"))
            .is_ok_and(|text| text.contains("status = \"done\""))
    })
}

#[test]
fn twenty_kills_of_a_search_lose_double_or_change_no_attempt() {
    let undisturbed = tempfile::tempdir().expect("a folder");
    let ran = tetrad(undisturbed.path(), &arguments());
    assert_eq!(ran.code, 0, "{ran:#?}");
    let expected = story(undisturbed.path());
    assert_eq!(expected.len(), N_EVALUATIONS);

    // Delays from a fixed sequence. A search that ends before its kills are spent is followed by
    // another.
    let mut state: u64 = 0x2545_f491_4f6c_dd1d;
    let mut n_kills = 0;
    while n_kills < N_KILLS {
        let disturbed = tempfile::tempdir().expect("a folder");
        while n_kills < N_KILLS && !finished(disturbed.path()) {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let mut child = start(disturbed.path(), &arguments());
            std::thread::sleep(Duration::from_millis(30 + state % 250));
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
        assert_eq!(story(disturbed.path()), expected);
    }
}

/// A small task for the real judge.
const TASK: &str = r#"{"format": 1, "name": "small_relu", "summary": "the larger of each and zero",
    "origin": {"source": "tests", "licence": "MIT OR Apache-2.0"},
    "graph": {"inputs": [{"name": "x", "dtype": "f32", "shape": [64, 1024]}], "parameters": [],
        "nodes": [{"op": "aten.relu.default", "arguments": {"self": {"tensor": "x"}},
            "outputs": [{"name": "y", "dtype": "f32", "shape": [64, 1024]}]}], "outputs": ["y"]},
    "variants": [], "generators": {"x": {"normal": {"mean": 0.0, "std": 1.0}}},
    "policy": {"weights_static": false, "product_bound": false, "redundant": false, "notes": []}}"#;

fn kill_real_searches(n_kills: usize) {
    const N_EVALUATIONS: usize = 10;
    let arguments: Vec<&str> =
        "kernels search task.json --evaluations 10 --islands 2 --seed 7 --quiet"
            .split(' ')
            .filter(|part| !part.is_empty())
            .collect();
    let mut state: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut killed = 0;
    while killed < n_kills {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("task.json"), TASK).expect("writable");
        while killed < n_kills && !finished(folder.path()) {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let mut child = start(folder.path(), &arguments);
            std::thread::sleep(Duration::from_millis(300 + state % 4000));
            match child.try_wait().expect("a child to ask") {
                None => killed += 1,
                // 1: on a busy machine nothing may be shown to be faster.
                Some(status) => assert!(matches!(status.code(), Some(0 | 1)), "{status}"),
            }
            let _ = child.kill();
            child.wait().expect("a child to wait for");
        }
        if !finished(folder.path()) {
            let ran = tetrad(folder.path(), &arguments);
            assert!(matches!(ran.code, 0 | 1), "{ran:#?}");
        }
        // Each attempt was evaluated once, and the numbers have no gap.
        assert_eq!(story(folder.path()).len(), N_EVALUATIONS);
        let archive = Archive::open_existing(&folder.path().join("runs/kernels.sqlite"));
        let archive = archive.expect("an archive");
        let attempts = archive.attempts(&archive.searches().expect("readable")[0].key);
        let mut numbers: Vec<u64> =
            attempts.expect("readable").iter().map(|attempt| attempt.seq).collect();
        numbers.sort_unstable();
        assert!(numbers.into_iter().eq(0..N_EVALUATIONS as u64));
    }
}

#[test]
fn two_kills_of_a_search_with_the_real_judge_lose_or_double_no_attempt() {
    kill_real_searches(2);
}

#[test]
#[ignore = "needs: two minutes"]
fn twenty_kills_of_a_search_with_the_real_judge_lose_or_double_no_attempt() {
    kill_real_searches(20);
}
