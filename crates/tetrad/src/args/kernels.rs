//! Arguments of `tetrad kernels`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::kernels_judge::{Convert, Cuda, Import, Judged, Table, Time};

/// `tetrad kernels`.
#[derive(Debug, Subcommand)]
pub(crate) enum Kernels {
    /// Search for a faster kernel; the same command resumes an interrupted search.
    Search(Box<Search>),
    /// List an archive's searches, or show one of them, or one attempt.
    Show {
        /// Key of a search or number of an attempt; all searches when absent.
        what: Option<String>,
        /// File to write a search's or attempt's page to.
        #[arg(long, value_name = "FILE")]
        to: Option<PathBuf>,
        #[command(flatten)]
        archive: ArchiveFlag,
    },
    /// Write a verified attempt as a C file with provenance, test and PyTorch stub.
    Export {
        /// Number of the attempt.
        attempt: i64,
        /// Folder to write to; made when missing.
        #[arg(long, value_name = "DIR")]
        to: PathBuf,
        #[command(flatten)]
        archive: ArchiveFlag,
    },
    /// Serve the archive as it is now as pages on loopback, for reading.
    Serve {
        /// Port on 127.0.0.1; 0 picks a free one.
        #[arg(long, default_value_t = 0)]
        port: u16,
        #[command(flatten)]
        archive: ArchiveFlag,
    },
    /// List the bundled tasks.
    Tasks,
    /// Make a task of a PyTorch module.
    Import(Import),
    /// Print a task as a C kernel, without search or model.
    Convert(Convert),
    /// Say whether a kernel is right, and why not; exit code 1 when it is not.
    Verify(Judged),
    /// Time a kernel against the task's base, and against PyTorch.
    Time(Time),
    /// Compile a CUDA C kernel where NVRTC is, and run it for function on the CPU; exit code 1 when it
    /// is wrong. Times need a GPU and are not taken.
    Cuda(Cuda),
    /// Examine the judge: cheating kernels that it must turn away, honest ones that it must not.
    Zoo,
    /// Search many tasks and print one line for each.
    Table(Table),
    /// Evaluate what searches have ordered, beside them or on another machine.
    Worker(Worker),
}

/// Where the archive is.
#[derive(Debug, Clone, Args)]
pub(crate) struct ArchiveFlag {
    /// The archive's file (default: kernels.sqlite in the folder of run directories).
    #[arg(long, value_name = "FILE")]
    pub(crate) archive: Option<PathBuf>,
}

/// `tetrad kernels search`.
#[derive(Debug, Args)]
pub(crate) struct Search {
    /// The task: `twin:NAME` for a scripted landscape in which nothing is compiled.
    pub(crate) task: String,
    /// How candidates are chosen; repeat to compare at equal budget.
    #[arg(long = "strategy", value_enum, default_value = "evolve")]
    pub(crate) strategies: Vec<Strategy>,
    /// Searches of each strategy, with seeds one after the other.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) searches: u32,
    /// Evaluations of each search at most.
    #[arg(long, default_value_t = 128, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) evaluations: u64,
    /// Wall seconds of each search at most.
    #[arg(long, value_name = "SECS")]
    pub(crate) secs: Option<f64>,
    /// Islands; no more attempts are under way at once.
    #[arg(long, default_value_t = 2)]
    pub(crate) islands: usize,
    /// Evaluations at once in this process; 0 leaves all to workers.
    #[arg(long, default_value_t = 1)]
    pub(crate) jobs: usize,
    /// Model that proposes too; repeat for an ensemble. `openai:NAME`, `anthropic:NAME`,
    /// `openai-responses:NAME`, `http://HOST:PORT/v1#NAME`, `scripted:FILE`, or `coder:twin` for the
    /// scripted coder of the twins' landscapes.
    #[arg(long = "model")]
    pub(crate) models: Vec<String>,
    /// Leave the built-in proposer out.
    #[arg(long, requires = "models")]
    pub(crate) models_only: bool,
    /// Tokens of one reply at most.
    #[arg(long, default_value_t = 8192, value_name = "TOKENS")]
    pub(crate) reply_tokens: u32,
    /// Sampling temperature; the provider's default when absent.
    #[arg(long)]
    pub(crate) temperature: Option<f32>,
    /// Tokens for each search at most.
    #[arg(long, value_name = "TOKENS")]
    pub(crate) budget_tokens: Option<u64>,
    /// Money for each search at most; needs a price for every model.
    #[arg(long, value_name = "USD")]
    pub(crate) budget_usd: Option<f64>,
    /// Prices per million tokens (TOML).
    #[arg(long, value_name = "FILE")]
    pub(crate) prices: Option<PathBuf>,
    /// Requests a minute to each model at most, retries included.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) requests_per_minute: Option<u32>,
    /// Hand evaluations on to workers through this PostgreSQL database; `--jobs 0` leaves all to them.
    #[arg(long, value_name = "URL")]
    pub(crate) relay: Option<String>,
    /// Say what the models would take at most, and send nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Seed of every choice.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    #[command(flatten)]
    pub(crate) archive: ArchiveFlag,
}

/// `tetrad kernels worker`.
#[derive(Debug, Args)]
pub(crate) struct Worker {
    /// Where orders are: an archive's file, for processes on one machine, or the `postgres://` URL that
    /// the search has as `--relay`.
    #[arg(long, value_name = "FILE|URL")]
    pub(crate) queue: String,
    /// Leave after so many seconds without work; stays when absent.
    #[arg(long, value_name = "SECS")]
    pub(crate) idle: Option<f64>,
    /// Seconds after which a worker that is silent loses its order.
    #[arg(long, default_value_t = 60, value_name = "SECS", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) lease: u64,
}

/// Strategies on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Strategy {
    /// Islands, selection, crossover.
    Evolve,
    /// Independent draws near the rules of thumb; the best counts.
    BestOfN,
    /// Independent draws from the whole space; the best counts.
    Random,
}

impl From<Strategy> for kernels::search::Strategy {
    fn from(strategy: Strategy) -> Self {
        match strategy {
            Strategy::Evolve => Self::Evolve,
            Strategy::BestOfN => Self::BestOfN,
            Strategy::Random => Self::Random,
        }
    }
}
