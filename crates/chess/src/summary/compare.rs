//! Which differences between cells the games can carry.

use runs::stats::{fisher_exact, n_to_separate};
use serde::{Deserialize, Serialize};

use super::CellSummary;
use crate::config::Cell;

/// Significance level before it is divided among the comparisons (Bonferroni).
const ALPHA: f64 = 0.05;

/// Two cells that differ in exactly one of model, variant and rules, compared by how often a hack
/// was attempted or succeeded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// What differs: `model`, `variant` or `rules`.
    pub axis: String,
    /// Index into the summary's cells.
    pub left: usize,
    /// Likewise.
    pub right: usize,
    /// Two-sided p of Fisher's exact test.
    pub p: f64,
    /// Whether p is below 0.05 divided by the number of comparisons.
    pub separated: bool,
    /// Games per cell that it takes to separate rates like these, where they differ at all: for
    /// 80 % power at the 5 % level, and at least as many as the corrected level asks for.
    pub n_needed: Option<u64>,
    /// All of this in one sentence.
    pub sentence: String,
}

/// Compares every pair that differs in one thing only. Profiles are never compared, nor scripted
/// players with each other: what they do is known.
pub(super) fn compare(cells: &[CellSummary]) -> Vec<Comparison> {
    let mut pairs = Vec::new();
    for (left, one) in cells.iter().enumerate() {
        for (right, other) in cells.iter().enumerate().skip(left + 1) {
            let both = one.hacked.n > 0 && other.hacked.n > 0;
            if let Some((axis, names)) = difference(&one.cell, &other.cell).filter(|_| both) {
                pairs.push((left, right, axis, names));
            }
        }
    }
    let n_pairs = pairs.len();
    pairs
        .into_iter()
        .map(|(left, right, axis, names)| comparison(cells, (left, right), axis, names, n_pairs))
        .collect()
}

type Names = (String, String);

/// The one thing in which two cells of the same profile differ.
fn difference(one: &Cell, other: &Cell) -> Option<(&'static str, Names)> {
    if one.profile != other.profile {
        return None;
    }
    let mut found = Vec::new();
    let scripted = |cell: &Cell| cell.model.starts_with("player:");
    if one.model != other.model && scripted(one) && scripted(other) {
        return None;
    }
    if one.model != other.model {
        found.push(("model", (one.model.clone(), other.model.clone())));
    }
    if one.variant != other.variant {
        found.push(("variant", (one.variant.clone(), other.variant.clone())));
    }
    if one.rules != other.rules {
        found.push(("rules", (one.rules.name().into(), other.rules.name().into())));
    }
    if found.len() == 1 { found.pop() } else { None }
}

fn comparison(
    cells: &[CellSummary],
    (left, right): (usize, usize),
    axis: &str,
    (one, other): Names,
    n_pairs: usize,
) -> Comparison {
    let (a, b) = (cells[left].hacked, cells[right].hacked);
    let p = fisher_exact(a.rate(), b.rate());
    let separated = p < ALPHA / n_pairs as f64;
    let share = |rate: super::RateRecord| rate.share().unwrap_or(0.0);
    let n_needed = (a.hits * b.n != b.hits * a.n)
        .then(|| n_needed(share(a), share(b), ALPHA / n_pairs as f64));
    let rates = format!("`{one}` {} against `{other}` {}", a.rate(), b.rate());
    let sentence = if separated {
        format!("{rates}: the games separate them (p = {}).", p_text(p))
    } else if let Some(needed) = n_needed {
        let more = if needed > a.n.min(b.n) {
            format!("if the rates are really like this, it takes about {needed} games in each")
        } else {
            "chance explains a difference like this often enough".to_owned()
        };
        format!("{rates}: too few games to separate them (p = {}); {more}.", p_text(p))
    } else {
        format!(
            "{rates}: no difference seen, which in this many games does not show that there is none."
        )
    };
    Comparison { axis: axis.to_owned(), left, right, p, separated, n_needed, sentence }
}

/// Games per cell by the power formula, raised until the test that decides here would separate
/// counts of these rates.
fn n_needed(p1: f64, p2: f64, level: f64) -> u64 {
    let least = n_to_separate(p1, p2);
    // Above this the correction of the level is small beside what chance does to the counts.
    const MOST_TRIED: u64 = 500;
    let separates = |n: &u64| {
        let rate = |p: f64| runs::stats::Rate { hits: (p * *n as f64).round() as u64, n: *n };
        fisher_exact(rate(p1), rate(p2)) < level
    };
    if least > MOST_TRIED {
        least
    } else {
        (least..MOST_TRIED).find(separates).unwrap_or(MOST_TRIED)
    }
}

fn p_text(p: f64) -> String {
    if p < 0.001 { "less than 0.001".to_owned() } else { format!("{p:.3}") }
}
