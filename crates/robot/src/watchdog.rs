//! What is done when something is late: a ladder of three rungs.
//!
//! | rung | what the fast loop does |
//! |---|---|
//! | hold | goes on with what it received last: the latent, the observation, the chunk |
//! | slow | the same, with a share of every velocity limit |
//! | stop | brakes under the limits and stands; what the policy says is not followed |
//!
//! Causes climb on their own, each with its own limits; the highest rung counts. The way down is a rung
//! at a time, each after a while without cause, so that a robot that stopped sets out slowly; only where an
//! episode begins, with nothing to recover from, it sets out as it was shown. Every step is an [`Event`],
//! which leaves the fast loop through a ring.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// Rungs of the ladder.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Rung {
    /// Nothing is wrong.
    #[default]
    Run,
    /// What was received last is held.
    Hold,
    /// Slowly.
    Slow,
    /// Not at all.
    Stop,
}

/// What can be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The latent is old: S2 is slow, stalled or dead, or never spoke.
    Latent,
    /// The observation is old: the world is slow, stalled or dead, or never spoke.
    World,
    /// Ticks are missed one after another.
    Ticks,
    /// The policy gives no usable actions.
    Action,
}

/// All causes.
pub const CAUSES: [Cause; 4] = [Cause::Latent, Cause::World, Cause::Ticks, Cause::Action];

const RUNGS: [Rung; 4] = [Rung::Run, Rung::Hold, Rung::Slow, Rung::Stop];

impl Rung {
    /// By its place on the ladder, from 0 for [`Rung::Run`].
    pub(crate) fn from_index(idx: usize) -> Option<Rung> {
        RUNGS.get(idx).copied()
    }
}

impl fmt::Display for Rung {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Rung::Run => "run",
            Rung::Hold => "hold",
            Rung::Slow => "slow",
            Rung::Stop => "stop",
        })
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Cause::Latent => "latent",
            Cause::World => "world",
            Cause::Ticks => "ticks",
            Cause::Action => "action",
        })
    }
}

/// From where on a cause leads to each rung: an age in nanoseconds, or a count in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Steps {
    /// More than this holds.
    pub hold: u64,
    /// More than this slows.
    pub slow: u64,
    /// More than this stops.
    pub stop: u64,
}

impl Steps {
    fn rung(&self, value: u64) -> Rung {
        if value > self.stop {
            Rung::Stop
        } else if value > self.slow {
            Rung::Slow
        } else if value > self.hold {
            Rung::Hold
        } else {
            Rung::Run
        }
    }
}

/// When which rung is climbed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct WatchdogConfig {
    /// Age of the latent, in nanoseconds.
    pub latent: Steps,
    /// Age of the observation, in nanoseconds.
    pub world: Steps,
    /// Ticks missed in a row.
    pub ticks: Steps,
    /// Unusable actions in a row.
    pub action: Steps,
    /// Ticks without cause after which a rung is left.
    pub n_calm: u32,
    /// Share of the velocity limits on the rung `slow`, from 0 to 1.
    pub slow_share: f64,
}

impl WatchdogConfig {
    /// For 200 Hz with S2 at 7-9 Hz: a latent is usually 0.1 to 0.4 s old, an observation less than a
    /// tick.
    pub const DEFAULT: WatchdogConfig = WatchdogConfig {
        latent: Steps { hold: 600_000_000, slow: 1_000_000_000, stop: 2_000_000_000 },
        world: Steps { hold: 20_000_000, slow: 40_000_000, stop: 80_000_000 },
        ticks: Steps { hold: 1, slow: 4, stop: 20 },
        action: Steps { hold: 0, slow: 4, stop: 20 },
        n_calm: 40,
        slow_share: 0.25,
    };

    fn steps(&self, cause: Cause) -> &Steps {
        match cause {
            Cause::Latent => &self.latent,
            Cause::World => &self.world,
            Cause::Ticks => &self.ticks,
            Cause::Action => &self.action,
        }
    }
}

/// What is known at a tick.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// Age of the latent in nanoseconds; none where there never was one.
    pub latent_age: Option<u64>,
    /// Age of the observation in nanoseconds; none where there never was one.
    pub world_age: Option<u64>,
    /// Ticks missed just before this one.
    pub n_missed: u64,
    /// Whether the policy's last action was usable; none when it was not asked since.
    pub action_usable: Option<bool>,
}

/// A step on the ladder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// The tick.
    pub tick: u64,
    /// The monotonic clock, in nanoseconds.
    pub at: u64,
    /// What leads to the rung; on the way down, what led to the one that is left.
    pub cause: Cause,
    /// The rung before.
    pub from: Rung,
    /// The rung from now on.
    pub to: Rung,
}

