//! Arguments of the `tetrad kernels` commands that judge.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// `tetrad kernels convert`.
#[derive(Debug, Args)]
pub(crate) struct Convert {
    /// A bundled task, or a task's JSON file.
    pub(crate) task: String,
    /// Which schedule.
    #[arg(long, value_enum, default_value = "base")]
    pub(crate) schedule: Which,
    /// As CUDA C: one kernel per loop nest, and the list of launches in its head.
    #[arg(long)]
    pub(crate) cuda: bool,
    /// File to write to (default: standard output).
    #[arg(long, value_name = "FILE")]
    pub(crate) to: Option<PathBuf>,
}

/// `tetrad kernels cuda`.
#[derive(Debug, Args)]
pub(crate) struct Cuda {
    /// A bundled task, or a task's JSON file.
    pub(crate) task: String,
    /// CUDA C source (default: the task's base kernel).
    pub(crate) kernel: Option<PathBuf>,
    /// Compiler option for it; repeat for several.
    #[arg(long = "flag", value_name = "OPTION", allow_hyphen_values = true)]
    pub(crate) flags: Vec<String>,
    /// Architecture to compile for.
    #[arg(long, default_value = kernels::cuda::ARCHITECTURE)]
    pub(crate) architecture: String,
}

/// Schedules that need no search.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Which {
    /// One loop nest per operation, one thread.
    Base,
    /// What rules of thumb suggest.
    Sensible,
}

/// `tetrad kernels import`.
#[derive(Debug, Args)]
pub(crate) struct Import {
    /// A Python file with `Model`, `get_inputs` and `get_init_inputs`, or a `.pt2` archive. Python
    /// is run, with your rights.
    pub(crate) file: PathBuf,
    /// The task's file, `.json`.
    #[arg(long, value_name = "FILE")]
    pub(crate) to: PathBuf,
    /// Interpreter with torch; not needed for `.pt2`.
    #[arg(long, value_name = "FILE", default_value = "python3", env = "TETRAD_TORCH_PYTHON")]
    pub(crate) python: PathBuf,
    /// Keep the sizes of the file, however large.
    #[arg(long)]
    pub(crate) whole: bool,
    /// Where it comes from, for the task's record.
    #[arg(long, default_value = "")]
    pub(crate) source: String,
    /// Its licence.
    #[arg(long, default_value = "unknown")]
    pub(crate) licence: String,
}

/// `tetrad kernels verify` and `tetrad kernels time`.
#[derive(Debug, Args)]
pub(crate) struct Judged {
    /// A bundled task, or a task's JSON file.
    pub(crate) task: String,
    /// C source of the kernel (default: the schedule that rules of thumb suggest).
    pub(crate) kernel: Option<PathBuf>,
    /// Compiler option for it; repeat for several.
    #[arg(long = "flag", value_name = "OPTION", allow_hyphen_values = true)]
    pub(crate) flags: Vec<String>,
}

/// `tetrad kernels time`.
#[derive(Debug, Args)]
pub(crate) struct Time {
    #[command(flatten)]
    pub(crate) judged: Judged,
    /// The module that the task was made of, to be timed beside the kernel.
    #[arg(long, value_name = "FILE")]
    pub(crate) module: Option<PathBuf>,
    /// Interpreter with torch.
    #[arg(long, value_name = "FILE", default_value = "python3", env = "TETRAD_TORCH_PYTHON")]
    pub(crate) python: PathBuf,
    /// Beside `torch.compile` too.
    #[arg(long, requires = "module")]
    pub(crate) compiled: bool,
}

/// `tetrad kernels table`.
#[derive(Debug, Args)]
pub(crate) struct Table {
    /// Bundled tasks by name, or files of tasks; all bundled ones when absent.
    pub(crate) tasks: Vec<String>,
    /// Folder of the modules that imported tasks were made of, named like the tasks.
    #[arg(long, value_name = "DIR")]
    pub(crate) modules: Option<PathBuf>,
    /// Interpreter with torch (default with the options above and below: python3); without, kernels
    /// are compared with their base only. A bundled task is timed beside a module that comes with
    /// the program, one that has no module beside its graph.
    #[arg(long, value_name = "FILE", env = "TETRAD_TORCH_PYTHON")]
    pub(crate) python: Option<PathBuf>,
    /// Beside `torch.compile` too.
    #[arg(long)]
    pub(crate) compiled: bool,
    /// Evaluations of each search.
    #[arg(long, default_value_t = 128)]
    pub(crate) evaluations: u64,
    /// Best of as many independent draws beside it.
    #[arg(long)]
    pub(crate) ablation: bool,
    /// Seed of every choice.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
}
