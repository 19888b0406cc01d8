//! A run: what was done, whether ticks were kept, what had to be replaced.

use std::path::Path;

use runs::Run;
use runs::html::{Cell, Page, Tone};
use runs::plot::{self, RateBar};
use runs::stats::Rate;
use serde::Deserialize;

use super::attempt::spread;
use super::{ages, page_name};
use crate::error::Result;
use crate::fast::TickRecord;
use crate::interface::TICKS_PER_SECOND;
use crate::play::{Attempt, Line, Measured, Played, Spread, lines};
use crate::record::{Actor, Time};
use crate::study::{AtAge, Score};

/// What the summary of a run may hold, by the command that made it.
#[derive(Debug, Default, Deserialize)]
struct Summary {
    #[serde(default)]
    played: Option<Played>,
    #[serde(default)]
    scores: Vec<Score>,
    #[serde(default)]
    ages: Vec<AtAge>,
}

/// One thing that happened to a process, as it is in a run's log.
#[derive(Debug, Deserialize)]
struct Happened {
    seconds: f64,
    text: String,
}

pub(super) fn render(run: &Run, attempts: &[Attempt]) -> Result<String> {
    let summary: Summary = run.summary()?.unwrap_or_default();
    let mut page = Page::new(title(&summary, attempts));
    page.kicker("Tetrad · robot").lead(lead(&summary, attempts)).run_facts(run.manifest());
    if let Some(played) = &summary.played {
        tiles(&mut page, played);
    }
    if !summary.scores.is_empty() {
        scores(&mut page, &summary.scores);
    }
    if summary.ages.is_empty() {
        attempts_section(&mut page, attempts);
    } else {
        ages::section(&mut page, &summary.ages);
    }
    if let Some(played) = &summary.played {
        if played.time == Time::Real {
            for (robot, measured) in played.robots.iter().enumerate() {
                in_time(&mut page, run.path(), robot, measured, played.robots.len())?;
            }
        }
        safety(&mut page, played);
        happenings(&mut page, run.path())?;
    }
    page.footer(
        "Rates carry 95 % Wilson intervals. An attempt's time begins when its robot sets out; the one that \
         was going on when the run ended is in no rate. A tick is missed when no new action is there 5 ms \
         after it was due.",
    );
    Ok(page.render())
}

fn title(summary: &Summary, attempts: &[Attempt]) -> &'static str {
    if !summary.ages.is_empty() {
        "How old may a latent be?"
    } else if !summary.scores.is_empty() {
        "How often does it succeed?"
    } else if attempts.first().is_some_and(|attempt| attempt.actor == Actor::Expert) {
        "Scripted experts at work"
    } else {
        "A policy at work"
    }
}

fn lead(summary: &Summary, attempts: &[Attempt]) -> String {
    if let Some(played) = &summary.played {
        let clock = match played.time {
            Time::Real => "by the clock, world, S2 and S1 each in a process of its own",
            Time::Simulated => "of simulated time",
        };
        let stopped = if played.interrupted { ", until it was stopped" } else { "" };
        let what = if played.has_moved() {
            done(played.success)
        } else {
            "the robot was never let go, and stood".to_owned()
        };
        return format!("{:.0} s {clock}{stopped}: {what}.", played.seconds);
    }
    if !summary.ages.is_empty() {
        let n: u64 = summary.ages.iter().map(|one| one.rate.n).sum();
        return format!("{n} attempts in simulated time, the same scenes at every age.");
    }
    if !summary.scores.is_empty() {
        let all = summary.scores.iter().fold(Rate::default(), |all, score| Rate {
            hits: all.hits + score.rate.hits,
            n: all.n + score.rate.n,
        });
        return format!(
            "{all} attempts done over {} tasks, in simulated time.",
            summary.scores.len()
        );
    }
    format!("{} attempts on record; the run has not come to its end.", attempts.len())
}

/// Attempts done, in words.
fn done(success: Rate) -> String {
    match success.n {
        0 => "no attempt came to its end".to_owned(),
        _ => format!("{success} attempts done"),
    }
}

