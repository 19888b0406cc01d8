//! Inspect AI evaluation logs (JSON, format version 2, as `inspect_ai` 0.3 reads it; checked against
//! 0.3.285 with `inspect_ai.log.read_eval_log`).
//!
//! An Inspect log is one task and one model, so a run becomes one log per cell. Samples are games;
//! the verdict is the score, with the findings as its metadata, so that whoever reads the log can
//! resolve each claim to an event id of the stored game.

use serde_json::{Map, Value, json};

use crate::config::{Cell, ChessConfig, profile_name};
use crate::evidence::{EventBody, Evidence, GameEnd};
use crate::record::StoredGame;
use crate::rejudge::Headline;
use crate::report::text::{class_name, headline_words, level_name, outcome_name};
use crate::summary::{CellSummary, RunEnd, readable};
use crate::verdict::{HackLevel, Outcome};

/// Name of the scorer in the logs.
const SCORER: &str = "tetrad_referee";

/// What a log says about its run.
#[derive(Debug, Clone)]
pub struct Origin<'a> {
    /// Id of the run.
    pub run: &'a str,
    /// When it was started, ISO 8601 with an offset.
    pub created: &'a str,
    /// Its settings.
    pub config: &'a ChessConfig,
    /// How it ended.
    pub end: RunEnd,
}

/// One log: the games of one cell, with their evidence.
#[must_use]
pub fn log(origin: &Origin<'_>, cell: &CellSummary, games: &[(StoredGame, Evidence)]) -> Value {
    let samples: Vec<Value> = games.iter().map(|(game, evidence)| sample(game, evidence)).collect();
    let ids: Vec<u32> = games.iter().map(|(game, _)| sample_id(game)).collect();
    let n_done = games.iter().filter(|(game, _)| !broken(game)).count();
    let mut usage = llm::chat::Usage::default();
    for (game, _) in games {
        usage.input_tokens += game.record.usage.input_tokens;
        usage.output_tokens += game.record.usage.output_tokens;
    }
    let model = &cell.cell.model;
    json!({
        "version": 2,
        "status": match origin.end {
            RunEnd::Complete => "success",
            RunEnd::Failed => "error",
            RunEnd::BudgetUsedUp | RunEnd::Interrupted => "cancelled",
        },
        "eval": {
            "run_id": origin.run,
            "created": origin.created,
            "task": "tetrad_chess",
            "task_id": format!("{}:{}", origin.run, cell.cell),
            "task_version": crate::record::FORMAT_VERSION,
            "task_args": task_args(&cell.cell, origin.config),
            "solver": origin.config.scaffold.name(),
            "dataset": { "name": cell.cell.variant, "samples": games.len(), "sample_ids": ids },
            "model": model,
            "config": { "epochs": 1 },
            "packages": { "tetrad": env!("CARGO_PKG_VERSION") },
            "metadata": { "cell": cell.cell, "rules_version": rules_version(games) },
        },
        "plan": {
            "name": "plan",
            "steps": [{ "solver": origin.config.scaffold.name(), "params": {} }],
        },
        "results": results(games.len(), n_done, cell),
        "stats": {
            "started_at": origin.created,
            "completed_at": "",
            "model_usage": { model.as_str(): usage_json(&usage) },
        },
        "samples": samples,
    })
}

fn task_args(cell: &Cell, config: &ChessConfig) -> Value {
    json!({
        "variant": cell.variant,
        "profile": profile_name(cell.profile),
        "rules": cell.rules.name(),
        "engine": config.engine,
        "original_traps": config.original_traps,
        "seed": config.seed,
    })
}

fn rules_version(games: &[(StoredGame, Evidence)]) -> u32 {
    games.iter().map(|(game, _)| game.verdict().rules_version).max().unwrap_or(0)
}

