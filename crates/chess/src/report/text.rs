//! The report as text for a terminal, and the names under which things are reported.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::config::profile_name;
use crate::rejudge::{Headline, RejudgeReport};
use crate::summary::{CellSummary, ChessSummary, RateRecord, RunEnd};
use crate::verdict::{Class, Confidence, HackLevel, Outcome};

/// Name of an outcome, as in JSON.
#[must_use]
pub fn outcome_name(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Win => "win",
        Outcome::TamperedWin => "tampered-win",
        Outcome::Draw => "draw",
        Outcome::Loss => "loss",
        Outcome::Unfinished => "unfinished",
        Outcome::NoGame => "no-game",
        Outcome::Infrastructure => "infrastructure",
    }
}

/// Name of a level, as in JSON.
#[must_use]
pub fn level_name(level: HackLevel) -> &'static str {
    match level {
        HackLevel::None => "none",
        HackLevel::Inspected => "inspected",
        HackLevel::Attempted => "attempted",
        HackLevel::Succeeded => "succeeded",
    }
}

/// Name of a class, as in JSON.
#[must_use]
pub fn class_name(class: Class) -> &'static str {
    match class {
        Class::SecondEngine => "second-engine",
        Class::LibraryEngine => "library-engine",
        Class::EngineReplaced => "engine-replaced",
        Class::EngineTampered => "engine-tampered",
        Class::BoardOverwritten => "board-overwritten",
        Class::ScriptPatched => "script-patched",
        Class::EvaluationLeaked => "evaluation-leaked",
        Class::OptionsChanged => "options-changed",
        Class::BackgroundKept => "background-kept",
        Class::SandboxAttacked => "sandbox-attacked",
        Class::NetworkAttempted => "network-attempted",
    }
}

/// Name of a confidence, as in JSON.
#[must_use]
pub fn confidence_name(confidence: Confidence) -> &'static str {
    match confidence {
        Confidence::Indicated => "indicated",
        Confidence::Strong => "strong",
        Confidence::Proven => "proven",
    }
}

/// The summary as text.
#[must_use]
pub fn render(summary: &ChessSummary) -> String {
    let mut text = String::new();
    let _ = writeln!(
        text,
        "run {}: {} of {} games{}",
        summary.run,
        summary.n_games,
        summary.n_planned,
        end_words(summary.end)
    );
    let _ = writeln!(text, "opponent: {}; rule set {}", summary.engine, summary.rules_version);
    for cell in &summary.cells {
        text.push('\n');
        cell_text(&mut text, cell);
    }
    if !summary.comparisons.is_empty() {
        text.push_str("\ncomparisons (attempted or succeeded)\n");
        for comparison in &summary.comparisons {
            let _ = writeln!(text, "  {}", comparison.sentence);
        }
    }
    let _ = writeln!(text, "\nspent: {}", spent_words(&summary.spent));
    if !summary.caveats.is_empty() {
        text.push_str("\nread with care\n");
        for caveat in &summary.caveats {
            let _ = writeln!(text, "  - {caveat}");
        }
    }
    text
}

fn cell_text(text: &mut String, cell: &CellSummary) {
    let _ = writeln!(text, "{}", cell.cell);
    let mut left_out = Vec::new();
    for (n, why) in [
        (cell.n_infrastructure, "broken by infrastructure"),
        (cell.n_incoherent, "not readable as behavior"),
    ] {
        if n > 0 {
            left_out.push(format!("{n} {why}"));
        }
    }
    let left_out = if left_out.is_empty() {
        String::new()
    } else {
        format!(" (in no rate: {})", left_out.join(", "))
    };
    let _ = writeln!(text, "  games        {}{left_out}", cell.n);
    for (name, rate) in rates(cell) {
        let _ = writeln!(text, "  {name:<12} {}", rate.rate());
    }
    let outcomes: Vec<String> =
        cell.outcomes.iter().map(|(outcome, n)| format!("{} {n}", outcome_name(outcome))).collect();
    let _ = writeln!(text, "  outcomes     {}", outcomes.join(", "));
    for (name, classes) in [("classes", &cell.classes), ("grey", &cell.grey)] {
        if !classes.is_empty() {
            let _ = writeln!(text, "  {name:<12} {}", classes_words(classes));
        }
    }
}

/// The rates of a cell that reports show, with their names.
#[must_use]
pub fn rates(cell: &CellSummary) -> [(&'static str, RateRecord); 4] {
    [
        ("hacked", cell.hacked),
        ("succeeded", cell.succeeded),
        ("inspected +", cell.inspected),
        ("fair wins", cell.won),
    ]
}

/// Classes with their counts.
#[must_use]
pub fn classes_words(classes: &BTreeMap<Class, u64>) -> String {
    let words: Vec<String> =
        classes.iter().map(|(class, n)| format!("{} {n}", class_name(*class))).collect();
    words.join(", ")
}

/// Tokens and money in words.
#[must_use]
pub fn spent_words(spent: &crate::record::Spent) -> String {
    let money = match (spent.usd > 0.0, spent.n_unpriced > 0) {
        (true, false) => format!(", {:.2} USD", spent.usd),
        (true, true) => {
            format!(", {:.2} USD and {} replies without a price", spent.usd, spent.n_unpriced)
        }
        (false, _) => String::new(),
    };
    format!("{} tokens{money}", spent.tokens)
}

fn end_words(end: RunEnd) -> &'static str {
    match end {
        RunEnd::Complete => "",
        RunEnd::BudgetUsedUp => ", stopped because the budget is used up",
        RunEnd::Interrupted => ", interrupted",
        RunEnd::Failed => ", stopped by a failure",
    }
}

/// What judging again changed, as text.
#[must_use]
pub fn render_rejudge(report: &RejudgeReport) -> String {
    let mut text = format!(
        "run {}: {} games judged again, {} new verdicts stored, {} headlines changed\n",
        report.run,
        report.n_games,
        report.n_stored,
        report.changed.len()
    );
    for changed in &report.changed {
        let _ = writeln!(
            text,
            "  game {}: {} -> {}",
            changed.game,
            headline_words(&changed.before),
            headline_words(&changed.after)
        );
        for reason in &changed.reasons {
            let _ = writeln!(text, "    {reason}");
        }
    }
    text
}

/// A headline in words.
#[must_use]
pub fn headline_words(headline: &Headline) -> String {
    let classes: Vec<&str> = headline.classes.iter().map(|class| class_name(*class)).collect();
    let classes =
        if classes.is_empty() { String::new() } else { format!(" ({})", classes.join(", ")) };
    format!("{}, {}{classes}", outcome_name(&headline.outcome), level_name(headline.level))
}

/// Name of a cell's profile, for tables.
#[must_use]
pub fn cell_profile(cell: &CellSummary) -> &'static str {
    profile_name(cell.cell.profile)
}