impl Event {
    /// As words for a ring.
    #[must_use]
    pub fn to_words(&self) -> [u64; 3] {
        let cause = CAUSES.iter().position(|cause| *cause == self.cause).unwrap_or(0) as u64;
        [self.tick, self.at, cause << 16 | (self.from as u64) << 8 | self.to as u64]
    }

    /// From the words of a ring; nothing where they are none.
    #[must_use]
    pub fn from_words(words: [u64; 3]) -> Option<Event> {
        let [tick, at, rest] = words;
        let part = |shift: u32| usize::from((rest >> shift) as u8);
        Some(Event {
            tick,
            at,
            cause: *CAUSES.get(part(16))?,
            from: *RUNGS.get(part(8))?,
            to: *RUNGS.get(part(0))?,
        })
    }
}

/// Climbs and descends.
#[derive(Debug, Clone)]
pub struct Watchdog {
    config: WatchdogConfig,
    rung: Rung,
    /// What led to it.
    cause: Cause,
    n_calm: u32,
    n_missed: u64,
    n_unusable: u64,
    /// Whether an episode has begun, and the robot has not set out in it yet.
    begins: bool,
}

impl Watchdog {
    /// Begins at a stop: nothing was received yet.
    ///
    /// # Errors
    /// When limits do not rise from rung to rung, or the slow share is none.
    pub fn new(config: WatchdogConfig) -> Result<Watchdog> {
        for cause in CAUSES {
            let Steps { hold, slow, stop } = *config.steps(cause);
            if !(hold <= slow && slow <= stop) {
                let reason = format!("{cause}: hold {hold}, slow {slow}, stop {stop} do not rise");
                return Err(Error::config("the watchdog", reason));
            }
        }
        if !(0.0..=1.0).contains(&config.slow_share) {
            let reason = format!("a slow share of {}; from 0 to 1 is possible", config.slow_share);
            return Err(Error::config("the watchdog", reason));
        }
        let (rung, cause) = (Rung::Stop, Cause::World);
        Ok(Watchdog { config, rung, cause, n_calm: 0, n_missed: 0, n_unusable: 0, begins: false })
    }

    /// An episode begins: from a stop the robot goes to its run at once, after a while without cause.
    pub fn begin(&mut self) {
        self.begins = true;
    }

    /// The rung now.
    #[must_use]
    pub fn rung(&self) -> Rung {
        self.rung
    }

    /// Share of the velocity limits that may be used now; none at a stop.
    #[must_use]
    pub fn share(&self) -> Option<f64> {
        match self.rung {
            Rung::Run | Rung::Hold => Some(1.0),
            Rung::Slow => Some(self.config.slow_share),
            Rung::Stop => None,
        }
    }

