//! The fast loop on a simulated clock, with everything that can go wrong around it.

use super::*;
use crate::chunks::Blend;
use crate::deploy::{Lockstep, LockstepConfig};
use crate::limits::Audit;
use crate::twins::{CountingThinker, StillWorld, WavingPolicy, body};
use crate::watchdog::Cause;

const MS: u64 = 1_000_000;

type Twins = Lockstep<StillWorld, WavingPolicy, CountingThinker>;

fn config() -> LockstepConfig {
    LockstepConfig {
        fast: FastConfig::DEFAULT,
        latent_width: 16,
        think_nanos: Box::new(|| 120 * MS),
    }
}

fn policy() -> WavingPolicy {
    WavingPolicy::new(0.04, 400)
}

fn twins(config: LockstepConfig) -> Twins {
    let world = StillWorld::new(1, 240);
    Lockstep::new(world, vec![policy()], CountingThinker::default(), config).expect("twins")
}

/// Ticks, and gives the steps of the watchdog as text.
fn steps(twins: &mut Twins, n: usize) -> Vec<String> {
    for _ in 0..n {
        twins.tick();
    }
    let mut all = Vec::new();
    if let Some((_, traces)) = twins.s1(0) {
        while let Some(Event { cause, from, to, .. }) = traces.event() {
            all.push(format!("{cause}: {from}>{to}"));
        }
    }
    all
}

/// Twins that run.
fn running(config: LockstepConfig) -> Twins {
    let mut twins = twins(config);
    let begin = steps(&mut twins, 300);
    assert_eq!(begin.last().map(String::as_str), Some("world: stop>run"), "{begin:?}");
    twins
}

/// Nothing was passed on that breaks a limit, and nothing damaged was used.
fn assert_safe(twins: &mut Twins) {
    let counts = twins.world().expect("a world").counts(0);
    assert!(counts.n_ticks > 0);
    assert_eq!((counts.n_broken, counts.n_damaged), (0, 0), "{counts:?}");
    if let Some((fast, _)) = twins.s1(0) {
        assert_eq!(fast.policy().n_torn(), 0);
    }
}

#[test]
fn vision_is_encoded_once_a_frame_and_actions_come_every_tick() {
    let mut twins = running(config());
    let (fast, traces) = twins.s1(0).expect("S1");
    let seen = fast.policy().n_seen();
    while traces.tick().is_some() {}
    assert_eq!(steps(&mut twins, 600), [""; 0]);
    let (fast, traces) = twins.s1(0).expect("S1");
    assert_eq!(fast.policy().n_seen() - seen, 100);
    let ticks: Vec<TickRecord> = std::iter::from_fn(|| traces.tick()).collect();
    assert_eq!(ticks.len(), 600);
    assert!(ticks.windows(2).all(|pair| pair[1].tick == pair[0].tick + 1));
    assert!(ticks.iter().all(|tick| tick.rung == Rung::Run && tick.n_missed == 0));
    // A thought takes 120 ms, and is used until the next is done: 120 to 270 ms.
    let ages: Vec<u64> = ticks.iter().filter_map(|tick| tick.latent_age).collect();
    assert!(ages.iter().all(|age| (120 * MS..=280 * MS).contains(age)), "{ages:?}");
    assert!(ages.iter().min() < Some(&(130 * MS)) && ages.iter().max() > Some(&(230 * MS)));
    assert_eq!(fast.summary().latent_age.n() + 24, fast.summary().n_ticks);
    assert_safe(&mut twins);
}

#[test]
fn a_robot_follows_its_policy_through_both_limiters() {
    let mut twins = running(config());
    let mut furthest: f64 = 0.0;
    for _ in 0..600 {
        twins.tick();
        let targets = *twins.world().expect("a world").targets(0);
        let at = body().arms[0].chain.forward(&targets.joints[0]).position;
        let rest = body().arms[0].chain.forward(&body().arms[0].posture.rest).position;
        furthest = furthest.max((at[0] - rest[0]).abs());
    }
    assert!((0.038..0.042).contains(&furthest), "{furthest}");
    assert_safe(&mut twins);
}

