//! The crate from outside.

mod fuzz;
mod torch;
