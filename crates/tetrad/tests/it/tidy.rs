//! The tree follows its own rules: floors, the code map, file sizes, where `unsafe` may live.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Longest file allowed, in lines. Review starts at 400.
const LONGEST_FILE_LINES: usize = 800;

/// What each crate of ours may depend on. A crate missing here fails the test.
const FLOORS: [(&str, &[&str]); 9] = [
    ("runs", &[]),
    ("sandbox", &[]),
    ("nn", &[]),
    ("llm", &["nn"]),
    ("chess", &["llm", "sandbox", "runs"]),
    ("genome", &["nn", "llm", "sandbox", "runs"]),
    ("kernels", &["nn", "llm", "sandbox", "runs"]),
    ("robot", &["nn", "llm", "sandbox", "runs"]),
    ("tetrad", &["runs", "sandbox", "nn", "llm", "chess", "genome", "kernels", "robot"]),
];

/// Crates from outside that only the crates named beside them may name.
const RESERVED: [(&str, &[&str]); 9] = [
    ("reqwest", &["llm"]),
    ("tokio", &["llm"]),
    ("clap", &["tetrad"]),
    ("anyhow", &["tetrad"]),
    ("candle-core", &["nn"]),
    ("candle-nn", &["nn"]),
    ("candle-transformers", &["nn"]),
    ("tokenizers", &["nn"]),
    ("safetensors", &["nn", "kernels"]),
];

/// Where `unsafe` may be: the kernel's interface, vector instructions, mapped files and memory,
/// threads, libraries found at run time.
const UNSAFE_FOLDERS: [&str; 8] = [
    "crates/sandbox/src/linux/",
    "crates/nn/src/simd/",
    "crates/nn/src/weights/map.rs",
    "crates/nn/src/products/pages.rs",
    "crates/nn/src/threads/pool.rs",
    "crates/kernels/src/oracle/gemm.rs",
    "crates/kernels/src/cuda/library.rs",
    "crates/robot/src/linux/",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .expect("the workspace exists")
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{error}: {}", path.display()))
}

/// Every file below `folder` whose name ends in `ending`, sorted, without build outputs.
fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_path_buf()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).expect("a readable folder").flatten() {
            let path = entry.path();
            let name = entry.file_name().to_string_lossy().into_owned();
            if path.is_dir() && name != "target" && !name.starts_with('.') {
                open.push(path);
            } else if name.ends_with(ending) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn relative(path: &Path) -> String {
    path.strip_prefix(root()).expect("below the root").to_string_lossy().into_owned()
}

fn crates() -> BTreeSet<String> {
    let folder = root().join("crates");
    let entries = std::fs::read_dir(folder).expect("the crates folder").flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

/// Names in the dependency tables of a manifest (`dependencies` and `build-dependencies`).
fn dependencies(manifest: &Path) -> BTreeSet<String> {
    let table: toml::Table = read(manifest).parse().expect("a valid manifest");
    ["dependencies", "build-dependencies"]
        .iter()
        .filter_map(|key| table.get(*key)?.as_table())
        .flat_map(|table| table.keys().cloned())
        .collect()
}

#[test]
fn dependencies_only_go_down_a_floor() {
    let floors: BTreeMap<&str, &[&str]> = FLOORS.into();
    let ours = crates();
    assert_eq!(ours, floors.keys().map(ToString::to_string).collect(), "floors name every crate");
    for (name, allowed) in floors {
        for dependency in dependencies(&root().join("crates").join(name).join("Cargo.toml")) {
            if ours.contains(&dependency) {
                assert!(
                    allowed.contains(&dependency.as_str()),
                    "`{name}` depends on `{dependency}`"
                );
            }
            for (reserved, owners) in RESERVED {
                let wrong = dependency == reserved && !owners.contains(&name);
                assert!(!wrong, "`{name}` names `{reserved}`, which belongs to {owners:?}");
            }
        }
    }
}

#[test]
fn the_code_map_names_every_source_file_and_no_other() {
    let map = read(&root().join("ARCHITECTURE.md"));
    // A path in the map is a table cell or list item that starts with `crates/…` in backticks.
    let named: BTreeSet<String> = map
        .split('`')
        .filter(|text| text.starts_with("crates/") && !text.contains([' ', '*', '\n']))
        .map(|text| text.trim_end_matches('/').to_owned())
        .collect();
    for path in &named {
        assert!(root().join(path).exists(), "ARCHITECTURE.md names `{path}`, which is not there");
    }
    for name in crates() {
        for path in files(&root().join("crates").join(&name).join("src"), ".rs") {
            let path = relative(&path);
            let covered = named.contains(&path)
                || Path::new(&path).ancestors().skip(1).any(|folder| {
                    let folder = folder.to_string_lossy();
                    // A folder covers its files only when it is a module, not a whole crate.
                    !folder.ends_with("/src")
                        && named.contains(folder.as_ref())
                        && folder.matches('/').count() > 2
                });
            assert!(covered, "ARCHITECTURE.md does not place `{path}`");
        }
    }
}

#[test]
fn every_file_opens_with_its_purpose_and_stays_readable() {
    for path in files(&root().join("crates"), ".rs") {
        let text = read(&path);
        let name = relative(&path);
        let opening = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
        assert!(opening.starts_with("//!"), "`{name}` has no module doc");
        let n_lines = text.lines().count();
        assert!(n_lines <= LONGEST_FILE_LINES, "`{name}` has {n_lines} lines");
    }
}

#[test]
fn unsafe_code_lives_in_named_folders_only() {
    for path in files(&root().join("crates"), ".rs") {
        let name = relative(&path);
        if name.ends_with("tests/it/tidy.rs")
            || UNSAFE_FOLDERS.iter().any(|at| name.starts_with(at))
        {
            continue;
        }
        let opens = ["unsafe {", "unsafe fn", "unsafe impl", "allow(unsafe", "expect(unsafe"];
        for (idx, line) in read(&path).lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            assert!(
                !opens.iter().any(|open| code.contains(open)),
                "`{name}`:{} opens unsafe",
                idx + 1
            );
        }
    }
}

#[test]
fn nothing_names_a_machine_path() {
    let machine = ["/wor".to_owned() + "k/", "/far".to_owned() + "m/", "/roo".to_owned() + "t/."];
    for ending in [".rs", ".md", ".toml", ".py", ".sh", ".json"] {
        for path in files(&root(), ending) {
            let text = read(&path);
            for path_of_machine in &machine {
                let found = text.contains(path_of_machine.as_str());
                assert!(!found, "`{}` names `{path_of_machine}`", relative(&path));
            }
        }
    }
}

#[test]
fn ignored_tests_say_what_they_need() {
    for path in files(&root().join("crates"), ".rs") {
        let bare = "#[igno".to_owned() + "re]";
        assert!(!read(&path).contains(&bare), "`{}` ignores without a reason", relative(&path));
    }
}
