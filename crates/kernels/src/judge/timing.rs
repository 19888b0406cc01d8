//! From samples to a ratio with an interval, and doubts.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use runs::stats::{median, quantile};

use crate::evaluation::{Block, Timing};

/// Resamples of the bootstrap.
const N_RESAMPLES: usize = 2000;

/// Fewest timed calls of each side for an interval.
const FEWEST_CALLS: usize = 5;

/// Below this, the round trip's own spread shows in the times.
const SHORT_NANOS: f64 = 100_000.0;

/// Medians of the baseline that differ by more than this over blocks mean a restless machine.
const DRIFT: f64 = 1.25;

/// A slowest call that takes this many times the median is an outlier worth a word.
const OUTLIER: f64 = 3.0;

fn floats(nanos: &[u64]) -> Vec<f64> {
    nanos.iter().map(|nanos| *nanos as f64).collect()
}

fn middle(nanos: &[u64]) -> Option<f64> {
    median(&floats(nanos))
}

/// The quantile of a block's calls that stands for it. A busy machine only ever adds time, and to
/// either side at random, so the lower quarter says more than the middle.
const LOWER: f64 = 0.25;

fn lower(nanos: &[u64]) -> Option<f64> {
    quantile(&floats(nanos), LOWER)
}

/// Baseline's time over the candidate's: median over blocks of the ratio of lower quartiles.
fn ratio(blocks: &[Block]) -> Option<f64> {
    let ratios: Option<Vec<f64>> = blocks
        .iter()
        .map(|block| Some(lower(&block.baseline_nanos)? / lower(&block.candidate_nanos)?.max(1.0)))
        .collect();
    median(&ratios?)
}

/// 95 % interval of [`ratio`]: blocks drawn with replacement, then calls within each.
fn interval(blocks: &[Block], seed: u64) -> Option<(f64, f64)> {
    let count = |side: fn(&Block) -> usize| blocks.iter().map(side).sum::<usize>();
    let fewest =
        count(|block| block.candidate_nanos.len()).min(count(|block| block.baseline_nanos.len()));
    if fewest < FEWEST_CALLS {
        return None;
    }
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut values = Vec::with_capacity(N_RESAMPLES);
    for _ in 0..N_RESAMPLES {
        let drawn: Vec<Block> = (0..blocks.len())
            .map(|_| {
                let block = &blocks[rng.random_range(0..blocks.len())];
                let mut draw = |from: &[u64]| {
                    (0..from.len()).map(|_| from[rng.random_range(0..from.len())]).collect()
                };
                Block {
                    candidate_nanos: draw(&block.candidate_nanos),
                    baseline_nanos: draw(&block.baseline_nanos),
                }
            })
            .collect();
        values.push(ratio(&drawn)?);
    }
    Some((quantile(&values, 0.025)?, quantile(&values, 0.975)?))
}

/// Load over the last minute and processors, where others have work for more than half of them.
fn busy() -> Option<(f64, usize)> {
    let text = std::fs::read_to_string("/proc/loadavg").ok()?;
    let load: f64 = text.split_whitespace().next()?.parse().ok()?;
    let n_processors = std::thread::available_parallelism().ok()?.get();
    // The judge and what it times are one of them, with their threads.
    (load > 1.5 * n_processors as f64).then_some((load, n_processors))
}

/// Sums up blocks that each have at least one call of both sides; `None` where one has not.
pub(super) fn sum_up(
    blocks: Vec<Block>,
    baseline: &str,
    floor_nanos: f64,
    round_trip_nanos: f64,
    seed: u64,
) -> Option<Timing> {
    let all = |side: fn(&Block) -> &Vec<u64>| -> Vec<u64> {
        blocks.iter().flat_map(side).copied().collect()
    };
    let candidate = all(|block| &block.candidate_nanos);
    let reference = all(|block| &block.baseline_nanos);
    let candidate_nanos = middle(&candidate)?;
    let baseline_nanos = middle(&reference)?;
    let mut warnings = Vec::new();
    if candidate.len().min(reference.len()) < FEWEST_CALLS {
        warnings.push(format!(
            "few samples: {} of the candidate, {} of the baseline",
            candidate.len(),
            reference.len()
        ));
    }
    if candidate_nanos.min(baseline_nanos) < SHORT_NANOS {
        warnings.push(format!(
            "short calls: {:.0} µs beside an empty round trip of {:.0} µs, which was taken off",
            candidate_nanos.min(baseline_nanos) / 1e3,
            round_trip_nanos / 1e3
        ));
    }
    let medians: Vec<f64> =
        blocks.iter().filter_map(|block| middle(&block.baseline_nanos)).collect();
    let (low, high) = (quantile(&medians, 0.0)?, quantile(&medians, 1.0)?);
    if high > low * DRIFT {
        warnings.push(format!(
            "restless machine: the baseline took {:.3} to {:.3} ms over {} blocks",
            low / 1e6,
            high / 1e6,
            medians.len()
        ));
    }
    if let Some((load, n_processors)) = busy() {
        warnings.push(format!("busy machine: load {load:.1} on {n_processors} processors"));
    }
    let slowest = candidate.iter().copied().max()? as f64;
    if slowest > candidate_nanos * OUTLIER {
        warnings.push(format!(
            "outliers: the slowest of {} calls took {:.1} times the median",
            candidate.len(),
            slowest / candidate_nanos
        ));
    }
    Some(Timing {
        ratio: ratio(&blocks)?,
        interval: interval(&blocks, seed),
        blocks,
        baseline: baseline.to_owned(),
        candidate_nanos,
        baseline_nanos,
        floor_nanos,
        warnings,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(candidate: &[u64], baseline: &[u64]) -> Block {
        let milli = |nanos: &[u64]| nanos.iter().map(|nanos| nanos * 1_000_000).collect();
        Block { candidate_nanos: milli(candidate), baseline_nanos: milli(baseline) }
    }

    #[test]
    fn the_ratio_is_the_median_over_blocks_and_lies_in_its_interval() {
        let blocks = vec![
            block(&[1, 1, 2], &[4, 4, 4]),
            block(&[2, 2, 2], &[6, 6, 9]),
            block(&[1, 1, 1], &[2, 2, 2]),
        ];
        let timing = sum_up(blocks, "base", 0.0, 0.0, 1).expect("summed up");
        assert_eq!(timing.ratio, 3.0);
        let (low, high) = timing.interval.expect("nine calls");
        assert!(low <= 3.0 && 3.0 <= high && low < high, "{low} {high}");
        assert!(timing.warnings.iter().any(|text| text.starts_with("restless")));
    }

    #[test]
    fn few_calls_have_no_interval_and_say_so() {
        let timing = sum_up(vec![block(&[1, 1], &[2, 2])], "base", 0.0, 0.0, 1).expect("summed up");
        assert_eq!((timing.ratio, timing.interval), (2.0, None));
        assert!(timing.warnings[0].starts_with("few samples"), "{:?}", timing.warnings);
    }

    #[test]
    fn without_a_call_there_is_no_timing() {
        assert_eq!(sum_up(vec![block(&[], &[2])], "base", 0.0, 0.0, 1), None);
    }
}
