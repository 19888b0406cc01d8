//! The tour's robot part: the trained policy in processes at 200 Hz and in simulated time.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use robot::model::Policy;
use robot::play::{Attempt, Played, RECORDS, attempts};
use robot::study::{Rehearsal, Score, rehearse_on_record};
use robot::tasks::{Setup, Task, Variation};
use runs::Store;
use runs::html::{Cell, Page, Tone};
use runs::stats::Rate;
use serde::Serialize;

use crate::args::genome::Precision;
use crate::args::robot::{Run, Scenes};
use crate::commands::robot_run;
use crate::output::Output;

/// Seconds in processes.
const REAL_SECS: u32 = 8;
/// Wall seconds in which attempts in simulated time are begun, and most of them.
const BEGIN: Duration = Duration::from_secs(10);
const MOST_ATTEMPTS: usize = 16;
/// First seed of scenes: in no training.
const SEED: u64 = 2_000_000;

/// The run in processes.
#[derive(Debug, Serialize)]
struct Real {
    run: String,
    played: Played,
}

/// What the robot part answers.
#[derive(Debug, Serialize)]
pub(super) struct Part {
    folder: PathBuf,
    real: Real,
    scores: Vec<Score>,
    success: Rate,
    attempts: Vec<Attempt>,
    pages: Vec<PathBuf>,
    wall_secs: f64,
}

/// Does it, in a folder of the run with this name; the run in processes is one of the store.
pub(super) fn run(
    store: &Store,
    folder: &Path,
    name: &str,
    seed: u64,
    output: &Output,
) -> anyhow::Result<Part> {
    let began = Instant::now();
    let records = folder.join(RECORDS);
    std::fs::create_dir_all(&records)?;
    let first = SEED + seed * 1000;
    let real = real(store, first, output)?;
    let (policy, _) = Policy::or_shipped(None)?;
    let outcomes = rehearsals(&policy, &records, first)?;
    let score = |task: &Task| {
        let of_task = outcomes.iter().filter(|(of, _)| of == task);
        Score::of(*task, &of_task.map(|(_, outcome)| *outcome).collect::<Vec<_>>())
    };
    let scores: Vec<Score> = Task::ALL.iter().map(score).filter(|one| one.rate.n > 0).collect();
    let attempts = attempts(folder)?;
    let page = |attempt| robot::report::write_attempt(folder, name, attempt);
    let pages = attempts.iter().map(page).collect::<Result<Vec<_>, _>>()?;
    Ok(Part {
        folder: folder.to_owned(),
        real,
        scores,
        success: Rate::of(outcomes.iter().map(|(_, outcome)| outcome.success)),
        attempts,
        pages,
        wall_secs: began.elapsed().as_secs_f64(),
    })
}

/// A few seconds in processes, by the clock.
fn real(store: &Store, seed: u64, output: &Output) -> anyhow::Result<Real> {
    let flags = Run {
        policy: None,
        tasks: vec![Task::OpenFridge.name().to_owned()],
        seed,
        seconds: REAL_SECS,
        precision: Precision::F32,
        scenes: Scenes::HeldOut,
        simulated_time: false,
        rerun: None,
        iceoryx2: None,
        backbone: None,
        open: false,
    };
    let answer = robot_run::play(&flags, store, &AtomicBool::new(false), output)?;
    Ok(Real { run: answer.run, played: answer.played })
}

type Outcomes = Vec<(Task, robot::collect::Outcome)>;

