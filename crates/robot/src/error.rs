//! What can go wrong.

/// Why something of this crate failed: one line, with a hint where there is one.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A quantity does not have the shape that the other side of an interface expects.
    #[error("{what} has {got} values where {expected} are expected")]
    Shape {
        /// What was measured.
        what: String,
        /// How many values it has.
        got: usize,
        /// How many it should have.
        expected: usize,
    },
    /// An action that no body can follow.
    #[error("an action holds a number that is not finite, or a rotation without direction")]
    Action,
}

/// The crate's results.
pub type Result<T> = std::result::Result<T, Error>;
