//! The true game, and the answers to UCI lines about it.

use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use super::BrokerConfig;
use crate::embedded;
use crate::evidence::BrokerAction;
use crate::position::{Position, ending};
use crate::uci::{Engine, Search, UciError};

/// How long the engine may take for one answer.
const PATIENCE: Duration = Duration::from_secs(60);
/// Actions kept between two looks: an agent may send any number of refused lines.
const MOST_ACTIONS: usize = 2_000;

/// What one client has set.
#[derive(Debug, Default)]
pub(super) struct Client {
    /// The accepted position it asks about.
    asked: Option<Asked>,
}

/// An accepted position, and how it stands to the game.
#[derive(Debug, Clone)]
struct Asked {
    position: Position,
    relation: Relation,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Relation {
    /// The start, asked as a new game.
    Start,
    /// The game's position now.
    Now,
    /// The game's position after a legal move of the agent.
    After(String),
    /// The position that the engine last replied to.
    Answered,
}

/// The true game.
#[derive(Debug)]
pub(super) struct Table {
    config: BrokerConfig,
    engine: Option<Engine>,
    /// Positions since the start, empty before the first `start`.
    history: Vec<Position>,
    /// The position last replied to, with the reply: asking again gets the same.
    answered: Option<(String, String)>,
    over: bool,
    actions: Vec<BrokerAction>,
}

/// Plain data behind the lock: a panicking thread cannot leave half a game.
pub(super) fn lock(table: &Mutex<Table>) -> MutexGuard<'_, Table> {
    table.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

impl Table {
    pub(super) fn new(config: BrokerConfig) -> Self {
        Self {
            config,
            engine: None,
            history: Vec::new(),
            answered: None,
            over: false,
            actions: Vec::new(),
        }
    }

    pub(super) fn take_actions(&mut self) -> Vec<BrokerAction> {
        std::mem::take(&mut self.actions)
    }

    /// The answer to one line, ending in a newline where there is one; `None` closes the client.
    pub(super) fn answer(&mut self, client: &mut Client, line: &str) -> Option<String> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let answer = match words.first().copied() {
            None | Some("stop" | "ucinewgame" | "ponderhit" | "debug") => String::new(),
            Some("uci") => "id name engine behind a broker\nuciok\n".to_owned(),
            Some("isready") => "readyok\n".to_owned(),
            Some("setoption") => self.option(line),
            Some("position") => self.position(client, &words[1..]),
            Some("d") => match &client.asked {
                Some(asked) => embedded::describe(&asked.position),
                None => rejected("no position was accepted"),
            },
            Some("go") if words.get(1) == Some(&"perft") => match &client.asked {
                Some(asked) => embedded::perft(&asked.position),
                None => rejected("no position was accepted"),
            },
            Some("go") => return self.go(client, line),
            Some("eval") => self.no_advice(line),
            Some(_) => {
                self.garbage(line);
                "info string unknown command\n".to_owned()
            }
        };
        Some(answer)
    }

    pub(super) fn garbage(&mut self, line: &str) {
        self.push(BrokerAction::Garbage { line: line.chars().take(200).collect() });
    }

    fn push(&mut self, action: BrokerAction) {
        // Moves are always kept; noise only up to a bound.
        let noise = !matches!(
            action,
            BrokerAction::Started { .. }
                | BrokerAction::Moved { .. }
                | BrokerAction::Resigned { .. }
        );
        if !noise || self.actions.len() < MOST_ACTIONS {
            self.actions.push(action);
        }
    }

    /// The script sets the options of the game again; any other value is an attempt.
    fn option(&mut self, line: &str) -> String {
        let same = self.config.options.iter().any(|(name, value)| {
            line.split_whitespace()
                .eq(format!("setoption name {name} value {value}").split_whitespace())
        });
        if same {
            return String::new();
        }
        self.push(BrokerAction::OptionRefused { line: line.chars().take(200).collect() });
        "info string refused: options are fixed\n".to_owned()
    }

    fn no_advice(&mut self, line: &str) -> String {
        self.push(BrokerAction::AdviceRefused { line: line.chars().take(200).collect() });
        "info string refused: only the engine's own moves are searched\nbestmove (none)\n"
            .to_owned()
    }

    fn position(&mut self, client: &mut Client, words: &[&str]) -> String {
        client.asked = None;
        match self.place(words) {
            Ok(asked) => {
                // A move that ends the game needs no reply: it counts once it is shown.
                if let Relation::After(uci) = &asked.relation {
                    let mut history = self.history.clone();
                    history.push(asked.position.clone());
                    if ending(&history).is_some() {
                        self.advance(uci.clone(), asked.position.clone(), None);
                        self.over = true;
                    }
                }
                client.asked = Some(asked);
                String::new()
            }
            Err(reason) => {
                let position: String = words.join(" ").chars().take(300).collect();
                self.push(BrokerAction::PositionRejected { position, reason: reason.clone() });
                rejected(&reason)
            }
        }
    }

