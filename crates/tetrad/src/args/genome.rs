//! Arguments of `tetrad genome`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::genome_study;

/// `tetrad genome`.
#[derive(Debug, Subcommand)]
pub(crate) enum Genome {
    /// Log-likelihoods of sequences, each and per base.
    Score(Score),
    /// How much less likely variants make a sequence.
    Variants(Variants),
    /// New sequence after prompts.
    Generate(Generate),
    /// A layer's activations as features of sequences.
    Embed(Embed),
    /// Train a model on a corpus.
    Train(Train),
    /// What mutations around start and stop codons do.
    Profile(genome_study::Profile),
    /// Kinds of mutation in genes, from synonymous to frameshift, by how much they matter.
    Effects(genome_study::Effects),
    /// Whether a needle in a long haystack is recalled.
    Needle(genome_study::Needle),
    /// Build a corpus from FASTA and GenBank files, split by species, or say what one holds.
    Data(Data),
    /// Bits per base of Markov chains, and of a model, on the species that a corpus holds out.
    Baselines(Baselines),
    /// What a model or a file of weights is.
    Info(Model),
    /// Write a checkpoint as safetensors that carry their configuration.
    Convert(Convert),
    /// List the published models.
    Models,
}

/// Which model, and how it is run.
#[derive(Debug, Args)]
pub(crate) struct Model {
    /// Weights: `small` (the model that comes with the program: bacteria), safetensors, an official
    /// `.pt` (or its `.part0`), or `random:SEED`.
    #[arg(long, value_name = "FILE", default_value = "small")]
    pub(crate) model: String,
    /// A published model's name, or a JSON file with the official field names (default: what the
    /// weights say, or `config.json` beside them).
    #[arg(long, value_name = "NAME")]
    pub(crate) config: Option<String>,
    /// How weights are kept.
    #[arg(long, value_enum, default_value = "f32")]
    pub(crate) precision: Precision,
    /// Threads (default: cores).
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<usize>,
}

/// How weights are kept.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Precision {
    /// 32-bit floats.
    F32,
    /// bfloat16.
    Bf16,
    /// Bytes.
    Int8,
}

impl From<Precision> for nn::Precision {
    fn from(precision: Precision) -> Self {
        match precision {
            Precision::F32 => Self::F32,
            Precision::Bf16 => Self::Bf16,
            Precision::Int8 => Self::Int8,
        }
    }
}

/// What becomes of a malformed record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum OnError {
    /// It is left out, and named on stderr; the exit code is 4.
    Skip,
    /// Nothing after it is done; what was done before it is kept.
    Stop,
}

/// `tetrad genome score`.
#[derive(Debug, Args)]
pub(crate) struct Score {
    #[command(flatten)]
    pub(crate) model: Model,
    /// FASTA, plain or gzipped; `-` is stdin.
    #[arg(required = true, value_name = "FASTA")]
    pub(crate) sequences: Vec<PathBuf>,
    /// Table to write, as text or, if its name ends in `.parquet`, as Parquet (default: stdout, which
    /// cannot be gone on with). An interrupted one goes on with the same command.
    #[arg(long, value_name = "FILE")]
    pub(crate) to: Option<PathBuf>,
    /// Also write every base: sequence, start, end, base, log-likelihood in nats (BED columns), as
    /// text or, if its name ends in `.parquet`, as Parquet.
    #[arg(long, value_name = "FILE", conflicts_with = "both_strands")]
    pub(crate) per_base: Option<PathBuf>,
    /// Score the reverse complement too, and average.
    #[arg(long)]
    pub(crate) both_strands: bool,
    /// What computes: `cpu`, or `cuda` or `cuda:N`, a GPU (feature `cuda`): in f32, each sequence whole,
    /// so that its length is bounded by the GPU's memory.
    #[arg(long, value_name = "DEVICE", default_value = "cpu")]
    pub(crate) device: String,
    /// Text before every sequence, such as a species tag; it is not scored itself.
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub(crate) tag: String,
    /// What becomes of a malformed record.
    #[arg(long, value_enum, default_value = "stop")]
    pub(crate) on_error: OnError,
}

