//! From demonstrations to a page, and what is refused on the way, from outside.

use std::path::{Path, PathBuf};

use robot::model::{Normalisation, Policy, PolicyConfig};
use robot::train::Recipe;

use crate::binary::tetrad;

const TASK: &str = "open-drawer";

/// A policy of a few steps on one demonstration.
fn policy(folder: &Path) -> PathBuf {
    let collected =
        tetrad(folder, &["robot", "collect", "--to", "demos", "--task", TASK, "--scenes", "1"]);
    assert_eq!(collected.code, 0, "{collected:?}");
    let recipe = Recipe { steps: 2, batch: 2, together: 2, ..Recipe::tiny() };
    let text = toml::to_string(&recipe).expect("plain data");
    std::fs::write(folder.join("recipe.toml"), text).expect("written");
    let trained = tetrad(
        folder,
        &["robot", "train", "--episodes", "demos", "--to", "policy", "--recipe", "recipe.toml"],
    );
    assert_eq!(trained.code, 0, "{trained:?}");
    folder.join("policy").join("policy.safetensors")
}

/// The pages that a JSON answer of `replay` names, all there and whole.
fn assert_pages(folder: &Path, run: &str, n_attempts: usize) {
    let replayed = tetrad(folder, &["robot", "replay", run, "--format", "json"]);
    assert_eq!(replayed.code, 0, "{replayed:?}");
    let pages = &replayed.json()["data"];
    let attempts = pages["attempts"].as_array().expect("pages");
    assert_eq!(attempts.len(), n_attempts);
    for path in attempts {
        let html = std::fs::read_to_string(path.as_str().expect("a path")).expect("a page");
        assert!(html.contains("data:image/png;base64,") && html.ends_with("</html>\n"));
        assert!(html.contains("Left wrist, m") && !html.contains("src=\"http"));
    }
    let report = pages["report"].as_str().expect("a path");
    assert!(std::fs::read_to_string(report).expect("a page").contains("attempt-0000.html"));
    // Only with its feature.
    let shown = tetrad(folder, &["robot", "replay", run, "--rerun", "seen.rrd"]);
    assert_eq!(shown.code, if cfg!(feature = "rerun") { 0 } else { 3 }, "{shown:?}");
    let args = ["robot", "run", "--seconds", "1", "--iceoryx2", "tetrad-test"];
    let carried = tetrad(folder, &args);
    if cfg!(feature = "iceoryx2") {
        assert!([0, 1].contains(&carried.code), "{carried:?}");
    } else {
        assert_eq!(carried.code, 3, "{carried:?}");
        assert!(carried.stderr.contains("--features iceoryx2"), "{carried:?}");
    }
}

#[test]
fn a_policy_is_trained_evaluated_run_and_looked_at_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let policy = policy(folder);
    let policy = policy.to_str().expect("text");
    let evaluated = tetrad(
        folder,
        &[
            "robot",
            "eval",
            "--policy",
            policy,
            "--task",
            TASK,
            "--attempts",
            "1",
            "--record",
            "1",
            "--act-every",
            "45",
            "--format",
            "json",
        ],
    );
    assert_eq!(evaluated.code, 0, "{evaluated:?}");
    let evaluated = evaluated.json();
    assert_eq!(evaluated["data"]["scores"][0]["rate"]["n"], 1);
    assert_pages(folder, evaluated["data"]["run"].as_str().expect("a run"), 1);
    let ran = tetrad(
        folder,
        &[
            "robot",
            "run",
            "--policy",
            policy,
            "--task",
            TASK,
            "--seconds",
            "1",
            "--simulated-time",
            "--format",
            "json",
        ],
    );
    assert_eq!(ran.code, 0, "{ran:?}");
    let ran = ran.json();
    let played = &ran["data"]["played"];
    assert_eq!((&played["time"], &played["seconds"]), (&"simulated".into(), &1.0.into()));
    assert_eq!(
        (&played["counts"][0]["n_ticks"], &played["counts"][0]["n_broken"]),
        (&200.into(), &0.into())
    );
    let run = ran["data"]["run"].as_str().expect("a run");
    assert_pages(folder, run, 1);
    // Its latents' ages are what a training can be given.
    let ages = ages_trained_with(folder, run);
    assert!(ages.len() > 1 && ages.iter().all(|(age, _)| (1..200).contains(age)), "{ages:?}");
    assert_eq!(ages_trained_with(folder, "125"), [(25, 1.0)]);
    let train = ["robot", "train", "--episodes", "demos", "--to", "x", "--latent-age", "soon"];
    assert_refused(folder, &train, "soon", "tetrad runs");
    // A record that was changed is refused, by name.
    let record = folder.join("runs").join(run).join("records").join("0000-0.record");
    let mut bytes = std::fs::read(&record).expect("a record");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&record, bytes).expect("written");
    assert_refused(folder, &["robot", "replay", run], "0000-0.record", "the other attempts");
    std::fs::remove_file(&record).expect("removed");
    assert_refused(folder, &["robot", "replay", run], "no attempts on record", "--record");
}

