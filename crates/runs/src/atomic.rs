//! Files that are either their old content or their new content, whenever the machine stops.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::Error;

/// Marks files that a crash may leave behind; nothing else has it in its name.
const MARK: &str = ".tmp-";

/// Replaces the content of `path`: written beside it, flushed to disk, renamed over it, and the
/// rename flushed too.
///
/// # Errors
/// When the folder is not there or the disk refuses. `path` then has its old content.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let (folder, temporary) = beside(path)?;
    let written = write_and_flush(&temporary, bytes)
        .and_then(|()| std::fs::rename(&temporary, path).map_err(Error::io("replace", path)));
    if written.is_err() {
        // Whatever could not be written is of no use; failing to remove it adds nothing to the error.
        let _ = std::fs::remove_file(&temporary);
        return written;
    }
    flush_folder(&folder)
}

fn beside(path: &Path) -> Result<(PathBuf, PathBuf), Error> {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let Some(name) = path.file_name() else {
        let source = std::io::Error::new(std::io::ErrorKind::InvalidInput, "not a file name");
        return Err(Error::io("write", path)(source));
    };
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_path_buf(),
        _ => PathBuf::from("."),
    };
    let unique = COUNTER.fetch_add(1, Ordering::Relaxed);
    let name = format!(".{}{MARK}{}-{unique}", name.to_string_lossy(), std::process::id());
    let temporary = folder.join(name);
    Ok((folder, temporary))
}

fn write_and_flush(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    // A process id can come round again, so a leftover of the same name is overwritten.
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .open(path)
        .map_err(Error::io("create", path))?;
    file.write_all(bytes).map_err(Error::io("write", path))?;
    file.sync_all().map_err(Error::io("flush", path))
}

/// Makes renames and new names in a folder survive a power cut.
pub(crate) fn flush_folder(folder: &Path) -> Result<(), Error> {
    let opened = File::open(folder).map_err(Error::io("open", folder))?;
    opened.sync_all().map_err(Error::io("flush", folder))
}

/// Removes what a crash in the middle of [`write_atomic`] left in `folder`. Only for the holder of
/// the run's lock: the files of a living writer look the same.
pub(crate) fn sweep(folder: &Path) -> Result<(), Error> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Ok(()) };
    for entry in entries {
        let entry = entry.map_err(Error::io("list", folder))?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with('.') && name.contains(MARK) {
            std::fs::remove_file(entry.path()).map_err(Error::io("remove", entry.path()))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_is_replaced_and_nothing_else_stays_behind() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("summary.json");
        write_atomic(&path, b"old").unwrap();
        write_atomic(&path, b"new").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"new");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_refused_rename_keeps_the_old_content_and_removes_its_leftover() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("taken");
        std::fs::create_dir(&path).unwrap();
        std::fs::write(path.join("inside"), "x").unwrap();
        let error = write_atomic(&path, b"new").unwrap_err();
        assert!(error.to_string().starts_with("failed to replace `"), "{error}");
        assert!(path.join("inside").exists());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn only_leftovers_are_swept() {
        let folder = tempfile::tempdir().unwrap();
        for name in [".summary.json.tmp-1-0", ".hidden", "a.tmp-1"] {
            std::fs::write(folder.path().join(name), "x").unwrap();
        }
        sweep(folder.path()).unwrap();
        let mut left: Vec<_> = std::fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        left.sort();
        assert_eq!(left, [".hidden", "a.tmp-1"]);
    }
}
