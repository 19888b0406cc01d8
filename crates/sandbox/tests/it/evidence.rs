//! What the supervisor records, and what cannot be hidden from it.

use sandbox::event::{Exec, ExecutedFile, FileChange, FileState, Origin};
use sandbox::policy::Mark;
use sandbox::{EventKind, Policy};

use crate::common::{armed, kinds, observe, out, policy, run, seed, start};

fn execs(events: &[EventKind]) -> Vec<&Exec> {
    let execs = events.iter().filter_map(|event| match event {
        EventKind::Exec(exec) => Some(exec),
        _ => None,
    });
    execs.collect()
}

fn changes(events: &[EventKind], wanted: &str) -> Vec<FileChange> {
    let changes = events.iter().filter_map(|event| match event {
        EventKind::File { path, change } if path == wanted => Some(*change),
        _ => None,
    });
    changes.collect()
}

/// A policy that watches `/env/game` (with `fen.txt` in it) and marks files that say `uciok`.
fn watching() -> Policy {
    let mut policy = policy();
    seed(&mut policy, "/env/game/fen.txt", b"board one\n", 0o644);
    seed(&mut policy, "/env/engine", b"#!/bin/sh\n# uciok\nexec /bin/true\n", 0o755);
    policy.watch.contents = vec!["/env/game".into()];
    policy.watch.env = vec!["LD_PRELOAD".to_owned(), "PATH".to_owned()];
    policy.watch.marks = vec![Mark { name: "uci".to_owned(), all_of: vec![b"uciok".to_vec()] }];
    policy
}

/// Texts of all versions of a path, absent ones as `-`.
/// Contents that a file went through. Looks in between may find it absent or just emptied, and a
/// changed mode is no new content; neither is told here.
fn versions(events: &[sandbox::Event], wanted: &str) -> Vec<String> {
    let versions = events.iter().filter_map(|event| match &event.kind {
        EventKind::Version { path, state } if path == wanted => Some(match state {
            FileState::File { sha256, .. } => {
                let blob = event.blobs.iter().find(|blob| blob.sha256 == *sha256);
                String::from_utf8_lossy(&blob.expect("the content comes along").bytes).into_owned()
            }
            FileState::Absent => "-".to_owned(),
            other => format!("{other:?}"),
        }),
        _ => None,
    });
    let mut versions: Vec<String> = versions.filter(|at| !at.is_empty() && at != "-").collect();
    versions.dedup();
    versions
}

#[test]
fn an_exec_is_recorded_with_all_that_belongs_to_it() {
    let mut sandbox = start(watching());
    let script =
        "mkdir sub; cd sub; LD_PRELOAD=/tmp/x.so sh -c '/bin/echo \"two words\" ö; :' 2>/dev/null";
    let (_, events) = observe(&mut sandbox, script);
    let execs = execs(&events);
    let echo = execs.iter().find(|exec| exec.path == "/bin/echo").expect("recorded");
    assert_eq!(echo.argv, ["/bin/echo", "two words", "ö"]);
    assert_eq!(echo.cwd, "/env/sub");
    assert_eq!(echo.env["LD_PRELOAD"], "/tmp/x.so");
    assert!(echo.env.contains_key("PATH"));
    let file = echo.file.as_ref().expect("it exists");
    assert_eq!((file.path.as_str(), file.origin), ("/usr/bin/echo", Origin::Host));
    let shells: Vec<u32> =
        execs.iter().filter(|exec| exec.path.ends_with("sh")).rev().map(|exec| exec.pid).collect();
    assert_eq!(echo.ancestors, shells, "inner shell, then outer shell");
}

#[test]
fn a_copied_program_is_known_by_its_content_under_any_name() {
    let mut sandbox = start(watching());
    let script = "cp engine /tmp/notes.txt; /tmp/notes.txt; ln -s /tmp/notes.txt innocent; ./innocent; \
                  cp engine /dev/shm/e; cd /dev/shm; ./e";
    let (_, events) = observe(&mut sandbox, script);
    let files: Vec<&ExecutedFile> = execs(&events)
        .into_iter()
        .filter_map(|exec| exec.file.as_ref())
        .filter(|file| file.origin == Origin::Private)
        .collect();
    let paths: Vec<&str> = files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(paths, ["/tmp/notes.txt", "/tmp/notes.txt", "/dev/shm/e"]);
    for file in &files {
        assert_eq!(file.marks, ["uci"]);
        assert_eq!(file.sha256, files[0].sha256);
        assert!(file.sha256.is_some());
    }
    let exits = events.iter().filter(|event| matches!(event, EventKind::Exit { .. })).count();
    assert_eq!(exits, 3);
}

