//! Arguments of `tetrad genome profile`, `effects` and `needle`: what a model knows.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::genome::{Model, OnError};

/// A genome and its genes.
#[derive(Debug, Args)]
pub(crate) struct Genes {
    /// FASTA, plain or gzipped, or a GenBank file with its features.
    #[arg(long, value_name = "FILE")]
    pub(crate) sequences: PathBuf,
    /// GFF3 or GenBank features of those sequences (default: those in the GenBank file).
    #[arg(long, value_name = "FILE")]
    pub(crate) annotation: Option<PathBuf>,
    /// Genes to draw.
    #[arg(long, default_value_t = 100, value_name = "N")]
    pub(crate) genes: usize,
    /// Genetic code where the annotation names none: 1 (standard), 4 or 11 (bacteria).
    #[arg(long, default_value_t = 11, value_name = "NUMBER")]
    pub(crate) code: u8,
    /// What becomes of a malformed record or feature.
    #[arg(long, value_enum, default_value = "stop")]
    pub(crate) on_error: OnError,
}

/// How windows are made, and where results go.
#[derive(Debug, Args)]
pub(crate) struct Windows {
    /// Bases read before the first mutated one.
    #[arg(long, default_value_t = 512, value_name = "BASES")]
    pub(crate) context: usize,
    /// Bases scored after a mutation.
    #[arg(long, default_value_t = 128, value_name = "BASES")]
    pub(crate) after: usize,
    /// Text before every window, such as a species tag; it is not scored itself.
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub(crate) tag: String,
    /// Seed of everything random.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Folder for the table and the page. An interrupted table goes on with the same command.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) to: PathBuf,
}

/// What a profile is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Control {
    /// As many places anywhere in the genome.
    Elsewhere,
    /// The same sites under random weights of the same shape.
    Random,
    /// Nothing.
    None,
}

/// `tetrad genome profile`.
#[derive(Debug, Args)]
pub(crate) struct Profile {
    #[command(flatten)]
    pub(crate) model: Model,
    #[command(flatten)]
    pub(crate) genes: Genes,
    #[command(flatten)]
    pub(crate) windows: Windows,
    /// Replace each base by one other, drawn at random, and not by all three.
    #[arg(long)]
    pub(crate) one_alternative: bool,
    /// Controls, separated by commas.
    #[arg(long, value_enum, value_delimiter = ',', default_value = "elsewhere")]
    pub(crate) control: Vec<Control>,
}

/// What mutations are compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum WeightsControl {
    /// The same mutations under random weights of the same shape.
    Random,
}

/// `tetrad genome effects`.
#[derive(Debug, Args)]
pub(crate) struct Effects {
    #[command(flatten)]
    pub(crate) model: Model,
    #[command(flatten)]
    pub(crate) genes: Genes,
    #[command(flatten)]
    pub(crate) windows: Windows,
    /// Codons to draw from each gene.
    #[arg(long, default_value_t = 4, value_name = "N")]
    pub(crate) codons: usize,
    /// A control.
    #[arg(long, value_enum)]
    pub(crate) control: Option<WeightsControl>,
}

/// `tetrad genome needle`.
#[derive(Debug, Args)]
pub(crate) struct Needle {
    #[command(flatten)]
    pub(crate) model: Model,
    /// Bases of the whole sequence, separated by commas.
    #[arg(long, value_delimiter = ',', default_value = "1024,4096,16384", value_name = "BASES")]
    pub(crate) lengths: Vec<usize>,
    /// Bases of the needle.
    #[arg(long, default_value_t = 100, value_name = "BASES")]
    pub(crate) needle: usize,
    /// Its first bases, repeated at the end (default: half of it).
    #[arg(long, value_name = "BASES")]
    pub(crate) query: Option<usize>,
    /// Depths, evenly from the beginning to the end.
    #[arg(long, default_value_t = 5, value_name = "N")]
    pub(crate) depths: usize,
    /// Haystacks of each length.
    #[arg(long, default_value_t = 10, value_name = "N")]
    pub(crate) repeats: usize,
    /// FASTA to take haystacks from (default: random bases).
    #[arg(long, value_name = "FASTA")]
    pub(crate) haystack: Option<PathBuf>,
    /// Seed of everything random.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Folder for the table and the page. An interrupted table goes on with the same command.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) to: PathBuf,
}
