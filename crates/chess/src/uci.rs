//! A UCI engine at the end of two pipes. Whatever it does (garbage, silence, a crash, an illegal
//! move) comes back as an error that says so; the child never outlives its [`Engine`].

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use crate::position::Position;

/// Longest line kept of an engine, in bytes; the rest of a longer line is dropped.
const LONGEST_LINE: u64 = 64 * 1024;

/// Why an engine gave no usable answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UciError {
    /// It could not be started.
    #[error("failed to start engine `{program}`: {reason}")]
    Start {
        /// Its program.
        program: String,
        /// What the system answered.
        reason: String,
    },
    /// It ended in the middle of a request.
    #[error("failed to ask engine: it ended ({status}) after `{request}`")]
    Ended {
        /// Exit status in words.
        status: String,
        /// The last line sent.
        request: String,
    },
    /// It did not answer in time.
    #[error("failed to ask engine: no answer to `{request}` within {waited:?}")]
    Silent {
        /// The last line sent.
        request: String,
        /// Time waited.
        waited: Duration,
    },
    /// Its move is not legal in the position it was asked about.
    #[error("failed to use engine's move: {reason}")]
    IllegalMove {
        /// Which, and why.
        reason: String,
    },
}

/// What an engine thinks of a position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Search {
    /// Its move, UCI; `None` when there is none.
    pub best_move: Option<String>,
    /// Evaluation from the side to move, in centipawns; a mate in n moves is ±(100 000 − n).
    pub centipawns: Option<i32>,
}

/// A running engine.
#[derive(Debug)]
pub struct Engine {
    child: Child,
    stdin: ChildStdin,
    lines: Receiver<String>,
    patience: Duration,
    name: String,
    last_request: String,
}

impl Engine {
    /// Starts a program, exchanges `uci`, sets options, and waits until it is ready. `patience` is
    /// how long any one answer may take.
    ///
    /// # Errors
    /// When it cannot be started, or does not speak UCI.
    pub fn start(
        program: &Path,
        arguments: &[&str],
        options: &[(String, String)],
        patience: Duration,
    ) -> Result<Self, UciError> {
        let failed =
            |reason: String| UciError::Start { program: program.display().to_string(), reason };
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| failed(error.to_string()))?;
        let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(failed("it has no pipes".into()));
        };
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            let mut reader = BufReader::new(stdout);
            while let Some(line) = read_line(&mut reader) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        let name = program.display().to_string();
        let mut engine = Self { child, stdin, lines, patience, name, last_request: String::new() };
        engine.send("uci")?;
        let mut said = None;
        engine.until(|line| {
            if let Some(name) = line.strip_prefix("id name ") {
                said = Some(name.trim().to_owned());
            }
            line.trim() == "uciok"
        })?;
        if let Some(said) = said {
            engine.name = said;
        }
        for (name, value) in options {
            engine.send(&format!("setoption name {name} value {value}"))?;
        }
        engine.ready()?;
        Ok(engine)
    }

    /// Its name, as it gives it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Waits until everything sent before has been done.
    ///
    /// # Errors
    /// When it ends or stays silent.
    pub fn ready(&mut self) -> Result<(), UciError> {
        self.send("isready")?;
        self.until(|line| line.trim() == "readyok")
    }

    /// Forgets earlier games.
    ///
    /// # Errors
    /// When it ends or stays silent.
    pub fn new_game(&mut self) -> Result<(), UciError> {
        self.send("ucinewgame")?;
        self.ready()
    }

    /// Searches `nodes` nodes from `fen` after `moves`. The move is checked to be legal.
    ///
    /// # Errors
    /// When it ends, stays silent, or answers with an illegal move.
    pub fn search(&mut self, fen: &str, moves: &[String], nodes: u64) -> Result<Search, UciError> {
        let tail =
            if moves.is_empty() { String::new() } else { format!(" moves {}", moves.join(" ")) };
        self.send(&format!("position fen {fen}{tail}"))?;
        self.send(&format!("go nodes {nodes}"))?;
        let mut found = Search { best_move: None, centipawns: None };
        self.until(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            if words.first() == Some(&"info") {
                found.centipawns = score(&words).or(found.centipawns);
            }
            if words.first() != Some(&"bestmove") {
                return false;
            }
            found.best_move = words
                .get(1)
                .filter(|mv| !matches!(**mv, "(none)" | "0000"))
                .map(ToString::to_string);
            true
        })?;
        if let Some(best) = &found.best_move {
            let mut position = Position::parse(fen)
                .map_err(|error| UciError::IllegalMove { reason: error.to_string() })?;
            for mv in moves.iter().chain([best]) {
                position = position.apply(mv).map_err(|reason| UciError::IllegalMove { reason })?;
            }
        }
        Ok(found)
    }

    fn send(&mut self, line: &str) -> Result<(), UciError> {
        line.clone_into(&mut self.last_request);
        // A newline in a line would be a second command.
        let line = line.replace(['\n', '\r'], " ");
        let sent = writeln!(self.stdin, "{line}").and_then(|()| self.stdin.flush());
        sent.map_err(|_| self.ended())
    }

    /// Reads lines until one is `last`. Other lines, garbage included, are passed over.
    fn until(&mut self, mut last: impl FnMut(&str) -> bool) -> Result<(), UciError> {
        let began = Instant::now();
        loop {
            let left = self.patience.saturating_sub(began.elapsed());
            match self.lines.recv_timeout(left) {
                Ok(line) if last(&line) => return Ok(()),
                Ok(_) if began.elapsed() < self.patience => {}
                Ok(_) | Err(RecvTimeoutError::Timeout) => {
                    let (request, waited) = (self.last_request.clone(), self.patience);
                    return Err(UciError::Silent { request, waited });
                }
                Err(RecvTimeoutError::Disconnected) => return Err(self.ended()),
            }
        }
    }

    fn ended(&mut self) -> UciError {
        // Its output is closed: it is ending, or pretends to; a kill settles which.
        std::thread::sleep(Duration::from_millis(10));
        let status = match self.child.try_wait() {
            Ok(Some(status)) => status.to_string(),
            _ => "it closed its output".to_owned(),
        };
        UciError::Ended { status, request: self.last_request.clone() }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One line of at most [`LONGEST_LINE`] bytes, lossy; `None` at the end.
fn read_line(reader: &mut impl BufRead) -> Option<String> {
    let mut bytes = Vec::new();
    let n = reader.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut bytes).ok()?;
    if n == 0 {
        return None;
    }
    if bytes.last() != Some(&b'\n') && n as u64 == LONGEST_LINE {
        reader.skip_until(b'\n').ok()?;
    }
    Some(String::from_utf8_lossy(&bytes).trim_end().to_owned())
}

