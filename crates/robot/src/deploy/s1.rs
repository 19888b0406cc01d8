//! S1's process: the fast loop, scheduled as well as is granted, and a thread that writes down what it
//! leaves behind.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::{Role, Wires};
use crate::clock::Monotonic;
use crate::fast::{Fast, FastConfig, FastSummary, Policy, TickRecord, Traces, measure_work};
use crate::limits::Limits;
use crate::schedule::{self, Granted, ScheduleConfig};
use crate::shared::Stamp;
use crate::watchdog::Event;
use crate::{Error, Result};

/// What the fast loop leaves behind, as it happens.
#[derive(Debug, Clone, PartialEq)]
pub enum Trace {
    /// How the loop is scheduled; first of all.
    Granted(Granted),
    /// A tick.
    Tick(TickRecord),
    /// A step of the watchdog.
    Event(Event),
    /// So many ticks and events were lost since the last time, because they were not taken in time.
    Lost(u64),
}

/// What a run of S1 was like.
#[derive(Debug, Clone, PartialEq)]
pub struct S1Report {
    /// How the loop was scheduled.
    pub granted: Granted,
    /// What was measured.
    pub summary: FastSummary,
}

/// Times the policy is run before the loop begins: its first runs are slow, and its work decides how
/// the loop may be scheduled.
const N_WARM_UP: usize = 40;

/// Runs the fast loop of a robot until all is to end. `sink` is called on another thread, which is
/// scheduled like any, with everything the loop leaves behind.
///
/// # Errors
/// When configuration or limits cannot be, or there is no such robot.
pub fn run_s1<P: Policy>(
    mut policy: P,
    wires: &Wires,
    robot: usize,
    limits: &Limits,
    config: FastConfig,
    schedule: &ScheduleConfig,
    mut sink: impl FnMut(Trace) + Send,
) -> Result<S1Report> {
    let shape = wires.shape();
    let length = config.chunks.length;
    let work = measure_work(&mut policy, N_WARM_UP, shape.latent_width, shape.frame_bytes, length);
    let mut schedule = schedule.clone();
    schedule.work_p99_nanos = schedule.work_p99_nanos.or(work.quantile(0.99));
    let mut pulse = wires.pulse(Role::S1(robot))?;
    let (mut fast, mut traces) = Fast::new(policy, Monotonic, wires.s1(robot)?, limits, config)?;
    let ended = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let (tell, told) = std::sync::mpsc::channel();
        let ended = &ended;
        let drain = move || {
            if let Ok(granted) = told.recv() {
                sink(Trace::Granted(granted));
            }
            let mut n_lost = 0;
            loop {
                let last = ended.load(Ordering::Acquire);
                drain(&mut traces, &mut n_lost, &mut sink);
                if last {
                    return;
                }
                std::thread::sleep(Duration::from_millis(50));
            }
        };
        // Before this thread is scheduled otherwise, so that the new one is not.
        std::thread::Builder::new()
            .name("traces".to_owned())
            .spawn_scoped(scope, drain)
            .map_err(|source| Error::kernel("start a thread", source))?;
        let granted = schedule::apply(&schedule);
        // The receiver waits for exactly this.
        let _ = tell.send(granted.clone());
        // Locking memory takes longer than a tick.
        fast.set_out();
        while !wires.is_halted() {
            fast.tick();
            pulse.publish(Stamp::default(), &[], &[]);
        }
        ended.store(true, Ordering::Release);
        Ok(S1Report { granted, summary: fast.summary() })
    })
}

fn drain(traces: &mut Traces, n_lost: &mut u64, sink: &mut impl FnMut(Trace)) {
    while let Some(event) = traces.event() {
        sink(Trace::Event(event));
    }
    while let Some(tick) = traces.tick() {
        sink(Trace::Tick(tick));
    }
    let lost = traces.n_lost();
    if lost > *n_lost {
        sink(Trace::Lost(lost - *n_lost));
        *n_lost = lost;
    }
}
