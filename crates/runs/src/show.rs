//! One run at a glance.

use std::path::PathBuf;

use serde::Serialize;
use serde_json::Value;

use crate::store::{prune::size_bytes, state};
use crate::{Error, Log, Manifest, Run};

/// What `tetrad runs show` answers.
#[derive(Debug, Clone, Serialize)]
pub struct Shown {
    /// Name of its folder.
    pub id: String,
    /// Its folder, absolute.
    pub path: PathBuf,
    /// `running`, `crashed`, or the manifest's status.
    pub state: String,
    /// Its manifest.
    pub manifest: Manifest,
    /// Bytes of its files.
    pub size_bytes: u64,
    /// Events in its own log; 0 when it has none.
    pub n_events: usize,
    /// Its report, where it has been rendered.
    pub report: Option<PathBuf>,
    /// Its summary, where there is one.
    pub summary: Option<Value>,
}

impl Shown {
    /// Looks at a run.
    ///
    /// # Errors
    /// When its log or summary is there and cannot be read.
    pub fn of(run: &Run) -> Result<Self, Error> {
        let log = run.path().join(crate::run::EVENTS);
        let n_events = if log.exists() { Log::read::<Value>(&log)?.len() } else { 0 };
        Ok(Self {
            id: run.id().to_owned(),
            path: run.path().to_path_buf(),
            state: state(Some(run.manifest().status), run.is_in_use()).to_owned(),
            manifest: run.manifest().clone(),
            size_bytes: size_bytes(run.path()),
            n_events,
            report: Some(run.report_path()).filter(|path| path.exists()),
            summary: run.summary()?,
        })
    }
}
