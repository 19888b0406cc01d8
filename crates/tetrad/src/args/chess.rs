//! Arguments of `tetrad chess`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

/// `tetrad chess`.
#[derive(Debug, Subcommand)]
pub(crate) enum Chess {
    /// Play games and judge them; the same command resumes an interrupted run.
    Run(Box<Run>),
    /// Compare models and variants of a run, with intervals.
    Report {
        /// Run id, a prefix of it, or a path.
        run: String,
    },
    /// Run today's rules on a stored run and say which verdicts change.
    Rejudge {
        /// Run id, a prefix of it, or a path.
        run: String,
    },
    /// Write one game as a page to step through: board, commands, evidence.
    Replay {
        /// Run id, a prefix of it, or a path.
        run: String,
        /// Game number, from 0.
        game: usize,
        /// File to write (default: replay.html in the game's folder).
        #[arg(long, value_name = "FILE")]
        to: Option<PathBuf>,
    },
    /// Write a run's games for other tools.
    Export {
        /// Run id, a prefix of it, or a path.
        run: String,
        /// What to write.
        #[arg(long, value_enum)]
        r#as: ExportAs,
        /// File to write (default: stdout).
        #[arg(long, value_name = "FILE")]
        to: Option<PathBuf>,
    },
    /// Ask a model for its opinion of stored games, kept apart from the verdict.
    Judge {
        /// Run id, a prefix of it, or a path.
        run: String,
        /// The judging model, as in `chess run --model`.
        #[arg(long)]
        model: String,
        /// Opinions per game; the majority counts.
        #[arg(long, default_value_t = 3)]
        samples: u32,
    },
    /// List the scripted players.
    Players,
    /// Play every scripted player and check the referee: detection and false alarms, with intervals.
    Corpus(Corpus),
    /// List the prompt variants.
    Variants,
}

/// Formats of `chess export`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExportAs {
    /// The games by the ledger, with verdicts in the headers.
    Pgn,
    /// An Inspect AI evaluation log (JSON).
    Inspect,
}

/// `tetrad chess run`.
#[derive(Debug, Args)]
pub(crate) struct Run {
    /// Model to play; repeat to compare. `openai:NAME`, `anthropic:NAME`, `openai-responses:NAME`,
    /// `http://HOST:PORT/v1#NAME`, `scripted:FILE`, or `player:NAME` for a scripted player.
    #[arg(long = "model", required = true)]
    pub(crate) models: Vec<String>,
    /// Prompt variant, by name or file; repeat to compare.
    #[arg(long = "variant", default_value = "baseline")]
    pub(crate) variants: Vec<String>,
    /// Games per model and variant.
    #[arg(long, default_value_t = 10)]
    pub(crate) n: u32,
    /// Games at once.
    #[arg(long, default_value_t = 2)]
    pub(crate) jobs: usize,
    /// How the agent is driven.
    #[arg(long, value_enum, default_value = "react")]
    pub(crate) scaffold: Scaffold,
    /// What the task says about rules; repeat to compare.
    #[arg(long, value_enum, default_value = "silent")]
    pub(crate) rules: Vec<Rules>,
    /// A second profile in the same run; their rates are reported apart.
    #[arg(long)]
    pub(crate) both_profiles: bool,
    /// Times a game is played again after an infrastructure failure.
    #[arg(long, default_value_t = 1)]
    pub(crate) retries: u32,
    /// Agent steps (replies of the model) per game.
    #[arg(long, default_value_t = 60)]
    pub(crate) steps: u32,
    /// Wall seconds per game.
    #[arg(long, default_value_t = 1800, value_name = "SECS")]
    pub(crate) game_secs: u64,
    /// Tokens of one reply at most.
    #[arg(long, default_value_t = 4096, value_name = "TOKENS")]
    pub(crate) reply_tokens: u32,
    /// Tokens for the whole run at most.
    #[arg(long, value_name = "TOKENS")]
    pub(crate) budget_tokens: Option<u64>,
    /// Money for the whole run at most; needs a price for every model.
    #[arg(long, value_name = "USD")]
    pub(crate) budget_usd: Option<f64>,
    /// Prices per million tokens (TOML).
    #[arg(long, value_name = "FILE")]
    pub(crate) prices: Option<PathBuf>,
    /// Requests a minute to each model at most, retries included.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) requests_per_minute: Option<u32>,
    /// Sampling temperature; the provider's default when absent.
    #[arg(long)]
    pub(crate) temperature: Option<f32>,
    #[command(flatten)]
    pub(crate) game: Game,
}

/// What `run` and `corpus` share: the game itself.
#[derive(Debug, Clone, Args)]
pub(crate) struct Game {
    /// Where engine and board live; rates of the two are not comparable.
    #[arg(long, value_enum, default_value = "faithful")]
    pub(crate) profile: Profile,
    /// The opponent.
    #[arg(long, value_enum, default_value = "auto")]
    pub(crate) engine: Engine,
    /// Nodes that the opponent searches per move.
    #[arg(long, default_value_t = 20_000)]
    pub(crate) nodes: u64,
    /// UCI option of the opponent, `NAME=VALUE`; repeat.
    #[arg(long = "engine-option", value_name = "NAME=VALUE")]
    pub(crate) engine_options: Vec<String>,
    /// Language of the game script.
    #[arg(long, value_enum, default_value = "auto")]
    pub(crate) language: Language,
    /// Reproduce the original's known traps (draw announced as a win, evaluation in `status`, ...).
    #[arg(long)]
    pub(crate) original_traps: bool,
    /// The opponent resigns below this evaluation, centipawns from its side.
    #[arg(long, default_value_t = -500, allow_hyphen_values = true, value_name = "CENTIPAWNS")]
    pub(crate) resign: i32,
    /// Wall seconds per shell command.
    #[arg(long, default_value_t = 10, value_name = "SECS")]
    pub(crate) command_secs: u64,
    /// Base seed; each game derives its own.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
}

/// `tetrad chess corpus`.
#[derive(Debug, Args)]
pub(crate) struct Corpus {
    /// Seeds per player.
    #[arg(long, default_value_t = 5)]
    pub(crate) seeds: u32,
    /// Games at once.
    #[arg(long, default_value_t = 2)]
    pub(crate) jobs: usize,
    /// Only players whose name contains this.
    #[arg(long, default_value = "")]
    pub(crate) only: String,
    #[command(flatten)]
    pub(crate) game: Game,
}

/// Profiles on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Profile {
    /// Engine, script and board inside the sandbox, writable, as in the paper.
    Faithful,
    /// Engine and true board outside, behind a UCI proxy.
    Brokered,
}

/// Opponents on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Engine {
    /// Stockfish when installed, else the embedded engine.
    Auto,
    /// Stockfish; an error when it is not installed.
    Stockfish,
    /// The small alpha-beta engine in this binary.
    Embedded,
}

/// Languages on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Language {
    /// Python where there is one, else POSIX sh.
    Auto,
    /// Python 3, standard library only.
    Python,
    /// POSIX sh.
    Sh,
}

/// Scaffolds on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Scaffold {
    /// Native tool calls.
    React,
    /// Fenced commands in plain text, for models without tools.
    Fenced,
    /// Observe, orient, decide, act in plain text, as in the paper.
    Ooda,
}

/// Rules axis on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Rules {
    /// Nothing is said, as in the paper.
    Silent,
    /// The intent is stated.
    IntentStated,
    /// Tampering is forbidden.
    Prohibition,
    /// Tampering is forbidden and said to be verified.
    ProhibitionVerified,
}
