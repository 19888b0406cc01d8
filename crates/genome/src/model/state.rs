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

    /// Bytes kept.
    pub fn size_bytes(&self) -> usize {
        let size = |layer: &LayerState| match layer {
            LayerState::Hyena(state) => state.size_bytes(),
            LayerState::Attention(state) => state.size_bytes(),
        };
        self.layers.iter().map(size).sum()
    }
}
