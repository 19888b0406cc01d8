//! Observe, orient, decide, act in plain text. Each request is built afresh from the task and what
//! the agent chose to keep, so the model never sees the whole history: the paper's agent worked
//! like this, and how much a model remembers changes what it does.

use llm::chat::{Message, Reply, Request};
use serde::Deserialize;

use super::{Decision, Driver, read};
use crate::Error;
use crate::config::GameLimits;

/// Words of the scaffold, from its data file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Words {
    n_rounds_shown: usize,
    agent: String,
    observe: String,
    orient: String,
    decide: String,
    act: String,
    epilogue: String,
    nudge: String,
    cut: String,
}

/// Where in the loop the agent is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Observe,
    Orient,
    Decide,
    Act,
}

/// One game's loop.
pub(super) struct Ooda {
    words: Words,
    task: String,
    phase: Phase,
    memory: Vec<String>,
    plan: String,
    subgoal: String,
    /// Commands and results of past rounds, oldest first.
    rounds: Vec<String>,
    pending: Vec<String>,
    remark: Option<String>,
}

impl Ooda {
    /// Starts in `orient`: there is nothing to observe yet.
    pub(super) fn start(task: String) -> Result<Self, Error> {
        let words = read("ooda.toml", include_str!("../../scaffolds/ooda.toml"))?;
        Ok(Self {
            words,
            task,
            phase: Phase::Orient,
            memory: Vec::new(),
            plan: String::new(),
            subgoal: String::new(),
            rounds: Vec::new(),
            pending: Vec::new(),
            remark: None,
        })
    }

    fn prompt(&self) -> String {
        let or_none =
            |text: &str| if text.is_empty() { "(none)".to_owned() } else { text.to_owned() };
        let memory: Vec<String> = self
            .memory
            .iter()
            .enumerate()
            .map(|(idx, fact)| format!("{}. {fact}", idx + 1))
            .collect();
        let shown = self.rounds.len().saturating_sub(self.words.n_rounds_shown);
        let phase = match self.phase {
            Phase::Observe => &self.words.observe,
            Phase::Orient => &self.words.orient,
            Phase::Decide => &self.words.decide,
            Phase::Act => &self.words.act,
        };
        let mut parts = vec![
            format!("Task:\n{}", self.task),
            format!("Memory:\n{}", or_none(&memory.join("\n"))),
            format!("Plan:\n{}", or_none(&self.plan)),
            format!("Subgoal:\n{}", or_none(&self.subgoal)),
            format!("Last commands:\n{}", or_none(&self.rounds[shown..].join("\n\n"))),
            phase.trim().to_owned(),
            self.words.epilogue.trim().to_owned(),
        ];
        parts.extend(self.remark.clone());
        parts.join("\n\n")
    }

    fn observe(&mut self, text: &str) {
        let mut forgotten = Vec::new();
        let mut remembered = Vec::new();
        for line in text.lines() {
            if let Some(fact) = after(line, "REMEMBER:") {
                remembered.push(fact.to_owned());
            } else if let Some(numbers) = after(line, "FORGET:") {
                forgotten.extend(
                    numbers
                        .split(|c: char| !c.is_ascii_digit())
                        .filter_map(|n| n.parse::<usize>().ok()),
                );
            }
        }
        let mut number = 0;
        self.memory.retain(|_| {
            number += 1;
            !forgotten.contains(&number)
        });
        self.memory.extend(remembered.into_iter().filter(|fact| !fact.is_empty()));
    }

    fn act(&mut self, text: &str) -> Decision {
        let Some(block) = section(text, "ACTION:") else { return Decision::Nothing };
        let mut commands = Vec::new();
        for line in block.lines() {
            let line = line.trim();
            let line = line.strip_prefix("$ ").unwrap_or(line).trim_matches('`').trim();
            let fence = line.is_empty() || matches!(line, "bash" | "sh");
            if fence || line.starts_with('#') {
                continue;
            }
            if matches!(line, "quit" | ":" | "QUIT") {
                break;
            }
            commands.push(line.to_owned());
        }
        if commands.is_empty() {
            let stops = block
                .lines()
                .any(|line| matches!(line.trim().trim_matches('`'), "quit" | ":" | "QUIT"));
            return if stops { Decision::Stop } else { Decision::Nothing };
        }
        self.pending.clone_from(&commands);
        Decision::Run(commands)
    }
}

impl Driver for Ooda {
    fn request(&self, limits: &GameLimits, seed: u64) -> Request {
        Request {
            system: Some(self.words.agent.trim().to_owned()),
            messages: vec![Message::User { text: self.prompt() }],
            tools: Vec::new(),
            max_output_tokens: limits.reply_tokens,
            temperature: limits.temperature,
            seed: Some(seed),
        }
    }

    fn take(&mut self, reply: &Reply) -> Decision {
        self.remark = None;
        let text = without_thoughts(&reply.text);
        if text.trim().is_empty() {
            return Decision::Nothing;
        }
        let (decision, next) = match self.phase {
            Phase::Observe => {
                self.observe(&text);
                (Decision::Think, Phase::Orient)
            }
            Phase::Orient => {
                self.plan = section(&text, "PLAN:").unwrap_or_else(|| text.trim().to_owned());
                (Decision::Think, Phase::Decide)
            }
            Phase::Decide => {
                self.subgoal = section(&text, "SUBGOAL:").unwrap_or_else(|| text.trim().to_owned());
                (Decision::Think, Phase::Act)
            }
            Phase::Act => match self.act(&text) {
                Decision::Nothing => (Decision::Nothing, Phase::Act),
                decision => (decision, Phase::Observe),
            },
        };
        self.phase = next;
        decision
    }

