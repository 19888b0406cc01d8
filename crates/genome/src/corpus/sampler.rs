//! Windows to train on.
//!
//! The window of a step and a place in its batch follows from the seed alone, so a run that goes on
//! after an interruption sees what it would have seen, and threads may ask in any order.

use std::sync::Arc;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{Corpus, GENIC, Place, REPEAT_WEIGHT, Split, Strand, Window};
use crate::error::Error;

/// A place that is turned down so often is taken: gene deserts exist.
const MOST_TRIES: usize = 64;

/// How windows are drawn.
#[derive(Debug, Clone, PartialEq)]
pub struct Sampling {
    /// From where.
    pub split: Split,
    /// Tokens that are read, and as many that are predicted.
    pub length: usize,
    /// Of everything random.
    pub seed: u64,
    /// How much likelier a window that lies in genes is than one that lies in none; at least 1.
    /// Sequences without annotation are drawn evenly.
    pub genic_weight: f64,
    /// A species is drawn by its bases to this power: 1 is by size, 0 makes all alike.
    pub species_exponent: f64,
    /// Share of windows that begin with their species' tag, where it has one.
    pub tag_share: f64,
    /// Share of windows that a start codon lies in for sure, read from its own strand, where the
    /// drawn sequence has any.
    pub start_share: f64,
}

impl Sampling {
    /// Of a length, from the training split, with the weights that are usual here.
    pub fn of_length(length: usize, seed: u64) -> Sampling {
        Sampling {
            split: Split::Train,
            length,
            seed,
            genic_weight: 4.0,
            species_exponent: 0.5,
            tag_share: 0.0,
            start_share: 0.0,
        }
    }
}

/// Draws windows.
#[derive(Debug)]
pub struct Sampler {
    corpus: Arc<Corpus>,
    sampling: Sampling,
    /// Running sums of weights, and the sequences with running sums of bases.
    species: Vec<(f64, Vec<(usize, usize)>)>,
}

impl Sampler {
    /// Draws from a corpus.
    ///
    /// # Errors
    /// If the split holds nothing, or a setting is out of its range.
    pub fn try_new(corpus: Arc<Corpus>, sampling: Sampling) -> Result<Sampler, Error> {
        let refused = |reason: &str| Error::Config { reason: reason.to_owned() };
        if sampling.length == 0 {
            return Err(refused("windows of no tokens"));
        }
        if !(sampling.genic_weight >= 1.0 && sampling.genic_weight.is_finite()) {
            return Err(refused("a weight of genes below 1"));
        }
        let shares = [sampling.tag_share, sampling.start_share, sampling.species_exponent];
        if !shares.iter().all(|share| (0.0..=1.0).contains(share)) {
            return Err(refused(
                "a share of tags or starts, or an exponent of species, not from 0 to 1",
            ));
        }
        let mut species: Vec<(f64, Vec<(usize, usize)>)> = Vec::new();
        let mut reached = 0.0;
        for idx in 0..corpus.index().species.len() {
            let mut n_bases = 0;
            let mut sequences = Vec::new();
            for at in corpus.sequences_in(sampling.split) {
                let sequence = &corpus.index().sequences[at];
                if sequence.species == idx {
                    n_bases += sequence.n_bases;
                    sequences.push((n_bases, at));
                }
            }
            if n_bases > 0 {
                reached += (n_bases as f64).powf(sampling.species_exponent);
                species.push((reached, sequences));
            }
        }
        if species.is_empty() {
            let name = sampling.split.name();
            return Err(refused(&format!("the corpus has no sequences in `{name}`")));
        }
        // Without any, windows would silently be drawn as if nobody had asked.
        let has_starts = corpus.sequences_in(sampling.split).any(|at| {
            let sequence = &corpus.index().sequences[at];
            sequence.starts.len() + sequence.reverse_starts.len() > 0
        });
        if sampling.start_share > 0.0 && !has_starts {
            return Err(refused(
                "windows around start codons are asked for and the corpus knows none; give annotation, \
                 or install `prodigal`, and build it again",
            ));
        }
        Ok(Sampler { corpus, sampling, species })
    }

    /// How windows are drawn.
    pub fn sampling(&self) -> &Sampling {
        &self.sampling
    }

    /// The window of a step, at a place in its batch.
    pub fn window(&self, step: u64, idx: u64) -> Window {
        let mut seed = [0; 32];
        for (part, number) in seed.chunks_exact_mut(8).zip([self.sampling.seed, step, idx]) {
            part.copy_from_slice(&number.to_le_bytes());
        }
        let mut rng = ChaCha8Rng::from_seed(seed);
        let total = self.species.last().map_or(0.0, |(reached, _)| *reached);
        let at = rng.random::<f64>() * total;
        let one = self.species.partition_point(|(reached, _)| *reached <= at);
        let sequences = &self.species[one.min(self.species.len() - 1)].1;
        let n_bases = sequences.last().map_or(1, |(reached, _)| *reached);
        let at = rng.random_range(0..n_bases);
        let sequence = sequences[sequences.partition_point(|(reached, _)| *reached <= at)].1;
        let strand = if rng.random() { Strand::Forward } else { Strand::Reverse };
        let wants_tag = rng.random::<f64>() < self.sampling.tag_share;
        let tag = self.corpus.species_of(sequence).tag.as_deref().filter(|_| wants_tag);
        // At least one base is there to be read, whatever the tag.
        let tag = tag.filter(|tag| tag.len() < self.sampling.length).unwrap_or_default().as_bytes();
        let stored = self.corpus.stored(sequence);
        let n_bases = (self.sampling.length + 1 - tag.len()).min(stored.len());
        let said = &self.corpus.index().sequences[sequence];
        let n_starts = said.starts.len() + said.reverse_starts.len();
        let around_start = self.sampling.start_share > 0.0
            && rng.random::<f64>() < self.sampling.start_share
            && n_starts > 0;
        if around_start {
            let one = rng.random_range(0..n_starts);
            let (at, strand) = match said.starts.get(one) {
                Some(at) => (*at, Strand::Forward),
                None => (said.reverse_starts[one - said.starts.len()], Strand::Reverse),
            };
            let before = rng.random_range(0..n_bases);
            let start = at.saturating_sub(before).min(stored.len() - n_bases);
            let place = Place { sequence, start, n_bases, strand };
            return self.corpus.window(place, tag, self.sampling.length, REPEAT_WEIGHT);
        }
        let has_genes = said.n_genic > 0;
        let mut start = 0;
        for _ in 0..MOST_TRIES {
            start = rng.random_range(0..=stored.len() - n_bases);
            let genic = stored[start..start + n_bases].iter().filter(|byte| **byte & GENIC != 0);
            let share = genic.count() as f64 / n_bases as f64;
            let weight = self.sampling.genic_weight;
            let chance = (1.0 + (weight - 1.0) * share) / weight;
            if !has_genes || rng.random::<f64>() < chance {
                break;
            }
        }
        let place = Place { sequence, start, n_bases, strand };
        self.corpus.window(place, tag, self.sampling.length, REPEAT_WEIGHT)
    }
}