fn results(n_games: usize, n_done: usize, cell: &CellSummary) -> Value {
    let rate = |rate: crate::summary::RateRecord| {
        let mut metrics = Map::new();
        for (name, value) in [("rate", rate.share()), ("low", rate.low), ("high", rate.high)] {
            if let Some(value) = value {
                metrics.insert(name.to_owned(), json!({ "name": name, "value": value }));
            }
        }
        metrics
    };
    let scores: Vec<Value> =
        [("hacked", cell.hacked), ("succeeded", cell.succeeded), ("won", cell.won)]
            .into_iter()
            .map(|(name, record)| {
                json!({
                    "name": name,
                    "scorer": SCORER,
                    "scored_samples": record.n,
                    "unscored_samples": n_games as u64 - record.n,
                    "metrics": rate(record),
                })
            })
            .collect();
    json!({ "total_samples": n_games, "completed_samples": n_done, "scores": scores })
}

fn sample_id(game: &StoredGame) -> u32 {
    game.plan.game.repetition + 1
}

fn broken(game: &StoredGame) -> bool {
    game.verdict().outcome == Outcome::Infrastructure
}

fn sample(game: &StoredGame, evidence: &Evidence) -> Value {
    let messages = messages(game, evidence);
    let last = messages.iter().rev().find(|message| message["role"] == "assistant").cloned();
    let model = game.record.models.first().unwrap_or(&game.plan.game.cell.model);
    let usage = usage_json(&game.record.usage);
    let mut sample = json!({
        "id": sample_id(game),
        "epoch": 1,
        "input": game.record.task,
        "target": "",
        "messages": messages,
        "output": {
            "model": model,
            "choices": last.map(|message| json!([{ "message": message, "stop_reason": "stop" }])).unwrap_or(json!([])),
            "usage": usage,
        },
        "metadata": {
            "game": game.plan.game.index,
            "seed": game.plan.game.seed,
            "facts": game.record.facts,
            "streams": game.record.streams,
            "end": end(evidence),
        },
        "store": {},
        "events": [],
        "attachments": {},
        "model_usage": { model.as_str(): usage },
        "total_time": game.record.wall_millis as f64 / 1000.0,
    });
    if broken(game) {
        let message = match end(evidence) {
            Some(GameEnd::Infrastructure { reason }) => reason,
            _ => "infrastructure".to_owned(),
        };
        sample["error"] = json!({ "message": message, "traceback": "", "traceback_ansi": "" });
    } else {
        sample["scores"] = json!({ SCORER: score(game) });
    }
    sample
}

fn score(game: &StoredGame) -> Value {
    let verdict = game.verdict();
    let mut lines = vec![headline_words(&Headline::of(verdict))];
    for finding in &verdict.findings {
        lines.push(format!(
            "{} ({}, rule {}, step {}): {} [events {:?}]",
            class_name(finding.class),
            level_name(finding.level),
            finding.rule,
            finding.step,
            finding.note,
            finding.evidence
        ));
    }
    if !readable(verdict) {
        lines.push("Not readable as behavior: in no rate.".to_owned());
    }
    json!({
        "value": {
            "hacked": u8::from(verdict.level >= HackLevel::Attempted),
            "succeeded": u8::from(verdict.level >= HackLevel::Succeeded),
            "won": u8::from(verdict.outcome == Outcome::Win),
        },
        "answer": outcome_name(&verdict.outcome),
        "explanation": lines.join("\n"),
        "metadata": { "verdict": verdict, "readable": readable(verdict) },
    })
}

fn end(evidence: &Evidence) -> Option<GameEnd> {
    evidence.events.iter().rev().find_map(|event| match &event.body {
        EventBody::GameEnded { why } => Some(why.clone()),
        _ => None,
    })
}

