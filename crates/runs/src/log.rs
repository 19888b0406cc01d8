//! Append-only logs: JSON Lines, one event a line, each with its place and its time.
//!
//! A line is `{"seq":4,"nanos":81230,…fields of the event}`. `seq` counts from 0 without gaps.
//! `nanos` is monotonic: nanoseconds of the time during which the log was open, over all processes
//! that appended to it. An event with its own `nanos` keeps it.
//!
//! Only a line that ends in a newline counts. A crash, or a full disk, can leave one torn line at
//! the end: readers ignore it, and the next writer cuts it off before it appends.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::lock::{Lock, same_file};
use crate::{Error, atomic};

const SEQ: &str = "seq";
const NANOS: &str = "nanos";

/// One log, open for appending. Clones append to the same file, from any thread.
#[derive(Debug, Clone)]
pub struct Log {
    shared: Arc<Shared>,
}

#[derive(Debug)]
pub(crate) struct Shared {
    path: PathBuf,
    /// The run's lock, taken before the first append.
    lock: Option<Arc<Lock>>,
    /// Opened by the first append, so that a reader of a run changes nothing in it.
    open: Mutex<Option<Open>>,
}

#[derive(Debug)]
struct Open {
    file: File,
    /// Bytes up to the end of the last whole line.
    length: u64,
    next_seq: u64,
    /// Nanoseconds that earlier processes had it open.
    nanos_before: u64,
    since: Instant,
}

impl Log {
    /// A log of its own, for appending: made when it is not there. One process at a time; inside a
    /// run use [`Run::open_log`](crate::Run::open_log), which sees to that.
    ///
    /// # Errors
    /// When the file cannot be opened, or its last whole line is not a line of a log.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let log = Self::lazy(path, None);
        log.ready()?;
        Ok(log)
    }

    /// One that is opened by its first append, after `lock` is taken.
    pub(crate) fn lazy(path: &Path, lock: Option<Arc<Lock>>) -> Self {
        let shared = Shared { path: path.to_path_buf(), lock, open: Mutex::new(None) };
        Self { shared: Arc::new(shared) }
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    pub(crate) fn from_shared(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Takes the lock and opens the file, where that has not happened yet.
    pub(crate) fn ready(&self) -> Result<(), Error> {
        self.opened().map(drop)
    }

    /// Appends one event, a struct or map without a field `seq`, as one whole line. Says its `seq`.
    /// The line survives a crash of this process at once, a power cut after [`Log::sync`].
    ///
    /// # Errors
    /// When the event has another shape or the disk refuses; the log is then as before.
    pub fn append<E: Serialize>(&self, event: &E) -> Result<u64, Error> {
        let fields = self.fields(event)?;
        let mut opened = self.opened()?;
        let open = opened.as_mut().expect("`opened` opens it");
        let seq = open.next_seq;
        let mut line = Map::from_iter([(SEQ.to_owned(), seq.into())]);
        if !fields.contains_key(NANOS) {
            line.insert(NANOS.to_owned(), open.nanos().into());
        }
        line.extend(fields);
        let mut bytes = Value::Object(line).to_string().into_bytes();
        bytes.push(b'\n');
        if let Err(source) = open.file.write_all(&bytes) {
            // Part of the line may be there. It is torn for every reader; cutting it off keeps the
            // next line from being glued to it. If even that fails, the file is reopened, and so
            // repaired, by the next append.
            if open.file.set_len(open.length).is_err() {
                *opened = None;
            }
            return Err(Error::io("append to", &self.shared.path)(source));
        }
        open.length += bytes.len() as u64;
        open.next_seq += 1;
        Ok(seq)
    }

    fn fields<E: Serialize>(&self, event: &E) -> Result<Map<String, Value>, Error> {
        let refused = |reason: String| Error::Value {
            what: format!("an event to `{}`", self.shared.path.display()),
            reason,
        };
        match serde_json::to_value(event).map_err(|error| refused(error.to_string()))? {
            Value::Object(fields) if fields.contains_key(SEQ) => {
                Err(refused("the field `seq` is the log's own".to_owned()))
            }
            Value::Object(fields) => Ok(fields),
            other => Err(refused(format!("expected a struct or a map, got `{other}`"))),
        }
    }

    /// Flushes what was appended to the disk.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn sync(&self) -> Result<(), Error> {
        let opened = self.shared.open.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(open) = opened.as_ref() else { return Ok(()) };
        open.file.sync_data().map_err(Error::io("flush", &self.shared.path))
    }

    /// Every event of a log, with its `seq`. A torn last line is ignored. The event's type sees the
    /// log's `nanos` too, so it can have such a field, and must not deny unknown ones.
    ///
    /// # Errors
    /// When the file is not there, a whole line is not JSON, or does not fit the type, or a `seq`
    /// is not its place: then a line was lost or written twice, and nothing after it can be trusted.
    pub fn read<D: DeserializeOwned>(path: &Path) -> Result<Vec<(u64, D)>, Error> {
        let bytes = std::fs::read(path).map_err(Error::io("read", path))?;
        let mut events = Vec::new();
        for (idx, line) in whole_lines(&bytes).enumerate() {
            let wrong = |reason| Error::LogLine { path: path.to_path_buf(), line: idx + 1, reason };
            let mut fields: Map<String, Value> = serde_json::from_slice(line)
                .map_err(|error| wrong(format!("not a JSON object: {error}")))?;
            let seq = fields.shift_remove(SEQ).and_then(|seq| seq.as_u64());
            if seq != Some(idx as u64) {
                let got = seq.map_or_else(|| "none".to_owned(), |seq| format!("`{seq}`"));
                return Err(wrong(format!("expected `seq` {idx}, got {got}")));
            }
            let event = serde_json::from_value(Value::Object(fields))
                .map_err(|error| wrong(error.to_string()))?;
            events.push((idx as u64, event));
        }
        Ok(events)
    }

    fn opened(&self) -> Result<MutexGuard<'_, Option<Open>>, Error> {
        if let Some(lock) = &self.shared.lock {
            lock.acquire()?;
        }
        let mut opened = self.shared.open.lock().unwrap_or_else(PoisonError::into_inner);
        if opened.is_none() {
            *opened = Some(Open::at(&self.shared.path)?);
        }
        Ok(opened)
    }
}

