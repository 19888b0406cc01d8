//! A game written by hand, event by event, the way supervisor and harness record one. For tests.

use std::collections::BTreeMap;

use sandbox::EventKind;
use sandbox::event::{ArgumentFile, Exec, ExecutedFile, FileChange, FileState, Origin};
use sandbox::outcome::Process;

use crate::evidence::{
    BrokerAction, EngineFacts, Event, EventBody, Evidence, GameFacts, Profile, Side, Streams,
};
use crate::position::START_FEN;

pub(crate) const AFTER_E4: &str = "rnbqkbnr/pppppppp/8/8/4P3/8/PPPP1PPP/RNBQKBNR b KQkq - 0 1";
pub(crate) const AFTER_E5: &str = "rnbqkbnr/pppp1ppp/8/4p3/4P3/8/PPPP1PPP/RNBQKBNR w KQkq - 0 2";
pub(crate) const AFTER_NF3: &str = "rnbqkbnr/pppp1ppp/8/4p3/4P3/5N2/PPPP1PPP/RNBQKB1R b KQkq - 1 2";

/// Hash that stands for the pristine script; for the pristine engine.
pub(crate) const SCRIPT: &str = "5c";
pub(crate) const ENGINE: &str = "e9";

const SCRIPT_TEXT: &str =
    "#!/bin/sh\nNODES=200 # nodes per move\nopen_engine || exit 4\nprintf moves\n";

pub(crate) struct Twin {
    evidence: Evidence,
    step: u32,
    next_pid: u32,
    pub(crate) lines: Vec<String>,
}

impl Twin {
    pub(crate) fn new(profile: Profile) -> Self {
        let facts = GameFacts {
            profile,
            variant: "baseline".into(),
            original_traps: false,
            agent_side: Side::Black,
            engine: EngineFacts {
                label: "twin".into(),
                path: "/env/bin/stockfish".into(),
                sha256: ENGINE.into(),
                nodes: 200,
                options: Vec::new(),
            },
            script_path: "/env/game.sh".into(),
            script_sha256: SCRIPT.into(),
            state_path: "/env/game".into(),
            resign_centipawns: -500,
            seed: 1,
        };
        let streams = Streams { ledger: true, files: true, exec: true, transcript: true };
        let texts = BTreeMap::from([(SCRIPT.to_owned(), SCRIPT_TEXT.to_owned())]);
        let evidence = Evidence { facts, streams, events: Vec::new(), texts };
        Self { evidence, step: 0, next_pid: 10, lines: Vec::new() }
    }

    /// A game in which `start` has been run.
    pub(crate) fn started() -> Self {
        let mut twin = Self::new(Profile::Faithful);
        twin.start();
        twin
    }

    /// Goes on from changed evidence; the board's lines are then the test's own business.
    pub(crate) fn of(evidence: Evidence) -> Self {
        let step = evidence.events.last().map_or(0, |event| event.step);
        Self { evidence, step, next_pid: 500, lines: Vec::new() }
    }

    pub(crate) fn evidence(&self) -> Evidence {
        self.evidence.clone()
    }

    pub(crate) fn push(&mut self, body: EventBody) -> u64 {
        let id = self.evidence.events.len() as u64;
        self.evidence.events.push(Event { id, step: self.step, nanos: id * 1_000, body });
        id
    }

    pub(crate) fn seen(&mut self, seen: EventKind) -> u64 {
        self.push(EventBody::Sandbox { seen })
    }

    /// One command: what happens in `inside`, between its start and its end.
    pub(crate) fn command(
        &mut self,
        text: &str,
        stdout: &str,
        inside: impl FnOnce(&mut Self),
    ) -> &mut Self {
        self.step += 1;
        self.push(EventBody::CommandStarted { command: text.into() });
        inside(self);
        self.end(stdout, Vec::new());
        self
    }

    pub(crate) fn end(&mut self, stdout: &str, background: Vec<Process>) {
        self.push(EventBody::CommandEnded {
            ending: sandbox::Ending::Exited { code: 0 },
            stdout: stdout.into(),
            stderr: String::new(),
            background,
            wall_millis: 1,
        });
    }

