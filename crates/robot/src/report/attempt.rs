//! One attempt, to look at again: what was seen, said, asked for and done.

use std::fmt::Write as _;
use std::path::Path;

use runs::html::{Cell, Page, Tone, escape};
use runs::plot::{Axes, Size, histogram};
use runs::stats::quantile;

use super::pictures::{Shown, choose};
use super::tracks;
use crate::error::Result;
use crate::fast::TickRecord;
use crate::interface::{ACTION, TICKS_PER_SECOND};
use crate::play::{Attempt, Line, Measured, lines};
use crate::record::{Actor, Record, Row, Time};
use crate::watchdog::Event;

/// Bytes of all pictures of a page, as they stand in it.
const BUDGET: usize = 4_200_000;
/// Steps of the watchdog that are listed.
const MOST_STEPS: usize = 100;

/// What S1 left of an attempt.
struct Heard {
    ticks: Vec<(f64, TickRecord)>,
    steps: Vec<(f64, Event)>,
}

pub(super) fn render(
    folder: &Path,
    run: &str,
    attempt: &Attempt,
    records: &[Record],
) -> Result<String> {
    let time = records.first().map_or(Time::Simulated, |record| record.heading().time);
    let mut page = Page::new(title(attempt));
    page.kicker("Tetrad · robot · replay")
        .lead(lead(attempt, time))
        .fact("task", attempt.task.name())
        .fact("scene", format!("seed {}", attempt.seed))
        .fact("attempt", attempt.number.to_string())
        .fact("run", Cell::code(run))
        .fact("outcome", outcome(attempt));
    page.style(include_str!("player.css"));
    let budget = BUDGET / records.len().max(1);
    for (robot, record) in records.iter().enumerate() {
        let heard = heard(folder, record, robot, time)?;
        let of = |what: &str| match records.len() {
            1 => what.to_owned(),
            _ => format!("Robot {}: {}", robot + 1, what.to_lowercase()),
        };
        page.section(of("What it saw"));
        let shown = choose(record, budget)?;
        page.raw(player(robot, record, &shown));
        page.section(of("Second by second"));
        let ticks: Vec<(f64, &TickRecord)> =
            heard.ticks.iter().map(|(at, tick)| (*at, tick)).collect();
        let real = if time == Time::Real { ticks.as_slice() } else { &[] };
        page.figure(
            tracks::render(&of("What happened over time"), record.rows(), real),
            "All over the same seconds. The line moves with the pictures above. Asked for is what the \
             policy wants; told is what is left of it after the limits; reached is where the arm was.",
        );
        if !real.is_empty() {
            in_time(&mut page, &of("Kept in time?"), &heard);
        }
        steps(&mut page, &heard.steps);
    }
    page.script(include_str!("player.js"));
    page.footer(footer(time));
    Ok(page.render())
}

fn footer(time: Time) -> String {
    let mut text =
        "Pictures are the robot's own cameras, as the policy gets them, a few of them a \
                    second. Positions are wrists in the robot's own frame: x forward, y left, z up."
            .to_owned();
    if time == Time::Simulated {
        text += " In simulated time S1 takes no time, so there is nothing to say about ticks.";
    }
    text
}

/// The words that were said, as a title.
fn title(attempt: &Attempt) -> String {
    let text = attempt.instructions.join(" / ");
    let mut letters = text.chars();
    let first = letters.next().map(|letter| letter.to_uppercase().to_string());
    first.unwrap_or_else(|| "No words".to_owned()) + letters.as_str()
}

fn outcome(attempt: &Attempt) -> Cell {
    match attempt.end {
        Some(end) if end.success => Cell::badge("done", Tone::Good),
        Some(_) => Cell::badge("not done", Tone::Bad),
        None => Cell::badge("cut off", Tone::Warn),
    }
}

