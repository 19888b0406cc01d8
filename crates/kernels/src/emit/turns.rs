//! Rows that come in turn along a vector: what reads and chooses among several of them by remainders.

use super::expr::Scope;
use super::text::{Kind, Text};
use crate::loops::{Affine, Within};

/// Every few lanes of sixteen as bits.
fn lanes_of(from: i64, every: i64) -> u16 {
    (0..16).filter(|lane| lane % every == from).map(|lane| 1 << lane).sum()
}

impl Scope<'_> {
    /// What a lane so far from the first one sees.
    fn lane_at<T>(&self, from: i64, lane: usize, see: impl FnOnce(&Scope<'_>) -> T) -> T {
        let mut vars = self.vars.to_vec();
        vars[lane] = format!("({} + {from})", vars[lane]);
        see(&Scope { vars: &vars, lane: None, folded: None, ..*self })
    }

    /// Lanes in which a condition holds that comes round after few of them.
    pub(super) fn cycled_mask(&self, within: &Within, lane: usize) -> Option<String> {
        let (every @ ..=Affine::MOST_INTERLEAVED, 0) = within.index.cycle(lane)? else {
            return None;
        };
        let each = (0..every).map(|from| {
            let condition =
                self.lane_at(from, lane, |one| one.condition(std::slice::from_ref(within)));
            format!("({condition} ? {:#x} : 0)", lanes_of(from, every))
        });
        let each: Vec<String> = each.collect();
        Some(format!("v_chosen({})", each.join(" | ")))
    }

    /// A vector of which every few lanes are neighbours in memory.
    pub(super) fn cycled_load(&self, array: &str, index: &Affine, lane: usize) -> Option<Text> {
        let every = index.interleaved(lane)?;
        let code = (0..every).fold("v_all(0.0f)".to_owned(), |sum, from| {
            let position = self.lane_at(from, lane, |one| one.position(index));
            let bits = lanes_of(from, every);
            match self.under {
                0 => format!("v_spread({sum}, {array} + ({position}), {bits:#x})"),
                m => format!("v_spread_some({sum}, {array} + ({position}), {bits:#x}, m{m})"),
            }
        });
        Some(Text { code, kind: Kind::Vector })
    }
}
