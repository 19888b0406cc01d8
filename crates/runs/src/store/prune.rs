//! Deleting old runs, and nothing else.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::Serialize;

use super::{Listed, Store, UNBORN};
use crate::lock::{self, Lock};
use crate::{Error, Manifest};

/// Prefix of a run that is being deleted. The rename comes first, so that a crash in the middle
/// leaves no half run under a run's name.
const DYING: &str = ".gone-";
/// How old a run that never got its name must be before it counts as left by a crash.
const UNBORN_AGE: Duration = Duration::from_secs(3600);

/// What to delete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prune {
    /// Newest runs to keep, whatever their status.
    pub keep: usize,
    /// Whether runs that did not come to their end go too.
    pub unfinished: bool,
    /// Only say what would be deleted.
    pub dry_run: bool,
}

/// One run that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Pruned {
    /// Name of its folder.
    pub id: String,
    /// Its folder.
    pub path: PathBuf,
    /// Bytes of its files.
    pub size_bytes: u64,
    /// Whether it was deleted; in a dry run, whether it would be.
    pub deleted: bool,
    /// Why, or why not.
    pub reason: String,
}

impl Store {
    /// Deletes old runs. Never one whose lock is held, one whose manifest cannot be read, one whose
    /// folder was renamed by hand, a link, or a folder that is not a run. Says for every run what
    /// became of it, newest first.
    ///
    /// # Errors
    /// When the disk refuses; runs deleted before that stay deleted.
    pub fn prune(&self, prune: &Prune) -> Result<Vec<Pruned>, Error> {
        if !prune.dry_run {
            self.bury()?;
        }
        let mut looked_at = Vec::new();
        for (position, run) in self.list()?.into_iter().enumerate() {
            let size_bytes = size_bytes(&run.path);
            let (mut deleted, mut reason) = match verdict(&run, position, prune) {
                Verdict::Goes(reason) => (true, reason.to_owned()),
                Verdict::Stays(reason) => (false, reason.to_owned()),
            };
            if deleted && !prune.dry_run {
                match self.delete(&run) {
                    Ok(()) => {}
                    // Somebody took it up between our look and our lock.
                    Err(Error::InUse { .. }) => (deleted, reason) = (false, "in use".to_owned()),
                    Err(error) => return Err(error),
                }
            }
            looked_at.push(Pruned { id: run.id, path: run.path, size_bytes, deleted, reason });
        }
        Ok(looked_at)
    }

    fn delete(&self, run: &Listed) -> Result<(), Error> {
        let lock = Lock::of(&run.path);
        lock.acquire()?;
        // Under the lock, the manifest is what it is.
        let status = Manifest::load(&run.path)?.status;
        if Some(status) != run.manifest.as_ref().map(|manifest| manifest.status) {
            return Err(Error::InUse { path: run.path.clone(), pid: None });
        }
        let dying = self.root.join(format!("{DYING}{}", run.id));
        std::fs::rename(&run.path, &dying).map_err(Error::io("remove", &run.path))?;
        std::fs::remove_dir_all(&dying).map_err(Error::io("remove", &dying))
    }

    /// Finishes what crashes interrupted: deletions, and runs that never got their name.
    fn bury(&self) -> Result<(), Error> {
        for (name, path) in self.folders()? {
            let left = name.starts_with(DYING) || (name.starts_with(UNBORN) && is_old(&path));
            if left && !lock::is_held(&path) {
                std::fs::remove_dir_all(&path).map_err(Error::io("remove", &path))?;
            }
        }
        Ok(())
    }
}

enum Verdict {
    Goes(&'static str),
    Stays(&'static str),
}

fn verdict(run: &Listed, position: usize, prune: &Prune) -> Verdict {
    let Some(manifest) = &run.manifest else {
        return Verdict::Stays("its manifest cannot be read");
    };
    if run.in_use {
        Verdict::Stays("in use")
    } else if position < prune.keep {
        Verdict::Stays("among the newest")
    } else if manifest.id != run.id {
        Verdict::Stays("renamed by hand")
    } else if manifest.status.is_final() {
        Verdict::Goes("finished")
    } else if prune.unfinished {
        Verdict::Goes("unfinished")
    } else {
        Verdict::Stays("unfinished: it can be resumed")
    }
}

fn is_old(path: &Path) -> bool {
    let modified = path.metadata().and_then(|metadata| metadata.modified());
    let age = modified.map(|at| SystemTime::now().duration_since(at).unwrap_or_default());
    age.is_ok_and(|age| age > UNBORN_AGE)
}

/// Bytes of the files below a folder, links not followed. What cannot be read counts nothing.
pub(crate) fn size_bytes(folder: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    entries
        .flatten()
        .map(|entry| match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => size_bytes(&entry.path()),
            Ok(metadata) => metadata.len(),
            Err(_) => 0,
        })
        .sum()
}
