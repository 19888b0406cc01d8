//! The ways in which weights lie in the panels of products in f32.

use super::f32::MOST_TOKENS;
use crate::blocked::{BLOCK, Panel, Row};
use crate::simd::Lanes;

/// How weights of 32 outputs lie in a panel.
pub(crate) trait Line: Copy + Sync {
    /// What the lines of a panel have in common.
    type Beside: Sync;

    /// Inputs in one.
    const INPUTS: usize;

    /// Tokens of a tile, in whose registers there is room to make floats of it, too.
    const TOKENS: usize;

    /// In a block of inputs.
    const IN_BLOCK: usize = BLOCK / Self::INPUTS;

    /// Of one of its inputs.
    fn weights<V: Lanes>(&self, input: usize, beside: &Self::Beside) -> [V; 2];
}

/// Some lines of a panel.
pub(super) struct Lines<'a, L: Line> {
    pub(super) lines: &'a [L],
    pub(super) beside: &'a L::Beside,
}

// Derived, they would ask the same of what is only referred to.
impl<L: Line> Clone for Lines<'_, L> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<L: Line> Copy for Lines<'_, L> {}

impl<'a, L: Line> Lines<'a, L> {
    /// Those of a panel of a product.
    pub(super) fn of(panels: &'a [L], beside: &'a [L::Beside], panel: usize) -> Lines<'a, L> {
        let size = panels.len() / beside.len();
        Lines { lines: &panels[panel * size..][..size], beside: &beside[panel] }
    }

    /// Those of at most so many blocks of inputs, from one on.
    pub(super) fn blocks(self, first: usize, n: usize) -> Lines<'a, L> {
        let (from, to) = (first * L::IN_BLOCK, (first + n) * L::IN_BLOCK);
        Lines { lines: &self.lines[from..to.min(self.lines.len())], ..self }
    }
}

impl<'a> From<&'a [Row]> for Lines<'a, Row> {
    fn from(lines: &'a [Row]) -> Lines<'a, Row> {
        Lines { lines, beside: &() }
    }
}

impl Line for Row {
    type Beside = ();

    const INPUTS: usize = 1;

    const TOKENS: usize = MOST_TOKENS;

    #[inline(always)]
    fn weights<V: Lanes>(&self, _: usize, (): &()) -> [V; 2] {
        let [low, high] = self.halves();
        [V::load(low), V::load(high)]
    }
}

impl Line for Panel {
    type Beside = ();

    const INPUTS: usize = 2;

    const TOKENS: usize = 13;

    #[inline(always)]
    fn weights<V: Lanes>(&self, input: usize, (): &()) -> [V; 2] {
        let [low, high] = self.halves();
        match input {
            0 => [V::evens(low), V::evens(high)],
            _ => [V::odds(low), V::odds(high)],
        }
    }
}
