//! `tetrad kernels` as a user types it, on scripted landscapes.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::Stdio;

use crate::binary::{command, tetrad};

fn words(line: &str) -> Vec<&str> {
    line.split(' ').collect()
}

#[test]
fn a_search_is_shown_exported_and_reported() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let search = "kernels search twin:hill --evaluations 24 --strategy evolve --strategy best-of-n \
                  --searches 2 --format json --quiet";
    let ran = tetrad(folder, &words(search));
    assert_eq!(ran.code, 0, "{ran:#?}");
    let answer = ran.json();
    let searches = answer["data"]["searches"].as_array().expect("searches");
    assert_eq!(searches.len(), 4);
    for summary in searches {
        assert_eq!(summary["harness"], "scripted-twin");
        assert_eq!((&summary["n_evaluated"], &summary["end"]), (&24.into(), &"complete".into()));
    }
    let run = answer["data"]["run"].as_str().expect("a run");
    let ran = tetrad(folder, &["report", run]);
    assert_eq!(ran.code, 0, "{ran:#?}");
    let report = std::fs::read_to_string(ran.stdout.trim()).expect("a report");
    assert!(report.contains("Does learning from results pay?") && report.contains("twin:hill"));

    let listed = tetrad(folder, &["kernels", "show"]);
    assert_eq!(listed.stdout.lines().count(), 4, "{listed:#?}");
    let best = searches[0]["best"]["attempt"].to_string();
    let shown = tetrad(folder, &["kernels", "show", &best]);
    assert!(shown.stdout.contains("promotion: Verified") && shown.stdout.contains("tetrad_kernel"));
    let key = searches[0]["key"].as_str().expect("a key");
    let shown = tetrad(folder, &["kernels", "show", key, "--to", "page.html"]);
    assert_eq!(shown.code, 0, "{shown:#?}");
    assert!(folder.join("page.html").exists());

    let exported = tetrad(folder, &["kernels", "export", &best, "--to", "out"]);
    assert_eq!(exported.code, 0, "{exported:#?}");
    let kernel = std::fs::read_to_string(folder.join("out/kernel.c")).expect("a kernel");
    assert!(kernel.starts_with("// Kernel for `twin:hill`"));
    for name in ["base.c", "test.c", "binding.cpp", "load.py"] {
        assert!(folder.join("out").join(name).exists(), "{name}");
    }
}

#[test]
fn bad_input_is_one_line_and_a_usage_error() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    std::fs::write(folder.join("text.sqlite"), "no database ".repeat(99)).expect("writable");
    for (line, says) in [
        ("kernels search nothing", "unknown task `nothing`"),
        ("kernels search twin:a@x", "no count of milliseconds"),
        ("kernels search twin:a --islands 0", "1 to 64 islands"),
        ("kernels search twin:a --model nobody", "`nobody`"),
        ("kernels search twin:a --model openai:x", "OPENAI_API_KEY"),
        ("kernels search twin:a --model scripted:/no/such", "/no/such"),
        ("kernels search twin:a --secs=-1", "no amount"),
        ("kernels search twin:a --archive text.sqlite", "text.sqlite"),
        ("kernels show", "failed to find an archive"),
        ("kernels show 1 --archive text.sqlite", "text.sqlite"),
        ("kernels export 1 --to out", "failed to find an archive"),
        ("kernels serve", "failed to find an archive"),
        ("kernels worker --queue none.sqlite", "none.sqlite"),
    ] {
        let ran = tetrad(folder, &words(line));
        assert_eq!(ran.code, 2, "{line}: {ran:#?}");
        let first = ran.stderr.lines().next().unwrap_or_default();
        assert!(first.starts_with("tetrad: ") && first.contains(says), "{line}: {first}");
    }
}

#[test]
fn a_dry_run_says_what_it_could_cost_and_begins_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let line = "kernels search twin:a --model coder:twin --evaluations 10 --dry-run --format json";
    let ran = tetrad(folder.path(), &words(line));
    assert_eq!(ran.code, 0, "{ran:#?}");
    let estimate = &ran.json()["data"][0][1];
    assert_eq!((&estimate["n_requests"], &estimate["usd"]), (&10.into(), &0.0.into()));
    assert!(!folder.path().join("runs").exists());
}

#[test]
fn the_live_archive_is_served_for_reading() {
    let folder = tempfile::tempdir().expect("a folder");
    let ran = tetrad(folder.path(), &words("kernels search twin:hill --evaluations 8 --quiet"));
    assert_eq!(ran.code, 0, "{ran:#?}");
    let mut server = command(folder.path(), &["kernels", "serve"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the binary starts");
    let mut url = String::new();
    BufReader::new(server.stdout.take().expect("a pipe")).read_line(&mut url).expect("a URL");
    let address = url.trim().trim_start_matches("http://").trim_end_matches('/').to_owned();
    let ask = |request: &str| {
        let mut stream = std::net::TcpStream::connect(&address).expect("a server");
        stream.write_all(request.as_bytes()).expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        answer
    };
    let listed = ask(&format!("GET / HTTP/1.1\r\nHost: {address}\r\n\r\n"));
    assert!(listed.starts_with("HTTP/1.1 200") && listed.contains("twin:hill"), "{listed}");
    let shown = ask(&format!("GET /attempt/1 HTTP/1.1\r\nHost: {address}\r\n\r\n"));
    assert!(shown.contains("tetrad_kernel"));
    let refused = ask("GET / HTTP/1.1\r\nHost: elsewhere.example\r\n\r\n");
    assert!(refused.starts_with("HTTP/1.1 403"));
    assert!(ask(&format!("DELETE / HTTP/1.1\r\nHost: {address}\r\n\r\n")).contains("405"));
    server.kill().expect("a server to kill");
    server.wait().expect("a server to wait for");
}
