//! The crate from outside.

mod fuzz;
mod parity;
mod torch;
