//! What came of a search: a pure function of the archive.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{End, Knowledge, SearchConfig, Strategy};
use crate::Error;
use crate::archive::{Archive, AttemptId, SearchRecord};
use crate::evaluation::Level;
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
    /// 95 % interval of the last measurement.
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
    let findings = archive.findings(member.attempt)?;
    let timing = findings
        .into_iter()
        .rev()
        .filter(|finding| finding.finding.evaluation.level == Level::Verified)
        .find_map(|finding| finding.finding.evaluation.timing);
    let Some(timing) = timing else { return Ok(None) };
    Ok(Some(Best {
        attempt: attempt.id,
        candidate: attempt.candidate.clone(),
        proposer: attempt.proposer.clone(),
        operator: attempt.operator,
        ratio: member.estimate.exp(),
        n_measured: member.n_measured,
        interval: timing.interval,
        baseline: timing.baseline,
        candidate_nanos: timing.candidate_nanos,
        roofline: timing.floor_nanos / timing.candidate_nanos,
        warnings: timing.warnings,
    }))
}
