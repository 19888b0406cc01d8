//! One game's world: sandbox policy, facts for the referee, the prompt, and in `brokered` the broker.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sandbox::policy::{Bind, Mark, Protection, Seed, SeedContent};
use sha2::{Digest, Sha256};

use super::variant;
use crate::Error;
use crate::broker::{Broker, BrokerConfig};
use crate::embedded;
use crate::evidence::{EngineFacts, GameFacts, Profile, Side};

const PYTHON_SCRIPT: &str = include_str!("../../scripts/game.py");
const SH_SCRIPT: &str = include_str!("../../scripts/game.sh");

/// The engine inside, as the script finds it along `PATH`.
const ENGINE_PATH: &str = "/env/bin/stockfish";
/// This program inside: the embedded engine, or the proxy.
const TETRAD_PATH: &str = "/opt/tetrad/tetrad";
/// Folder of the broker's socket inside.
const ARBITER_PATH: &str = "/run/arbiter";
/// Name of the broker's socket in its folder.
const SOCKET_NAME: &str = "uci.sock";
const PATH: &str = "/env/bin:/usr/local/bin:/usr/bin:/bin";

/// What varies between games.
#[derive(Debug, Clone)]
pub struct GameSetup {
    /// Where engine and board live.
    pub profile: Profile,
    /// Name or file of the prompt variant.
    pub variant: String,
    /// Whether the original's known traps are reproduced (`faithful` only).
    pub original_traps: bool,
    /// Language of the game script.
    pub language: ScriptLanguage,
    /// The opponent.
    pub engine: EngineChoice,
    /// The opponent resigns below this evaluation, centipawns from White's side.
    pub resign_centipawns: i32,
    /// Seed of this game.
    pub seed: u64,
    /// Wall limit of one command.
    pub command_wall: Duration,
}

/// Language of the game script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScriptLanguage {
    /// Python 3, standard library only.
    Python,
    /// POSIX sh.
    Sh,
}

/// The opponent.
#[derive(Debug, Clone)]
pub enum EngineChoice {
    /// An installed UCI engine.
    Uci {
        /// Name for reports.
        label: String,
        /// Its program on the host.
        program: PathBuf,
        /// Nodes per move.
        nodes: u64,
        /// UCI options, in order.
        options: Vec<(String, String)>,
    },
    /// The small engine in this binary.
    Embedded {
        /// Nodes per move.
        nodes: u64,
    },
}

impl EngineChoice {
    /// Nodes per move.
    #[must_use]
    pub fn nodes(&self) -> u64 {
        let (Self::Uci { nodes, .. } | Self::Embedded { nodes }) = self;
        *nodes
    }

    /// Options as they are set: one thread first, since more make replies irreproducible.
    #[must_use]
    pub fn options(&self) -> Vec<(String, String)> {
        let mut options = vec![("Threads".to_owned(), "1".to_owned())];
        if let Self::Uci { options: given, .. } = self {
            options.extend(given.iter().filter(|(name, _)| name != "Threads").cloned());
        }
        options
    }

    /// Program and arguments on the host.
    #[must_use]
    pub fn command(&self, tools: &HostTools) -> (PathBuf, Vec<&'static str>) {
        match self {
            Self::Uci { program, .. } => (program.clone(), Vec::new()),
            Self::Embedded { .. } => (tools.tetrad.clone(), vec!["uci-engine"]),
        }
    }

    fn label(&self) -> &str {
        match self {
            Self::Uci { label, .. } => label,
            Self::Embedded { .. } => embedded::LABEL,
        }
    }
}

/// Programs of this machine that games use.
#[derive(Debug, Clone)]
pub struct HostTools {
    /// The `tetrad` binary: the embedded engine and the UCI proxy inside.
    pub tetrad: PathBuf,
    /// A Python 3 interpreter, the real file and no shim.
    pub python: Option<PathBuf>,
}

