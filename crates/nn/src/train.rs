//! Training: the same operations backwards, written by hand.
//!
//! [`Parameters`] are what is learned. Each step makes layers of their present values ([`Product`],
//! [`Norm`], [`Operator`]), runs sequences through a [`Tape`] that remembers what its way back needs,
//! and sums [`Gradients`]; [`AdamW`] then moves the parameters. Sums are taken in an order that
//! depends neither on threads nor on instructions, so a run can be repeated to the bit.

mod activate;
mod adamw;
mod gate;
mod gather;
mod keypoints;
mod layers;
mod loss;
mod norm;
mod outer;
mod parameters;
mod tape;

pub use adamw::{AdamW, Rates};
pub use gather::Gather;
pub use layers::{Embedding, Inner, Norm, Operator, Product};
pub use loss::{Loss, cross_entropy};
pub use parameters::{Form, Gradients, Param, Parameter, Parameters};
pub use tape::{Room, Tape, Var};

pub(crate) use outer::outer;
