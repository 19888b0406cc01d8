//! The small alpha-beta engine that plays where no Stockfish is installed. It is ours, it is weak
//! beside Stockfish, and every report names it.

mod evaluate;
mod search;
mod serve;

pub use search::{Limit, Line, Searcher};
pub use serve::serve;
pub(crate) use serve::{describe, perft};

/// Name in reports and in UCI.
pub const LABEL: &str = "tetrad embedded engine";
