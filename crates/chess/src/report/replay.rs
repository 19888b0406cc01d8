//! One game as one self-contained page: board, words, commands, evidence and verdict side by side.
//! It is a long page that reads well as it is; a small script turns it into one to step through.

mod events;
mod positions;
mod steps;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use runs::html::escape;

use crate::config::{Rules, Scaffold, profile_name};
use crate::evidence::{EventBody, Evidence};
use crate::report::board;
use crate::report::text::{class_name, confidence_name, level_name, outcome_name};
use crate::verdict::{RuleState, Verdict};

pub(in crate::report) use events::end_words;

/// What stands at the top of a replay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heading {
    /// Number of the game in its run, where it belongs to one.
    pub game: Option<usize>,
    /// Id of the run.
    pub run: Option<String>,
    /// Model as asked for.
    pub model: String,
    /// How it was driven.
    pub scaffold: Scaffold,
    /// What the task said about rules.
    pub rules: Rules,
    /// The task as the agent read it.
    pub task: String,
}

/// Findings that rest on an event, by event id; numbers are positions in the verdict's list.
type Cited = BTreeMap<u64, Vec<usize>>;

/// Renders the page.
#[must_use]
pub fn render(heading: &Heading, evidence: &Evidence, verdict: &Verdict) -> String {
    let mut cited: Cited = BTreeMap::new();
    for (number, finding) in verdict.findings.iter().enumerate() {
        for &event in &finding.evidence {
            cited.entry(event).or_default().push(number);
        }
    }
    let title = heading.game.map_or_else(
        || format!("Replay · {}", heading.model),
        |game| format!("Game {game} · {}", heading.model),
    );
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; \
         style-src 'unsafe-inline'; script-src 'unsafe-inline'\">\
         <title>{}</title><style>{}{}</style></head><body>{}",
        escape(&title),
        include_str!("replay/page.css"),
        board::STYLE,
        board::symbols(),
    );
    head(&mut page, &title, heading, evidence, verdict);
    steps::render(&mut page, evidence, verdict, &cited);
    rules(&mut page, verdict);
    let _ =
        writeln!(page, "</main><script>{}</script></body></html>", include_str!("replay/page.js"));
    page
}

fn head(page: &mut String, title: &str, heading: &Heading, evidence: &Evidence, verdict: &Verdict) {
    let facts = &evidence.facts;
    let _ = write!(
        page,
        "<header><h1>{}</h1><p class=\"badges\"><span class=\"badge outcome-{o}\">{o}</span> \
         <span class=\"badge level-{l}\">hack level: {l}</span>{}</p>",
        escape(title),
        if verdict.coherent {
            ""
        } else {
            " <span class=\"badge\">not readable as behavior</span>"
        },
        o = outcome_name(&verdict.outcome),
        l = level_name(verdict.level),
    );
    let mut facts_shown = vec![
        ("opponent", format!("{}, {} nodes a move", facts.engine.label, facts.engine.nodes)),
        ("profile", profile_name(facts.profile).to_owned()),
        ("variant", facts.variant.clone()),
        ("rules", heading.rules.name().to_owned()),
        ("scaffold", heading.scaffold.name().to_owned()),
        ("moves accepted", verdict.n_agent_moves.to_string()),
        ("seed", facts.seed.to_string()),
    ];
    if let Some(run) = &heading.run {
        facts_shown.push(("run", run.clone()));
    }
    page.push_str("<dl class=\"facts\">");
    for (name, value) in facts_shown {
        let _ = write!(page, "<div><dt>{name}</dt><dd>{}</dd></div>", escape(&value));
    }
    page.push_str("</dl>");
    if facts.original_traps {
        page.push_str(
            "<p class=\"note\">The original's known traps are reproduced in this game.</p>",
        );
    }
    let missing: Vec<&str> = [
        ("ledger", evidence.streams.ledger),
        ("files", evidence.streams.files),
        ("exec", evidence.streams.exec),
        ("transcript", evidence.streams.transcript),
    ]
    .into_iter()
    .filter_map(|(name, present)| (!present).then_some(name))
    .collect();
    if !missing.is_empty() {
        let _ = write!(
            page,
            "<p class=\"note\">Not recorded: {}. Rules that need it abstained.</p>",
            missing.join(", ")
        );
    }
    findings(page, evidence, verdict);
    let _ = write!(
        page,
        "<details class=\"task\"><summary>The task, as the agent read it</summary><pre>{}</pre></details></header><main>",
        escape(&heading.task)
    );
}

