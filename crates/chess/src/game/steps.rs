//! The loop: ask the model, run its commands, record, until something ends the game.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use llm::chat::{Reply, Stop, Usage};
use sandbox::outcome::{Command, Outcome};

use super::{Actions, Facts, Shell, Table, Tape, ending};
use crate::Error;
use crate::agent::{Decision, Driver, cut_output, render_result};
use crate::evidence::{EventBody, GameEnd};
use crate::record::millis;

/// Answers without anything to run, in a row, that end a game.
const N_EMPTY_ANSWERS: u32 = 2;

/// The model's side: its conversation and what it has used.
pub(super) struct Agent {
    driver: Box<dyn Driver>,
    pub(super) models: Vec<String>,
    pub(super) usage: Usage,
    pub(super) n_replies: u32,
}

impl Agent {
    pub(super) fn new(driver: Box<dyn Driver>) -> Self {
        Self { driver, models: Vec::new(), usage: Usage::default(), n_replies: 0 }
    }

    fn count(&mut self, reply: &Reply) {
        // A sum over replies of which one has no price has no price either.
        self.usage = if self.n_replies == 0 { reply.usage } else { sum(&self.usage, &reply.usage) };
        self.n_replies += 1;
        if !self.models.contains(&reply.model) {
            self.models.push(reply.model.clone());
        }
    }
}

/// Everything the loop works on.
pub(super) struct Steps<'a, 't> {
    pub(super) table: &'a Table<'a>,
    pub(super) facts: &'a Facts,
    pub(super) shell: &'a mut dyn Shell,
    pub(super) actions: &'a Actions<'a>,
    pub(super) tape: &'a mut Tape<'t>,
    pub(super) began: Instant,
}

/// How one step or command went: on, or to an end.
type Flow = std::ops::ControlFlow<GameEnd>;

impl Steps<'_, '_> {
    /// Plays to some end.
    pub(super) fn play(&mut self, agent: &mut Agent) -> Result<GameEnd, Error> {
        match self.shell.manifest() {
            Ok(manifest) => self.tape.compare(manifest)?,
            Err(error) => return Ok(infrastructure(&error)),
        }
        let mut n_empty = 0;
        let why = loop {
            if let Some(end) = self.limit_reached(agent)? {
                break end;
            }
            self.tape.step += 1;
            match self.step(agent, &mut n_empty)? {
                Flow::Continue(()) => {}
                Flow::Break(end) => break end,
            }
        };
        // Whatever still runs inside has had its time until here; its traces belong to the game.
        self.tape.collect(self.shell, self.actions)?;
        if let Ok(manifest) = self.shell.manifest() {
            self.tape.compare(manifest)?;
        }
        Ok(why)
    }

    fn limit_reached(&self, agent: &Agent) -> Result<Option<GameEnd>, Error> {
        let limits = self.table.limits;
        if self.table.cancel.load(Ordering::Relaxed) {
            return Err(Error::Interrupted);
        }
        if self.tape.step >= limits.n_steps {
            return Ok(Some(GameEnd::StepLimit));
        }
        let over = |limit: &str| Some(GameEnd::BudgetLimit { limit: limit.to_owned() });
        if self.began.elapsed() >= limits.game_wall() {
            return Ok(over("wall"));
        }
        let tokens = agent.usage.input_tokens + agent.usage.output_tokens;
        if limits.tokens.is_some_and(|limit| tokens >= limit) {
            return Ok(over("tokens"));
        }
        let usd = agent.usage.cost_usd.unwrap_or(0.0);
        if limits.usd.is_some_and(|limit| usd >= limit) {
            return Ok(over("money"));
        }
        Ok(None)
    }

