//! A needle in a haystack: does a model recall what it read long ago?
//!
//! Random bases, the needle, are hidden at some depth of a long sequence, whose end repeats the needle's
//! first part. How much likelier is the needle's rest there than after the same sequence with another
//! needle in its place? Both sequences end in the same bases, so nothing but recall tells them apart.
//! Guessing among four bases costs ln 4 = 1.386 nats a base: no recall can gain much more on random
//! bases.

use std::collections::BTreeMap;

use rand::RngExt;
use serde::Serialize;

use crate::mean::Mean;
use crate::model::{State, StripedHyena, Token};
use crate::random;
use crate::score::{of_next, tokens};

/// Sizes of one search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scheme {
    /// Bases of the needle.
    pub n_needle: usize,
    /// Its first bases, repeated at the end.
    pub n_query: usize,
    /// Depths, evenly from 0 (the beginning) to 1 (the end).
    pub n_depths: usize,
    /// Seed of what is random.
    pub seed: u64,
}

impl Scheme {
    /// Depths, ascending.
    pub fn depths(&self) -> Vec<f64> {
        let last = self.n_depths.saturating_sub(1).max(1) as f64;
        (0..self.n_depths).map(|idx| idx as f64 / last).collect()
    }

    /// The least length: both copies of the needle, and something around them.
    pub fn shortest(&self) -> usize {
        2 * self.n_needle + 2
    }
}

/// Where a haystack's bases come from.
#[derive(Debug, Clone, Copy)]
pub enum Hay<'a> {
    /// Random bases.
    Random,
    /// A piece of a genome, on either strand.
    Genome(&'a crate::genes::Genome),
}

/// One haystack, its needle, and another needle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Haystack {
    hay: Vec<u8>,
    needle: Vec<u8>,
    other: Vec<u8>,
}

impl Haystack {
    /// For a sequence of `length` bases in all. `repeat` numbers haystacks of one length. `None` when
    /// the genome has no piece of A, C, G and T that long.
    pub fn new(hay: Hay<'_>, length: usize, repeat: usize, scheme: &Scheme) -> Option<Haystack> {
        let mut rng = random::stream(scheme.seed, ((length as u64) << 16) + repeat as u64);
        let mut bases =
            |n: usize| -> Vec<u8> { (0..n).map(|_| b"ACGT"[rng.random_range(0..4)]).collect() };
        let (needle, other) = (bases(scheme.n_needle), bases(scheme.n_needle));
        let n = length - 2 * scheme.n_needle;
        let hay = match hay {
            Hay::Random => bases(n),
            Hay::Genome(genome) => {
                let places = (0..1000).filter_map(|_| genome.any_place(&mut rng));
                { places }.find_map(|place| genome.window(&place, 0, n))?
            }
        };
        Some(Haystack { hay, needle, other })
    }
}

/// What was found at one depth.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Found {
    /// Depth of the needle, 0 to 1.
    pub depth: f64,
    /// Mean log-likelihood of the needle's rest at the end, nats a base.
    pub with_needle: f64,
    /// The same with another needle in its place.
    pub with_other: f64,
}

impl Found {
    /// What recall gains, nats a base.
    pub fn gain(&self) -> f64 {
        self.with_needle - self.with_other
    }
}

/// Searches at each depth from the `n_skip`-th on; `each` says whether to go on. What lies before the
/// needle is read once for all depths.
pub fn search(
    model: &StripedHyena,
    haystack: &Haystack,
    scheme: &Scheme,
    n_skip: usize,
    mut each: impl FnMut(Found) -> bool,
) {
    let hay = tokens(&haystack.hay);
    let (needle, other) = (tokens(&haystack.needle), tokens(&haystack.other));
    let mut state = model.state();
    for depth in scheme.depths().into_iter().skip(n_skip) {
        let at = (depth * hay.len() as f64).round() as usize;
        model.forward(&hay[state.n_tokens()..at], &mut state, |_, _| {});
        // One after the other, not side by side: attention keeps much for a long sequence.
        let rest = |hidden: &[Token]| {
            let read = [hidden, &hay[at..], &needle[..scheme.n_query]].concat();
            mean_of_rest(model, state.clone(), &read, &needle[scheme.n_query..])
        };
        let found = Found { depth, with_needle: rest(&needle), with_other: rest(&other) };
        if !each(found) {
            return;
        }
    }
}

/// Mean log-likelihood of some bases after what is read first.
fn mean_of_rest(model: &StripedHyena, mut state: State, read: &[Token], rest: &[Token]) -> f64 {
    let all = [read, rest].concat();
    let mut sum = 0.0;
    model.forward(&all[..all.len() - 1], &mut state, |first, logits| {
        let n = logits.n_tokens();
        if first + n >= read.len() {
            let each = of_next(model, logits, &all[first + 1..][..n]);
            let n_before = (read.len() - 1).saturating_sub(first);
            sum += each.into_iter().skip(n_before).map(f64::from).sum::<f64>();
        }
    });
    sum / rest.len() as f64
}