/// How variants are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum VariantsAs {
    /// The VCF as it was, with INFO/TETRAD_DLL.
    Vcf,
    /// One row an allele.
    Tsv,
}

/// `tetrad genome variants`.
#[derive(Debug, Args)]
pub(crate) struct Variants {
    #[command(flatten)]
    pub(crate) model: Model,
    /// VCF, plain or gzipped; `-` is stdin.
    #[arg(value_name = "VCF")]
    pub(crate) variants: PathBuf,
    /// The reference that it was called against: FASTA, plain or gzipped. A plain one with its index
    /// (`.fai`) beside it stays on disk.
    #[arg(long, value_name = "FASTA")]
    pub(crate) reference: PathBuf,
    /// Bases in each window.
    #[arg(long, default_value_t = 8192, value_name = "BASES")]
    pub(crate) window: usize,
    /// What is written.
    #[arg(long, value_enum, default_value = "tsv")]
    pub(crate) r#as: VariantsAs,
    /// File to write; rows as Parquet if its name ends in `.parquet` (default: stdout, which cannot be
    /// gone on with). An interrupted one goes on with the same command.
    #[arg(long, value_name = "FILE")]
    pub(crate) to: Option<PathBuf>,
    /// What becomes of a malformed line, or one that does not fit the reference.
    #[arg(long, value_enum, default_value = "stop")]
    pub(crate) on_error: OnError,
}

/// `tetrad genome embed`.
#[derive(Debug, Args)]
pub(crate) struct Embed {
    #[command(flatten)]
    pub(crate) model: Model,
    /// FASTA, plain or gzipped; `-` is stdin.
    #[arg(required = true, value_name = "FASTA")]
    pub(crate) sequences: Vec<PathBuf>,
    /// `embedding_layer`, `blocks.N` (the residual stream after a layer), `blocks.N.mlp.l3` (what its
    /// MLP adds), or `norm`.
    #[arg(long, value_name = "NAME")]
    pub(crate) layer: String,
    /// Keep every base instead of the mean.
    #[arg(long)]
    pub(crate) per_base: bool,
    /// Text before every sequence, such as a species tag; it is not kept itself.
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub(crate) tag: String,
    /// `.npy` (all rows, with a `.tsv` that says whose they are) or `.safetensors` (one tensor a
    /// sequence).
    #[arg(long, value_name = "FILE")]
    pub(crate) to: PathBuf,
    /// What becomes of a malformed record.
    #[arg(long, value_enum, default_value = "stop")]
    pub(crate) on_error: OnError,
}

/// `tetrad genome generate`.
#[derive(Debug, Args)]
pub(crate) struct Generate {
    #[command(flatten)]
    pub(crate) model: Model,
    /// A prompt; may be given several times.
    #[arg(long, value_name = "BASES", required_unless_present = "prompts")]
    pub(crate) prompt: Vec<String>,
    /// FASTA of prompts.
    #[arg(long, value_name = "FASTA")]
    pub(crate) prompts: Option<PathBuf>,
    /// Text before every prompt, such as a species tag.
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub(crate) tag: String,
    /// Sequences per prompt.
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub(crate) copies: usize,
    /// Tokens to add to each.
    #[arg(long, default_value_t = 500, value_name = "N")]
    pub(crate) n: usize,
    /// Divides logits; 0 takes the likeliest token.
    #[arg(long, default_value_t = 1.0)]
    pub(crate) temperature: f32,
    /// Only that many of the likeliest tokens; 0 is all.
    #[arg(long, default_value_t = 4, value_name = "N")]
    pub(crate) top_k: usize,
    /// Only the likeliest tokens that together reach this probability.
    #[arg(long, default_value_t = 1.0, value_name = "P")]
    pub(crate) top_p: f32,
    /// Allow tokens other than A, C, G and T.
    #[arg(long)]
    pub(crate) any_token: bool,
    /// Seed of everything random.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// FASTA to write (default: stdout).
    #[arg(long, value_name = "FILE")]
    pub(crate) to: Option<PathBuf>,
}

