//! How likely a sequence is.

use nn::Blocked;

use crate::model::{Nothing, Part, State, StripedHyena, Token};

/// Log-likelihoods of one sequence, in nats.
#[derive(Debug, Clone, PartialEq)]
pub struct Score {
    /// Of each token but the first, given those before it.
    pub log_likelihoods: Vec<f32>,
}

impl Score {
    /// Their sum.
    pub fn total(&self) -> f64 {
        self.log_likelihoods.iter().copied().map(f64::from).sum()
    }

    /// Their mean; `None` for fewer than two tokens.
    pub fn mean(&self) -> Option<f64> {
        let n = self.log_likelihoods.len();
        (n > 0).then(|| self.total() / n as f64)
    }

    /// Mean information per base, in bits.
    pub fn bits_per_base(&self) -> Option<f64> {
        self.mean().map(|mean| -mean / std::f64::consts::LN_2)
    }
}

/// Bases as tokens: their bytes in upper case, as the models were trained.
pub fn tokens(sequence: &[u8]) -> Vec<Token> {
    sequence.iter().map(|base| Token::from(base.to_ascii_uppercase())).collect()
}

/// Scores sequences together. Each gets exactly what it would get alone.
pub fn score(model: &StripedHyena, sequences: &[&[Token]]) -> Vec<Score> {
    let mut states: Vec<State> = sequences.iter().map(|_| model.state()).collect();
    let mut scores: Vec<Score> = sequences
        .iter()
        .map(|tokens| Score { log_likelihoods: Vec::with_capacity(tokens.len()) })
        .collect();
    let mut parts: Vec<Part<'_>> = sequences
        .iter()
        .zip(&mut states)
        // What follows the last token is not asked for.
        .map(|(tokens, state)| Part { tokens: &tokens[..tokens.len().saturating_sub(1)], state })
        .collect();
    model.forward_parts(&mut parts, &mut Nothing, |part, first, logits| {
        let next = &sequences[part][first + 1..][..logits.n_tokens()];
        scores[part].log_likelihoods.extend(of_next(model, logits, next));
    });
    scores
}

/// Log-likelihoods of the tokens that follow, given logits.
pub(crate) fn of_next(model: &StripedHyena, logits: &Blocked, next: &[Token]) -> Vec<f32> {
    let next: Vec<usize> = next.iter().copied().map(usize::from).collect();
    nn::log_likelihoods(model.cpu(), logits, &next)
}
