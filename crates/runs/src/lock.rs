//! Who may write to a run: one process at a time, by an advisory lock that dies with its process.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::Error;

/// The locked file's name. Its content is the process id of the writer, for people.
pub(crate) const NAME: &str = "lock";

/// How often a lock is asked for before it counts as held. A reader that only looks whether the
/// lock is free holds it for an instant, and must not turn a writer away.
const N_TRIES: u32 = 20;
const PAUSE: Duration = Duration::from_millis(5);

/// The lock of one run, held or not.
#[derive(Debug)]
pub(crate) struct Lock {
    folder: PathBuf,
    held: Mutex<Option<File>>,
}

impl Lock {
    /// Not held yet.
    pub(crate) fn of(folder: &Path) -> Self {
        Self { folder: folder.to_path_buf(), held: Mutex::new(None) }
    }

    /// A lock whose folder has been renamed since.
    pub(crate) fn moved(mut self, folder: &Path) -> Self {
        self.folder = folder.to_path_buf();
        self
    }

    /// Takes the lock; does nothing when it is held already by this value.
    pub(crate) fn acquire(&self) -> Result<(), Error> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if held.is_none() {
            *held = Some(take(&self.folder)?);
        }
        Ok(())
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        let held = self.held.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(file) = held {
            // Unlocked by name, not only closed: a child process may have inherited the file. An
            // error leaves a lock that ends with the process, which is as good.
            let _ = file.set_len(0);
            let _ = file.unlock();
        }
    }
}

fn take(folder: &Path) -> Result<File, Error> {
    let path = folder.join(NAME);
    for _ in 0..N_TRIES {
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(Error::io("open", &path))?;
        match file.try_lock() {
            // The run may have been removed, and made anew, between opening and locking.
            Ok(()) if same_file(&file, &path) => {
                let pid = std::process::id().to_string();
                file.set_len(0).map_err(Error::io("write", &path))?;
                file.write_all(pid.as_bytes()).map_err(Error::io("write", &path))?;
                return Ok(file);
            }
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => std::thread::sleep(PAUSE),
            Err(TryLockError::Error(source)) => return Err(Error::io("lock", &path)(source)),
        }
    }
    let pid = std::fs::read_to_string(&path).ok().and_then(|text| text.trim().parse().ok());
    Err(Error::InUse { path: folder.to_path_buf(), pid })
}

/// Whether some process holds the run's lock. A run that is `started` and not held is a crashed one.
pub(crate) fn is_held(folder: &Path) -> bool {
    let Ok(file) = File::open(folder.join(NAME)) else { return false };
    // Shared, so that two that look do not see each other. Dropping the file lets go.
    matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))
}

/// Whether `path` still names the file that is open.
pub(crate) fn same_file(file: &File, path: &Path) -> bool {
    let (Ok(open), Ok(named)) = (file.metadata(), path.metadata()) else { return false };
    open.dev() == named.dev() && open.ino() == named.ino()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_writer_is_turned_away_and_told_who_writes() {
        let folder = tempfile::tempdir().unwrap();
        let first = Lock::of(folder.path());
        first.acquire().unwrap();
        first.acquire().unwrap();
        assert!(is_held(folder.path()));
        let error = Lock::of(folder.path()).acquire().unwrap_err();
        let Error::InUse { pid, .. } = error else { panic!("{error}") };
        assert_eq!(pid, Some(std::process::id()));
        drop(first);
        assert!(!is_held(folder.path()));
        Lock::of(folder.path()).acquire().unwrap();
    }

    #[test]
    fn a_folder_without_a_lock_file_is_free() {
        let folder = tempfile::tempdir().unwrap();
        assert!(!is_held(folder.path()));
        assert!(!folder.path().join(NAME).exists(), "looking changes nothing");
    }

    #[test]
    fn looking_does_not_keep_writers_out() {
        let folder = tempfile::tempdir().unwrap();
        Lock::of(folder.path()).acquire().unwrap();
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    for _ in 0..200 {
                        is_held(folder.path());
                    }
                });
            }
            for _ in 0..20 {
                Lock::of(folder.path()).acquire().unwrap();
            }
        });
    }
}
