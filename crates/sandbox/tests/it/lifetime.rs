//! What a sandbox inherits, and what is left when its harness is gone.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use sandbox::outcome::Status;

use crate::common::{host_processes, out, policy, run, start};

/// Environment variables that turn this test binary into a harness of its own, see [`act`].
const SCRIPT: &str = "TETRAD_TEST_SCRIPT";

/// Runs the script it was given in a sandbox, prints what came, and waits to be killed.
pub(crate) fn act() {
    let Ok(script) = std::env::var(SCRIPT) else { return };
    let mut sandbox = start(policy());
    let outcome = run(&mut sandbox, &script);
    let line = format!("<<<{}>>>\n", out(&outcome));
    std::io::Write::write_all(&mut std::io::stdout(), line.as_bytes()).expect("a pipe");
    std::thread::sleep(Duration::from_secs(60));
}

fn harness(script: &str) -> Child {
    Command::new(std::env::current_exe().expect("our path"))
        .args(["--exact", "launcher_entry", "--nocapture"])
        .env(SCRIPT, script)
        .env("OPENAI_API_KEY", "harness-secret-17")
        .stdout(Stdio::piped())
        .spawn()
        .expect("a second harness")
}

/// What the script printed.
fn printed(child: &mut Child) -> String {
    let mut text = String::new();
    let mut output = BufReader::new(child.stdout.take().expect("piped"));
    while !text.contains(">>>") {
        let count = output.read_line(&mut text).expect("readable");
        assert!(count > 0, "the harness ended early: {text}");
    }
    let start = text.find("<<<").expect("the beginning") + 3;
    text[start..text.find(">>>").expect("the end")].to_owned()
}

#[test]
fn secrets_of_the_harness_are_not_in_reach() {
    let script = "env; cat /proc/*/environ /proc/*/cmdline /proc/1/maps 2>/dev/null | tr '\\0' '\\n'; \
                  grep -c . /proc/1/mem /proc/1/fd/* 2>/dev/null; echo end";
    let mut child = harness(script);
    let seen = printed(&mut child);
    child.kill().expect("ours");
    child.wait().expect("ours");
    assert!(seen.contains("HOME=/env") && seen.trim_end().ends_with("end"), "{seen}");
    assert!(!seen.contains("harness-secret-17") && !seen.contains("API_KEY"), "{seen}");
    assert!(!seen.contains("TETRAD"), "{seen}");
}

#[test]
fn a_killed_harness_leaves_no_process_behind() {
    let marker = format!("8{:06}", std::process::id());
    let script = format!(
        "setsid sleep {marker} & (setsid sh -c 'sleep {marker} & sleep {marker}' &); sleep 0.2"
    );
    let mut child = harness(&script);
    printed(&mut child);
    let exactly = |pids: Vec<u32>| pids.into_iter().filter(|pid| *pid != child.id()).count();
    assert!(exactly(host_processes(&format!("sleep\0{marker}"))) >= 3);
    child.kill().expect("ours");
    child.wait().expect("ours");
    let deadline = Instant::now() + Duration::from_secs(20);
    while !host_processes(&marker).is_empty() {
        assert!(Instant::now() < deadline, "left behind: {:?}", host_processes(&marker));
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn stopping_ends_background_processes() {
    let marker = format!("9{:06}", std::process::id());
    let mut sandbox = start(policy());
    let outcome = run(&mut sandbox, &format!("setsid sleep {marker} & sleep 0.1"));
    assert_eq!(outcome.background.len(), 1);
    assert_eq!(outcome.background[0].program, "/usr/bin/sleep");
    sandbox.stop().expect("stopped");
    assert!(host_processes(&marker).is_empty());
}

#[test]
fn a_background_process_goes_on_and_may_write_to_closed_streams() {
    let mut sandbox = start(policy());
    run(&mut sandbox, "(sleep 0.2; echo late; echo done > /env/flag) &");
    let outcome = run(&mut sandbox, "while [ ! -s /env/flag ]; do sleep 0.05; done; cat /env/flag");
    assert_eq!(out(&outcome), "done\n");
}

#[test]
fn standard_input_reaches_the_command_and_ends() {
    let mut sandbox = start(policy());
    let bytes: Vec<u8> = (0..300_000_u32).map(|at| (at % 251) as u8).collect();
    let command = sandbox::outcome::Command { stdin: bytes.clone(), ..crate::common::shell("cat") };
    let outcome = sandbox.run(&command).expect("runs");
    assert_eq!(outcome.stdout, bytes);
}

#[test]
fn endings_and_working_folders_are_told_as_they_are() {
    let mut sandbox = start(policy());
    assert_eq!(run(&mut sandbox, "exit 7").ending, sandbox::Ending::Exited { code: 7 });
    assert_eq!(run(&mut sandbox, "kill -9 $$").ending, sandbox::Ending::Signaled { signal: 9 });
    let absent = sandbox::outcome::Command {
        argv: vec!["no-such-program".to_owned()],
        cwd: Some("/tmp".into()),
        ..crate::common::shell("")
    };
    assert_eq!(
        sandbox.run(&absent).expect("an outcome").ending,
        sandbox::Ending::Exited { code: 127 }
    );
    let elsewhere =
        sandbox::outcome::Command { cwd: Some("/tmp".into()), ..crate::common::shell("pwd") };
    assert_eq!(out(&sandbox.run(&elsewhere).expect("runs")), "/tmp\n");
    assert_eq!(out(&run(&mut sandbox, "pwd")), "/env\n");
}

#[test]
fn what_is_enforced_says_how_it_was_observed() {
    let sandbox = start(policy());
    assert_eq!(sandbox.enforced().backend, "native");
    for (protection, status) in &sandbox.enforced().protections {
        assert!(
            matches!(status, Status::Enforced(how) if !how.is_empty()),
            "{protection:?}: {status:?}"
        );
    }
}

#[test]
fn a_large_command_and_many_seeds_arrive_whole() {
    let mut policy = policy();
    for at in 0..200 {
        crate::common::seed(&mut policy, &format!("/env/many/{at}"), &[b'x'; 1000], 0o600);
    }
    let mut sandbox = start(policy);
    let long = "y".repeat(100_000);
    let outcome = run(&mut sandbox, &format!("printf %s {long} | wc -c; cat many/* | wc -c"));
    assert_eq!(out(&outcome), "100000\n200000\n", "{outcome:?}");
}

/// Everything a user needs most, as nobody: the same binary, started without root's rights.
#[test]
#[ignore = "needs: root"]
fn the_same_holds_for_an_ordinary_user() {
    use std::os::unix::process::CommandExt;
    let folder = tempfile::tempdir().expect("a folder");
    let copy = folder.path().join("it");
    std::fs::copy(std::env::current_exe().expect("our path"), &copy).expect("copied");
    for path in [folder.path(), &copy] {
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(path, mode).expect("own file");
    }
    for group in ["attacks::", "evidence::", "limits::", "watched::"] {
        let status = Command::new(&copy)
            .arg(group)
            .uid(65534)
            .gid(65534)
            .current_dir("/")
            .stdout(Stdio::null())
            .status()
            .expect("started");
        assert!(status.success(), "{group}");
    }
}