fn tiles(page: &mut Page, played: &Played) {
    let mut tiles = vec![(
        "attempts done".to_owned(),
        Cell::text(format!("{}/{}", played.success.hits, played.success.n)),
        played.success.wilson().map_or_else(
            || "none came to its end".to_owned(),
            |at| format!("{:.0} to {:.0} %, 95 % Wilson", 100.0 * at.low, 100.0 * at.high),
        ),
    )];
    for (robot, measured) in played.robots.iter().enumerate() {
        let of = |what: &str| match played.robots.len() {
            1 => what.to_owned(),
            _ => format!("{what}, robot {}", robot + 1),
        };
        if played.time == Time::Real {
            let share = measured.missed.share().map_or("–".to_owned(), percent);
            let text = format!(
                "{} of {} at 200 Hz, longest outage {}",
                measured.missed.hits, measured.missed.n, measured.longest_outage
            );
            tiles.push((of("ticks missed"), Cell::text(share), text));
        }
        if let Some(age) = &measured.latent_millis {
            let text = format!("median; p99 {:.0} ms, n = {} ticks", age.p99, age.n);
            tiles.push((of("latent age"), Cell::text(format!("{:.0} ms", age.p50)), text));
        }
    }
    if let Some(rate) = played.latents_per_second.first() {
        let text = "latents a second for each robot".to_owned();
        tiles.push(("S2".to_owned(), Cell::text(format!("{rate:.1} Hz")), text));
    }
    page.tiles(tiles);
}

fn percent(share: f64) -> String {
    let share = 100.0 * share;
    if share > 0.0 && share < 1.0 { format!("{share:.2} %") } else { format!("{share:.1} %") }
}

fn scores(page: &mut Page, scores: &[Score]) {
    page.section("Successes by task");
    let bars = scores.iter().map(|score| RateBar::new(score.task.name(), score.rate));
    page.figure(
        plot::rates("Share of attempts that were done, by task", &bars.collect::<Vec<_>>()),
        "Whiskers are 95 % Wilson intervals.",
    );
    page.table(
        ["task", "done", "seconds, mean of those done"],
        scores.iter().map(|score| {
            vec![
                Cell::text(score.task.name()),
                Cell::from(score.rate),
                Cell::number(score.mean_secs.map_or("–".to_owned(), |secs| format!("{secs:.1}"))),
            ]
        }),
    );
}

fn attempts_section(page: &mut Page, attempts: &[Attempt]) {
    page.section("Attempts to look at");
    if attempts.is_empty() {
        page.paragraph("None was recorded. `--record N` keeps the first N of each task.");
        return;
    }
    page.table(
        ["attempt", "task", "words", "scene", "outcome", "s"],
        attempts.iter().map(|attempt| {
            let (badge, seconds) = match attempt.end {
                Some(end) => {
                    let seconds = f64::from(end.n_ticks) / f64::from(TICKS_PER_SECOND);
                    let good = Cell::badge("done", Tone::Good);
                    (if end.success { good } else { Cell::badge("not done", Tone::Bad) }, seconds)
                }
                None => (Cell::badge("cut off", Tone::Warn), attempt.seconds),
            };
            let number = format!("{:04}", attempt.number);
            vec![
                Cell::link(page_name(attempt.number), number),
                Cell::text(attempt.task.name()),
                Cell::text(attempt.instructions.join(" / ")),
                Cell::number(attempt.seed),
                badge,
                Cell::number(format!("{seconds:.1}")),
            ]
        }),
    );
}

