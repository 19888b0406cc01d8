//! Fault injection: processes killed and stalled at random.

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::{Role, Supervisor};
use crate::Result;
use crate::clock::{Clock, Monotonic};

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ChaosConfig {
    /// What everything random follows from.
    pub seed: u64,
    /// How long it goes on, in milliseconds.
    pub duration_millis: u64,
    /// Least and most milliseconds from one strike to the next.
    pub pause_millis: [u64; 2],
    /// Share of strikes that stall a process for a while instead of killing it, from 0 to 1.
    pub stall_share: f64,
    /// Least and most milliseconds of a stall.
    pub stall_millis: [u64; 2],
}

/// Something done to a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Strike {
    /// When, on the monotonic clock, in nanoseconds.
    pub at: u64,
    /// To which.
    pub role: Role,
    /// Milliseconds of a stall; nothing for a kill.
    pub stall_millis: Option<u64>,
}

/// Strikes.
#[derive(Debug)]
pub struct Chaos {
    config: ChaosConfig,
    rng: ChaCha8Rng,
    /// When stalled processes go on.
    stalled: Vec<(u64, Role)>,
    strikes: Vec<Strike>,
}

const MILLI: u64 = 1_000_000;

impl Chaos {
    /// Nothing done yet.
    #[must_use]
    pub fn new(config: ChaosConfig) -> Chaos {
        let rng = ChaCha8Rng::seed_from_u64(config.seed);
        Chaos { config, rng, stalled: Vec::new(), strikes: Vec::new() }
    }

    /// Looks after the processes while they are struck. Gives what was done to them.
    ///
    /// # Errors
    /// As [`Supervisor::look`].
    pub fn run(mut self, supervisor: &mut Supervisor) -> Result<Vec<Strike>> {
        let roles: Vec<Role> = supervisor.roles().collect();
        let end = Monotonic.now() + self.config.duration_millis * MILLI;
        let mut next = Monotonic.now() + self.pause();
        while Monotonic.now() < end {
            supervisor.look()?;
            self.wake(supervisor, Monotonic.now());
            let now = Monotonic.now();
            if now >= next && !roles.is_empty() {
                let role = roles[self.rng.random_range(0..roles.len())];
                self.strike(supervisor, role, now);
                next = now + self.pause();
            }
            Monotonic.sleep_until(now + MILLI);
        }
        self.wake(supervisor, u64::MAX);
        Ok(self.strikes)
    }

    fn pause(&mut self) -> u64 {
        let [least, most] = self.config.pause_millis;
        self.rng.random_range(least..=most.max(least)) * MILLI
    }

    fn strike(&mut self, supervisor: &Supervisor, role: Role, now: u64) {
        let stalls = self.rng.random_bool(self.config.stall_share.clamp(0.0, 1.0));
        let [least, most] = self.config.stall_millis;
        let stall = stalls.then(|| self.rng.random_range(least..=most.max(least)));
        let signal = if stalls { libc::SIGSTOP } else { libc::SIGKILL };
        if supervisor.signal(role, signal) {
            self.strikes.push(Strike { at: now, role, stall_millis: stall });
            self.stalled.extend(stall.map(|millis| (now + millis * MILLI, role)));
        }
    }

    /// Lets those go on whose stall is over. One that was replaced meanwhile is not bothered by it.
    fn wake(&mut self, supervisor: &Supervisor, now: u64) {
        let over = |(until, _): &(u64, Role)| *until <= now;
        for (_, role) in self.stalled.iter().filter(|stalled| over(stalled)) {
            supervisor.signal(*role, libc::SIGCONT);
        }
        self.stalled.retain(|stalled| !over(stalled));
    }
}
