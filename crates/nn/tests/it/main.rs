//! The operations against plain definitions, on every set of instructions that this machine has.

mod attention;
#[cfg(feature = "backbones")]
mod backbones;
mod damaged;
mod found;
mod hyena;
mod norm;
mod products;
mod reference;
mod samples;
mod train;
mod weights;

/// Counts, so that tests can see what a damaged file makes a reader ask for.
#[global_allocator]
static HEAP: peak_alloc::PeakAlloc = peak_alloc::PeakAlloc;
