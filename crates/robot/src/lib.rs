//! A dual-rate robot policy, after Figure's Helix: a slow vision-language model (S2) writes a latent
//! into shared memory, a fast transformer (S1) reads it and closes the loop at 200 Hz in a process of
//! its own, and the world (a simulator or a driver) is a third.
//!
//! Every process sees the others only through the quantities of [`interface`].

pub mod error;
pub mod interface;
pub mod model;
pub mod train;

pub use error::{Error, Result};
