//! What candidates are measured against.

use std::sync::Arc;
use std::time::Duration;

use super::Judge;
use super::clock::{BASELINE_SHARE, net};
use super::compile::Program;
use super::session::{Contender, Limits};
use super::sets::in_order;
use crate::{Candidate, Error};

/// Calls by which an anchor is compared with the baseline that it stands for; the first is for
/// warming up.
const ANCHOR_CALLS: usize = 4;

/// A fast program that stands for a slow baseline in timings: its times, multiplied.
pub(super) struct Anchor {
    pub(super) program: Arc<Program>,
    /// The baseline's time over its own.
    pub(super) factor: f64,
}

impl Judge {
    /// Measures against another baseline from now on: an incumbent, where the base is so slow that
    /// nobody wants to wait for it. It has to be right.
    pub fn set_baseline(&mut self, name: &str, candidate: &Candidate) -> Result<(), Error> {
        let compiled = self.workshop.compile(candidate)?;
        self.base = compiled.map_err(|rejection| Error::Tool {
            tool: "gcc".to_owned(),
            reason: format!("baseline `{name}` was refused: {}", rejection.detail),
        })?;
        name.clone_into(&mut self.base_name);
        self.anchor = None;
        self.measure_base()
    }

    /// Median time of the baseline.
    #[must_use]
    pub fn baseline_time(&self) -> Duration {
        let mut nanos = self.base_nanos.clone();
        nanos.sort_unstable();
        Duration::from_nanos(nanos.get(nanos.len() / 2).copied().unwrap_or_default())
    }

    /// From now on another kernel is timed in place of the baseline, which is slow; how many times
    /// as fast it is was measured side by side, once. Whether it is right; if not, nothing changes.
    ///
    /// # Errors
    /// When the machine fails, not when the kernel does.
    pub fn set_anchor(&mut self, candidate: &Candidate) -> Result<bool, Error> {
        let Ok(program) = self.workshop.compile(candidate)? else { return Ok(false) };
        let n_calls = self.fill_pool(ANCHOR_CALLS)?;
        let steps = in_order(&self.pool[..n_calls], self.options.n_threads);
        let limits = Limits { call: self.options.baseline_limit, baseline: BASELINE_SHARE };
        let contenders = [Contender::Program(&program), Contender::Program(&self.base)];
        let showings = self.stage.run(&contenders, &steps, limits, &mut self.rng)?;
        if showings.iter().any(|showing| showing.rejection.is_some()) {
            return Ok(false);
        }
        let least = |at: usize| {
            let nanos = net(&self.round_trip, &showings[at].calls[1..]);
            nanos.into_iter().min().map_or(f64::NAN, |nanos| nanos as f64)
        };
        let factor = least(1) / least(0);
        self.anchor = (factor > 1.0).then_some(Anchor { program, factor });
        Ok(self.anchor.is_some())
    }

    /// Verifies the baseline and keeps a few times.
    pub(super) fn measure_base(&mut self) -> Result<(), Error> {
        self.fill_pool(2)?;
        let steps = in_order(&self.pool[..2], self.options.n_threads);
        let limits = Limits { call: self.options.baseline_limit, baseline: Duration::MAX };
        let contenders = [Contender::Program(&self.base)];
        let mut showings = self.stage.run(&contenders, &steps, limits, &mut self.rng)?;
        let showing = showings.remove(0);
        if let Some((_, rejection)) = showing.rejection {
            return Err(Error::Tool {
                tool: format!("`{}` of task `{}`", self.base_name, self.stage.expect.name()),
                reason: rejection.detail,
            });
        }
        self.base_nanos = net(&self.round_trip, &showing.calls[1..]);
        Ok(())
    }

    /// What the baseline may take for one call.
    pub(super) fn baseline_call(&self) -> Duration {
        let typical = self.base_nanos.iter().copied().max().unwrap_or(0);
        Duration::from_nanos(typical.saturating_mul(4)).min(self.options.baseline_limit)
    }
}
