//! Commands that want more than they may have.

use std::time::Duration;

use sandbox::outcome::Command;
use sandbox::{Ending, EventKind, Outcome, Sandbox};

use crate::common::{armed, host_processes, observe, out, policy, run, shell, start};

fn run_within(sandbox: &mut Sandbox, script: &str, wall: Duration) -> Outcome {
    let command = Command { wall: Some(wall), ..shell(script) };
    sandbox.run(&command).expect("the sandbox works")
}

fn limits(events: &[EventKind]) -> Vec<&str> {
    let limits = events.iter().filter_map(|event| match event {
        EventKind::Limit { limit } => Some(limit.as_str()),
        _ => None,
    });
    limits.collect()
}

#[test]
fn limits_cannot_be_raised() {
    let mut policy = policy();
    policy.limits.n_open_files = 100;
    let mut sandbox = start(policy);
    let outcome = run(&mut sandbox, "(ulimit -n 200) 2>/dev/null; ulimit -n; ulimit -Hn");
    assert_eq!(out(&outcome), "100\n100\n");
}

#[test]
fn a_fork_bomb_stops_at_the_process_limit_and_dies_at_the_wall_limit() {
    let mut policy = policy();
    policy.limits.n_processes = 20;
    let mut sandbox = start(policy);
    // The shell itself forks once, before the limit is reached: a fork that fails would end it.
    let script = "b() { b | b & }; (b; b; b) & while :; do :; done";
    let outcome = run_within(&mut sandbox, script, Duration::from_millis(800));
    assert_eq!(outcome.ending, Ending::WallLimit);
    // The first process and the shell, which counts them itself: another could come too late.
    let after = run(&mut sandbox, "set -- /proc/[0-9]*; echo $#");
    assert_eq!(out(&after).trim(), "2");
    assert!(after.background.is_empty(), "{:?}", after.background);
}

#[test]
fn a_memory_hog_is_killed_and_the_sandbox_lives_on() {
    let mut policy = armed();
    policy.limits.resident_bytes = 200 << 20;
    let mut sandbox = start(policy);
    for how in ["memory", "memory-file"] {
        let (outcome, events) = observe(&mut sandbox, &format!("./attack {how}"));
        assert_eq!(outcome.ending, Ending::MemoryLimit, "{how}");
        assert_eq!(limits(&events), ["resident"], "{how}");
    }
    assert_eq!(out(&run(&mut sandbox, "echo alive")), "alive\n");
}

#[test]
fn filling_the_private_folders_stops_at_their_size() {
    let mut policy = policy();
    policy.limits.folder_bytes = 8 << 20;
    let mut sandbox = start(policy);
    let script = "dd if=/dev/zero of=/env/a bs=1M count=6 2>/dev/null && echo fits; \
                  dd if=/dev/zero of=/tmp/b bs=1M count=6 2>&1 | grep -c 'No space left'; \
                  dd if=/dev/zero of=/dev/shm/c bs=1M count=6 2>&1 | grep -c 'No space left'";
    assert_eq!(out(&run(&mut sandbox, script)), "fits\n1\n1\n");
}

#[test]
fn a_file_beyond_the_file_limit_cannot_be_written() {
    let mut policy = policy();
    policy.limits.file_bytes = 1 << 20;
    let mut sandbox = start(policy);
    run(&mut sandbox, "dd if=/dev/zero of=big bs=1M count=3 2>/dev/null; true");
    let read = sandbox.read("/env/big", 4 << 20).expect("readable").expect("there");
    assert_eq!(read.len(), 1 << 20);
}

#[test]
fn endless_output_is_cut_counted_and_ends_at_the_wall_limit() {
    let mut policy = policy();
    policy.limits.output_bytes = 1000;
    let mut sandbox = start(policy);
    let outcome = run_within(&mut sandbox, "yes & yes >&2", Duration::from_millis(500));
    assert_eq!(outcome.ending, Ending::WallLimit);
    assert_eq!((outcome.stdout.len(), outcome.stderr.len()), (1000, 1000));
    assert!(outcome.dropped_bytes > 0);
}

#[test]
fn output_within_the_limit_is_whole() {
    let mut sandbox = start(policy());
    let outcome = run(&mut sandbox, "dd if=/dev/zero bs=1000 count=1000 2>/dev/null");
    assert_eq!((outcome.stdout.len(), outcome.dropped_bytes), (1_000_000, 0));
}

#[test]
fn the_wall_limit_also_ends_children_in_other_sessions() {
    let marker = format!("7{:06}", std::process::id());
    let mut sandbox = start(policy());
    sandbox.take_events();
    let script = format!(
        "setsid sleep {marker} & (setsid sh -c 'sleep {marker} & sleep {marker}' &); sleep 50"
    );
    let outcome = run_within(&mut sandbox, &script, Duration::from_millis(500));
    assert_eq!(outcome.ending, Ending::WallLimit);
    let events: Vec<_> = crate::common::kinds(sandbox.take_events());
    assert_eq!(limits(&events), ["wall"]);
    run(&mut sandbox, "true");
    assert!(host_processes(&marker).is_empty());
}

#[test]
fn the_wall_limit_spares_what_an_earlier_command_left_running() {
    let mut sandbox = start(policy());
    let first = run(&mut sandbox, "setsid sleep 1000 & sleep 0.1");
    assert_eq!(first.background.len(), 1, "{:?}", first.background);
    let outcome =
        run_within(&mut sandbox, "(setsid sleep 2000 &); sleep 50", Duration::from_millis(400));
    assert_eq!(outcome.ending, Ending::WallLimit);
    let after = run(&mut sandbox, "true");
    let left: Vec<_> = after.background.iter().map(|process| process.argv.join(" ")).collect();
    assert_eq!(left, ["sleep 1000"]);
}

#[test]
fn a_cancelled_command_ends_and_says_so() {
    let mut sandbox = start(policy());
    let canceller = sandbox.canceller();
    let thread = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(100));
        canceller.cancel();
    });
    let outcome = run(&mut sandbox, "sleep 1000");
    assert_eq!(outcome.ending, Ending::Cancelled);
    thread.join().expect("it only sleeps");
}
