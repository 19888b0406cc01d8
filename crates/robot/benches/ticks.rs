//! Ticks at 200 Hz while every processor is busy with other work:
//! `cargo bench -p robot --bench ticks [-- --seconds N] [--work-micros N]`.
//!
//! The loop is the runtime's own, with shared memory, limits, watchdog and traces; its policy is a twin
//! that takes a given time on the processor at every tick, 3.5 ms unless said otherwise. Beside it one
//! thread for each processor reads memory without end, at ordinary priority and kept on its processor.
//! Each scheduling class runs for the given time, 60 s unless said otherwise, as root if we are root,
//! then as a user without rights: what was granted, and why not more, is printed with the figures.
//!
//! A tick is missed when no new action is there at the end of its 5 ms. Wake is the time from the moment
//! a tick is due to the moment it begins. The first second is not counted.
#![expect(clippy::print_stdout, reason = "a bench prints")]

use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};

use robot::bench::{Load, TickTask, TickTimes, stolen_millis, time_ticks};
use robot::interface::TICKS_PER_SECOND;
use robot::schedule::Class;
use runs::Host;

/// Who has no rights: `nobody`.
const NOBODY: u32 = 65_534;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let Some(at) = arguments.iter().position(|argument| argument == "--task") {
        let task = serde_json::from_str(&arguments[at + 1]).expect("a task");
        let times = time_ticks(&task).expect("ticks");
        println!("{}", serde_json::to_string(&times).expect("text"));
        return;
    }
    let number = |flag: &str, or: u64| {
        let at = arguments.iter().position(|argument| argument == flag);
        at.map_or(or, |at| arguments[at + 1].parse().expect("a whole number"))
    };
    let (seconds, work_micros) = (number("--seconds", 60), number("--work-micros", 3500));
    let host = Host::observe();
    let n_processors = std::thread::available_parallelism().map_or(1, usize::from);
    println!(
        "{TICKS_PER_SECOND} Hz, {work_micros} µs of work a tick, {seconds} s a row; on every one"
    );
    println!(
        "of {n_processors} processors a thread that reads memory without end; {} on {}",
        host.cpu, host.kernel
    );
    println!();
    let _load = Load::start(n_processors).expect("threads");
    // A process that is root can do what `nobody` can, and not the other way round.
    let root = std::fs::read_dir("/proc/1/fd").is_ok();
    for user in if root { vec![None, Some(NOBODY)] } else { vec![None] } {
        for class in [Class::Deadline, Class::Fifo, Class::Other] {
            let task = TickTask { class, seconds, work_micros };
            let name = if user.is_some() || !root { "without rights" } else { "root" };
            let before = stolen_millis();
            show(name, class, &run(&task, user));
            if let (Some(before), Some(after)) = (before, stolen_millis()) {
                println!("  the host took {} ms of all processors meanwhile", after - before);
            }
        }
    }
}

/// Measures in a process of its own, as another user if asked to.
fn run(task: &TickTask, user: Option<u32>) -> TickTimes {
    // By this name the file need not be in reach of the other user.
    let mut command = Command::new("/proc/self/exe");
    command.arg("--task").arg(serde_json::to_string(task).expect("text"));
    command.current_dir("/").stdin(Stdio::null()).stderr(Stdio::inherit());
    if let Some(user) = user {
        command.uid(user).gid(user);
    }
    let output = command.output().expect("a child");
    let text = String::from_utf8(output.stdout).expect("text");
    serde_json::from_str(text.trim()).unwrap_or_else(|error| panic!("{error}: `{text}`"))
}

fn show(name: &str, asked: Class, times: &TickTimes) {
    println!("{name}, asked for {asked}");
    println!("  granted: {}", times.granted);
    println!("  missed {}, longest outage {} ticks", times.missed, times.longest_outage);
    let wake = &times.wake_micros;
    println!(
        "  wake, n = {}: p50 {:.0} µs, p99 {:.0} µs, p99.9 {:.0} µs, max {:.0} µs; work p99 {:.0} µs",
        wake.n, wake.p50, wake.p99, wake.p999, wake.max, times.work_micros.p99,
    );
}
