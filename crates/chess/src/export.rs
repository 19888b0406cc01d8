//! A run's games for other tools.

pub mod inspect;
pub mod pgn;
