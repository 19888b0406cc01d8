//! Does learning from results pay? Searches of one task by strategy, at equal numbers of evaluations.

use std::collections::BTreeMap;

use runs::plot::{Axes, Series, lines};
use runs::stats::{Interval, bootstrap, geometric_mean};
use serde::Serialize;

use super::Gathered;
use crate::search::Strategy;

/// Resamples of an interval, and their seed.
const N_RESAMPLES: usize = 2000;
const SEED: u64 = 1;
/// Places along the horizontal axis.
const N_PLACES: u64 = 48;

/// One strategy.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Arm {
    /// Which.
    pub strategy: Strategy,
    /// Seeds of its searches.
    pub seeds: Vec<u64>,
    /// Best ratio of each after [`Ablation::n_evaluations`].
    pub ratios: Vec<f64>,
    /// Geometric mean of them.
    pub mean: f64,
    /// Its 95 % bootstrap interval over searches; `None` for a single one.
    pub interval: Option<Interval>,
}

/// Strategies beside each other.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Ablation {
    /// Evaluations that every search in it made.
    pub n_evaluations: u64,
    /// Strategies.
    pub arms: Vec<Arm>,
    /// The plot.
    #[serde(skip)]
    pub plot: String,
}

/// Compares searches of one task; `None` where there are not two strategies. A search without any
/// verified candidate counts as ratio 1: one keeps the baseline.
#[must_use]
pub fn ablation(searches: &[&Gathered]) -> Option<Ablation> {
    let mut by_strategy: BTreeMap<Strategy, Vec<&Gathered>> = BTreeMap::new();
    for gathered in searches {
        by_strategy.entry(gathered.strategy).or_default().push(gathered);
    }
    let of = |gathered: &Gathered| gathered.knowledge.population().n_evaluated();
    let n_evaluations = searches.iter().map(|gathered| of(gathered)).min()?;
    if by_strategy.len() < 2 || n_evaluations == 0 {
        return None;
    }
    let step = n_evaluations.div_ceil(N_PLACES).max(1);
    let places: Vec<u64> =
        (1..=n_evaluations).filter(|at| at % step == 0 || *at == n_evaluations).collect();
    let (mut arms, mut series) = (Vec::new(), Vec::new());
    for (strategy, group) in &by_strategy {
        let at = |n: u64| -> Vec<f64> { group.iter().map(|each| best_at(each, n)).collect() };
        let means = places.iter().filter_map(|n| Some((*n as f64, geometric_mean(&at(*n))?)));
        let bounds: Vec<(f64, Interval)> =
            places.iter().filter_map(|n| Some((*n as f64, interval(&at(*n))?))).collect();
        let band = bounds.iter().map(|(n, bound)| (*n, bound.low, bound.high));
        series.push(Series::new(strategy.name(), means).with_band(band));
        let ratios = at(n_evaluations);
        arms.push(Arm {
            strategy: *strategy,
            seeds: group.iter().map(|gathered| gathered.seed).collect(),
            mean: geometric_mean(&ratios)?,
            interval: interval(&ratios),
            ratios,
        });
    }
    let axes = Axes {
        y_logarithmic: true,
        ..Axes::new(
            "Best ratio by strategy over evaluations",
            "evaluations",
            "baseline's time over the best one's",
        )
    };
    Some(Ablation { n_evaluations, arms, plot: lines(&axes, &series) })
}

/// The best verified ratio after `n` evaluations.
pub(super) fn best_at(gathered: &Gathered, n: u64) -> f64 {
    let curve = gathered.knowledge.curve();
    curve.iter().rev().find(|point| point.n_evaluated <= n).map_or(1.0, |point| point.ratio)
}

fn interval(ratios: &[f64]) -> Option<Interval> {
    let logs: Vec<f64> = ratios.iter().map(|ratio| ratio.ln()).collect();
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let bounds = (logs.len() > 1).then(|| bootstrap(&logs, mean, N_RESAMPLES, SEED))??;
    Some(Interval { low: bounds.low.exp(), high: bounds.high.exp() })
}
