//! Ticks of the runtime's own loop, with shared memory, limits, watchdog and traces. Its policy is a twin
//! that takes a given time on the processor at every tick.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use runs::stats::Rate;
use serde::{Deserialize, Serialize};

use crate::chunks::Action;
use crate::clock::{Clock, Monotonic, thread_cpu_nanos};
use crate::deploy::{Shape, SlowLinks, Wires, World, WorldLinks};
use crate::error::{Error, Result};
use crate::fast::{Fast, FastConfig, Policy, measure_work};
use crate::interface::{STATE, TICK_NS, TICKS_PER_FRAME, TICKS_PER_SECOND};
use crate::play::Spread;
use crate::schedule::{self, Class, Granted, ScheduleConfig};
use crate::shared::Stamp;
use crate::twins::{StillWorld, WavingPolicy, body};

const SHAPE: Shape = Shape { n_robots: 1, frame_bytes: 2 * 96 * 96 * 3, latent_width: 512 };

/// What is to be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TickTask {
    /// The best class to ask for.
    pub class: Class,
    /// For how long, after a first second that does not count.
    pub seconds: u64,
    /// Work of a tick.
    pub work_micros: u64,
}

/// What was measured. A tick is missed when no new action is there at the end of its 5 ms.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TickTimes {
    /// How the loop was scheduled.
    pub granted: Granted,
    /// Missed ticks, of those that came.
    pub missed: Rate,
    /// Longest row of missed ticks.
    pub longest_outage: u64,
    /// From the moment a tick is due to the moment it begins, in microseconds.
    pub wake_micros: Spread,
    /// From there to the moment its action is out, in microseconds.
    pub work_micros: Spread,
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

/// Measures on the calling thread, which stays scheduled as it was granted: best in a process of its own.
///
/// # Errors
/// When there is no memory, or not a whole second was asked for.
pub fn time_ticks(task: &TickTask) -> Result<TickTimes> {
    let mut policy = Busy { waving: WavingPolicy::new(0.03, 400), nanos: task.work_micros * 1000 };
    let work = measure_work(&mut policy, 60, SHAPE.latent_width, SHAPE.frame_bytes, 1);
    let wires = Wires::create(SHAPE)?;
    let (mut fast, _traces) =
        Fast::new(policy, Monotonic, wires.s1(0)?, &body(), FastConfig::DEFAULT)?;
    let ended = AtomicBool::new(false);
    let n_before = u64::from(TICKS_PER_SECOND);
    let n_ticks = task.seconds.clamp(1, 86_400) * n_before;
    let (mut wakes, mut works) = (Vec::new(), Vec::new());
    wakes.reserve_exact(n_ticks as usize);
    works.reserve_exact(n_ticks as usize);
    let (mut missed, mut longest_outage) = (Rate::default(), 0);
    let (mut world, mut s2) = (wires.world()?, wires.s2()?);
    std::thread::scope(|scope| {
        scope.spawn(|| surroundings(&mut world[0], &mut s2[0], &ended));
        // The thread above is to have published before the loop begins.
        while wires.n_latents(0).is_ok_and(|n| n == 0) {
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
            longest_outage = longest_outage.max(n_missed);
        }
        ended.store(true, Ordering::Relaxed);
        let none = || Error::config("ticks", "not one came in all that time");
        Ok(TickTimes {
            granted,
            missed,
            longest_outage,
            wake_micros: Spread::of(&wakes).ok_or_else(none)?,
            work_micros: Spread::of(&works).ok_or_else(none)?,
        })
    })
}

/// World and S2: publishes states at every tick, pictures and latents at every sixth.
fn surroundings(world: &mut WorldLinks, s2: &mut SlowLinks, ended: &AtomicBool) {
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
