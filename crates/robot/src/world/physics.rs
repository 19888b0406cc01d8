//! What every physics engine offers, whichever it is.

use rapier3d::glamx::{Pose3, Vec3};

use crate::interface::TICK_NS;

/// Seconds of one step: a tick of the fast loop.
#[allow(clippy::cast_precision_loss, reason = "five million is exact in f32")]
pub const STEP_SECS: f32 = TICK_NS as f32 * 1e-9;

/// Rigid bodies under gravity, contact and servos. Bodies are named by their index in the
/// [`Scene`](super::scene::Scene) that the engine was built from. The same scene and targets give the
/// same states, bit for bit; with the embedded engine on every machine.
pub trait Physics: Send {
    /// Advances by one step of [`STEP_SECS`].
    fn step(&mut self);

    /// Where a body's servo shall be, and how fast it shall move there. Nothing happens for a body
    /// without a servo.
    fn set_target(&mut self, body: usize, position: f32, velocity: f32);

    /// Position and velocity of a body's joint (0 and 0 for one that is fixed or free).
    fn joint(&self, body: usize) -> (f32, f32);

    /// Where a body is.
    fn pose(&self, body: usize) -> Pose3;

    /// Linear velocity of a body's centre of mass, and its angular velocity.
    fn velocity(&self, body: usize) -> (Vec3, Vec3);

    /// Whether two bodies touch.
    fn touching(&self, one: usize, other: usize) -> bool;
}
