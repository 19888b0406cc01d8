//! One run directory.

use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::lock::{self, Lock};
use crate::log::Shared;
use crate::{Error, Log, Manifest, Status, atomic, blob, stamp, write_atomic};

pub(crate) const EVENTS: &str = "events.jsonl";
const SUMMARY: &str = "summary.json";
const REPORT: &str = "report.html";

/// A run. One that was created or resumed holds its lock until it is dropped; one that was found is
/// open for reading, and takes the lock with the first thing that it writes.
#[derive(Debug)]
pub struct Run {
    folder: PathBuf,
    id: String,
    manifest: Manifest,
    lock: Arc<Lock>,
    log: Log,
    /// Logs that are open, so that the same file asked for twice is appended to by one writer.
    logs: Mutex<Vec<Weak<Shared>>>,
}

impl Run {
    /// Opens a run's folder for reading.
    ///
    /// # Errors
    /// When it has no manifest, or one that cannot be read.
    pub fn open(folder: &Path) -> Result<Self, Error> {
        let folder = std::path::absolute(folder).map_err(Error::io("find", folder))?;
        let manifest = Manifest::load(&folder)?;
        let lock = Lock::of(&folder);
        Ok(Self::assemble(folder, manifest, lock))
    }

    /// Of parts that are on disk already.
    pub(crate) fn assemble(folder: PathBuf, manifest: Manifest, lock: Lock) -> Self {
        let lock = Arc::new(lock);
        let log = Log::lazy(&folder.join(EVENTS), Some(Arc::clone(&lock)));
        let logs = Mutex::new(vec![Arc::downgrade(log.shared())]);
        // The folder's name is what people type; it differs from the manifest's id when they
        // renamed it.
        let name = folder.file_name().map(|name| name.to_string_lossy().into_owned());
        let id = name.unwrap_or_else(|| manifest.id.clone());
        Self { folder, id, manifest, lock, log, logs }
    }

    /// Takes the run up again: lock, cleaning up after the crash, status `started`.
    pub(crate) fn resume(&mut self) -> Result<bool, Error> {
        self.lock.acquire()?;
        // Whoever had the lock before may have finished it.
        self.manifest = Manifest::load(&self.folder)?;
        if self.manifest.status.is_final() {
            return Ok(false);
        }
        atomic::sweep(&self.folder)?;
        blob::sweep(&self.folder)?;
        let now = stamp::now();
        self.manifest.status = Status::Started;
        self.manifest.finished = None;
        self.manifest.resumed.push(now.clone());
        self.manifest.updated = now;
        self.manifest.store(&self.folder)?;
        Ok(true)
    }

    /// Name of its folder.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Its folder, absolute.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.folder
    }

    /// Its manifest, as last read or written here.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Where its rendered report belongs.
    #[must_use]
    pub fn report_path(&self) -> PathBuf {
        self.folder.join(REPORT)
    }

    /// Whether a process, this one included, holds its lock.
    #[must_use]
    pub fn is_in_use(&self) -> bool {
        lock::is_held(&self.folder)
    }

    /// The run's own log, `events.jsonl`.
    #[must_use]
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// Another log of the run, at a path inside its folder. Folders on the way are made. The same
    /// path asked for twice gives the same log.
    ///
    /// # Errors
    /// When the path leads out of the run, another process writes to the run, or the disk refuses.
    pub fn open_log(&self, relative: &str) -> Result<Log, Error> {
        let inside = Path::new(relative);
        let plain = inside.components().all(|part| matches!(part, Component::Normal(_)));
        if !plain || inside.file_name().is_none() {
            let what = format!("a log at `{relative}`");
            return Err(Error::Value { what, reason: "not a path inside the run".to_owned() });
        }
        let path = self.folder.join(inside);
        // Held to the end: two threads that ask for one new log must not open two.
        let mut logs = self.logs.lock().unwrap_or_else(PoisonError::into_inner);
        logs.retain(|log| log.strong_count() > 0);
        let known = logs.iter().filter_map(Weak::upgrade).find(|shared| shared.is_at(&path));
        if let Some(shared) = known {
            return Ok(Log::from_shared(shared));
        }
        self.lock.acquire()?;
        let parent = path.parent().unwrap_or(&self.folder);
        std::fs::create_dir_all(parent).map_err(Error::io("create", parent))?;
        let log = Log::lazy(&path, Some(Arc::clone(&self.lock)));
        log.ready()?;
        logs.push(Arc::downgrade(log.shared()));
        Ok(log)
    }

    /// Stores bytes as a blob and says their lowercase hex SHA-256. Storing the same again is free.
    ///
    /// # Errors
    /// When another process writes to the run, or the disk refuses.
    pub fn put_blob(&self, bytes: &[u8]) -> Result<String, Error> {
        self.lock.acquire()?;
        blob::put(&self.folder, bytes)
    }

    /// A blob's bytes.
    ///
    /// # Errors
    /// When there is none, or its content does not have this hash.
    pub fn blob(&self, sha256: &str) -> Result<Vec<u8>, Error> {
        blob::get(&self.folder, sha256)
    }

    /// Writes `summary.json`, atomically.
    ///
    /// # Errors
    /// When another process writes to the run, or the disk refuses.
    pub fn write_summary<S: Serialize>(&self, summary: &S) -> Result<(), Error> {
        self.lock.acquire()?;
        let mut bytes = serde_json::to_vec_pretty(summary).map_err(|error| Error::Value {
            what: format!("the summary of `{}`", self.id),
            reason: error.to_string(),
        })?;
        bytes.push(b'\n');
        write_atomic(&self.folder.join(SUMMARY), &bytes)
    }

    /// Reads `summary.json`; `None` when there is none yet.
    ///
    /// # Errors
    /// When it is there and is something else.
    pub fn summary<D: DeserializeOwned>(&self) -> Result<Option<D>, Error> {
        let path = self.folder.join(SUMMARY);
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(Error::io("read", path)(source)),
        };
        serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|error| Error::Record { path, reason: error.to_string() })
    }

    /// Writes `report.html`, atomically, and says where. Reports can be deleted and made again, so
    /// this takes no lock: a run that is going on can be looked at.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn write_report(&self, html: &str) -> Result<PathBuf, Error> {
        let path = self.report_path();
        write_atomic(&path, html.as_bytes())?;
        Ok(path)
    }

    /// Flushes the log and writes how far the run came. The last thing that a run does; without it,
    /// its status stays `started` and it counts as crashed.
    ///
    /// # Errors
    /// When another process writes to the run, or the disk refuses.
    pub fn finish(&mut self, status: Status) -> Result<(), Error> {
        self.lock.acquire()?;
        self.log.sync()?;
        let now = stamp::now();
        let mut manifest = self.manifest.clone();
        manifest.status = status;
        manifest.updated.clone_from(&now);
        manifest.finished = (status != Status::Started).then_some(now);
        manifest.store(&self.folder)?;
        self.manifest = manifest;
        Ok(())
    }
}
