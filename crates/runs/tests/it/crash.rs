//! The process killed at each stage: what is on disk stays readable, and the run can be taken up.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use runs::{Log, Run, Status, Store};
use serde_json::{Value, json};

use crate::Scratch;

const STAGE: &str = "RUNS_TEST_STAGE";
const ROOT: &str = "RUNS_TEST_ROOT";

/// The process that is killed. It says `here` when it has come to its stage, and waits.
#[test]
#[ignore = "needs: to be started by the other tests of this file"]
fn victim() {
    let stage = std::env::var(STAGE).expect("a stage");
    let store = Store::open(std::env::var_os(ROOT).expect("a root")).expect("a store");
    if stage == "creating" {
        here();
        for seed in 0.. {
            store.create("chess", "run", &json!({ "n": 3 }), seed).expect("a run");
        }
    }
    let (mut run, _) =
        store.resume_or_create("chess", "run", &json!({ "n": 3 }), 7).expect("a run");
    if stage == "appending" {
        here();
        for game in 0.. {
            let event = json!({ "game": game, "text": "x".repeat(game % 5000) });
            run.log().append(&event).expect("an event");
        }
    }
    let stages = ["created", "appended", "torn", "stored", "summarized", "finished"];
    for name in stages {
        match name {
            "appended" => drop(run.log().append(&json!({ "game": 1 })).expect("an event")),
            "torn" => {
                let path = run.path().join("events.jsonl");
                let mut file = std::fs::OpenOptions::new().append(true).open(path).expect("a log");
                file.write_all(b"{\"seq\":1,\"ga").expect("half a line");
            }
            "stored" => {
                run.put_blob(b"content").expect("a blob");
                // What a kill inside an atomic write leaves.
                std::fs::write(run.path().join(".summary.json.tmp-1-1"), "{").expect("a leftover");
            }
            "summarized" => run.write_summary(&json!({ "wins": 1 })).expect("a summary"),
            "finished" => run.finish(Status::Done).expect("an end"),
            _ => {}
        }
        if name == stage {
            here();
            wait();
        }
    }
    panic!("no stage `{stage}`");
}

fn here() {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(b"\nhere\n").and_then(|()| stdout.flush()).expect("a parent that listens");
}

fn wait() -> ! {
    loop {
        std::thread::park();
    }
}

/// A victim that has come to its stage.
fn victim_at(stage: &str, root: &Path) -> Child {
    let mut child = Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", "crash::victim", "--ignored", "--nocapture", "--test-threads=1"])
        .env(STAGE, stage)
        .env(ROOT, root)
        .stdout(Stdio::piped())
        .spawn()
        .expect("a child");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let came = lines.any(|line| line.is_ok_and(|line| line == "here"));
    assert!(came, "the child ended before `{stage}`");
    child
}

fn kill(mut child: Child) {
    child.kill().expect("a child to kill");
    child.wait().expect("its end");
}

fn resumed(scratch: &Scratch) -> Run {
    let settings = json!({ "n": 3 });
    let (run, resumed) =
        scratch.store.resume_or_create("chess", "run", &settings, 7).expect("a run");
    assert!(resumed);
    run
}

#[test]
fn a_run_whose_process_lives_is_running_and_one_whose_process_is_gone_is_crashed() {
    let scratch = Scratch::new();
    let child = victim_at("created", scratch.store.root());
    let state = |scratch: &Scratch| scratch.store.list().unwrap()[0].state;
    assert_eq!(state(&scratch), "running");
    kill(child);
    assert_eq!(state(&scratch), "crashed");
    assert_eq!(resumed(&scratch).manifest().resumed.len(), 1);
}

#[test]
fn at_every_stage_before_the_end_the_run_is_whole_and_is_taken_up() {
    for (stage, n_events, has_summary) in [
        ("created", 0, false),
        ("appended", 1, false),
        ("torn", 1, false),
        ("stored", 1, false),
        ("summarized", 1, true),
    ] {
        let scratch = Scratch::new();
        kill(victim_at(stage, scratch.store.root()));
        let listed = scratch.store.list().unwrap();
        assert_eq!(listed.len(), 1, "{stage}");
        assert_eq!(listed[0].state, "crashed", "{stage}");
        let path = listed[0].path.join("events.jsonl");
        if path.exists() {
            assert_eq!(Log::read::<Value>(&path).unwrap().len(), n_events, "{stage}");
        }
        let run = resumed(&scratch);
        assert_eq!(run.id(), listed[0].id, "{stage}");
        assert_eq!(run.summary::<Value>().unwrap().is_some(), has_summary, "{stage}");
        assert_eq!(run.log().append(&json!({ "game": 2 })).unwrap(), n_events as u64, "{stage}");
        assert_eq!(Log::read::<Value>(&path).unwrap().len(), n_events + 1, "{stage}");
        let leftovers = std::fs::read_dir(run.path()).unwrap();
        let hidden = |name: &str| name.starts_with('.');
        assert!(
            !leftovers.flatten().any(|entry| hidden(&entry.file_name().to_string_lossy())),
            "{stage}"
        );
    }
}

#[test]
fn a_kill_after_the_end_takes_nothing_away() {
    let scratch = Scratch::new();
    kill(victim_at("finished", scratch.store.root()));
    let listed = scratch.store.list().unwrap();
    assert_eq!((listed.len(), listed[0].state), (1, "done"));
    let settings = json!({ "n": 3 });
    let (run, resumed) = scratch.store.resume_or_create("chess", "run", &settings, 7).unwrap();
    assert!(!resumed && run.id() != listed[0].id);
}

#[test]
fn kills_in_the_middle_of_appending_lose_no_line_that_was_there() {
    let scratch = Scratch::new();
    let mut n_before = 0;
    for _ in 0..5 {
        let child = victim_at("appending", scratch.store.root());
        let path = scratch.store.list().unwrap()[0].path.join("events.jsonl");
        // Long enough for some lines, whatever the machine: the file itself says so.
        let size = || path.metadata().map_or(0, |metadata| metadata.len());
        let begun = size();
        while size() < begun + 20_000 {
            std::thread::yield_now();
        }
        kill(child);
        let events: Vec<(u64, Value)> = Log::read(&path).unwrap();
        assert!(events.len() > n_before, "{} after {n_before}", events.len());
        n_before = events.len();
    }
    assert_eq!(scratch.store.list().unwrap().len(), 1, "each process took up the same run");
}

#[test]
fn kills_in_the_middle_of_creating_leave_no_half_run() {
    let scratch = Scratch::new();
    for round in 1..=5 {
        let child = victim_at("creating", scratch.store.root());
        while scratch.store.list().unwrap().len() < round * 4 {
            std::thread::yield_now();
        }
        kill(child);
        for run in scratch.store.list().unwrap() {
            assert_eq!((run.state, run.problem), ("crashed", None));
        }
    }
}
