//! The same in one thread on a simulated clock: for machines that are too slow, and for tests.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::measure::Ended;
use super::{Line, Plan, Played, Stage, Told, fast_config, logs, measure};
use crate::deploy::{Lockstep, LockstepConfig, Trace};
use crate::error::Result;
use crate::interface::{TICK_NS, TICKS_PER_SECOND};
use crate::record::Time;
use crate::study::{LiveS1, LiveS2};

/// How long S2 thinks about a robot in simulated time: 8 thoughts a second.
const THINKING_NANOS: u64 = 125_000_000;

/// Plays a plan for so many ticks, or until `stop`. S1 takes no time, S2 an eighth of a second for a thought.
///
/// # Errors
/// When plan and policy do not fit, or the file system refuses.
pub fn simulate(
    plan: &Plan,
    n_ticks: u64,
    stop: &AtomicBool,
    tell: &mut dyn FnMut(Told<'_>),
) -> Result<Played> {
    let n_robots = plan.n_robots()?;
    let (policy, checkpoint) = plan.policy_of_s2()?;
    // What is said in a tick is passed on after it: the wires are made after the world.
    let said = Arc::new(Mutex::new(Vec::new()));
    let words = Arc::clone(&said);
    let say = move |robot: usize, text: &str| {
        words.lock().unwrap_or_else(PoisonError::into_inner).push((robot, text.to_owned()));
    };
    let stage = Stage::new(plan, Time::Simulated, Box::new(say))?;
    let s1 = || LiveS1::new(&policy, plan.keep.into(), checkpoint);
    let s2 = LiveS2::new(&policy, plan.keep.into(), checkpoint);
    let config = LockstepConfig {
        fast: fast_config(&policy.config),
        latent_width: policy.config.latent,
        think_nanos: Box::new(|| THINKING_NANOS),
    };
    let policies = (0..n_robots).map(|_| s1()).collect();
    let mut robot = Lockstep::new(stage, policies, s2, config)?;
    let log = |robot| runs::Log::open(&logs::path(&plan.folder, robot));
    let logs = (0..n_robots).map(log).collect::<std::result::Result<Vec<_>, _>>()?;
    let mut n_done = 0;
    while n_done < n_ticks && !stop.load(Ordering::Relaxed) {
        for (robot_idx, text) in said.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            robot.wires().say(robot_idx, &text)?;
        }
        nn::threads::alone(|| robot.tick());
        n_done += 1;
        for (idx, log) in logs.iter().enumerate() {
            let Some((_, traces)) = robot.s1(idx) else { continue };
            while let Some(event) = traces.event() {
                log.append(&Line::of(Trace::Event(event), false))?;
            }
            while let Some(tick) = traces.tick() {
                log.append(&Line::of(Trace::Tick(tick), false))?;
            }
        }
        if n_done.is_multiple_of(u64::from(TICKS_PER_SECOND) / 10) {
            tell(Told::Playing((n_done * TICK_NS) as f64 / 1e9));
        }
    }
    let seconds = (n_done * TICK_NS) as f64 / 1e9;
    let latents = (0..n_robots).map(|idx| robot.wires().n_latents(idx));
    let latents = latents.collect::<Result<Vec<_>>>()?;
    let mut counts = Vec::new();
    if let Some(side) = robot.world() {
        counts.extend((0..n_robots).map(|idx| side.counts(idx)));
        side.world().finish()?;
    }
    let ended = Ended {
        time: Time::Simulated,
        seconds,
        interrupted: n_done < n_ticks,
        orderly: true,
        n_replaced: 0,
        latents_per_second: latents.iter().map(|&n| n as f64 / seconds).collect(),
        counts,
    };
    measure(&plan.folder, ended)
}
