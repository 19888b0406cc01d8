//! What a user types and gets: answers, one-line errors with a hint, exit codes.

use std::io::Write;
use std::path::Path;

use crate::binary::{Ran, command, tetrad};

/// One game against the embedded engine, in a store of its own.
fn one_game(folder: &Path, model: &str) -> Ran {
    let game =
        "--n 1 --engine embedded --nodes 300 --language sh --seed 3 --retries 0 --format json";
    let mut arguments = vec!["chess", "run", "--model", model];
    arguments.extend(game.split(' '));
    tetrad(folder, &arguments)
}

#[test]
fn help_ends_with_the_exit_codes() {
    let folder = tempfile::tempdir().expect("a folder");
    let ran = tetrad(folder.path(), &["--help"]);
    assert_eq!(ran.code, 0);
    let table = ran.stdout.split("Exit codes:").nth(1).expect("a table");
    let lines: Vec<&str> = table.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    insta::assert_snapshot!(lines.join("\n"), @"
    0  did what was asked
    1  worked, and the answer is no (mismatch, failed gate)
    2  bad flag, config or input file
    3  this machine lacks a protection, program, model or network
    4  finished with gaps: some samples failed
    130  stopped by the user; the same command resumes
    ");
}

#[test]
fn bad_input_is_one_line_with_a_hint_and_its_exit_code() {
    let folder = tempfile::tempdir().expect("a folder");
    let script = folder.path().join("script.toml");
    std::fs::write(&script, "replies = 7").expect("writable");
    let script = format!("scripted:{}", script.display());
    let play = ["chess", "run", "--engine", "embedded", "--n", "1", "--model"];
    let notes = [&play[..], &["player:notes"]].concat();
    let with = |more: &[&'static str]| [&notes[..], more].concat();
    let cases: Vec<(Vec<&str>, i32, &str)> = vec![
        ([&play[..], &["nobody"]].concat(), 2, "`nobody`"),
        ([&play[..], &["player:nobody"]].concat(), 2, "no such player"),
        ([&play[..], &["scripted:/no/such/file"]].concat(), 2, "No such file"),
        ([&play[..], &[script.as_str()]].concat(), 2, "invalid type"),
        ([&play[..], &["openai:x"]].concat(), 2, "OPENAI_API_KEY"),
        (with(&["--variant", "nope"]), 2, "no variant `nope`"),
        (with(&["--variant", "/no/such.toml"]), 2, "/no/such.toml"),
        (with(&["--game-secs", "0"]), 2, "at least 1"),
        (with(&["--engine-option", "Skill"]), 2, "no `=`"),
        (with(&["--budget-usd=-1"]), 2, "budget-usd"),
        (with(&["--original-traps", "--profile", "brokered"]), 2, "faithful"),
        (with(&["--prices", "/no/such.toml"]), 2, "/no/such.toml"),
        (vec!["chess", "report", "nothing"], 2, "nothing"),
        (vec!["runs", "show", "nothing"], 2, "nothing"),
        (vec!["report", "nothing"], 2, "nothing"),
    ];
    for (arguments, code, says) in cases {
        let output = command(folder.path(), &arguments)
            .env_remove("OPENAI_API_KEY")
            .output()
            .expect("the binary starts");
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {stderr}");
        let error = stderr.lines().next().unwrap_or_default();
        assert!(error.starts_with("tetrad: ") && error.contains(says), "{arguments:?}: {stderr}");
        assert!(output.stdout.is_empty(), "nothing that looks like an answer");
    }
    let ran = tetrad(folder.path(), &["chess", "run", "--modle", "x"]);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("--model"), "clap suggests the flag: {}", ran.stderr);
}

#[test]
fn a_damaged_run_is_named_and_spoils_no_other() {
    let folder = tempfile::tempdir().expect("a folder");
    assert_eq!(one_game(folder.path(), "player:notes").code, 0);
    let damaged = folder.path().join("runs/2026-01-01-chess-run-aaaaaa");
    std::fs::create_dir_all(&damaged).expect("writable");
    std::fs::write(damaged.join("manifest.toml"), "format_version = \"x").expect("writable");
    let list = tetrad(folder.path(), &["runs", "list"]);
    assert_eq!(list.code, 0, "{list:#?}");
    assert!(list.stdout.contains("done") && list.stdout.contains("unreadable"), "{}", list.stdout);
    let show = tetrad(folder.path(), &["runs", "show", "2026-01-01"]);
    assert_ne!(show.code, 0);
    assert!(show.stderr.contains("aaaaaa"), "{}", show.stderr);
}

#[test]
fn one_stored_game_can_be_read_in_every_way() {
    let folder = tempfile::tempdir().expect("a folder");
    let summary = one_game(folder.path(), "player:echo-overwrite").json();
    assert_eq!(summary["schema"], "tetrad.chess.run");
    let run = summary["data"]["run"].as_str().expect("an id").to_owned();
    let path = folder.path().join("runs").join(&run);
    let is_page = |path: &Path| {
        let page = std::fs::read_to_string(path).expect("a page");
        let outside = ["src=\"http", "href=\"http", "@import", "url(http"];
        page.starts_with("<!doctype html>") && !outside.iter().any(|text| page.contains(text))
    };
    assert!(is_page(&path.join("report.html")) && is_page(&path.join("games/0000/replay.html")));
    let report = tetrad(folder.path(), &["chess", "report", &run]);
    assert!(report.stdout.contains("board-overwritten 1"), "{}", report.stdout);
    let rejudged = tetrad(folder.path(), &["chess", "rejudge", &run]);
    assert_eq!(rejudged.code, 0, "the same rules say the same: {rejudged:#?}");
    let pgn = tetrad(folder.path(), &["chess", "export", &run, "--as", "pgn"]).stdout;
    assert!(pgn.contains("[White \"") && pgn.contains("tampered"), "{pgn}");
    let inspect = tetrad(folder.path(), &["chess", "export", &run, "--as", "inspect"]).json();
    assert_eq!(inspect["eval"]["model"], "player:echo-overwrite", "{inspect:#}");
    let to = folder.path().join("one.html");
    let to = to.to_str().expect("a path");
    assert_eq!(tetrad(folder.path(), &["chess", "replay", &run, "0", "--to", to]).code, 0);
    assert!(is_page(Path::new(to)));
    let missing = tetrad(folder.path(), &["chess", "replay", &run, "7"]);
    assert!(missing.code == 2 && missing.stderr.contains("numbered from 0"), "{missing:#?}");
    let compared = tetrad(folder.path(), &["runs", "compare", &run, &run]);
    assert_eq!(compared.code, 0, "{compared:#?}");
}

#[test]
fn a_model_over_http_plays_like_one_in_process() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut served = command(folder.path(), &["serve-scripted", "player:takeback"])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let mut line = String::new();
    let mut stdout = std::io::BufReader::new(served.stdout.take().expect("a pipe"));
    std::io::BufRead::read_line(&mut stdout, &mut line).expect("a line");
    let model = format!("{}#twin", line.trim());
    let ran = one_game(folder.path(), &model);
    served.kill().expect("ours");
    served.wait().expect("ours");
    assert_eq!(ran.code, 0, "{ran:#?}");
    let cell = &ran.json()["data"]["cells"][0];
    assert_eq!(cell["succeeded"]["hits"], 1, "{cell:#}");
    assert_eq!(cell["classes"]["board-overwritten"], 1, "{cell:#}");
}

#[test]
fn an_endpoint_that_is_not_there_is_infrastructure_and_not_a_result() {
    let folder = tempfile::tempdir().expect("a folder");
    // A port that was free a moment ago: nobody listens.
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .expect("a port")
        .port();
    let model = format!("http://127.0.0.1:{port}/v1#nobody");
    let ran = one_game(folder.path(), &model);
    assert_eq!(ran.code, 4, "{ran:#?}");
    let answer = ran.json();
    let cell = &answer["data"]["cells"][0];
    assert_eq!(
        (cell["n_infrastructure"].as_u64(), cell["hacked"]["n"].as_u64()),
        (Some(1), Some(0))
    );
}

#[test]
fn the_embedded_engine_survives_malformed_uci() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut child = command(folder.path(), &["uci-engine"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin
        .write_all(
            b"uci\n\xff\xfe\nposition fen 8/8/8 w\nposition fen k7/8/8/8/8/8/8/7K w - - 99999999999 1\n\
              position startpos moves e2e9 zz\ngo nodes -5\ngo depth x\nd\nisready\n\
              position startpos\ngo nodes 200\nquit\n",
        )
        .expect("a pipe");
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success());
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("readyok") && text.contains("bestmove "), "{text}");
}
