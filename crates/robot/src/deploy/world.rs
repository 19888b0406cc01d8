//! The world's side: targets in, under its own limits; states and pictures out.
//!
//! The world does not trust S1. Whatever arrives goes through a limiter again, so that the robot moves
//! steadily also where S1 was killed and its successor begins anew; and where nothing arrives, it brakes
//! and stands. What is passed on to the world is looked at by an auditor that shares no code with the
//! limiter.

use serde::{Deserialize, Serialize};

use super::{Role, Wires, World};
use crate::clock::Clock;
use crate::fast::Published;
use crate::interface::{STATE, TICK_NS, TICKS_PER_FRAME};
use crate::limits::{Audit, Limiter, Pace, Targets, Verdict};
use crate::shared::{Layout, Reader, Stamp, Taken, Writer};
use crate::{Error, Result};

/// Age of S1's last word, in nanoseconds, from which on the robot stands: five ticks.
const OLDEST_ACTION: u64 = 5 * TICK_NS;

/// The world's ends of one robot's exchanges.
#[derive(Debug)]
pub struct WorldLinks {
    /// State at every tick.
    pub state: Writer,
    /// Pictures for S1.
    pub frames_fast: Writer,
    /// The same for S2.
    pub frames_slow: Writer,
    /// What S1 wants.
    pub action: Reader,
    /// What is counted.
    pub counts: Writer,
}

impl WorldLinks {
    pub(super) fn counts_layout() -> Layout {
        Layout { n_floats: WorldCounts::N, n_bytes: 0 }
    }
}

/// What the world counts about a robot, over its own restarts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorldCounts {
    /// Targets passed on.
    pub n_ticks: u64,
    /// Of these, those that broke a limit.
    pub n_broken: u64,
    /// Of these, those at which the robot was following S1.
    pub n_followed: u64,
    /// Values in shared memory that were damaged, and not used: by S1 or here.
    pub n_damaged: u64,
    /// How often another S1 took over.
    pub n_takeovers: u64,
    /// Ticks at which S1 was on each rung of its ladder, from `run`.
    pub n_on_rung: [u64; 4],
    /// What S1 sent that was no usable target.
    pub n_refused: u64,
}

impl WorldCounts {
    const N: usize = 10;

    /// Counts above 2^24 (23 hours of ticks) are published to their first 24 bits.
    fn to_floats(self) -> [f32; WorldCounts::N] {
        let [run, hold, slow, stop] = self.n_on_rung;
        let counts =
            [self.n_ticks, self.n_broken, self.n_followed, self.n_damaged, self.n_takeovers];
        let mut floats = [0.0; WorldCounts::N];
        let all = counts.into_iter().chain([run, hold, slow, stop, self.n_refused]);
        floats.iter_mut().zip(all).for_each(|(into, count)| *into = count as f32);
        floats
    }

    pub(super) fn from_floats(floats: &[f32]) -> WorldCounts {
        let at = |idx: usize| floats.get(idx).map_or(0, |&count| count as u64);
        WorldCounts {
            n_ticks: at(0),
            n_broken: at(1),
            n_followed: at(2),
            n_damaged: at(3),
            n_takeovers: at(4),
            n_on_rung: [at(5), at(6), at(7), at(8)],
            n_refused: at(9),
        }
    }
}

#[derive(Debug)]
struct Robot {
    links: WorldLinks,
    limiter: Limiter,
    audit: Audit,
    /// The last that S1 wanted, and when it said so.
    wanted: Option<(Targets, u64)>,
    /// What it said with it, for those who look on.
    said: Option<Published>,
    /// Since when the robot is where S1 must have seen it to move it.
    begun_at: u64,
    counts: WorldCounts,
    s1_damaged: u64,
    incarnation: u32,
}

/// A world with its ends of the exchanges.
#[derive(Debug)]
pub struct WorldSide<W> {
    world: W,
    robots: Vec<Robot>,
    targets: Vec<Targets>,
    frames: Vec<u8>,
    episode: u32,
    tick: u64,
}

impl<W: World> WorldSide<W> {
    /// Takes up where a world before this one ended, if there was one.
    ///
    /// # Errors
    /// When there are other numbers of robots or bytes in the exchanges than in the world, or its
    /// limits are none.
    pub fn new(mut world: W, links: Vec<WorldLinks>) -> Result<WorldSide<W>> {
        if links.len() != world.n_robots() {
            let (got, expected) = (links.len(), world.n_robots());
            return Err(Error::Shape { what: "wires for robots".to_owned(), got, expected });
        }
        let limits = *world.limits();
        let frame = Layout { n_floats: STATE, n_bytes: world.frame_bytes() };
        let mut robots = Vec::new();
        for (idx, links) in links.into_iter().enumerate() {
            links.frames_fast.expect_layout("frames", frame)?;
            let last = links.state.last();
            if let Some(state) = last.as_ref().and_then(|last| (&*last.floats).try_into().ok()) {
                world.resume(idx, state);
            }
            let counts = links.counts.last();
            let counts = counts
                .map_or_else(WorldCounts::default, |last| WorldCounts::from_floats(&last.floats));
            robots.push(Robot {
                limiter: Limiter::new(&limits, TICK_NS)?,
                audit: Audit::new(&limits, TICK_NS),
                wanted: None,
                said: None,
                begun_at: 0,
                counts,
                s1_damaged: 0,
                incarnation: 0,
                links,
            });
        }
        let targets = robots.iter().map(|robot| robot.limiter.targets()).collect();
        let (frames, episode) = (vec![0; world.frame_bytes()], world.episode());
        let mut side = WorldSide { world, robots, targets, frames, episode, tick: 0 };
        side.begin(0);
        Ok(side)
    }

