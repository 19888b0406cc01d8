//! That the loop allocates nothing, and asks the kernel for nothing but the time.

use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::Arc;

use super::*;
use crate::chunks::Blend;
use crate::clock::{Monotonic, Simulated};
use crate::deploy::World as _;
use crate::deploy::{Shape, SlowLinks, Wires, WorldLinks};
use crate::linux::lockdown::only_the_clock;
use crate::twins::{StillWorld, WavingPolicy, body};

/// What is around a loop, in the same thread.
struct Around {
    world: WorldLinks,
    s2: SlowLinks,
    state: [f32; STATE],
}

fn around(
    clock: impl Clock,
    config: FastConfig,
) -> (Around, Fast<WavingPolicy, impl Clock>, Traces) {
    let shape = Shape { n_robots: 1, frame_bytes: 960, latent_width: 64 };
    let wires = Wires::create(shape).expect("wires");
    let mut state = [0.0; STATE];
    StillWorld::new(1, 960).state(0, &mut state);
    let mut policy = WavingPolicy::new(0.2, 150);
    policy.wrong_every = 97;
    let links = wires.s1(0).expect("links");
    let (fast, traces) = Fast::new(policy, clock, links, &body(), config).expect("a loop");
    (
        Around {
            world: wires.world().expect("links").remove(0),
            s2: wires.s2().expect("links").remove(0),
            state,
        },
        fast,
        traces,
    )
}

impl Around {
    /// What others publish before a tick: S2 falls silent for a while, the world a little later.
    fn publish(&mut self, tick: u64, now: u64) {
        let stamp = Stamp { observed_at: now, published_at: now, ..Stamp::default() };
        if !(500..1100).contains(&tick) {
            self.s2.latent.publish(stamp, &[tick as f32; 64], &[]);
        }
        if !(1200..1300).contains(&tick) {
            self.world.state.publish(stamp, &self.state, &[]);
        }
        if tick.is_multiple_of(6) {
            self.world.frames_fast.publish(stamp, &self.state, &[7; 960]);
        }
    }
}

#[test]
fn the_fast_loop_allocates_nothing() {
    let chunks = ChunkConfig { length: 8, blend: Blend::Ensemble(0.01), speed: 1.2 };
    for chunks in [ChunkConfig::SINGLE, chunks] {
        let clock = Simulated::at(9);
        let config = FastConfig { chunks, ..FastConfig::DEFAULT };
        let (mut around, mut fast, _traces) = around(clock.clone(), config);
        let mut rungs = [0; 4];
        let counted = allocation_counter::measure(|| {
            for tick in 0..2500 {
                around.publish(tick, clock.now());
                if tick % 700 == 0 {
                    // Ticks that are missed.
                    clock.pass(17_000_000);
                }
                rungs[fast.tick().rung as usize] += 1;
            }
        });
        assert_eq!((counted.count_total, counted.bytes_total), (0, 0));
        assert!(rungs.iter().all(|&n| n > 0), "every rung was seen: {rungs:?}");
    }
}

/// Environment variable that makes [`confined`] do something.
const TASK: &str = "TETRAD_TEST_CONFINED";

/// In a child: a loop on a thread that may do nothing but look at the clock.
#[test]
#[ignore = "needs: to be started by another test"]
fn confined() {
    let Ok(task) = std::env::var(TASK) else { return };
    let done = Arc::new(AtomicBool::new(false));
    let tell = Arc::clone(&done);
    std::thread::spawn(move || {
        let config = FastConfig { period_nanos: 100_000, ..FastConfig::DEFAULT };
        let (mut around, mut fast, _traces) = around(Monotonic, config);
        only_the_clock().expect("a filter");
        for tick in 0..1500 {
            around.publish(tick, Monotonic.now());
            fast.tick();
        }
        if task == "also look at a file" {
            let _ = std::fs::metadata("/");
        }
        tell.store(true, Ordering::Release);
        Monotonic.sleep_until(u64::MAX);
    });
    while !done.load(Ordering::Acquire) {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}

fn run_confined(task: &str) -> ExitStatus {
    Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", "fast::quiet::confined", "--ignored", "--nocapture"])
        .env(TASK, task)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .expect("a child")
}

#[test]
fn the_fast_loop_asks_the_kernel_for_nothing_but_the_time() {
    assert!(run_confined("tick").success());
    // The filter is there: anything else ends the process.
    assert_eq!(run_confined("also look at a file").signal(), Some(libc::SIGSYS));
}
