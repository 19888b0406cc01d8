//! The embedded engine as a UCI program. It answers `d` and `go perft 1` the way Stockfish does,
//! since the game scripts take the rules of chess from there, and it never crashes on input.

use std::io::{BufRead, Write};
use std::time::Duration;

use super::LABEL;
use super::search::{Limit, Line, Searcher};
use crate::position::{Position, START_FEN};

/// Nodes of a search that names no other limit.
const DEFAULT_NODES: u64 = 20_000;
/// Nodes of a search limited by depth or time only, so that it ends whatever is asked.
const MOST_NODES: u64 = 50_000_000;

/// Speaks UCI on `input` and `output` until `quit` or the end of input.
///
/// # Errors
/// When `output` cannot be written.
pub fn serve(input: impl BufRead, mut output: impl Write) -> std::io::Result<()> {
    let mut game = Game { position: Position::start(), history: Vec::new() };
    let mut searcher = Searcher::new();
    for line in input.split(b'\n') {
        let line = String::from_utf8_lossy(&line?).trim().to_owned();
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.first().copied() {
            Some("uci") => {
                writeln!(output, "id name {LABEL} {}", env!("CARGO_PKG_VERSION"))?;
                writeln!(output, "id author the Tetrad authors")?;
                writeln!(output, "option name Threads type spin default 1 min 1 max 1\nuciok")?;
            }
            Some("isready") => writeln!(output, "readyok")?,
            Some("ucinewgame") => searcher = Searcher::new(),
            Some("position") => {
                if let Err(reason) = game.set(&words[1..]) {
                    writeln!(output, "info string position ignored: {reason}")?;
                }
            }
            Some("go") if words.get(1) == Some(&"perft") => {
                output.write_all(perft(&game.position).as_bytes())?;
            }
            Some("go") => go(&mut searcher, &game, &words[1..], &mut output)?,
            Some("d") => output.write_all(describe(&game.position).as_bytes())?,
            Some("eval") => {
                let limit = Limit { nodes: DEFAULT_NODES, depth: 1, time: None };
                let score = searcher.search(&game.position, &game.history, limit, |_| {});
                let white = if game.position.white_to_move() { 1.0 } else { -1.0 };
                let pawns = score.map_or(0.0, |line| f64::from(line.score) / 100.0 * white);
                writeln!(output, "Final evaluation {pawns:+.2} (white side)")?;
            }
            Some("quit") => break,
            Some("setoption" | "stop" | "ponderhit" | "debug") | None => {}
            Some(_) => writeln!(output, "info string unknown command")?,
        }
        output.flush()?;
    }
    Ok(())
}

struct Game {
    position: Position,
    history: Vec<Position>,
}

impl Game {
    /// `startpos` or `fen F`, then maybe `moves …`. On an error nothing changes.
    fn set(&mut self, words: &[&str]) -> Result<(), String> {
        let moves_at = words.iter().position(|word| *word == "moves").unwrap_or(words.len());
        let fen = match words.first() {
            Some(&"startpos") => START_FEN.to_owned(),
            Some(&"fen") => words[1..moves_at.max(1)].join(" "),
            _ => return Err("expected `startpos` or `fen`".into()),
        };
        let mut position = Position::parse(&fen).map_err(|error| error.reason)?;
        let mut history = Vec::new();
        for uci in words.iter().skip(moves_at + 1) {
            let next = position.apply(uci)?;
            history.push(std::mem::replace(&mut position, next));
        }
        *self = Self { position, history };
        Ok(())
    }
}

