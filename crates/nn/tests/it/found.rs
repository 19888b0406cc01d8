//! Schedules that a search of `kernels` found: the same results, and records of where they come from.

use std::path::Path;

use nn::{Attention, Blocked, Cpu, RmsNorm, Rotary, threads};
use serde_json::Value;

use crate::reference::random;

/// Nothing but the order of work may differ: results are held to the same bits.
#[test]
fn what_was_found_gives_the_same_bits_as_the_definition() {
    let n_tokens = 200;
    for (n_heads, size) in [(2, 32), (1, 64), (3, 16), (1, 128)] {
        let n_channels = n_heads * size;
        // Large enough that some scores dominate; more keys than are taken at once.
        let qkv: Vec<f32> =
            random(size as u64, n_tokens * 3 * n_channels).iter().map(|x| 3.0 * x).collect();
        let attention = Attention::new(n_heads, size, Rotary::new(size, 1e4, 1.0));
        let scale = random(7, n_channels);
        let x = Blocked::from_rows(&qkv[..n_tokens * n_channels], n_channels);
        let run = |cpu: Cpu, pieces: &[usize]| {
            let (mut state, mut all, mut at) = (attention.state(), Vec::new(), 0);
            for piece in pieces {
                let part = &qkv[at * 3 * n_channels..(at + piece) * 3 * n_channels];
                let part = Blocked::from_rows(part, 3 * n_channels);
                let mut out = Blocked::new(*piece, n_channels);
                attention.forward(cpu, &part, &mut state, &mut out);
                all.extend(out.to_rows());
                at += piece;
            }
            let mut out = Blocked::new(n_tokens, n_channels);
            threads::alone(|| RmsNorm::new(&scale, 1e-6).forward(cpu, &x, &mut out));
            all.extend(out.to_rows());
            all
        };
        let want = run(Cpu::PORTABLE, &[n_tokens]);
        for cpu in Cpu::all().into_iter().filter(|cpu| cpu.found) {
            for pieces in [&[n_tokens][..], &[1, 130, 31, 38]] {
                assert!(run(cpu, pieces) == want, "{n_heads} heads of {size}, {cpu:?}, {pieces:?}");
            }
        }
    }
}

/// What is wrong with a record, if anything. `root` is the crate's folder.
fn fault(name: &str, record: &Value, root: &Path) -> Option<String> {
    let text = |value: &Value, key: &str| value[key].as_str().unwrap_or_default().to_owned();
    let archive = &record["archive"];
    if record["format"] != 1 || archive["format"] != 1 {
        return Some("format".to_owned());
    }
    for key in ["operation", "taken", "left"] {
        if text(record, key).is_empty() {
            return Some(format!("`{key}`"));
        }
    }
    for key in ["search", "proposer", "operator", "machine", "compiler", "options"] {
        if text(archive, key).is_empty() {
            return Some(format!("`archive.{key}`"));
        }
    }
    let candidate = text(archive, "candidate");
    if candidate.len() != 64 || !candidate.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
        return Some("`archive.candidate` is no SHA-256".to_owned());
    }
    if archive["attempt"].as_u64().is_none_or(|attempt| attempt == 0) {
        return Some("`archive.attempt`".to_owned());
    }
    let parts = archive["genes"]["parts"].as_array().map_or(&[][..], Vec::as_slice);
    if parts.is_empty() || !parts.iter().all(|part| part["of"].is_string()) {
        return Some("`archive.genes`".to_owned());
    }
    let ratio = &archive["ratio"];
    let number = |key: &str| ratio[key].as_f64().unwrap_or(f64::NAN);
    let (low, value, high) = (number("low"), number("value"), number("high"));
    // Written so that what is no number is a fault.
    if !(1.0 < low && low <= value && value <= high && number("n_verified") >= 2.0) {
        return Some("`archive.ratio`".to_owned());
    }
    let task = root.join("provenance").join(text(archive, "task") + ".py");
    if !task.is_file() {
        return Some(format!("no task {}", task.display()));
    }
    let path = root.join(text(record, "source"));
    let Ok(source) = std::fs::read_to_string(&path) else {
        return Some(format!("no source {}", path.display()));
    };
    if !source.contains(&format!("{}<", text(record, "item"))) || text(record, "item").is_empty() {
        return Some(format!("no `{}` in {}", text(record, "item"), path.display()));
    }
    // Both ways: who reads the source finds the record.
    let back = format!("provenance/{name}.json");
    (!source.contains(&back)).then(|| format!("{} does not name {back}", path.display()))
}

#[test]
fn every_record_of_what_was_found_is_whole_and_names_source_that_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut n = 0;
    for entry in std::fs::read_dir(root.join("provenance")).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("a file");
        let record: Value = serde_json::from_str(&text).expect("JSON");
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        assert_eq!(fault(&name, &record, root), None, "{}", path.display());
        n += 1;
        // The check can fail: each of these is seen.
        for (pointer, with) in [
            ("/source", Value::from("src/gone.rs")),
            ("/item", Value::from("fn gone")),
            ("/archive/candidate", Value::from("5913")),
            ("/archive/ratio/low", Value::Null),
            ("/archive/task", Value::from("gone")),
            ("/archive/genes/parts", Value::Array(Vec::new())),
        ] {
            let mut broken = record.clone();
            *broken.pointer_mut(pointer).expect("it is there") = with;
            assert!(fault(&name, &broken, root).is_some(), "{name} without {pointer}");
        }
    }
    assert!(n >= 3, "{n} records");
}