    fn step(&mut self, agent: &mut Agent, n_empty: &mut u32) -> Result<Flow, Error> {
        let request = agent.driver.request(self.table.limits, self.facts.seed);
        let reply = match self.table.chat.complete(&request) {
            Ok(reply) => reply,
            Err(llm::Error::Interrupted { .. }) => return Err(Error::Interrupted),
            Err(error @ (llm::Error::Config { .. } | llm::Error::Budget { .. })) => {
                return Err(error.into());
            }
            Err(error) => return Ok(Flow::Break(infrastructure(&error))),
        };
        self.tape.reply(&reply)?;
        agent.count(&reply);
        let decision = agent.driver.take(&reply);
        let commands = match &decision {
            Decision::Run(commands) => commands.clone(),
            _ => Vec::new(),
        };
        // Before the turn is written down: what background processes did while the model thought.
        self.tape.collect(self.shell, self.actions)?;
        self.tape.push(EventBody::Turn {
            text: reply.text.clone(),
            reasoning: reply.reasoning.clone(),
            commands: commands.clone(),
            stop: stop_name(reply.stop).to_owned(),
        })?;
        match decision {
            Decision::Think => Ok(Flow::Continue(())),
            Decision::Stop => Ok(Flow::Break(GameEnd::AgentStopped)),
            Decision::Nothing => {
                *n_empty += 1;
                if *n_empty >= N_EMPTY_ANSWERS {
                    return Ok(Flow::Break(GameEnd::NothingToRun));
                }
                agent.driver.nudge(reply.stop == Stop::Length);
                Ok(Flow::Continue(()))
            }
            Decision::Run(_) => {
                *n_empty = 0;
                self.run_all(agent, &commands)
            }
        }
    }

    fn run_all(&mut self, agent: &mut Agent, commands: &[String]) -> Result<Flow, Error> {
        let mut results = Vec::new();
        let n_allowed = self.table.limits.n_commands_per_reply as usize;
        for command in commands.iter().take(n_allowed) {
            if self.table.cancel.load(Ordering::Relaxed) {
                return Err(Error::Interrupted);
            }
            let left = self.table.limits.game_wall().saturating_sub(self.began.elapsed());
            if left.is_zero() {
                return Ok(Flow::Break(GameEnd::BudgetLimit { limit: "wall".into() }));
            }
            match self.run_one(command, left)? {
                Ok(result) => results.push(result),
                Err(end) => return Ok(Flow::Break(end)),
            }
            if ending::game_is_over(self.facts, self.shell, self.tape.events())? {
                return Ok(Flow::Break(GameEnd::ScriptSaysOver));
            }
        }
        agent.driver.give(&results);
        Ok(Flow::Continue(()))
    }

    /// Runs one command and records it. The inner result is what the agent reads, or the end of
    /// the game when the sandbox broke.
    fn run_one(&mut self, command: &str, left: Duration) -> Result<Result<String, GameEnd>, Error> {
        self.tape.push(EventBody::CommandStarted { command: command.to_owned() })?;
        let wall = self.table.limits.command_wall().min(self.table.setup.command_wall).min(left);
        let outcome = self.shell.run(&Command {
            argv: vec!["sh".into(), "-c".into(), command.to_owned()],
            cwd: None,
            stdin: Vec::new(),
            wall: Some(wall),
        });
        self.tape.collect(self.shell, self.actions)?;
        let outcome = match outcome {
            Ok(outcome) => outcome,
            Err(error) => return Ok(Err(infrastructure(&error))),
        };
        match self.shell.manifest() {
            Ok(manifest) => self.tape.compare(manifest)?,
            Err(error) => return Ok(Err(infrastructure(&error))),
        }
        // The manifest may have waited for file events of its own.
        self.tape.collect(self.shell, self.actions)?;
        let Outcome { ending, stdout, stderr, dropped_bytes, wall, background } = outcome;
        let limit = self.table.limits.output_bytes;
        let stdout = cut_output(&stdout, dropped_bytes, limit);
        let stderr = cut_output(&stderr, 0, limit);
        let result = render_result(&ending, &stdout, &stderr);
        let wall_millis = millis(wall);
        self.tape.push(EventBody::CommandEnded {
            ending,
            stdout,
            stderr,
            background,
            wall_millis,
        })?;
        Ok(Ok(result))
    }
}

fn sum(one: &Usage, other: &Usage) -> Usage {
    Usage {
        input_tokens: one.input_tokens + other.input_tokens,
        cached_tokens: one.cached_tokens + other.cached_tokens,
        output_tokens: one.output_tokens + other.output_tokens,
        reasoning_tokens: one.reasoning_tokens + other.reasoning_tokens,
        cost_usd: one.cost_usd.zip(other.cost_usd).map(|(one, other)| one + other),
    }
}

fn infrastructure(error: &dyn std::error::Error) -> GameEnd {
    GameEnd::Infrastructure { reason: error.to_string() }
}

/// Name of a stop as it is stored.
fn stop_name(stop: Stop) -> &'static str {
    match stop {
        Stop::End => "end",
        Stop::ToolCalls => "tool-calls",
        Stop::Length => "length",
        Stop::Refusal => "refusal",
        Stop::Other => "other",
    }
}

#[cfg(test)]
mod tests;
