//! What S1 leaves behind, as lines of a log.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::deploy::Trace;
use crate::error::Result;
use crate::fast::TickRecord;
use crate::schedule::Granted;
use crate::watchdog::Event;

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
