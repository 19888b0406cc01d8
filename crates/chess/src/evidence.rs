//! What was seen of one game: the record that every rule reads and that is stored.
//!
//! A game's evidence is one ordered list of [`Event`]s in four streams. Nothing in it can be
//! written by the agent: the sandbox's supervisor, the broker, the harness and the model client
//! write it, all outside the sandbox. A verdict is a pure function of [`Evidence`], so stored games
//! can be judged again.

use serde::{Deserialize, Serialize};

/// Version of the event format below. Changelog: 1 is the first.
pub const FORMAT_VERSION: u32 = 1;

/// One game's evidence.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Evidence {
    /// What the game was set up with.
    pub facts: GameFacts,
    /// Streams that were recorded; rules abstain without the one they need.
    pub streams: Streams,
    /// Everything seen, in order.
    pub events: Vec<Event>,
    /// Content behind hashes in `events`: lowercase hex SHA-256 to text (lossy UTF-8), small files
    /// only (board, moves, scripts). Stored as blobs, not in the event log.
    #[serde(skip)]
    pub texts: std::collections::BTreeMap<String, String>,
}

/// Which evidence streams were recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Streams {
    /// Board transitions: versions of the state files, the broker's log, engine checks.
    pub ledger: bool,
    /// File changes and manifests.
    pub files: bool,
    /// Exec, network, process and denied-call events.
    pub exec: bool,
    /// What the agent wrote and what its commands printed.
    pub transcript: bool,
}

/// A stream, for rules that say which they need.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stream {
    /// Board transitions.
    Ledger,
    /// File changes.
    Files,
    /// Exec, network and process events.
    Exec,
    /// Agent's words and commands' output.
    Transcript,
}

/// One piece of evidence. `id` is unique and increasing within the game; verdicts cite it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Event {
    /// Position in the game's record, from 0.
    pub id: u64,
    /// Agent step during which it was seen, from 1; 0 before the first.
    pub step: u32,
    /// Nanoseconds since the game's sandbox started, monotonic.
    pub nanos: u64,
    /// What was seen.
    #[serde(flatten)]
    pub body: EventBody,
}

/// What was seen.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "stream", rename_all = "kebab-case")]
pub enum EventBody {
    /// The sandbox's supervisor: exec, network, process, denied, file, version events.
    Sandbox {
        /// The observation.
        seen: sandbox::EventKind,
    },
    /// Files that differ between the manifests before and after a step.
    ManifestChange {
        /// Path inside.
        path: String,
        /// Before.
        before: sandbox::event::FileState,
        /// After.
        after: sandbox::event::FileState,
    },
    /// The broker outside, in the `brokered` profile: the only truth about the game there.
    Broker {
        /// What it did.
        action: BrokerAction,
    },
    /// The harness asked the pristine engine, outside, what it plays in a position (one thread,
    /// fresh process, node limit: deterministic), in the `faithful` profile.
    EngineCheck {
        /// Position with the engine's side to move, after the agent's move.
        fen: String,
        /// What the pristine engine plays there, UCI; `None` if it failed.
        reply: Option<String>,
        /// Its evaluation in centipawns from White's side, where asked.
        white_centipawns: Option<i32>,
    },
    /// The model spoke.
    Turn {
        /// Visible text.
        text: String,
        /// Reasoning, where shown.
        reasoning: Option<String>,
        /// Shell commands it asked for.
        commands: Vec<String>,
        /// Why it stopped ([`llm::chat::Stop`], kebab-case).
        stop: String,
    },
    /// A command starts.
    CommandStarted {
        /// The shell command.
        command: String,
    },
    /// A command ended.
    CommandEnded {
        /// How, and what it printed (cut to the harness's limit).
        ending: sandbox::Ending,
        /// Standard output, lossy UTF-8, as the agent got it.
        stdout: String,
        /// Standard error, likewise.
        stderr: String,
        /// Processes that outlived it.
        background: Vec<sandbox::outcome::Process>,
        /// Wall time in milliseconds.
        wall_millis: u64,
    },
    /// The game is over for the harness.
    GameEnded {
        /// Why.
        why: GameEnd,
    },
}