fn in_time(
    page: &mut Page,
    folder: &Path,
    robot: usize,
    measured: &Measured,
    n_robots: usize,
) -> Result<()> {
    let title = "Kept in time?";
    let title =
        if n_robots > 1 { format!("Robot {}: kept in time?", robot + 1) } else { title.to_owned() };
    page.section(title);
    let granted: Vec<Cell> =
        measured.granted.iter().map(|granted| Cell::text(granted.to_string())).collect();
    page.paragraph("How the fast loop was scheduled, once for each life of its process:")
        .list(granted);
    if measured.beside {
        page.note(
            Tone::Info,
            "The policy takes longer than a tick on this machine: it thinks on a thread beside the loop, \
             and the loop plays its chunks.",
        );
    }
    let row = |what: &str, unit: &str, spread: &Option<Spread>| {
        let at = |value: fn(&Spread) -> f64| {
            Cell::number(spread.as_ref().map_or("–".to_owned(), |spread| {
                let value = value(spread);
                if value < 10.0 { format!("{value:.2}") } else { format!("{value:.0}") }
            }))
        };
        vec![
            Cell::text(what),
            Cell::text(unit),
            at(|spread| spread.p50),
            at(|spread| spread.p99),
            at(|spread| spread.p999),
            at(|spread| spread.max),
            Cell::number(spread.as_ref().map_or(0, |spread| spread.n)),
        ]
    };
    page.table(
        ["what", "unit", "p50", "p99", "p99.9", "max", "ticks"],
        [
            row("from due to awake", "µs", &measured.wake_micros),
            row("from awake to action out", "µs", &measured.work_micros),
            row("age of the latent", "ms", &measured.latent_millis),
            row("age of the observation", "ms", &measured.world_millis),
        ],
    );
    page.paragraph(format!(
        "Missed {}; longest outage, in ticks: {}.{}",
        measured.missed,
        measured.longest_outage,
        if measured.n_lost > 0 {
            format!(" {} ticks were not written down, and are in no figure.", measured.n_lost)
        } else {
            String::new()
        }
    ));
    let ticks: Vec<TickRecord> = lines(folder, robot)?
        .into_iter()
        .filter_map(|line| if let Line::Tick(tick) = line { Some(tick) } else { None })
        .collect();
    let of = |value: fn(&TickRecord) -> Option<f64>| ticks.iter().filter_map(value).collect();
    page.columns(|page| {
        let wake = of(|tick| Some(tick.wake_nanos as f64 / 1e3));
        spread(page, "From due to awake", "µs", wake);
        let work = of(|tick| Some(tick.work_nanos as f64 / 1e3));
        spread(page, "From awake to action out", "µs", work);
        let age = of(|tick| tick.latent_age.map(|age| age as f64 / 1e6));
        spread(page, "Age of the latent at a tick", "ms", age);
        let world = of(|tick| tick.world_age.map(|age| age as f64 / 1e6));
        spread(page, "Age of the observation at a tick", "ms", world);
    });
    Ok(())
}

fn safety(page: &mut Page, played: &Played) {
    page.section("Watchdog and limits");
    if played.broke_limits() {
        page.note(
            Tone::Bad,
            "A target broke a limit. It must not happen, whatever the policy says.",
        );
    }
    if !played.has_moved() {
        page.note(
            Tone::Warn,
            "The robot was never let go: S2 gave no latent, or S1 no usable action.",
        );
    }
    let row = |what: &str, value: &dyn Fn(usize) -> u64| {
        let cells = (0..played.counts.len()).map(|robot| Cell::number(value(robot)));
        [Cell::text(what)].into_iter().chain(cells).collect::<Vec<_>>()
    };
    let counts = |robot: usize| &played.counts[robot];
    let rung = |rung: usize| move |robot: usize| played.robots[robot].on_rung[rung];
    let robots = (1..=played.counts.len()).map(|robot| format!("robot {robot}"));
    page.table(
        ["what".to_owned()].into_iter().chain(robots),
        [
            row("ticks on rung run", &rung(0)),
            row("ticks on rung hold", &rung(1)),
            row("ticks on rung slow", &rung(2)),
            row("ticks on rung stop", &rung(3)),
            row("steps of the watchdog", &|robot| played.robots[robot].n_steps as u64),
            row("targets passed on to the robot", &|robot| counts(robot).n_ticks),
            row("of these, following S1", &|robot| counts(robot).n_followed),
            row("of these, breaking a limit", &|robot| counts(robot).n_broken),
            row("damaged values, not used", &|robot| counts(robot).n_damaged),
            row("words of S1 that were no targets", &|robot| counts(robot).n_refused),
            row("S1 taken over by another", &|robot| counts(robot).n_takeovers),
        ],
    );
}

fn happenings(page: &mut Page, folder: &Path) -> Result<()> {
    let log = folder.join("events.jsonl");
    if !log.exists() {
        return Ok(());
    }
    let happened = runs::Log::read::<Happened>(&log)?;
    page.section("What happened to the processes");
    page.table(
        ["at", "what"],
        happened.iter().map(|(_, one)| {
            vec![Cell::number(format!("{:.2} s", one.seconds)), Cell::text(&one.text)]
        }),
    );
    Ok(())
}
