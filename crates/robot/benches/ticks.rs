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
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use robot::chunks::Action;
use robot::clock::{Clock, Monotonic, thread_cpu_nanos};
use robot::deploy::{Shape, Wires, World};
use robot::fast::{Fast, FastConfig, Policy, measure_work};
use robot::interface::{STATE, TICK_NS, TICKS_PER_FRAME, TICKS_PER_SECOND};
use robot::schedule::{self, Class, Granted, ScheduleConfig};
use robot::shared::Stamp;
use robot::twins::{StillWorld, WavingPolicy, body};
use runs::Host;
use runs::stats::{Rate, quantile};
use serde::{Deserialize, Serialize};

/// Who has no rights: `nobody`.
const NOBODY: u32 = 65_534;

const SHAPE: Shape = Shape { n_robots: 1, frame_bytes: 2 * 96 * 96 * 3, latent_width: 512 };

/// What a child is asked to do.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Task {
    class: Class,
    seconds: u64,
    work_micros: u64,
}

/// What it measured. Times in microseconds.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Measured {
    granted: Granted,
    missed: Rate,
    longest_outage: u64,
    n_wakes: usize,
    wake_p50: f64,
    wake_p99: f64,
    wake_p999: f64,
    wake_max: f64,
    work_p99: f64,
}

/// The twin of a policy whose work takes so long on the processor.
struct Busy {
    waving: WavingPolicy,
    nanos: u64,
}

impl Policy for Busy {
    fn see(&mut self, frames: &[u8], state: &[f32; STATE]) {
        self.waving.see(frames, state);
    }

