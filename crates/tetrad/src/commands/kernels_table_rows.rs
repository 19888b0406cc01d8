//! Rows of `tetrad kernels table`, what they come to, and how they are printed.

use kernels::evaluation::Timing;
use serde::{Deserialize, Serialize};

/// Draws behind an interval.
const N_RESAMPLES: usize = 2000;

/// A ratio of times, larger is better.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Ratio {
    pub(super) ratio: f64,
    pub(super) interval: Option<(f64, f64)>,
    pub(super) n_calls: usize,
}

/// What came of one task.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Row {
    pub(super) task: String,
    pub(super) product_bound: bool,
    pub(super) redundant: bool,
    /// Over the base.
    pub(super) base: Option<f64>,
    /// Over each of the peers, by name.
    pub(super) peers: Vec<(String, Ratio)>,
    /// Best of independent draws over the base, at as many evaluations.
    pub(super) best_of_n: Option<f64>,
    /// Over the best of independent draws, side by side.
    pub(super) over_best_of_n: Option<Ratio>,
    /// Over the base as scalar code, side by side.
    pub(super) scalar: Option<Ratio>,
    pub(super) candidate_millis: Option<f64>,
    pub(super) roofline: Option<f64>,
    pub(super) n_evaluated: u64,
    pub(super) n_rejected: u64,
    pub(super) secs: f64,
    /// Why there is no result.
    pub(super) reason: Option<String>,
}

/// Ratios over a group of tasks.
#[derive(Debug, Serialize)]
pub(super) struct Group {
    pub(super) name: String,
    pub(super) n: usize,
    pub(super) geometric_mean: f64,
    /// Bootstrap over tasks, 95 %.
    pub(super) interval: Option<(f64, f64)>,
    pub(super) at_least_as_fast: runs::stats::Rate,
}

#[derive(Debug, Serialize)]
pub(super) struct Answer<'a> {
    pub(super) run: &'a str,
    pub(super) rows: &'a [Row],
    pub(super) groups: Vec<Group>,
}

impl From<&Timing> for Ratio {
    fn from(timing: &Timing) -> Self {
        let n_calls = timing.blocks.iter().map(|block| block.candidate_nanos.len()).sum();
        Self { ratio: timing.ratio, interval: timing.interval, n_calls }
    }
}

impl Ratio {
    /// In words, over what `name` says, to so many digits; how many calls there were where they are too
    /// few for an interval.
    fn over(&self, name: &str, digits: usize) -> String {
        let interval = match self.interval {
            Some((low, high)) => format!("[{low:.digits$}, {high:.digits$}]"),
            None => format!("[{} calls]", self.n_calls),
        };
        format!("{:.digits$}x {name} {interval}", self.ratio)
    }
}

impl Row {
    /// A row without results.
    pub(super) fn new(task: &str) -> Self {
        Self {
            task: task.to_owned(),
            product_bound: false,
            redundant: false,
            base: None,
            peers: Vec::new(),
            best_of_n: None,
            over_best_of_n: None,
            scalar: None,
            candidate_millis: None,
            roofline: None,
            n_evaluated: 0,
            n_rejected: 0,
            secs: 0.0,
            reason: None,
        }
    }
}

/// Over the faster of the peers.
fn over_peers(row: &Row) -> Option<f64> {
    row.peers.iter().map(|(_, ratio)| ratio.ratio).min_by(f64::total_cmp)
}

pub(super) fn groups(rows: &[Row]) -> Vec<Group> {
    let clean = |row: &&Row| !row.redundant;
    let group = |name: &str, ratios: Vec<f64>| {
        let mean = |ratios: &[f64]| runs::stats::geometric_mean(ratios).unwrap_or(f64::NAN);
        let interval = runs::stats::bootstrap(&ratios, mean, N_RESAMPLES, 1);
        Group {
            name: name.to_owned(),
            n: ratios.len(),
            geometric_mean: mean(&ratios),
            interval: interval.map(|interval| (interval.low, interval.high)),
            at_least_as_fast: runs::stats::Rate::of(ratios.iter().map(|ratio| *ratio >= 1.0)),
        }
    };
    let select = |product: Option<bool>, of: &dyn Fn(&Row) -> Option<f64>| -> Vec<f64> {
        let rows = rows.iter().filter(clean);
        rows.filter(|row| product.is_none_or(|product| row.product_bound == product))
            .filter_map(of)
            .collect()
    };
    let of = |which: fn(&Row) -> &Option<Ratio>| {
        move |row: &Row| which(row).as_ref().map(|ratio| ratio.ratio)
    };
    let mut groups = vec![
        group(
            "over the faster of the peers, not bound by products",
            select(Some(false), &over_peers),
        ),
        group("over the faster of the peers, bound by products", select(Some(true), &over_peers)),
        group("over the base", select(None, &|row| row.base)),
        group("over the base as scalar code", select(None, &of(|row| &row.scalar))),
        group("over the best of independent draws", select(None, &of(|row| &row.over_best_of_n))),
    ];
    groups.retain(|group| group.n > 0);
    groups
}

pub(super) fn line(row: &Row) -> String {
    if let Some(reason) = &row.reason {
        return format!("{:<44} {reason}", row.task);
    }
    let base = row.base.map(|ratio| format!("{ratio:.1}x base"));
    let scalar = row.scalar.as_ref().map(|ratio| ratio.over("scalar base", 1));
    let peers = row.peers.iter().map(|(name, ratio)| ratio.over(name, 2));
    let drawn = row.over_best_of_n.as_ref().map(|ratio| ratio.over("best of n", 2));
    let limit = row.roofline.map(|share| format!("{:.0} % of limit", 100.0 * share));
    let parts = base.into_iter().chain(scalar).chain(peers).chain(drawn).chain(limit);
    format!(
        "{:<44} {} (n = {}, {} turned away, {:.0} s)",
        row.task,
        parts.collect::<Vec<_>>().join(", "),
        row.n_evaluated,
        row.n_rejected,
        row.secs
    )
}

pub(super) fn text(answer: &Answer<'_>) -> String {
    let mut text: String = answer.rows.iter().map(|row| line(row) + "\n").collect();
    for group in &answer.groups {
        let interval = group.interval.map_or("no interval".to_owned(), |(low, high)| {
            format!("95 % interval {low:.2} to {high:.2} over tasks")
        });
        let fast = group.at_least_as_fast;
        text.push_str(&format!(
            "{}: geometric mean {:.2} (n = {}, {interval}); at least as fast on {} of {}\n",
            group.name, group.geometric_mean, group.n, fast.hits, fast.n
        ));
    }
    text
}
