//! A dual-rate robot policy, after Figure's Helix: a slow vision-language model (S2) writes a latent
//! into shared memory, a fast transformer (S1) reads it and closes the loop at 200 Hz in a process of
//! its own, and the world (a simulator or a driver) is a third.
//!
//! Every process sees the others only through the quantities of [`interface`], in the memory of
//! [`shared`]. S1 is a [`fast::Policy`] in a [`fast::Fast`] loop behind [`limits`]; [`deploy`] is how the
//! processes are started, watched and replaced.

pub mod interface;
pub mod model;
pub mod train;

pub mod collect;
pub mod experts;
pub mod language;
pub mod raster;
pub mod study;
pub mod tasks;
pub mod world;

pub mod clock;
pub mod schedule;
pub mod shared;

pub mod kinematics;
pub mod limits;

pub mod chunks;
pub mod fast;
pub mod meter;
pub mod watchdog;

pub mod deploy;
pub mod twins;

pub mod error;
mod linux;

pub use error::{Error, Result};