    /// Every robot from where it is, at rest, at time `now`.
    fn begin(&mut self, now: u64) {
        let mut state = [0.0; STATE];
        for (idx, robot) in self.robots.iter_mut().enumerate() {
            self.world.state(idx, &mut state);
            robot.limiter.begin(&state);
            robot.audit.forget();
            (robot.wanted, robot.said, robot.begun_at) = (None, None, now);
        }
    }

    /// One tick at time `now`, in nanoseconds.
    pub fn tick(&mut self, now: u64) {
        if self.tick == 0 {
            self.robots.iter_mut().for_each(|robot| robot.begun_at = now);
        }
        self.follow_episode(now);
        for (idx, (robot, targets)) in self.robots.iter_mut().zip(&mut self.targets).enumerate() {
            *targets = robot.next(now);
            self.world.hear(now, idx, robot.said.as_ref());
        }
        self.world.step(&self.targets);
        self.follow_episode(now);
        self.observe(now);
        self.tick += 1;
    }

    fn follow_episode(&mut self, now: u64) {
        if self.world.episode() != self.episode {
            self.episode = self.world.episode();
            self.begin(now);
        }
    }

    /// Publishes what is seen at time `now`: states at every tick, pictures at every sixth.
    fn observe(&mut self, now: u64) {
        let stamp =
            Stamp { observed_at: now, published_at: now, checkpoint: 0, prompt: self.episode };
        let looks = self.tick.is_multiple_of(u64::from(TICKS_PER_FRAME));
        let mut state = [0.0; STATE];
        for (idx, robot) in self.robots.iter_mut().enumerate() {
            self.world.state(idx, &mut state);
            robot.links.state.publish(stamp, &state, &[]);
            if looks {
                self.world.look(idx, &mut self.frames);
                robot.links.frames_fast.publish(stamp, &state, &self.frames);
                robot.links.frames_slow.publish(stamp, &state, &self.frames);
            }
            robot.links.counts.publish(stamp, &robot.counts.to_floats(), &[]);
        }
    }

    /// What was counted about a robot.
    ///
    /// # Panics
    /// If there is no such robot.
    #[must_use]
    pub fn counts(&self, robot: usize) -> WorldCounts {
        self.robots[robot].counts
    }

    /// What a robot was told last.
    ///
    /// # Panics
    /// If there is no such robot.
    #[must_use]
    pub fn targets(&self, robot: usize) -> &Targets {
        &self.targets[robot]
    }

    /// The world.
    pub fn world(&mut self) -> &mut W {
        &mut self.world
    }
}

impl Robot {
    /// What the robot is told at time `now`.
    fn next(&mut self, now: u64) -> Targets {
        match self.links.action.take() {
            Taken::New => self.receive(),
            Taken::Damaged => self.counts.n_damaged += 1,
            Taken::Empty | Taken::Same => {}
        }
        let fresh = self.wanted.filter(|(_, at)| now.saturating_sub(*at) <= OLDEST_ACTION);
        let (targets, verdict) = match &fresh {
            Some((targets, _)) => self.limiter.step_joints(Some(targets), Pace::Follow(1.0)),
            None => self.limiter.step_joints(None, Pace::Stand),
        };
        self.counts.n_ticks += 1;
        self.counts.n_followed += u64::from(verdict == Verdict::Followed);
        // As a robot's controller would receive it.
        let told = Targets::from_floats(&targets.to_floats()).unwrap_or(targets);
        self.counts.n_broken += u64::from(self.audit.see(&told).is_some());
        told
    }

    /// Takes in what S1 published.
    fn receive(&mut self) {
        let action = &self.links.action;
        let (Some(header), Some(published)) =
            (action.header(), Published::from_floats(action.floats()))
        else {
            self.counts.n_refused += 1;
            return;
        };
        if header.incarnation != self.incarnation {
            self.counts.n_takeovers += u64::from(self.incarnation > 0);
            (self.incarnation, self.s1_damaged) = (header.incarnation, 0);
        }
        self.counts.n_damaged += published.n_damaged.saturating_sub(self.s1_damaged);
        self.s1_damaged = published.n_damaged;
        self.counts.n_on_rung[published.rung as usize] += 1;
        // What S1 says before it has seen this world, or this episode, is about another.
        if header.stamp.observed_at < self.begun_at {
            return;
        }
        self.said = Some(published);
        if published.targets.is_finite() {
            self.wanted = Some((published.targets, header.stamp.published_at));
        } else {
            self.counts.n_refused += 1;
        }
    }
}

/// A world's process: ticks by the clock until all is to end. Gives the world back.
///
/// # Errors
/// When world and wires do not fit.
pub fn run_world<W: World, C: Clock>(world: W, wires: &Wires, clock: &C) -> Result<WorldSide<W>> {
    let mut side = WorldSide::new(world, wires.world()?)?;
    let mut pulse = wires.pulse(Role::World)?;
    let mut due = clock.now();
    while !wires.is_halted() {
        due += TICK_NS;
        clock.sleep_until(due);
        let now = clock.now();
        side.tick(now);
        pulse.publish(Stamp::default(), &[], &[]);
        // Late by a tick or more: on from here, without making up for it.
        due += now.saturating_sub(due) / TICK_NS * TICK_NS;
    }
    Ok(side)
}
