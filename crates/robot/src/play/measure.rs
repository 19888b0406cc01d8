//! How it went: from what was left in the folder.

use std::path::Path;

use runs::stats::{Rate, quantile};
use serde::{Deserialize, Serialize};

use super::{Line, RECORDS, lines};
use crate::deploy::WorldCounts;
use crate::error::Result;
use crate::fast::TickRecord;
use crate::interface::TICKS_PER_SECOND;
use crate::record::{Actor, End, Record, Time, list};
use crate::schedule::Granted;
use crate::tasks::Task;

/// How values are spread, by R's definition 7.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// How many there are.
    pub n: usize,
    /// The median.
    pub p50: f64,
    /// What 99 % do not exceed.
    pub p99: f64,
    /// What 99.9 % do not exceed.
    pub p999: f64,
    /// The largest.
    pub max: f64,
}

impl Spread {
    /// Of samples; nothing where there are none.
    #[must_use]
    pub fn of(samples: &[f64]) -> Option<Spread> {
        let mut sorted = samples.to_vec();
        sorted.sort_by(f64::total_cmp);
        let at = |q| quantile(&sorted, q);
        let n = samples.len();
        Some(Spread { n, p50: at(0.5)?, p99: at(0.99)?, p999: at(0.999)?, max: at(1.0)? })
    }
}

/// What was measured of a robot's S1, over all its lives.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// How it was scheduled, once for each life; empty in simulated time.
    pub granted: Vec<Granted>,
    /// Whether the policy thought beside the loop.
    pub beside: bool,
    /// Ticks at whose end no new action was there.
    pub missed: Rate,
    /// Longest row of them.
    pub longest_outage: u64,
    /// Ticks that were not written down.
    pub n_lost: u64,
    /// From the time a tick is due to the moment it begins, in microseconds.
    pub wake_micros: Option<Spread>,
    /// From there to the moment its action is out, in microseconds.
    pub work_micros: Option<Spread>,
    /// Age of the latent that was used, in milliseconds.
    pub latent_millis: Option<Spread>,
    /// Age of the observation that was used, in milliseconds.
    pub world_millis: Option<Spread>,
    /// Ticks on each rung of the watchdog, from `run`.
    pub on_rung: [u64; 4],
    /// The watchdog's steps.
    pub n_steps: usize,
}

impl Measured {
    /// Of the lines that an S1 left.
    #[must_use]
    pub fn of(lines: &[Line]) -> Measured {
        let ticks: Vec<&TickRecord> = lines
            .iter()
            .filter_map(|line| if let Line::Tick(tick) = line { Some(tick) } else { None })
            .collect();
        let spread = |value: &dyn Fn(&TickRecord) -> Option<f64>| {
            Spread::of(&ticks.iter().filter_map(|tick| value(tick)).collect::<Vec<_>>())
        };
        let millis = |nanos: Option<u64>| nanos.map(|nanos| nanos as f64 / 1e6);
        let mut measured = Measured {
            granted: Vec::new(),
            beside: false,
            missed: Rate::default(),
            longest_outage: 0,
            n_lost: 0,
            wake_micros: spread(&|tick| Some(tick.wake_nanos as f64 / 1e3)),
            work_micros: spread(&|tick| Some(tick.work_nanos as f64 / 1e3)),
            latent_millis: spread(&|tick| millis(tick.latent_age)),
            world_millis: spread(&|tick| millis(tick.world_age)),
            on_rung: [0; 4],
            n_steps: 0,
        };
        for line in lines {
            match line {
                Line::Granted { granted, beside } => {
                    measured.granted.push(granted.clone());
                    measured.beside |= beside;
                }
                Line::Tick(tick) => {
                    let n_missed = u64::from(tick.n_missed);
                    measured.missed.hits += n_missed;
                    measured.missed.n += 1 + n_missed;
                    measured.longest_outage = measured.longest_outage.max(n_missed);
                    measured.on_rung[tick.rung as usize] += 1;
                }
                Line::Step(_) => measured.n_steps += 1,
                Line::Lost { n } => measured.n_lost += n,
            }
        }
        measured
    }
}

