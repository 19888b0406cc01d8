//! What a child of these tests becomes: this test binary again, with a part to play.

use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use robot::chunks::Action;
use robot::clock::Monotonic;
use robot::deploy::{
    Part, Patience, Role, Shape, SlowConfig, Trace, Wires, run_s1, run_s2, run_world,
};
use robot::fast::{FastConfig, Policy};
use robot::interface::{STATE, TICK_NS};
use robot::schedule::{Class, ScheduleConfig};
use robot::shared::Stamp;
use robot::twins::{CountingThinker, StillWorld, WavingPolicy, body};
use robot::watchdog::WatchdogConfig;

/// Environment variables: the part, where to write a log, and a carrier's name if values go over one.
const PART: &str = "TETRAD_TEST_PART";
const LOG: &str = "TETRAD_TEST_LOG";
const CARRIER: &str = "TETRAD_TEST_CARRIER";

pub(crate) const SHAPE: Shape = Shape { n_robots: 2, frame_bytes: 4096, latent_width: 64 };

/// A policy that ends its process when anything it is given is torn.
struct Strict(WavingPolicy);

impl Policy for Strict {
    fn see(&mut self, frames: &[u8], state: &[f32; STATE]) {
        self.0.see(frames, state);
        assert_eq!(self.0.n_torn(), 0, "torn pictures");
    }

    fn act(&mut self, state: &[f32; STATE], latent: &[f32], chunk: &mut [Action]) {
        self.0.act(state, latent, chunk);
        assert_eq!(self.0.n_torn(), 0, "a torn latent");
    }

    fn begin(&mut self) {
        self.0.begin();
    }
}

/// Plays the part that a parent gave this process.
#[test]
#[ignore = "needs: to be started by another test"]
fn entry() {
    let Ok(part) = std::env::var(PART) else { return };
    let wires = over_carrier(Wires::inherited().expect("whole wires").expect("wires"));
    match part.as_str() {
        "world" => drop(run_world(StillWorld::new(2, 4096), &wires, &Monotonic).expect("a world")),
        "s2" => {
            let config = SlowConfig { period_nanos: 60_000_000 };
            drop(run_s2(CountingThinker::default(), &wires, &Monotonic, config).expect("S2"));
        }
        "writer" => write_without_pause(&wires),
        robot => s1(robot.parse().expect("a number"), &wires),
    }
}

/// Over the carrier that was named, if one was.
#[cfg(feature = "iceoryx2")]
fn over_carrier(wires: Wires) -> Wires {
    let Ok(name) = std::env::var(CARRIER) else { return wires };
    wires.over(robot::shared::Carrier::open(&name).expect("a carrier"))
}

#[cfg(not(feature = "iceoryx2"))]
fn over_carrier(wires: Wires) -> Wires {
    wires
}

fn s1(robot: usize, wires: &Wires) {
    let mut policy = WavingPolicy::new(0.05, 400);
    // Now and then an action that is no number.
    policy.wrong_every = 150;
    let path = PathBuf::from(std::env::var_os(LOG).expect("a log"));
    let mut log = std::fs::File::options().append(true).create(true).open(path).expect("a file");
    let schedule = ScheduleConfig { class: Class::Other, ..ScheduleConfig::best(TICK_NS) };
    let sink = |trace| {
        if let Trace::Event(event) = trace {
            writeln!(log, "{}: {}>{}", event.cause, event.from, event.to).expect("written");
        }
    };
    // Sets out again soon, so that a short test sees more of it.
    let watchdog = WatchdogConfig { n_calm: 10, ..WatchdogConfig::DEFAULT };
    let config = FastConfig { watchdog, ..FastConfig::DEFAULT };
    run_s1(Strict(policy), wires, robot, &body(), config, &schedule, sink).expect("a loop");
}

/// Publishes latents of one value in all places, as fast as it can, until it is killed.
fn write_without_pause(wires: &Wires) {
    let mut latent = wires.s2().expect("links").remove(0).latent;
    let mut pulse = wires.pulse(Role::S2).expect("a pulse");
    let ended = AtomicBool::new(false);
    let mut count = 0.0;
    while !ended.load(std::sync::atomic::Ordering::Relaxed) {
        count += 1.0;
        latent.publish(Stamp::default(), &[count; 64], &[]);
        pulse.publish(Stamp::default(), &[], &[]);
    }
}

/// A part of a deployment of this test binary, over a carrier where one is named.
pub(crate) fn part(
    role: Role,
    name: &str,
    log: &Path,
    silence: Duration,
    carrier: Option<&str>,
) -> Part {
    let (name, log) = (name.to_owned(), log.to_owned());
    let carrier = carrier.map(str::to_owned);
    let command = move || {
        let mut command = Command::new(std::env::current_exe().expect("this test"));
        command
            .args(["--exact", "parts::entry", "--ignored", "--nocapture", "--test-threads=1"])
            .arg0("robot-part")
            .env(PART, &name)
            .env(LOG, &log)
            .envs(carrier.iter().map(|name| (CARRIER, name)))
            .stdout(Stdio::null());
        command
    };
    let patience = Patience { start: Duration::from_secs(20), silence };
    Part { role, command: Box::new(command), patience }
}
