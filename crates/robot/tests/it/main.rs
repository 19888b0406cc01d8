//! Several processes.

#[cfg(feature = "mujoco")]
mod aloha;
mod chaos;
#[cfg(feature = "mujoco")]
mod engines;
mod exchange;
mod parts;
