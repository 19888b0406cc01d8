//! One attempt: what it is, what was found, its text, and what changed from its parent.

use runs::html::{Cell, Page, Tone};

use super::Gathered;
use super::diff::diff;
use super::page::{STYLE, encoded};
use crate::Error;
use crate::archive::{Archive, AttemptId, AttemptRecord, FindingRecord};
use crate::propose::Proposal;

/// Writes an attempt into a page.
pub(super) fn show(
    page: &mut Page,
    main: &Gathered,
    attempt: &AttemptRecord,
    findings: &[FindingRecord],
) {
    page.raw(format!("<span id=\"a{}\"></span>", attempt.id));
    let ratio = main.knowledge.population().member(attempt.id);
    let ratio = ratio.map_or(String::new(), |it| format!(", ratio {:.2}", it.estimate.exp()));
    let summary = format!(
        "Attempt #{}: {} by {}{ratio}",
        attempt.id,
        attempt.operator.name(),
        attempt.proposer
    );
    let texts = main.texts.get(&attempt.id);
    page.details(summary, |page| {
        facts(page, attempt, texts.map(|(proposal, _)| proposal));
        table(page, findings);
        if let Some((proposal, parent)) = texts {
            text(page, proposal, parent.as_ref());
        }
    });
}

fn facts(page: &mut Page, attempt: &AttemptRecord, proposal: Option<&Proposal>) {
    let kind = &attempt.descriptors;
    let mut pairs = vec![
        ("candidate", Cell::code(&attempt.candidate)),
        ("kind", Cell::text(format!("{}, {}, {}", kind.fusion, kind.parallel, kind.memory))),
        ("island", Cell::number(attempt.island)),
        (
            "parents",
            Cell::join(
                attempt.parents.iter().map(|id| Cell::link(format!("#a{id}"), format!("#{id}"))),
            ),
        ),
    ];
    if attempt.spent.tokens() > 0 {
        let usd =
            attempt.spent.usd.map_or("cost unknown".to_owned(), |usd| format!("{usd:.4} USD"));
        let tokens = format!(
            "{} in, {} out, {usd}",
            attempt.spent.input_tokens, attempt.spent.output_tokens
        );
        pairs.push(("tokens", Cell::text(tokens)));
    }
    if let Some(genotype) = proposal.and_then(|proposal| proposal.genotype.as_ref()) {
        pairs.push(("schedule", Cell::code(genotype.0.to_string())));
    }
    page.key_values(pairs);
}

fn table(page: &mut Page, findings: &[FindingRecord]) {
    page.table(
        ["what for", "level", "ratio", "95 % interval", "time", "calls", "found"],
        findings.iter().map(|each| {
            let evaluation = &each.finding.evaluation;
            let timing = evaluation.timing.as_ref();
            let level = serde_json::to_string(&evaluation.level).unwrap_or_default();
            let number = |text: Option<String>| text.map_or(Cell::text("–"), Cell::number);
            let interval = timing.and_then(|timing| timing.interval);
            let found = match &evaluation.rejection {
                Some(rejection) => rejection.detail.clone(),
                None => timing.map(|timing| timing.warnings.join("; ")).unwrap_or_default(),
            };
            [
                Cell::text(each.kind.name()),
                Cell::text(level.trim_matches('"')),
                number(timing.map(|timing| format!("{:.2}", timing.ratio))),
                number(interval.map(|(low, high)| format!("{low:.2} to {high:.2}"))),
                number(timing.map(|timing| format!("{:.1} µs", timing.candidate_nanos / 1e3))),
                Cell::number(evaluation.n_checked_calls),
                Cell::text(found),
            ]
        }),
    );
    if let Some(last) = findings.last() {
        let evaluation = &last.finding.evaluation;
        page.key_values([
            ("compiler", evaluation.compiler.clone()),
            ("machine", evaluation.machine.clone()),
            ("isolation", evaluation.isolation.join(", ")),
            ("judge", format!("{}, worker {}", last.finding.harness, last.finding.worker)),
        ]);
        if !evaluation.remarks.is_empty() {
            page.details("Remarks of the compiler", |page| {
                page.code(&evaluation.remarks);
            });
        }
    }
}

fn text(page: &mut Page, proposal: &Proposal, parent: Option<&(AttemptId, String)>) {
    let source = &proposal.candidate.source;
    if let Some((id, old)) = parent {
        page.subsection(format!("Changes from #{id}")).raw(diff(old, source));
    }
    page.details("The whole text", |page| {
        page.code(source);
        if !proposal.candidate.flags.is_empty() {
            page.paragraph(format!("Options: `{}`", proposal.candidate.flags.join(" ")));
        }
    });
}

/// A page of its own for any attempt.
///
/// # Errors
/// When there is none of this number, or the archive is damaged.
pub fn render(archive: &Archive, id: AttemptId) -> Result<String, Error> {
    let attempt = archive.attempt(id)?;
    let proposal = archive.proposal(id)?;
    let findings = archive.findings(id)?;
    let mut page = Page::new(format!("Attempt {id}"));
    page.kicker("kernel search").style(STYLE);
    page.lead(format!("{} by {}", attempt.operator.name(), attempt.proposer));
    page.fact(
        "search",
        Cell::link(format!("../search/{}", encoded(&attempt.search)), &attempt.search),
    );
    page.section("What it is");
    facts(&mut page, &attempt, Some(&proposal));
    page.section("What was found");
    if findings.is_empty() {
        page.note(Tone::Neutral, "Nothing yet: it waits or is being evaluated.");
    } else {
        table(&mut page, &findings);
    }
    page.section("Its text");
    let parent = match attempt.parents.first() {
        Some(parent) => Some((*parent, archive.proposal(*parent)?.candidate.source)),
        None => None,
    };
    text(&mut page, &proposal, parent.as_ref());
    Ok(page.render())
}
