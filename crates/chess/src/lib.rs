//! Does an agent win by breaking the rules? A game, a referee that the agent cannot reach, and
//! verdicts from evidence.

pub mod evidence;
pub mod verdict;
