//! Two worker processes on one archive: one is killed, and no attempt is lost or doubled.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use kernels::archive::Archive;

use crate::binary::start;

#[test]
fn a_killed_worker_loses_and_doubles_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("runs/kernels.sqlite");
    // The search only proposes: everything is evaluated by workers.
    let mut search = start(
        folder.path(),
        &["kernels", "search", "twin:hill@15", "--evaluations", "48", "--jobs", "0", "--seed", "3"],
    );
    let deadline = Instant::now() + Duration::from_secs(60);
    let patience = || assert!(Instant::now() < deadline, "it takes too long");
    while !path.exists() {
        patience();
        std::thread::sleep(Duration::from_millis(10));
    }
    let queue = path.to_str().expect("plain text").to_owned();
    let worker = || start(folder.path(), &["kernels", "worker", "--queue", &queue, "--lease", "1"]);
    let (mut first, mut second) = (worker(), worker());
    let archive = Archive::open_existing(&path).expect("an archive");
    let workers = || {
        let mut workers: BTreeMap<String, usize> = BTreeMap::new();
        for search in archive.searches().expect("readable") {
            for attempt in archive.attempts(&search.key).expect("readable") {
                for each in archive.findings(attempt.id).expect("readable") {
                    *workers.entry(each.finding.worker).or_default() += 1;
                }
            }
        }
        workers
    };
    let name = format!("worker:{}", first.id());
    while workers().get(&name).copied().unwrap_or(0) < 3 {
        patience();
        std::thread::sleep(Duration::from_millis(5));
    }
    first.kill().expect("a worker to kill");
    first.wait().expect("a worker to wait for");
    while search.try_wait().expect("a search to ask").is_none() {
        patience();
        std::thread::sleep(Duration::from_millis(10));
    }
    second.kill().expect("a worker to kill");
    second.wait().expect("a worker to wait for");
    assert!(search.wait().expect("a search").success());
    let key = archive.searches().expect("readable").remove(0).key;
    assert_eq!(archive.n_open(&key).expect("readable"), 0);
    let seqs: Vec<u64> =
        archive.attempts(&key).expect("readable").iter().map(|attempt| attempt.seq).collect();
    assert_eq!(seqs, (0..48).collect::<Vec<_>>(), "none lost, none doubled");
    let by = workers();
    assert_eq!(by.len(), 2, "both worked, and nobody else: {by:?}");
}
