//! New sequence, base by base.

use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::model::{Nothing, Part, State, StripedHyena, Token};

/// How the next token is drawn.
#[derive(Debug, Clone, PartialEq)]
pub struct Sampling {
    /// Divides logits; 0 takes the likeliest token.
    pub temperature: f32,
    /// Only that many of the likeliest tokens; 0 is all.
    pub top_k: usize,
    /// Only the likeliest tokens that together reach this probability; 1 is all.
    pub top_p: f32,
    /// Only A, C, G and T.
    pub bases_only: bool,
}

impl Sampling {
    /// The likeliest token, always.
    pub const GREEDY: Sampling =
        Sampling { temperature: 0.0, top_k: 0, top_p: 1.0, bases_only: false };

    /// Draws from logits, `[V]`. Order of filters: as the official code, top-k, temperature, top-p.
    ///
    /// # Panics
    /// If there are no logits.
    pub fn draw(&self, logits: &[f32], rng: &mut impl Rng) -> Token {
        let allowed = |token: usize| {
            !self.bases_only || u8::try_from(token).is_ok_and(|base| b"ACGT".contains(&base))
        };
        let mut ranked: Vec<(usize, f32)> =
            logits.iter().copied().enumerate().filter(|(token, _)| allowed(*token)).collect();
        // Of equals the lower token first, so that the order is always the same.
        ranked.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        if self.temperature <= 0.0 {
            return id(ranked[0].0);
        }
        if self.top_k > 0 {
            ranked.truncate(self.top_k);
        }
        let best = ranked[0].1;
        let mut weights: Vec<f64> = ranked
            .iter()
            .map(|(_, logit)| f64::from((logit - best) / self.temperature).exp())
            .collect();
        let total: f64 = weights.iter().sum();
        let mut reached = 0.0;
        let kept = weights
            .iter()
            .position(|weight| {
                reached += weight / total;
                reached >= f64::from(self.top_p)
            })
            .map_or(weights.len(), |last| last + 1);
        weights.truncate(kept);
        let mut left = rng.random::<f64>() * weights.iter().sum::<f64>();
        for (weight, (token, _)) in weights.iter().zip(&ranked) {
            left -= weight;
            if left < 0.0 {
                return id(*token);
            }
        }
        id(ranked[weights.len() - 1].0)
    }
}

fn id(token: usize) -> Token {
    Token::try_from(token).expect("vocabularies have at most 65536 tokens")
}

/// Continues each prompt by `n` tokens; `each` is given the number of the prompt and every new token,
/// and says whether that sequence goes on.
///
/// Each sequence has its own random numbers, so its outcome does not depend on the others.
///
/// # Panics
/// If a prompt is empty, or holds a token that is not in the vocabulary.
pub fn generate(
    model: &StripedHyena,
    prompts: &[&[Token]],
    n: usize,
    sampling: &Sampling,
    seed: u64,
    mut each: impl FnMut(usize, Token) -> bool,
) {
    let mut states: Vec<State> = prompts.iter().map(|_| model.state()).collect();
    let mut rngs: Vec<ChaCha8Rng> = (0..prompts.len() as u64)
        .map(|stream| {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            rng.set_stream(stream);
            rng
        })
        .collect();
    let mut next: Vec<Vec<Token>> = prompts.iter().map(|prompt| prompt.to_vec()).collect();
    assert!(next.iter().all(|prompt| !prompt.is_empty()), "prompts have tokens");
    let mut last = vec![vec![0.0; model.config().vocab_size]; prompts.len()];
    let mut open = vec![true; prompts.len()];
    for _ in 0..n {
        if !open.contains(&true) {
            return;
        }
        let mut parts: Vec<Part<'_>> =
            next.iter().zip(&mut states).map(|(tokens, state)| Part { tokens, state }).collect();
        let ends: Vec<usize> = parts.iter().map(|part| part.tokens.len()).collect();
        model.forward_parts(&mut parts, &mut Nothing, |part, first, logits| {
            if first + logits.n_tokens() == ends[part] {
                logits.read_token(logits.n_tokens() - 1, &mut last[part]);
            }
        });
        for (part, open) in open.iter_mut().enumerate() {
            next[part].clear();
            if *open {
                let token = sampling.draw(&last[part], &mut rngs[part]);
                *open = each(part, token);
                next[part].push(token);
            }
        }
    }
}
