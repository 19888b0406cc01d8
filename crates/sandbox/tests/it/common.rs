//! What the tests share: a policy, a sandbox, commands, a helper that attacks.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use sandbox::outcome::Command;
use sandbox::policy::{Seed, SeedContent};
use sandbox::{Ending, Event, EventKind, Launcher, Outcome, Policy, Sandbox};

pub(crate) fn launcher() -> Launcher {
    Launcher::test_entry("launcher_entry")
}

/// The machine's programs, private `/env`, `/tmp` and `/dev/shm`, everything required.
pub(crate) fn policy() -> Policy {
    let env = [("PATH", "/env/bin:/usr/local/bin:/usr/bin:/bin"), ("HOME", "/env"), ("LANG", "C")];
    let env: BTreeMap<String, String> =
        env.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let mut policy = Policy::system(env);
    policy.folders.push("/env".into());
    policy.cwd = "/env".into();
    policy
}

pub(crate) fn start(policy: Policy) -> Sandbox {
    Sandbox::start(policy, &launcher()).unwrap_or_else(|error| panic!("{error}"))
}

pub(crate) fn seed(policy: &mut Policy, path: &str, bytes: &[u8], mode: u32) {
    let content = SeedContent::Bytes(bytes.to_vec());
    policy.seeds.push(Seed { path: path.into(), content, mode });
}

/// The attacking helper, compiled once, inside a sandbox.
fn helper() -> &'static [u8] {
    static HELPER: OnceLock<Vec<u8>> = OnceLock::new();
    HELPER.get_or_init(|| {
        let mut policy = policy();
        seed(&mut policy, "/env/attack.c", include_bytes!("attack.c"), 0o644);
        let mut sandbox = start(policy);
        let built = run(&mut sandbox, "cc -O1 -o attack attack.c 2>&1");
        assert_eq!(built.ending, Ending::Exited { code: 0 }, "{}", out(&built));
        sandbox.read("/env/attack", 1 << 22).expect("readable").expect("built")
    })
}

/// [`policy`] with the helper at `/env/attack`.
pub(crate) fn armed() -> Policy {
    let mut policy = policy();
    seed(&mut policy, "/env/attack", helper(), 0o755);
    policy
}

pub(crate) fn shell(script: &str) -> Command {
    let argv = ["sh", "-c", script].map(str::to_owned).to_vec();
    Command { argv, cwd: None, stdin: Vec::new(), wall: None }
}

pub(crate) fn run(sandbox: &mut Sandbox, script: &str) -> Outcome {
    sandbox.run(&shell(script)).unwrap_or_else(|error| panic!("{error}: {script}"))
}

pub(crate) fn out(outcome: &Outcome) -> String {
    String::from_utf8_lossy(&outcome.stdout).into_owned()
}

/// Outcome and events of one script.
pub(crate) fn observe(sandbox: &mut Sandbox, script: &str) -> (Outcome, Vec<EventKind>) {
    sandbox.take_events();
    let outcome = run(sandbox, script);
    (outcome, kinds(sandbox.take_events()))
}

pub(crate) fn kinds(events: Vec<Event>) -> Vec<EventKind> {
    events.into_iter().map(|event| event.kind).collect()
}

/// Lines `name: result` of the helper.
pub(crate) fn results(outcome: &Outcome) -> BTreeMap<String, String> {
    let text = out(outcome);
    let pairs = text.lines().filter_map(|line| line.split_once(": "));
    pairs.map(|(name, result)| (name.to_owned(), result.to_owned())).collect()
}

/// Names of the calls recorded as refused.
pub(crate) fn denied(events: &[EventKind]) -> Vec<&str> {
    let calls = events.iter().filter_map(|event| match event {
        EventKind::Denied { call, .. } => Some(call.as_str()),
        _ => None,
    });
    calls.collect()
}

/// Host processes whose command line contains `text`.
pub(crate) fn host_processes(text: &str) -> Vec<u32> {
    let entries = std::fs::read_dir("/proc").expect("/proc").flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| {
        std::fs::read(format!("/proc/{pid}/cmdline"))
            .is_ok_and(|line| String::from_utf8_lossy(&line).contains(text))
    })
    .collect()
}
