//! Candidates beside their baseline, in turns, and what the times say.

use std::sync::Arc;
use std::time::Duration;

use super::compile::Program;
use super::session::{Contender, Limits, Step};
use super::{Floor, Peer, RoundTrip};
use super::{Found, Judge, is_wrong, note, roofline, timing, worker};
use crate::evaluation::{Block, Evaluation, Level, Reason, Rejection, Timing};
use crate::{Candidate, Error};

pub(super) const FULL_CALLS: usize = 8;

/// Blocks of a timing beside a peer: its result is printed, not only used to choose.
const N_PEER_BLOCKS: usize = 3;

/// How often the floor is measured again before something is called impossible.
const FLOOR_LOOKS: usize = 4;

/// Time for the baseline's calls in one block of a full timing, above its first two.
pub(super) const BASELINE_SHARE: Duration = Duration::from_secs(1);

impl Judge {
    /// Times a candidate beside the baseline. Rejections go to the evaluation; then there is
    /// nothing more to see.
    pub(super) fn time(
        &mut self,
        program: &Program,
        n_blocks: usize,
        n_calls: usize,
        held: bool,
        evaluation: &mut Evaluation,
    ) -> Result<Vec<Block>, Error> {
        let n_calls = if held { self.fill_held()? } else { self.fill_pool(n_calls)? };
        let (rival, factor) = match &self.anchor {
            Some(anchor) => (Arc::clone(&anchor.program), anchor.factor),
            None => (Arc::clone(&self.base), 1.0),
        };
        let limits = Limits { call: self.call_limit(), baseline: BASELINE_SHARE };
        let limits = Limits { call: limits.call.max(self.baseline_call()), ..limits };
        let mut blocks = Vec::new();
        for _ in 0..n_blocks {
            let sets = if held { &self.held } else { &self.pool };
            let mut order: Vec<usize> = (0..n_calls).collect();
            rand::seq::SliceRandom::shuffle(&mut order[..], &mut self.rng);
            let n_threads = self.options.n_threads;
            let steps: Vec<Step<'_>> =
                order.iter().map(|&at| Step { set: &sets[at], n_threads }).collect();
            let contenders = [Contender::Program(program), Contender::Program(&rival)];
            let showings = self.stage.run(&contenders, &steps, limits, &mut self.rng)?;
            let mut found = Found::nothing();
            found.add(&showings[0], |at, reason| {
                let turned = if is_wrong(reason) { Reason::Drift } else { reason };
                (turned, format!(" (call {} of a timed process)", at + 1))
            });
            if note(evaluation, found) {
                return Ok(Vec::new());
            }
            if let Some((_, rejection)) = &showings[1].rejection {
                return Err(Error::Tool {
                    tool: format!("baseline `{}`", self.base_name),
                    reason: rejection.detail.clone(),
                });
            }
            let mut baseline_nanos = net(&self.round_trip, &showings[1].calls[1..]);
            if self.anchor.is_some() {
                let scaled = |nanos: &mut u64| *nanos = (*nanos as f64 * factor) as u64;
                baseline_nanos.iter_mut().for_each(scaled);
            }
            blocks.push(Block {
                candidate_nanos: net(&self.round_trip, &showings[0].calls[1..]),
                baseline_nanos,
            });
        }
        Ok(blocks)
    }

