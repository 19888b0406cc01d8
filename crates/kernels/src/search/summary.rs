//! What came of a search: a pure function of the archive.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{End, Knowledge, SearchConfig, Strategy};
use crate::Error;
use crate::archive::{Archive, AttemptId, SearchRecord};
use crate::evaluation::{Level, Timing};
use crate::propose::{Operator, Spent};

/// One change of the best.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CurvePoint {
    /// Attempts evaluated by then.
    pub n_evaluated: u64,
    /// When, Unix milliseconds.
    pub at_millis: i64,
    /// The attempt.
    pub attempt: AttemptId,
    /// Baseline's time over its own, as estimated then.
    pub ratio: f64,
}

/// The best verified attempt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Best {
    /// The attempt.
    pub attempt: AttemptId,
    /// SHA-256 of the candidate.
    pub candidate: String,
    /// Who made it.
    pub proposer: String,
    /// How.
    pub operator: Operator,
    /// Baseline's time over its own: geometric mean of the measurements since it was promoted.
    pub ratio: f64,
    /// Measurements in it.
    pub n_measured: u32,
    /// 95 % interval of that mean, from the noise inside measurements and between them.
    pub interval: Option<(f64, f64)>,
    /// What the baseline is.
    pub baseline: String,
    /// Its median in nanoseconds, last measured.
    pub candidate_nanos: f64,
    /// Share of the machine's limit that it reaches: least possible time over its own.
    pub roofline: f64,
    /// Reasons to doubt, last measured.
    pub warnings: Vec<String>,
}

/// One proposer's operator.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ArmSummary {
    /// Who.
    pub proposer: String,
    /// How.
    pub operator: Operator,
    /// Times tried.
    pub n: u64,
    /// Mean reward, 0 to 1.
    pub mean_reward: f64,
    /// US dollars spent.
    pub usd: f64,
}

/// What came of a search.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SearchSummary {
    /// Key of the search in the archive.
    pub key: String,
    /// The task.
    pub task: String,
    /// How candidates were chosen.
    pub strategy: Strategy,
    /// Seed.
    pub seed: u64,
    /// Version of the judge; `scripted-twin` where nothing was measured.
    pub harness: String,
    /// Attempts recorded.
    pub n_attempts: u64,
    /// Attempts evaluated.
    pub n_evaluated: u64,
    /// Promotions and rechecks beside them.
    pub n_reviews: u64,
    /// Replies of models that gave no candidate.
    pub n_fruitless: u64,
    /// Attempts found wrong after they had seemed right.
    pub n_quarantined: u64,
    /// Evaluations turned away, by reason.
    pub rejected: BTreeMap<String, u64>,
    /// The best verified attempt.
    pub best: Option<Best>,
    /// How the best changed.
    pub curve: Vec<CurvePoint>,
    /// Proposers and operators.
    pub arms: Vec<ArmSummary>,
    /// Tokens and money of all proposals.
    pub spent: Spent,
    /// Wall seconds over all sittings.
    pub elapsed_secs: f64,
    /// Why it ended.
    pub end: End,
}

/// Summarizes what is in the archive.
pub(super) fn summarize(
    config: &SearchConfig,
    search: &SearchRecord,
    archive: &Archive,
    knowledge: &Knowledge,
    end: End,
) -> Result<SearchSummary, Error> {
    let population = knowledge.population();
    let arms =
        knowledge.bandit().records().iter().map(|((proposer, operator), record)| ArmSummary {
            proposer: proposer.clone(),
            operator: *operator,
            n: record.n,
            mean_reward: record.reward / record.n.max(1) as f64,
            usd: record.usd,
        });
    Ok(SearchSummary {
        key: search.key.clone(),
        task: search.task.clone(),
        strategy: config.strategy,
        seed: config.seed,
        harness: population.harness().to_owned(),
        n_attempts: knowledge.n_attempts() as u64,
        n_evaluated: population.n_evaluated(),
        n_reviews: knowledge.n_reviews(),
        n_fruitless: knowledge.n_fruitless() as u64,
        n_quarantined: population.quarantined().len() as u64,
        rejected: knowledge.rejected().clone(),
        best: best(archive, knowledge)?,
        curve: knowledge.curve().to_vec(),
        arms: arms.collect(),
        spent: knowledge.spent(),
        elapsed_secs: archive.elapsed_secs(&search.key)?,
        end,
    })
}

