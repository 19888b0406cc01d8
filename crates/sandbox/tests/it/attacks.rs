//! One attack per test: what a program inside tries, and that it does not succeed.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};

use sandbox::policy::{Bind, Protection};
use sandbox::{Error, EventKind, Sandbox};

use crate::common::{armed, denied, launcher, observe, out, policy, results, run, start};

/// A host file that anybody may read, outside every allow-listed path.
fn host_secret() -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    std::fs::write(file.path(), "host-secret-91").expect("writable");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    std::fs::set_permissions(file.path(), mode).expect("own file");
    file
}

const EPERM: &str = "1";
const ENOSYS: &str = "38";
const EAFNOSUPPORT: &str = "97";

#[test]
fn reading_a_host_file_outside_the_allow_list_fails() {
    let secret = host_secret();
    let mut sandbox = start(policy());
    let path = secret.path().display();
    let script = format!(
        "cat {path}; cat /proc/1/root{path}; cat /proc/self/root//../..{path}; \
         cat /etc/shadow /etc/machine-id; ls /root /home /sys; true"
    );
    let outcome = run(&mut sandbox, &script);
    assert_eq!(out(&outcome), "", "nothing may be read");
    let errors = String::from_utf8_lossy(&outcome.stderr).into_owned();
    assert_eq!(errors.matches("No such file").count() + errors.matches("denied").count(), 8);
}

#[test]
fn a_link_in_a_private_folder_to_a_host_file_is_not_followed_from_outside() {
    let secret = host_secret();
    let mut sandbox = start(policy());
    let path = secret.path().display();
    let script = format!(
        "ln -s {path} link; ln -s /proc/1/root{path} link2; ln -s /proc/self/fd/0 link3; \
         ln -s {} folder; ln -s ../../../../../../..{path} link4",
        secret.path().parent().expect("a parent").display()
    );
    run(&mut sandbox, &script);
    let name = secret.path().file_name().expect("a name").to_string_lossy().into_owned();
    let tries = ["/env/link", "/env/link2", "/env/link3", "/env/link4", "/env/../etc/shadow"];
    for path in tries.map(str::to_owned).into_iter().chain([format!("/env/folder/{name}")]) {
        let read = sandbox.read(&path, 100).expect("an answer");
        assert_eq!(read, None, "{path}");
    }
    let manifest = sandbox.manifest().expect("a manifest");
    assert!(manifest.keys().all(|path| !path.contains("folder/")), "{manifest:?}");
}

#[test]
fn writing_to_what_is_read_only_fails() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("tool"), "original").expect("writable");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o777);
    std::fs::set_permissions(folder.path(), mode).expect("own folder");
    let mut policy = policy();
    policy.read_only.push(Bind { host: folder.path().into(), inside: "/opt/tools".into() });
    let mut sandbox = start(policy);
    let script = "echo bad > /opt/tools/tool; rm -f /opt/tools/tool; touch /opt/tools/new; \
                  touch /usr/new /new /etc/new /dev/new; echo x > /proc/sys/kernel/hostname; \
                  echo 1 > /proc/self/oom_score_adj; cat /opt/tools/tool";
    let outcome = run(&mut sandbox, script);
    assert_eq!(out(&outcome), "original");
    assert_eq!(std::fs::read_to_string(folder.path().join("tool")).expect("there"), "original");
    assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 1);
    assert_eq!(String::from_utf8_lossy(&outcome.stderr).lines().count(), 9);
}

#[test]
fn a_masked_folder_is_empty() {
    let mut policy = policy();
    policy.masked.push("/usr/share".into());
    let mut sandbox = start(policy);
    let outcome = run(&mut sandbox, "ls -A /usr/share | wc -l; touch /usr/share/x");
    assert_eq!(out(&outcome).trim(), "0");
    assert!(String::from_utf8_lossy(&outcome.stderr).contains("touch"));
}

