//! Run directories, event logs, statistics and reports.
//!
//! A [`Store`] is a folder of runs. A [`Run`] is one directory that is readable without this code:
//!
//! ```text
//! 2026-11-23-chess-run-3f9a1c/
//!   manifest.toml    what was asked, of what, where; status `started` before anything else happens
//!   events.jsonl     append-only, each line `{"seq":…,"nanos":…,…the event}`
//!   blobs/3b/3b0c…   content under its SHA-256
//!   summary.json     what the command answered
//!   report.html      rendered from the rest, can be deleted
//!   lock             held by the process that writes, free again when it dies
//! ```
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! use runs::{Log, Status, Store};
//! let store = Store::open(folder.path())?;
//! let settings = serde_json::json!({ "n_games": 3 });
//! let mut run = store.create("chess", "run", &settings, 7)?;
//! run.log().append(&serde_json::json!({ "event": "game-over", "won": true }))?;
//! run.write_summary(&serde_json::json!({ "wins": { "hits": 1, "n": 1 } }))?;
//! run.finish(Status::Done)?;
//! let events: Vec<(u64, serde_json::Value)> = Log::read(&run.path().join("events.jsonl"))?;
//! assert_eq!(events[0].1["won"], true);
//! # Ok(())
//! # }
//! ```
//!
//! A report is a pure function of what a run directory holds: [`stats`] computes, [`html`] and
//! [`plot`] render. This crate does not know what any system measures.

mod atomic;
mod blob;
pub mod compare;
mod error;
mod host;
pub mod html;
mod lock;
pub mod log;
pub mod manifest;
pub mod plot;
mod run;
pub mod settings;
pub mod show;
mod stamp;
pub mod stats;
pub mod store;
pub mod text;

pub use atomic::write_atomic;
pub use blob::sha256;
pub use error::Error;
pub use host::Host;
pub use log::Log;
pub use manifest::{FormatVersion, Manifest, Source, Status};
pub use run::Run;
pub use store::{Listed, Prune, Pruned, Store};