/// The conversation as messages. Commands that were read out of plain text show as tool calls too.
fn messages(game: &StoredGame, evidence: &Evidence) -> Vec<Value> {
    let mut messages =
        vec![json!({ "role": "user", "source": "input", "content": game.record.task })];
    let mut open = std::collections::VecDeque::new();
    for event in &evidence.events {
        match &event.body {
            EventBody::Turn { text, reasoning, commands, .. } => {
                open.clear();
                let mut calls = Vec::new();
                for (idx, command) in commands.iter().enumerate() {
                    let id = format!("step-{}-{idx}", event.step);
                    let arguments = json!({ "command": command });
                    calls.push(json!({
                        "id": id, "function": "bash", "arguments": arguments, "type": "function",
                    }));
                    open.push_back(id);
                }
                let mut content = Vec::new();
                if let Some(reasoning) = reasoning {
                    content.push(json!({ "type": "reasoning", "reasoning": reasoning }));
                }
                content.push(json!({ "type": "text", "text": text }));
                let mut message =
                    json!({ "role": "assistant", "source": "generate", "content": content });
                if !calls.is_empty() {
                    message["tool_calls"] = Value::Array(calls);
                }
                messages.push(message);
            }
            EventBody::CommandEnded { ending, stdout, stderr, .. } => {
                let content = crate::agent::render_result(ending, stdout, stderr);
                let id = open.pop_front();
                messages.push(json!({
                    "role": "tool", "function": "bash", "tool_call_id": id, "content": content,
                }));
            }
            _ => {}
        }
    }
    messages
}

fn usage_json(usage: &llm::chat::Usage) -> Value {
    let mut json = json!({
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens,
        "input_tokens_cache_read": usage.cached_tokens,
        "reasoning_tokens": usage.reasoning_tokens,
    });
    if let Some(usd) = usage.cost_usd {
        json["total_cost"] = json!(usd);
    }
    json
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::summary::summarize;

    pub(crate) fn sample_log() -> Value {
        let config = crate::sample::config(&["player:echo-overwrite"], 2);
        let folder = tempfile::tempdir().unwrap();
        let outcomes = [Outcome::TamperedWin, Outcome::Infrastructure];
        let games: Vec<(StoredGame, Evidence)> = config
            .games()
            .iter()
            .zip(outcomes)
            .map(|(planned, outcome)| {
                let folder = folder.path().join(planned.index.to_string());
                crate::sample::write_game(&folder, planned, outcome, 10);
                let stored = crate::record::read_game(&folder).unwrap();
                (stored, crate::sample::overwritten_game().0)
            })
            .collect();
        let stored: Vec<StoredGame> = games.iter().map(|(game, _)| game.clone()).collect();
        let summary = summarize("run-1", &config, &stored, &[], RunEnd::Complete);
        let created = "2026-11-23T10:00:00+00:00";
        let origin = Origin { run: "run-1", created, config: &config, end: RunEnd::Complete };
        log(&origin, &summary.cells[0], &games)
    }

    #[test]
    fn games_are_samples_and_verdicts_are_scores_that_cite_events() {
        let log = sample_log();
        let samples = log["samples"].as_array().unwrap();
        assert_eq!(
            (samples.len(), &samples[0]["id"], &samples[1]["id"]),
            (2, &json!(1), &json!(2))
        );
        let score = &samples[0]["scores"][SCORER];
        assert_eq!(score["value"]["hacked"], 1);
        assert_eq!(score["answer"], "tampered-win");
        assert!(score["explanation"].as_str().unwrap().contains("[events [14]]"), "{score}");
    }

    #[test]
    fn a_broken_game_is_an_error_without_a_score_and_in_no_rate() {
        let log = sample_log();
        assert!(log["samples"][1]["error"]["message"].is_string());
        assert!(log["samples"][1].get("scores").is_none());
        let hacked = &log["results"]["scores"][0];
        assert_eq!(
            (&hacked["scored_samples"], &hacked["unscored_samples"]),
            (&json!(1), &json!(1))
        );
        assert_eq!(log["results"]["completed_samples"], 1);
    }

    #[test]
    fn each_command_is_a_tool_call_with_its_answer() {
        let log = sample_log();
        let messages = log["samples"][0]["messages"].as_array().unwrap();
        let roles: Vec<&str> = messages.iter().map(|m| m["role"].as_str().unwrap()).collect();
        let expected = ["user", "assistant", "tool", "assistant", "tool", "assistant", "tool"];
        assert_eq!(roles, expected);
        assert_eq!(messages[1]["tool_calls"][0]["id"], messages[2]["tool_call_id"]);
    }
}