#[test]
fn a_script_given_as_argument_is_hashed_and_marked() {
    let mut sandbox = start(watching());
    let (_, events) = observe(&mut sandbox, "cd /tmp; sh ../env/engine --depth 3");
    let recorded = execs(&events);
    let exec = recorded.iter().find(|exec| exec.argv.len() == 4).expect("recorded");
    assert_eq!(exec.arguments.len(), 1);
    let argument = &exec.arguments[0];
    assert_eq!((argument.index, argument.path.as_str()), (1, "/env/engine"));
    assert_eq!(argument.marks, ["uci"]);
}

#[test]
fn a_failed_look_up_is_recorded_without_a_file() {
    let mut sandbox = start(policy());
    let (_, events) =
        observe(&mut sandbox, "env stockfish; echo > /tmp/plain; env /tmp/plain; true");
    let failed: Vec<&str> = execs(&events)
        .into_iter()
        .filter(|exec| exec.file.is_none())
        .map(|exec| exec.path.as_str())
        .collect();
    let tried = ["/env/bin/stockfish", "/usr/local/bin/stockfish", "/usr/bin/stockfish"];
    assert_eq!(failed, [&tried[..], &["/bin/stockfish", "/tmp/plain"]].concat());
}

#[test]
fn a_program_run_from_anonymous_memory_is_hashed() {
    let mut sandbox = start(armed());
    let (_, events) = observe(&mut sandbox, "sha256sum /bin/true; ./attack from-memory /bin/true");
    let recorded = execs(&events);
    let exec = recorded.last().expect("recorded");
    assert!(exec.path.starts_with("fd:/memfd:hidden"), "{}", exec.path);
    assert_eq!(exec.argv, ["innocent"]);
    let file = exec.file.as_ref().expect("it can be executed");
    assert_eq!(file.origin, Origin::Memory);
    let expected = run(&mut sandbox, "sha256sum < /bin/true | cut -c1-64");
    assert_eq!(file.sha256.as_deref(), Some(out(&expected).trim()));
}

#[test]
fn a_program_run_through_proc_self_is_found() {
    let mut sandbox = start(watching());
    let (_, events) = observe(&mut sandbox, "exec 7< engine; env /proc/self/fd/7; env /dev/fd/7");
    let found: Vec<_> = execs(&events)
        .into_iter()
        .filter(|exec| exec.path.ends_with("fd/7"))
        .map(|exec| exec.file.as_ref().map(|file| file.path.as_str()))
        .collect();
    assert_eq!(found, [Some("/env/engine"), Some("/env/engine")]);
}

#[test]
fn an_edit_that_is_undone_in_the_same_command_is_seen() {
    let mut sandbox = start(watching());
    let first = sandbox.take_events();
    assert_eq!(versions(&first, "/env/game/fen.txt"), ["board one\n"]);
    let script = "cp game/fen.txt /tmp/keep; echo cheat > game/fen.txt; /bin/true; \
                  cp /tmp/keep game/fen.txt";
    run(&mut sandbox, script);
    let events = sandbox.take_events();
    assert_eq!(versions(&events, "/env/game/fen.txt"), ["cheat\n", "board one\n"]);
    let kinds = kinds(events);
    let changes = changes(&kinds, "/env/game/fen.txt");
    let written = changes.iter().filter(|change| **change == FileChange::ClosedAfterWrite);
    assert_eq!(written.count(), 2, "{changes:?}");
    let position =
        |wanted: &dyn Fn(&EventKind) -> bool| kinds.iter().position(wanted).expect("there");
    let cheat = position(&|event| matches!(event, EventKind::Version { .. }));
    let exec =
        position(&|event| matches!(event, EventKind::Exec(exec) if exec.path == "/bin/true"));
    assert!(cheat < exec, "the version comes before the exec that followed it");
}

