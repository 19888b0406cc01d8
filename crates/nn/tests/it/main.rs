//! The operations against plain definitions, on every set of instructions that this machine has.

mod attention;
mod hyena;
mod norm;
mod products;
mod reference;
mod train;
mod weights;