fn lead(attempt: &Attempt, time: Time) -> String {
    let seconds = |n_ticks: u32| f64::from(n_ticks) / f64::from(TICKS_PER_SECOND);
    let how = match attempt.end {
        Some(end) if end.success => format!("Done after {:.1} s", seconds(end.n_ticks)),
        Some(end) => format!("Not done within {:.0} s", seconds(end.n_ticks)),
        None => format!("Cut off after {:.1} s, when the run ended", attempt.seconds),
    };
    let who = match (attempt.actor, time) {
        (Actor::Expert, _) => {
            "by a scripted expert, which sees the simulator's state and no pictures: this shows the \
             task, and no policy"
        }
        (Actor::Policy, Time::Real) => {
            "by S1 and S2 in processes of their own, from pictures and words, by the clock"
        }
        (Actor::Policy, Time::Simulated) => {
            "by S1 and S2 from pictures and words, in simulated time"
        }
    };
    format!("{how}, {who}.")
}

/// The lines that an S1 left during this record, with the seconds at which they are.
fn heard(folder: &Path, record: &Record, robot: usize, time: Time) -> Result<Heard> {
    let mut heard = Heard { ticks: Vec::new(), steps: Vec::new() };
    let heading = record.heading();
    if heading.actor == Actor::Expert {
        return Ok(heard);
    }
    let until = record.rows().last().map_or(0.0, |row| f64::from(row.at));
    let seconds = |at: u64| (at as f64 - heading.begun_at as f64) / 1e9;
    let inside = |at: &f64| (0.0..=until).contains(at);
    for line in lines(folder, robot)? {
        match line {
            Line::Tick(tick) if time == Time::Real => {
                let at = Some(seconds(tick.due)).filter(inside);
                heard.ticks.extend(at.map(|at| (at, tick)));
            }
            Line::Step(step) => {
                heard.steps.extend(Some(seconds(step.at)).filter(inside).map(|at| (at, step)));
            }
            _ => {}
        }
    }
    Ok(heard)
}

/// Pictures with a slider; the first is there without any script, and some in a row for paper.
fn player(robot: usize, record: &Record, shown: &Shown) -> String {
    let Some(first) = shown.pictures.first() else {
        return "<p class=\"note\">No pictures were recorded.</p>".to_owned();
    };
    let rows = record.rows();
    let at = |frame: usize| &rows[shown.rows[frame]];
    let heading = record.heading();
    let mut html = format!("<div class=\"player\" data-robot=\"{robot}\"><div class=\"screen\">");
    for (idx, (camera, uri)) in heading.cameras.iter().zip(first).enumerate() {
        let name = escape(&camera.name.replace('_', " "));
        let main = if idx == 0 { " class=\"main\"" } else { "" };
        let _ = write!(
            html,
            "<figure{main}><img src=\"{uri}\" width=\"{}\" height=\"{}\" alt=\"{name} camera\">\
             <figcaption>{name}</figcaption></figure>",
            camera.width, camera.height
        );
    }
    let _ = write!(
        html,
        "<dl class=\"now\"><dt>words</dt><dd class=\"words\">“{}”</dd><dt>time</dt><dd data-now=\"0\">\
         {}</dd><dt>latent</dt><dd data-now=\"1\">{}</dd><dt>watchdog</dt><dd data-now=\"2\">{}</dd>\
         <dt>takes to be done</dt><dd data-now=\"3\">{}</dd></dl></div>",
        escape(&heading.instruction),
        now(at(0))[0],
        now(at(0))[1],
        now(at(0))[2],
        now(at(0))[3],
    );
    let last = shown.rows.len() - 1;
    let _ = write!(
        html,
        "<div class=\"bar\"><button type=\"button\" aria-label=\"play or pause\">Play</button>\
         <input type=\"range\" min=\"0\" max=\"{last}\" value=\"0\" step=\"1\" aria-label=\"frame\"></div>"
    );
    // In a row: what happened at a glance, and all there is on paper.
    html.push_str("<div class=\"film\">");
    const IN_A_ROW: usize = 6;
    for idx in 0..IN_A_ROW.min(shown.rows.len()) {
        let frame = idx * last / (IN_A_ROW - 1).max(1);
        let uri = &shown.pictures[frame.min(last)][0];
        let _ = write!(
            html,
            "<figure data-frame=\"{frame}\"><img src=\"{uri}\" alt=\"\"><figcaption>{:.1} s</figcaption></figure>",
            at(frame.min(last)).at
        );
    }
    html.push_str("</div>");
    let times: Vec<f32> = shown.rows.iter().map(|&row| rows[row].at).collect();
    let texts: Vec<[String; 4]> = shown.rows.iter().map(|&row| now(&rows[row])).collect();
    let data = serde_json::json!({ "at": times, "now": texts, "pictures": shown.pictures });
    // Inside a script element no tag may end it; JSON may escape the slash.
    let data = data.to_string().replace("</", "<\\/");
    let _ = write!(html, "<script type=\"application/json\">{data}</script></div>");
    html
}

