//! One run: what is on disk when, who may write, what comes back.

use runs::{Error, Run, Source, Status, Store, settings};
use serde_json::{Value, json};

use crate::Scratch;

#[test]
fn a_new_run_says_started_and_has_nothing_else() {
    let scratch = Scratch::new();
    let run = scratch.run();
    let text = std::fs::read_to_string(run.path().join("manifest.toml")).unwrap();
    assert!(text.contains("status = \"started\""));
    assert!(text.contains("format_version = \"1.0\""));
    let mut names: Vec<String> = std::fs::read_dir(run.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["lock", "manifest.toml"]);
    assert_eq!(run.summary::<Value>().unwrap(), None);
}

#[test]
fn the_manifest_holds_all_that_it_takes_to_do_it_again() {
    let scratch = Scratch::new();
    let source = Source { revision: "0123abc".into(), dirty: true };
    let store = scratch.store.clone().with_source(Some(source.clone()));
    let asked = json!({ "models": ["m"], "budget": { "usd": 0.1, "tokens": null } });
    let id = store.create("chess", "run", &asked, u64::MAX).unwrap().id().to_owned();
    let run = store.find(&id).unwrap();
    let manifest = run.manifest();
    assert_eq!((manifest.noun.as_str(), manifest.verb.as_str()), ("chess", "run"));
    assert_eq!(manifest.seed, u64::MAX);
    assert_eq!(manifest.source, Some(source));
    assert_eq!(manifest.settings_digest, settings::digest(&asked).unwrap());
    // The digest can be computed again from what the manifest holds.
    let stored: Value = manifest.settings().unwrap();
    assert_eq!(settings::digest(&stored).unwrap(), manifest.settings_digest);
    assert_eq!(stored, json!({ "models": ["m"], "budget": { "usd": 0.1 } }));
    assert!(manifest.host.n_cores >= 1);
    assert_eq!(&manifest.created[..10], &id[..10]);
}

#[test]
fn names_that_would_not_be_a_folder_are_refused() {
    let scratch = Scratch::new();
    for name in ["", "../x", "Chess", "a b"] {
        let error = scratch.store.create(name, "run", &json!({}), 1).unwrap_err();
        assert!(error.to_string().contains("expected lowercase letters"), "{error}");
    }
    assert!(!scratch.store.root().exists());
}

#[test]
fn a_second_writer_is_kept_out_and_a_reader_is_not() {
    let scratch = Scratch::new();
    let writer = scratch.run();
    let reader = scratch.store.find(writer.id()).unwrap();
    assert!(reader.is_in_use());
    assert!(matches!(reader.write_summary(&json!({})), Err(Error::InUse { .. })));
    assert!(matches!(reader.log().append(&json!({})), Err(Error::InUse { .. })));
    assert!(matches!(reader.put_blob(b"x"), Err(Error::InUse { .. })));
    assert!(matches!(reader.open_log("a.jsonl"), Err(Error::InUse { .. })));
    assert_eq!(
        std::fs::read_dir(writer.path()).unwrap().count(),
        2,
        "refused writes leave nothing"
    );
    drop(writer);
    assert!(!reader.is_in_use());
    reader.write_summary(&json!({ "late": true })).unwrap();
    assert!(reader.is_in_use());
}

#[test]
fn finishing_is_what_tells_a_run_from_a_crash() {
    let scratch = Scratch::new();
    let mut run = scratch.run();
    run.write_summary(&json!({ "wins": 2 })).unwrap();
    run.finish(Status::Partial).unwrap();
    let again = Run::open(run.path()).unwrap();
    assert_eq!(again.manifest().status, Status::Partial);
    assert!(again.manifest().finished >= Some(again.manifest().created.clone()));
    assert_eq!(again.summary::<Value>().unwrap(), Some(json!({ "wins": 2 })));
}

