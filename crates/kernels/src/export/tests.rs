//! Exported files, compiled and run.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::*;
use crate::Space;
use crate::search::twin::Twin;
use crate::search::{self, Budget, Deps, NoProgress, SearchConfig, Shape, Strategy};

/// A small search of the twin in a folder of its own.
fn searched() -> (tempfile::TempDir, Archive, Twin, AttemptId) {
    let folder = tempfile::tempdir().unwrap();
    let archive = Archive::open(&folder.path().join("a.sqlite")).unwrap();
    let twin = Twin::new("hill");
    let task = twin.task();
    let deps = Deps {
        archive: &archive,
        task: &task,
        space: &twin,
        evaluator: Arc::new(twin.clone()),
        models: Vec::new(),
        cancel: &AtomicBool::new(false),
        relay: None,
    };
    let config = SearchConfig {
        task: task.name.clone(),
        strategy: Strategy::Evolve,
        seed: 1,
        shape: Shape { n_islands: 2, migrate_every: 10, recheck_every: 20 },
        proposers: vec!["builtin".to_owned()],
        budget: Budget { evaluations: 12, secs: None, tokens: None, usd: None },
        jobs: 1,
    };
    let summary = search::run(&config, "k", &deps, &NoProgress).unwrap();
    let best = summary.best.unwrap().attempt;
    drop(deps);
    (folder, archive, twin, best)
}

#[test]
fn a_winner_is_exported_with_its_provenance_and_passes_its_test() {
    let (folder, archive, twin, best) = searched();
    let exported = export(&archive, best, &twin.task(), &twin.emit(&twin.base())).unwrap();
    for (name, text) in &exported.files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let kernel = &exported.files[0].1;
    for part in ["Kernel for `twin:hill`", "in 0: x float [1000]", &exported.candidate, "ratio"] {
        assert!(kernel.contains(part), "{part} is missing in {kernel}");
    }
    let compile = |kernel: &str| {
        std::fs::write(folder.path().join("kernel.c"), kernel).unwrap();
        let program = folder.path().join("test");
        let made = Command::new("cc")
            .args(["-O1", "-std=gnu17", "-w", "test.c", "-o"])
            .arg(&program)
            .arg("-lm")
            .current_dir(folder.path())
            .output()
            .expect("the C compiler that this crate is built with");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        Command::new(&program).output().unwrap()
    };
    // The twin's texts name their genes by an enum, which two of them in one program cannot share.
    let enums = |text: &str| text.replace("enum { fusion", "enum { g_fusion").replace(", ", ", g_");
    let renamed: String = kernel
        .lines()
        .map(|line| if line.starts_with("enum") { enums(line) } else { line.to_owned() } + "\n")
        .collect();
    let ran = compile(&renamed);
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stdout));
    let ran = compile(&renamed.replace("x[i] > 0 ?", "x[i] > 1 ?"));
    assert_eq!(ran.status.code(), Some(1), "the test notices a wrong kernel");
}

#[test]
fn what_is_not_verified_is_not_exported() {
    let (_folder, archive, twin, best) = searched();
    let base = twin.emit(&twin.base());
    let unverified = archive
        .attempts("k")
        .unwrap()
        .into_iter()
        .find(|attempt| archive.findings(attempt.id).unwrap().len() == 1)
        .expect("an attempt that was looked at once");
    let refused =
        |attempt, task: &Task| export(&archive, attempt, task, &base).unwrap_err().to_string();
    let error = refused(unverified.id, &twin.task());
    assert!(error.contains("not verified") || error.contains("turned away"), "{error}");
    assert!(refused(best, &Twin::new("other").task()).contains("no kernel for `twin:other`"));
    assert!(refused(9999, &twin.task()).contains("no attempt 9999"));
}

#[test]
fn a_header_line_cannot_leave_its_comment() {
    assert_eq!(commented("a\nint b; \\"), "// a int b;\n");
    assert_eq!(commented(""), "//\n");
}

#[test]
fn the_binding_checks_types_and_shapes() {
    let twin = Twin::new("hill");
    let binding = torch::binding(&twin.task());
    assert!(binding.contains("ready(given[0], at::kFloat, {1000})"));
    assert!(binding.contains("at::empty({1000}, at::kFloat)"));
    let loader = torch::loader(&twin.task(), &twin.emit(&twin.base()));
    assert!(loader.contains("name=\"tetrad_twin_hill\""));
}
