//! What people read: a run's report, and one game to step through. Records in, text out: no clock,
//! nothing is played or judged here.

pub mod board;
pub mod html;
pub mod replay;
pub mod text;