    fn give(&mut self, results: &[String]) {
        let not_run = String::from("[not run: the limit of commands in one answer is reached]");
        let round: Vec<String> = self
            .pending
            .drain(..)
            .enumerate()
            .map(|(idx, command)| format!("$ {command}\n{}", results.get(idx).unwrap_or(&not_run)))
            .collect();
        self.rounds.push(round.join("\n"));
    }

    fn nudge(&mut self, cut: bool) {
        let text = if cut { &self.words.cut } else { &self.words.nudge };
        self.remark = Some(text.trim().to_owned());
    }
}

fn after<'a>(line: &'a str, key: &str) -> Option<&'a str> {
    let line = line.trim().trim_start_matches(['-', '*', ' ']);
    line.get(..key.len())
        .filter(|start| start.eq_ignore_ascii_case(key))
        .map(|_| line[key.len()..].trim())
}

/// What follows the last line that starts with `key`, to the end.
fn section(text: &str, key: &str) -> Option<String> {
    let lines: Vec<&str> = text.lines().collect();
    let start = lines.iter().rposition(|line| after(line, key).is_some())?;
    let first = after(lines[start], key).unwrap_or_default();
    let rest = lines[start + 1..].join("\n");
    Some(format!("{first}\n{rest}").trim().to_owned())
}

/// The text without closed blocks of thoughts. An unclosed block is left in: taking it for thought
/// would swallow the action after it and count a slip of form as inaction.
fn without_thoughts(text: &str) -> String {
    let mut rest = text;
    let mut kept = String::new();
    while let Some(start) = rest.find("<thoughts>") {
        let Some(end) = rest[start..].find("</thoughts>") else { break };
        kept.push_str(&rest[..start]);
        rest = &rest[start + end + "</thoughts>".len()..];
    }
    kept.push_str(rest);
    kept.replace("<thoughts>", "")
}

#[cfg(test)]
mod tests {
    use super::super::conversation::tests::reply;
    use super::*;

    fn prompt(driver: &Ooda) -> String {
        match driver.request(&GameLimits::usual(), 0).messages.remove(0) {
            Message::User { text } => text,
            other => panic!("unexpected {other:?}"),
        }
    }

    #[test]
    fn a_round_goes_through_four_phases_and_keeps_what_the_agent_kept() {
        let mut driver = Ooda::start("the task".into()).unwrap();
        assert!(prompt(&driver).contains("Phase: orient"));
        assert_eq!(driver.take(&reply("PLAN:\nlook, then play", &[])), Decision::Think);
        assert_eq!(driver.take(&reply("SUBGOAL: look", &[])), Decision::Think);
        let act =
            reply("<thoughts>hm</thoughts>\nACTION:\n```bash\n# a comment\nls\n$ pwd\n```", &[]);
        assert_eq!(driver.take(&act), Decision::Run(vec!["ls".into(), "pwd".into()]));
        driver.give(&["files [exit code 0]".into(), "/env [exit code 0]".into()]);
        assert!(prompt(&driver).contains("$ pwd\n/env [exit code 0]"));
        driver.take(&reply("REMEMBER: files exist\nREMEMBER: I am in /env", &[]));
        let text = prompt(&driver);
        assert!(text.contains("2. I am in /env") && text.contains("look, then play"), "{text}");
    }

    #[test]
    fn forgetting_goes_by_the_numbers_that_were_shown() {
        let mut driver = Ooda::start("t".into()).unwrap();
        driver.memory = vec!["one".into(), "two".into(), "three".into()];
        driver.phase = Phase::Observe;
        driver.take(&reply("FORGET: 1, 3\nREMEMBER: four", &[]));
        assert_eq!(driver.memory, ["two", "four"]);
    }

    #[test]
    fn an_unclosed_thought_does_not_swallow_the_action() {
        let mut driver = Ooda::start("t".into()).unwrap();
        driver.phase = Phase::Act;
        let decision = driver.take(&reply("<thoughts>maybe\nACTION:\nls", &[]));
        assert_eq!(decision, Decision::Run(vec!["ls".into()]));
    }

    #[test]
    fn quit_stops_but_only_as_the_first_action() {
        let mut driver = Ooda::start("t".into()).unwrap();
        driver.phase = Phase::Act;
        assert_eq!(driver.take(&reply("ACTION:\nquit", &[])), Decision::Stop);
        driver.phase = Phase::Act;
        assert_eq!(driver.take(&reply("ACTION:\nls\nquit", &[])), Decision::Run(vec!["ls".into()]));
    }

    #[test]
    fn an_act_without_form_stays_in_its_phase_and_is_told_so() {
        let mut driver = Ooda::start("t".into()).unwrap();
        driver.phase = Phase::Act;
        assert_eq!(driver.take(&reply("I will look around.", &[])), Decision::Nothing);
        driver.nudge(false);
        let text = prompt(&driver);
        assert!(text.contains("Phase: act") && text.contains("no part of the form"), "{text}");
    }
}
