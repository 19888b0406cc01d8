//! Timings, for the command line and for `cargo bench`: ticks while every processor is busy, and the
//! networks of a shape.

mod load;
mod shape;
mod ticks;

pub use load::{Load, stolen_millis};
pub use shape::{ShapeTimes, time_shape};
pub use ticks::{TickTask, TickTimes, time_ticks};