/// Attempts at all tasks in turn, on every core, all of those that were begun counted.
fn rehearsals(policy: &Policy, records: &Path, seed: u64) -> anyhow::Result<Outcomes> {
    let began = Instant::now();
    let next = AtomicUsize::new(0);
    let found = Mutex::new((Vec::new(), None));
    let work = || {
        while began.elapsed() < BEGIN {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= MOST_ATTEMPTS {
                return;
            }
            let (turn, idx) = (number / Task::ALL.len(), number % Task::ALL.len());
            let setup = Setup::new(Task::ALL[idx], seed + turn as u64, Variation::HELD_OUT);
            let how = Rehearsal::default();
            let outcome = nn::threads::alone(|| {
                rehearse_on_record(policy, nn::Precision::F32, &setup, &how, (records, number))
            });
            let mut found = found.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            match outcome {
                Ok(outcome) => found.0.push((setup.task, outcome)),
                Err(error) => _ = found.1.get_or_insert(error),
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(work);
        }
        work();
    });
    let (outcomes, error) = found.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    error.map_or(Ok(outcomes), |error| Err(error.into()))
}

impl Part {
    /// Lines for the terminal.
    pub(super) fn text(&self) -> String {
        let secs = self.wall_secs;
        let mut text = format!("\nrobot: the policy that comes with it, {secs:.0} s\n");
        let Real { run, played } = &self.real;
        for measured in &played.robots {
            let granted = measured.granted.first().map_or("–".to_owned(), ToString::to_string);
            text += &format!(
                "{:.0} s in processes at 200 Hz: missed {}, {granted}; run {run}\n",
                played.seconds, measured.missed
            );
        }
        text += &format!("{} attempts done by the clock\n", played.success);
        text += &format!("{} attempts done in simulated time\n", self.success);
        text + &self
            .pages
            .first()
            .map_or(String::new(), |page| format!("page {}\n", page.display()))
    }

    /// Its section of the report.
    pub(super) fn render(&self, page: &mut Page) {
        page.section("Robot: a slow mind and a fast hand");
        page.paragraph(
            "S2 reads pictures, words and the body's state a few times a second and writes one vector; S1 \
             reads it and the pictures, and moves two arms 200 times a second. World, S2 and S1 are \
             processes of their own.",
        );
        self.render_real(page);
        page.subsection("In simulated time");
        page.table(
            ["task", "done", "seconds, mean of those done"],
            self.scores.iter().map(|score| {
                let secs = score.mean_secs.map_or("–".to_owned(), |secs| format!("{secs:.1}"));
                vec![Cell::text(score.task.name()), Cell::from(score.rate), Cell::number(secs)]
            }),
        );
        page.subsection("Look at an attempt again");
        let folder = self.folder.file_name().unwrap_or_default().to_string_lossy();
        page.list(self.attempts.iter().zip(&self.pages).map(|(attempt, path)| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let badge = match attempt.end {
                Some(end) if end.success => Cell::badge("done", Tone::Good),
                Some(_) => Cell::badge("not done", Tone::Bad),
                None => Cell::badge("cut off", Tone::Warn),
            };
            Cell::join([
                Cell::link(format!("{folder}/{name}"), attempt.instructions.join(" / ")),
                badge,
            ])
        }));
    }

    fn render_real(&self, page: &mut Page) {
        let Real { run, played } = &self.real;
        page.subsection("In processes, by the clock");
        for measured in &played.robots {
            let millis = |spread: &Option<robot::play::Spread>| {
                spread.map_or("–".to_owned(), |spread| {
                    format!(
                        "{:.0} ms, p99 {:.0} ms, n = {} ticks",
                        spread.p50, spread.p99, spread.n
                    )
                })
            };
            let micros = |spread: &Option<robot::play::Spread>| {
                spread.map_or("–".to_owned(), |spread| {
                    format!("p99 {:.0} µs, p99.9 {:.0} µs", spread.p99, spread.p999)
                })
            };
            let granted = measured.granted.first().map_or("–".to_owned(), ToString::to_string);
            page.key_values([
                ("scheduling granted", Cell::text(granted)),
                ("ticks missed", Cell::from(measured.missed)),
                ("from due to awake", Cell::text(micros(&measured.wake_micros))),
                ("age of the latent", Cell::text(millis(&measured.latent_millis))),
                ("attempts done", Cell::from(played.success)),
            ]);
        }
        page.list([Cell::link(
            format!("../{run}/report.html"),
            "the whole run, with its attempts",
        )]);
    }
}
