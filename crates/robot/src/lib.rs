//! A dual-rate robot policy, after Figure's Helix: a slow vision-language model (S2) writes a latent
//! into shared memory, a fast transformer (S1) reads it and closes the loop at 200 Hz in a process of
//! its own, and the world (a simulator or a driver) is a third.
//!
//! Every process sees the others only through the quantities of [`interface`].

pub mod chunks;
pub mod clock;
pub mod deploy;
pub mod error;
pub mod fast;
pub mod interface;
pub mod kinematics;
pub mod limits;
mod linux;
pub mod meter;
pub mod schedule;
pub mod shared;
pub mod twins;
pub mod watchdog;

pub use error::{Error, Result};
