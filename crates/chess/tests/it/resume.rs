//! A run in several sittings: nothing is lost, doubled, or paid for unseen.

use chess::config::RunBudget;
use chess::summary::RunEnd;
use runs::Status;

use crate::support::{Place, REPLY_TOKENS, Sitting, config, names};

#[test]
fn a_run_in_one_sitting_is_whole_and_done() {
    let place = Place::new();
    let summary = Sitting::default().play(&place, &config(3)).expect("a summary");
    assert_eq!((summary.end, summary.n_games), (RunEnd::Complete, 3));
    assert_eq!(summary.spent.tokens, 3 * 3 * REPLY_TOKENS);
    let run = place.run();
    assert_eq!(run.manifest().status, Status::Done);
    assert_eq!(names(&run.path().join("games")), ["0000", "0001", "0002"]);
    let stored: chess::summary::ChessSummary = run.summary().expect("readable").expect("there");
    assert_eq!(stored, summary);
}

#[test]
fn nobody_who_never_moved_is_counted_as_honest() {
    let place = Place::new();
    let summary = Sitting::default().play(&place, &config(2)).expect("a summary");
    let cell = &summary.cells[0];
    assert_eq!((cell.n, cell.n_incoherent, cell.hacked.n), (2, 2, 0));
}

#[test]
fn the_same_command_takes_an_interrupted_run_up_and_leaves_whole_games_alone() {
    let place = Place::new();
    let first = Sitting { cancel_after: Some(2), ..Sitting::default() };
    let summary = first.play(&place, &config(6)).expect("a summary");
    assert_eq!(summary.end, RunEnd::Interrupted);
    assert!(summary.n_games >= 2 && summary.n_games < 6, "{}", summary.n_games);
    assert_eq!(place.run().manifest().status, Status::Interrupted);
    let before = place.games();
    let summary = Sitting::default().play(&place, &config(6)).expect("a summary");
    assert_eq!((summary.end, summary.n_games), (RunEnd::Complete, 6));
    let after = place.games();
    for (path, bytes) in before {
        assert_eq!(after.get(&path), Some(&bytes), "{}", path.display());
    }
    let games = 6 * 3 * REPLY_TOKENS;
    assert_eq!(summary.spent.tokens, games + summary.attempts.spent.tokens);
}

#[test]
fn other_settings_are_another_run_and_jobs_are_not_a_setting() {
    let place = Place::new();
    let first = Sitting { cancel_after: Some(1), ..Sitting::default() };
    first.play(&place, &config(4)).expect("a summary");
    let mut more_jobs = config(4);
    more_jobs.jobs = 1;
    Sitting::default().play(&place, &more_jobs).expect("a summary");
    assert_eq!(place.store().list().expect("runs").len(), 1);
    let mut other = config(1);
    other.seed = 8;
    Sitting::default().play(&place, &other).expect("a summary");
    assert_eq!(place.store().list().expect("runs").len(), 2);
}

#[test]
fn a_budget_that_is_used_up_stops_the_run_and_a_larger_one_takes_it_up() {
    let place = Place::new();
    let mut small = config(4);
    small.jobs = 1;
    // One game costs 3 replies; the second game cannot be paid to its end.
    small.budget = RunBudget { tokens: Some(5 * REPLY_TOKENS), usd: None };
    let summary = Sitting::default().play(&place, &small).expect("a summary");
    assert_eq!((summary.end, summary.n_games), (RunEnd::BudgetUsedUp, 1));
    assert_eq!(place.run().manifest().status, Status::Interrupted);
    let again = Sitting::default().play(&place, &small).expect("a summary");
    assert_eq!((again.end, again.n_games), (RunEnd::BudgetUsedUp, 1));
    assert_eq!(again.spent.tokens, 5 * REPLY_TOKENS, "what was spent on half a game counts");
    let mut large = small.clone();
    large.budget.tokens = Some(100 * REPLY_TOKENS);
    let summary = Sitting::default().play(&place, &large).expect("a summary");
    assert_eq!((summary.end, summary.n_games), (RunEnd::Complete, 4));
    assert_eq!(summary.spent.tokens, (4 * 3 + 2) * REPLY_TOKENS);
    assert_eq!(summary.attempts.n_cut_off, 2, "half a game, and one that could not begin");
}

#[test]
fn a_game_that_infrastructure_breaks_is_played_again_and_the_attempt_is_kept() {
    let place = Place::new();
    let sitting = Sitting { n_failing: 1, ..Sitting::default() };
    let summary = sitting.play(&place, &config(2)).expect("a summary");
    assert_eq!((summary.end, summary.n_infrastructure()), (RunEnd::Complete, 0));
    assert_eq!((summary.attempts.n_failed, summary.attempts.n_cut_off), (1, 0));
    assert_eq!(names(&place.run().path().join("attempts")).len(), 1);
    assert_eq!(summary.spent.tokens, (2 * 3 + 1) * REPLY_TOKENS);
    assert_eq!(place.run().manifest().status, Status::Done);
}

#[test]
fn a_game_that_stays_broken_is_shown_and_is_in_no_rate() {
    let place = Place::new();
    let sitting = Sitting { n_failing: 99, ..Sitting::default() };
    let summary = sitting.play(&place, &config(1)).expect("a summary");
    assert_eq!(
        (summary.end, summary.n_games, summary.n_infrastructure()),
        (RunEnd::Complete, 1, 1)
    );
    assert_eq!(summary.cells[0].hacked.n, 0);
    assert_eq!(place.run().manifest().status, Status::Partial);
}

#[test]
fn a_model_that_is_not_configured_fails_the_run_and_a_configured_one_takes_it_up() {
    let place = Place::new();
    let cancel = std::sync::atomic::AtomicBool::new(false);
    let deps = chess::run::Deps {
        models: &|model, _| {
            Err(llm::Error::Config { model: model.into(), reason: "no key".into() })
        },
        tools: chess::task::setup::HostTools { tetrad: "/bin/true".into(), python: None },
        launcher: sandbox::Launcher::test_entry("launcher_entry"),
        cancel: &cancel,
    };
    let error = chess::run::run(&config(2), &deps, &place.store(), &chess::run::NoProgress)
        .expect_err("no key");
    assert!(error.to_string().contains("no key"), "{error}");
    assert_eq!(place.run().manifest().status, Status::Failed);
    let summary = Sitting::default().play(&place, &config(2)).expect("a summary");
    assert_eq!((summary.end, summary.n_games), (RunEnd::Complete, 2));
    assert_eq!(place.store().list().expect("runs").len(), 1);
}
