//! The task: what the agent is told, and the world it is put into.

pub mod setup;
pub mod variant;
