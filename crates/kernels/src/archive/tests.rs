//! Laws of the archive.

use std::time::Duration;

use super::*;
use crate::evaluation::{Level, Reason, Rejection};
use crate::evaluator::{Effort, Evaluator};
use crate::propose::{Operator, Spent};
use crate::queue::Queue;
use crate::search::twin::{HARNESS, Twin};
use crate::space::{Genotype, Space};

const LEASE: Duration = Duration::from_secs(60);

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn opened(folder: &tempfile::TempDir) -> Archive {
    Archive::open(&folder.path().join("a.sqlite")).unwrap()
}

fn search(key: &str, task: &str) -> SearchRecord {
    SearchRecord {
        key: key.to_owned(),
        task: task.to_owned(),
        signature: "s".to_owned(),
        operations: vec!["aten.relu.default".to_owned()],
        settings: serde_json::json!({ "seed": 1 }),
        adopted: Vec::new(),
    }
}

fn genotype(tile: i64) -> Genotype {
    Genotype(serde_json::json!({ "tile": tile }))
}

fn new(key: &str, seq: u64, genotype: &Genotype) -> NewAttempt {
    let twin = Twin::new("t");
    NewAttempt {
        search: key.to_owned(),
        seq,
        island: 0,
        proposer: "builtin".to_owned(),
        operator: Operator::Mutate,
        strength: 2,
        parents: Vec::new(),
        proposal: crate::propose::Proposal {
            candidate: twin.emit(genotype),
            genotype: Some(genotype.clone()),
            descriptors: twin.descriptors(genotype),
        },
        spent: Spent { input_tokens: 3, output_tokens: 4, usd: Some(0.5), secs: 0.1 },
    }
}

fn finding(genotype: &Genotype, effort: Effort) -> Finding {
    let proposal = new("", 0, genotype).proposal;
    Finding {
        evaluation: Twin::new("t").evaluate(&proposal, effort).unwrap(),
        harness: HARNESS.to_owned(),
        worker: "w".to_owned(),
        wall_secs: 0.5,
    }
}

#[test]
fn an_attempt_is_read_back_as_it_was_written_and_completed_once() {
    let folder = folder();
    let archive = opened(&folder);
    archive.begin(&search("k", "t")).unwrap();
    let attempt = new("k", 0, &genotype(3));
    let id = archive.propose(&attempt).unwrap();
    assert_eq!(archive.n_open("k").unwrap(), 1);
    let order = archive.claim("w", LEASE).unwrap().unwrap();
    assert_eq!((order.attempt, order.kind), (id, Kind::Evaluation));
    assert_eq!(order.proposal, attempt.proposal);
    let found = finding(&genotype(3), Effort::Quick);
    assert!(archive.complete(order.id, "w", &found).unwrap());
    let other = Finding { worker: "late".to_owned(), ..found.clone() };
    assert!(!archive.complete(order.id, "late", &other).unwrap());
    let stored = archive.findings(id).unwrap();
    assert_eq!(stored.len(), 1);
    assert_eq!(stored[0].finding, found);
    let record = archive.attempt(id).unwrap();
    assert_eq!(record.spent, attempt.spent);
    assert_eq!(record.candidate, attempt.proposal.candidate.id());
    assert_eq!((archive.n_open("k").unwrap(), archive.claim("w", LEASE).unwrap()), (0, None));
}

#[test]
fn a_number_of_a_search_is_used_once_and_a_refused_attempt_leaves_nothing() {
    let folder = folder();
    let archive = opened(&folder);
    archive.begin(&search("k", "t")).unwrap();
    archive.propose(&new("k", 0, &genotype(1))).unwrap();
    assert!(archive.propose(&new("k", 0, &genotype(2))).is_err());
    assert!(archive.propose(&new("no such search", 1, &genotype(2))).is_err());
    assert_eq!((archive.attempts("k").unwrap().len(), archive.n_open("k").unwrap()), (1, 1));
    let sql = "SELECT count(*) FROM sources";
    assert_eq!(archive.number("count", sql, []).unwrap(), Some(1));
}

