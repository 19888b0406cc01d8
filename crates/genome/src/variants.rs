//! Effects of variants: how much less likely a sequence becomes.
//!
//! A window of the reference around the variant, and one of the same length with the alternative
//! allele, are scored on both strands; the effect is the mean difference of their log-likelihoods.
//! Windows begin at the same base, so what lies before the variant is read once for all alleles. An
//! insertion pushes bases out of the window's end, a deletion lets some in: both windows hold equally
//! many bases, because a longer sequence is less likely whatever it says.

use std::ops::Range;

use nn::Blocked;

use crate::fasta::reverse_complement;
use crate::model::{State, StripedHyena, Token};
use crate::score::tokens;

/// Log-likelihoods of one allele's windows, in nats.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Effect {
    /// Difference on the forward strand: alternative less reference.
    pub forward: f64,
    /// Difference on the reverse strand.
    pub reverse: f64,
    /// Bases in each window.
    pub n_bases: usize,
}

impl Effect {
    /// Mean over both strands: the delta log-likelihood. Negative is less likely than the reference.
    pub fn delta(&self) -> f64 {
        f64::midpoint(self.forward, self.reverse)
    }
}

/// Two windows of one length.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Windows {
    reference: Vec<u8>,
    alternative: Vec<u8>,
}

/// The windows of one allele: `n_bases` from `start` on, fewer at the end of the sequence.
fn windows(
    sequence: &[u8],
    offset: usize,
    n_reference: usize,
    alternative: &[u8],
    n_bases: usize,
) -> Windows {
    // The variant lies in the middle; at either end of the sequence the window moves inward.
    let (shorter, longer) =
        (n_reference.min(alternative.len()), n_reference.max(alternative.len()));
    let before = n_bases.saturating_sub(longer) / 2;
    let last = (sequence.len() - n_reference + shorter).saturating_sub(n_bases);
    let start = offset.saturating_sub(before).min(last);
    let with: Vec<u8> =
        [&sequence[start..offset], alternative, &sequence[offset + n_reference..]].concat();
    let n = n_bases.min(sequence.len() - start).min(with.len());
    Windows { reference: sequence[start..start + n].to_vec(), alternative: with[..n].to_vec() }
}

/// The part of a sequence of `n_sequence` bases that [`effects`] of an allele depend on.
pub fn around(
    offset: usize,
    n_reference: usize,
    n_bases: usize,
    n_sequence: usize,
) -> Range<usize> {
    let end = offset.saturating_add(n_reference).saturating_add(n_bases);
    offset.saturating_sub(n_bases)..end.min(n_sequence)
}

/// Scores alternative alleles at one place of a reference sequence, in windows of `n_bases`.
///
/// # Panics
/// If the reference allele does not lie inside the sequence.
pub fn effects(
    model: &StripedHyena,
    sequence: &[u8],
    offset: usize,
    n_reference: usize,
    alternatives: &[&[u8]],
    n_bases: usize,
) -> Vec<Effect> {
    assert!(offset + n_reference <= sequence.len(), "the reference allele lies inside");
    alternatives
        .iter()
        .map(|alternative| {
            let Windows { reference, alternative } =
                windows(sequence, offset, n_reference, alternative, n_bases);
            let forward = difference(model, &reference, &alternative);
            let reverse = difference(
                model,
                &reverse_complement(&reference),
                &reverse_complement(&alternative),
            );
            Effect { forward, reverse, n_bases: reference.len() }
        })
        .collect()
}

/// Log-likelihood of the second window less that of the first. What they begin with alike cancels,
/// and is only read, not scored.
fn difference(model: &StripedHyena, reference: &[u8], alternative: &[u8]) -> f64 {
    let alike = reference.iter().zip(alternative).take_while(|(a, b)| a == b).count();
    if alike == reference.len() {
        return 0.0;
    }
    let (reference, alternative) = (tokens(reference), tokens(alternative));
    // The last base alike says what the first different one was expected to be; the first base of all
    // has nothing before it.
    let shared = alike.max(1) - 1;
    let mut state = model.state();
    if alike > 0 {
        model.forward(&reference[..shared], &mut state, |_, _| {});
    }
    let rest = |tokens: &[Token]| continued(model, state.clone(), &tokens[shared..]);
    rest(&alternative) - rest(&reference)
}