fn go(
    searcher: &mut Searcher,
    game: &Game,
    words: &[&str],
    output: &mut impl Write,
) -> std::io::Result<()> {
    let value = |name: &str| -> Option<u64> {
        let at = words.iter().position(|word| *word == name)?;
        words.get(at + 1)?.parse().ok()
    };
    let (nodes, depth, millis) = (value("nodes"), value("depth"), value("movetime"));
    let bounded = depth.is_some() || millis.is_some();
    let limit = Limit {
        nodes: nodes.unwrap_or(if bounded { MOST_NODES } else { DEFAULT_NODES }),
        depth: depth.map_or(64, |depth| depth.min(64) as u32),
        time: millis.map(Duration::from_millis),
    };
    let mut lines = Vec::new();
    let best =
        searcher.search(&game.position, &game.history, limit, |line| lines.push(line.clone()));
    for Line { depth, score, nodes, best_move } in &lines {
        let score = render_score(*score);
        writeln!(output, "info depth {depth} score {score} nodes {nodes} pv {best_move}")?;
    }
    match best {
        Some(line) => writeln!(output, "bestmove {}", line.best_move),
        None => {
            let score = if game.position.in_check() { "mate 0" } else { "cp 0" };
            writeln!(output, "info depth 0 score {score}\nbestmove (none)")
        }
    }
}

fn render_score(score: i32) -> String {
    let plies = 100_000 - score.abs();
    if plies < 1_000 {
        let moves = (plies + 1) / 2;
        return format!("mate {}{moves}", if score < 0 { "-" } else { "" });
    }
    format!("cp {score}")
}

/// The legal moves, as `go perft 1` lists them.
pub(crate) fn perft(position: &Position) -> String {
    let moves = position.legal_moves();
    let lines: String = moves.iter().map(|uci| format!("{uci}: 1\n")).collect();
    format!("{lines}\nNodes searched: {}\n\n", moves.len())
}

/// The board, the FEN and the checkers, as Stockfish's `d` prints them.
pub(crate) fn describe(position: &Position) -> String {
    let rule = " +---+---+---+---+---+---+---+---+\n";
    let mut text = format!("\n{rule}");
    let fen = position.fen();
    for (idx, rank) in fen.split(' ').next().unwrap_or_default().split('/').enumerate() {
        for character in rank.chars() {
            match character.to_digit(10) {
                Some(n) => text.push_str(&" |  ".repeat(n as usize)),
                None => text.push_str(&format!(" | {character}")),
            }
        }
        text.push_str(&format!(" | {}\n{rule}", 8 - idx));
    }
    let checkers: Vec<String> =
        position.board().checkers().into_iter().map(|square| square.to_string()).collect();
    text + &format!(
        "   a   b   c   d   e   f   g   h\n\nFen: {fen}\nKey: {:016X}\nCheckers: {}\n",
        position.board().hash(),
        checkers.join(" ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn say(input: &str) -> String {
        let mut output = Vec::new();
        serve(input.as_bytes(), &mut output).unwrap();
        String::from_utf8(output).unwrap()
    }

    #[test]
    fn the_rules_are_answered_in_stockfishs_form() {
        let text = say("position startpos moves e2e4\nd\ngo perft 1\nquit\n");
        assert!(text.contains("Fen: rnbqkbnr/pppppppp/8/8/4P3/8/PPPP1PPP/RNBQKBNR b KQkq - 0 1\n"));
        assert!(text.contains("\nb8c6: 1\n") && text.contains("Nodes searched: 20"));
        assert!(text.contains(" | r | n | b | q | k | b | n | r | 8\n"));
    }

    #[test]
    fn bad_input_is_told_and_changes_nothing() {
        let text = say("position fen garbage\nposition startpos moves e2e5\nnonsense\n\u{0}\nd\n");
        assert_eq!(text.matches("position ignored").count(), 2);
        assert!(text.contains(&format!("Fen: {START_FEN}")));
    }

    #[test]
    fn mate_and_stalemate_have_no_move() {
        let mated = "rnb1kbnr/pppp1ppp/8/4p3/6Pq/5P2/PPPPP2P/RNBQKBNR w KQkq - 1 3";
        assert!(
            say(&format!("position fen {mated}\ngo nodes 10\n"))
                .contains("mate 0\nbestmove (none)")
        );
        let stale = "7k/5Q2/6K1/8/8/8/8/8 b - - 0 1";
        assert!(
            say(&format!("position fen {stale}\ngo nodes 10\n")).contains("cp 0\nbestmove (none)")
        );
    }
}
