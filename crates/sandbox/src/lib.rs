//! Run untrusted programs with stated limits, and record what they did.
//!
//! A [`Sandbox`] is started from a [`Policy`] and then runs any number of commands, each a fresh
//! process tree in the same namespaces: what one command leaves behind (files, background
//! processes) the next one finds, as in a container. While commands run, a supervisor outside
//! records [`Event`]s that the programs inside can neither see nor change.
//!
//! Modules in reading order: what may be asked ([`policy`]), what comes back ([`outcome`],
//! [`event`]), how it is asked ([`Sandbox`]), memory in common ([`shared`]), how Linux is made to do it (`linux`).

mod drive;
pub mod error;
pub mod event;
mod launcher;
mod linux;
mod observe;
pub mod outcome;
pub mod policy;
mod sandbox;
pub mod shared;

pub use error::Error;
pub use event::{Event, EventKind};
pub use launcher::{Launcher, launch_if_requested};
pub use linux::process::{Favor, Favored, Process, processors};
pub use outcome::{Ending, Outcome};
pub use policy::Policy;
pub use sandbox::{Canceller, Evidence, Job, Running, Sandbox, probe};
