//! Pages of a small search.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::*;
use crate::archive::Archive;
use crate::propose::model::{Brief, Model, ModelConfig};
use crate::search::twin::{Twin, coder};
use crate::search::{self, Budget, Deps, NoProgress, SearchConfig, Shape, Strategy};
use crate::{Evaluation, Space};

fn search(archive: &Archive, key: &str, strategy: Strategy, seed: u64) {
    let twin = Twin::new("hill").with_noise(0.02);
    let task = twin.task();
    let brief = Brief::new(&task, twin.emit(&twin.base()));
    let config = ModelConfig { reply_tokens: 500, temperature: None };
    let model = Model::new(Box::new(coder()), &brief, config, Arc::default());
    let cancel = AtomicBool::new(false);
    let deps = Deps {
        archive,
        task: &task,
        space: &twin,
        evaluator: Arc::new(twin.clone()),
        models: if strategy == Strategy::Random { Vec::new() } else { vec![Box::new(model)] },
        cancel: &cancel,
        relay: None,
    };
    let config = SearchConfig {
        task: task.name.clone(),
        strategy,
        seed,
        shape: Shape { n_islands: 2, migrate_every: 10, recheck_every: 15 },
        proposers: vec!["builtin".to_owned(), "scripted:twin-coder".to_owned()],
        budget: Budget { evaluations: 24, secs: None, tokens: None, usd: None },
        jobs: 1,
    };
    search::run(&config, key, &deps, &NoProgress).unwrap();
}

#[test]
fn a_page_shows_best_lineage_reasons_and_the_comparison_of_strategies() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.sqlite");
    let archive = Archive::open(&path).unwrap();
    search(&archive, "one", Strategy::Evolve, 1);
    let alone = render(&[gather(&archive, "one").unwrap()]);
    for part in
        ["made up by a rule", "Where the best comes from", "Changes from #", "of the machine"]
    {
        assert!(alone.contains(part), "{part} is missing");
    }
    assert!(!alone.contains("Does learning from results pay"), "nothing to compare with");
    search(&archive, "two:random/1", Strategy::Random, 1);
    search(&archive, "three", Strategy::Random, 2);
    let all = gather_with_rivals(&archive, "one").unwrap();
    let compared = ablation(&all.iter().collect::<Vec<_>>()).unwrap();
    assert_eq!(compared.n_evaluations, 24);
    let n: Vec<usize> = compared.arms.iter().map(|arm| arm.ratios.len()).collect();
    assert_eq!(n, [1, 2]);
    assert_eq!((compared.arms[0].interval, compared.arms[1].interval.is_some()), (None, true));
    let page = render(&all);
    assert!(page.contains("Does learning from results pay") && page.contains("one search: none"));
    assert_eq!(render(&gather_with_rivals(&archive, "one").unwrap()), page, "a pure function");

    // The same over HTTP, without a socket.
    let get = |target: &str| answer(&path, &format!("GET {target} HTTP/1.1"), Some("127.0.0.1:80"));
    assert_eq!(get("/").status, 200);
    assert!(get("/").body.contains("search/two%3Arandom%2F1"));
    assert_eq!(get("/search/one").body, page);
    assert_eq!(get("/search/two%3Arandom%2F1").status, 200);
    assert!(get("/attempt/3").body.contains("Attempt 3"));
    for missing in ["/search/none", "/attempt/99999", "/attempt/x", "/../a.sqlite", "/search/%"] {
        assert_eq!(get(missing).status, 404, "{missing}");
    }
    assert_eq!(answer(&path, "POST / HTTP/1.1", Some("127.0.0.1")).status, 405);
    assert_eq!(answer(&path, "GET / HTTP/1.1", Some("evil.example:80")).status, 403);
    assert_eq!(answer(&path, "GET / HTTP/1.1", None).status, 403);
    assert_eq!(answer(&path, "", Some("localhost")).status, 405);
}

#[test]
fn markup_in_texts_and_messages_stays_text() {
    let folder = tempfile::tempdir().unwrap();
    let archive = Archive::open(&folder.path().join("a.sqlite")).unwrap();
    struct Loud(Twin);
    impl crate::evaluator::Evaluator for Loud {
        fn harness(&self) -> String {
            "<script>alert(1)</script>".to_owned()
        }
        fn evaluate(
            &self,
            proposal: &crate::propose::Proposal,
            effort: crate::evaluator::Effort,
        ) -> Result<Evaluation, crate::Error> {
            let mut found = self.0.evaluate(proposal, effort)?;
            found.remarks = "</pre><script>alert(2)</script>".to_owned();
            found.compiler = "<img src=x onerror=alert(3)>".to_owned();
            Ok(found)
        }
    }
    let twin = Twin::new("hill");
    let task = twin.task();
    let deps = Deps {
        archive: &archive,
        task: &task,
        space: &twin,
        evaluator: Arc::new(Loud(twin.clone())),
        models: Vec::new(),
        cancel: &AtomicBool::new(false),
        relay: None,
    };
    let config = SearchConfig {
        task: task.name.clone(),
        strategy: Strategy::Evolve,
        seed: 1,
        shape: Shape { n_islands: 2, migrate_every: 10, recheck_every: 20 },
        proposers: vec!["builtin".to_owned()],
        budget: Budget { evaluations: 6, secs: None, tokens: None, usd: None },
        jobs: 1,
    };
    search::run(&config, "<b>k</b>", &deps, &NoProgress).unwrap();
    let page = render(&[gather(&archive, "<b>k</b>").unwrap()]);
    assert!(!page.contains("<script") && !page.contains("<img") && !page.contains("<b>k"));
    assert!(page.contains("&lt;script&gt;alert(2)"));
    let best = render_attempt(&archive, 1).unwrap();
    assert!(!best.contains("<script") && !best.contains("<b>k"));
}
