//! Datasets out and in, whole and broken.

mod broken;
mod foreign;
mod peer;
mod round_trip;
