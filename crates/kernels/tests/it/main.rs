//! The crate from outside.

mod fuzz;
mod laws;
mod parity;
mod peers;
mod torch;
