//! The crate from outside.

mod config;
mod damaged;
mod load;

/// Counts, so that tests can see what a damaged file makes a reader ask for.
#[global_allocator]
static HEAP: peak_alloc::PeakAlloc = peak_alloc::PeakAlloc;
