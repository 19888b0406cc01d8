//! The fast loop: at every tick the newest observation and the newest latent, an action, limits, out.
//!
//! It never waits for anybody. What it reads is the newest there is, however old; how old, it counts,
//! and the watchdog draws the consequences. Between waking and sleeping it allocates nothing, locks
//! nothing, logs nothing and asks the kernel for nothing but the time, if its [`Policy`] does not.
//!
//! Ticks are absolute times. When a tick's work ends after the next was due, those that have passed are
//! skipped, not made up for: chunks of actions go by the tick too, so what is played next is what
//! belongs to that moment.

mod background;
mod record;

use std::sync::atomic::{AtomicBool, Ordering};

use serde::{Deserialize, Serialize};

use crate::chunks::{Action, ChunkConfig, Chunks};
use crate::clock::Clock;
use crate::interface::{ACTION, STATE, TICK_NS};
use crate::limits::{Limiter, Limits, Pace, TARGETS, Verdict};
use crate::meter::{self, Drain, Histogram, Ring};
use crate::shared::{Header, Layout, Reader, Stamp, Taken, Writer};
use crate::watchdog::{Event, Facts, Rung, Watchdog, WatchdogConfig};
use crate::{Error, Result};
pub use background::Background;
pub use record::{Published, TickRecord};

/// S1: from what is seen and the latent to actions.
pub trait Policy {
    /// Encodes new pictures and keeps what comes of it: once a frame, not once a tick. `frames` holds
    /// the cameras' pictures one after another; `state` is as it was when they were taken.
    fn see(&mut self, frames: &[u8], state: &[f32; STATE]);

    /// Says what to do from this tick on, one action a tick: fills `chunk`, which has the configured
    /// length. `latent` has the width that S2 gave it.
    fn act(&mut self, state: &[f32; STATE], latent: &[f32], chunk: &mut [Action]);

    /// The same for tick `tick`; says from which tick on the chunk counts, or nothing when there is no new
    /// one. Only a policy that thinks for longer than a tick, beside the loop, needs another than this
    /// ([`Background`]).
    fn act_at(
        &mut self,
        tick: u64,
        state: &[f32; STATE],
        latent: &[f32],
        chunk: &mut [Action],
    ) -> Option<u64> {
        self.act(state, latent, chunk);
        Some(tick)
    }

    /// Another world, or another episode: forgets what it has seen.
    fn begin(&mut self) {}

    /// The first eight bytes of the SHA-256 of its weights; 0 for none.
    fn checkpoint(&self) -> u64 {
        0
    }
}

/// How the loop goes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FastConfig {
    /// Nanoseconds from one tick to the next.
    pub period_nanos: u64,
    /// Ticks from one asking of the policy to the next; chunks must last that long.
    pub every: u32,
    /// How actions are played.
    pub chunks: ChunkConfig,
    /// What is done when something is late.
    pub watchdog: WatchdogConfig,
}

impl FastConfig {
    /// The policy at every tick, 200 times a second.
    pub const DEFAULT: FastConfig = FastConfig {
        period_nanos: TICK_NS,
        every: 1,
        chunks: ChunkConfig::SINGLE,
        watchdog: WatchdogConfig::DEFAULT,
    };

    fn check(&self) -> Result<()> {
        let wrong = |reason: String| Err(Error::config("the fast loop", reason));
        if !(10_000..=1_000_000_000).contains(&self.period_nanos) {
            return wrong(format!(
                "a tick of {} ns; from 10 µs to 1 s is possible",
                self.period_nanos
            ));
        }
        let lasts = self.chunks.length as f32 / self.chunks.speed;
        if self.every == 0 || self.every as f32 > lasts.ceil() {
            return wrong(format!(
                "the policy is asked every {} ticks, but a chunk lasts {} of them",
                self.every,
                lasts.floor()
            ));
        }
        Ok(())
    }
}

