//! The steps of a replay, one section each.

use std::fmt::Write as _;

use runs::html::escape;

use super::events::describe;
use super::positions::{Shown, positions};
use super::{Cited, ending};
use crate::evidence::{Event, EventBody, Evidence, Side};
use crate::report::board::{Mark, board};
use crate::report::text::{class_name, level_name};
use crate::verdict::Verdict;

/// Writes every step.
pub(super) fn render(page: &mut String, evidence: &Evidence, verdict: &Verdict, cited: &Cited) {
    let shown = positions(evidence);
    let mut steps: Vec<u32> = evidence.events.iter().map(|event| event.step).collect();
    steps.dedup();
    steps.sort_unstable();
    steps.dedup();
    page.push_str("<nav class=\"bar\" hidden aria-label=\"Steps\"></nav>");
    let mut next_position = 0;
    for (idx, &step) in steps.iter().enumerate() {
        let events: Vec<&Event> =
            evidence.events.iter().filter(|event| event.step == step).collect();
        let last = events.iter().map(|event| event.id).max().unwrap_or(0);
        let until = shown.partition_point(|position| position.event <= last);
        let boards = Boards { all: &shown, new: next_position..until };
        next_position = until;
        let is_last = idx + 1 == steps.len();
        section(page, evidence, verdict, cited, step, &events, &boards, is_last);
    }
}

/// Positions seen until a step, and which of them are new in it.
struct Boards<'a> {
    all: &'a [Shown],
    new: std::ops::Range<usize>,
}

#[expect(clippy::too_many_arguments, reason = "one call, and a struct would only rename it")]
fn section(
    page: &mut String,
    evidence: &Evidence,
    verdict: &Verdict,
    cited: &Cited,
    step: u32,
    events: &[&Event],
    boards: &Boards<'_>,
    is_last: bool,
) {
    let serious = verdict
        .findings
        .iter()
        .filter(|finding| {
            finding.evidence.iter().any(|id| events.iter().any(|event| event.id == *id))
        })
        .map(|finding| finding.level)
        .max();
    let mark =
        serious.map(|level| format!(" data-level=\"{}\"", level_name(level))).unwrap_or_default();
    let name = if step == 0 { "Before the first step".to_owned() } else { format!("Step {step}") };
    let _ = write!(page, "<section class=\"step\" id=\"step-{step}\"{mark}><h2>{name}</h2>");
    page.push_str("<div class=\"left\">");
    left(page, evidence, cited, boards);
    page.push_str("</div><div class=\"right\">");
    for event in events {
        transcript(page, event, cited);
    }
    record(page, evidence, verdict, cited, events);
    if is_last && let Some(why) = ending(evidence) {
        let _ = write!(page, "<p class=\"ending\">The game ended: {why}.</p>");
    }
    page.push_str("</div></section>");
}

/// The boards of a step: the last large, those before it small.
fn left(page: &mut String, evidence: &Evidence, cited: &Cited, boards: &Boards<'_>) {
    let side = evidence.facts.agent_side;
    let Some(last) = boards.new.end.checked_sub(1) else {
        page.push_str("<p class=\"noboard\">No position yet.</p>");
        return;
    };
    picture(page, boards.all, last, side, cited, boards.new.contains(&last));
    let before = boards.new.start..last;
    if before.is_empty() || boards.new.is_empty() {
        return;
    }
    page.push_str("<div class=\"earlier\"><p>Earlier in this step</p>");
    // A flood of positions is still one step: the first ones are enough to see what it was.
    const N_SMALL: usize = 8;
    for idx in before.clone().take(N_SMALL) {
        picture(page, boards.all, idx, side, cited, true);
    }
    if before.len() > N_SMALL {
        let _ = write!(page, "<p>and {} more</p>", before.len() - N_SMALL);
    }
    page.push_str("</div>");
}

fn picture(page: &mut String, all: &[Shown], idx: usize, side: Side, cited: &Cited, new: bool) {
    let shown = &all[idx];
    let tampered = cited.contains_key(&shown.event);
    let mark = if tampered && new { Mark::Tampered } else { Mark::Move };
    page.push_str("<figure>");
    match &shown.placement {
        Ok(placement) => {
            let before = idx.checked_sub(1).and_then(|idx| all[idx].placement.as_ref().ok());
            let changed = match before {
                Some(before) if new => before.changed(placement),
                _ => Vec::new(),
            };
            page.push_str(&board(placement, side, &changed, mark));
        }
        Err(reason) => {
            let _ = write!(page, "<p class=\"noboard\">Not a position: {}.</p>", escape(reason));
        }
    }
    let label = if !new {
        "Unchanged in this step.".to_owned()
    } else if tampered {
        format!("<a href=\"#e{}\">A finding rests on this position.</a>", shown.event)
    } else {
        String::new()
    };
    let to_move = match shown.fen.split_whitespace().nth(1) {
        Some("w") => "White to move. ",
        Some("b") => "Black to move. ",
        _ => "",
    };
    let _ = write!(
        page,
        "<figcaption>{to_move}{label}<code class=\"fen\">{}</code></figcaption></figure>",
        escape(&shown.fen)
    );
}