    /// Sums up blocks into the evaluation. Whether there is nothing more to see.
    pub(super) fn conclude(
        &mut self,
        evaluation: &mut Evaluation,
        blocks: Vec<Block>,
    ) -> Result<bool, Error> {
        if evaluation.rejection.is_some() {
            return Ok(true);
        }
        let round_trip = self.round_trip;
        let timing = timing::sum_up(
            blocks,
            &self.base_name,
            self.floor.nanos(),
            round_trip.least_nanos,
            self.options.seed,
        );
        let Some(mut timing) = timing else { return Ok(true) };
        if let Some(anchor) = &self.anchor {
            timing.warnings.push(format!(
                "the baseline is slow: a kernel that is {:.1} times as fast was measured in its place",
                anchor.factor
            ));
        }
        // A busy machine only ever adds time, so the fastest call, with its round trip, is compared
        // with the fastest touch without.
        let calls = timing.blocks.iter().flat_map(|block| &block.candidate_nanos);
        let fastest = calls
            .copied()
            .min()
            .map_or(f64::INFINITY, |nanos| nanos as f64 + round_trip.least_nanos);
        let impossible = |floor: &Floor| floor.forbids(fastest, round_trip);
        // The machine may have been busy when the floor was measured: an honest kernel must not pay
        // for that.
        for _ in 0..FLOOR_LOOKS {
            if !impossible(&self.floor) {
                break;
            }
            self.floor = self.floor.lower(self.measure_floor()?);
            timing.floor_nanos = self.floor.nanos();
        }
        if impossible(&self.floor) {
            let detail = format!(
                "{:.1} µs, where this machine needs {:.1} µs to touch {:.0} bytes and to do {:.1e} \
                 operations",
                fastest / 1e3,
                self.floor.nanos() / 1e3,
                self.floor.bytes,
                self.floor.flops
            );
            evaluation.rejection = Some(Rejection { reason: Reason::Impossible, detail });
            evaluation.level = Level::Correct;
            evaluation.timing = None;
            return Ok(true);
        }
        if !self.floor.is_measurable(round_trip) {
            timing.warnings.push("too short for a floor that means something".to_owned());
        }
        evaluation.level = Level::Timed;
        evaluation.timing = Some(timing);
        Ok(false)
    }

    pub(super) fn measure_floor(&mut self) -> Result<Floor, Error> {
        roofline::floor(
            &mut self.stage,
            &mut self.workshop,
            &self.pool[0],
            (self.options.n_threads, self.round_trip),
            Limits { call: self.options.baseline_limit, baseline: Duration::MAX },
            &mut self.rng,
        )
    }

    /// Times a candidate, which has to be right, beside a trusted program outside the sandbox.
    /// `None` with a rejection in the evaluation when it is not right.
    pub fn time_against(
        &mut self,
        candidate: &Candidate,
        peer: &Peer,
    ) -> Result<Result<Timing, Rejection>, Error> {
        let program = match self.workshop.compile(candidate)? {
            Ok(program) => program,
            Err(rejection) => return Ok(Err(rejection)),
        };
        let n_calls = self.fill_pool(FULL_CALLS)?;
        let limits = Limits { call: self.options.baseline_limit, baseline: Duration::MAX };
        let mut blocks = Vec::new();
        for _ in 0..N_PEER_BLOCKS {
            let mut order: Vec<usize> = (0..n_calls).collect();
            rand::seq::SliceRandom::shuffle(&mut order[..], &mut self.rng);
            let n_threads = self.options.n_threads;
            let steps: Vec<Step<'_>> =
                order.iter().map(|&at| Step { set: &self.pool[at], n_threads }).collect();
            let contenders = [Contender::Program(&program), Contender::Peer(peer)];
            let showings = self.stage.run(&contenders, &steps, limits, &mut self.rng)?;
            if let Some((_, rejection)) = &showings[1].rejection {
                let (tool, reason) = (peer.name.clone(), rejection.detail.clone());
                return Err(Error::Tool { tool, reason });
            }
            if let Some((_, rejection)) = &showings[0].rejection {
                return Ok(Err(rejection.clone()));
            }
            // A peer compiles and plans in its first calls.
            let skipped = 2.min(n_calls.saturating_sub(1));
            blocks.push(Block {
                candidate_nanos: net(&self.round_trip, &showings[0].calls[skipped..]),
                baseline_nanos: net(&self.round_trip, &showings[1].calls[skipped..]),
            });
        }
        let timing = timing::sum_up(
            blocks,
            &peer.name,
            self.floor.nanos(),
            self.round_trip.least_nanos,
            self.options.seed,
        );
        Ok(Ok(timing.expect("each block has calls of both")))
    }
}

/// Times with the empty round trip taken off: its least, and never more than half of a time. More
/// than a call's own overhead must not be taken off, however busy the machine was when that was
/// measured; what is left of it shows as a warning on short calls.
pub(super) fn net(round_trip: &RoundTrip, calls: &[worker::Call]) -> Vec<u64> {
    let empty = round_trip.least_nanos as u64;
    let nanos = |call: &worker::Call| u64::try_from(call.elapsed.as_nanos()).unwrap_or(u64::MAX);
    calls
        .iter()
        .map(|call| {
            let nanos = nanos(call);
            (nanos - empty.min(nanos / 2)).max(1)
        })
        .collect()
}
