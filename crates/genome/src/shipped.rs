//! What comes with the program: a small trained model, and a genome to try it on.

use nn::weights::File;

use crate::error::Error;

/// Name of the model in place of a file: trained by `recipes/small.toml`, its card is
/// `models/README.md`.
pub const SMALL: &str = "small";

/// Phage lambda, NC_001416.1, 48,502 bases: gzipped FASTA. Its provenance is in `data/README.md`; no
/// shipped model was trained on it.
pub const LAMBDA_FASTA: &[u8] = include_bytes!("../data/lambda.fa.gz");

/// Its coding sequences as Prodigal 2.6.3 predicts them: GFF3.
pub const LAMBDA_GFF: &[u8] = include_bytes!("../data/lambda.gff");

/// The model's weights.
///
/// # Errors
/// Never, unless the program was built from a damaged file.
pub fn small() -> Result<File, Error> {
    Ok(File::built(SMALL, include_bytes!("../models/small.safetensors"))?)
}