impl Shared {
    /// Whether this still appends to what is now at `path`: a folder may have been renamed, and
    /// another log begun under the old name.
    pub(crate) fn is_at(&self, path: &Path) -> bool {
        let opened = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        self.path == path && opened.as_ref().is_none_or(|open| same_file(&open.file, path))
    }
}

impl Open {
    fn at(path: &Path) -> Result<Self, Error> {
        let is_new = !path.exists();
        let file = OpenOptions::new()
            .append(true)
            .create(true)
            .open(path)
            .map_err(Error::io("open", path))?;
        let bytes = std::fs::read(path).map_err(Error::io("read", path))?;
        let length = whole_length(&bytes);
        if length < bytes.len() {
            file.set_len(length as u64).map_err(Error::io("repair", path))?;
        }
        if let (true, Some(folder)) = (is_new, path.parent()) {
            // A log that vanishes in a power cut after its lines were flushed would be a lie.
            atomic::flush_folder(if folder.as_os_str().is_empty() {
                Path::new(".")
            } else {
                folder
            })?;
        }
        let (next_seq, nanos_before) = last_line(path, &bytes)?;
        Ok(Self { file, length: length as u64, next_seq, nanos_before, since: Instant::now() })
    }

    fn nanos(&self) -> u64 {
        let here = u64::try_from(self.since.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.nanos_before.saturating_add(here)
    }
}

/// The next `seq`, and where the clock stood.
fn last_line(path: &Path, bytes: &[u8]) -> Result<(u64, u64), Error> {
    let n_lines = whole_lines(bytes).count();
    let Some(line) = whole_lines(bytes).last() else { return Ok((0, 0)) };
    let wrong = |reason: String| Error::LogLine { path: path.to_path_buf(), line: n_lines, reason };
    let fields: Map<String, Value> = serde_json::from_slice(line)
        .map_err(|error| wrong(format!("not a JSON object: {error}")))?;
    let seq = fields.get(SEQ).and_then(Value::as_u64);
    if seq != Some(n_lines as u64 - 1) {
        return Err(wrong(format!("expected `seq` {}", n_lines - 1)));
    }
    Ok((n_lines as u64, fields.get(NANOS).and_then(Value::as_u64).unwrap_or(0)))
}

fn whole_length(bytes: &[u8]) -> usize {
    bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1)
}

/// Lines that end in a newline, without it.
fn whole_lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let whole = &bytes[..whole_length(bytes)];
    whole.split_inclusive(|byte| *byte == b'\n').map(|line| &line[..line.len() - 1])
}