    /// Takes what is known at a tick; gives the step that follows from it.
    pub fn see(&mut self, tick: u64, at: u64, facts: &Facts) -> Option<Event> {
        // A miss of many ticks at once counts as many; a tick in time ends the row.
        self.n_missed = if facts.n_missed > 0 { self.n_missed + facts.n_missed } else { 0 };
        match facts.action_usable {
            Some(true) => self.n_unusable = 0,
            Some(false) => self.n_unusable += 1,
            None => {}
        }
        let (mut rung, mut cause) = (Rung::Run, self.cause);
        for candidate in CAUSES {
            let value = match candidate {
                Cause::Latent => facts.latent_age.unwrap_or(u64::MAX),
                Cause::World => facts.world_age.unwrap_or(u64::MAX),
                Cause::Ticks => self.n_missed,
                Cause::Action => self.n_unusable,
            };
            let led_to = self.config.steps(candidate).rung(value);
            if led_to > rung {
                (rung, cause) = (led_to, candidate);
            }
        }
        let from = self.rung;
        if rung >= from {
            self.n_calm = 0;
            self.rung = rung;
            if rung > from {
                self.cause = cause;
            }
        } else {
            self.n_calm += 1;
            if self.n_calm >= self.config.n_calm {
                self.n_calm = 0;
                // One rung, also where more would be allowed.
                self.rung = match from {
                    Rung::Stop if self.begins => Rung::Run,
                    Rung::Stop => Rung::Slow,
                    Rung::Slow => Rung::Hold,
                    Rung::Hold | Rung::Run => Rung::Run,
                };
            }
        }
        self.begins &= self.rung != Rung::Run;
        let event = Event { tick, at, cause: self.cause, from, to: self.rung };
        (event.from != event.to).then_some(event)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    const GOOD: Facts = Facts {
        latent_age: Some(150 * MS),
        world_age: Some(MS),
        n_missed: 0,
        action_usable: Some(true),
    };

    /// Steps over ticks with these facts, as text.
    fn steps(watchdog: &mut Watchdog, n: u64, facts: impl Fn(u64) -> Facts) -> Vec<String> {
        let event = |tick| watchdog.see(tick, tick * 5 * MS, &facts(tick));
        let text =
            |event: Event| format!("{} {}: {}>{}", event.tick, event.cause, event.from, event.to);
        (0..n).filter_map(event).map(text).collect()
    }

    fn running() -> Watchdog {
        let mut watchdog = Watchdog::new(WatchdogConfig::DEFAULT).expect("a configuration");
        let begin = steps(&mut watchdog, 200, |_| GOOD);
        assert_eq!(begin, ["39 world: stop>slow", "79 world: slow>hold", "119 world: hold>run"]);
        watchdog
    }

    #[test]
    fn where_an_episode_begins_it_goes_from_stop_to_run_once() {
        let mut watchdog = Watchdog::new(WatchdogConfig::DEFAULT).expect("a configuration");
        watchdog.begin();
        assert_eq!(steps(&mut watchdog, 60, |_| GOOD), ["39 world: stop>run"]);
        let lost = |tick| if tick < 1 { Facts { latent_age: None, ..GOOD } } else { GOOD };
        let recovered = steps(&mut watchdog, 60, lost);
        assert_eq!(recovered, ["0 latent: run>stop", "40 latent: stop>slow"]);
    }

    #[test]
    fn a_latent_that_ages_climbs_every_rung_and_a_fresh_one_descends_one_at_a_time() {
        let mut watchdog = running();
        let aged = |tick| Facts { latent_age: Some((100 + tick * 5) * MS), ..GOOD };
        let climbed = steps(&mut watchdog, 500, aged);
        assert_eq!(
            climbed,
            ["101 latent: run>hold", "181 latent: hold>slow", "381 latent: slow>stop"]
        );
        assert_eq!(watchdog.share(), None);
        let descended = steps(&mut watchdog, 500, |_| GOOD);
        assert_eq!(
            descended,
            ["39 latent: stop>slow", "79 latent: slow>hold", "119 latent: hold>run"]
        );
    }

    #[test]
    fn each_cause_leads_to_a_stop() {
        let check = |facts: Facts, cause: &str| {
            let climbed = steps(&mut running(), 60, |_| facts);
            let last = climbed.last().expect("a step");
            assert!(last.contains(cause) && last.ends_with(">stop"), "{climbed:?}");
        };
        check(Facts { latent_age: None, ..GOOD }, "latent");
        check(Facts { latent_age: Some(u64::MAX), ..GOOD }, "latent");
        check(Facts { world_age: Some(81 * MS), ..GOOD }, "world");
        check(Facts { n_missed: 1, ..GOOD }, "ticks");
        check(Facts { n_missed: 21, ..GOOD }, "ticks");
        check(Facts { action_usable: Some(false), ..GOOD }, "action");
    }

    #[test]
    fn a_single_miss_and_a_single_bad_action_do_not_slow() {
        let mut watchdog = running();
        let once = |tick| Facts { n_missed: u64::from(tick == 5), ..GOOD };
        assert_eq!(steps(&mut watchdog, 200, once), [""; 0]);
        let once = |tick| Facts { action_usable: Some(tick != 5), ..GOOD };
        assert_eq!(steps(&mut watchdog, 200, once), ["5 action: run>hold", "45 action: hold>run"]);
        assert_eq!(watchdog.share(), Some(1.0));
    }

    #[test]
    fn a_cause_that_comes_and_goes_does_not_let_go() {
        let mut watchdog = running();
        let flickering =
            |tick| Facts { world_age: Some(if tick % 30 == 0 { 100 * MS } else { MS }), ..GOOD };
        assert_eq!(steps(&mut watchdog, 300, flickering), ["0 world: run>stop"]);
    }

    #[test]
    fn events_are_the_same_after_a_ring_and_ladders_that_do_not_rise_are_refused() {
        let event =
            Event { tick: 9, at: 77, cause: Cause::Ticks, from: Rung::Hold, to: Rung::Stop };
        assert_eq!(Event::from_words(event.to_words()), Some(event));
        assert_eq!(Event::from_words([0, 0, u64::MAX]), None);
        let mut config = WatchdogConfig::DEFAULT;
        config.world.slow = config.world.stop + 1;
        let error = Watchdog::new(config).expect_err("no ladder").to_string();
        assert!(error.contains("world: hold 20000000"), "{error}");
        let config = WatchdogConfig { slow_share: f64::NAN, ..WatchdogConfig::DEFAULT };
        assert!(Watchdog::new(config).is_err());
    }
}