/// `tetrad genome train`.
#[derive(Debug, Args)]
pub(crate) struct Train {
    /// Folder of a corpus, from `tetrad genome data`.
    #[arg(value_name = "CORPUS")]
    pub(crate) corpus: PathBuf,
    /// Folder for the log, the checkpoint and the model. An interrupted run goes on with the same
    /// command.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) to: PathBuf,
    /// TOML with the model's shape, the steps and how windows are drawn (default: that of the model
    /// that is shipped, `crates/genome/recipes/small.toml`).
    #[arg(long, value_name = "FILE")]
    pub(crate) recipe: Option<PathBuf>,
    /// Begin with a model's weights instead of drawn ones.
    #[arg(long, value_name = "FILE")]
    pub(crate) from: Option<PathBuf>,
    /// The equal-size Transformer instead: attention in every layer.
    #[arg(long)]
    pub(crate) transformer: bool,
    /// Steps of the first stage, instead of the recipe's; later stages in proportion.
    #[arg(long, value_name = "N")]
    pub(crate) steps: Option<u64>,
    /// Seed, instead of the recipe's.
    #[arg(long)]
    pub(crate) seed: Option<u64>,
    /// Threads (default: cores).
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<usize>,
}

/// `tetrad genome data`.
#[derive(Debug, Args)]
pub(crate) struct Data {
    /// The corpus: a folder. Without `--list` or `--species` it is shown.
    #[arg(value_name = "FOLDER")]
    pub(crate) corpus: PathBuf,
    /// TOML: `[[species]]` with `name`, `split` (train, valid or test), `files` (paths, or
    /// `{ path, annotation }`), and perhaps `tag` and `code`.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["species", "valid", "test"])]
    pub(crate) list: Option<PathBuf>,
    /// A species to train on and a file of it: FASTA or GenBank, with a GFF if there is one. May be
    /// given several times.
    #[arg(long, value_name = "NAME=FILE[,GFF]")]
    pub(crate) species: Vec<String>,
    /// A species to choose by instead.
    #[arg(long, value_name = "NAME", requires = "species")]
    pub(crate) valid: Vec<String>,
    /// A species to test on instead.
    #[arg(long, value_name = "NAME", requires = "species")]
    pub(crate) test: Vec<String>,
    /// Predict no genes where none are given.
    #[arg(long)]
    pub(crate) no_prediction: bool,
    /// What becomes of a malformed record or line.
    #[arg(long, value_enum, default_value = "stop")]
    pub(crate) on_error: OnError,
}

/// `tetrad genome baselines`.
#[derive(Debug, Args)]
pub(crate) struct Baselines {
    /// The corpus: a folder that `tetrad genome data` built.
    #[arg(value_name = "FOLDER")]
    pub(crate) corpus: PathBuf,
    /// Also this model, on the same windows: as `--model` elsewhere.
    #[arg(long, value_name = "FILE")]
    pub(crate) model: Option<String>,
    /// Its configuration, where its weights do not say.
    #[arg(long, value_name = "NAME", requires = "model")]
    pub(crate) config: Option<String>,
    /// How its weights are kept.
    #[arg(long, value_enum, default_value = "f32")]
    pub(crate) precision: Precision,
    /// Bases before the one that is predicted.
    #[arg(long, value_delimiter = ',', default_value = "2,5,8,11", value_name = "N")]
    pub(crate) orders: Vec<usize>,
    /// Bases predicted in each window.
    #[arg(long, default_value_t = 1024, value_name = "BASES")]
    pub(crate) length: usize,
    /// Windows of each species, at most.
    #[arg(long, default_value_t = 1000, value_name = "N")]
    pub(crate) windows: usize,
    /// Of the windows' places and of the intervals.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
}

/// `tetrad genome convert`.
#[derive(Debug, Args)]
pub(crate) struct Convert {
    /// The checkpoint: an official `.pt`, its `.part0`, or safetensors.
    #[arg(value_name = "FROM")]
    pub(crate) from: PathBuf,
    /// The file to write.
    #[arg(value_name = "TO")]
    pub(crate) to: PathBuf,
    /// A published model's name, or a JSON file (default: as for `--model` elsewhere).
    #[arg(long, value_name = "NAME")]
    pub(crate) config: Option<String>,
}