/// `score cp N` or `score mate N` in an info line; bounds are as good as exact values here.
fn score(words: &[&str]) -> Option<i32> {
    let at = words.iter().position(|word| *word == "score")?;
    let value: i32 = words.get(at + 2)?.parse().ok()?;
    match *words.get(at + 1)? {
        "cp" => Some(value),
        "mate" if value > 0 => Some(100_000 - value),
        "mate" => Some(-100_000 - value),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::position::START_FEN;

    /// An engine written in sh: `body` handles one line in `$line`.
    fn engine(body: &str) -> Result<Engine, UciError> {
        let script = format!(
            "while read -r line; do case \"$line\" in uci) echo id name twin; echo uciok;; \
             isready) echo readyok;; {body} esac; done"
        );
        Engine::start(Path::new("/bin/sh"), &["-c", &script], &[], Duration::from_secs(5))
    }

    #[test]
    fn garbage_before_the_answer_is_passed_over() {
        let body = "go*) head -c 200000 /dev/zero | tr '\\0' 'x'; echo; printf '\\377\\376\\n'; \
                    echo info depth 1 score cp 34 nodes 9; echo bestmove e2e4 ponder e7e5;;";
        let found = engine(body).unwrap().search(START_FEN, &[], 100).unwrap();
        assert_eq!(found, Search { best_move: Some("e2e4".into()), centipawns: Some(34) });
    }

    #[test]
    fn a_crash_is_told_from_silence() {
        let crashed = engine("go*) kill -SEGV $$;;").unwrap().search(START_FEN, &[], 1);
        assert!(matches!(crashed, Err(UciError::Ended { .. })), "{crashed:?}");
        let mut silent = engine("go*) ;;").unwrap();
        silent.patience = Duration::from_millis(50);
        let answer = silent.search(START_FEN, &[], 1);
        assert!(matches!(answer, Err(UciError::Silent { .. })), "{answer:?}");
    }

    #[test]
    fn an_illegal_move_is_refused() {
        let answer = engine("go*) echo bestmove e2e5;;").unwrap().search(START_FEN, &[], 1);
        assert!(matches!(answer, Err(UciError::IllegalMove { .. })), "{answer:?}");
    }

    #[test]
    fn a_program_that_is_no_engine_is_refused() {
        let missing = Engine::start(Path::new("/nonexistent"), &[], &[], Duration::from_secs(1));
        assert!(matches!(missing, Err(UciError::Start { .. })));
        let wrong = Engine::start(Path::new("/bin/true"), &[], &[], Duration::from_secs(5));
        assert!(matches!(wrong, Err(UciError::Ended { .. })), "{wrong:?}");
    }

    #[test]
    fn mate_scores_keep_their_order() {
        let mate = |n: &str| score(&["info", "score", "mate", n]).unwrap();
        assert!(mate("1") > mate("3") && mate("3") > 9_000);
        assert!(mate("-1") < mate("-3") && mate("-3") < -9_000);
    }
}
