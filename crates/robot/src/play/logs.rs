//! What S1 leaves behind, as lines of a log.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::deploy::Trace;
use crate::error::{Error, Result};
use crate::fast::TickRecord;
use crate::interface::TICK_NS;
use crate::schedule::Granted;
use crate::train::Ages;
use crate::watchdog::{Event, Rung};

/// One line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Line {
    /// A process begins: how it is scheduled.
    Granted {
        /// As granted.
        granted: Granted,
        /// Whether the policy thinks on a thread beside the loop, because it takes longer than a tick.
        beside: bool,
    },
    /// A tick.
    Tick(TickRecord),
    /// A step of the watchdog.
    Step(Event),
    /// Ticks and steps that were not written down.
    Lost {
        /// How many.
        n: u64,
    },
}

impl Line {
    pub(super) fn of(trace: Trace, beside: bool) -> Line {
        match trace {
            Trace::Granted(granted) => Line::Granted { granted, beside },
            Trace::Tick(tick) => {
                // What is no number is no share either, and JSON has none.
                let completion = if tick.completion.is_finite() { tick.completion } else { 0.0 };
                Line::Tick(TickRecord { completion, ..tick })
            }
            Trace::Event(event) => Line::Step(event),
            Trace::Lost(n) => Line::Lost { n },
        }
    }
}

/// Ages of the latents that the S1s of a run went by, as training draws them.
///
/// # Errors
/// When a line is none, or no S1 of the run had a latent.
pub fn latent_ages(folder: &Path) -> Result<Ages> {
    let mut counts = BTreeMap::new();
    for robot in 0..2 {
        for line in lines(folder, robot)? {
            let Line::Tick(TickRecord { latent_age: Some(age), rung: Rung::Run, .. }) = line else {
                continue;
            };
            *counts.entry((age / TICK_NS) as u32).or_insert(0.0) += 1.0;
        }
    }
    if counts.is_empty() {
        let reason = format!("no S1 of the run {} went by a latent", folder.display());
        return Err(Error::config("ages of the latent", reason));
    }
    Ages::new(counts.into_iter().collect())
}

/// The log of a robot's S1.
pub(super) fn path(folder: &Path, robot: usize) -> PathBuf {
    folder.join(format!("s1.{robot}.jsonl"))
}

/// Everything that the S1 of a robot left in the folder of a run; nothing where there was none.
///
/// # Errors
/// When a line is none.
pub fn lines(folder: &Path, robot: usize) -> Result<Vec<Line>> {
    let path = path(folder, robot);
    if !path.exists() {
        return Ok(Vec::new());
    }
    let lines = runs::Log::read::<Line>(&path)?;
    Ok(lines.into_iter().map(|(_, line)| line).collect())
}