#[test]
fn blobs_are_checked_when_they_are_read() {
    let scratch = Scratch::new();
    let run = scratch.run();
    let sha256 = run.put_blob(b"abc").unwrap();
    // FIPS 180-2, appendix B.1.
    assert_eq!(sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_eq!(run.blob(&sha256).unwrap(), b"abc");
    let path = run.path().join("blobs/ba").join(&sha256);
    std::fs::write(&path, "abd").unwrap();
    let error = run.blob(&sha256).unwrap_err();
    assert!(error.to_string().contains("its content has the hash"), "{error}");
    // Storing the content again repairs it.
    run.put_blob(b"abc").unwrap();
    assert_eq!(run.blob(&sha256).unwrap(), b"abc");
}

#[test]
fn a_hash_is_never_a_path() {
    let scratch = Scratch::new();
    let run = scratch.run();
    let long = format!("../{}", "a".repeat(61));
    for name in ["", "../manifest.toml", long.as_str(), &"A".repeat(64)] {
        let error = run.blob(name).unwrap_err();
        assert!(error.to_string().ends_with("not a lowercase hex SHA-256"), "{error}");
    }
}

#[test]
fn the_same_command_takes_up_what_is_unfinished_and_only_that() {
    let scratch = Scratch::new();
    let asked = json!({ "n": 3 });
    let resume = |store: &Store| store.resume_or_create("chess", "run", &asked, 7).unwrap();
    let (mut first, resumed) = resume(&scratch.store);
    assert!(!resumed);
    let id = first.id().to_owned();
    for status in [Status::Interrupted, Status::Failed] {
        first.finish(status).unwrap();
        drop(first);
        let (run, resumed) = resume(&scratch.store);
        assert!(resumed && run.id() == id, "{status}");
        assert_eq!((run.manifest().status, &run.manifest().finished), (Status::Started, &None));
        first = run;
    }
    assert_eq!(first.manifest().resumed.len(), 2);
    // While it is held, the same command begins another.
    let (other, resumed) = resume(&scratch.store);
    assert!(!resumed && other.id() != id);
    drop(other);
    first.finish(Status::Done).unwrap();
    drop(first);
    let (third, resumed) = resume(&scratch.store);
    assert!(resumed && third.id() != id, "the finished one is left alone");
}

#[test]
fn other_settings_seed_or_name_begin_another_run() {
    let scratch = Scratch::new();
    let id = scratch.run().id().to_owned();
    for (noun, verb, settings, seed) in [
        ("chess", "run", json!({ "n": 4 }), 7),
        ("chess", "run", json!({ "n": 3 }), 8),
        ("chess", "corpus", json!({ "n": 3 }), 7),
        ("genome", "run", json!({ "n": 3 }), 7),
    ] {
        let (run, resumed) = scratch.store.resume_or_create(noun, verb, &settings, seed).unwrap();
        assert!(!resumed && run.id() != id);
    }
    let settings = json!({ "new": null, "n": 3 });
    let (run, resumed) = scratch.store.resume_or_create("chess", "run", &settings, 7).unwrap();
    assert!(resumed && run.id() == id, "an option that is not given changes nothing");
}

#[test]
fn many_runs_at_once_get_names_of_their_own() {
    let scratch = Scratch::new();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..5).for_each(|_| drop(scratch.run())));
        }
    });
    assert_eq!(scratch.store.list().unwrap().len(), 20);
}

#[test]
fn one_resumes_when_many_try() {
    let scratch = Scratch::new();
    let id = scratch.run().id().to_owned();
    let barrier = std::sync::Barrier::new(4);
    let runs: Vec<(Run, bool)> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    barrier.wait();
                    scratch.store.resume_or_create("chess", "run", &json!({ "n": 3 }), 7).unwrap()
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let mut ids: Vec<&str> = runs.iter().map(|(run, _)| run.id()).collect();
    assert_eq!(runs.iter().filter(|(run, resumed)| *resumed && run.id() == id).count(), 1);
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 4, "no run has two writers");
}
