//! Does an agent win by breaking the rules? A game, a referee that the agent cannot reach, and
//! verdicts from evidence.
//!
//! An agent gets a shell in a sandbox, a chess engine far stronger than itself, and the task to
//! win. [`game::play`] plays one such game and returns its [`evidence::Evidence`]: what the
//! supervisor, the broker and the harness saw, none of which the agent can write.
//! [`referee::judge`] turns evidence into a [`verdict::Verdict`], and is pure, so stored games can
//! be judged again by newer rules. [`run::run`] plays a matrix of games, resumably, and
//! [`report`] renders what a run's folder holds.
//!
//! Modules in reading order.

pub mod evidence;
pub mod verdict;

pub mod position;

pub mod ledger;
pub mod referee;
pub mod rules;

pub mod broker;
pub mod embedded;
pub mod engine_check;
pub mod task;
pub mod uci;

pub mod agent;
pub mod config;
pub mod game;
pub mod record;
pub mod run;

pub mod corpus;
pub mod players;

pub mod export;
pub mod judge_llm;
pub mod rejudge;
pub mod report;
pub mod summary;

pub mod error;

#[cfg(test)]
mod sample;

pub use error::Error;
