//! Arguments of `tetrad robot`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

/// `tetrad robot`.
#[derive(Debug, Subcommand)]
pub(crate) enum Robot {
    /// Let scripted experts do tasks, and record them.
    Collect(Collect),
    /// Train S1 and S2 together on recorded demonstrations.
    Train(Train),
    /// Let a policy attempt tasks in scenes it has never seen, and count.
    Eval(Eval),
    /// Write a task's scene as MJCF, or read a file of MJCF and say what it holds.
    Scene(Scene),
    /// Say what a policy is: shape, parameters, what it was trained with.
    Info {
        /// A policy's safetensors, or the name of a shape: tiny, small, medium, helix.
        #[arg(value_name = "FILE|NAME")]
        policy: String,
    },
}

/// `tetrad robot collect`.
#[derive(Debug, Args)]
pub(crate) struct Collect {
    /// Folder of the episodes. The same command goes on with what is missing.
    #[arg(long, value_name = "DIR")]
    pub(crate) to: PathBuf,
    /// A task; repeat for several (default: all).
    #[arg(long = "task", value_name = "TASK")]
    pub(crate) tasks: Vec<String>,
    /// Scenes of each task.
    #[arg(long, default_value_t = 200, value_name = "N")]
    pub(crate) scenes: u64,
    /// The first scene's seed.
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
    /// Speed of the pushes that experts have to answer, in metres per second.
    #[arg(long, default_value_t = 0.05, value_name = "M/S")]
    pub(crate) disturbance: f32,
    /// Episodes at once (default: cores).
    #[arg(long)]
    pub(crate) jobs: Option<usize>,
}

/// `tetrad robot train`.
#[derive(Debug, Args)]
pub(crate) struct Train {
    /// Folder of episodes.
    #[arg(long, value_name = "DIR")]
    pub(crate) episodes: PathBuf,
    /// Folder of the run. The same command goes on where it stopped, to the bit.
    #[arg(long, value_name = "DIR")]
    pub(crate) to: PathBuf,
    /// Shape of the policy: tiny, small, medium.
    #[arg(long, default_value = "tiny")]
    pub(crate) shape: String,
    /// TOML file of a recipe (default: the one that `tiny` is trained with).
    #[arg(long, value_name = "FILE")]
    pub(crate) recipe: Option<PathBuf>,
    /// Steps, instead of the recipe's.
    #[arg(long)]
    pub(crate) steps: Option<u64>,
    /// Seed, instead of the recipe's.
    #[arg(long)]
    pub(crate) seed: Option<u64>,
    /// Threads (default: cores).
    #[arg(long)]
    pub(crate) threads: Option<usize>,
}

/// From which scenes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Scenes {
    /// New scenes of the kind that training shows.
    HeldOut,
    /// New scenes with objects, positions and phrasings that training never shows.
    Novel,
    /// Those that training shows.
    Train,
}

/// `tetrad robot eval`.
#[derive(Debug, Args)]
pub(crate) struct Eval {
    /// The policy's safetensors.
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: PathBuf,
    /// A task; repeat for several (default: all).
    #[arg(long = "task", value_name = "TASK")]
    pub(crate) tasks: Vec<String>,
    /// Attempts at each task.
    #[arg(long, default_value_t = 200, value_name = "N")]
    pub(crate) attempts: u64,
    /// The first scene's seed.
    #[arg(long, default_value_t = 1_000_000)]
    pub(crate) seed: u64,
    /// Which scenes.
    #[arg(long, value_enum, default_value = "held-out")]
    pub(crate) scenes: Scenes,
    /// Milliseconds from a frame to the latent that S2 makes of it.
    #[arg(long, default_value_t = 125, value_name = "MS")]
    pub(crate) thinking: u32,
    /// Ticks of 5 ms from one chunk of actions to the next.
    #[arg(long, default_value_t = 2, value_name = "TICKS")]
    pub(crate) act_every: u32,
    /// Give instructions that name another object and place: what succeeds then does not read.
    #[arg(long)]
    pub(crate) swapped: bool,
    /// Weights and inputs of S1 and S2 as bytes.
    #[arg(long)]
    pub(crate) int8: bool,
    /// Attempts at once (default: cores).
    #[arg(long)]
    pub(crate) jobs: Option<usize>,
}

/// `tetrad robot scene`.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("way").required(true).args(["to", "from"]))]
pub(crate) struct Scene {
    /// File to write: MuJoCo reads it as it is.
    #[arg(long, value_name = "FILE")]
    pub(crate) to: Option<PathBuf>,
    /// File to read instead: what it holds, and what becomes of it in two simulated seconds.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["task", "seed", "scenes"])]
    pub(crate) from: Option<PathBuf>,
    /// The task whose scene is written.
    #[arg(long, default_value = "pick-place")]
    pub(crate) task: String,
    /// The scene's seed.
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
    /// Which scenes.
    #[arg(long, value_enum, default_value = "train")]
    pub(crate) scenes: Scenes,
}
