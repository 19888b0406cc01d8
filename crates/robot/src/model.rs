//! The two networks, and what a loop does with them.
//!
//! S2 reads pictures, words and the state, and writes one latent vector. S1 sees the pictures through a
//! convolutional backbone of several scales, encodes what it saw with the latent beside it, and decodes
//! a chunk of actions. [`Policy`] is both with everything they need from training; [`S1`] and [`S2`] are
//! what runs. The same description of each network ([`network`]) serves training.
//!
//! With the feature `backbones`, S2 may have an open vision-language model's features as one more token
//! ([`config::Borrowed`], [`Backbone`]).

mod borrowed;
pub mod config;
pub mod network;
mod normal;
mod pictures;
mod policy;
mod s1;
mod s2;
pub mod tensors;
#[cfg(test)]
mod tests;
mod weights;

pub(crate) use borrowed::not_lent;
pub use borrowed::{Backbone, Lender};
pub use config::PolicyConfig;
pub(crate) use normal::is_position;
pub use normal::{Moments, Normalisation};
pub use pictures::Shift;
pub(crate) use pictures::{rows as write_rows, windows as write_windows};
pub use policy::Policy;
pub(crate) use policy::{CONFIG_KEY, RECIPE_KEY, expect_config, from_metadata};
pub use s1::S1;
pub(crate) use s2::padded_words;
pub use s2::{Instruction, Mind, S2};