fn best(archive: &Archive, knowledge: &Knowledge) -> Result<Option<Best>, Error> {
    let Some(member) = knowledge.population().best() else { return Ok(None) };
    let Some(attempt) = knowledge.attempt(member.attempt) else { return Ok(None) };
    let mut timings: Vec<Timing> = Vec::new();
    for finding in archive.findings(member.attempt)? {
        let evaluation = finding.finding.evaluation;
        if evaluation.level == Level::Verified && evaluation.rejection.is_none() {
            timings.extend(evaluation.timing);
        }
    }
    // Those before are what it was promoted for.
    let since = timings.len().saturating_sub(member.n_measured as usize);
    let timings = timings.split_off(since);
    let interval = interval_of_mean(&timings);
    let Some(timing) = timings.into_iter().next_back() else { return Ok(None) };
    Ok(Some(Best {
        attempt: attempt.id,
        candidate: attempt.candidate.clone(),
        proposer: attempt.proposer.clone(),
        operator: attempt.operator,
        ratio: member.estimate.exp(),
        n_measured: member.n_measured,
        interval,
        baseline: timing.baseline,
        candidate_nanos: timing.candidate_nanos,
        roofline: timing.floor_nanos / timing.candidate_nanos,
        warnings: timing.warnings,
    }))
}

/// 95 % interval of the geometric mean of measurements, from the interval of each and from how far they lie
/// apart: noise inside one of them, and the machine's mood between them.
fn interval_of_mean(timings: &[Timing]) -> Option<(f64, f64)> {
    let n = timings.len() as f64;
    let intervals: Option<Vec<(f64, f64)>> = timings.iter().map(|timing| timing.interval).collect();
    let within: f64 = intervals?.iter().map(|(low, high)| ((high / low).ln() / 2.0).powi(2)).sum();
    let logs: Vec<f64> = timings.iter().map(|timing| timing.ratio.ln()).collect();
    let mean = logs.iter().sum::<f64>() / n;
    let spread: f64 = logs.iter().map(|log| (log - mean).powi(2)).sum();
    let between = if timings.len() > 1 { 1.96 * 1.96 * spread / (n - 1.0) / n } else { 0.0 };
    let half = (within / n / n + between).sqrt();
    (n > 0.0).then(|| ((mean - half).exp(), (mean + half).exp()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timing(ratio: f64, interval: Option<(f64, f64)>) -> Timing {
        Timing {
            blocks: Vec::new(),
            baseline: "base".to_owned(),
            ratio,
            interval,
            candidate_nanos: 1e6,
            baseline_nanos: ratio * 1e6,
            floor_nanos: 1e5,
            warnings: Vec::new(),
        }
    }

    #[test]
    fn the_interval_of_a_mean_has_the_noise_inside_and_between_measurements() {
        let near = |got: Option<(f64, f64)>, want: (f64, f64)| {
            let (low, high) = got.expect("an interval");
            assert!((low - want.0).abs() < 1e-9 && (high - want.1).abs() < 1e-9, "{low} {high}");
        };
        let one = timing(2.0, Some((1.0, 4.0)));
        near(interval_of_mean(std::slice::from_ref(&one)), (1.0, 4.0));
        // Four times as many are half as wide.
        near(interval_of_mean(&vec![one.clone(); 4]), (2.0_f64.sqrt(), 8.0_f64.sqrt()));
        let exact = |ratio| timing(ratio, Some((ratio, ratio)));
        let half = 1.96 * 2.0_f64.ln();
        near(interval_of_mean(&[exact(1.0), exact(4.0)]), (2.0 * (-half).exp(), 2.0 * half.exp()));
        assert_eq!(interval_of_mean(&[one, timing(2.0, None)]), None);
        assert_eq!(interval_of_mean(&[]), None);
    }
}
