//! What an archive holds, as self-contained pages.
//!
//! A page is a pure function of the archive. Nothing in it runs code, and texts of candidates are
//! shown as text.

mod ablation;
mod attempt;
mod diff;
mod gather;
mod lineage;
mod page;
mod serve;
#[cfg(test)]
mod tests;

pub use ablation::{Ablation, Arm as AblationArm, ablation};
pub use gather::{Gathered, gather, gather_with_rivals};
pub use page::{index, render};
pub use serve::{Answer, Server, answer};

pub use attempt::render as render_attempt;
