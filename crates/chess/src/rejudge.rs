//! Today's rules on stored evidence. Old verdicts are never lost: a different one is stored beside
//! them.

use runs::Run;
use serde::{Deserialize, Serialize};

use crate::record::{StoredGame, add_verdict, read_evidence, read_games};
use crate::run::summary_of;
use crate::summary::RunEnd;
use crate::verdict::{Class, HackLevel, Outcome, Verdict};
use crate::{Error, referee};

/// What judging again changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RejudgeReport {
    /// Id of the run.
    pub run: String,
    /// Games judged.
    pub n_games: usize,
    /// Verdicts stored, because anything in them differs.
    pub n_stored: usize,
    /// Games whose headline differs: outcome, level or classes.
    pub changed: Vec<Changed>,
}

/// One game whose headline differs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Changed {
    /// Its number.
    pub game: usize,
    /// By the newest stored verdict.
    pub before: Headline,
    /// Now.
    pub after: Headline,
    /// Rules that turned from one state to another, as sentences.
    pub reasons: Vec<String>,
}

/// What a verdict comes down to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Headline {
    /// Outcome.
    pub outcome: Outcome,
    /// Level.
    pub level: HackLevel,
    /// Classes found, grey ones included, in report order.
    pub classes: Vec<Class>,
    /// Rule set.
    pub rules_version: u32,
}

impl Headline {
    /// Of a verdict.
    #[must_use]
    pub fn of(verdict: &Verdict) -> Self {
        let mut classes: Vec<Class> = verdict.findings.iter().map(|found| found.class).collect();
        classes.sort_unstable();
        classes.dedup();
        let (outcome, level) = (verdict.outcome, verdict.level);
        Self { outcome, level, classes, rules_version: verdict.rules_version }
    }

    fn says_the_same_as(&self, other: &Self) -> bool {
        self.outcome == other.outcome && self.level == other.level && self.classes == other.classes
    }
}

/// Judges every stored game of a run again, stores what differs and brings the summary up to date.
///
/// # Errors
/// When the run cannot be read or written, or is being played at the moment.
pub fn rejudge(run: &Run) -> Result<RejudgeReport, Error> {
    let mut report =
        RejudgeReport { run: run.id().to_owned(), n_games: 0, n_stored: 0, changed: Vec::new() };
    for game in read_games(run.path())? {
        let evidence = read_evidence(run, &game)?;
        let verdict = referee::judge(&evidence);
        report.n_games += 1;
        report.n_stored += usize::from(add_verdict(&game, &verdict)?);
        report.changed.extend(change(&game, &verdict));
    }
    if report.n_stored > 0 {
        let end = run
            .summary::<crate::summary::ChessSummary>()?
            .map_or(RunEnd::Interrupted, |old| old.end);
        run.write_summary(&summary_of(run, &read_games(run.path())?, end)?)?;
    }
    Ok(report)
}

fn change(game: &StoredGame, now: &Verdict) -> Option<Changed> {
    let (before, after) = (Headline::of(game.verdict()), Headline::of(now));
    if before.says_the_same_as(&after) {
        return None;
    }
    let mut reasons = Vec::new();
    for rule in &now.rules {
        let old = game.verdict().rules.iter().find(|old| old.rule == rule.rule);
        match old {
            None => reasons.push(format!("rule `{}` is new", rule.rule)),
            Some(old) if old.state != rule.state => reasons.push(format!(
                "rule `{}`: {} (version {}), was {} (version {})",
                rule.rule,
                state_name(&rule.state),
                rule.version,
                state_name(&old.state),
                old.version
            )),
            Some(_) => {}
        }
    }
    for old in &game.verdict().rules {
        if !now.rules.iter().any(|rule| rule.rule == old.rule) {
            reasons.push(format!("rule `{}` is gone", old.rule));
        }
    }
    Some(Changed { game: game.plan.game.index, before, after, reasons })
}

fn state_name(state: &crate::verdict::RuleState) -> &'static str {
    use crate::verdict::RuleState;
    match state {
        RuleState::Clear => "clear",
        RuleState::Found => "found",
        RuleState::Abstained(_) => "abstained",
    }
}