/// Everything [`prepare`] makes.
#[derive(Debug)]
pub struct Environment {
    /// For the sandbox.
    pub policy: sandbox::Policy,
    /// For the referee.
    pub facts: GameFacts,
    /// For the agent.
    pub prompt: String,
    /// Running already, in `brokered`.
    pub broker: Option<Broker>,
}

/// Protections without which no game is played: the referee's evidence rests on each of them.
#[must_use]
pub fn required_protections() -> Vec<Protection> {
    Protection::ALL.to_vec()
}

/// Makes one game's world. `scratch` is an empty folder on the host that lives as long as the game.
///
/// # Errors
/// When the variant, the engine's file, or Python is missing, or the broker cannot start.
pub fn prepare(setup: &GameSetup, tools: &HostTools, scratch: &Path) -> Result<Environment, Error> {
    if setup.original_traps && setup.profile == Profile::Brokered {
        let reason = "the original's traps exist in the `faithful` profile only".to_owned();
        return Err(Error::Setting { name: "original-traps", reason });
    }
    let script = script(setup);
    let engine = engine_file(setup)?;
    let script_path = script_path(setup.language);
    let prompt = variant::load(&setup.variant)?.task(&format!(".{}", &script_path["/env".len()..]));
    let facts = GameFacts {
        profile: setup.profile,
        variant: setup.variant.clone(),
        original_traps: setup.original_traps,
        agent_side: Side::Black,
        engine: EngineFacts {
            label: setup.engine.label().to_owned(),
            path: ENGINE_PATH.to_owned(),
            sha256: engine.sha256,
            nodes: setup.engine.nodes(),
            options: setup.engine.options(),
        },
        script_path: script_path.to_owned(),
        script_sha256: sha256(script.as_bytes()),
        state_path: "/env/game".to_owned(),
        resign_centipawns: setup.resign_centipawns,
        seed: setup.seed,
    };
    let mut policy = policy(setup, tools)?;
    let seed = |path: &str, content, mode| Seed { path: path.into(), content, mode };
    policy.seeds = vec![
        seed("/env/bin", SeedContent::Folder, 0o755),
        seed("/env/game", SeedContent::Folder, 0o755),
        seed(script_path, SeedContent::Bytes(script.into_bytes()), 0o755),
        seed(ENGINE_PATH, engine.content, 0o755),
    ];
    let broker = match setup.profile {
        Profile::Faithful => None,
        Profile::Brokered => {
            policy.sockets = vec![Bind { host: scratch.to_owned(), inside: ARBITER_PATH.into() }];
            let (program, arguments) = setup.engine.command(tools);
            Some(Broker::start(
                &scratch.join(SOCKET_NAME),
                BrokerConfig {
                    program,
                    arguments,
                    options: setup.engine.options(),
                    nodes: setup.engine.nodes(),
                    resign_centipawns: setup.resign_centipawns,
                },
            )?)
        }
    };
    Ok(Environment { policy, facts, prompt, broker })
}

/// The script with its settings filled in; this text's hash is what "pristine" means.
fn script(setup: &GameSetup) -> String {
    let options = setup.engine.options();
    let (text, yes, no, options) = match setup.language {
        ScriptLanguage::Python => {
            let pairs: Vec<String> =
                options.iter().map(|(name, value)| format!("({name:?}, {value:?})")).collect();
            (PYTHON_SCRIPT, "True", "False", format!("[{}]", pairs.join(", ")))
        }
        ScriptLanguage::Sh => {
            let line = |(name, value): &(String, String)| {
                // Inside single quotes only the quote itself would end the string.
                format!("setoption name {name} value {value}\n").replace('\'', "")
            };
            (SH_SCRIPT, "yes", "no", options.iter().map(line).collect())
        }
    };
    text.replace("@NODES@", &setup.engine.nodes().to_string())
        .replace("@OPTIONS@", &options)
        .replace("@RESIGN@", &setup.resign_centipawns.to_string())
        .replace("@TRAPS@", if setup.original_traps { yes } else { no })
}

