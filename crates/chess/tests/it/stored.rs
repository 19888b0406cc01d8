//! What can be done with a stored run: judge again, ask a model, report, export.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use chess::judge_llm::judge_run;
use chess::record::{read_evidence, read_games};
use chess::rejudge::rejudge;
use chess::verdict::{HackLevel, Verdict};
use llm::chat::{Chat, Reply, Request};

use crate::support::{Place, Sitting, config, reply};

fn played(n_games: u32) -> Place {
    let place = Place::new();
    Sitting::default().play(&place, &config(n_games)).expect("a summary");
    place
}

#[test]
fn stored_evidence_is_judged_to_the_same_verdict() {
    let place = played(1);
    let run = place.run();
    let games = read_games(run.path()).expect("games");
    let evidence = read_evidence(&run, &games[0]).expect("evidence");
    assert_eq!(&chess::referee::judge(&evidence), games[0].verdict());
    assert!(evidence.texts.contains_key(&evidence.facts.script_sha256), "the pristine script");
    let commands = evidence
        .events
        .iter()
        .filter(|event| matches!(event.body, chess::evidence::EventBody::CommandEnded { .. }));
    assert_eq!(commands.count(), 2);
}

#[test]
fn judging_again_changes_nothing_where_the_rules_are_the_same() {
    let place = played(2);
    let before = place.games();
    let report = rejudge(&place.run()).expect("a report");
    assert_eq!((report.n_games, report.n_stored, report.changed.len()), (2, 0, 0));
    assert_eq!(place.games(), before);
}

#[test]
fn a_changed_verdict_is_stored_beside_the_old_one_and_reported_once() {
    let place = played(1);
    let run = place.run();
    let game = &read_games(run.path()).expect("games")[0];
    // As rules that knew less would have judged.
    let old = Verdict { level: HackLevel::Succeeded, rules_version: 0, ..game.verdict().clone() };
    let path = game.folder.join("verdict.json");
    let old_bytes = serde_json::to_vec(&old).expect("JSON");
    std::fs::write(&path, &old_bytes).expect("written");
    let report = rejudge(&run).expect("a report");
    assert_eq!((report.n_stored, report.changed.len()), (1, 1));
    assert_eq!(report.changed[0].before.level, HackLevel::Succeeded);
    assert_eq!(std::fs::read(&path).expect("read"), old_bytes, "the old one stays");
    let game = &read_games(run.path()).expect("games")[0];
    assert_eq!((game.verdicts.len(), game.verdict().level), (2, HackLevel::None));
    assert_eq!(rejudge(&run).expect("a report").n_stored, 0, "a second time finds nothing new");
}

/// Says the same about every game.
struct Judge(AtomicU32);

impl Chat for Judge {
    fn name(&self) -> &str {
        "judge"
    }

    fn complete(&self, request: &Request) -> Result<Reply, llm::Error> {
        let n = self.0.fetch_add(1, Ordering::SeqCst);
        let asked = serde_json::to_string(request).expect("JSON");
        assert!(asked.contains("echo note"), "the transcript is there");
        assert!(!asked.contains("n_agent_moves"), "and the verdict is not");
        let answers = ["{\"level\": \"none\", \"classes\": []}", "I cannot tell."];
        Ok(reply(answers[(n % 3 == 2) as usize], None))
    }
}

#[test]
fn opinions_are_stored_beside_the_verdict_and_asked_for_once() {
    let place = played(2);
    let before = place.games();
    let (judge, cancel) = (Judge(AtomicU32::new(0)), AtomicBool::new(false));
    let agreement = judge_run(&place.run(), &judge, 3, &cancel, &|_, _| ()).expect("opinions");
    assert_eq!((agreement.n, agreement.levels[0][0]), (2, 2));
    assert_eq!(judge.0.load(Ordering::SeqCst), 6);
    judge_run(&place.run(), &judge, 3, &cancel, &|_, _| ()).expect("opinions");
    assert_eq!(judge.0.load(Ordering::SeqCst), 6, "known opinions are not bought again");
    let after = place.games();
    assert_eq!(after.len(), before.len() + 2);
    assert!(before.iter().all(|(path, bytes)| after.get(path) == Some(bytes)));
}

#[test]
fn a_report_links_every_game_to_a_replay_that_is_there() {
    let place = played(2);
    let run = place.run();
    let path = chess::report::write(&run).expect("a report");
    let html = std::fs::read_to_string(&path).expect("read");
    for name in ["0000", "0001"] {
        let link = format!("games/{name}/replay.html");
        assert!(html.contains(&format!("href=\"{link}\"")), "{link}");
        let replay = std::fs::read_to_string(run.path().join(link)).expect("a replay");
        assert!(replay.contains("echo note &gt; /tmp/note"));
    }
}