/// The loop's ends of the exchanges.
#[derive(Debug)]
pub struct FastLinks {
    /// State at every tick of the world: [`STATE`] floats.
    pub state: Reader,
    /// Pictures, with the state they belong to.
    pub frames: Reader,
    /// S2's latent.
    pub latent: Reader,
    /// What is to be done: [`Published`].
    pub action: Writer,
}

impl FastLinks {
    /// Room for what is published.
    #[must_use]
    pub fn action_layout() -> Layout {
        Layout { n_floats: Published::LEN, n_bytes: 0 }
    }
}

/// Where the loop's traces come out, for a thread that writes them down.
#[derive(Debug)]
pub struct Traces {
    events: Drain<3>,
    ticks: Drain<{ TickRecord::WORDS }>,
}

impl Traces {
    /// The next step of the watchdog.
    pub fn event(&mut self) -> Option<Event> {
        std::iter::from_fn(|| self.events.take()).find_map(Event::from_words)
    }

    /// The next tick.
    pub fn tick(&mut self) -> Option<TickRecord> {
        self.ticks.take().map(TickRecord::from_words)
    }

    /// Ticks and events that were lost because nobody took them out in time.
    #[must_use]
    pub fn n_lost(&self) -> u64 {
        self.events.n_lost() + self.ticks.n_lost()
    }
}

/// What was measured since the loop was made. Durations in nanoseconds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FastSummary {
    /// Ticks that came, those that were missed among them.
    pub n_ticks: u64,
    /// Ticks at whose end no new action was there.
    pub n_missed: u64,
    /// Longest row of them.
    pub longest_outage: u64,
    /// Actions that were not usable.
    pub n_refused: u64,
    /// Values in shared memory that were damaged, and not used.
    pub n_damaged: u64,
    /// From the time a tick was due to the moment it began.
    pub wake: Histogram,
    /// From there to the moment its action was out.
    pub work: Histogram,
    /// Age of the latent that was used: since what S2 saw was observed.
    pub latent_age: Histogram,
    /// Age of the observation that was used.
    pub world_age: Histogram,
}

/// Ticks that a ring keeps for the thread that drains it: ten seconds.
const N_KEPT: usize = 2000;

/// The loop.
#[derive(Debug)]
pub struct Fast<P, C> {
    policy: P,
    clock: C,
    links: FastLinks,
    config: FastConfig,
    limiter: Limiter,
    chunks: Chunks,
    watchdog: Watchdog,
    /// What the policy writes into.
    chunk: Vec<Action>,
    /// The observation held.
    state: [f32; STATE],
    /// Who published it and in which episode; nothing before the first.
    begun: Option<(u32, u32)>,
    /// Latents of what was observed before this are about another world or episode.
    fresh_from: u64,
    tick: u64,
    due: u64,
    next_ask: u64,
    /// Whether a chunk has come since the last beginning.
    has_chunk: bool,
    n_missed: u64,
    summary: FastSummary,
    events: Ring<3>,
    ticks: Ring<{ TickRecord::WORDS }>,
}

impl<P: Policy, C: Clock> Fast<P, C> {
    /// Ready for its first tick, a period from now.
    ///
    /// # Errors
    /// When configuration or limits cannot be, or an exchange has another layout.
    pub fn new(
        policy: P,
        clock: C,
        links: FastLinks,
        limits: &Limits,
        config: FastConfig,
    ) -> Result<(Fast<P, C>, Traces)> {
        config.check()?;
        links.action.expect_layout("actions", FastLinks::action_layout())?;
        links.state.expect_layout("states", Layout { n_floats: STATE, n_bytes: 0 })?;
        let (events, events_out) = meter::ring(256);
        let (ticks, ticks_out) = meter::ring(N_KEPT);
        let fast = Fast {
            limiter: Limiter::new(limits, config.period_nanos)?,
            chunks: Chunks::new(config.chunks)?,
            watchdog: Watchdog::new(config.watchdog)?,
            chunk: vec![[0.0; ACTION]; config.chunks.length],
            state: [0.0; STATE],
            begun: None,
            fresh_from: 0,
            tick: 0,
            due: clock.now() + config.period_nanos,
            next_ask: 0,
            has_chunk: false,
            n_missed: 0,
            summary: FastSummary::default(),
            events,
            ticks,
            policy,
            clock,
            links,
            config,
        };
        Ok((fast, Traces { events: events_out, ticks: ticks_out }))
    }

