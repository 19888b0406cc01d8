//! World, S1 and S2 in one thread, tick by tick on a simulated clock: the same loops, the same shared
//! memory, the same limits, without the machine's moods. The same seed gives the same bits.

use super::{Shape, SlowSide, Thinker, Wires, World, WorldSide};
use crate::Result;
use crate::clock::{Clock, Simulated};
use crate::fast::{Fast, FastConfig, Policy, TickRecord, Traces};
use crate::interface::TICK_NS;
use crate::shared::Stamp;

/// How long things take on the simulated clock.
pub struct LockstepConfig {
    /// The fast loop.
    pub fast: FastConfig,
    /// Floats of a latent.
    pub latent_width: usize,
    /// Nanoseconds that S2 thinks about one robot, asked each time: constant, or drawn from what was
    /// measured. With one robot a latent is as old as this at least, and as twice this and a frame at
    /// most; with 0 it is of the newest frame.
    pub think_nanos: Box<dyn FnMut() -> u64 + Send>,
}

impl std::fmt::Debug for LockstepConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LockstepConfig").field("fast", &self.fast).finish_non_exhaustive()
    }
}

/// One thread for all.
#[derive(Debug)]
pub struct Lockstep<W, P, T> {
    clock: Simulated,
    wires: Wires,
    world: Option<WorldSide<W>>,
    s1: Vec<Option<(Fast<P, Simulated>, Traces)>>,
    s2: Option<SlowSide<T>>,
    config: LockstepConfig,
    /// What S2 is thinking about: which robot, and when it is done.
    thinking: Option<(usize, Stamp, u64)>,
    next_robot: usize,
    due: u64,
}

impl<W: World, P: Policy, T: Thinker> Lockstep<W, P, T> {
    /// With one policy for each robot.
    ///
    /// # Errors
    /// When configuration, limits or numbers do not fit.
    pub fn new(
        world: W,
        policies: Vec<P>,
        thinker: T,
        config: LockstepConfig,
    ) -> Result<Lockstep<W, P, T>> {
        let shape = Shape {
            n_robots: world.n_robots(),
            frame_bytes: world.frame_bytes(),
            latent_width: config.latent_width,
        };
        let wires = Wires::create(shape)?;
        // Not zero, so that ages of things never seen are not small.
        let clock = Simulated::at(1_000_000_000);
        let mut lockstep = Lockstep {
            due: clock.now(),
            s2: Some(SlowSide::new(thinker, wires.s2()?, config.latent_width)),
            s1: (0..shape.n_robots).map(|_| None).collect(),
            world: None,
            thinking: None,
            next_robot: 0,
            clock,
            wires,
            config,
        };
        let limits = *world.limits();
        lockstep.start_world(world)?;
        for (robot, policy) in policies.into_iter().enumerate() {
            lockstep.start_s1(robot, policy, &limits)?;
        }
        Ok(lockstep)
    }

    /// One tick of the world, of S2 where it is done, and of every S1 that is not still busy.
    pub fn tick(&mut self) -> Vec<Option<TickRecord>> {
        self.due += TICK_NS;
        self.clock.sleep_until(self.due);
        // Not the clock's time: where S1's work took longer than a tick, others did not wait for it.
        let now = self.due;
        if let Some(world) = &mut self.world {
            world.tick(now);
        }
        self.think(now);
        let tick = |s1: &mut Option<(Fast<P, Simulated>, Traces)>| {
            let (fast, _) = s1.as_mut()?;
            // Not while it is still busy with the tick before.
            (fast.due() <= now).then(|| fast.tick())
        };
        self.s1.iter_mut().map(tick).collect()
    }

    /// Publishes a latent whose time has come, and begins with the next.
    fn think(&mut self, now: u64) {
        let Some(s2) = &mut self.s2 else { return };
        if let Some((robot, stamp, done)) = self.thinking {
            if done > now {
                return;
            }
            s2.publish(robot, stamp, now);
            self.thinking = None;
        }
        for _ in 0..s2.n_robots() {
            let robot = self.next_robot;
            self.next_robot = (robot + 1) % s2.n_robots();
            let Some(stamp) = s2.think(robot) else { continue };
            let done = now + (self.config.think_nanos)();
            if done > now {
                self.thinking = Some((robot, stamp, done));
                return;
            }
            s2.publish(robot, stamp, now);
        }
    }

    /// The clock, for work that takes time.
    #[must_use]
    pub fn clock(&self) -> &Simulated {
        &self.clock
    }

    /// The exchanges, for prompts.
    #[must_use]
    pub fn wires(&self) -> &Wires {
        &self.wires
    }

    /// The world's side; none after it was killed.
    pub fn world(&mut self) -> Option<&mut WorldSide<W>> {
        self.world.as_mut()
    }

    /// A robot's fast loop and its traces; none after it was killed, or where there is no such robot.
    pub fn s1(&mut self, robot: usize) -> Option<&mut (Fast<P, Simulated>, Traces)> {
        self.s1.get_mut(robot)?.as_mut()
    }

    /// Kills the world: it does nothing any more.
    pub fn kill_world(&mut self) {
        self.world = None;
    }

    /// Starts a world, which takes up what the last one left.
    ///
    /// # Errors
    /// When it does not fit.
    pub fn start_world(&mut self, world: W) -> Result<()> {
        self.world = Some(WorldSide::new(world, self.wires.world()?)?);
        Ok(())
    }

    /// Kills a robot's S1.
    pub fn kill_s1(&mut self, robot: usize) {
        self.s1.iter_mut().skip(robot).take(1).for_each(|s1| *s1 = None);
    }

    /// Starts a robot's S1.
    ///
    /// # Errors
    /// When it does not fit, or there is no such robot.
    pub fn start_s1(
        &mut self,
        robot: usize,
        policy: P,
        limits: &crate::limits::Limits,
    ) -> Result<()> {
        let links = self.wires.s1(robot)?;
        let fast = Fast::new(policy, self.clock.clone(), links, limits, self.config.fast.clone())?;
        self.s1[robot] = Some(fast);
        Ok(())
    }

    /// Kills S2, in the middle of a thought if it has one.
    pub fn kill_s2(&mut self) {
        (self.s2, self.thinking) = (None, None);
    }

    /// Starts S2.
    ///
    /// # Errors
    /// When there is no room for its links.
    pub fn start_s2(&mut self, thinker: T) -> Result<()> {
        self.s2 = Some(SlowSide::new(thinker, self.wires.s2()?, self.config.latent_width));
        Ok(())
    }
}
