//! Several processes.

mod chaos;
#[cfg(feature = "mujoco")]
mod engines;
mod exchange;
mod parts;
