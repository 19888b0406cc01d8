//! Sequences to train on and to be tested on, in one folder.
//!
//! [`build`] makes it from FASTA and GenBank files, [`Corpus`] opens it, [`Sampler`] draws windows to
//! train on, [`Corpus::evaluation_windows`] lays out fixed ones. A species is in one split, whole:
//! strains of one species are nearly the same text, so windows of one genome say nothing about
//! another of its kind.
//!
//! The folder holds one file of bases a split (`train.bases`, one byte a base) and `corpus.json`,
//! which says whose they are. Bit 7 of a byte says that the base lies in a gene; the rest is the letter,
//! in lower case where the file marks a repeat.

mod annotate;
mod build;
mod list;
mod overlap;
mod sampler;
mod windows;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

pub use annotate::Programs;
pub use build::{Watch, build};
pub use list::{Input, List, SpeciesInput};
pub use overlap::{Overlap, WORD_BASES};
pub use sampler::{Sampler, Sampling};
pub use windows::{Place, REPEAT_WEIGHT, Window};

use crate::annotation::Strand;
use crate::error::Error;

/// Of `corpus.json`. 1: the first; 2: with start codons.
pub const VERSION: u32 = 2;

/// Set in the byte of a base that lies in a gene.
const GENIC: u8 = 0x80;

/// What a sequence is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Split {
    /// To train on.
    Train,
    /// To choose by: when to stop, which settings.
    Valid,
    /// To report.
    Test,
}

impl Split {
    /// All of them.
    pub const ALL: [Split; 3] = [Split::Train, Split::Valid, Split::Test];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Valid => "valid",
            Self::Test => "test",
        }
    }

    fn file(self) -> String {
        format!("{}.bases", self.name())
    }
}

/// One species.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Species {
    /// Its name.
    pub name: String,
    /// Where all its sequences are.
    pub split: Split,
    /// Text that may stand before its windows, such as `|D__BACTERIA;...|`.
    pub tag: Option<String>,
    /// Its genetic code, by NCBI's number.
    pub code: u8,
}

/// Where the genes of a sequence are known from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// Its GenBank record.
    Genbank,
    /// A GFF file that was given with it.
    Gff,
    /// Programs that predict them: `annotation/` has what they said.
    Predicted,
    /// Nowhere.
    None,
}

/// One sequence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sequence {
    /// As its file has it.
    pub name: String,
    /// The rest of its header.
    pub description: Option<String>,
    /// Which of the species.
    pub species: usize,
    /// Name of its file.
    pub file: String,
    /// First byte in the file of its split.
    pub offset: usize,
    /// Bases.
    pub n_bases: usize,
    /// Of them in genes.
    pub n_genic: usize,
    /// Of them in lower case.
    pub n_lower: usize,
    /// Of them neither A, C, G nor T.
    pub n_other: usize,
    /// Where its genes are known from.
    pub annotation: Source,
    /// Predicted genes, relative to the corpus.
    pub features: Option<PathBuf>,
    /// Of its bases in upper case.
    pub sha256: String,
    /// First bases of start codons of complete genes on the forward strand, ascending.
    pub starts: Vec<usize>,
    /// The same on the reverse strand, as positions on the forward strand.
    pub reverse_starts: Vec<usize>,
}

/// The file of a split.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bases {
    /// Bytes, one a base.
    pub n_bases: usize,
    /// Of the file.
    pub sha256: String,
}

/// `corpus.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Index {
    /// [`VERSION`].
    pub version: u32,
    /// What wrote it.
    pub tetrad: String,
    /// Programs that predicted genes, with their versions.
    pub programs: BTreeMap<String, String>,
    /// Of everything that was asked for, and of the files that were read.
    pub digest: String,
    /// Files, by split.
    pub splits: BTreeMap<Split, Bases>,
    /// In the order they were given.
    pub species: Vec<Species>,
    /// By species, in the order they were given.
    pub sequences: Vec<Sequence>,
}

/// A corpus, in memory.
#[derive(Debug)]
pub struct Corpus {
    index: Index,
    bases: BTreeMap<Split, Vec<u8>>,
}

impl Corpus {
    /// Opens a folder and reads all of it; what is damaged is refused.
    ///
    /// # Errors
    /// If it cannot be read, is of another version, or is not what its index says.
    pub fn open(folder: &Path) -> Result<Corpus, Error> {
        let index = Index::load(folder)?;
        let mut bases = BTreeMap::new();
        for (split, said) in &index.splits {
            let path = folder.join(split.file());
            let read = std::fs::read(&path).map_err(|source| Error::File {
                action: "open corpus",
                path: path.clone(),
                source,
            })?;
            if read.len() != said.n_bases || hex(&Sha256::digest(&read)) != said.sha256 {
                let reason = "it is not what `corpus.json` says it was".to_owned();
                return Err(Error::Corpus { action: "open corpus", path, reason });
            }
            bases.insert(*split, read);
        }
        Ok(Corpus { index, bases })
    }

    /// What it holds.
    pub fn index(&self) -> &Index {
        &self.index
    }

    /// The species of a sequence.
    pub fn species_of(&self, sequence: usize) -> &Species {
        &self.index.species[self.index.sequences[sequence].species]
    }

    /// Numbers of the sequences of a split.
    pub fn sequences_in(&self, split: Split) -> impl Iterator<Item = usize> {
        (0..self.index.sequences.len()).filter(move |idx| self.species_of(*idx).split == split)
    }

    /// The stored bytes of a sequence.
    fn stored(&self, sequence: usize) -> &[u8] {
        let Sequence { offset, n_bases, .. } = self.index.sequences[sequence];
        &self.bases[&self.species_of(sequence).split][offset..offset + n_bases]
    }

    /// A sequence as its file has it, repeats in lower case.
    pub fn sequence(&self, sequence: usize) -> Vec<u8> {
        self.stored(sequence).iter().map(|byte| byte & !GENIC).collect()
    }

    /// Which bases of a sequence lie in genes.
    pub fn genic(&self, sequence: usize) -> Vec<bool> {
        self.stored(sequence).iter().map(|byte| byte & GENIC != 0).collect()
    }
}

impl Index {
    /// Reads `corpus.json` alone.
    ///
    /// # Errors
    /// If it cannot be read, or is of another version.
    pub fn load(folder: &Path) -> Result<Index, Error> {
        let path = folder.join("corpus.json");
        let text = std::fs::read_to_string(&path).map_err(|source| Error::File {
            action: "open corpus",
            path: path.clone(),
            source,
        })?;
        let wrong =
            |reason: String| Error::Corpus { action: "open corpus", path: path.clone(), reason };
        let index: Index =
            serde_json::from_str(&text).map_err(|error| wrong(format!("no index: {error}")))?;
        if index.version != VERSION {
            let reason = format!("format {}, and this reads {VERSION}", index.version);
            return Err(wrong(reason));
        }
        index.check().map_err(wrong)?;
        Ok(index)
    }

    /// Whether every sequence lies where its species says.
    fn check(&self) -> Result<(), String> {
        for sequence in &self.sequences {
            let end = sequence.offset.checked_add(sequence.n_bases);
            let inside = self
                .species
                .get(sequence.species)
                .and_then(|species| self.splits.get(&species.split))
                .is_some_and(|bases| end.is_some_and(|end| end <= bases.n_bases));
            if !inside || sequence.n_bases == 0 {
                return Err(format!("`{}` does not lie in the file of its split", sequence.name));
            }
        }
        Ok(())
    }
}

/// A digest as text.
fn hex(digest: &[u8]) -> String {
    use std::fmt::Write;
    digest.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests;