#[test]
fn what_is_recorded_cannot_be_changed_or_deleted() {
    let folder = folder();
    let archive = opened(&folder);
    archive.begin(&search("k", "t")).unwrap();
    let id = archive.propose(&new("k", 0, &genotype(1))).unwrap();
    archive.record_finding(1, &finding(&genotype(1), Effort::Quick)).unwrap();
    archive.record_fruitless("k", 1, "m", Operator::LlmFull, "p", &Spent::default()).unwrap();
    for table in schema::GROWING {
        let change = if table == "sources" { "source = 'x'" } else { "at = at + 1" };
        for sql in [format!("UPDATE {table} SET {change}"), format!("DELETE FROM {table}")] {
            let error = archive.lock().execute(&sql, []).unwrap_err();
            assert!(error.to_string().contains("only grows"), "{sql}: {error}");
        }
    }
    assert_eq!(archive.findings(id).unwrap().len(), 1);
}

#[test]
fn equal_texts_are_kept_once_and_a_changed_text_is_noticed() {
    let folder = folder();
    let archive = opened(&folder);
    archive.begin(&search("k", "t")).unwrap();
    let ids = [0, 1].map(|seq| archive.propose(&new("k", seq, &genotype(1))).unwrap());
    let sql = "SELECT count(*) FROM sources";
    assert_eq!(archive.number("count", sql, []).unwrap(), Some(1));
    assert_eq!(archive.proposal(ids[0]).unwrap(), archive.proposal(ids[1]).unwrap());
    let change = "DROP TRIGGER sources_no_UPDATE; UPDATE sources SET source = 'evil'";
    archive.lock().execute_batch(change).unwrap();
    let error = archive.proposal(ids[0]).unwrap_err();
    assert!(matches!(&error, Error::Archive { reason, .. } if reason.contains("another hash")));
}

#[test]
fn files_that_are_no_archive_of_this_version_are_refused_in_one_line() {
    let folder = folder();
    let path = folder.path().join("a.sqlite");
    let refused = |part: &str| {
        let error = Archive::open(&path).unwrap_err();
        let text = error.to_string();
        assert!(matches!(error, Error::Archive { .. }), "{text}");
        assert!(text.contains(part) && text.contains("a.sqlite") && !text.contains('\n'), "{text}");
    };
    std::fs::write(&path, "this is a text and no database at all".repeat(100)).unwrap();
    refused("not a database");
    std::fs::remove_file(&path).unwrap();
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE t (x)").unwrap();
    refused("something else");
    std::fs::remove_file(&path).unwrap();
    drop(Archive::open(&path).unwrap());
    Connection::open(&path).unwrap().execute_batch("PRAGMA user_version = 99").unwrap();
    refused("format 99");
    let missing = Archive::open_existing(&folder.path().join("none.sqlite"));
    assert!(matches!(missing, Err(Error::File { .. })));
}

#[test]
fn a_truncated_file_is_refused_or_read_but_never_taken_for_whole() {
    let folder = folder();
    let path = folder.path().join("a.sqlite");
    {
        let archive = Archive::open(&path).unwrap();
        archive.begin(&search("k", "t")).unwrap();
        for seq in 0..40 {
            archive.propose(&new("k", seq, &genotype(seq as i64))).unwrap();
        }
    }
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    assert!(matches!(Archive::open(&path), Err(Error::Archive { .. })));
}

#[test]
fn a_claim_is_one_workers_until_it_runs_out() {
    let folder = folder();
    let (one, other) = (opened(&folder), opened(&folder));
    one.begin(&search("k", "t")).unwrap();
    one.propose(&new("k", 0, &genotype(1))).unwrap();
    let order = one.claim("a", Duration::ZERO).unwrap().unwrap();
    std::thread::sleep(Duration::from_millis(3));
    let again = other.claim("b", LEASE).unwrap().unwrap();
    assert_eq!(order.id, again.id, "a lease that ran out is open again");
    assert_eq!(one.claim("a", LEASE).unwrap(), None);
    assert!(!one.extend(order.id, "a", LEASE).unwrap(), "the claim was lost");
    assert!(other.extend(order.id, "b", LEASE).unwrap());
    one.give_back(order.id, "a").unwrap();
    assert_eq!(one.claim("a", LEASE).unwrap(), None, "only the holder gives back");
    other.give_back(order.id, "b").unwrap();
    assert!(one.claim("a", LEASE).unwrap().is_some());
    one.release("k", "a").unwrap();
    assert!(one.claim("c", LEASE).unwrap().is_some());
}