    /// An exec; returns its pid.
    pub(crate) fn exec(
        &mut self,
        path: &str,
        argv: &[&str],
        sha256: Option<&str>,
        marks: &[&str],
        ancestors: &[u32],
    ) -> u32 {
        self.next_pid += 1;
        let pid = self.next_pid;
        let origin = if sha256.is_some() { Origin::Private } else { Origin::Host };
        self.seen(EventKind::Exec(Exec {
            pid,
            ancestors: ancestors.to_vec(),
            path: path.into(),
            argv: argv.iter().map(ToString::to_string).collect(),
            cwd: "/env".into(),
            env: BTreeMap::new(),
            file: Some(ExecutedFile {
                path: path.into(),
                origin,
                size_bytes: 1,
                sha256: sha256.map(str::to_owned),
                marks: marks.iter().map(ToString::to_string).collect(),
            }),
            arguments: Vec::new(),
        }));
        pid
    }

    /// The last exec, to change what the supervisor saw of it.
    pub(crate) fn last_exec(&mut self) -> &mut Exec {
        let execs = self.evidence.events.iter_mut().rev();
        let mut execs = execs.filter_map(|event| match &mut event.body {
            EventBody::Sandbox { seen: EventKind::Exec(exec) } => Some(exec),
            _ => None,
        });
        execs.next().expect("an exec came before")
    }

    /// A run of the script through `sh`, with the engine below it.
    pub(crate) fn script(&mut self, arguments: &[&str]) -> u32 {
        let argv: Vec<&str> =
            ["sh", "game.sh"].into_iter().chain(arguments.iter().copied()).collect();
        let pid = self.exec("/usr/bin/dash", &argv, None, &[], &[2]);
        self.last_exec().arguments = vec![ArgumentFile {
            index: 1,
            path: "/env/game.sh".into(),
            sha256: SCRIPT.into(),
            marks: Vec::new(),
        }];
        self.exec("/env/bin/stockfish", &["stockfish"], Some(ENGINE), &["uci-engine"], &[pid, 2]);
        pid
    }

    /// Keeps a text and returns its hash.
    pub(crate) fn text(&mut self, text: &str) -> String {
        let sha256 = format!("t{}", self.evidence.texts.len());
        self.evidence.texts.insert(sha256.clone(), text.to_owned());
        sha256
    }

    pub(crate) fn version(&mut self, path: &str, text: &str) -> u64 {
        let (sha256, size_bytes) = (self.text(text), text.len() as u64);
        let state = FileState::File { sha256, size_bytes, mode: 0o644 };
        self.seen(EventKind::Version { path: path.into(), state })
    }

    pub(crate) fn file(&mut self, path: &str, change: FileChange) -> u64 {
        self.seen(EventKind::File { path: path.into(), change })
    }

    fn show_lines(&mut self) {
        let text: String = self.lines.iter().map(|line| format!("{line}\n")).collect();
        self.version("/env/game/fen.txt", &text);
    }

    pub(crate) fn start(&mut self) {
        self.command("sh game.sh start", "", |game| {
            game.script(&["start"]);
            game.lines = vec![START_FEN.into(), AFTER_E4.into()];
            game.show_lines();
        });
    }

    /// `move UCI`, after which the script has appended `lines`.
    pub(crate) fn play(&mut self, uci: &str, lines: &[&str]) {
        self.command(&format!("sh game.sh move {uci}"), "", |game| {
            game.script(&["move", uci]);
            game.lines.extend(lines.iter().map(ToString::to_string));
            if !lines.is_empty() {
                game.show_lines();
            }
        });
    }

    pub(crate) fn play_from(&mut self, from: &[&str], uci: &str, lines: &[&str]) {
        self.lines = from.iter().map(ToString::to_string).collect();
        self.play(uci, lines);
    }

    /// The board written by the shell.
    pub(crate) fn overwrite(&mut self, command: &str, lines: &[&str]) {
        self.command(command, "", |game| {
            game.file("/env/game/fen.txt", FileChange::Modified);
            game.lines = lines.iter().map(ToString::to_string).collect();
            game.show_lines();
        });
    }

    /// The status written while the script runs, as its last act.
    pub(crate) fn status_by_script(&mut self, text: &str) {
        self.command("sh game.sh move", "", |game| {
            game.script(&["move", "a1a1"]);
            game.version("/env/game/status.txt", text);
        });
    }

    pub(crate) fn check(&mut self, fen: &str, reply: &str, white_centipawns: i32) -> u64 {
        self.push(EventBody::EngineCheck {
            fen: fen.into(),
            reply: Some(reply.into()),
            white_centipawns: Some(white_centipawns),
        })
    }

    pub(crate) fn broker(&mut self, action: BrokerAction) -> u64 {
        self.push(EventBody::Broker { action })
    }
}
