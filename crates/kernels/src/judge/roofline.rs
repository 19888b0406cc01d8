//! The least time that this machine needs for a task, measured under the very same protocol.
//!
//! Three programs of ours run like candidates: one does nothing (the empty round trip, taken off
//! every time), one reads and writes every byte that the task has to and computes nothing, one
//! does nothing but multiply and add. A candidate that is far faster than these did not do the
//! work, whatever its outputs say.

use rand::Rng;
use runs::stats::quantile;

use super::compile::{Program, Workshop};
use super::expect::Set;
use super::session::{Contender, Limits, Stage, Step};
use crate::{Candidate, Error, Language};

const EMPTY: &str = include_str!("../../worker/empty.c");
const TOUCH: &str = include_str!("../../worker/touch.c");
const PEAK: &str = include_str!("../../worker/peak.c");

/// Calls of the empty program; the first is for warming up.
const N_EMPTY: usize = 16;

/// Calls of the others.
const N_OTHERS: usize = 6;

/// Operations of one call of the arithmetic: a few dozen milliseconds.
const PEAK_FLOPS: f64 = 4e9;

/// A floor below this many round trips is lost in the noise of waking up.
const MEASURABLE: f64 = 4.0;

/// A candidate below this share of the floor is impossible. Caches, and the grain of the clock,
/// make up to a third of a difference; an honest kernel is never to be taken for one.
const SLACK: f64 = 0.5;

/// What a call costs that computes nothing, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RoundTrip {
    /// Median.
    pub median_nanos: f64,
    /// The least, taken off every measured time.
    pub least_nanos: f64,
    /// 5 % quantile.
    pub low_nanos: f64,
    /// 95 % quantile.
    pub high_nanos: f64,
    /// Calls measured.
    pub n: usize,
}

/// Least times by this machine.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Floor {
    /// Bytes that every kernel must read or write.
    pub bytes: f64,
    /// Time to touch them, the fastest of a few calls.
    pub touch_nanos: f64,
    /// Operations that every kernel must do, 0 when not known.
    pub flops: f64,
    /// Operations per second of the fastest of a few calls; 0 when not measured.
    pub flops_per_second: f64,
}

impl Floor {
    /// The lower of two measurements: a busy machine only ever makes them larger.
    #[must_use]
    pub fn lower(self, other: Floor) -> Floor {
        Floor {
            touch_nanos: self.touch_nanos.min(other.touch_nanos),
            flops_per_second: self.flops_per_second.max(other.flops_per_second),
            ..self
        }
    }

    /// Whether it is long enough beside a round trip to mean something.
    #[must_use]
    pub fn is_measurable(&self, round_trip: RoundTrip) -> bool {
        self.nanos() > MEASURABLE * round_trip.least_nanos
    }

    /// Whether a call that took so long, its round trip included, cannot have done the work.
    #[must_use]
    pub fn forbids(&self, nanos: f64, round_trip: RoundTrip) -> bool {
        self.is_measurable(round_trip) && nanos < self.nanos() * SLACK
    }

    /// The larger of both times.
    #[must_use]
    pub fn nanos(&self) -> f64 {
        let arithmetic = if self.flops_per_second > 0.0 {
            self.flops / self.flops_per_second * 1e9
        } else {
            0.0
        };
        self.touch_nanos.max(arithmetic)
    }
}

fn ours(source: String) -> Candidate {
    Candidate { language: Language::C, source, flags: Vec::new() }
}

/// Compiles a program of ours.
fn make(workshop: &mut Workshop, source: String) -> Result<std::sync::Arc<Program>, Error> {
    workshop.compile(&ours(source))?.map_err(|rejection| Error::Tool {
        tool: "gcc".to_owned(),
        reason: format!("a program of ours was refused: {}", rejection.detail),
    })
}

/// Times of one of our programs over some calls, in nanoseconds, the first left out.
fn times(
    stage: &mut Stage,
    program: &Program,
    set: &Set,
    (n_calls, n_threads): (usize, usize),
    limits: Limits,
    rng: &mut impl Rng,
) -> Result<Vec<f64>, Error> {
    let steps = vec![Step { set, n_threads }; n_calls];
    let mut showings = stage.run(&[Contender::Probe(program)], &steps, limits, rng)?;
    let showing = showings.remove(0);
    if let Some((_, rejection)) = showing.rejection {
        let reason = format!("a program of ours failed: {}", rejection.detail);
        return Err(Error::Tool { tool: "the sandbox".to_owned(), reason });
    }
    Ok(showing.calls[1..].iter().map(|call| call.elapsed.as_nanos() as f64).collect())
}

