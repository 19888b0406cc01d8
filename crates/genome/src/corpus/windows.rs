//! Pieces of sequences as a model is given them.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{Corpus, GENIC, Split, Strand};
use crate::fasta::reverse_complement;
use crate::model::Token;

/// What a base in lower case counts for: repeats are easy, and there are many of them.
pub const REPEAT_WEIGHT: f32 = 0.1;

/// The token that fills up a window at the end of a short sequence, as in the official code.
const PAD: Token = 1;

/// Where a window lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Place {
    /// Number of its sequence in the corpus.
    pub sequence: usize,
    /// Its first base on the forward strand, from 0.
    pub start: usize,
    /// Bases, without tag and padding.
    pub n_bases: usize,
    /// The strand it is read from.
    pub strand: Strand,
}

/// A piece of a sequence.
#[derive(Debug, Clone, PartialEq)]
pub struct Window {
    /// One more than the length of the window: what is read, and what comes after it.
    pub tokens: Vec<Token>,
    /// `weights[i]` is what predicting `tokens[i + 1]` counts for: 1, [`REPEAT_WEIGHT`] for a repeat,
    /// 0 for a tag, padding and what is not A, C, G or T.
    pub weights: Vec<f32>,
    /// Where it lies.
    pub place: Place,
}

impl Corpus {
    /// A window at a place, after a tag, filled up to `length` tokens and one.
    pub(super) fn window(
        &self,
        place: Place,
        tag: &[u8],
        length: usize,
        repeat_weight: f32,
    ) -> Window {
        let stored = &self.stored(place.sequence)[place.start..place.start + place.n_bases];
        let mut bases: Vec<u8> = stored.iter().map(|byte| byte & !GENIC).collect();
        if place.strand == Strand::Reverse {
            bases = reverse_complement(&bases);
        }
        let mut tokens: Vec<Token> = tag.iter().copied().map(Token::from).collect();
        tokens.extend(bases.iter().map(|base| Token::from(base.to_ascii_uppercase())));
        tokens.resize(length + 1, PAD);
        let weight = |base: &u8| match base {
            b'A' | b'C' | b'G' | b'T' => 1.0,
            b'a' | b'c' | b'g' | b't' => repeat_weight,
            _ => 0.0,
        };
        let mut weights = vec![0.0; tag.len()];
        weights.extend(bases.iter().map(weight));
        // Nothing stands before the first token, so it is predicted from nothing.
        weights.remove(0);
        weights.resize(length, 0.0);
        Window { tokens, weights, place }
    }

    /// Fixed windows of a split: `length` tokens each and one, at most `most`, none over another,
    /// evenly spaced over all its bases, each from a strand that the seed draws. Repeats count as much
    /// as other bases, so that a mean over the weights is one over bases. Sequences shorter than a
    /// window give none.
    pub fn evaluation_windows(
        &self,
        split: Split,
        length: usize,
        most: usize,
        seed: u64,
    ) -> Vec<Window> {
        self.evenly(self.sequences_in(split).collect(), length, most, seed)
    }

    /// The same of one species.
    pub fn species_windows(
        &self,
        species: usize,
        length: usize,
        most: usize,
        seed: u64,
    ) -> Vec<Window> {
        let sequences = &self.index().sequences;
        let of_it = (0..sequences.len()).filter(|idx| sequences[*idx].species == species);
        self.evenly(of_it.collect(), length, most, seed)
    }

    fn evenly(&self, sequences: Vec<usize>, length: usize, most: usize, seed: u64) -> Vec<Window> {
        if length == 0 || most == 0 {
            return Vec::new();
        }
        let n_bases = length + 1;
        // Slots lie side by side in every sequence.
        let slots = |idx: usize| self.index().sequences[idx].n_bases / n_bases;
        let n_slots: usize = sequences.iter().map(|idx| slots(*idx)).sum();
        let n = most.min(n_slots);
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let shift = if n < n_slots { rng.random::<f64>() } else { 0.0 };
        let mut windows = Vec::with_capacity(n);
        let (mut sequences, mut first) = (sequences.into_iter().peekable(), 0);
        for idx in 0..n {
            let slot = ((idx as f64 + shift) * n_slots as f64 / n as f64) as usize;
            while let Some(sequence) = sequences.peek().filter(|at| slot >= first + slots(**at)) {
                first += slots(*sequence);
                sequences.next();
            }
            let Some(sequence) = sequences.peek().copied() else { break };
            let strand = if rng.random() { Strand::Forward } else { Strand::Reverse };
            let start = (slot - first) * n_bases;
            windows.push(self.window(Place { sequence, start, n_bases, strand }, b"", length, 1.0));
        }
        // What has no base to predict says nothing.
        windows.retain(|window| window.weights.iter().any(|weight| *weight > 0.0));
        windows
    }
}