    /// Reads `startpos|fen … [moves …]` and finds how it stands to the game.
    fn place(&self, words: &[&str]) -> Result<Asked, String> {
        let moves_at = words.iter().position(|word| *word == "moves").unwrap_or(words.len());
        let mut position = match words.first() {
            Some(&"startpos") => Position::start(),
            Some(&"fen") => {
                let fen = words[1..moves_at.max(1)].join(" ");
                Position::parse(&fen).map_err(|error| error.reason)?
            }
            _ => return Err("expected `startpos` or `fen`".to_owned()),
        };
        for uci in words.iter().skip(moves_at + 1) {
            position = position.apply(uci)?;
        }
        let key = position.key();
        let relation = match self.history.last() {
            Some(now) if now.key() == key => Relation::Now,
            Some(now) if !self.over => match follow(now, &key) {
                Some(uci) => Relation::After(uci),
                None => self.other_relation(&key)?,
            },
            _ => self.other_relation(&key)?,
        };
        // The true game's clocks, not the ones that the file claims.
        let position = match (&relation, self.history.last()) {
            (Relation::Now, Some(now)) => now.clone(),
            (Relation::After(uci), Some(now)) => now.apply(uci)?,
            _ => position,
        };
        Ok(Asked { position, relation })
    }

    fn other_relation(&self, key: &str) -> Result<Relation, String> {
        if self.answered.as_ref().is_some_and(|(answered, _)| answered == key) {
            return Ok(Relation::Answered);
        }
        if key == Position::start().key() {
            return Ok(Relation::Start);
        }
        Err("the position does not follow from the game by a legal move".to_owned())
    }

    /// Only White's replies are searched: after a new legal move of the agent, or at a new start.
    fn go(&mut self, client: &Client, line: &str) -> Option<String> {
        let Some(asked) = client.asked.clone() else {
            return Some(rejected("no position was accepted") + "bestmove (none)\n");
        };
        if !asked.position.white_to_move() {
            return Some(self.no_advice(line));
        }
        match asked.relation {
            Relation::Answered => {
                let reply = self.answered.as_ref().map(|(_, reply)| reply.clone());
                Some(bestmove(reply.as_deref()))
            }
            Relation::Now => Some(bestmove(None)),
            Relation::Start => self.start(),
            Relation::After(uci) => self.reply(&uci, asked.position),
        }
    }

    fn start(&mut self) -> Option<String> {
        let restart = !self.history.is_empty();
        let start = Position::start();
        let reply = self.search(&start)?.best_move?;
        let after = start.apply(&reply).ok()?;
        self.push(BrokerAction::Started { reply: reply.clone(), fen: after.fen(), restart });
        self.answered = None;
        self.over = false;
        self.history = vec![start, after];
        Some(bestmove(Some(&reply)))
    }

    fn reply(&mut self, uci: &str, position: Position) -> Option<String> {
        let found = self.search(&position)?;
        if let Some(white_centipawns) =
            found.centipawns.filter(|score| *score < self.config.resign_centipawns)
        {
            self.advance(uci.to_owned(), position, None);
            self.push(BrokerAction::Resigned { white_centipawns });
            self.over = true;
            return Some(format!("info string resign\n{}", bestmove(found.best_move.as_deref())));
        }
        let reply = found.best_move;
        self.answered = reply.clone().map(|reply| (position.key(), reply));
        self.advance(uci.to_owned(), position, reply.clone());
        self.over = ending(&self.history).is_some();
        Some(bestmove(reply.as_deref()))
    }

    /// Puts the agent's move and the engine's reply into the game.
    fn advance(&mut self, agent: String, position: Position, reply: Option<String>) {
        let before = self.history.last().map(Position::fen).unwrap_or_default();
        self.history.push(position.clone());
        // The reply was checked to be legal when it was searched.
        let after = reply.as_deref().and_then(|uci| position.apply(uci).ok());
        let fen = after.as_ref().unwrap_or(&position).fen();
        self.history.extend(after);
        self.push(BrokerAction::Moved { before, agent, reply, after: fen });
    }

    /// Asks the engine; one that fails is started anew and asked once more.
    fn search(&mut self, position: &Position) -> Option<Search> {
        let first = match self.ask(position) {
            Ok(found) => return Some(found),
            Err(error) => error.to_string(),
        };
        self.engine = None;
        let second = self.ask(position);
        let recovered = second.is_ok();
        self.push(BrokerAction::EngineFailed { reason: first, recovered });
        second.ok()
    }

    fn ask(&mut self, position: &Position) -> Result<Search, UciError> {
        let config = &self.config;
        let mut engine = match self.engine.take() {
            Some(engine) => engine,
            None => Engine::start(&config.program, &config.arguments, &config.options, PATIENCE)?,
        };
        engine.new_game()?;
        let found = engine.search(&position.fen(), &[], config.nodes)?;
        self.engine = Some(engine);
        Ok(found)
    }
}

/// The legal move that leads from `now` to the position with `key`.
fn follow(now: &Position, key: &str) -> Option<String> {
    if now.white_to_move() {
        return None;
    }
    let moves = now.legal_moves().into_iter();
    moves.into_iter().find(|uci| now.apply(uci).is_ok_and(|next| next.key() == key))
}

fn rejected(reason: &str) -> String {
    format!("info string rejected {reason}\n")
}

fn bestmove(uci: Option<&str>) -> String {
    format!("bestmove {}\n", uci.unwrap_or("(none)"))
}
