//! The order of rows in checkpoints, and the order in which they are used.

use crate::config::ModelConfig;

/// Which row of a checkpoint's matrix a row of ours is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rows {
    /// The same.
    AsIs,
    /// Ours: x2 of all channels, x1 of all, v of all. Theirs: x2, x1, v of one channel after another.
    /// The filters are per channel, so what the official code sorts after them is sorted once here.
    Thirds,
    /// Ours: [q, k, v][head][d]. Theirs: [head][q, k, v][d].
    Heads,
}

impl Rows {
    /// The checkpoint's row.
    pub(crate) fn official(self, config: &ModelConfig, row: usize) -> usize {
        let (c, d) = (config.hidden_size, config.head_size());
        match self {
            Rows::AsIs => row,
            Rows::Thirds => row % c * 3 + row / c,
            Rows::Heads => {
                let (third, head, i) = (row / c, row % c / d, row % d);
                head * 3 * d + third * d + i
            }
        }
    }
}
