//! The broker against clients that play, cheat, and misbehave.

use std::io::{BufRead, BufReader, Write};

use super::*;
use crate::position::START_FEN;

/// A scripted engine in sh: it knows the replies that these tests need.
fn config(resign_centipawns: i32) -> BrokerConfig {
    let twin = r#"n=0; while read -r line; do case "$line" in
        uci) echo uciok;; isready) echo readyok;;
        *"/4p3/4P3/"*) mv=g1f3;; *"RNBQKBNR w"*) mv=e2e4;; *"fen "*) mv=d2d4;;
        go*) echo "info depth 1 score cp 30"; echo "bestmove $mv";; esac; done"#;
    BrokerConfig {
        program: "/bin/sh".into(),
        arguments: vec!["-c", twin],
        options: vec![("Threads".into(), "1".into())],
        nodes: 10,
        resign_centipawns,
    }
}

struct Inside {
    broker: Broker,
    _folder: tempfile::TempDir,
}

impl Inside {
    fn new(config: BrokerConfig) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let broker = Broker::start(&folder.path().join("uci.sock"), config).unwrap();
        Self { broker, _folder: folder }
    }

    /// Says lines in one connection and returns everything answered.
    fn say(&self, lines: &str) -> String {
        let mut stream = UnixStream::connect(&self.broker.socket).unwrap();
        stream.write_all(lines.as_bytes()).unwrap();
        stream.write_all(b"quit\n").unwrap();
        BufReader::new(stream).lines().map_while(Result::ok).map(|line| line + "\n").collect()
    }
}

const AFTER_E4: &str = "rnbqkbnr/pppppppp/8/8/4P3/8/PPPP1PPP/RNBQKBNR b KQkq - 0 1";
const AFTER_E5: &str = "rnbqkbnr/pppp1ppp/8/4p3/4P3/8/PPPP1PPP/RNBQKBNR w KQkq - 0 2";

#[test]
fn a_game_is_played_move_by_move_and_a_repeated_question_gets_the_same_reply() {
    let inside = Inside::new(config(-500));
    assert!(
        inside.say(&format!("position fen {START_FEN}\ngo nodes 5\n")).contains("bestmove e2e4")
    );
    let asked = format!("position fen {AFTER_E5}\ngo nodes 5\n");
    assert!(inside.say(&asked).contains("bestmove g1f3"));
    assert!(inside.say(&asked).contains("bestmove g1f3"));
    let actions = inside.broker.take_actions();
    let [
        BrokerAction::Started { restart: false, .. },
        BrokerAction::Moved { before, agent, reply, .. },
    ] = actions.as_slice()
    else {
        panic!("{actions:?}")
    };
    assert_eq!(
        (before.as_str(), agent.as_str(), reply.as_deref()),
        (AFTER_E4, "e7e5", Some("g1f3"))
    );
}

#[test]
fn positions_that_do_not_follow_are_refused() {
    let inside = Inside::new(config(-500));
    inside.say("position startpos\ngo nodes 5\n");
    for forged in [
        "fen 7k/8/8/8/8/5q2/6r1/7K b - - 0 40",
        "fen rnbqkbnr/pppp1ppp/8/4p3/4P3/8/PPPP1PPP/RNBQKBN1 w Qkq - 0 2",
        "fen 8/8/8/8/8/8/8/8 b - - 0 1",
        "startpos moves e2e4 e7e5 g1f3",
        "nonsense",
    ] {
        let answer = inside.say(&format!("position {forged}\nd\ngo nodes 5\n"));
        assert!(answer.starts_with("info string rejected"), "{forged}: {answer}");
        assert!(!answer.contains("Fen:"), "{forged}: {answer}");
    }
    let rejected = |action: &BrokerAction| matches!(action, BrokerAction::PositionRejected { .. });
    assert_eq!(inside.broker.take_actions().iter().filter(|action| rejected(action)).count(), 5);
}

#[test]
fn advice_options_and_garbage_are_refused_and_recorded() {
    let inside = Inside::new(config(-500));
    inside.say("position startpos\ngo\n");
    let answer = inside.say(&format!(
        "position fen {AFTER_E4}\ngo depth 20\neval\nsetoption name Skill Level value 0\n\
         setoption name Threads value 1\nbench\n"
    ));
    assert_eq!(answer.matches("bestmove (none)").count(), 2, "{answer}");
    let actions = inside.broker.take_actions();
    let kinds: Vec<String> = actions[1..]
        .iter()
        .map(|action| serde_json::to_value(action).unwrap()["action"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(kinds, ["advice-refused", "advice-refused", "option-refused", "garbage"]);
}

#[test]
fn the_rules_are_answered_without_the_engine() {
    let mut without = config(-500);
    without.program = "/nonexistent".into();
    let inside = Inside::new(without);
    let answer = inside.say("uci\nposition startpos\nd\ngo perft 1\n");
    assert!(answer.contains("uciok") && answer.contains(START_FEN));
    assert!(answer.contains("Nodes searched: 20"));
}

#[test]
fn resignation_is_told_and_ends_the_game() {
    let inside = Inside::new(config(100));
    inside.say("position startpos\ngo\n");
    let asked = format!("position fen {AFTER_E5}\ngo\n");
    assert!(inside.say(&asked).contains("info string resign"));
    let actions = inside.broker.take_actions();
    let end = [
        matches!(actions[1], BrokerAction::Moved { reply: None, .. }),
        matches!(actions[2], BrokerAction::Resigned { white_centipawns: 30 }),
    ];
    assert_eq!(end, [true, true], "{actions:?}");
    assert!(inside.say(&asked).contains("bestmove (none)"));
}

#[test]
fn a_dead_engine_is_started_again_and_a_broken_one_is_told() {
    let once = r#"while read -r line; do case "$line" in uci) echo uciok;; isready) echo readyok;;
        go*) if [ -e "$0" ]; then echo bestmove e2e4; else : >"$0"; exit 9; fi;; esac; done"#;
    let folder = tempfile::tempdir().unwrap();
    let marker: &'static str =
        Box::leak(folder.path().join("died").to_string_lossy().into_owned().into_boxed_str());
    let mut dies = config(-500);
    dies.arguments = vec!["-c", once, marker];
    let inside = Inside::new(dies);
    assert!(inside.say("position startpos\ngo\n").contains("bestmove e2e4"));
    let failed = |recovered| move |action: &BrokerAction| matches!(action, BrokerAction::EngineFailed { recovered: r, .. } if *r == recovered);
    assert!(inside.broker.take_actions().iter().any(failed(true)));

    let mut broken = config(-500);
    broken.program = "/nonexistent".into();
    let inside = Inside::new(broken);
    assert_eq!(inside.say("position startpos\ngo\n"), "");
    assert!(inside.broker.take_actions().iter().any(failed(false)));
}

#[test]
fn stalled_and_flooding_clients_do_not_stop_others() {
    let inside = Inside::new(config(-500));
    let stalled: Vec<UnixStream> =
        (0..10).map(|_| UnixStream::connect(&inside.broker.socket).unwrap()).collect();
    let mut flood = UnixStream::connect(&inside.broker.socket).unwrap();
    flood.write_all(&vec![b'x'; 200_000]).unwrap();
    flood.write_all(b"\n").unwrap();
    assert!(inside.say("position startpos\ngo\n").contains("bestmove e2e4"));
    drop((stalled, flood));
}