/// Time, age of the latent, rung and completion at a row, as text.
fn now(row: &Row) -> [String; 4] {
    let known = |value: f32, text: String| if value.is_finite() { text } else { "–".to_owned() };
    let completion = row.asked[ACTION - 1];
    [
        format!("{:.2} s", row.at),
        known(row.latent_age, format!("{:.0} ms old", 1e3 * row.latent_age)),
        row.rung.map_or_else(|| "–".to_owned(), |rung| rung.to_string()),
        known(completion, format!("{:.0} %", 100.0 * completion.clamp(0.0, 1.0))),
    ]
}

/// How ticks and ages are spread.
fn in_time(page: &mut Page, title: &str, heard: &Heard) {
    let lines: Vec<Line> = heard.ticks.iter().map(|(_, tick)| Line::Tick(*tick)).collect();
    let measured = Measured::of(&lines);
    page.section(title);
    page.paragraph(format!(
        "{} ticks missed of those due in this attempt; longest outage, in ticks: {}.",
        measured.missed, measured.longest_outage
    ));
    let micros = |value: fn(&TickRecord) -> u64| -> Vec<f64> {
        heard.ticks.iter().map(|(_, tick)| value(tick) as f64 / 1e3).collect()
    };
    let millis = |value: fn(&TickRecord) -> Option<u64>| -> Vec<f64> {
        let values = heard.ticks.iter().filter_map(|(_, tick)| value(tick));
        values.map(|nanos| nanos as f64 / 1e6).collect()
    };
    page.columns(|page| {
        spread(page, "From due to awake", "µs", micros(|tick| tick.wake_nanos));
        spread(page, "From awake to action out", "µs", micros(|tick| tick.work_nanos));
        spread(page, "Age of the latent at a tick", "ms", millis(|tick| tick.latent_age));
        spread(page, "Age of the observation at a tick", "ms", millis(|tick| tick.world_age));
    });
}

/// A histogram up to what 99 % do not exceed, and in words what is beyond.
pub(super) fn spread(page: &mut Page, title: &str, unit: &str, samples: Vec<f64>) {
    let at = |q| quantile(&samples, q);
    let (Some(most), Some(p999), Some(max)) = (at(0.99), at(0.999), at(1.0)) else { return };
    let n = samples.len();
    let below: Vec<f64> = samples.iter().copied().filter(|&sample| sample <= most).collect();
    let beyond = n - below.len();
    let axes = Axes { size: Size::Half, ..Axes::new(title, format!("{title}, {unit}"), "ticks") };
    let digits = usize::from(max < 10.0) * 2;
    let caption = format!(
        "{beyond} of {n} ticks are beyond the axis; p99.9 {p999:.digits$} {unit}, the largest \
         {max:.digits$} {unit}."
    );
    page.figure(histogram(&axes, &below, None), caption);
}

fn steps(page: &mut Page, steps: &[(f64, Event)]) {
    if steps.is_empty() {
        return;
    }
    page.details(format!("{} steps of the watchdog", steps.len()), |page| {
        page.table(["at", "cause", "from", "to"], steps.iter().take(MOST_STEPS).map(step_row));
        if steps.len() > MOST_STEPS {
            page.paragraph(format!("The first {MOST_STEPS} are listed."));
        }
    });
}

fn step_row((at, event): &(f64, Event)) -> Vec<Cell> {
    vec![
        Cell::number(format!("{at:.3} s")),
        Cell::text(event.cause.to_string()),
        Cell::text(event.from.to_string()),
        Cell::text(event.to.to_string()),
    ]
}