#[test]
fn the_network_is_out_of_reach_and_the_attempt_recorded() {
    let mut sandbox = start(armed());
    let (outcome, events) = observe(&mut sandbox, "./attack tcp");
    assert_ne!(results(&outcome)["connect"], "ok");
    let seen: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            EventKind::Network { call, family, address, .. } => {
                Some((call.as_str(), family.as_str(), address.as_deref()))
            }
            _ => None,
        })
        .collect();
    assert_eq!(seen, [("socket", "inet", None), ("connect", "inet", Some("1.1.1.1:53"))]);
    let (outcome, events) = observe(&mut sandbox, "./attack udp");
    assert_ne!(results(&outcome)["send"], "ok");
    let sent = events.iter().any(|event| {
        matches!(event, EventKind::Network { call, address: Some(address), .. }
            if call == "sendto" && address == "1.1.1.1:53")
    });
    assert!(sent, "{events:?}");
}

#[test]
fn socket_families_that_ignore_the_network_namespace_do_not_exist() {
    let mut sandbox = start(armed());
    let (outcome, events) = observe(&mut sandbox, "./attack families");
    for (name, result) in results(&outcome) {
        assert_eq!(result, EAFNOSUPPORT, "{name}");
    }
    let refused = events
        .iter()
        .filter(|event| matches!(event, EventKind::Network { allowed: false, .. }))
        .count();
    assert_eq!(refused, 4);
}

#[test]
fn an_abstract_socket_of_the_host_is_out_of_reach() {
    let name = format!("tetrad-test-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).expect("a name");
    let _listener = UnixListener::bind_addr(&address).expect("a listener on the host");
    let mut sandbox = start(armed());
    let (outcome, events) = observe(&mut sandbox, &format!("./attack abstract {name}"));
    assert_ne!(results(&outcome)["connect"], "ok");
    let seen = events.iter().any(|event| {
        matches!(event, EventKind::Network { address: Some(address), .. }
            if *address == format!("@{name}"))
    });
    assert!(seen, "{events:?}");
}

#[test]
fn a_socket_folder_can_be_used_but_not_changed() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("x.sock");
    let listener = UnixListener::bind(&path).expect("a listener");
    for path in [folder.path(), &path] {
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o777);
        std::fs::set_permissions(path, mode).expect("own file");
    }
    let mut policy = armed();
    policy.sockets.push(Bind { host: folder.path().into(), inside: "/run/arbiter".into() });
    policy.seeds.push(sandbox::policy::Seed {
        path: "/env/connect.c".into(),
        content: sandbox::policy::SeedContent::Bytes(include_bytes!("connect.c").to_vec()),
        mode: 0o644,
    });
    let answer = std::thread::spawn(move || {
        use std::io::Write;
        let (mut stream, _) = listener.accept().expect("a connection");
        stream.write_all(b"hello from outside").expect("writable");
    });
    let mut sandbox = start(policy);
    let script = "rm -f /run/arbiter/x.sock; touch /run/arbiter/y; \
                  cc -o connect connect.c && ./connect /run/arbiter/x.sock";
    let outcome = run(&mut sandbox, script);
    assert_eq!(out(&outcome), "hello from outside");
    answer.join().expect("answered");
    assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 1);
}

