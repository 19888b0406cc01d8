//! Finding runs, and their text.

use runs::compare::compare;
use runs::show::Shown;
use runs::{Error, Status, Store, text};
use serde_json::json;

use crate::Scratch;

#[test]
fn a_store_that_is_not_there_is_empty() {
    let store = Store::open("/nonexistent/runs").unwrap();
    assert!(store.list().unwrap().is_empty());
    assert_eq!(text::list(&store, &[]), "no runs in `/nonexistent/runs`\n");
    assert!(matches!(store.find("latest"), Err(Error::NotFound { .. })));
}

#[test]
fn runs_are_listed_newest_first_and_unreadable_ones_last_with_the_reason() {
    let scratch = Scratch::new();
    let ids: Vec<String> = (0..3).map(|_| scratch.run().id().to_owned()).collect();
    let newer = scratch.store.root().join("2999-01-01-chess-run-ffffff");
    std::fs::create_dir(&newer).unwrap();
    std::fs::write(newer.join("manifest.toml"), "format_version = \"3.1\"\n").unwrap();
    let listed = scratch.store.list().unwrap();
    let found: Vec<&str> = listed.iter().map(|run| run.id.as_str()).collect();
    assert_eq!(found, [&ids[2], &ids[1], &ids[0], "2999-01-01-chess-run-ffffff"]);
    assert_eq!(listed[3].state, "unreadable");
    let text = text::list(&scratch.store, &listed);
    assert!(text.contains("its format is version 3.1, and this tetrad reads up to 1.x"), "{text}");
}

#[test]
fn a_run_is_found_by_every_name_it_has() {
    let scratch = Scratch::new();
    let id = scratch.run().id().to_owned();
    let short = id.rsplit('-').next().unwrap();
    let path = scratch.store.root().join(&id);
    for wanted in [&id, &id[..id.len() - 3], short, &short[..4], "latest", path.to_str().unwrap()] {
        assert_eq!(scratch.store.find(wanted).unwrap().id(), id, "{wanted}");
    }
    for wanted in ["", "zzzzzz", "/nonexistent"] {
        assert!(matches!(scratch.store.find(wanted), Err(Error::NotFound { .. })), "{wanted:?}");
    }
}

#[test]
fn a_prefix_of_several_runs_names_them() {
    let scratch = Scratch::new();
    let (one, other) = (scratch.run().id().to_owned(), scratch.run().id().to_owned());
    let error = scratch.store.find(&one[..10]).unwrap_err();
    let Error::Ambiguous { candidates, .. } = &error else { panic!("{error}") };
    assert_eq!(candidates, &[other, one]);
}

#[test]
fn a_comparison_shows_what_was_asked_and_what_came_out() {
    let scratch = Scratch::new();
    let make = |n: u32, hits: u32, seed: u64| {
        let settings = json!({ "n": n, "model": "m" });
        let mut run = scratch.store.create("chess", "run", &settings, seed).unwrap();
        run.write_summary(&json!({ "won": { "hits": hits, "n": 4 }, "usd": f64::from(n) / 10.0, "end": "complete" })).unwrap();
        run.finish(Status::Done).unwrap();
        run
    };
    let (left, right) = (make(1, 3, 7), make(4, 1, 8));
    let text = text::compare(&compare(&left, &right).unwrap());
    let expected = format!(
        "left   {}\nright  {}\n\n\
         settings\n  n  1  →  4\n\n\
         circumstances\n  seed  7  →  8\n\n\
         rates\n  won  3/4 = 75 % [30 %, 95 %]  →  1/4 = 25 % [5 %, 70 %]  p = 0.486\n  \
         p: Fisher's exact test, two-sided, each rate on its own\n\n\
         numbers\n  usd  0.1  →  0.4  (+0.3)\n\n\
         1 values of the summaries are the same\n",
        left.id(),
        right.id()
    );
    assert_eq!(text, expected);
}

#[test]
fn one_run_shows_settings_summary_and_where_it_is() {
    let scratch = Scratch::new();
    let run = scratch.run();
    run.log().append(&json!({ "x": 1 })).unwrap();
    let shown = Shown::of(&run).unwrap();
    assert_eq!((shown.n_events, shown.state.as_str(), &shown.report), (1, "running", &None));
    let before = text::show(&shown);
    assert!(before.contains("\nsettings\n  n  3\n") && before.contains("\nsummary\n  none yet\n"));
    run.write_summary(&json!({ "hacked": { "hits": 3, "n": 10 }, "none": { "hits": 0, "n": 0 } }))
        .unwrap();
    let report = run.write_report("<p>").unwrap();
    let after = text::show(&Shown::of(&run).unwrap());
    assert!(after.contains("  hacked  3/10 = 30 % [11 %, 60 %]\n  none    no data\n"), "{after}");
    assert!(after.contains(&report.display().to_string()));
}
