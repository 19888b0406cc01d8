//! What several tests need: the fixture's model, and a genome with planted genes.

use std::ops::Range;

use nn::Precision;

use crate::annotation::{Feature, FeatureKind, Strand};
use crate::genes::Genome;
use crate::load;
use crate::model::StripedHyena;

pub(crate) fn tiny_model() -> StripedHyena {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/evo2_tiny");
    let weights = folder.join("weights.safetensors");
    load::model(&weights.to_string_lossy(), None, Precision::F32).expect("the fixture")
}

/// Bases that look random and are always the same.
pub(crate) fn bases(n: usize, seed: u64) -> Vec<u8> {
    let mut state = seed;
    let mut next = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        b"ACGT"[(state >> 62) as usize]
    };
    (0..n).map(|_| next()).collect()
}

/// A gene of `n_codons`: start, codons without a stop, stop.
pub(crate) fn gene(n_codons: usize) -> Vec<u8> {
    let inner = [&b"AAA"[..], b"GAA", b"CTG", b"TCA", b"GGC"];
    let codons = (0..n_codons - 2).map(|at| inner[at * at % 5]);
    [&b"ATG"[..]].into_iter().chain(codons).chain([&b"TAA"[..]]).flatten().copied().collect()
}

/// One sequence, `chr`.
pub(crate) fn genome(sequence: Vec<u8>) -> Genome {
    Genome::new([("chr".to_owned(), sequence)])
}

/// A complete coding sequence in one piece.
pub(crate) fn coding(sequence: &str, strand: Strand, part: Range<usize>) -> Feature {
    Feature {
        sequence: sequence.to_owned(),
        kind: FeatureKind::Cds,
        strand,
        parts: std::iter::once(part).collect(),
        gene: Some("x".to_owned()),
        phase: 0,
        partial: false,
        pseudo: false,
        code: None,
    }
}