#[test]
fn the_first_process_cannot_be_traced_read_or_killed() {
    let mut sandbox = start(armed());
    let (outcome, events) = observe(&mut sandbox, "./attack first");
    let results = results(&outcome);
    for (name, result) in &results {
        // The kernel drops signals to pid 1 from its own namespace without an error.
        let harmless = ["kill", "stop"].contains(&name.as_str());
        assert!(harmless || result != "ok", "{name}: {result}");
    }
    assert_eq!(results.len(), 10, "{results:?}");
    let seen: Vec<&str> = events
        .iter()
        .filter_map(|event| match event {
            EventKind::Process { call, target: Some(1) | None, .. } => Some(call.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(seen, ["ptrace", "process_vm_readv", "pidfd_getfd", "kill", "kill"]);
    let after = run(&mut sandbox, "echo alive; cat /proc/1/cmdline | tr '\\0' ' '");
    assert_eq!(out(&after).trim(), "alive\ninit", "the launcher's arguments do not show");
}

#[test]
fn mounting_fails_and_is_recorded() {
    let mut sandbox = start(armed());
    let (outcome, events) = observe(&mut sandbox, "./attack mount");
    let results = results(&outcome);
    assert_eq!(results.len(), 7);
    assert!(results.values().all(|result| result == EPERM), "{results:?}");
    let calls = ["mount", "mount", "umount2", "chroot", "open_tree", "fsopen", "pivot_root"];
    assert_eq!(denied(&events), calls);
}

#[test]
fn new_namespaces_and_entering_others_fail_and_are_recorded() {
    let mut sandbox = start(armed());
    let (outcome, events) = observe(&mut sandbox, "./attack namespaces");
    let mut results = results(&outcome);
    assert_eq!(results.remove("clone3").as_deref(), Some(ENOSYS));
    assert!(results.values().all(|result| result == EPERM), "{results:?}");
    assert_eq!(denied(&events), ["unshare", "unshare", "unshare", "setns", "clone"]);
}

#[test]
fn dangerous_kernel_interfaces_are_refused_and_recorded() {
    let mut sandbox = start(armed());
    let (outcome, events) = observe(&mut sandbox, "./attack kernel");
    let mut results = results(&outcome);
    for missing in ["unknown", "x32"] {
        if let Some(result) = results.remove(missing) {
            assert_eq!(result, ENOSYS, "{missing}");
        }
    }
    assert_eq!(results.len(), 10);
    assert!(results.values().all(|result| result == EPERM), "{results:?}");
    assert!(denied(&events).contains(&"io_uring_setup"), "{events:?}");
    assert_eq!(denied(&events).len(), 10);
}

#[test]
fn set_user_id_files_give_nothing() {
    let mut sandbox = start(policy());
    let script = "cp /usr/bin/id ./id; chmod 4755 id; ./id -u; \
                  grep -E '^(CapEff|CapBnd|NoNewPrivs)' /proc/self/status | tr -d '\\t'";
    let outcome = run(&mut sandbox, script);
    let zero = "0".repeat(16);
    assert_eq!(out(&outcome), format!("1000\nCapEff:{zero}\nCapBnd:{zero}\nNoNewPrivs:1\n"));
}

#[test]
fn message_queues_and_shared_memory_of_the_host_are_out_of_reach() {
    // A segment on the host under a known key, where there is a tool to make one.
    let made = std::process::Command::new("ipcmk").args(["--shmem", "64"]).output();
    let mut sandbox = start(policy());
    let outcome =
        run(&mut sandbox, "tail -n +2 /proc/sysvipc/shm; tail -n +2 /proc/sysvipc/msg; true");
    if let Ok(made) = made {
        let text = String::from_utf8_lossy(&made.stdout).into_owned();
        let id = text.rsplit(' ').next().unwrap_or_default().trim().to_owned();
        // Removing what this test made; if it is gone already, all the better.
        let _ = std::process::Command::new("ipcrm").args(["--shmem-id", &id]).output();
    }
    assert_eq!(out(&outcome), "", "no segment or queue of the host shows");
}

#[test]
fn the_host_name_can_neither_be_learned_nor_changed() {
    let before = std::fs::read_to_string("/proc/sys/kernel/hostname").expect("readable");
    let mut sandbox = start(policy());
    let script = "cat /proc/sys/kernel/hostname; echo evil > /proc/sys/kernel/hostname; \
                  hostname evil; cat /proc/sys/kernel/hostname";
    assert_eq!(out(&run(&mut sandbox, script)), "sandbox\nsandbox\n");
    let after = std::fs::read_to_string("/proc/sys/kernel/hostname").expect("readable");
    assert_eq!(after, before);
}

#[test]
fn a_policy_that_contradicts_itself_starts_nothing() {
    let mut policy = policy();
    policy.watch.contents.push("/usr/bin/sh".into());
    let refused = Sandbox::start(policy, &launcher());
    assert!(matches!(refused, Err(Error::Policy(_))), "{refused:?}");
}

#[test]
fn a_host_path_that_is_not_there_starts_nothing() {
    let mut policy = policy();
    policy.read_only.push(Bind { host: "/no/such/path".into(), inside: "/opt".into() });
    let refused = Sandbox::start(policy, &launcher()).expect_err("nothing to bind");
    assert!(refused.to_string().contains("/no/such/path"), "{refused}");
}

#[test]
fn every_protection_is_enforced_here_or_the_reason_is_told() {
    let seen = sandbox::probe(&launcher());
    let order: Vec<Protection> = seen.iter().map(|(protection, _)| *protection).collect();
    assert_eq!(order, Protection::ALL);
    for (protection, status) in seen {
        let (sandbox::outcome::Status::Enforced(text) | sandbox::outcome::Status::Missing(text)) =
            status;
        assert!(!text.is_empty(), "{}", protection.name());
    }
}