/// Why the harness stopped a game.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "end", rename_all = "kebab-case")]
pub enum GameEnd {
    /// The game script says the game is over (whatever it says, the referee decides).
    ScriptSaysOver,
    /// The agent said that it is done, or resigned.
    AgentStopped,
    /// Step limit.
    StepLimit,
    /// Wall, token or money limit of the game.
    BudgetLimit {
        /// Which.
        limit: String,
    },
    /// Several empty or unusable replies in a row.
    NothingToRun,
    /// Infrastructure: model endpoint, sandbox, engine outside. Not a result.
    Infrastructure {
        /// What happened.
        reason: String,
    },
}

/// What the broker did with a request through the UCI proxy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "kebab-case")]
pub enum BrokerAction {
    /// New game; White's first move.
    Started {
        /// Engine's move, UCI.
        reply: String,
        /// Position after it.
        fen: String,
        /// Whether a game was already going on.
        restart: bool,
    },
    /// Agent's legal move and the engine's reply.
    Moved {
        /// Position before.
        before: String,
        /// Agent's move, UCI.
        agent: String,
        /// Engine's reply, UCI; `None` when the game is over.
        reply: Option<String>,
        /// Position after both.
        after: String,
    },
    /// The engine resigned (evaluation below the threshold).
    Resigned {
        /// Evaluation in centipawns from White's side.
        white_centipawns: i32,
    },
    /// A position that does not follow from the ledger was asked for.
    PositionRejected {
        /// As asked.
        position: String,
        /// Why.
        reason: String,
    },
    /// The proxy was asked to search for the agent's side, or to evaluate.
    AdviceRefused {
        /// The UCI line.
        line: String,
    },
    /// An engine option was asked to change.
    OptionRefused {
        /// The UCI line.
        line: String,
    },
    /// Anything else that is not UCI.
    Garbage {
        /// The line, cut to 200 characters.
        line: String,
    },
    /// The engine outside failed and was restarted, or could not be.
    EngineFailed {
        /// What happened.
        reason: String,
        /// Whether the game went on.
        recovered: bool,
    },
}

/// What the game was set up with.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GameFacts {
    /// Where the engine and the board live.
    pub profile: Profile,
    /// Name of the prompt variant.
    pub variant: String,
    /// Whether the original's known traps are reproduced.
    pub original_traps: bool,
    /// The agent's side; Black in the paper.
    pub agent_side: Side,
    /// The engine.
    pub engine: EngineFacts,
    /// Game script inside, e.g. `/env/game.py`.
    pub script_path: String,
    /// SHA-256 of the pristine script.
    pub script_sha256: String,
    /// Folder of the state files inside, e.g. `/env/game` with `fen.txt`, `moves.txt`, `status.txt`.
    pub state_path: String,
    /// Resignation threshold in centipawns from White's side (−500 in the paper).
    pub resign_centipawns: i32,
    /// Seed of this game.
    pub seed: u64,
}

/// Where the engine and the board live. Rates of the two are not comparable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Profile {
    /// Engine, script and state inside the sandbox, writable, as in the paper.
    Faithful,
    /// Engine and true board outside; inside, a UCI proxy and a copy of the board.
    Brokered,
}

/// A side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Side {
    /// Moves first.
    White,
    /// Moves second.
    Black,
}

/// The opponent.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct EngineFacts {
    /// Name for reports: `Stockfish 15.1` or `tetrad embedded engine`.
    pub label: String,
    /// Path inside that the game script runs; in `brokered`, the proxy.
    pub path: String,
    /// SHA-256 of that file.
    pub sha256: String,
    /// Nodes per move.
    pub nodes: u64,
    /// UCI options set, in order.
    pub options: Vec<(String, String)>,
}
