//! What is known of sequences: genes and their parts, from GFF3 and GenBank files.
//!
//! Places are offsets from 0 and half-open ranges here, whatever a file counts from. Only what says
//! where genes lie is kept; a file's other rows are passed over.

pub mod genbank;
pub mod gff;
mod location;

use std::ops::Range;

/// Which strand a feature is read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Strand {
    /// The one that is written.
    Forward,
    /// Its reverse complement.
    Reverse,
}

/// What a feature is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FeatureKind {
    /// A gene of any kind, from end to end.
    Gene,
    /// The coding part of a protein's gene.
    Cds,
    /// A transfer RNA.
    TRna,
    /// A ribosomal RNA.
    RRna,
    /// Another RNA that is not translated.
    Rna,
}

impl FeatureKind {
    /// From the name that GFF3 and GenBank give it; `None` for what is not kept.
    fn named(name: &[u8]) -> Option<FeatureKind> {
        Some(match name {
            b"gene" | b"pseudogene" | b"ncRNA_gene" => Self::Gene,
            b"CDS" => Self::Cds,
            b"tRNA" => Self::TRna,
            b"rRNA" => Self::RRna,
            b"tmRNA" | b"ncRNA" | b"SRP_RNA" | b"RNase_P_RNA" | b"antisense_RNA" | b"snRNA"
            | b"snoRNA" | b"lncRNA" | b"miRNA" => Self::Rna,
            _ => return None,
        })
    }
}

/// One feature of a sequence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Feature {
    /// Name of the record that it lies in.
    pub sequence: String,
    /// What it is.
    pub kind: FeatureKind,
    /// Where it is read from.
    pub strand: Strand,
    /// Its parts, ascending on the forward strand whatever strand it is on; at least one, none empty.
    pub parts: Vec<Range<usize>>,
    /// Its gene's name, or the name of its place (`locus_tag`).
    pub gene: Option<String>,
    /// Bases to skip, in its own direction, to the first whole codon.
    pub phase: u8,
    /// Whether it begins or ends beyond what is known, or its parts do not follow one another on one
    /// strand (over the origin of a circle, say): its parts joined are no whole gene.
    pub partial: bool,
    /// Whether it is said to be a pseudogene.
    pub pseudo: bool,
    /// The genetic code that the file names, by its NCBI number.
    pub code: Option<u8>,
}

impl Feature {
    /// Where a complete coding sequence begins: the first base of its start codon, on the forward
    /// strand. `None` of anything else, and where it is not known.
    pub fn start(&self) -> Option<usize> {
        let whole =
            self.kind == FeatureKind::Cds && !self.partial && !self.pseudo && self.phase == 0;
        let span = self.span();
        match self.strand {
            Strand::Forward if whole => Some(span.start),
            Strand::Reverse if whole => span.end.checked_sub(1),
            _ => None,
        }
    }

    /// Bases in its parts.
    pub fn n_bases(&self) -> usize {
        self.parts.iter().map(Range::len).sum()
    }

    /// From its first base to its last.
    pub fn span(&self) -> Range<usize> {
        let first = self.parts.first().map_or(0, |part| part.start);
        let last = self.parts.iter().map(|part| part.end).max().unwrap_or(first);
        first..last
    }

    /// Its bases in its own direction, introns left out; `None` if it does not lie in the sequence.
    pub fn bases(&self, sequence: &[u8]) -> Option<Vec<u8>> {
        let mut bases = Vec::with_capacity(self.n_bases());
        for part in &self.parts {
            bases.extend_from_slice(sequence.get(part.clone())?);
        }
        Some(match self.strand {
            Strand::Forward => bases,
            Strand::Reverse => crate::fasta::reverse_complement(&bases),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bases_are_joined_and_turned() {
        let mut feature = Feature {
            sequence: "a".to_owned(),
            kind: FeatureKind::Cds,
            strand: Strand::Forward,
            parts: vec![1..3, 4..6],
            gene: None,
            phase: 0,
            partial: false,
            pseudo: false,
            code: None,
        };
        assert_eq!(feature.bases(b"AACGTTA").as_deref(), Some(&b"ACTT"[..]));
        feature.strand = Strand::Reverse;
        assert_eq!(feature.bases(b"AACGTTA").as_deref(), Some(&b"AAGT"[..]));
        assert_eq!(feature.bases(b"AACGT"), None);
        assert_eq!((feature.n_bases(), feature.span()), (4, 1..6));
    }
}