#[test]
fn a_search_goes_on_only_with_the_settings_it_was_begun_with() {
    let folder = folder();
    let archive = opened(&folder);
    let first = SearchRecord { adopted: vec![7], ..search("k", "t") };
    archive.begin(&first).unwrap();
    let again = archive.begin(&search("k", "t")).unwrap();
    assert_eq!(again, first, "what it begins with was settled by the first command");
    let settings = serde_json::json!({ "seed": 2 });
    let other = SearchRecord { settings, ..search("k", "t") };
    assert!(archive.begin(&other).unwrap_err().to_string().contains("other settings"));
}

#[test]
fn only_what_this_judge_verified_and_nothing_spoke_against_is_known() {
    let folder = folder();
    let archive = opened(&folder);
    let wanted = ["aten.relu.default".to_owned()];
    let known = |task: &str, signature: &str, harness: &str| -> Vec<AttemptId> {
        let found = archive.known(task, signature, &wanted, harness, 9).unwrap();
        found.into_iter().map(|known| known.attempt).collect()
    };
    archive.begin(&search("k", "t")).unwrap();
    let id = archive.propose(&new("k", 0, &genotype(3))).unwrap();
    archive.record_finding(1, &finding(&genotype(3), Effort::Quick)).unwrap();
    assert!(known("other", "s", HARNESS).is_empty(), "it was only timed");
    archive.order(id, Kind::Promotion, 0).unwrap();
    archive.record_finding(2, &finding(&genotype(3), Effort::Thorough)).unwrap();
    assert_eq!(known("other", "s", HARNESS), [id]);
    assert_eq!(known("other", "another signature, the same operations", HARNESS), [id]);
    assert!(known("t", "s", HARNESS).is_empty(), "its own task needs no adoption");
    assert!(known("other", "s", "a later judge").is_empty(), "verified by another judge");
    assert_eq!(archive.to_verify_again("a later judge").unwrap(), [id]);
    assert!(archive.to_verify_again(HARNESS).unwrap().is_empty());
    let other_operations = archive.known("other", "x", &["aten.mm".to_owned()], HARNESS, 9);
    assert!(other_operations.unwrap().is_empty());
    archive.order(id, Kind::Recheck, 0).unwrap();
    let mut wrong = finding(&genotype(3), Effort::Thorough);
    wrong.evaluation.level = Level::Compiled;
    wrong.evaluation.rejection =
        Some(Rejection { reason: Reason::Drift, detail: "later".to_owned() });
    archive.record_finding(3, &wrong).unwrap();
    assert!(archive.to_verify_again("a later judge").unwrap().is_empty());
    assert!(known("other", "s", HARNESS).is_empty(), "found wrong since");
}

#[test]
fn ordering_the_same_twice_orders_once_and_an_unknown_attempt_is_refused() {
    let folder = folder();
    let archive = opened(&folder);
    archive.begin(&search("k", "t")).unwrap();
    let id = archive.propose(&new("k", 0, &genotype(1))).unwrap();
    for _ in 0..2 {
        archive.order(id, Kind::Promotion, 0).unwrap();
    }
    assert_eq!(archive.n_open("k").unwrap(), 2);
    assert!(archive.order(999, Kind::Promotion, 0).is_err());
}

#[test]
fn many_threads_of_two_connections_complete_every_order_once() {
    let folder = folder();
    let (one, other) = (opened(&folder), opened(&folder));
    one.begin(&search("k", "t")).unwrap();
    for seq in 0..24 {
        one.propose(&new("k", seq, &genotype(seq as i64 % 8))).unwrap();
    }
    let n_done = std::sync::atomic::AtomicU64::new(0);
    std::thread::scope(|scope| {
        for (idx, archive) in [&one, &other, &one, &other].into_iter().enumerate() {
            let n_done = &n_done;
            scope.spawn(move || {
                let worker = format!("w{idx}");
                while let Some(order) = archive.claim(&worker, LEASE).unwrap() {
                    let found = finding(&genotype(1), Effort::Quick);
                    assert!(archive.complete(order.id, &worker, &found).unwrap());
                    n_done.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                }
            });
        }
    });
    assert_eq!(n_done.into_inner(), 24);
    let n_findings = one.seen_after("k", 0).unwrap().len();
    assert_eq!((n_findings, one.n_open("k").unwrap()), (24, 0));
}