/// Tiny open models with drawn weights, and how the program is told of one.
fn backbone(model: &str) -> String {
    let all = Path::new(env!("CARGO_MANIFEST_DIR")).join("../nn/tests/data/backbones");
    all.join(model).to_str().expect("text").to_owned()
}

#[test]
fn a_policy_borrows_from_an_open_model_only_with_its_feature() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let siglip = backbone("siglip");
    let train = ["robot", "train", "--episodes", "demos", "--to", "borrows", "--recipe"];
    let train = [&train[..], &["recipe.toml", "--backbone", &siglip]].concat();
    let eval = ["robot", "eval", "--task", TASK, "--attempts", "1", "--act-every", "45"];
    let run = ["robot", "run", "--task", TASK, "--seconds", "1", "--simulated-time"];
    let ages = ["robot", "ages", "--task", TASK, "--attempts", "1", "--ages", "0"];
    let lent = ["--backbone", &siglip];
    if !cfg!(feature = "backbones") {
        let info = ["robot", "info", &siglip];
        let recipe = toml::to_string(&Recipe::tiny()).expect("plain data");
        std::fs::write(folder.join("recipe.toml"), recipe).expect("written");
        let lent = |args: &[&'static str]| [args, &lent].concat();
        for args in [&train[..], &lent(&eval), &lent(&run), &lent(&ages), &info] {
            let refused = tetrad(folder, args);
            assert_eq!(refused.code, 3, "{args:?}: {refused:?}");
            assert!(refused.stderr.contains("--features backbones"), "{refused:?}");
        }
        return;
    }
    policy(folder);
    let trained = tetrad(folder, &train);
    assert_eq!(trained.code, 0, "{trained:?}");
    let borrows = ["--policy", "borrows/policy.safetensors"];
    let collect = ["robot", "collect", "--task", TASK, "--scenes", "1", "--to", "mended"];
    for args in [&eval[..], &run[..], &ages[..], &collect[..]] {
        let args = &[args, &borrows[..]].concat();
        assert_refused(
            folder,
            args,
            "`siglip` of 32 features, and none is given",
            "--backbone DIR",
        );
        let done = tetrad(folder, &[&args[..], &lent].concat());
        assert_eq!(done.code, 0, "{done:?}");
        let clip = ["--backbone", &backbone("clip")];
        assert_refused(folder, &[&args[..], &clip].concat(), "a `clip` of 40", "--backbone DIR");
    }
    let plain = ["robot", "eval", "--attempts", "1", "--backbone", &siglip];
    assert_refused(folder, &plain, "was trained without one", "--backbone DIR");
    for (of, says) in
        [("borrows/policy.safetensors", "borrows 32 features"), (&siglip, "32 features")]
    {
        let said = tetrad(folder, &["robot", "info", of]);
        assert_eq!(said.code, 0, "{said:?}");
        assert!(said.stdout.contains(says), "{said:?}");
    }
    let texts = ["robot", "info", "demos"];
    assert_refused(folder, &texts, "config.json", "--backbone DIR");
}

/// Ages of the latent, in ticks with their weights, in the recipe of a policy that is trained with
/// `--latent-age`.
fn ages_trained_with(folder: &Path, asked: &str) -> Vec<(u32, f64)> {
    let to = format!("policy-{asked}");
    let trained = tetrad(
        folder,
        &[
            "robot",
            "train",
            "--episodes",
            "demos",
            "--to",
            &to,
            "--recipe",
            "recipe.toml",
            "--latent-age",
            asked,
        ],
    );
    assert_eq!(trained.code, 0, "{trained:?}");
    let policy = Policy::load(&folder.join(to).join("policy.safetensors")).expect("a policy");
    let recipe = policy.recipe.expect("what it was trained with");
    let recipe: serde_json::Value = serde_json::from_str(&recipe).expect("JSON");
    serde_json::from_value(recipe["ages"].clone()).expect("ages")
}