#[test]
fn an_edit_undone_without_any_exec_still_shows_as_changes() {
    let mut sandbox = start(watching());
    let (_, events) =
        observe(&mut sandbox, "cd game; echo cheat > fen.txt; echo 'board one' > fen.txt");
    let changes = changes(&events, "/env/game/fen.txt");
    let written = changes.iter().filter(|change| **change == FileChange::ClosedAfterWrite);
    assert_eq!(written.count(), 2, "{changes:?}");
}

#[test]
fn an_edit_through_a_shared_mapping_is_seen_at_the_next_exec() {
    let mut policy = armed();
    seed(&mut policy, "/env/game/fen.txt", b"board one\n", 0o644);
    policy.watch.contents = vec!["/env/game".into()];
    let mut sandbox = start(policy);
    sandbox.take_events();
    run(&mut sandbox, "./attack map game/fen.txt");
    let versions = versions(&sandbox.take_events(), "/env/game/fen.txt");
    assert_eq!(versions, ["CHEAT one\n", "board one\n"]);
}

#[test]
fn reading_a_watched_file_is_seen_and_the_supervisor_does_not_count_itself() {
    let mut sandbox = start(watching());
    let (_, events) = observe(&mut sandbox, "true");
    assert!(changes(&events, "/env/game/fen.txt").is_empty(), "{events:?}");
    let (_, events) = observe(&mut sandbox, "cat game/fen.txt");
    assert_eq!(changes(&events, "/env/game/fen.txt"), [FileChange::Opened]);
    sandbox.manifest().expect("a manifest");
    sandbox.read("/env/game/fen.txt", 10).expect("readable");
    assert!(sandbox.take_events().is_empty());
}

#[test]
fn a_renamed_watched_folder_is_followed() {
    let mut sandbox = start(watching());
    sandbox.take_events();
    run(
        &mut sandbox,
        "mv game old; mkdir game; echo forged > game/fen.txt; /bin/true; rm -r game; mv old game; echo more >> game/fen.txt",
    );
    let events = sandbox.take_events();
    let seen = versions(&events, "/env/game/fen.txt");
    assert_eq!(seen.first().map(String::as_str), Some("forged\n"));
    assert_eq!(seen.last().map(String::as_str), Some("board one\nmore\n"));
    let kinds = kinds(events);
    assert!(changes(&kinds, "/env/game").contains(&FileChange::MovedFrom));
    assert!(changes(&kinds, "/env/old").contains(&FileChange::MovedTo));
    assert!(changes(&kinds, "/env/game/fen.txt").contains(&FileChange::Modified));
}

#[test]
fn files_in_new_folders_are_seen_however_deep() {
    let mut sandbox = start(watching());
    let (_, events) = observe(&mut sandbox, "mkdir -p a/b/c/d; echo x > a/b/c/d/file");
    assert!(changes(&events, "/env/a/b/c/d/file").contains(&FileChange::Created), "{events:?}");
    let created = changes(&events, "/env/a/b").len();
    assert_eq!(created, 1, "a folder that is found twice is told once");
}

#[test]
fn a_file_swapped_for_a_link_shows_as_one() {
    let mut sandbox = start(watching());
    sandbox.take_events();
    run(&mut sandbox, "cp game/fen.txt /tmp/fen; rm game/fen.txt; ln -s /tmp/fen game/fen.txt");
    let states: Vec<FileState> = kinds(sandbox.take_events())
        .into_iter()
        .filter_map(|event| match event {
            EventKind::Version { path, state } if path == "/env/game/fen.txt" => Some(state),
            _ => None,
        })
        .collect();
    let link = FileState::Link { target: "/tmp/fen".to_owned() };
    assert_eq!(states.last(), Some(&link));
}

#[test]
fn a_file_whose_owner_took_away_all_rights_is_hashed_all_the_same() {
    let mut sandbox = start(watching());
    let script =
        "cp /bin/true t; chmod 111 t; ./t; mkdir shut; echo inside > shut/file; chmod 0 shut";
    let (_, events) = observe(&mut sandbox, script);
    let hashed = execs(&events)
        .into_iter()
        .filter_map(|exec| exec.file.as_ref())
        .any(|file| file.path == "/env/t" && file.sha256.is_some());
    assert!(hashed, "{events:?}");
    let manifest = sandbox.manifest().expect("a manifest");
    // Root looks into a shut folder; an ordinary user sees that something is there.
    let inside = &manifest["/env/shut/file"];
    assert!(
        matches!(inside, FileState::File { size_bytes: 7, .. } | FileState::Special),
        "{inside:?}"
    );
    assert_eq!(sandbox.read("/env/t", 4).expect("readable").expect("there"), b"\x7fELF");
}

