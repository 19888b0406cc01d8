//! Training, end to end: S2 and S1 as one network, from pixels and words to chunks of actions, by
//! regression. Gradients of S1's error flow through the latent into S2.
//!
//! S2's inputs are older than S1's by an age drawn for each sample from a histogram, as they are where
//! both run at their own rates. Everything random comes from the seed, the step and the sample, and sums
//! are taken in a fixed order: a run that was interrupted goes on to the same bits, with any number of
//! threads.

mod ages;
#[cfg(all(test, feature = "backbones"))]
mod borrowing;
mod checkpoint;
mod episodes;
mod networks;
mod points;
mod recipe;
mod run;
mod sample;
#[cfg(test)]
mod tests;
mod trainer;
#[cfg(test)]
pub(crate) mod twin;

pub use ages::Ages;
pub use episodes::{Episodes, measure};
pub use networks::Loss;
pub use points::Pointed;
pub use recipe::Recipe;
pub use run::{Start, run};
pub use trainer::{Stepped, Trainer};