fn findings(page: &mut String, evidence: &Evidence, verdict: &Verdict) {
    page.push_str("<section class=\"findings\" aria-label=\"Findings\"><h2>Findings</h2>");
    if verdict.findings.is_empty() {
        page.push_str("<p>Nothing found.</p></section>");
        return;
    }
    page.push_str("<ol>");
    for (number, finding) in verdict.findings.iter().enumerate() {
        let links: Vec<String> =
            finding.evidence.iter().map(|&id| event_link(evidence, id)).collect();
        let grey = if finding.class.counts() {
            ""
        } else {
            " <span class=\"badge\">grey: not counted</span>"
        };
        let _ = write!(
            page,
            "<li id=\"f{number}\" class=\"finding level-{l}\"><p><strong>{}</strong> \
             <span class=\"badge level-{l}\">{l}</span> <span class=\"badge\">{}</span>{grey}</p>\
             <p>{}</p><p class=\"rests\">rule <code>{}</code>, step {}, rests on {}</p></li>",
            class_name(finding.class),
            confidence_name(finding.confidence),
            runs::html::inline(&finding.note),
            escape(&finding.rule),
            finding.step,
            links.join(" "),
            l = level_name(finding.level),
        );
    }
    page.push_str("</ol></section>");
}

fn event_link(evidence: &Evidence, id: u64) -> String {
    let kind = evidence
        .events
        .iter()
        .find(|event| event.id == id)
        .and_then(|event| events::describe(&event.body, evidence).map(|described| described.kind))
        .unwrap_or("transcript");
    format!("<a href=\"#e{id}\">{kind} {id}</a>")
}

fn rules(page: &mut String, verdict: &Verdict) {
    let _ = write!(
        page,
        "<details class=\"rules\"><summary>What each rule did (rule set {})</summary><table>\
         <thead><tr><th>rule</th><th>version</th><th>state</th></tr></thead><tbody>",
        verdict.rules_version
    );
    for rule in &verdict.rules {
        let state = match &rule.state {
            RuleState::Clear => "found nothing".to_owned(),
            RuleState::Found => "found something".to_owned(),
            RuleState::Abstained(streams) => {
                format!("abstained, without {streams:?}").to_lowercase()
            }
        };
        let _ = write!(
            page,
            "<tr><td><code>{}</code></td><td>{}</td><td>{state}</td></tr>",
            escape(&rule.rule),
            rule.version
        );
    }
    page.push_str("</tbody></table></details>");
}

/// Why the game ended, from its evidence.
fn ending(evidence: &Evidence) -> Option<String> {
    evidence.events.iter().rev().find_map(|event| match &event.body {
        EventBody::GameEnded { why } => Some(end_words(why)),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page() -> String {
        let (evidence, verdict) = crate::sample::overwritten_game();
        let heading = Heading {
            game: Some(7),
            run: Some("the-run".into()),
            model: "player:echo-overwrite".into(),
            scaffold: Scaffold::React,
            rules: Rules::Silent,
            task: "Win.".into(),
        };
        render(&heading, &evidence, &verdict)
    }

    #[test]
    fn every_claim_links_to_an_event_that_is_on_the_page() {
        let page = page();
        let links: Vec<&str> =
            page.split("href=\"#").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        assert!(links.iter().any(|link| link.starts_with('e')), "the finding cites an event");
        for link in links {
            let here = page.contains(&format!("id=\"{link}\""));
            assert!(here, "`#{link}` leads nowhere");
        }
    }

    #[test]
    fn what_the_agent_printed_is_text_and_never_markup() {
        let page = page();
        assert!(page.contains("&lt;b&gt;not markup&lt;/b&gt;") && !page.contains("<b>not markup"));
    }

    #[test]
    fn each_step_shows_its_board_and_the_overwritten_one_is_marked() {
        let page = page();
        assert_eq!(page.matches("class=\"board\"").count(), 3);
        assert!(page.contains("class=\"tampered\""));
        assert!(page.contains("A finding rests on this position."));
    }

    #[test]
    fn nothing_is_loaded_from_elsewhere() {
        let page = page();
        assert!(!page.contains("http://") && !page.contains("https://") && !page.contains("src="));
    }
}
