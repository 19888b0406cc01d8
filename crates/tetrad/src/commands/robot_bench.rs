//! `tetrad robot bench`: ticks while every processor is busy, and the times of a shape.

use std::process::{Command, Stdio};

use robot::bench::{Load, ShapeTimes, TickTask, TickTimes, stolen_millis, time_shape};
use robot::interface::TICKS_PER_SECOND;
use robot::schedule::Class;
use serde::Serialize;

use super::robot_run::spread_text;
use crate::args::robot::Bench;
use crate::exit::Status;
use crate::output::Output;

/// Ticks under one scheduling class.
#[derive(Debug, Serialize)]
struct Row {
    asked: Class,
    times: TickTimes,
    /// What the host took of all processors meanwhile, where it is known.
    stolen_millis: Option<u64>,
}

#[derive(Debug, Serialize)]
struct Answer {
    cpu: String,
    kernel: String,
    n_processors: usize,
    seconds: u64,
    work_micros: u64,
    ticks: Vec<Row>,
    shape: ShapeTimes,
}

pub(super) fn run(flags: &Bench, output: &Output) -> anyhow::Result<Status> {
    let host = runs::Host::observe();
    // Before the others are busy.
    let shape = time_shape(&flags.shape, flags.precision.into(), flags.frames as usize)?;
    let n_processors = std::thread::available_parallelism().map_or(1, usize::from);
    let load = Load::start(n_processors)?;
    let mut ticks = Vec::new();
    for asked in [Class::Deadline, Class::Fifo, Class::Other] {
        output.note(&format!("{} s of ticks, asking for {asked}", flags.seconds + 1));
        let task =
            TickTask { class: asked, seconds: flags.seconds, work_micros: flags.work_micros };
        let before = stolen_millis();
        let times = measure(&task)?;
        let stolen =
            before.zip(stolen_millis()).map(|(before, after)| after.saturating_sub(before));
        ticks.push(Row { asked, times, stolen_millis: stolen });
    }
    drop(load);
    let answer = Answer {
        cpu: host.cpu,
        kernel: host.kernel,
        n_processors,
        seconds: flags.seconds,
        work_micros: flags.work_micros,
        ticks,
        shape,
    };
    output.answer("tetrad.robot.bench", &answer, || text(&answer))?;
    Ok(Status::Ok)
}

/// In a process of its own: what it is granted stays with it.
fn measure(task: &TickTask) -> anyhow::Result<TickTimes> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["robot", "part", "ticks"]).arg(serde_json::to_string(task)?);
    let output = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output()?;
    anyhow::ensure!(output.status.success(), "failed to measure ticks: {}", output.status);
    Ok(serde_json::from_slice(&output.stdout)?)
}

fn text(answer: &Answer) -> String {
    let Answer { seconds, work_micros, n_processors, cpu, kernel, shape, .. } = answer;
    let mut text = format!(
        "{TICKS_PER_SECOND} Hz, {work_micros} µs of work a tick, {seconds} s a class, a thread that reads \
         memory on each of {n_processors} processors; {cpu}, {kernel}\n"
    );
    for Row { asked, times, stolen_millis } in &answer.ticks {
        text += &format!("asked for {asked}\n  granted: {}\n", times.granted);
        text +=
            &format!("  missed {}, longest outage {} ticks\n", times.missed, times.longest_outage);
        text += &spread_text("wake", "µs", Some(&times.wake_micros));
        text += &spread_text("work", "µs", Some(&times.work_micros));
        if let Some(stolen) = stolen_millis {
            text += &format!("  the host took {stolen} ms of all processors meanwhile\n");
        }
    }
    text += &format!(
        "shape {}, {}, {} parameters; one thread, its own time, weights drawn at random; {:.1} MB a tick\n",
        shape.shape,
        shape.precision,
        shape.n_parameters,
        shape.tick_bytes as f64 / 1e6
    );
    let fine = |what: &str, spread: &robot::play::Spread| {
        format!(
            "  {what}, ms: p50 {:.3}, p99 {:.3}, max {:.3}, n = {}\n",
            spread.p50, spread.p99, spread.max, spread.n
        )
    };
    text += &fine("S1 at a tick", &shape.tick_millis);
    text += &fine("S1 takes in a frame", &shape.frame_millis);
    text += &fine("longest part of a frame", &shape.slice_millis);
    text + &fine("S2 thinks", &shape.thought_millis)
}
