//! World, S1 and S2 as processes of their own, looked after.

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::measure::Ended;
use super::{Plan, Played, measure};
use crate::deploy::{Happening, Part, Patience, Role, Shape, Supervisor, What, Wires};
use crate::error::{Error, Result};
use crate::interface::Camera;
use crate::record::Time;

/// What is told while it goes on.
#[derive(Debug)]
pub enum Told<'a> {
    /// Something happened to a process.
    Happened(&'a Happening),
    /// All processes live, or the simulation goes on: for so many seconds.
    Playing(f64),
}

/// How long a process may take to come up: it reads weights, and other work may be in its way.
const START: Duration = Duration::from_secs(60);
/// How much longer S2 may take where it borrows from an open model, which may have billions of weights.
const BORROWED_TIMES: u32 = 12;
/// How often a process may end before it ever lived.
const MOST_BAD_STARTS: u32 = 3;

/// Plays a plan for so many seconds from the moment all processes live, or until `stop`. `command`
/// starts the process for a role: it has to call [`super::part`] with it.
///
/// # Errors
/// When plan and policy do not fit, a process does not come up, or records cannot be read.
pub fn deploy(
    plan: &Plan,
    command: impl Fn(Role) -> Command + Send + Sync + 'static,
    duration: Duration,
    stop: &AtomicBool,
    tell: &mut dyn FnMut(Told<'_>),
) -> Result<Played> {
    let n_robots = plan.n_robots()?;
    let (policy, _) = plan.policy()?;
    let frame_bytes = policy.config.cameras.iter().map(Camera::bytes).sum();
    let shape = Shape { n_robots, frame_bytes, latent_width: policy.config.latent };
    // Its memory is for the processes.
    drop(policy);
    let command = Arc::new(command);
    let part = |role: Role, silence: u64| {
        let command = Arc::clone(&command);
        let times = if role == Role::S2 && plan.backbone.is_some() { BORROWED_TIMES } else { 1 };
        let (start, silence) = (START * times, Duration::from_secs(silence) * times);
        let patience = Patience { start, silence };
        Part { role, command: Box::new(move || command(role)), patience }
    };
    let mut parts = vec![part(Role::World, 2), part(Role::S2, 10)];
    parts.extend((0..n_robots).map(|robot| part(Role::S1(robot), 2)));
    let mut supervisor = Supervisor::new(Wires::create(shape)?, parts);
    let roles: Vec<Role> = supervisor.roles().collect();
    let mut ends = BTreeMap::new();
    let mut look = |supervisor: &mut Supervisor, tell: &mut dyn FnMut(Told<'_>)| -> Result<u64> {
        supervisor.look_for(Duration::from_millis(20))?;
        let mut n_replaced = 0;
        for happening in supervisor.happenings() {
            tell(Told::Happened(&happening));
            n_replaced += count(&mut ends, &happening)?;
        }
        Ok(n_replaced)
    };
    let mut n_replaced = 0;
    while !stop.load(Ordering::Relaxed) && !roles.iter().all(|&role| supervisor.is_alive(role)) {
        n_replaced += look(&mut supervisor, tell)?;
    }
    let began = Instant::now();
    let latents = |supervisor: &Supervisor| -> Result<Vec<u64>> {
        (0..n_robots).map(|robot| supervisor.wires().n_latents(robot)).collect()
    };
    let before = latents(&supervisor)?;
    while !stop.load(Ordering::Relaxed) && began.elapsed() < duration {
        n_replaced += look(&mut supervisor, tell)?;
        tell(Told::Playing(began.elapsed().as_secs_f64()));
    }
    let seconds = began.elapsed().as_secs_f64();
    let after = latents(&supervisor)?;
    let counts = (0..n_robots).map(|robot| supervisor.wires().counts(robot));
    let counts = counts.collect::<Result<Vec<_>>>()?;
    // Records are written to their ends.
    let orderly = supervisor.end(Duration::from_secs(20))?;
    let rate = |(after, before): (&u64, &u64)| after.saturating_sub(*before) as f64 / seconds;
    let ended = Ended {
        time: Time::Real,
        seconds,
        interrupted: stop.load(Ordering::Relaxed),
        orderly,
        n_replaced,
        latents_per_second: after.iter().zip(&before).map(rate).collect(),
        counts,
    };
    measure(&plan.folder, ended)
}

/// Counts ends before a first sign of life; gives 1 for a process that is replaced.
fn count(ends: &mut BTreeMap<Role, u32>, happening: &Happening) -> Result<u64> {
    let role = happening.role;
    match &happening.what {
        What::Alive { .. } => _ = ends.insert(role, 0),
        What::Started { n_before, .. } if *n_before > 0 => return Ok(1),
        What::Ended { status } => {
            let n = ends.entry(role).or_insert(0);
            *n += 1;
            if *n >= MOST_BAD_STARTS {
                let reason = format!("it ended {n} times before it lived ({status})");
                return Err(Error::Process { role: role.to_string(), reason });
            }
        }
        _ => {}
    }
    Ok(0)
}
