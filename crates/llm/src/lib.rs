//! Talk to a chat model: over HTTP, or a scripted twin.
//!
//! Everything speaks [`Chat`]: one request in, one reply out, blocking. Whoever needs several at
//! once uses threads.

pub mod chat;
pub mod error;
pub mod gate;
pub mod http;
pub mod models;
pub mod price;
pub mod scripted;
pub mod secret;
pub mod serve;

pub use chat::{Chat, Message, Reply, Request, Tool, ToolCall};
pub use error::Error;
