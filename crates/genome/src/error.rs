//! What can go wrong.

use std::path::PathBuf;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Weights could not be read.
    #[error(transparent)]
    Weights(#[from] nn::Error),
    /// A configuration that is no StripedHyena 2.
    #[error("failed to read configuration: {reason}")]
    Config {
        /// What is wrong.
        reason: String,
    },
    /// The model would give degraded numbers.
    #[error(
        "failed to load `{model}`: it was trained with FP8 input projections, whose scales are not \
         read here, and without them its accuracy falls to that of chance"
    )]
    NeedsFp8 {
        /// Its name.
        model: String,
    },
    /// The file system refused.
    #[error("failed to {action}: {source}: {}", path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A malformed record; those after it can be read.
    #[error("failed to read record: {reason}: {}:{line}", path.display())]
    Record {
        /// The file.
        path: PathBuf,
        /// Line where the record begins, from 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },
    /// A reference that cannot be used, or an index that does not fit it.
    #[error("failed to read reference: {reason}: {}:{line}", path.display())]
    Reference {
        /// The FASTA or its index.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },
    /// An unfinished table of other settings is in the way.
    #[error("failed to go on with a table: it was begun with other settings: {}", path.display())]
    OtherTable {
        /// The unfinished file.
        path: PathBuf,
    },
    /// A checkpoint of another training run is in the way.
    #[error("failed to go on with training: the checkpoint is of other settings or another corpus: {}", path.display())]
    OtherRun {
        /// The checkpoint.
        path: PathBuf,
    },
    /// Training gave no numbers.
    #[error("failed to train: the gradient of step {step} is not finite")]
    Diverged {
        /// The step.
        step: u64,
    },
    /// A list of species that makes no corpus.
    #[error("failed to read list of species: {reason}: {}{}", path.display(), at(*line))]
    Species {
        /// The file, or where the list comes from.
        path: PathBuf,
        /// Line in it, from 1.
        line: Option<usize>,
        /// What is wrong.
        reason: String,
    },
    /// A folder that holds no whole corpus, or another one.
    #[error("failed to {action}: {reason}: {}", path.display())]
    Corpus {
        /// What was tried.
        action: &'static str,
        /// The folder or file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A program that was called failed.
    #[error("failed to run `{program}`: {reason}")]
    Program {
        /// Its name.
        program: &'static str,
        /// What it ended with or said.
        reason: String,
    },
    /// The user stopped it.
    #[error("interrupted")]
    Interrupted,
}

fn at(line: Option<usize>) -> String {
    line.map_or(String::new(), |line| format!(":{line}"))
}
