//! What is remembered of a sequence.

use nn::{HyenaState, KeyValues};

/// Memory of one layer.
#[derive(Debug, Clone)]
pub(super) enum LayerState {
    Hyena(HyenaState),
    Attention(KeyValues),
}

/// Memory of one sequence. Hyena layers keep the same few numbers whatever its length; attention
/// layers keep a key and a value per token.
#[derive(Debug, Clone)]
pub struct State {
    pub(super) n_tokens: usize,
    pub(super) layers: Vec<LayerState>,
}

impl State {
    /// Tokens seen.
    pub fn n_tokens(&self) -> usize {
        self.n_tokens
    }

    /// As after the same sequence so many times, with room for `n_more` tokens: what attention finds
    /// before it is then as long, but its positions begin again with each copy, and Hyena layers have
    /// seen only one. For timing long contexts; no model says anything sensible after it.
    ///
    /// # Panics
    /// If the tokens seen are no multiple of 32.
    #[doc(hidden)]
    #[must_use]
    pub fn repeated(&self, n_times: usize, n_more: usize) -> State {
        let repeat = |layer: &LayerState| match layer {
            LayerState::Hyena(state) => LayerState::Hyena(state.clone()),
            LayerState::Attention(state) => LayerState::Attention(state.repeated(n_times, n_more)),
        };
        let layers = self.layers.iter().map(repeat).collect();
        State { n_tokens: n_times * self.n_tokens, layers }
    }

    /// Bytes kept.
    pub fn size_bytes(&self) -> usize {
        let size = |layer: &LayerState| match layer {
            LayerState::Hyena(state) => state.size_bytes(),
            LayerState::Attention(state) => state.size_bytes(),
        };
        self.layers.iter().map(size).sum()
    }
}
