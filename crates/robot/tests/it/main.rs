//! Several processes.

mod chaos;
mod exchange;
mod parts;