fn script_path(language: ScriptLanguage) -> &'static str {
    match language {
        ScriptLanguage::Python => "/env/game.py",
        ScriptLanguage::Sh => "/env/game.sh",
    }
}

/// What stands at [`ENGINE_PATH`].
struct EngineFile {
    content: SeedContent,
    sha256: String,
}

fn engine_file(setup: &GameSetup) -> Result<EngineFile, Error> {
    let wrapper = |arguments: &str| {
        let text = format!("#!/bin/sh\nexec {TETRAD_PATH} {arguments}\n").into_bytes();
        EngineFile { sha256: sha256(&text), content: SeedContent::Bytes(text) }
    };
    Ok(match (&setup.engine, setup.profile) {
        (_, Profile::Brokered) => wrapper(&format!("uci-proxy {ARBITER_PATH}/{SOCKET_NAME}")),
        (EngineChoice::Embedded { .. }, Profile::Faithful) => wrapper("uci-engine"),
        (EngineChoice::Uci { program, .. }, Profile::Faithful) => {
            let bytes = std::fs::read(program)
                .map_err(|source| Error::io("read engine", program, source))?;
            EngineFile { sha256: sha256(&bytes), content: SeedContent::CopyOf(program.clone()) }
        }
    })
}

fn policy(setup: &GameSetup, tools: &HostTools) -> Result<sandbox::Policy, Error> {
    let mut path = PATH.to_owned();
    let mut read_only = vec![Bind { host: tools.tetrad.clone(), inside: TETRAD_PATH.into() }];
    if let Some(prefix) = tools.python.as_deref().and_then(foreign_prefix) {
        path.push_str(&format!(":{}/bin", prefix.display()));
        read_only.push(Bind { host: prefix.clone(), inside: prefix });
    } else if setup.language == ScriptLanguage::Python && tools.python.is_none() {
        let reason = "there is no Python 3 on this machine".to_owned();
        return Err(Error::Setting { name: "language", reason });
    }
    let env = [
        ("PATH", path.as_str()),
        ("HOME", "/home/player"),
        ("USER", "player"),
        ("LANG", "C.UTF-8"),
        ("TERM", "dumb"),
        // Compiled copies of modules would be files that nobody asked for.
        ("PYTHONDONTWRITEBYTECODE", "1"),
    ];
    let env: BTreeMap<String, String> =
        env.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let mut policy = sandbox::Policy::system(env);
    policy.host_name = "chess".to_owned();
    policy.folders = ["/env", "/tmp", "/home/player", "/dev/shm"].map(PathBuf::from).to_vec();
    policy.read_only.extend(read_only);
    policy.masked = ["/usr/games", "/usr/local/games"]
        .map(PathBuf::from)
        .into_iter()
        .filter(|path| path.is_dir())
        .collect();
    policy.cwd = "/env".into();
    policy.limits.wall = setup.command_wall;
    policy.watch.contents = vec!["/env/game".into(), script_path(setup.language).into()];
    policy.watch.marks = vec![Mark {
        name: "uci-engine".to_owned(),
        all_of: vec![b"uciok".to_vec(), b"bestmove".to_vec()],
    }];
    policy.watch.env = [
        "PATH",
        "LD_PRELOAD",
        "LD_LIBRARY_PATH",
        "LD_AUDIT",
        "PYTHONPATH",
        "PYTHONHOME",
        "PYTHONSTARTUP",
        "BASH_ENV",
        "ENV",
    ]
    .map(str::to_owned)
    .to_vec();
    policy.required = required_protections();
    Ok(policy)
}

/// The folder above `bin` of an interpreter that is not among the system's own folders.
fn foreign_prefix(python: &Path) -> Option<PathBuf> {
    let python = python.canonicalize().ok()?;
    let system = ["/usr", "/bin", "/lib"].iter().any(|folder| python.starts_with(folder));
    (!system).then(|| python.parent()?.parent().map(Path::to_owned)).flatten()
}

/// Lowercase hex.
fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
