//! Logs: whole lines, places without gaps, torn ends.

use std::io::Write;
use std::path::Path;

use runs::{Error, Log};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::Scratch;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Move {
    game: u32,
    uci: String,
}

fn tear(path: &Path, bytes: &[u8]) {
    let mut file = std::fs::OpenOptions::new().append(true).open(path).expect("a log");
    file.write_all(bytes).expect("a torn end");
}

#[test]
fn lines_carry_their_place_and_a_clock_that_never_goes_back() {
    let scratch = Scratch::new();
    let run = scratch.run();
    for game in 0..3 {
        let seq = run.log().append(&Move { game, uci: "e2e4".into() }).unwrap();
        assert_eq!(seq, u64::from(game));
    }
    let path = run.path().join("events.jsonl");
    let lines: Vec<(u64, Value)> = Log::read(&path).unwrap();
    let nanos: Vec<u64> = lines.iter().map(|(_, line)| line["nanos"].as_u64().unwrap()).collect();
    assert!(nanos.is_sorted());
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(
        text.starts_with("{\"seq\":0,\"nanos\":")
            && text.ends_with(",\"game\":2,\"uci\":\"e2e4\"}\n")
    );
    let moves: Vec<(u64, Move)> = Log::read(&path).unwrap();
    assert_eq!(moves[2], (2, Move { game: 2, uci: "e2e4".into() }));
}

#[test]
fn an_event_with_its_own_clock_keeps_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.jsonl");
    Log::open(&path).unwrap().append(&json!({ "nanos": 5, "x": 1 })).unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "{\"seq\":0,\"nanos\":5,\"x\":1}\n");
}

#[test]
fn what_is_no_event_is_refused_and_leaves_no_trace() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.jsonl");
    let log = Log::open(&path).unwrap();
    for event in [json!(3), json!([1]), json!({ "seq": 9 })] {
        assert!(matches!(log.append(&event), Err(Error::Value { .. })));
    }
    assert_eq!(log.append(&json!({})).unwrap(), 0);
    assert_eq!(Log::read::<Value>(&path).unwrap().len(), 1);
}

#[test]
fn a_torn_line_is_not_read_and_not_kept() {
    let scratch = Scratch::new();
    // A whole object without its newline is torn as well: nobody was told that it was written.
    for torn in [&b"{\"seq\":1,\"na"[..], b"{\"seq\":1,\"game\":1,\"uci\":\"x\"}", b"\0\0\0\0"] {
        let run = scratch.run();
        run.log().append(&Move { game: 0, uci: "a".into() }).unwrap();
        let path = run.path().join("events.jsonl");
        let (id, whole) = (run.id().to_owned(), std::fs::read(&path).unwrap());
        drop(run);
        tear(&path, torn);
        assert_eq!(Log::read::<Move>(&path).unwrap().len(), 1);
        let again = scratch.store.find(&id).unwrap();
        assert_ne!(std::fs::read(&path).unwrap(), whole, "reading repairs nothing");
        assert_eq!(again.log().append(&Move { game: 1, uci: "b".into() }).unwrap(), 1);
        let text = std::fs::read(&path).unwrap();
        assert!(text.starts_with(&whole));
        assert_eq!(Log::read::<Move>(&path).unwrap().len(), 2);
    }
}

#[test]
fn the_clock_goes_on_where_the_last_process_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.jsonl");
    std::fs::write(&path, "{\"seq\":0,\"nanos\":9000000000000}\n").unwrap();
    Log::open(&path).unwrap().append(&json!({})).unwrap();
    let lines: Vec<(u64, Value)> = Log::read(&path).unwrap();
    assert!(lines[1].1["nanos"].as_u64().unwrap() >= 9_000_000_000_000);
}

#[test]
fn a_whole_line_that_is_wrong_is_an_error_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.jsonl");
    let check = |text: &str, expected: &str| {
        std::fs::write(&path, text).unwrap();
        let error = Log::read::<Value>(&path).unwrap_err().to_string();
        assert!(error.contains(expected), "{text:?}: {error}");
    };
    check("{\"seq\":0}\nnonsense\n", "line 2 of");
    check("{\"seq\":0}\n{\"seq\":2}\n", "expected `seq` 1, got `2`");
    check("{\"seq\":0}\n{\"seq\":0}\n", "expected `seq` 1, got `0`");
    check("{\"x\":0}\n", "expected `seq` 0, got none");
    check("\n{\"seq\":0}\n", "line 1 of");
    // Appending after a wrong line would hide it.
    assert!(matches!(Log::open(&path), Err(Error::LogLine { .. })));
}

#[test]
fn appends_from_many_threads_are_whole_lines_in_order() {
    let scratch = Scratch::new();
    let run = scratch.run();
    let long = "x".repeat(10_000);
    std::thread::scope(|scope| {
        for game in 0..8 {
            let (run, long) = (&run, &long);
            scope.spawn(move || {
                // Each thread asks for the log by itself: it must be one log.
                let log = run.open_log("games/wire.jsonl").unwrap();
                for _ in 0..50 {
                    log.append(&Move { game, uci: long.clone() }).unwrap();
                }
            });
        }
    });
    let moves: Vec<(u64, Move)> = Log::read(&run.path().join("games/wire.jsonl")).unwrap();
    assert_eq!(moves.len(), 400);
    assert!(moves.iter().all(|(_, found)| found.uci == long));
    for game in 0..8 {
        assert_eq!(moves.iter().filter(|(_, found)| found.game == game).count(), 50);
    }
}

#[test]
fn a_log_moved_with_its_folder_is_not_the_next_one_of_that_name() {
    let scratch = Scratch::new();
    let run = scratch.run();
    let first = run.open_log("games/0001.partial/events.jsonl").unwrap();
    first.append(&json!({ "game": "first" })).unwrap();
    let games = run.path().join("games");
    std::fs::rename(games.join("0001.partial"), games.join("0001")).unwrap();
    let second = run.open_log("games/0001.partial/events.jsonl").unwrap();
    assert_eq!(second.append(&json!({ "game": "second" })).unwrap(), 0);
    assert_eq!(first.append(&json!({ "game": "first" })).unwrap(), 1);
    let count =
        |name: &str| Log::read::<Value>(&games.join(name).join("events.jsonl")).unwrap().len();
    assert_eq!((count("0001"), count("0001.partial")), (2, 1));
}

#[test]
fn a_log_stays_inside_its_run() {
    let scratch = Scratch::new();
    let run = scratch.run();
    for path in ["", "/tmp/x", "../x", "a/../../x", "."] {
        assert!(matches!(run.open_log(path), Err(Error::Value { .. })), "{path:?}");
    }
    assert!(!scratch.folder.path().join("x").exists());
}