#[test]
fn the_manifest_names_every_path_and_its_state() {
    let mut sandbox = start(watching());
    run(&mut sandbox, "ln -s x link; mkfifo pipe; printf abc > /tmp/file; chmod 640 /tmp/file");
    let manifest = sandbox.manifest().expect("a manifest");
    assert_eq!(manifest["/env/link"], FileState::Link { target: "x".to_owned() });
    assert_eq!(manifest["/env/pipe"], FileState::Special);
    assert!(matches!(manifest["/env/game"], FileState::Folder { mode: 0o755 }));
    let FileState::File { sha256, size_bytes: 3, mode: 0o640 } = &manifest["/tmp/file"] else {
        panic!("{:?}", manifest["/tmp/file"]);
    };
    assert!(sha256.starts_with("ba7816bf"));
}

#[test]
fn signals_and_priorities_of_others_are_recorded_with_their_target() {
    let mut sandbox = start(armed());
    let (_, events) = observe(
        &mut sandbox,
        "sh -c \"trap '' TERM; exec sleep 100\" & sleep 0.3; ./attack signal $!; kill -9 $!; wait",
    );
    let seen: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            EventKind::Process { call, target_program, argument, allowed, .. } => {
                Some((call.as_str(), target_program.as_deref(), *argument, *allowed))
            }
            _ => None,
        })
        .collect();
    let sleep = Some("/usr/bin/sleep");
    assert_eq!(seen[0], ("kill", sleep, 15, true));
    let calls: Vec<&str> = seen.iter().map(|each| each.0).collect();
    assert_eq!(calls, ["kill", "setpriority", "prlimit64", "sched_setaffinity", "kill"]);
}

#[test]
fn a_kill_that_comes_too_late_still_names_its_target() {
    let mut sandbox = start(policy());
    let (outcome, events) =
        observe(&mut sandbox, "true & gone=$!; wait; echo $gone; kill -9 $gone; true");
    let gone: u32 = out(&outcome).trim().parse().expect("a process number");
    let targets: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            EventKind::Process { call, target, target_program, .. } if call == "kill" => {
                Some((*target, target_program.clone()))
            }
            _ => None,
        })
        .collect();
    assert_eq!(targets, [(Some(gone), None)]);
}

#[test]
fn a_kill_of_a_group_lists_its_members() {
    let mut sandbox = start(policy());
    let (_, events) = observe(
        &mut sandbox,
        "sleep 100 & sleep 100 & sleep 0.1; trap '' TERM; kill -TERM 0; wait",
    );
    let targets = events
        .iter()
        .filter(|event| {
            matches!(event, EventKind::Process { call, target_program: Some(program), .. }
                if call == "kill" && program == "/usr/bin/sleep")
        })
        .count();
    assert_eq!(targets, 2, "{events:?}");
}

#[test]
fn eight_sandboxes_at_once_miss_nothing() {
    const N_SANDBOXES: usize = 8;
    const N_EXECS: usize = 60;
    let threads: Vec<_> = (0..N_SANDBOXES)
        .map(|_| {
            std::thread::spawn(|| {
                let mut sandbox = start(watching());
                sandbox.take_events();
                let script = format!(
                    "i=0; while [ $i -lt {N_EXECS} ]; do echo $i > game/fen.txt; /bin/true $i; i=$((i+1)); done"
                );
                run(&mut sandbox, &script);
                sandbox.take_events()
            })
        })
        .collect();
    for thread in threads {
        let events = thread.join().expect("no panic");
        let expected: Vec<String> = (0..N_EXECS).map(|at| format!("{at}\n")).collect();
        assert_eq!(versions(&events, "/env/game/fen.txt"), expected);
        let kinds = kinds(events);
        let n_execs = execs(&kinds).iter().filter(|exec| exec.path == "/bin/true").count();
        assert_eq!(n_execs, N_EXECS);
        assert!(!kinds.iter().any(|event| matches!(event, EventKind::WatchLost)));
    }
}
