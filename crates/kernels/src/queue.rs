//! Evaluations for others to do.
//!
//! A search writes orders; whoever has the time claims one for a while, extends the claim as long as
//! it works, and completes it. Who dies lets the claim run out, and another takes it. An order is
//! completed once: a second finding, from someone who was thought dead, is turned away.

#[cfg(feature = "postgres")]
mod postgres;
mod work;

use std::time::Duration;

#[cfg(feature = "postgres")]
pub use postgres::Postgres;
pub(crate) use work::fulfil;
pub use work::{Bench, Worked, work};

use crate::Error;
use crate::archive::{Finding, Order};

/// Where orders are claimed and findings delivered.
pub trait Queue: Send + Sync {
    /// Claims the oldest open order for `lease`; `None` when there is none now.
    ///
    /// # Errors
    /// When the queue cannot be reached or is damaged.
    fn claim(&self, worker: &str, lease: Duration) -> Result<Option<Order>, Error>;

    /// Extends a claim. False when it is lost.
    ///
    /// # Errors
    /// When the queue cannot be reached.
    fn extend(&self, order: i64, worker: &str, lease: Duration) -> Result<bool, Error>;

    /// Gives an order back undone.
    ///
    /// # Errors
    /// When the queue cannot be reached.
    fn give_back(&self, order: i64, worker: &str) -> Result<(), Error>;

    /// Delivers what was found. False when someone else did before.
    ///
    /// # Errors
    /// When the queue cannot be reached.
    fn complete(&self, order: i64, worker: &str, finding: &Finding) -> Result<bool, Error>;
}

/// Hands a search's orders on to a queue that is not its archive, and brings the findings back.
pub trait Relay: Send + Sync {
    /// Offers orders; one that was offered before is left as it is.
    ///
    /// # Errors
    /// When the queue cannot be reached.
    fn offer(&self, orders: &[Order]) -> Result<(), Error>;

    /// Takes out what was found for orders of this search since the last call, with the orders'
    /// numbers. What is returned once may be returned again after a crash.
    ///
    /// # Errors
    /// When the queue cannot be reached.
    fn collect(&self, search: &str) -> Result<Vec<(i64, Finding)>, Error>;
}
