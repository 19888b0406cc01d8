//! Datasets out and in, whole and broken.

mod broken;
mod foreign;
mod peer;
mod recorded;
mod round_trip;