/// One attempt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    /// Its number in the run.
    pub number: usize,
    /// The task.
    pub task: Task,
    /// The scene's seed.
    pub seed: u64,
    /// What each robot was told.
    pub instructions: Vec<String>,
    /// Who acted.
    pub actor: Actor,
    /// How it ended; nothing where it was cut off.
    pub end: Option<End>,
    /// Seconds on record.
    pub seconds: f64,
}

/// A run that is over.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Played {
    /// By which clock.
    pub time: Time,
    /// For how long all processes lived, or how much time was simulated.
    pub seconds: f64,
    /// Whether it was stopped early.
    pub interrupted: bool,
    /// Whether every process ended by itself when it was told to.
    pub orderly: bool,
    /// Processes that were replaced.
    pub n_replaced: u64,
    /// Latents that S2 published in a second, for each robot.
    pub latents_per_second: Vec<f64>,
    /// What the world counted about each robot.
    pub counts: Vec<WorldCounts>,
    /// What each S1 left.
    pub robots: Vec<Measured>,
    /// Attempts, those that were cut off among them.
    pub attempts: Vec<Attempt>,
    /// Successes among those that were not cut off.
    pub success: Rate,
}

impl Played {
    /// Whether a target broke a limit. It must not happen, whatever the policy says.
    #[must_use]
    pub fn broke_limits(&self) -> bool {
        self.counts.iter().any(|counts| counts.n_broken > 0)
    }

    /// Whether any robot was ever let go: its S1 had a latent, and gave usable actions.
    #[must_use]
    pub fn has_moved(&self) -> bool {
        // On the last rung, a stop, S1 says where to stand, and that is followed as well.
        self.counts.iter().any(|counts| counts.n_on_rung[..3].iter().any(|&n| n > 0))
    }
}

/// What is known at the end without the folder.
pub(super) struct Ended {
    pub(super) time: Time,
    pub(super) seconds: f64,
    pub(super) interrupted: bool,
    pub(super) orderly: bool,
    pub(super) n_replaced: u64,
    pub(super) latents_per_second: Vec<f64>,
    pub(super) counts: Vec<WorldCounts>,
}

/// All attempts on record in the folder of a run.
///
/// # Errors
/// When a record cannot be read.
pub fn attempts(folder: &Path) -> Result<Vec<Attempt>> {
    let mut attempts: Vec<Attempt> = Vec::new();
    for path in list(&folder.join(RECORDS))? {
        let record = Record::load(&path)?;
        let heading = record.heading();
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        let number = name.split('-').next().and_then(|number| number.parse().ok()).unwrap_or(0);
        if let Some(same) = attempts.last_mut().filter(|last| last.number == number) {
            same.instructions.push(heading.instruction.clone());
            continue;
        }
        attempts.push(Attempt {
            number,
            task: heading.task,
            seed: heading.seed,
            instructions: vec![heading.instruction.clone()],
            actor: heading.actor,
            end: record.end(),
            seconds: record.rows().len() as f64 / f64::from(TICKS_PER_SECOND),
        });
    }
    Ok(attempts)
}

/// Adds what is in the folder to what is known without it.
///
/// # Errors
/// When a record or a log cannot be read.
pub(super) fn measure(folder: &Path, ended: Ended) -> Result<Played> {
    let attempts = attempts(folder)?;
    let over = attempts.iter().filter_map(|attempt| attempt.end);
    let success = Rate::of(over.map(|end| end.success));
    let measured = |robot| Ok(Measured::of(&lines(folder, robot)?));
    let robots = (0..ended.counts.len()).map(measured).collect::<Result<Vec<_>>>()?;
    let Ended { time, seconds, interrupted, orderly, n_replaced, latents_per_second, counts } =
        ended;
    Ok(Played {
        time,
        seconds,
        interrupted,
        orderly,
        n_replaced,
        latents_per_second,
        counts,
        robots,
        attempts,
        success,
    })
}
