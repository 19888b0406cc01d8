//! Every attempt ever made, in one SQLite file.
//!
//! Nothing is forgotten and nothing is changed: an attempt is recorded before anyone works on it,
//! an [`Order`] asks for one evaluation of it, and each order is completed by exactly one
//! [`Finding`]. A process that dies leaves an order without finding, which is taken up again. What a
//! search knows is a pure function of these rows, in the order in which they came.
//!
//! Sources are kept under their SHA-256 and checked against it when read. Only what a judge of the
//! asked version verified, and nothing later spoke against, is given out as a good schedule.

mod claim;
mod read;
mod record;
mod schema;
#[cfg(test)]
mod tests;
mod write;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rusqlite::{Connection, OpenFlags};

pub use record::{
    AttemptId, AttemptRecord, Finding, FindingRecord, Fruitless, Kind, Known, NewAttempt, Order,
    SearchRecord, Seen,
};
pub use schema::FORMAT;

use crate::Error;

/// How long a writer waits for another one.
const BUSY: Duration = Duration::from_secs(30);

/// An open archive. Several processes may have the same file open.
#[derive(Debug)]
pub struct Archive {
    path: PathBuf,
    connection: Mutex<Connection>,
}

impl Archive {
    /// Opens an archive, or begins one where there is no file.
    ///
    /// # Errors
    /// When the file is no archive, is damaged, is of another version, or cannot be written.
    pub fn open(path: &Path) -> Result<Self, Error> {
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder).map_err(|source| Error::File {
                action: "create folder",
                path: folder.to_owned(),
                source,
            })?;
        }
        Self::connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE)
    }

    /// Opens an archive that is there.
    ///
    /// # Errors
    /// As [`Archive::open`], and when there is no such file.
    pub fn open_existing(path: &Path) -> Result<Self, Error> {
        if let Err(source) = std::fs::metadata(path) {
            return Err(Error::File { action: "open archive", path: path.to_owned(), source });
        }
        Self::connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)
    }

    fn connect(path: &Path, flags: OpenFlags) -> Result<Self, Error> {
        let failed = |error: rusqlite::Error| Self::error_at(path, "open archive", &error);
        let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)
            .map_err(failed)?;
        let archive = Self { path: path.to_owned(), connection: Mutex::new(connection) };
        archive.prepare()?;
        Ok(archive)
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn prepare(&self) -> Result<(), Error> {
        let failed = |error: rusqlite::Error| self.error("open archive", &error);
        let mut connection = self.lock();
        connection.busy_timeout(BUSY).map_err(failed)?;
        // Of two processes that begin the same file one waits here, and then finds it made.
        let transaction = connection
            .transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)
            .map_err(failed)?;
        let number = |pragma: &str| -> Result<i32, rusqlite::Error> {
            transaction.query_row(&format!("PRAGMA {pragma}"), [], |row| row.get(0))
        };
        let n_tables: i64 = transaction
            .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
            .map_err(failed)?;
        let application = number("application_id").map_err(failed)?;
        if n_tables == 0 && application == 0 {
            transaction.execute_batch(schema::TABLES).map_err(failed)?;
            for table in schema::GROWING {
                for change in ["UPDATE", "DELETE"] {
                    transaction.execute_batch(&schema::guard(table, change)).map_err(failed)?;
                }
            }
            transaction
                .execute_batch(&format!(
                    "PRAGMA application_id = {}; PRAGMA user_version = {FORMAT};",
                    schema::APPLICATION_ID
                ))
                .map_err(failed)?;
        } else if application != schema::APPLICATION_ID {
            return Err(self.wrong("open archive", "it is a database of something else"));
        } else {
            let version = number("user_version").map_err(failed)?;
            if version != FORMAT {
                let reason = format!("it has format {version}, this program reads {FORMAT}");
                return Err(self.wrong("open archive", &reason));
            }
        }
        transaction.commit().map_err(failed)?;
        let mode: String = connection
            .query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))
            .map_err(failed)?;
        debug_assert!(mode == "wal" || mode == "memory", "{mode}");
        connection
            // With a write-ahead log this keeps the file whole always, and every record whatever
            // happens to the process; a power cut may take the last moments, which are done again.
            .execute_batch("PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON;")
            .map_err(failed)?;
        let check: String =
            connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(failed)?;
        if check != "ok" {
            return Err(self.wrong("open archive", &format!("it is damaged: {check}")));
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        // A transaction that a panic ended is rolled back; the connection is whole.
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn error(&self, action: &'static str, error: &rusqlite::Error) -> Error {
        Self::error_at(&self.path, action, error)
    }

    fn error_at(path: &Path, action: &'static str, error: &rusqlite::Error) -> Error {
        Error::Archive { action, path: path.to_owned(), reason: error.to_string() }
    }

    fn wrong(&self, action: &'static str, reason: &str) -> Error {
        Error::Archive { action, path: self.path.clone(), reason: reason.to_owned() }
    }
}

/// Unix time in milliseconds.
fn now_millis() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