#[test]
fn a_dead_s2_leads_from_hold_to_stop_and_a_new_one_back_to_run() {
    let mut twins = running(config());
    twins.kill_s2();
    let climbed = steps(&mut twins, 500);
    assert_eq!(climbed, ["latent: run>hold", "latent: hold>slow", "latent: slow>stop"]);
    let before = *twins.world().expect("a world").targets(0);
    assert_eq!(steps(&mut twins, 100), [""; 0]);
    assert_eq!(*twins.world().expect("a world").targets(0), before, "it stands");
    twins.start_s2(CountingThinker::default()).expect("S2");
    let descended = steps(&mut twins, 300);
    assert_eq!(descended, ["latent: stop>slow", "latent: slow>hold", "latent: hold>run"]);
    assert_safe(&mut twins);
}

#[test]
fn an_s2_that_slows_down_is_held_and_slowed_for_and_not_stopped() {
    let mut twins = running(LockstepConfig {
        think_nanos: Box::new({
            let mut n = 0;
            move || {
                n += 1;
                if n == 12 { 900 * MS } else { 120 * MS }
            }
        }),
        ..config()
    });
    let all = steps(&mut twins, 800);
    assert_eq!(
        all,
        ["latent: run>hold", "latent: hold>slow", "latent: slow>hold", "latent: hold>run"]
    );
    assert_safe(&mut twins);
}

#[test]
fn a_dead_world_leads_to_a_stop_and_a_new_one_goes_on_where_the_robot_was() {
    let mut twins = running(config());
    let before = *twins.world().expect("a world").targets(0);
    twins.kill_world();
    let climbed = steps(&mut twins, 60);
    assert_eq!(climbed, ["world: run>hold", "world: hold>slow", "world: slow>stop"]);
    twins.start_world(StillWorld::new(1, 240)).expect("a world");
    twins.tick();
    let after = *twins.world().expect("a world").targets(0);
    for (before, after) in before.joints.iter().flatten().zip(after.joints.iter().flatten()) {
        assert!((before - after).abs() < 1e-3, "{before} {after}");
    }
    let descended = steps(&mut twins, 300);
    assert_eq!(descended, ["world: stop>slow", "world: slow>hold", "world: hold>run"]);
    assert_safe(&mut twins);
}

#[test]
fn a_dead_s1_leaves_a_robot_that_stands_and_a_new_one_takes_over_slowly() {
    let mut twins = running(config());
    twins.kill_s1(0);
    for _ in 0..100 {
        twins.tick();
    }
    let standing = *twins.world().expect("a world").targets(0);
    twins.tick();
    assert_eq!(*twins.world().expect("a world").targets(0), standing);
    twins.start_s1(0, policy(), &body()).expect("S1");
    let begin = steps(&mut twins, 300);
    assert_eq!(begin, ["world: stop>slow", "world: slow>hold", "world: hold>run"]);
    assert_eq!(twins.world().expect("a world").counts(0).n_takeovers, 1);
    assert_safe(&mut twins);
}

