//! The zoo: every cheat turned away for its own reason, every honest kernel accepted. On its own,
//! for it times what it lets in.

use std::process::{Command, Stdio};

use kernels::judge::Options;
use kernels::zoo::{self, ZooTask};
use sandbox::Launcher;

/// The class that only the clock gives away.
const TIMED: &str = "impossible";

/// Not a test of its own: sandboxes start here.
#[test]
fn launcher_entry() {
    sandbox::launch_if_requested();
}

#[test]
fn every_cheat_is_turned_away_and_no_honest_kernel_is() {
    let options = Options::new(Launcher::test_entry("launcher_entry"), 7);
    let mut n_seen = 0;
    // Whether something is impossible depends on times, which a busy machine stretches.
    let table = zoo::examine(options, |animal| animal.class != TIMED, |_| n_seen += 1);
    let table = table.unwrap_or_else(|error| panic!("{error}"));
    let complaints = table.complaints();
    assert!(complaints.is_empty(), "{}\n{table}", complaints.join("\n"));
    let untimed = zoo::cheats().iter().filter(|animal| animal.class != TIMED).count();
    assert_eq!(table.caught().n as usize, untimed);
    assert_eq!(table.accepted().n as usize, zoo::honest().len());
    assert_eq!(n_seen, table.cheats.len() + table.honest.len());
    assert_eq!(kernels_left(), 0, "every process ended with its judge");
    println!("{table}");
}

#[test]
#[ignore = "needs: a quiet machine"]
fn what_is_faster_than_the_machine_is_turned_away() {
    let options = Options::new(Launcher::test_entry("launcher_entry"), 7);
    let table = zoo::examine(options, |animal| animal.task == ZooTask::Constant, |_| {});
    let table = table.unwrap_or_else(|error| panic!("{error}"));
    assert!(table.complaints().is_empty(), "{}", table.complaints().join("\n"));
}

/// Processes of the name that kernels have, below this one.
fn kernels_left() -> usize {
    let entries = std::fs::read_dir("/proc").expect("/proc").flatten();
    let read = |entry: &std::fs::DirEntry, name| std::fs::read_to_string(entry.path().join(name));
    entries
        .filter(|entry| {
            read(entry, "cmdline").is_ok_and(|line| line == "kernel\0")
                && read(entry, "status").is_ok_and(|text| descends(&text))
        })
        .count()
}

/// Whether the process of this status descends from this program.
fn descends(status: &str) -> bool {
    let parent = |text: &str| -> Option<u32> {
        text.lines().find_map(|line| line.strip_prefix("PPid:")?.trim().parse().ok())
    };
    let mut at = parent(status);
    while let Some(pid) = at.filter(|pid| *pid > 1) {
        if pid == std::process::id() {
            return true;
        }
        let text = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        at = parent(&text);
    }
    false
}

/// As nobody: the same binary, started without root's rights.
#[test]
#[ignore = "needs: root"]
fn the_same_holds_for_an_ordinary_user() {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::process::CommandExt;
    let folder = tempfile::tempdir().expect("a folder");
    let copy = folder.path().join("zoo");
    std::fs::copy(std::env::current_exe().expect("our path"), &copy).expect("copied");
    for path in [folder.path(), &copy] {
        let mode = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(path, mode).expect("own file");
    }
    let output = Command::new(&copy)
        .args(["every_cheat", "--nocapture"])
        .uid(65534)
        .gid(65534)
        .current_dir("/")
        .stdin(Stdio::null())
        .output()
        .expect("started");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("1 passed"), "{text}");
}
