//! Two ways in which weights lie in the panels of products in f32.

use crate::blocked::{BLOCK, Panel, Row};
use crate::simd::Lanes;

/// How weights of 32 outputs lie in a panel.
pub(crate) trait Line: Sync {
    /// Inputs in one.
    const INPUTS: usize;

    /// In a block of inputs.
    const IN_BLOCK: usize = BLOCK / Self::INPUTS;

    /// Of one of its inputs.
    fn weights<V: Lanes>(&self, input: usize) -> [V; 2];
}

impl Line for Row {
    const INPUTS: usize = 1;

    #[inline(always)]
    fn weights<V: Lanes>(&self, _: usize) -> [V; 2] {
        let [low, high] = self.halves();
        [V::load(low), V::load(high)]
    }
}

impl Line for Panel {
    const INPUTS: usize = 2;

    #[inline(always)]
    fn weights<V: Lanes>(&self, input: usize) -> [V; 2] {
        let [low, high] = self.halves();
        match input {
            0 => [V::evens(low), V::evens(high)],
            _ => [V::odds(low), V::odds(high)],
        }
    }
}