    fn act(&mut self, state: &[f32; STATE], latent: &[f32], chunk: &mut [Action]) {
        let end = thread_cpu_nanos() + self.nanos;
        self.waving.act(state, latent, chunk);
        while thread_cpu_nanos() < end {
            std::hint::spin_loop();
        }
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let Some(at) = arguments.iter().position(|argument| argument == "--task") {
        let task = serde_json::from_str(&arguments[at + 1]).expect("a task");
        println!("{}", serde_json::to_string(&measure(&task)).expect("text"));
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
    let load = Load::start(n_processors);
    // A process that is root can do what `nobody` can, and not the other way round.
    let root = std::fs::read_dir("/proc/1/fd").is_ok();
    for user in if root { vec![None, Some(NOBODY)] } else { vec![None] } {
        for class in [Class::Deadline, Class::Fifo, Class::Other] {
            let task = Task { class, seconds, work_micros };
            let name = if user.is_some() || !root { "without rights" } else { "root" };
            let before = stolen_millis();
            show(name, class, &run(&task, user));
            if let (Some(before), Some(after)) = (before, stolen_millis()) {
                println!("  the host took {} ms of all processors meanwhile", after - before);
            }
        }
    }
    load.end();
}

/// Milliseconds that a host has not let this machine run, though it would have, of all processors; nothing
/// where the kernel does not say. No scheduling class is a remedy for these.
fn stolen_millis() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/stat").ok()?;
    let ticks: u64 = text.lines().next()?.split_whitespace().nth(8)?.parse().ok()?;
    // Hundredths of a second, on every Linux that this runs on.
    Some(ticks * 10)
}

/// Measures in a process of its own, as another user if asked to.
fn run(task: &Task, user: Option<u32>) -> Measured {
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

fn show(name: &str, asked: Class, measured: &Measured) {
    println!("{name}, asked for {asked}");
    println!("  granted: {}", measured.granted);
    println!("  missed {}, longest outage {} ticks", measured.missed, measured.longest_outage);
    println!(
        "  wake, n = {}: p50 {:.0} µs, p99 {:.0} µs, p99.9 {:.0} µs, max {:.0} µs; work p99 {:.0} µs",
        measured.n_wakes,
        measured.wake_p50,
        measured.wake_p99,
        measured.wake_p999,
        measured.wake_max,
        measured.work_p99,
    );
}

/// In the child: one loop, and a thread that plays world and S2.
fn measure(task: &Task) -> Measured {
    let mut policy = Busy { waving: WavingPolicy::new(0.03, 400), nanos: task.work_micros * 1000 };
    let work = measure_work(&mut policy, 60, SHAPE.latent_width, SHAPE.frame_bytes, 1);
    let wires = Wires::create(SHAPE).expect("wires");
    let links = wires.s1(0).expect("a robot");
    let (mut fast, _traces) =
        Fast::new(policy, Monotonic, links, &body(), FastConfig::DEFAULT).expect("a loop");
    let ended = AtomicBool::new(false);
    let n_ticks = task.seconds * u64::from(TICKS_PER_SECOND);
    let n_before = u64::from(TICKS_PER_SECOND);
    let room = usize::try_from(n_ticks).expect("a number of ticks");
    let (mut wakes, mut works) = (Vec::with_capacity(room), Vec::with_capacity(room));
    let (mut missed, mut longest) = (Rate::default(), 0);
    std::thread::scope(|scope| {
        scope.spawn(|| surroundings(&wires, &ended));
        // The thread above is to have published before the loop begins.
        while wires.n_latents(0).expect("a robot") == 0 {
            std::thread::sleep(Duration::from_millis(5));
        }
        let granted = schedule::apply(&ScheduleConfig {
            class: task.class,
            work_p99_nanos: work.quantile(0.99),
            ..ScheduleConfig::best(TICK_NS)
        });
        loop {
            let record = fast.tick();
            if record.tick < n_before {
                continue;
            }
            if record.tick >= n_before + n_ticks {
                break;
            }
            wakes.push(record.wake_nanos as f64 / 1e3);
            works.push(record.work_nanos as f64 / 1e3);
            let n_missed = u64::from(record.n_missed);
            missed = Rate { hits: missed.hits + n_missed, n: missed.n + 1 + n_missed };
            longest = longest.max(n_missed);
        }
        ended.store(true, Ordering::Relaxed);
        let of = |samples: &[f64], q: f64| quantile(samples, q).unwrap_or(f64::NAN);
        Measured {
            granted,
            missed,
            longest_outage: longest,
            n_wakes: wakes.len(),
            wake_p50: of(&wakes, 0.5),
            wake_p99: of(&wakes, 0.99),
            wake_p999: of(&wakes, 0.999),
            wake_max: of(&wakes, 1.0),
            work_p99: of(&works, 0.99),
        }
    })
}

/// World and S2: publishes states at every tick, pictures and latents at every sixth.
fn surroundings(wires: &Wires, ended: &AtomicBool) {
    let (mut world, mut s2) = (wires.world().remove(0), wires.s2().remove(0));
    let mut state = [0.0; STATE];
    StillWorld::new(1, SHAPE.frame_bytes).state(0, &mut state);
    let (frames, latent) = (vec![0; SHAPE.frame_bytes], vec![0.0; SHAPE.latent_width]);
    let mut due = Monotonic.now();
    for tick in 0_u64.. {
        if ended.load(Ordering::Relaxed) {
            return;
        }
        let now = Monotonic.now();
        let stamp = Stamp { observed_at: now, published_at: now, ..Stamp::default() };
        world.state.publish(stamp, &state, &[]);
        if tick.is_multiple_of(u64::from(TICKS_PER_FRAME)) {
            world.frames_fast.publish(stamp, &state, &frames);
            s2.latent.publish(stamp, &latent, &[]);
        }
        due = (due + TICK_NS).max(now);
        Monotonic.sleep_until(due);
    }
}

/// Threads that read memory without end, one on each processor.
struct Load {
    ended: Arc<AtomicBool>,
    threads: Vec<std::thread::JoinHandle<()>>,
}

impl Load {
    fn start(n: usize) -> Load {
        let ended = Arc::new(AtomicBool::new(false));
        let sum = Arc::new(AtomicU64::new(0));
        let thread = |processor: usize| {
            let (ended, sum) = (Arc::clone(&ended), Arc::clone(&sum));
            std::thread::spawn(move || {
                let pinned = schedule::apply(&ScheduleConfig {
                    class: Class::Other,
                    processors: vec![processor],
                    lock_memory: false,
                    ..ScheduleConfig::best(TICK_NS)
                });
                assert_eq!(pinned.processors, [processor], "{pinned}");
                // Larger than any cache here.
                let words = vec![1_u64; 16 << 20];
                while !ended.load(Ordering::Relaxed) {
                    sum.fetch_add(words.iter().sum(), Ordering::Relaxed);
                }
            })
        };
        let threads = (0..n).map(thread).collect();
        Load { ended, threads }
    }

    fn end(self) {
        self.ended.store(true, Ordering::Relaxed);
        for thread in self.threads {
            thread.join().expect("a thread that reads");
        }
    }
}
