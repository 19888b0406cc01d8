//! Run directories from outside: public interface only.

mod crash;
mod listing;
mod log;
mod pages;
mod plots;
mod properties;
mod prune;
mod run;

use runs::{Run, Store};
use serde_json::json;

/// A store in a folder that goes with it.
struct Scratch {
    folder: tempfile::TempDir,
    store: Store,
}

impl Scratch {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let store = Store::open(folder.path().join("runs")).expect("a store");
        Self { folder, store }
    }

    fn run(&self) -> Run {
        self.store.create("chess", "run", &json!({ "n": 3 }), 7).expect("a run")
    }
}