/// Columns of the table.
pub const HEADER: &str = "length\trepeat\tdepth\twith_needle\twith_other\tgain";

/// One row.
pub fn row(length: usize, repeat: usize, found: &Found) -> String {
    let Found { depth, with_needle, with_other } = found;
    let gain = found.gain();
    format!("{length}\t{}\t{depth:.4}\t{with_needle:.5}\t{with_other:.5}\t{gain:.5}", repeat + 1)
}

/// Of one length and depth.
#[derive(Debug, Clone, Serialize)]
pub struct Recall {
    /// Bases of the whole sequence.
    pub length: usize,
    /// Depth of the needle, 0 to 1.
    pub depth: f64,
    /// Mean gain over haystacks, nats a base.
    pub gain: Mean,
}

/// Sums up the rows of a table, by length and depth.
pub fn summary(rows: &[String], seed: u64) -> Vec<Recall> {
    // Depths as the table writes them, so that equal ones are equal.
    let mut gains: BTreeMap<(usize, String), Vec<f64>> = BTreeMap::new();
    for row in rows {
        let cells: Vec<&str> = row.split('\t').collect();
        let [length, _, depth, _, _, gain] = cells[..] else { continue };
        if let (Ok(length), Ok(gain)) = (length.parse(), gain.parse()) {
            gains.entry((length, depth.to_owned())).or_default().push(gain);
        }
    }
    let recall = |((length, depth), gains): ((usize, String), Vec<f64>)| {
        let (depth, gain) = (depth.parse().ok()?, Mean::of(&gains, seed)?);
        Some(Recall { length, depth, gain })
    };
    gains.into_iter().filter_map(recall).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::score::score;
    use crate::testing::{bases, genome, tiny_model};

    const SCHEME: Scheme = Scheme { n_needle: 20, n_query: 8, n_depths: 3, seed: 4 };

    #[test]
    fn a_gain_is_the_difference_of_whole_sequences_whatever_was_skipped() {
        let model = tiny_model();
        let haystack = Haystack::new(Hay::Random, 90, 0, &SCHEME).expect("random");
        let mut found = Vec::new();
        search(&model, &haystack, &SCHEME, 0, |one| {
            found.push(one);
            true
        });
        let (hay, needle) = (&haystack.hay, &haystack.needle);
        for (one, at) in found.iter().zip([0, 25, 50]) {
            let whole = |hidden: &[u8]| {
                let all = [&hay[..at], hidden, &hay[at..], needle].concat();
                assert_eq!(all.len(), 90);
                let score = &score(&model, &[&tokens(&all)])[0];
                let rest = &score.log_likelihoods[89 - 12..];
                rest.iter().copied().map(f64::from).sum::<f64>() / 12.0
            };
            assert!((one.with_needle - whole(needle)).abs() < 1e-5, "{one:?}");
            assert!((one.with_other - whole(&haystack.other)).abs() < 1e-5, "{one:?}");
        }
        let mut last = Vec::new();
        search(&model, &haystack, &SCHEME, 2, |one| {
            last.push(one);
            true
        });
        assert_eq!(last, found[2..]);
    }

    #[test]
    fn haystacks_differ_by_repeat_and_length_and_come_from_a_genome_too() {
        let new = |length, repeat| Haystack::new(Hay::Random, length, repeat, &SCHEME);
        assert_eq!(new(90, 1), new(90, 1));
        assert_ne!(new(90, 1), new(90, 2));
        assert_ne!(new(90, 1).expect("random").needle, new(91, 1).expect("random").needle);
        let genome = genome([&bases(200, 7)[..], b"N", &bases(30, 8)].concat());
        let real = Haystack::new(Hay::Genome(&genome), 140, 0, &SCHEME).expect("long enough");
        assert_eq!(real.hay.len(), 100);
        assert_eq!(Haystack::new(Hay::Genome(&genome), 300, 0, &SCHEME), None);
    }

    #[test]
    fn rows_are_summed_up_by_length_and_depth() {
        let found = |gain| Found { depth: 1.0 / 3.0, with_needle: gain - 1.0, with_other: -1.0 };
        let rows = [row(1024, 0, &found(0.2)), row(1024, 1, &found(0.4)), row(64, 0, &found(0.0))];
        let got = summary(&rows, 1);
        assert_eq!(got.len(), 2);
        assert_eq!((got[1].length, got[1].gain.n), (1024, 2));
        assert!((got[1].gain.mean - 0.3).abs() < 1e-9 && (got[1].depth - 0.3333).abs() < 1e-9);
    }
}
