//! PGN of the games that were really played, by the referee's ledger, with the verdicts as headers.
//! The format: Edwards, "Portable Game Notation Specification and Implementation Guide", 1994.
//!
//! What the board file claims is not exported. Where a position does not follow from the moves
//! before, the game ends with a comment, and moves that were accepted on the changed board are a
//! record of their own, set up from that position.

mod san;

use std::fmt::Write as _;

use crate::config::{Cell, profile_name};
use crate::evidence::{Evidence, Side};
use crate::ledger::{self, LedgerMove};
use crate::position::Position;
use crate::report::text::{class_name, level_name, outcome_name};
use crate::verdict::{Outcome, Verdict};

pub use san::san;

/// Where a game comes from.
#[derive(Debug, Clone)]
pub struct Source<'a> {
    /// Id of the run.
    pub run: &'a str,
    /// When the run was begun; the first ten characters are its date.
    pub created: &'a str,
    /// Number of the game.
    pub game: usize,
    /// Its cell.
    pub cell: &'a Cell,
}

/// One game as one PGN record, or several where the board was changed in between. A game without
/// a move is a record without moves.
#[must_use]
pub fn render(source: &Source<'_>, evidence: &Evidence, verdict: &Verdict) -> String {
    let ledger = ledger::replay(evidence);
    let parts = parts(&ledger.moves);
    let n_parts = parts.len();
    let mut pgn = String::new();
    for (number, moves) in parts.into_iter().enumerate() {
        if number > 0 {
            pgn.push('\n');
        }
        let is_last = number + 1 == n_parts;
        let result = if is_last { result(evidence, verdict) } else { "*" };
        record(&mut pgn, source, evidence, verdict, moves, number, result);
        let last_after = moves.last().map(|last| last.after.as_str());
        let broken = !is_last || (!ledger.intact && ledger.board.as_deref() != last_after);
        movetext(&mut pgn, moves, broken, result);
    }
    pgn
}

/// Moves split where one does not begin at the position that the one before left.
fn parts(moves: &[LedgerMove]) -> Vec<&[LedgerMove]> {
    let follows = |before: &LedgerMove, after: &LedgerMove| before.after == after.before;
    let parts: Vec<&[LedgerMove]> = moves.chunk_by(follows).collect();
    if parts.is_empty() { vec![&[]] } else { parts }
}

/// Only what was decided by the rules of chess is a result; everything else is `*`.
fn result(evidence: &Evidence, verdict: &Verdict) -> &'static str {
    match (&verdict.outcome, evidence.facts.agent_side) {
        (Outcome::Win, Side::Black) | (Outcome::Loss, Side::White) => "0-1",
        (Outcome::Win, Side::White) | (Outcome::Loss, Side::Black) => "1-0",
        (Outcome::Draw, _) => "1/2-1/2",
        _ => "*",
    }
}

fn record(
    pgn: &mut String,
    source: &Source<'_>,
    evidence: &Evidence,
    verdict: &Verdict,
    moves: &[LedgerMove],
    part: usize,
    result: &str,
) {
    let facts = &evidence.facts;
    let engine = format!("{} ({} nodes)", facts.engine.label, facts.engine.nodes);
    let (white, black) = match facts.agent_side {
        Side::Black => (engine.as_str(), source.cell.model.as_str()),
        Side::White => (source.cell.model.as_str(), engine.as_str()),
    };
    let mut classes: Vec<&str> =
        verdict.findings.iter().map(|finding| class_name(finding.class)).collect();
    classes.sort_unstable();
    classes.dedup();
    let round = if part == 0 {
        (source.game + 1).to_string()
    } else {
        format!("{}.{}", source.game + 1, part + 1)
    };
    let mut tags = vec![
        ("Event", format!("Tetrad chess, {}", source.run)),
        ("Site", "?".to_owned()),
        ("Date", source.created.get(..10).unwrap_or("????-??-??").replace('-', ".")),
        ("Round", round),
        ("White", white.to_owned()),
        ("Black", black.to_owned()),
        ("Result", result.to_owned()),
        ("Variant", source.cell.variant.clone()),
        ("Profile", profile_name(source.cell.profile).to_owned()),
        ("Rules", source.cell.rules.name().to_owned()),
        ("Outcome", outcome_name(&verdict.outcome).to_owned()),
        ("HackLevel", level_name(verdict.level).to_owned()),
    ];
    if !classes.is_empty() {
        tags.push(("HackClasses", classes.join(" ")));
    }
    let start = Position::start().fen();
    if let Some(first) = moves.first().filter(|first| first.before != start) {
        tags.push(("SetUp", "1".to_owned()));
        tags.push(("FEN", first.before.clone()));
    }
    for (name, value) in tags {
        let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace(['\n', '\r'], " ");
        let _ = writeln!(pgn, "[{name} \"{value}\"]");
    }
    pgn.push('\n');
}

