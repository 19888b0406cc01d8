//! The crate from outside.

mod config;
mod load;
