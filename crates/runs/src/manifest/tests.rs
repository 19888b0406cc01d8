//! Manifests of other versions, and text that people read.

use super::*;

fn manifest() -> Manifest {
    Manifest {
        format_version: FormatVersion::CURRENT,
        id: "2026-01-02-chess-run-0a1b2c".into(),
        noun: "chess".into(),
        verb: "run".into(),
        status: Status::Started,
        seed: 7,
        settings_digest: "ab".repeat(32),
        tetrad_version: "0.1.0".into(),
        created: "2026-01-02T03:04:05.000000000Z".into(),
        updated: "2026-01-02T03:04:05.000000000Z".into(),
        finished: None,
        resumed: Vec::new(),
        source: Some(Source { revision: "abc".into(), dirty: true }),
        host: Host {
            os: "Debian".into(),
            kernel: "6".into(),
            arch: "x86_64".into(),
            cpu: "CPU".into(),
            n_cores: 2,
            memory_bytes: 1024,
        },
        settings: settings::to_toml(&serde_json::json!({ "n": 3, "cells": [{ "model": "m" }] }))
            .unwrap(),
        unknown: toml::Table::new(),
    }
}

#[test]
fn what_is_written_is_what_is_read() {
    let mut manifest = manifest();
    for seed in [0, 7, i64::MAX as u64, u64::MAX] {
        manifest.seed = seed;
        assert_eq!(Manifest::parse(&manifest.render().unwrap()).unwrap(), manifest);
    }
}

#[test]
fn a_newer_minor_version_is_read_and_its_fields_outlive_our_writing() {
    let text = manifest().render().unwrap().replace("\"1.0\"", "\"1.9\"");
    let text = format!("mood = \"good\"\n{text}\n[later]\nx = 1\n");
    let read = Manifest::parse(&text).unwrap();
    assert_eq!(read.format_version, FormatVersion { major: 1, minor: 9 });
    let again = Manifest::parse(&read.render().unwrap()).unwrap();
    assert_eq!(again.unknown["mood"].as_str(), Some("good"));
    assert_eq!(again.unknown["later"]["x"].as_integer(), Some(1));
    assert_eq!(again, read);
}

#[test]
fn a_newer_major_version_is_called_newer_even_when_nothing_else_fits() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(NAME), "format_version = \"2.0\"\nnothing = \"else\"\n")
        .unwrap();
    let error = Manifest::load(folder.path()).unwrap_err();
    assert!(matches!(
        error,
        Error::NewerFormat { found: FormatVersion { major: 2, minor: 0 }, .. }
    ));
    assert!(
        error.to_string().ends_with("its format is version 2.0, and this tetrad reads up to 1.x"),
        "{error}"
    );
}

#[test]
fn what_is_not_a_manifest_is_refused_with_a_reason() {
    for text in ["", "format_version = \"1\"", "format_version = \"1.0\"\nid = 3", "\0\0"] {
        assert!(matches!(Manifest::parse(text), Err(Problem::Broken(_))), "{text:?}");
    }
}

#[test]
fn settings_come_back_as_their_type_or_not_at_all() {
    #[derive(Debug, PartialEq, serde::Deserialize)]
    struct Settings {
        n: u32,
        missing: Option<String>,
    }
    assert_eq!(manifest().settings::<Settings>().unwrap(), Settings { n: 3, missing: None });
    assert!(manifest().settings::<Vec<u8>>().unwrap_err().to_string().contains("do not fit"));
}