#[test]
fn what_comes_with_the_program_and_experts_open_a_drawer_at_any_age_of_the_latent() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let expert =
        ["robot", "eval", "--expert", "--task", TASK, "--attempts", "1", "--format", "json"];
    let evaluated = tetrad(folder, &expert);
    assert_eq!(evaluated.code, 0, "{evaluated:?}");
    assert_eq!(evaluated.json()["data"]["scores"][0]["rate"]["hits"], 1);
    let ages = ["robot", "ages", "--ages", "0,250", "--task", TASK, "--attempts", "1"];
    let ages = [&ages[..], &["--format", "json"]].concat();
    let measured = tetrad(folder, &ages);
    assert_eq!(measured.code, 0, "{measured:?}");
    let measured = measured.json();
    let all = measured["data"]["ages"].as_array().expect("a list");
    let rate = |of: &serde_json::Value| {
        let rate = &of["rate"];
        (of["millis"].as_u64(), rate["hits"].as_u64(), rate["n"].as_u64())
    };
    let want = [0, 250].map(|age| (Some(age), Some(1), Some(1)));
    assert_eq!(all.iter().map(rate).collect::<Vec<_>>(), want);
    let report = measured["data"]["report"].as_str().expect("a page");
    assert!(std::fs::read_to_string(report).expect("a page").contains("<svg"));
    // Asked once more, it finds all done.
    let again = tetrad(folder, &ages);
    assert_eq!(again.json()["data"]["ages"], measured["data"]["ages"]);
}

/// Exit code 2, one line with this in it, and a hint with that.
fn assert_refused(folder: &Path, arguments: &[&str], line: &str, hint: &str) {
    let refused = tetrad(folder, arguments);
    assert_eq!(refused.code, 2, "{refused:?}");
    let (first, rest) = refused.stderr.split_once('\n').expect("lines");
    assert!(first.starts_with("tetrad: ") && first.contains(line), "{refused:?}");
    assert!(rest.contains("hint: ") && rest.contains(hint), "{refused:?}");
}

#[test]
fn policies_and_runs_that_cannot_be_are_refused_before_anything_moves() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    assert_refused(
        folder,
        &["robot", "run", "--policy", "none.safetensors"],
        "none",
        "check the path",
    );
    std::fs::write(folder.join("text.safetensors"), "no weights").expect("written");
    let run = ["robot", "run", "--policy", "text.safetensors"];
    assert_refused(folder, &run, "text.safetensors", "robot info");
    let policy = folder.join("policy.safetensors");
    drawn(&policy, |_| ());
    let policy = policy.to_str().expect("text");
    let run = ["robot", "run", "--policy", policy, "--task", "dance"];
    assert_refused(folder, &run, "no task `dance`", "pick-place");
    let run = ["robot", "run", "--policy", policy, "--task", "pick-place", "--task", "handover"];
    assert_refused(folder, &run, "cannot take turns", "one robot");
    let part = ["robot", "part", "world", "plan.json"];
    assert_refused(folder, &part, "plan.json", "check the path");
    // For another body: never played, in whatever way.
    let other = folder.join("other.safetensors");
    drawn(&other, |config| config.cameras[0].width = 96);
    let other = other.to_str().expect("text");
    for command in ["run", "eval"] {
        let arguments = ["robot", command, "--policy", other];
        assert_refused(folder, &arguments, "head 96 x 96", "robot info");
    }
    assert!(!folder.join("runs").exists(), "what is refused leaves no run behind");
}

/// An untrained policy of the smallest shape, changed before it is drawn.
fn drawn(path: &Path, change: impl FnOnce(&mut PolicyConfig)) {
    let mut config = PolicyConfig::shipped("tiny").expect("shipped");
    change(&mut config);
    let normal = Normalisation::unit(&config);
    Policy::drawn(config, normal, 1).expect("a policy").save(path, false).expect("saved");
}

#[test]
#[ignore = "needs: some seconds of two processor cores"]
fn three_processes_play_by_the_clock_and_end_when_they_are_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let policy = folder.path().join("policy.safetensors");
    drawn(&policy, |_| ());
    let policy = policy.to_str().expect("text");
    let arguments =
        ["robot", "run", "--policy", policy, "--task", TASK, "--seconds", "3", "--format", "json"];
    let ran = tetrad(folder.path(), &arguments);
    assert_eq!(ran.code, 0, "{ran:?}");
    let ran = ran.json();
    let played = &ran["data"]["played"];
    assert_eq!((&played["orderly"], &played["n_replaced"]), (&true.into(), &0.into()));
    assert_eq!(played["counts"][0]["n_broken"], 0);
    assert!(played["robots"][0]["granted"].as_array().is_some_and(|granted| granted.len() == 1));
    assert_pages(folder.path(), ran["data"]["run"].as_str().expect("a run"), 1);
}
