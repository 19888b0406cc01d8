//! The crate from outside.

mod fuzz;
mod laws;
mod parity;
mod torch;
