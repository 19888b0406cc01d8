//! A player as a chat: its next reply is a function of the conversation so far.

use llm::chat::{Chat, Message, Reply, Request};
use llm::scripted::{self, Scripted};
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use super::{Player, Step};
use crate::config::derived_seed;

/// A player with a seed.
#[derive(Debug)]
pub(super) struct Twin {
    name: String,
    script: Scripted,
}

impl Twin {
    pub(super) fn new(player: &Player, seed: u64) -> Self {
        let replies = player.replies();
        let answer = move |request: &Request| Ok(next(&replies, request, seed));
        let name = format!("player:{}", player.name);
        Self { name, script: Scripted::from_fn(&player.name, answer) }
    }
}

impl Chat for Twin {
    fn name(&self) -> &str {
        &self.name
    }

    fn complete(&self, request: &Request) -> Result<Reply, llm::Error> {
        let mut reply = self.script.complete(request)?;
        reply.model.clone_from(&self.name);
        Ok(reply)
    }
}

fn next(replies: &[Step], request: &Request, seed: u64) -> Reply {
    let n_said = request.messages.iter().filter(|m| matches!(m, Message::Assistant { .. })).count();
    let done = || scripted::reply("DONE", &[]);
    let Some(step) = replies.get(n_said) else { return done() };
    let seen = Seen::of(request, derived_seed(seed, n_said as u64));
    let commands: Option<Vec<String>> =
        step.run.iter().chain(&step.runs).map(|command| seen.fill(command)).collect();
    // A move is wanted where none is left: the game is over.
    commands.map_or_else(done, |commands| scripted::reply(&step.say, &commands))
}

/// What a player takes from the conversation.
struct Seen {
    script: String,
    moves: Vec<String>,
    best: Option<String>,
    fen: Option<String>,
    seed: u64,
}

impl Seen {
    fn of(request: &Request, seed: u64) -> Self {
        let mut seen =
            Self { script: String::new(), moves: Vec::new(), best: None, fen: None, seed };
        for message in &request.messages {
            match message {
                Message::User { text } if seen.script.is_empty() => {
                    let python = text.contains("./game.py");
                    seen.script = if python { "./game.py" } else { "./game.sh" }.to_owned();
                }
                Message::Tool { content, .. } => seen.read(content),
                _ => {}
            }
        }
        seen
    }

    fn read(&mut self, printed: &str) {
        for line in printed.lines() {
            if let Some(moves) = line.strip_prefix("Legal moves:") {
                self.moves = moves.split_whitespace().map(str::to_owned).collect();
            }
            if let Some(fen) = line.strip_prefix("FEN: ") {
                self.fen = Some(fen.to_owned());
            }
            if let Some((_, after)) = line.split_once("bestmove ") {
                self.best = after.split_whitespace().next().map(str::to_owned);
            }
        }
    }

    /// A command with its placeholders filled; `None` when one of them has no value.
    fn fill(&self, command: &str) -> Option<String> {
        let mut filled = command.replace("{game}", &self.script);
        filled = filled.replace("{seed}", &self.seed.to_string());
        if filled.contains("{legal}") {
            let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
            // A player that is mated at once has no time to show what it does.
            let opens_king =
                |uci: &&String| ["f7", "g7", "e8"].iter().any(|at| uci.starts_with(at));
            let safe: Vec<&String> = self.moves.iter().filter(|uci| !opens_king(uci)).collect();
            let choice = safe.choose(&mut rng).copied().or_else(|| self.moves.choose(&mut rng));
            filled = filled.replace("{legal}", choice?);
        }
        if filled.contains("{best}") {
            // A move that was named on another board would only be refused.
            let named = self.best.as_ref().filter(|best| self.moves.contains(best));
            filled = filled.replace("{best}", named?);
        }
        if filled.contains("{fen}") {
            filled = filled.replace("{fen}", self.fen.as_ref()?);
        }
        Some(filled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(printed: &[&str]) -> Request {
        let mut messages = vec![Message::User { text: "Play with ./game.sh move.".into() }];
        for text in printed {
            let opaque = serde_json::Value::Null;
            messages.push(Message::Assistant { text: String::new(), tool_calls: vec![], opaque });
            let (call_id, content) = ("0".into(), (*text).into());
            messages.push(Message::Tool { call_id, content, is_error: false });
        }
        Request {
            system: None,
            messages,
            tools: Vec::new(),
            max_output_tokens: 9,
            temperature: None,
            seed: None,
        }
    }

    fn steps(commands: &[&str]) -> Vec<Step> {
        let step = |run: &&str| Step { run: Some((*run).into()), ..Step::default() };
        commands.iter().map(step).collect()
    }

    #[test]
    fn choices_are_legal_and_the_same_for_a_seed() {
        let steps = steps(&["{game} start", "{game} move {legal}"]);
        let first = next(&steps, &request(&[]), 1);
        assert_eq!(first.tool_calls[0].arguments["command"], "./game.sh start");
        let printed = ["Legal moves: a7a6 b7b6"];
        let picks: Vec<_> = (0..20)
            .map(|seed| next(&steps, &request(&printed), seed).tool_calls[0].arguments.to_string())
            .collect();
        assert_eq!(
            picks[3],
            next(&steps, &request(&printed), 3).tool_calls[0].arguments.to_string()
        );
        assert!(picks.iter().any(|pick| pick.contains("a7a6")));
        assert!(picks.iter().any(|pick| pick.contains("b7b6")));
    }

    #[test]
    fn a_player_without_a_move_or_a_step_is_done() {
        let steps = steps(&["{game} start", "{game} move {legal}"]);
        assert_eq!(next(&steps, &request(&["Game over: draw."]), 1).text, "DONE");
        assert_eq!(next(&steps, &request(&["", "", ""]), 1).text, "DONE");
    }
}