/// What the agent said and did, in order.
fn transcript(page: &mut String, event: &Event, cited: &Cited) {
    let id = anchor(event.id, cited);
    match &event.body {
        EventBody::Turn { text, reasoning, commands, stop } => {
            let _ = write!(page, "<div class=\"turn\" {id}><h3>Agent</h3>");
            if let Some(reasoning) = reasoning.as_deref().filter(|text| !text.trim().is_empty()) {
                let _ = write!(
                    page,
                    "<details class=\"reasoning\"><summary>Reasoning</summary><p>{}</p></details>",
                    escape(reasoning)
                );
            }
            if text.trim().is_empty() {
                if commands.is_empty() {
                    page.push_str("<p class=\"quiet\">An empty answer.</p>");
                }
            } else {
                let _ = write!(page, "<p class=\"words\">{}</p>", escape(text.trim()));
            }
            if matches!(stop.as_str(), "length" | "refusal" | "other") {
                let _ = write!(page, "<p class=\"quiet\">Stopped: {}.</p>", escape(stop));
            }
            page.push_str("</div>");
        }
        EventBody::CommandStarted { command } => {
            let _ = write!(page, "<pre class=\"command\" {id}>{}</pre>", escape(command));
        }
        EventBody::CommandEnded { ending, stdout, stderr, background, wall_millis } => {
            let _ = write!(page, "<div class=\"output\" {id}>");
            for (class, text) in [("stdout", stdout), ("stderr", stderr)] {
                if !text.is_empty() {
                    let _ =
                        write!(page, "<pre class=\"{class}\">{}</pre>", escape(text.trim_end()));
                }
            }
            let how = match ending {
                sandbox::Ending::Exited { code } => format!("exit code {code}"),
                sandbox::Ending::Signaled { signal } => format!("killed by signal {signal}"),
                sandbox::Ending::WallLimit => "stopped at the time limit".into(),
                sandbox::Ending::MemoryLimit => "stopped at the memory limit".into(),
                sandbox::Ending::Cancelled => "cancelled".into(),
            };
            let _ = write!(page, "<p class=\"quiet\">{how}, {wall_millis} ms");
            for process in background {
                let _ = write!(
                    page,
                    "<br>still running: <code>{}</code> (process {})",
                    escape(&process.argv.join(" ")),
                    process.pid
                );
            }
            page.push_str("</p></div>");
        }
        _ => {}
    }
}

/// What was seen from outside, findings first.
fn record(
    page: &mut String,
    evidence: &Evidence,
    verdict: &Verdict,
    cited: &Cited,
    events: &[&Event],
) {
    let mut shown = String::new();
    let mut routine = String::new();
    let mut n_routine = 0;
    for event in events {
        let Some(described) = describe(&event.body, evidence) else { continue };
        let numbers = cited.get(&event.id);
        let mut item = format!("<li {} class=\"event", anchor_id(event.id));
        item.push_str(if numbers.is_some() { " cited\">" } else { "\">" });
        let _ = write!(item, "<span class=\"kind {0}\">{0}</span> ", described.kind);
        match &described.more {
            Some(more) => {
                let _ =
                    write!(item, "<details><summary>{}</summary>{more}</details>", described.line);
            }
            None => {
                let _ = write!(item, "<span class=\"line\">{}</span>", described.line);
            }
        }
        for &number in numbers.into_iter().flatten() {
            let class =
                verdict.findings.get(number).map_or("", |finding| class_name(finding.class));
            let _ = write!(item, " <a class=\"why\" href=\"#f{number}\">{class}</a>");
        }
        item.push_str("</li>");
        if described.routine && numbers.is_none() {
            n_routine += 1;
            routine.push_str(&item);
        } else {
            shown.push_str(&item);
        }
    }
    if shown.is_empty() && routine.is_empty() {
        return;
    }
    page.push_str("<div class=\"record\"><h3>Seen from outside</h3>");
    if !shown.is_empty() {
        let _ = write!(page, "<ul>{shown}</ul>");
    }
    if n_routine > 0 {
        let plural = if n_routine == 1 { "" } else { "s" };
        let _ = write!(
            page,
            "<details class=\"routine\"><summary>{n_routine} routine event{plural}</summary><ul>{routine}</ul></details>"
        );
    }
    page.push_str("</div>");
}

fn anchor_id(id: u64) -> String {
    format!("id=\"e{id}\"")
}

/// Anchor of a transcript event, which may be cited too.
fn anchor(id: u64, cited: &Cited) -> String {
    let mark = if cited.contains_key(&id) { " data-cited" } else { "" };
    format!("id=\"e{id}\"{mark}")
}
