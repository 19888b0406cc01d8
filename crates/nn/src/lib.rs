//! The hot operations of the models, fused and vectorised, and the files their weights come from.
//!
//! Activations are [`Blocked`]; products with fixed weights are [`Linear`] and [`Glu`]. Every
//! operation takes a [`Cpu`], the instructions to use: the portable one is the definition, and a
//! test holds each faster one to it.
//!
//! Each token's results depend only on that token and what came before it, and are summed in an
//! order that does not depend on how many tokens are given at once or how many threads work. So a
//! sequence may be given in pieces of any size, and in f32 gives the same bits.
//!
//! ```
//! use nn::{Blocked, Cpu, Linear, Precision, Then};
//!
//! let weights = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]; // [2, 3]: outputs, inputs
//! let linear = Linear::new(2, 3, Precision::F32, None, |row, into| {
//!     into.copy_from_slice(&weights[row * 3..][..3]);
//! });
//! let x = Blocked::from_rows(&[1.0, 0.0, -1.0], 3);
//! let mut y = Blocked::new(1, 2);
//! linear.forward(Cpu::best(), &x, &mut y, Then::Store);
//! assert_eq!(y.to_rows(), [-2.0, -2.0]);
//! ```

mod attend;
mod attention;
#[cfg(feature = "backbones")]
pub mod backbone;
mod blocked;
mod cpu;
#[cfg(feature = "device")]
pub mod device;
mod error;
mod glu;
mod hyena;
mod linear;
mod loss;
mod norm;
mod products;
mod simd;
pub mod threads;
pub mod train;
pub mod weights;

pub use attend::{Attended, Channels, Heads};
pub use attention::{Attention, KeyValues, Rotary};
pub use blocked::{BLOCK, Blocked, Row};
pub use cpu::{Cpu, Isa};
pub use error::Error;
pub use glu::{Activation, Glu};
pub use hyena::{Filter, Hyena, HyenaState};
pub use linear::{Linear, Precision, Then};
pub use loss::log_likelihoods;
pub use norm::RmsNorm;
pub use products::Scratch;