    /// The next tick is a period from now: nothing was missed before a loop begins.
    pub fn set_out(&mut self) {
        self.due = self.clock.now() + self.config.period_nanos;
    }

    /// Ticks until `stop` is set.
    pub fn run(&mut self, stop: &AtomicBool) {
        self.set_out();
        while !stop.load(Ordering::Relaxed) {
            self.tick();
        }
    }

    /// Sleeps until the next tick is due, and does it.
    pub fn tick(&mut self) -> TickRecord {
        self.clock.sleep_until(self.due);
        let woke = self.clock.now();
        self.observe();
        self.links.latent.take();
        let age = |header: Option<&Header>| {
            header.map(|header| woke.saturating_sub(header.stamp.observed_at))
        };
        let latent_age = age(self.latent());
        let world_age = age(self.links.state.header()).filter(|_| self.begun.is_some());
        let action = self.ask();
        let usable = action.as_ref().map(Limiter::can_use);
        let facts = Facts {
            latent_age,
            world_age,
            n_missed: self.n_missed,
            // A chunk that is over says nothing, and that is no action either. Before the first there is
            // nothing to follow, and the body stands.
            action_usable: usable.or(self.has_chunk.then_some(false)),
        };
        let event = self.watchdog.see(self.tick, woke, &facts);
        if let Some(event) = event {
            self.events.put(event.to_words());
        }
        let pace = self.watchdog.share().map_or(Pace::Stand, Pace::Follow);
        if pace != Pace::Follow(1.0) {
            // A body that stands, or is slowed, is not where earlier chunks took it to be by now.
            self.chunks.keep_newest();
        }
        if self.begun.is_some() {
            let (targets, verdict) = self.limiter.step(action.as_ref(), pace);
            self.summary.n_refused += u64::from(verdict == Verdict::Refused);
            let observed = self.links.state.header().map_or(0, |header| header.stamp.observed_at);
            let prompt = self.latent().map_or(0, |header| header.stamp.prompt);
            let published = Published {
                targets,
                action: action.unwrap_or([0.0; ACTION]),
                rung: self.watchdog.rung(),
                latent_age,
                n_damaged: self.n_damaged(),
            };
            let stamp = Stamp {
                observed_at: observed,
                published_at: self.clock.now(),
                checkpoint: self.policy.checkpoint(),
                prompt,
            };
            self.links.action.publish(stamp, &published.to_floats(), &[]);
        }
        self.end(woke, latent_age, world_age, action.map_or(0.0, |action| action[ACTION - 1]))
    }

    /// Takes what is new of the world.
    fn observe(&mut self) {
        if self.links.state.take() == Taken::New
            && let Ok(state) = <&[f32; STATE]>::try_from(self.links.state.floats())
            && let Some(header) = self.links.state.header()
        {
            let who = (header.incarnation, header.stamp.prompt);
            if self.begun == Some(who) {
                self.state = *state;
            } else if self.limiter.begin(state) {
                if self.begun.is_some() {
                    self.fresh_from = header.stamp.observed_at;
                }
                // A world or an S1 that was replaced within an episode is a failure to recover from.
                let is_first = self.links.action.incarnation() == 1;
                if self.begun.map_or(is_first, |(_, episode)| episode != who.1) {
                    self.watchdog.begin();
                }
                // Another world, or another episode: from where the body is now, at rest.
                self.state = *state;
                self.begun = Some(who);
                self.chunks.clear();
                self.policy.begin();
                (self.next_ask, self.n_missed, self.has_chunk) = (0, 0, false);
            }
        }
        if self.links.frames.take() == Taken::New
            && let Ok(state) = <&[f32; STATE]>::try_from(self.links.frames.floats())
        {
            self.policy.see(self.links.frames.bytes(), state);
        }
    }