#[test]
fn late_ticks_are_skipped_and_a_row_of_them_leads_to_a_stop() {
    /// A policy whose work takes so long.
    struct Slow(Simulated2, u64, WavingPolicy);
    type Simulated2 = crate::clock::Simulated;
    impl Policy for Slow {
        fn see(&mut self, frames: &[u8], state: &[f32; STATE]) {
            self.2.see(frames, state);
        }
        fn act(&mut self, state: &[f32; STATE], latent: &[f32], chunk: &mut [Action]) {
            self.2.act(state, latent, chunk);
            self.0.pass(self.1);
        }
    }
    let clock = crate::clock::Simulated::default();
    let slow = Slow(clock, 0, policy());
    let world = StillWorld::new(1, 240);
    let mut twins =
        Lockstep::new(world, vec![slow], CountingThinker::default(), config()).expect("twins");
    let clock = twins.clock().clone();
    twins.s1(0).expect("S1").0.policy().0 = clock;
    for _ in 0..300 {
        twins.tick();
    }
    let (fast, traces) = twins.s1(0).expect("S1");
    assert_eq!(fast.rung(), Rung::Run);
    while traces.event().is_some() || traces.tick().is_some() {}
    // 12 ms: the tick's own deadline and the next are missed, and the third is the next in time.
    fast.policy().1 = 12 * MS;
    for _ in 0..90 {
        twins.tick();
    }
    let (fast, traces) = twins.s1(0).expect("S1");
    let ticks: Vec<TickRecord> = std::iter::from_fn(|| traces.tick()).collect();
    assert_eq!(ticks.len(), 30);
    assert!(ticks.iter().all(|tick| tick.n_missed == 2 && tick.work_nanos == 12 * MS));
    assert!(ticks.windows(2).all(|pair| pair[1].tick == pair[0].tick + 3));
    let events: Vec<Event> = std::iter::from_fn(|| traces.event()).collect();
    assert!(events.iter().all(|event| event.cause == Cause::Ticks));
    assert_eq!(events.last().map(|event| event.to), Some(Rung::Stop));
    assert_eq!((fast.summary().n_missed, fast.summary().longest_outage), (60, 2));
    fast.policy().1 = 0;
    for _ in 0..300 {
        twins.tick();
    }
    assert_eq!(twins.s1(0).expect("S1").0.rung(), Rung::Run);
    let counts = twins.world().expect("a world").counts(0);
    assert_eq!((counts.n_broken, counts.n_damaged), (0, 0));
}

#[test]
fn actions_that_are_no_numbers_never_pass() {
    let mut twins = running(config());
    twins.s1(0).expect("S1").0.policy().wrong_every = 3;
    let all = steps(&mut twins, 600);
    assert_eq!(all, ["action: run>hold"]);
    twins.s1(0).expect("S1").0.policy().wrong_every = 1;
    let all = steps(&mut twins, 200);
    assert_eq!(all, ["action: hold>slow", "action: slow>stop"]);
    twins.s1(0).expect("S1").0.policy().wrong_every = 0;
    let all = steps(&mut twins, 200);
    assert_eq!(all, ["action: stop>slow", "action: slow>hold", "action: hold>run"]);
    assert_safe(&mut twins);
}

#[test]
fn another_episode_begins_where_the_robot_is_then_with_nothing_left_of_the_last() {
    let mut twins = running(config());
    steps(&mut twins, 75);
    twins.world().expect("a world").world().reset();
    twins.tick();
    let rest = body().arms.map(|arm| arm.posture.rest);
    twins.tick();
    let after = *twins.world().expect("a world").targets(0);
    for (at, rest) in after.joints.iter().flatten().zip(rest.iter().flatten()) {
        assert!((at - rest).abs() < 1e-3, "{at} {rest}");
    }
    // There is nothing to recover from.
    assert_eq!(steps(&mut twins, 300), ["latent: run>stop", "latent: stop>run"]);
    assert_safe(&mut twins);
}

#[test]
fn what_s1_publishes_is_itself_inside_all_limits() {
    let wires = crate::deploy::Wires::create(crate::deploy::Shape {
        n_robots: 1,
        frame_bytes: 240,
        latent_width: 16,
    })
    .expect("wires");
    let clock = crate::clock::Simulated::at(7);
    let mut world = wires.world().expect("links").remove(0);
    let mut s2 = wires.s2().expect("links").remove(0);
    let mut wild = policy();
    (wild.reach, wild.n_ticks, wild.wrong_every) = (3.0, 40, 7);
    let links = wires.s1(0).expect("S1");
    let (mut fast, _traces) =
        Fast::new(wild, clock.clone(), links, &body(), FastConfig::DEFAULT).expect("a loop");
    let mut audit = Audit::new(&body(), TICK_NS);
    let rest = body().arms.map(|arm| arm.posture.rest);
    let targets = crate::limits::Targets { joints: rest, grippers: [0.5; 2], completion: 0.0 };
    let state = crate::twins::state_at(&body(), &targets);
    for tick in 0..1500_u64 {
        let now = clock.now();
        let stamp = Stamp { observed_at: now, published_at: now, ..Stamp::default() };
        world.state.publish(stamp, &state, &[]);
        world.frames_fast.publish(stamp, &state, &[0; 240]);
        // S2 falls silent now and then.
        if tick % 900 < 300 {
            s2.latent.publish(stamp, &[1.0; 16], &[]);
        }
        fast.tick();
        if world.action.take() == Taken::New {
            let published = Published::from_floats(world.action.floats()).expect("all of it");
            assert_eq!(audit.see(&published.targets), None, "at tick {tick}");
        }
    }
    assert_eq!(audit.n_seen(), 1500);
    assert!(fast.summary().n_refused > 50);
}

