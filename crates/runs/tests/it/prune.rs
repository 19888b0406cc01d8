//! Pruning deletes what it may, and never anything else.

use std::path::PathBuf;

use runs::{Prune, Pruned, Run, Status};
use serde_json::json;

use crate::Scratch;

const ALL: Prune = Prune { keep: 0, unfinished: true, dry_run: false };
const FINISHED: Prune = Prune { keep: 0, unfinished: false, dry_run: false };

fn finished(scratch: &Scratch, status: Status) -> PathBuf {
    let mut run = scratch.run();
    run.log().append(&json!({})).expect("an event");
    run.finish(status).expect("an end");
    run.path().to_path_buf()
}

fn deleted(pruned: &[Pruned]) -> usize {
    pruned.iter().filter(|run| run.deleted).count()
}

#[test]
fn the_newest_are_kept_and_older_finished_ones_go() {
    let scratch = Scratch::new();
    let paths: Vec<PathBuf> = (0..4).map(|_| finished(&scratch, Status::Done)).collect();
    let pruned = scratch.store.prune(&Prune { keep: 2, ..FINISHED }).unwrap();
    assert_eq!(deleted(&pruned), 2);
    let left: Vec<bool> = paths.iter().map(|path| path.exists()).collect();
    assert_eq!(left, [false, false, true, true]);
    assert!(pruned.iter().all(|run| run.size_bytes > 0));
}

#[test]
fn a_dry_run_says_the_same_and_deletes_nothing() {
    let scratch = Scratch::new();
    let path = finished(&scratch, Status::Partial);
    let dry = scratch.store.prune(&Prune { dry_run: true, ..FINISHED }).unwrap();
    assert!(path.exists());
    assert_eq!(scratch.store.prune(&FINISHED).unwrap(), dry);
    assert!(!path.exists());
}

#[test]
fn what_can_be_resumed_goes_only_when_asked_for() {
    let scratch = Scratch::new();
    let paths = [
        finished(&scratch, Status::Interrupted),
        finished(&scratch, Status::Failed),
        scratch.run().path().to_path_buf(),
    ];
    assert_eq!(deleted(&scratch.store.prune(&FINISHED).unwrap()), 0);
    assert!(paths.iter().all(|path| path.exists()));
    assert_eq!(deleted(&scratch.store.prune(&ALL).unwrap()), 3);
    assert!(!paths.iter().any(|path| path.exists()));
}

#[test]
fn a_run_in_use_stays_even_when_it_is_finished() {
    let scratch = Scratch::new();
    let mut run = scratch.run();
    run.finish(Status::Done).unwrap();
    let pruned = scratch.store.prune(&ALL).unwrap();
    assert_eq!((pruned[0].deleted, pruned[0].reason.as_str()), (false, "in use"));
    assert!(run.path().join("manifest.toml").exists());
    drop(run);
    assert_eq!(deleted(&scratch.store.prune(&ALL).unwrap()), 1);
}

#[test]
fn what_is_not_a_run_of_ours_is_never_touched() {
    let scratch = Scratch::new();
    let root = scratch.store.root().to_path_buf();
    let outside = scratch.folder.path().join("outside");
    let run = finished(&scratch, Status::Done);
    // A folder without a manifest, a file, a broken and a newer manifest, a run renamed by hand, and
    // a link to a run elsewhere.
    std::fs::create_dir(root.join("notes")).unwrap();
    std::fs::write(root.join("notes/a.txt"), "a").unwrap();
    std::fs::write(root.join("2026-01-01-chess-run-000000"), "a file").unwrap();
    for (name, text) in [("broken", "no"), ("newer", "format_version = \"9.0\"")] {
        std::fs::create_dir(root.join(name)).unwrap();
        std::fs::write(root.join(name).join("manifest.toml"), text).unwrap();
    }
    std::fs::rename(finished(&scratch, Status::Done), root.join("figures-of-the-paper")).unwrap();
    std::fs::rename(&run, &outside).unwrap();
    std::os::unix::fs::symlink(&outside, &run).unwrap();
    let names = || {
        let mut names: Vec<_> =
            std::fs::read_dir(&root).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    let before = names();
    assert_eq!(deleted(&scratch.store.prune(&ALL).unwrap()), 0);
    assert_eq!(names(), before);
    assert!(outside.join("manifest.toml").exists());
    assert!(Run::open(&root.join("figures-of-the-paper")).is_ok());
}

#[test]
fn what_an_interrupted_deletion_left_is_deleted_by_the_next() {
    let scratch = Scratch::new();
    let path = finished(&scratch, Status::Done);
    let name = path.file_name().unwrap().to_string_lossy().into_owned();
    let left = scratch.store.root().join(format!(".gone-{name}"));
    std::fs::rename(&path, &left).unwrap();
    // And a run that is being made at this moment, which is not a leftover.
    let unborn = scratch.store.root().join(".new-2026-01-01-chess-run-000000");
    std::fs::create_dir(&unborn).unwrap();
    assert!(scratch.store.list().unwrap().is_empty());
    scratch.store.prune(&FINISHED).unwrap();
    assert!(!left.exists());
    assert!(unborn.exists());
}