    /// The latent to go by, unless it is about another world or episode.
    fn latent(&self) -> Option<&Header> {
        let is_fresh = |header: &&Header| header.stamp.observed_at >= self.fresh_from;
        self.links.latent.header().filter(is_fresh)
    }

    /// The action for this tick, after asking the policy if it is time to.
    fn ask(&mut self) -> Option<Action> {
        let sees = self.begun.is_some() && self.links.frames.header().is_some();
        if sees && self.latent().is_some() && self.tick >= self.next_ask {
            let latent = self.links.latent.floats();
            let from = self.policy.act_at(self.tick, &self.state, latent, &mut self.chunk);
            if let Some(from) = from {
                self.chunks.push(from, self.tick, &self.chunk);
                self.has_chunk = true;
            }
            self.next_ask = self.tick + u64::from(self.config.every);
        }
        self.chunks.at(self.tick)
    }

    fn n_damaged(&self) -> u64 {
        let links = &self.links;
        links.state.n_damaged() + links.frames.n_damaged() + links.latent.n_damaged()
    }

    /// Measures the tick and sets the next.
    fn end(
        &mut self,
        woke: u64,
        latent_age: Option<u64>,
        world_age: Option<u64>,
        completion: f32,
    ) -> TickRecord {
        let now = self.clock.now();
        let period = self.config.period_nanos;
        // To the first tick that is not yet due.
        let steps = now.saturating_sub(self.due).div_ceil(period).max(1);
        let record = TickRecord {
            tick: self.tick,
            due: self.due,
            wake_nanos: woke.saturating_sub(self.due),
            work_nanos: now.saturating_sub(woke),
            latent_age,
            world_age,
            latent: self.latent().map_or(0, |header| header.sequence),
            rung: self.watchdog.rung(),
            n_missed: u32::try_from(steps - 1).unwrap_or(u32::MAX),
            completion,
        };
        self.ticks.put(record.to_words());
        let summary = &mut self.summary;
        summary.n_ticks += steps;
        summary.n_missed += steps - 1;
        summary.longest_outage = summary.longest_outage.max(steps - 1);
        summary.wake.add(record.wake_nanos);
        summary.work.add(record.work_nanos);
        latent_age.into_iter().for_each(|age| summary.latent_age.add(age));
        world_age.into_iter().for_each(|age| summary.world_age.add(age));
        self.n_missed = steps - 1;
        self.tick += steps;
        self.due += steps * period;
        record
    }

    /// What was measured so far.
    #[must_use]
    pub fn summary(&self) -> FastSummary {
        FastSummary { n_damaged: self.n_damaged(), ..self.summary.clone() }
    }

    /// When the next tick is due.
    #[must_use]
    pub fn due(&self) -> u64 {
        self.due
    }

    /// The policy.
    pub fn policy(&mut self) -> &mut P {
        &mut self.policy
    }

    /// The rung of the watchdog now.
    #[must_use]
    pub fn rung(&self) -> Rung {
        self.watchdog.rung()
    }
}

/// Times in nanoseconds, as the policy's own work without the loop: how long `see` and `act` take, on
/// the processor. For the decision how the loop may be scheduled; the first tenth is left out.
pub fn measure_work<P: Policy>(
    policy: &mut P,
    n: usize,
    latent_width: usize,
    frame_bytes: usize,
    chunk_length: usize,
) -> Histogram {
    let (state, latent) = ([0.0; STATE], vec![0.0; latent_width]);
    let (frames, mut chunk) = (vec![0; frame_bytes], vec![[0.0; ACTION]; chunk_length]);
    let mut histogram = Histogram::default();
    for idx in 0..n {
        let before = crate::clock::thread_cpu_nanos();
        policy.see(&frames, &state);
        policy.act(&state, &latent, &mut chunk);
        let took = crate::clock::thread_cpu_nanos() - before;
        if idx >= n / 10 {
            histogram.add(took);
        }
    }
    policy.begin();
    histogram
}

const _: () = assert!(Published::LEN > TARGETS, "what is published begins with the targets");

#[cfg(test)]
mod tests;

#[cfg(test)]
mod quiet;