#[test]
fn chunks_are_blended_and_the_policy_is_asked_less_often() {
    let chunks = ChunkConfig { length: 12, blend: Blend::Crossfade(4), speed: 1.5 };
    let fast = FastConfig { every: 8, chunks, ..FastConfig::DEFAULT };
    let mut twins = running(LockstepConfig { fast: fast.clone(), ..config() });
    assert_eq!(steps(&mut twins, 400), [""; 0]);
    assert_safe(&mut twins);
    let wrong = FastConfig { every: 9, ..fast };
    let config = LockstepConfig { fast: wrong, ..config() };
    let world = StillWorld::new(1, 240);
    let error = Lockstep::new(world, vec![policy()], CountingThinker::default(), config);
    let error = error.expect_err("chunks too short").to_string();
    assert!(error.contains("every 9 ticks, but a chunk lasts 8"), "{error}");
}

#[test]
fn a_thought_that_takes_no_time_is_about_the_newest_frame() {
    let mut twins = running(LockstepConfig { think_nanos: Box::new(|| 0), ..config() });
    for _ in 0..60 {
        let age = twins.tick()[0].and_then(|tick| tick.latent_age);
        assert!(age.is_some_and(|age| age <= 25 * MS), "{age:?}");
    }
}

#[test]
fn two_robots_share_one_s2_and_each_hears_its_own_words() {
    let policies = vec![policy(), policy()];
    let world = StillWorld::new(2, 240);
    let mut twins =
        Lockstep::new(world, policies, CountingThinker::default(), config()).expect("twins");
    twins.wires().say(1, "receive the cup").expect("a robot");
    for _ in 0..400 {
        twins.tick();
    }
    for robot in 0..2 {
        let counts = twins.world().expect("a world").counts(robot);
        assert!(counts.n_on_rung[0] > 100 && counts.n_broken == 0, "{counts:?}");
        let (fast, _) = twins.s1(robot).expect("S1");
        assert_eq!(fast.policy().n_torn(), 0);
        let header = fast.links.latent.header().expect("a latent");
        // Only the second robot was asked anything.
        assert_eq!(header.stamp.prompt, robot as u32);
    }
}

#[test]
fn lockstep_is_the_same_every_time() {
    let run = || {
        let mut twins = running(config());
        steps(&mut twins, 200);
        *twins.world().expect("a world").targets(0)
    };
    assert_eq!(run(), run());
}

#[test]
fn records_are_the_same_after_a_ring_and_what_is_published_after_shared_memory() {
    let record = TickRecord {
        tick: 5,
        due: 77,
        wake_nanos: 1,
        work_nanos: 2,
        latent_age: None,
        world_age: Some(3),
        latent: 900,
        rung: Rung::Slow,
        n_missed: 4,
        completion: 0.5,
    };
    assert_eq!(TickRecord::from_words(record.to_words()), record);
    let published = Published {
        targets: crate::limits::Targets {
            joints: [[0.25; 7]; 2],
            grippers: [0.5; 2],
            completion: 1.0,
        },
        action: [0.125; ACTION],
        rung: Rung::Hold,
        latent_age: Some(250 * MS),
        n_damaged: 3,
    };
    assert_eq!(Published::from_floats(&published.to_floats()), Some(published));
    assert_eq!(Published::from_floats(&[0.0; 3]), None);
}
