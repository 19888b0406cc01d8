//! Learning from demonstrations and being judged: where the world meets the models.
//!
//! [`Demonstrations`] are episode files as training wants them; [`rehearse`] lets a policy act in a
//! world in simulated time, with latents as old as they would be, and [`Score`] counts.

mod corrected;
mod demonstrations;
mod keep;
mod live;
mod rehearse;
mod sweep;
#[cfg(test)]
mod tests;

pub use corrected::Corrected;
pub use demonstrations::Demonstrations;
pub use keep::show_experts;
pub use live::{LiveS1, LiveS2, LiveWorld, expect_body};
pub use rehearse::{Delay, Rehearsal, Score, rehearse, rehearse_on_record};
pub use sweep::{AtAge, together};
