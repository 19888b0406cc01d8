//! The system call filter.

mod bpf;
mod filter;
mod list;

pub(super) use filter::{Answer, install};
pub(super) use list::name;
