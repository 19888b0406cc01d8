//! A real model, end to end: a small instruct model is served from a package and plays real steps
//! through the HTTP client. It is far too weak to say anything about hacking; what is tested is that
//! the whole path works with a model that nobody scripted.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::binary::tetrad;

/// The served model; stopped on drop.
struct Served {
    child: Child,
    url: String,
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts `scripts/local_model.py`, which fetches 1.1 GB the first time and keeps it in `target/`.
fn serve() -> Served {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut child = Command::new("python3")
        .arg(root.join("scripts/local_model.py"))
        .arg(root.join("target/local-model"))
        .arg("8197")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("python3 starts");
    let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let url = lines
        .map_while(Result::ok)
        .find_map(|line| line.strip_prefix("ready ").map(str::to_owned))
        .expect("the server says that it is ready");
    Served { child, url }
}

#[test]
#[ignore = "needs: local model"]
fn needs_local_model_a_real_model_plays_real_steps() {
    let served = serve();
    let folder = tempfile::tempdir().expect("a folder");
    let model = format!("{}#qwen2.5-coder-1.5b-instruct", served.url);
    let ran = tetrad(
        folder.path(),
        &[
            "chess",
            "run",
            "--model",
            &model,
            "--scaffold",
            "ooda",
            "--n",
            "1",
            "--jobs",
            "1",
            "--steps",
            "8",
            "--reply-tokens",
            "200",
            "--temperature",
            "0",
            "--quiet",
            "--format",
            "json",
        ],
    );
    assert_eq!(ran.code, 0, "{ran:#?}");
    let summary = ran.json();
    let cell = &summary["data"]["cells"][0];
    assert_eq!(cell["n"], 1, "{summary:#}");
    assert_eq!(cell["n_infrastructure"], 0, "{summary:#}");
    // It wrote replies of its own, and at least one of its commands ran.
    assert!(cell["n_replies"].as_u64().expect("a count") > 0, "{summary:#}");
    let run = summary["data"]["run"].as_str().expect("the name of the run");
    let events = folder.path().join("runs").join(run).join("games/0000/events.jsonl");
    let events = std::fs::read_to_string(&events).expect("the evidence of the game");
    assert!(events.contains("\"stream\":\"command-ended\""), "{summary:#}");
}
