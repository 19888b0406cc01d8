//! What each process of a deployment does.

use std::sync::Arc;

use super::{Line, Plan, Stage, fast_config, logs};
use crate::clock::Monotonic;
use crate::deploy::{Role, SlowConfig, Trace, Wires, run_s1, run_s2, run_world};
use crate::error::{Error, Result};
use crate::fast::{Background, FastConfig, Policy, measure_work};
use crate::record::Time;
use crate::schedule::ScheduleConfig;
use crate::shared::Carrier;
use crate::study::{LiveS1, LiveS2};
use crate::world::limits;

/// Plays a part until all is to end. This process must have been started by [`super::deploy`].
///
/// # Errors
/// When plan, policy and wires do not fit, or the file system refuses records.
pub fn part(role: Role, plan: &Plan) -> Result<()> {
    let mut wires = Wires::inherited()?.ok_or_else(|| {
        Error::config("a process of a robot", "`tetrad robot run` starts it, and nobody else")
    })?;
    if let Some(name) = &plan.iceoryx2 {
        wires = wires.over(Carrier::open(name)?);
    }
    match role {
        Role::World => world(plan, wires),
        Role::S1(robot) => s1(plan, &wires, robot),
        Role::S2 => {
            let (policy, checkpoint) = plan.policy_of_s2()?;
            let s2 = LiveS2::new(&policy, plan.keep.into(), checkpoint);
            run_s2(s2, &wires, &Monotonic, SlowConfig::DEFAULT).map(drop)
        }
    }
}

fn world(plan: &Plan, wires: Wires) -> Result<()> {
    let wires = Arc::new(wires);
    let to = Arc::clone(&wires);
    // There is no robot that the wires do not know: they were made for this plan.
    let say = move |robot: usize, text: &str| _ = to.say(robot, text);
    let stage = Stage::new(plan, Time::Real, Box::new(say))?;
    run_world(stage, &wires, &Monotonic)?.world().finish()
}

/// Times that the policy is run to see whether a tick is long enough for it.
const N_TRIALS: usize = 40;

fn s1(plan: &Plan, wires: &Wires, robot: usize) -> Result<()> {
    let (policy, checkpoint) = plan.policy()?;
    let config = fast_config(&policy.config);
    let mut s1 = LiveS1::new(&policy, plan.keep.into(), checkpoint);
    let shape = wires.shape();
    let (width, bytes, length) = (shape.latent_width, shape.frame_bytes, config.chunks.length);
    let mut work = measure_work(&mut s1, N_TRIALS, width, bytes, length);
    // What S1 sees is a tick younger for each slice that is not waited for.
    if work.quantile(0.99).is_some_and(|nanos| nanos > config.period_nanos / 2) {
        s1.go_in_slices();
        work = measure_work(&mut s1, N_TRIALS, width, bytes, length);
    }
    let budget = ScheduleConfig::best(config.period_nanos).budget_nanos;
    if work.quantile(0.99).is_some_and(|nanos| nanos > budget) {
        let beside = Background::start(s1, width, bytes, length)?;
        return run(beside, plan, wires, robot, config, true);
    }
    run(s1, plan, wires, robot, config, false)
}

fn run<P: Policy>(
    policy: P,
    plan: &Plan,
    wires: &Wires,
    robot: usize,
    config: FastConfig,
    beside: bool,
) -> Result<()> {
    let log = runs::Log::open(&logs::path(&plan.folder, robot))?;
    let schedule = ScheduleConfig::best(config.period_nanos);
    let mut failed = None;
    let sink = |trace: Trace| {
        if failed.is_none() {
            failed = log.append(&Line::of(trace, beside)).err();
        }
    };
    run_s1(policy, wires, robot, &limits(), config, &schedule, sink)?;
    failed.map_or(Ok(()), |error| Err(error.into()))
}
