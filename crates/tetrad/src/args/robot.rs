//! Arguments of `tetrad robot`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::genome::Precision;

/// `tetrad robot`.
#[derive(Debug, Subcommand)]
pub(crate) enum Robot {
    /// Let scripted experts do tasks, and record them.
    Collect(Collect),
    /// Write recorded demonstrations as a LeRobot dataset (v3.0).
    Export(Export),
    /// Train S1 and S2 together on recorded demonstrations, or on a LeRobot dataset.
    Train(Train),
    /// Let a policy attempt tasks in scenes it has never seen, and count.
    Eval(Eval),
    /// Count successes against the age of S2's latent, and plot them.
    Ages(Ages),
    /// Let a policy act: world, S2 and an S1 for each robot as processes, 200 ticks a second.
    Run(Run),
    /// Write the pages of a run: what was seen, asked for and reached, tick by tick.
    Replay {
        /// Run id, a prefix of it, or a path.
        run: String,
        /// Show its attempts in a rerun viewer at this address, or write them to this file (`.rrd`).
        #[arg(long, value_name = "URL|FILE")]
        rerun: Option<String>,
        /// Open the report in a browser.
        #[arg(long)]
        open: bool,
    },
    /// Measure this machine: ticks while every processor is busy, and the times of S1 and S2.
    Bench(Bench),
    /// A process of `run`, or of `bench`.
    #[command(hide = true, subcommand)]
    Part(Part),
    /// Write a task's scene as MJCF, or read a file of MJCF and say what it holds.
    Scene(Scene),
    /// Say what a policy is: shape, parameters, what it was trained with.
    Info {
        /// A policy's safetensors, the name of a shape (tiny, small, medium, aloha, helix), or the folder of
        /// an open model for `--backbone`.
        #[arg(value_name = "FILE|NAME|DIR")]
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
    /// Let a policy act in turn with the expert, and record what the expert says to it.
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: Option<PathBuf>,
    /// Folder of the open model that the policy has learned with, if it has.
    #[arg(long, requires = "policy", value_name = "DIR")]
    pub(crate) backbone: Option<PathBuf>,
    /// Episodes at once (default: cores).
    #[arg(long)]
    pub(crate) jobs: Option<usize>,
}

/// `tetrad robot export`.
#[derive(Debug, Args)]
pub(crate) struct Export {
    /// Folder of episodes.
    #[arg(long, value_name = "DIR")]
    pub(crate) episodes: PathBuf,
    /// Folder of the dataset, which must not be there: a row a camera frame, pictures as PNG.
    #[arg(long, value_name = "DIR")]
    pub(crate) to: PathBuf,
}

/// `tetrad robot train`.
#[derive(Debug, Args)]
pub(crate) struct Train {
    /// Folder of episodes, or of a LeRobot dataset (v3.0).
    #[arg(long, value_name = "DIR")]
    pub(crate) episodes: PathBuf,
    /// TOML file that says which features of a dataset are state, action and cameras.
    #[arg(long, value_name = "FILE")]
    pub(crate) features: Option<PathBuf>,
    /// Program that decodes a dataset's videos.
    #[arg(long, env = "TETRAD_FFMPEG", default_value = "ffmpeg", value_name = "FILE")]
    pub(crate) ffmpeg: PathBuf,
    /// Folder of the run. The same command goes on where it stopped, to the bit.
    #[arg(long, value_name = "DIR")]
    pub(crate) to: PathBuf,
    /// A policy whose weights a new run begins with.
    #[arg(long, value_name = "FILE")]
    pub(crate) from: Option<PathBuf>,
    /// Shape of the policy: tiny, small, medium; aloha for datasets like gym-aloha's.
    #[arg(long, default_value = "tiny")]
    pub(crate) shape: String,
    /// Folder of an open vision-language model whose features S2 learns to use besides its own; it stays as
    /// it is.
    #[arg(long, value_name = "DIR")]
    pub(crate) backbone: Option<PathBuf>,
    /// TOML file of a recipe (default: the one that `tiny` is trained with).
    #[arg(long, value_name = "FILE")]
    pub(crate) recipe: Option<PathBuf>,
    /// How old latents are when S1 learns with them, instead of as the recipe says: milliseconds, or a run
    /// whose S1s measured it (`robot run`).
    #[arg(long, value_name = "MS|RUN")]
    pub(crate) latent_age: Option<String>,
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

/// `tetrad robot run`.
#[derive(Debug, Args)]
pub(crate) struct Run {
    /// The policy's safetensors (default: the one that comes with the program).
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: Option<PathBuf>,
    /// Folder of the open model that the policy has learned with, if it has.
    #[arg(long, value_name = "DIR")]
    pub(crate) backbone: Option<PathBuf>,
    /// A task; repeat for several, which take turns. `handover` has two robots.
    #[arg(long = "task", value_name = "TASK", default_value = "pick-place")]
    pub(crate) tasks: Vec<String>,
    /// The first scene's seed.
    #[arg(long, default_value_t = 1_000_000)]
    pub(crate) seed: u64,
    /// For how long, from the moment all processes live.
    #[arg(long, default_value_t = 30, value_name = "S", value_parser = clap::value_parser!(u32).range(1..=86_400))]
    pub(crate) seconds: u32,
    /// How weights are kept.
    #[arg(long, value_enum, default_value = "f32")]
    pub(crate) precision: Precision,
    /// Which scenes.
    #[arg(long, value_enum, default_value = "held-out")]
    pub(crate) scenes: Scenes,
    /// In one process on a simulated clock: for machines that are too slow. S1 takes no time then.
    #[arg(long)]
    pub(crate) simulated_time: bool,
    /// Show attempts meanwhile in a rerun viewer at this address (`rerun+http://127.0.0.1:9876/proxy`), or
    /// write them to this file (`.rrd`).
    #[arg(long, value_name = "URL|FILE")]
    pub(crate) rerun: Option<String>,
    /// States, pictures, latents and actions go over iceoryx2, as services below this name.
    #[arg(long, value_name = "NAME", conflicts_with = "simulated_time")]
    pub(crate) iceoryx2: Option<String>,
    /// Open the report in a browser afterwards.
    #[arg(long)]
    pub(crate) open: bool,
}

/// `tetrad robot bench`.
#[derive(Debug, Args)]
pub(crate) struct Bench {
    /// Seconds of ticks for each scheduling class.
    #[arg(long, default_value_t = 10, value_name = "S", value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub(crate) seconds: u64,
    /// Work of a tick, in microseconds.
    #[arg(long, default_value_t = 3500, value_name = "US", value_parser = clap::value_parser!(u64).range(0..=4900))]
    pub(crate) work_micros: u64,
    /// Shape of the policy whose S1 and S2 are timed: tiny, small, medium, aloha, helix.
    #[arg(long, default_value = "tiny")]
    pub(crate) shape: String,
    /// How its weights are kept.
    #[arg(long, value_enum, default_value = "f32")]
    pub(crate) precision: Precision,
    /// Frames and thoughts that are timed.
    #[arg(long, default_value_t = 60, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) frames: u32,
}

/// What a process that this program starts of itself does.
#[derive(Debug, Subcommand)]
pub(crate) enum Part {
    /// The world.
    World {
        /// The plan.
        plan: PathBuf,
    },
    /// S2 of all robots.
    S2 {
        /// The plan.
        plan: PathBuf,
    },
    /// S1 of a robot.
    S1 {
        /// Which, from 0.
        robot: usize,
        /// The plan.
        plan: PathBuf,
    },
    /// Ticks to be measured; answers in JSON.
    Ticks {
        /// What to measure, in JSON.
        task: String,
    },
}

/// From which scenes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Scenes {
    /// New scenes of the kind that training shows.
    HeldOut,
    /// New scenes with objects, positions and phrasings that training never shows.
    Novel,
    /// New scenes with such objects, the rest as in training.
    NovelObjects,
    /// New scenes with such positions, the rest as in training.
    NovelPositions,
    /// New scenes with such phrasings, the rest as in training.
    NovelPhrases,
    /// Those that training shows.
    Train,
}

/// `tetrad robot eval`.
#[derive(Debug, Args)]
pub(crate) struct Eval {
    /// The policy's safetensors (default: the one that comes with the program).
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: Option<PathBuf>,
    /// Let scripted experts act, which see the simulator's state: what can be done at all.
    #[arg(long, conflicts_with_all = ["policy", "backbone", "swapped", "int8", "newest"])]
    pub(crate) expert: bool,
    /// Folder of the open model that the policy has learned with, if it has.
    #[arg(long, value_name = "DIR")]
    pub(crate) backbone: Option<PathBuf>,
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
    #[arg(long, default_value_t = 1, value_name = "TICKS")]
    pub(crate) act_every: u32,
    /// The newest chunk alone says what is done, not all that say something about the tick.
    #[arg(long)]
    pub(crate) newest: bool,
    /// How much less a chunk weighs than the one before it: the i-th from the oldest by exp(-M i).
    #[arg(
        long,
        default_value_t = 0.01,
        value_name = "M",
        allow_negative_numbers = true,
        conflicts_with = "newest"
    )]
    pub(crate) decay: f32,
    /// Give instructions that name another object and place: what succeeds then does not read.
    #[arg(long)]
    pub(crate) swapped: bool,
    /// Keep the first N attempts at each task on record, for `replay`.
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub(crate) record: u64,
    /// Weights and inputs of S1 and S2 as bytes.
    #[arg(long)]
    pub(crate) int8: bool,
    /// Attempts at once (default: cores).
    #[arg(long)]
    pub(crate) jobs: Option<usize>,
}

/// `tetrad robot ages`.
#[derive(Debug, Args)]
pub(crate) struct Ages {
    /// A policy and what it is called; repeat for several (default: the one that comes with the program).
    #[arg(long = "policy", value_name = "NAME=FILE")]
    pub(crate) policies: Vec<String>,
    /// Folder of the open model that policies among them have learned with, if some have.
    #[arg(long, value_name = "DIR")]
    pub(crate) backbone: Option<PathBuf>,
    /// Milliseconds from a frame to the latent that S2 makes of it.
    #[arg(long, value_delimiter = ',', default_value = "0,125,250,375,500", value_name = "MS,…")]
    pub(crate) ages: Vec<u32>,
    /// A task; repeat for several (default: all).
    #[arg(long = "task", value_name = "TASK")]
    pub(crate) tasks: Vec<String>,
    /// Attempts of each policy at each task and age, in the same scenes.
    #[arg(long, default_value_t = 50, value_name = "N")]
    pub(crate) attempts: u64,
    /// The first scene's seed.
    #[arg(long, default_value_t = 1_000_000)]
    pub(crate) seed: u64,
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
