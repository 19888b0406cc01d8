//! Every process killed and stalled at random, and what must hold all the same.

use std::os::unix::process::ExitStatusExt as _;
use std::time::{Duration, Instant};

use robot::deploy::{Chaos, ChaosConfig, Role, Supervisor, What, Wires};

use crate::parts::{SHAPE, part};

const ROLES: [Role; 4] = [Role::World, Role::S1(0), Role::S1(1), Role::S2];

fn deployment(log: &std::path::Path, carrier: Option<&str>) -> Supervisor {
    let wires = Wires::create(SHAPE).expect("wires");
    wires.say(0, "hand the cup to the robot on your right").expect("a robot");
    wires.say(1, "receive the cup from the robot on your left").expect("a robot");
    let silence = |role| Duration::from_millis(if role == Role::S2 { 900 } else { 250 });
    let name = |role| match role {
        Role::World => "world".to_owned(),
        Role::S1(robot) => robot.to_string(),
        Role::S2 => "s2".to_owned(),
    };
    let parts = ROLES.map(|role| part(role, &name(role), log, silence(role), carrier));
    Supervisor::new(wires, parts.into())
}

/// Looks after all until every robot has done so many ticks on the rung `run` from now on.
fn until_they_run(supervisor: &mut Supervisor, n_ticks: u64) {
    let on_run = |supervisor: &Supervisor, robot| {
        supervisor.wires().counts(robot).expect("a robot").n_on_rung[0]
    };
    let before = [0, 1].map(|robot| on_run(supervisor, robot));
    let began = Instant::now();
    while (0..2).any(|robot| on_run(supervisor, robot) < before[robot] + n_ticks) {
        supervisor.look_for(Duration::from_millis(5)).expect("looked");
        // Not a matter of speed: that they never do is what this is about.
        assert!(began.elapsed() < Duration::from_secs(60), "{:?}", supervisor.happenings());
    }
}

/// Strikes for so long, then checks what must hold, and that these steps of watchdogs were logged. Gives
/// a line about it.
fn check(config: ChaosConfig, steps: &[&str], carrier: Option<&str>) -> String {
    let log = tempfile::NamedTempFile::new().expect("a file");
    let mut supervisor = deployment(log.path(), carrier);
    until_they_run(&mut supervisor, 1);
    let strikes = Chaos::new(config).run(&mut supervisor).expect("strikes");
    until_they_run(&mut supervisor, 1);
    let happened = supervisor.happenings();
    // Who ended was killed, by us or for being silent: no policy has found anything torn, and nothing
    // has panicked.
    for happening in &happened {
        if let What::Ended { status } = happening.what {
            assert_eq!(status.signal(), Some(9), "{happening:?}");
        }
        assert!(!matches!(happening.what, What::Failed { .. }), "{happening:?}");
    }
    let count = |what: fn(&What) -> bool| happened.iter().filter(|h| what(&h.what)).count();
    let n_ended = count(|what| matches!(what, What::Ended { .. }));
    let n_started = count(|what| matches!(what, What::Started { .. }));
    assert_eq!(n_started, n_ended + ROLES.len(), "everyone who ended was replaced");
    let n_kills = strikes.iter().filter(|strike| strike.stall_millis.is_none()).count();
    assert!(n_kills > 0 && n_ended >= n_kills, "{n_kills} kills, {n_ended} ends");
    let counts = [0, 1].map(|robot| supervisor.wires().counts(robot).expect("a robot"));
    for counts in counts {
        assert_eq!((counts.n_broken, counts.n_damaged, counts.n_refused), (0, 0, 0), "{counts:?}");
        assert!(counts.n_followed > 0 && counts.n_followed < counts.n_ticks, "{counts:?}");
    }
    let events = std::fs::read_to_string(log.path()).expect("a log");
    for step in steps {
        assert!(events.contains(step), "no `{step}` in {events}");
    }
    assert!(supervisor.end(Duration::from_secs(20)).expect("an end"), "all end when they are told");
    let (n_ticks, steps) = (counts.map(|c| c.n_ticks), events.lines().count());
    format!(
        "seed {}, {} ms: {n_kills} kills, {} stalls, {n_ended} ends, {n_started} starts, {n_ticks:?} \
         ticks, followed {:?}, watchdog steps logged {steps}, limits broken 0, torn values used 0",
        config.seed,
        config.duration_millis,
        strikes.len() - n_kills,
        counts.map(|c| c.n_followed),
    )
}

#[test]
fn killed_and_stalled_at_random_nothing_leaves_its_limits_and_all_recover() {
    let config = ChaosConfig {
        seed: 3,
        duration_millis: 800,
        pause_millis: [30, 100],
        stall_share: 0.3,
        stall_millis: [20, 200],
    };
    check(config, &[": stop>slow\n", ": hold>run\n"], None);
}

#[test]
#[ignore = "needs: ten minutes"]
fn ten_minutes_of_it() {
    let millis = std::env::var("TETRAD_CHAOS_MILLIS").ok().and_then(|text| text.parse().ok());
    let config = ChaosConfig {
        seed: 11,
        duration_millis: millis.unwrap_or(600_000),
        pause_millis: [50, 1500],
        stall_share: 0.3,
        stall_millis: [20, 1500],
    };
    let steps = [
        "latent: run>hold\n",
        "ticks: ",
        "world: slow>stop\n",
        "action: run>hold\n",
        ": stop>slow\n",
        ": hold>run\n",
    ];
    let line = check(config, &steps, None);
    println!("{line}");
}

#[cfg(feature = "iceoryx2")]
#[test]
fn over_iceoryx2_killed_and_stalled_at_random_all_recover() {
    let millis = std::env::var("TETRAD_CHAOS_MILLIS").ok().and_then(|text| text.parse().ok());
    let config = ChaosConfig {
        seed: 5,
        duration_millis: millis.unwrap_or(3_000),
        pause_millis: [100, 400],
        stall_share: 0.3,
        stall_millis: [20, 200],
    };
    let name = format!("tetrad-test-{}", std::process::id());
    println!("{}", check(config, &[": stop>slow\n", ": hold>run\n"], Some(&name)));
}
