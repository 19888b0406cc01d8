//! The command line. Each struct is what a command gets, before anything is looked up.

pub(crate) mod chess;
pub(crate) mod genome;
pub(crate) mod genome_study;
pub(crate) mod kernels;
pub(crate) mod kernels_judge;
pub(crate) mod robot;

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::output::Format;

/// Four results from frontier AI labs, rebuilt to be run, checked and built upon on one machine.
#[derive(Debug, Parser)]
#[command(name = "tetrad", version, after_help = crate::exit::table(), max_term_width = 100)]
pub(crate) struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
    /// How answers are printed on stdout.
    #[arg(long, global = true, value_enum, default_value = "text")]
    pub(crate) format: Format,
    /// Print nothing but the answer and errors.
    #[arg(long, global = true)]
    pub(crate) quiet: bool,
    /// Folder of run directories (default: TETRAD_RUNS, else `runs`).
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run every system once: small, real, one report.
    Tour(Tour),
    /// Say what this machine can do, what is missing, and how to get it.
    Doctor,
    /// Does an agent cheat when it is losing? Games, referee, reports.
    #[command(subcommand)]
    Chess(chess::Chess),
    /// A DNA language model: score, generate, convert checkpoints.
    #[command(subcommand)]
    Genome(genome::Genome),
    /// Faster kernels for PyTorch modules: search, archive, export.
    #[command(subcommand)]
    Kernels(kernels::Kernels),
    /// A dual-rate robot policy: demonstrations, training, evaluation.
    #[command(subcommand)]
    Robot(robot::Robot),
    /// Look after run directories.
    #[command(subcommand)]
    Runs(Runs),
    /// Print the path of a run's report, rendering it first.
    Report(Report),
    /// Serve a scripted model over HTTP on loopback, to exercise clients without a network.
    ServeScripted(ServeScripted),
    /// The embedded chess engine, speaking UCI.
    UciEngine,
    /// Connect stdin and stdout to a UCI broker's socket.
    #[command(hide = true)]
    UciProxy {
        /// The socket.
        socket: PathBuf,
    },
}

/// `tetrad tour`.
#[derive(Debug, clap::Args)]
pub(crate) struct Tour {
    /// Open the report in a browser afterwards.
    #[arg(long)]
    pub(crate) open: bool,
    /// Seed of everything random.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Games at once (default: cores).
    #[arg(long)]
    pub(crate) jobs: Option<usize>,
}

/// `tetrad runs`.
#[derive(Debug, Subcommand)]
pub(crate) enum Runs {
    /// List runs, newest first.
    List,
    /// Show one run's manifest and summary.
    Show {
        /// Run id, a prefix of it, or a path.
        run: String,
    },
    /// Compare two runs' settings and summaries.
    Compare {
        /// First run.
        left: String,
        /// Second run.
        right: String,
    },
    /// Delete old finished runs.
    Prune {
        /// Runs to keep, newest first.
        #[arg(long, default_value_t = 10)]
        keep: usize,
        /// Delete unfinished runs too (never one that is in use).
        #[arg(long)]
        unfinished: bool,
        /// Really delete; without it, only say what would go.
        #[arg(long)]
        yes: bool,
    },
}

/// `tetrad report`.
#[derive(Debug, clap::Args)]
pub(crate) struct Report {
    /// Run id, a prefix of it, or a path.
    pub(crate) run: String,
    /// Open it in a browser.
    #[arg(long)]
    pub(crate) open: bool,
}

/// `tetrad serve-scripted`.
#[derive(Debug, clap::Args)]
pub(crate) struct ServeScripted {
    /// Script file (TOML or JSON), or `player:NAME`.
    pub(crate) script: String,
    /// Port on 127.0.0.1; 0 picks a free one.
    #[arg(long, default_value_t = 0)]
    pub(crate) port: u16,
}
