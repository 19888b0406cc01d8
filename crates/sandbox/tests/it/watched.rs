//! Programs that only compute, started as files, stopped and looked at from outside.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use sandbox::policy::Calls;
use sandbox::shared::{self, Inside, Memory};
use sandbox::{Ending, EventKind, Job, Outcome, Policy, Running, Sandbox};

use crate::common::{denied, kinds, launcher, out, policy, run, seed, start};

/// Offsets of words in the shared memory: orders, and the answer.
const ORDER: usize = 0;
const ANSWER: usize = 4;

/// A program without any library beside it, compiled once, inside a sandbox.
fn program() -> OwnedFd {
    static PROGRAM: OnceLock<Vec<u8>> = OnceLock::new();
    let bytes = PROGRAM.get_or_init(|| {
        let mut policy = policy();
        seed(&mut policy, "/env/watched.c", include_bytes!("watched.c"), 0o644);
        let mut sandbox = start(policy);
        let built = run(&mut sandbox, "cc -O1 -static -pthread -o watched watched.c 2>&1");
        assert_eq!(built.ending, Ending::Exited { code: 0 }, "{}", out(&built));
        sandbox.read("/env/watched", 4 << 20).expect("readable").expect("built")
    });
    shared::program(bytes).expect("a file")
}

/// Nothing but what the kernel gives.
fn empty() -> Policy {
    let mut policy = Policy::system(BTreeMap::new());
    policy.read_only.clear();
    policy.folders.clear();
    policy.cwd = "/".into();
    policy.calls = Calls::Computation;
    policy
}

fn begin<'a>(sandbox: &'a mut Sandbox, memory: &[&Memory], act: &str) -> Running<'a> {
    let program = program();
    let fds = memory.iter().map(|memory| memory.descriptor()).collect();
    let argv = ["watched", act].map(str::to_owned).to_vec();
    sandbox.begin(&Job { program: program.as_fd(), argv, fds }).expect("begins")
}

/// Outcome and refused calls of one act.
fn act(act: &str) -> (Outcome, Vec<EventKind>) {
    let mut sandbox = Sandbox::start(empty(), &launcher()).expect("starts");
    let memory = Memory::create(4096, Inside::Writes).expect("memory");
    let outcome = begin(&mut sandbox, &[&memory], act).finish(Duration::from_secs(10));
    (outcome.expect("an outcome"), kinds(sandbox.take_events()))
}

#[test]
fn a_program_given_as_a_file_runs_where_no_file_is() {
    let (outcome, events) = act("hello");
    assert_eq!(outcome.ending, Ending::Exited { code: 0 }, "{outcome:?}");
    assert_eq!(out(&outcome), "hello\n");
    assert!(outcome.background.is_empty());
    let execs = events.iter().filter(|event| matches!(event, EventKind::Exec(_))).count();
    assert_eq!((execs, denied(&events)), (1, vec![]));
}

#[test]
fn what_only_computes_may_have_threads_but_no_process() {
    let (outcome, events) = act("threads");
    assert_eq!((out(&outcome).as_str(), denied(&events)), ("2 threads\n", vec![]));
    let (outcome, events) = act("processes");
    assert_eq!(outcome.ending, Ending::Exited { code: 0 }, "{outcome:?}");
    assert_eq!(denied(&events), ["clone", "vfork", "fork"]);
}

#[test]
fn what_only_computes_cannot_execute_open_connect_or_signal() {
    let (outcome, events) = act("others");
    assert_eq!(outcome.ending, Ending::Exited { code: 0 }, "{outcome:?}");
    let refused = ["execve", "openat", "socket", "memfd_create", "kill", "sched_setaffinity"];
    assert_eq!(denied(&events), refused);
}

#[test]
fn memory_for_reading_cannot_be_written_inside() {
    let mut sandbox = Sandbox::start(empty(), &launcher()).expect("starts");
    let mut memory = Memory::create(4096, Inside::Reads).expect("memory");
    memory.write(0, b"given");
    let outcome = begin(&mut sandbox, &[&memory], "write").finish(Duration::from_secs(10));
    assert_eq!(out(&outcome.expect("an outcome")), "refused refused refused\n");
    let mut bytes = [0; 5];
    memory.read(0, &mut bytes);
    assert_eq!(&bytes, b"given");
}

#[test]
fn a_stopped_program_with_threads_does_nothing_until_it_goes_on() {
    let mut sandbox = Sandbox::start(empty(), &launcher()).expect("starts");
    let memory = Memory::create(4096, Inside::Writes).expect("memory");
    let running = begin(&mut sandbox, &[&memory], "count");
    let deadline = Instant::now() + Duration::from_secs(10);
    let count = memory.wait_while(ANSWER, 0, deadline).expect("waits");
    assert!(count > 0, "it counts");
    let process = running.process();
    process.stop().expect("stops");
    assert_eq!(process.await_stopped(deadline).expect("looks"), Some(3));
    let count = memory.load(ANSWER);
    std::thread::sleep(Duration::from_millis(10));
    assert_eq!(memory.load(ANSWER), count);
    process.resume().expect("goes on");
    assert_ne!(memory.wait_while(ANSWER, count, deadline).expect("waits"), count);
    memory.store(ORDER, 1);
    let outcome = running.finish(Duration::from_secs(10)).expect("an outcome");
    assert_eq!(outcome.ending, Ending::Exited { code: 0 });
}

#[test]
fn a_program_that_is_dropped_or_too_slow_is_killed_and_the_sandbox_lives_on() {
    let mut sandbox = Sandbox::start(empty(), &launcher()).expect("starts");
    let memory = Memory::create(4096, Inside::Writes).expect("memory");
    let running = begin(&mut sandbox, &[&memory], "count");
    running.process().stop().expect("stops");
    drop(running);
    let slow = begin(&mut sandbox, &[&memory], "count").finish(Duration::from_millis(20));
    assert_eq!(slow.expect("an outcome").ending, Ending::WallLimit);
    let outcome = begin(&mut sandbox, &[&memory], "hello").finish(Duration::from_secs(10));
    assert_eq!(out(&outcome.expect("an outcome")), "hello\n");
}