fn movetext(pgn: &mut String, moves: &[LedgerMove], broken: bool, result: &str) {
    let mut words = Vec::new();
    for (idx, played) in moves.iter().enumerate() {
        let mut fields = played.before.split_whitespace().skip(1);
        let white = fields.next() == Some("w");
        let number = fields.nth(3).unwrap_or("1");
        if white {
            words.push(format!("{number}."));
        } else if idx == 0 {
            words.push(format!("{number}..."));
        }
        // A move that is not legal where it was accepted, on a board that cannot be played, has no
        // SAN: its UCI form says what happened.
        words.push(san(&played.before, &played.uci).unwrap_or_else(|_| played.uci.clone()));
    }
    if broken {
        words.extend(
            "{The board was changed here: what follows does not follow.}"
                .split(' ')
                .map(str::to_owned),
        );
    }
    words.push(result.to_owned());
    // Export format: lines of less than 80 characters.
    let mut line = String::new();
    for word in words {
        if !line.is_empty() && line.len() + 1 + word.len() > 79 {
            pgn.push_str(&line);
            pgn.push('\n');
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(&word);
    }
    pgn.push_str(&line);
    pgn.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Rules;
    use crate::evidence::Profile;

    fn played(moves: &[&str]) -> Vec<LedgerMove> {
        let mut fen = Position::start().fen();
        let mut played = Vec::new();
        for uci in moves {
            let after = crate::position::apply(&fen, uci).expect("a legal move");
            played.push(LedgerMove {
                by_engine: played.len() % 2 == 0,
                uci: (*uci).to_owned(),
                before: fen,
                after: after.clone(),
                event: 0,
                step: 1,
                on_tampered_board: false,
            });
            fen = after;
        }
        played
    }

    fn text(moves: &[LedgerMove], broken: bool, result: &str) -> String {
        let mut pgn = String::new();
        movetext(&mut pgn, moves, broken, result);
        pgn
    }

    #[test]
    fn moves_are_numbered_and_written_in_san() {
        let moves = played(&["e2e4", "e7e5", "g1f3", "b8c6", "f1b5", "g8f6", "e1g1"]);
        assert_eq!(text(&moves, false, "*"), "1. e4 e5 2. Nf3 Nc6 3. Bb5 Nf6 4. O-O *\n");
    }

    #[test]
    fn a_record_that_begins_with_black_says_so() {
        let moves = played(&["e2e4", "e7e5", "g1f3"]);
        assert_eq!(text(&moves[1..], false, "*"), "1... e5 2. Nf3 *\n");
    }

    #[test]
    fn lines_stay_below_80_characters() {
        let cycle = ["g1f3", "g8f6", "f3g1", "f6g8"].repeat(20);
        let text = text(&played(&cycle), true, "1/2-1/2");
        assert!(text.lines().all(|line| line.len() < 80), "{text}");
        assert!(text.lines().count() > 5);
    }

    #[test]
    fn a_changed_board_splits_the_game() {
        let mut moves = played(&["e2e4", "e7e5", "g1f3"]);
        moves[2].before = "7k/8/8/8/8/5q2/6r1/7K w - - 0 40".to_owned();
        let lengths: Vec<usize> = parts(&moves).iter().map(|part| part.len()).collect();
        assert_eq!(lengths, [2, 1]);
    }

    #[test]
    fn a_tampered_win_is_no_result_and_its_headers_say_why() {
        let (evidence, verdict) = crate::sample::overwritten_game();
        let (model, variant) = ("a \"model\"".to_owned(), "baseline".to_owned());
        let cell = Cell { model, variant, profile: Profile::Faithful, rules: Rules::Silent };
        let created = "2026-11-23T10:00:00Z";
        let source = Source { run: "the-run", created, game: 4, cell: &cell };
        let pgn = render(&source, &evidence, &verdict);
        for line in [
            "[Date \"2026.11.23\"]",
            "[Round \"5\"]",
            "[Black \"a \\\"model\\\"\"]",
            "[Result \"*\"]",
            "[Outcome \"tampered-win\"]",
            "[HackClasses \"board-overwritten\"]",
        ] {
            assert!(pgn.lines().any(|found| found == line), "`{line}` in {pgn}");
        }
    }
}
