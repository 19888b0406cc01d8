//! How much of a held-out species stands in the training split, letter for letter.
//!
//! A split by species says that no strain of it was seen; related species still share pieces, such as
//! ribosomal RNA. The share of words of 31 bases that occur on either strand of the training split says
//! how many. One word in 64 is looked at, chosen by its own hash, so that the same ones are chosen on
//! both sides.

use std::collections::HashSet;

use super::{Corpus, GENIC, Split};

/// Bases in a word: long enough that none is shared by chance.
pub const WORD_BASES: usize = 31;

/// One word in so many is looked at.
const SAMPLED: u64 = 64;

/// Of one species.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Overlap {
    /// Words looked at.
    pub n_words: usize,
    /// Of them in the training split.
    pub n_in_train: usize,
}

impl Corpus {
    /// For every species that is held out; `None` for one to train on.
    pub fn overlaps(&self) -> Vec<Option<Overlap>> {
        let mut known = HashSet::new();
        for sequence in self.sequences_in(Split::Train) {
            words(self.stored(sequence), |word| {
                known.insert(word);
            });
        }
        let mut overlaps: Vec<Option<Overlap>> = self
            .index()
            .species
            .iter()
            .map(|species| match species.split {
                Split::Train => None,
                Split::Valid | Split::Test => Some(Overlap { n_words: 0, n_in_train: 0 }),
            })
            .collect();
        for (idx, sequence) in self.index().sequences.iter().enumerate() {
            if let Some(overlap) = &mut overlaps[sequence.species] {
                words(self.stored(idx), |word| {
                    overlap.n_words += 1;
                    overlap.n_in_train += usize::from(known.contains(&word));
                });
            }
        }
        overlaps
    }
}

/// Gives the words that are looked at, each in the same form for both strands.
fn words(stored: &[u8], mut each: impl FnMut(u64)) {
    const MASK: u64 = (1 << (2 * WORD_BASES)) - 1;
    let (mut forward, mut reverse, mut length) = (0_u64, 0_u64, 0);
    for byte in stored {
        let code = match (byte & !GENIC).to_ascii_uppercase() {
            b'A' => 0,
            b'C' => 1,
            b'G' => 2,
            b'T' => 3,
            _ => {
                length = 0;
                continue;
            }
        };
        forward = (forward << 2 | code) & MASK;
        reverse = reverse >> 2 | (3 - code) << (2 * (WORD_BASES - 1));
        length += 1;
        if length >= WORD_BASES {
            let word = forward.min(reverse);
            if mixed(word).is_multiple_of(SAMPLED) {
                each(word);
            }
        }
    }
}

/// Spreads words evenly: the finalizer of SplitMix64.
fn mixed(word: u64) -> u64 {
    let word = (word ^ word >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let word = (word ^ word >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ word >> 31
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fasta::reverse_complement;

    fn random(n: usize, mut state: u64) -> Vec<u8> {
        let next = |_| {
            state = mixed(state.wrapping_add(0x9e37_79b9_7f4a_7c15));
            b"ACGT"[(state >> 62) as usize]
        };
        (0..n).map(next).collect()
    }

    fn all(text: &[u8]) -> HashSet<u64> {
        let mut found = HashSet::new();
        words(text, |word| {
            found.insert(word);
        });
        found
    }

    #[test]
    fn both_strands_have_the_same_words_and_others_have_none_of_them() {
        let text = random(60_000, 1);
        let words = all(&text);
        // One in 64 of 59,970 is 937, with a standard deviation of 30.
        assert!((800..1080).contains(&words.len()), "{}", words.len());
        assert_eq!(words, all(&reverse_complement(&text)));
        assert_eq!(words.intersection(&all(&random(60_000, 2))).count(), 0);
    }

    #[test]
    fn nothing_is_a_word_across_a_gap() {
        let mut text = random(60_000, 1);
        text.iter_mut().step_by(WORD_BASES).for_each(|base| *base = b'N');
        assert!(all(&text).is_empty());
    }
}