/// Sum of log-likelihoods of all tokens but the first, after what a state has seen.
fn continued(model: &StripedHyena, mut state: State, tokens: &[Token]) -> f64 {
    let before = state.n_tokens();
    let mut sum = 0.0;
    let inputs = &tokens[..tokens.len().saturating_sub(1)];
    model.forward(inputs, &mut state, |first, logits: &Blocked| {
        debug_assert!(first <= before + tokens.len());
        let next: Vec<usize> =
            tokens[first + 1..][..logits.n_tokens()].iter().copied().map(usize::from).collect();
        let each = nn::log_likelihoods(model.cpu(), logits, &next);
        sum += each.into_iter().map(f64::from).sum::<f64>();
    });
    sum
}

#[cfg(test)]
mod tests {
    use nn::Precision;

    use super::*;
    use crate::load;
    use crate::score::score;

    fn model() -> StripedHyena {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/evo2_tiny");
        let weights = folder.join("weights.safetensors");
        load::model(&weights.to_string_lossy(), None, Precision::F32).expect("the fixture")
    }

    fn sequence(n: usize) -> Vec<u8> {
        (0..n).map(|at| b"ACGT"[(at * at + at / 3) % 4]).collect()
    }

    #[test]
    fn windows_have_one_length_and_begin_alike() {
        let all = sequence(100);
        for (offset, n_reference, alternative, n_bases) in [
            (50, 1, &b"T"[..], 20),
            (50, 1, b"TTTT", 21),
            (50, 5, b"A", 20),
            (0, 1, b"G", 20),
            (99, 1, b"GG", 20),
            (98, 2, b"C", 20),
            (50, 1, b"T", 1000),
            (50, 1, b"TTTT", 2),
        ] {
            let got = windows(&all, offset, n_reference, alternative, n_bases);
            assert_eq!(got.reference.len(), got.alternative.len(), "at {offset}");
            assert_eq!(got.reference.len(), n_bases.min(100), "at {offset}");
        }
        let got = windows(&all, 50, 1, b"TTT", 11);
        assert_eq!(got.reference, all[46..57]);
        assert_eq!(got.alternative, [&all[46..50], b"TTT", &all[51..55]].concat());
    }

    #[test]
    fn windows_depend_on_nothing_but_what_is_around() {
        let all = sequence(60);
        for n_bases in [2, 3, 8, 21, 59, 60, 100] {
            for offset in 0..60 {
                for n_reference in 1..=(60 - offset).min(25) {
                    for alternative in [&b""[..], b"T", b"TTTT", &[b'G'; 40]] {
                        let want = windows(&all, offset, n_reference, alternative, n_bases);
                        let part = around(offset, n_reference, n_bases, all.len());
                        let at = offset - part.start;
                        let got = windows(&all[part], at, n_reference, alternative, n_bases);
                        assert_eq!(got, want, "{n_reference} at {offset}, windows of {n_bases}");
                    }
                }
            }
        }
    }

    #[test]
    fn an_effect_is_the_difference_of_whole_scores_on_both_strands() {
        let model = model();
        let all = sequence(160);
        for (offset, n_reference, alternative) in
            [(80, 1, &b"N"[..]), (80, 1, b"NCT"), (70, 6, b"N"), (0, 1, b"N"), (159, 1, b"N")]
        {
            let got = effects(&model, &all, offset, n_reference, &[alternative], 90)[0];
            let windows = windows(&all, offset, n_reference, alternative, 90);
            let whole = |sequence: &[u8]| score(&model, &[&tokens(sequence)])[0].total();
            let forward = whole(&windows.alternative) - whole(&windows.reference);
            let reverse = whole(&reverse_complement(&windows.alternative))
                - whole(&reverse_complement(&windows.reference));
            assert!((got.forward - forward).abs() < 1e-6, "{got:?} against {forward} at {offset}");
            assert!((got.reverse - reverse).abs() < 1e-6, "{got:?} against {reverse} at {offset}");
            assert!((got.delta() - f64::midpoint(forward, reverse)).abs() < 1e-6);
        }
    }

    #[test]
    fn the_reference_itself_has_no_effect() {
        let all = sequence(50);
        let same = effects(&model(), &all, 20, 2, &[&all[20..22]], 30)[0];
        assert_eq!((same.forward, same.reverse), (0.0, 0.0));
    }
}
