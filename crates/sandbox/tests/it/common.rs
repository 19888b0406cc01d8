//! What the tests share: a policy, a sandbox, commands.

use std::collections::BTreeMap;

use sandbox::outcome::Command;
use sandbox::{Event, Launcher, Outcome, Policy, Sandbox};

pub(crate) fn launcher() -> Launcher {
    Launcher::test_entry("launcher_entry")
}

/// The machine's programs, private `/env` and `/tmp`, everything required.
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

/// Events of one script in a fresh sandbox.
pub(crate) fn events_of(sandbox: &mut Sandbox, script: &str) -> (Outcome, Vec<Event>) {
    sandbox.take_events();
    let outcome = run(sandbox, script);
    (outcome, sandbox.take_events())
}
