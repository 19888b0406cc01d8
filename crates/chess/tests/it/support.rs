//! A store in a temporary folder, a small configuration, and a model that follows a script.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use chess::config::{
    ChessConfig, GameLimits, Language, Opponent, PlannedGame, Rules, RunBudget, Scaffold,
};
use chess::evidence::Profile;
use chess::run::{Deps, Progress};
use chess::summary::ChessSummary;
use chess::task::setup::HostTools;
use chess::verdict::Verdict;
use llm::chat::{Chat, Reply, Request, Stop, ToolCall, Usage, Wire};
use serde_json::json;

/// Tokens of one reply of [`Worker`].
pub(crate) const REPLY_TOKENS: u64 = 100;

/// Two commands, then done: 3 replies a game.
pub(crate) struct Worker {
    n_replies: AtomicU32,
    fails: bool,
}

impl Worker {
    pub(crate) fn new(fails: bool) -> Self {
        Self { n_replies: AtomicU32::new(0), fails }
    }
}

impl Chat for Worker {
    fn name(&self) -> &str {
        "worker"
    }

    fn complete(&self, _request: &Request) -> Result<Reply, llm::Error> {
        let n = self.n_replies.fetch_add(1, Ordering::SeqCst);
        if self.fails && n == 1 {
            return Err(llm::Error::Protocol { reason: "scripted failure".into() });
        }
        let command = ["ls -a", "echo note > /tmp/note; cat /tmp/note"].get(n as usize);
        let call = |command: &&str| ToolCall {
            id: format!("call-{n}"),
            name: "bash".into(),
            arguments: json!({ "command": command }),
        };
        Ok(reply(if command.is_some() { "" } else { "DONE" }, command.map(call)))
    }
}

pub(crate) fn reply(text: &str, call: Option<ToolCall>) -> Reply {
    Reply {
        text: text.into(),
        reasoning: None,
        stop: if call.is_some() { Stop::ToolCalls } else { Stop::End },
        tool_calls: call.into_iter().collect(),
        usage: Usage { input_tokens: REPLY_TOKENS - 10, output_tokens: 10, ..Usage::default() },
        model: "worker-1".into(),
        provider_id: None,
        opaque: serde_json::Value::Null,
        wire: Wire::default(),
    }
}

/// A store that deletes itself.
pub(crate) struct Place {
    pub(crate) folder: tempfile::TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a folder") }
    }

    pub(crate) fn store(&self) -> runs::Store {
        runs::Store::open(self.folder.path()).expect("a store")
    }

    /// The only run in it.
    pub(crate) fn run(&self) -> runs::Run {
        let listed = self.store().list().expect("runs");
        assert_eq!(listed.len(), 1, "one run, however often it was taken up");
        runs::Run::open(&listed[0].path).expect("a run")
    }

    /// Every file of every whole game, by path.
    pub(crate) fn games(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut files = BTreeMap::new();
        let games = self.run().path().join("games");
        for game in std::fs::read_dir(games).expect("games").flatten() {
            if game.file_name().to_string_lossy().ends_with(".partial") {
                continue;
            }
            for file in std::fs::read_dir(game.path()).expect("a game").flatten() {
                let bytes = std::fs::read(file.path()).expect("a file");
                files.insert(file.path(), bytes);
            }
        }
        files
    }
}

/// `n_games` of one model. The opponent is a program that is no engine: nobody starts a game.
pub(crate) fn config(n_games: u32) -> ChessConfig {
    ChessConfig {
        models: vec!["scripted:worker".into()],
        variants: vec!["baseline".into()],
        profiles: vec![Profile::Faithful],
        rules: vec![Rules::Silent],
        n_games,
        seed: 7,
        engine: Opponent::Uci {
            label: "no engine".into(),
            program: "/bin/true".into(),
            nodes: 1,
            options: Vec::new(),
        },
        language: Language::Sh,
        original_traps: false,
        resign_centipawns: -500,
        scaffold: Scaffold::React,
        limits: GameLimits { n_steps: 5, ..GameLimits::usual() },
        n_retries: 1,
        jobs: 2,
        budget: RunBudget::default(),
    }
}

/// What a scripted sitting does besides playing.
#[derive(Default)]
pub(crate) struct Sitting {
    /// Sets `cancel` after this many games of the sitting.
    pub(crate) cancel_after: Option<u32>,
    /// The first models made, as many as this, fail at their second reply.
    pub(crate) n_failing: u32,
    /// Set by `cancel_after`.
    pub(crate) cancel: AtomicBool,
    pub(crate) n_finished: AtomicU32,
    pub(crate) n_models: AtomicU32,
}

impl Progress for Sitting {
    fn finished(&self, _game: &PlannedGame, _verdict: &Verdict) {
        let n = self.n_finished.fetch_add(1, Ordering::SeqCst) + 1;
        if self.cancel_after == Some(n) {
            self.cancel.store(true, Ordering::SeqCst);
        }
    }
}

impl Sitting {
    pub(crate) fn play(
        &self,
        place: &Place,
        config: &ChessConfig,
    ) -> Result<ChessSummary, chess::Error> {
        let models = |_: &str, _: u64| -> Result<Box<dyn Chat>, llm::Error> {
            let n = self.n_models.fetch_add(1, Ordering::SeqCst);
            Ok(Box::new(Worker::new(n < self.n_failing)))
        };
        let deps = Deps {
            models: &models,
            tools: HostTools { tetrad: "/bin/true".into(), python: None },
            launcher: sandbox::Launcher::test_entry("launcher_entry"),
            cancel: &self.cancel,
        };
        chess::run::run(config, &deps, &place.store(), self)
    }
}

/// Names in a folder of the run, sorted.
pub(crate) fn names(folder: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut names: Vec<String> =
        entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}
