//! Effects of many edits of one window.
//!
//! The window is read once. Where edits begin its state is copied, and each edited version goes on from
//! there, several at a time: for a hundred edits near one place the bases before it cost nothing.

use crate::model::{Nothing, Part, State, StripedHyena, Token};
use crate::score::{of_next, tokens};

/// Edited versions that go on from one copied state: a base or two are read again for some of them.
const STRIDE: usize = 4;
/// Versions read together: with more, each is read in pieces too short for the processor.
const MOST_PARTS: usize = 16;
/// Copies of a state held at a time.
const MOST_STATE_BYTES: usize = 1 << 30;

/// A change of a window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// Offset of the first base that is replaced; not 0, because something must come before.
    pub at: usize,
    /// Bases replaced.
    pub n_replaced: usize,
    /// What stands there instead.
    pub with: Vec<u8>,
    /// Offset after the last base that is scored, in the window and in its edited version alike: both
    /// hold equally many bases.
    pub end: usize,
}

impl Edit {
    /// One base for another.
    pub fn substitution(at: usize, base: u8, end: usize) -> Edit {
        Edit { at, n_replaced: 1, with: vec![base], end }
    }

    /// Bases taken out; as many come in at the end.
    pub fn deletion(at: usize, n: usize, end: usize) -> Edit {
        Edit { at, n_replaced: n, with: Vec::new(), end }
    }
}

/// Log-likelihood of each edited window less that of the window, in nats, both after a tag, which may be
/// empty. Negative is less likely.
///
/// # Panics
/// If an edit begins at the window's first base, ends before it begins, or needs bases that the window
/// does not have.
pub fn deltas(model: &StripedHyena, tag: &[Token], window: &[u8], edits: &[Edit]) -> Vec<f64> {
    assert!(edits.iter().all(|edit| edit.at > 0), "something before an edit");
    let window = [tag, &tokens(window)].concat();
    let after_tag =
        |edit: &Edit| Edit { at: edit.at + tag.len(), end: edit.end + tag.len(), ..edit.clone() };
    let edits: Vec<Edit> = edits.iter().map(after_tag).collect();
    let mut order: Vec<usize> = (0..edits.len()).collect();
    order.sort_by_key(|idx| edits[*idx].at);
    let mut edited = vec![0.0; edits.len()];
    let mut walk =
        Walk { model, window: &window, state: model.state(), log_likelihoods: vec![0.0] };
    let mut rest = order.as_slice();
    while let Some(first) = rest.first() {
        // The base before an edit says what its first base was expected to be.
        let from = edits[*first].at - 1;
        let n_near = rest.iter().take_while(|idx| edits[**idx].at <= from + STRIDE).count();
        let (near, further) = rest.split_at(n_near);
        rest = further;
        walk.to(from);
        let fitting = MOST_STATE_BYTES / walk.state.size_bytes().max(1);
        for some in near.chunks(fitting.clamp(1, MOST_PARTS)) {
            let chosen: Vec<&Edit> = some.iter().map(|idx| &edits[*idx]).collect();
            for (idx, sum) in some.iter().zip(walk.edited(&chosen)) {
                edited[*idx] = sum;
            }
        }
    }
    walk.to(edits.iter().map(|edit| edit.end).max().unwrap_or(1) - 1);
    let reference = |edit: &Edit| -> f64 { walk.log_likelihoods[edit.at..edit.end].iter().sum() };
    edits.iter().zip(edited).map(|(edit, edited)| edited - reference(edit)).collect()
}

/// Reading the window from its start.
struct Walk<'a> {
    model: &'a StripedHyena,
    window: &'a [Token],
    /// After the bases read.
    state: State,
    /// Of each base after those before it; 0 for the first, which nothing precedes.
    log_likelihoods: Vec<f64>,
}

impl Walk<'_> {
    /// Reads on until `n` bases are read.
    fn to(&mut self, n: usize) {
        let from = self.state.n_tokens();
        let Walk { model, window, state, log_likelihoods } = self;
        model.forward(&window[from..n], state, |first, logits| {
            let next = &window[from + first + 1..][..logits.n_tokens()];
            log_likelihoods.extend(of_next(model, logits, next).into_iter().map(f64::from));
        });
    }

    /// Log-likelihoods of edited windows, from where each was edited to its end.
    fn edited(&self, edits: &[&Edit]) -> Vec<f64> {
        let from = self.state.n_tokens();
        let version = |edit: &&Edit| -> Vec<Token> {
            let mut version = self.window[from..edit.at].to_vec();
            version.extend(tokens(&edit.with));
            let n_missing = edit.end - from - version.len();
            version.extend(&self.window[edit.at + edit.n_replaced..][..n_missing]);
            version
        };
        let versions: Vec<Vec<Token>> = edits.iter().map(version).collect();
        let mut states = vec![self.state.clone(); edits.len()];
        let mut parts: Vec<Part<'_>> = versions
            .iter()
            .zip(&mut states)
            .map(|(version, state)| Part { tokens: &version[..version.len() - 1], state })
            .collect();
        let mut sums = vec![0.0; edits.len()];
        self.model.forward_parts(&mut parts, &mut Nothing, |part, first, logits| {
            let next = &versions[part][first + 1..][..logits.n_tokens()];
            let each = of_next(self.model, logits, next);
            // What stands before the edit was only read to come to it.
            let n_before = (edits[part].at - from).saturating_sub(first + 1);
            sums[part] += each.into_iter().skip(n_before).map(f64::from).sum::<f64>();
        });
        sums
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::score::score;
    use crate::testing::tiny_model;

    #[test]
    fn a_delta_is_the_difference_of_whole_scores_of_equally_many_bases() {
        let model = tiny_model();
        let window: Vec<u8> = (0..90).map(|at| b"ACGT"[(at * at + at / 3) % 4]).collect();
        let edits = [
            Edit::substitution(60, b'N', 80),
            Edit::deletion(40, 3, 70),
            Edit::substitution(1, b'G', 30),
            Edit::deletion(41, 1, 89),
            Edit { at: 44, n_replaced: 0, with: b"TTGA".to_vec(), end: 90 },
            Edit::substitution(42, b'N', 43),
        ];
        let tag = tokens(b"|S__X|");
        let got = deltas(&model, &tag, &window, &edits);
        for (edit, got) in edits.iter().zip(got) {
            let mut edited = window.clone();
            edited.splice(edit.at..edit.at + edit.n_replaced, edit.with.iter().copied());
            let whole = |bases: &[u8]| {
                let all = [&tag[..], &tokens(&bases[..edit.end])].concat();
                score(&model, &[&all])[0].total()
            };
            let want = whole(&edited) - whole(&window);
            assert!((got - want).abs() < 1e-4, "{edit:?}: {got} against {want}");
        }
    }

    #[test]
    fn an_edit_that_changes_nothing_has_no_effect_whatever_is_read_beside_it() {
        let model = tiny_model();
        let window: Vec<u8> = (0..70).map(|at| b"ACGT"[(at * 7 + at / 5) % 4]).collect();
        let same = Edit::substitution(33, window[33], 64);
        let other = Edit::substitution(31, b'N', 64);
        let alone = deltas(&model, &[], &window, std::slice::from_ref(&other))[0];
        let both = deltas(&model, &[], &window, &[same, other]);
        assert_eq!(both, [0.0, alone]);
    }
}