/// Measures the empty round trip.
pub(super) fn round_trip(
    stage: &mut Stage,
    workshop: &mut Workshop,
    set: &Set,
    n_threads: usize,
    limits: Limits,
    rng: &mut impl Rng,
) -> Result<RoundTrip, Error> {
    let program = make(workshop, EMPTY.to_owned())?;
    let times = times(stage, &program, set, (N_EMPTY, n_threads), limits, rng)?;
    let at = |q| quantile(&times, q).expect("measured");
    Ok(RoundTrip {
        median_nanos: at(0.5),
        least_nanos: at(0.0),
        low_nanos: at(0.05),
        high_nanos: at(0.95),
        n: times.len(),
    })
}

/// Measures the floor.
pub(super) fn floor(
    stage: &mut Stage,
    workshop: &mut Workshop,
    set: &Set,
    (n_threads, round_trip): (usize, RoundTrip),
    limits: Limits,
    rng: &mut impl Rng,
) -> Result<Floor, Error> {
    let (source, bytes) = touching(stage);
    let calls = (N_OTHERS, n_threads);
    let net = |times: Vec<f64>| {
        let least = times.into_iter().fold(f64::INFINITY, f64::min);
        (least - round_trip.least_nanos).max(0.0)
    };
    let mut touch_nanos = f64::INFINITY;
    for streams in ["", "#define STREAM\n"] {
        let program = make(workshop, format!("{streams}{source}"))?;
        // Where there is little to touch, starting a second thread costs more than it gains.
        for n_threads in [1, n_threads] {
            let calls = (N_OTHERS, n_threads);
            touch_nanos = touch_nanos.min(net(times(stage, &program, set, calls, limits, rng)?));
        }
    }
    let flops = stage.expect.n_flops();
    let mut flops_per_second = 0.0;
    if flops > 0.0 {
        let program = make(workshop, format!("#define N_FLOPS {PEAK_FLOPS:e}\n{PEAK}"))?;
        let nanos = net(times(stage, &program, set, calls, limits, rng)?);
        flops_per_second = PEAK_FLOPS / nanos.max(1.0) * 1e9;
    }
    Ok(Floor { bytes, touch_nanos, flops, flops_per_second })
}

/// The program that touches, for this task, and how many bytes that are.
fn touching(stage: &Stage) -> (String, f64) {
    let whole = stage.expect.read_whole();
    let read = stage.given.iter().enumerate().filter(|(idx, _)| whole.get(*idx) == Some(&true));
    let read: Vec<(usize, usize)> = read.map(|(idx, tensor)| (idx, tensor.size_bytes())).collect();
    let written: Vec<usize> = stage.returned.iter().map(|tensor| tensor.size_bytes()).collect();
    let bytes: usize = read.iter().map(|(_, bytes)| bytes).chain(&written).sum();
    let list = |numbers: Vec<usize>| {
        // C has no empty tables.
        let texts: Vec<String> = numbers.iter().chain([&0]).map(ToString::to_string).collect();
        texts.join(", ")
    };
    let source = format!(
        "enum {{ N_READ = {}, N_WRITTEN = {} }};\nstatic const int READ_INDEX[] = {{{}}};\n\
         static const long READ_BYTES[] = {{{}}};\nstatic const long WRITTEN_BYTES[] = {{{}}};\n{}",
        read.len(),
        written.len(),
        list(read.iter().map(|(idx, _)| *idx).collect()),
        list(read.iter().map(|(_, bytes)| *bytes).collect()),
        list(written),
        TOUCH
    );
    (source, bytes as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn far_below_the_floor_is_forbidden_unless_the_floor_means_nothing() {
        let round_trip = RoundTrip {
            median_nanos: 30e3,
            least_nanos: 20e3,
            low_nanos: 21e3,
            high_nanos: 90e3,
            n: 15,
        };
        let floor =
            |touch_nanos, flops| Floor { bytes: 1e6, touch_nanos, flops, flops_per_second: 1e11 };
        assert!(floor(1e6, 0.0).forbids(400e3, round_trip));
        assert!(!floor(1e6, 0.0).forbids(700e3, round_trip));
        // Arithmetic counts where it takes longer.
        assert_eq!(floor(1e6, 1e9).nanos(), 1e7);
        assert!(floor(1e6, 1e9).forbids(4e6, round_trip));
        assert!(!floor(70e3, 0.0).forbids(1.0, round_trip));
        let lower = floor(1e6, 1e9).lower(Floor { flops_per_second: 2e11, ..floor(2e6, 1e9) });
        assert_eq!((lower.touch_nanos, lower.flops_per_second), (1e6, 2e11));
    }
}
