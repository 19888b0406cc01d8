//! A dual-rate robot policy, after Figure's Helix: a slow vision-language model (S2) writes a latent
//! into shared memory, a fast transformer (S1) reads it and closes the loop at 200 Hz in a process of
//! its own, and the world (a simulator or a driver) is a third.
//!
//! Every process sees the others only through the quantities of [`interface`], in the memory of
//! [`shared`]. S1 is a [`fast::Policy`] in a [`fast::Fast`] loop behind [`limits`]; [`deploy`] is how the
//! processes are started, watched and replaced.
//!
//! ```
//! use robot::deploy::{Lockstep, LockstepConfig};
//! use robot::fast::FastConfig;
//! use robot::twins::{CountingThinker, StillWorld, WavingPolicy};
//!
//! let config = LockstepConfig {
//!     fast: FastConfig::DEFAULT,
//!     latent_width: 16,
//!     think_nanos: Box::new(|| 120_000_000),
//! };
//! let (world, policy) = (StillWorld::new(1, 64), WavingPolicy::new(0.04, 400));
//! let mut robot = Lockstep::new(world, vec![policy], CountingThinker::default(), config)?;
//! let last = (0..400).filter_map(|_| robot.tick()[0]).last();
//! assert!(last.is_some_and(|tick| tick.latent_age >= Some(120_000_000)));
//! # Ok::<(), robot::Error>(())
//! ```

pub mod interface;
pub mod model;
pub mod train;

#[cfg(feature = "mujoco")]
pub mod aloha;
pub mod collect;
pub mod experts;
pub mod language;
pub mod lerobot;
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

pub mod bench;
pub mod play;
pub mod record;
pub mod report;
#[cfg(feature = "rerun")]
pub mod rerun;

pub mod error;
mod linux;

pub use error::{Error, Result};
