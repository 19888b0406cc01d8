//! Memory that a program inside and its harness outside both see.

pub use crate::linux::shared::{Inside, Memory, program};
