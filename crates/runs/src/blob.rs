//! Content under its own hash: `blobs/<first two hex digits>/<SHA-256>`, checked when it is read.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::settings::hex;
use crate::{Error, atomic, write_atomic};

/// The folder's name.
pub(crate) const NAME: &str = "blobs";

fn path(folder: &Path, sha256: &str) -> PathBuf {
    folder.join(NAME).join(&sha256[..2]).join(sha256)
}

/// Lowercase hex SHA-256 of bytes.
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Stores bytes and says their lowercase hex SHA-256.
pub(crate) fn put(folder: &Path, bytes: &[u8]) -> Result<String, Error> {
    let sha256 = sha256(bytes);
    let path = path(folder, &sha256);
    // Read, not only looked for: a damaged copy is replaced while the content is at hand.
    if std::fs::read(&path).is_ok_and(|stored| stored == bytes) {
        return Ok(sha256);
    }
    let parent = folder.join(NAME).join(&sha256[..2]);
    std::fs::create_dir_all(&parent).map_err(Error::io("create", &parent))?;
    write_atomic(&path, bytes)?;
    Ok(sha256)
}

/// Reads bytes back, or says why they are not what they were.
pub(crate) fn get(folder: &Path, sha256: &str) -> Result<Vec<u8>, Error> {
    let wrong = |reason: String| Error::Blob { sha256: sha256.to_owned(), reason };
    let is_hash =
        sha256.len() == 64 && sha256.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if !is_hash {
        // Names come from logs: one with a slash in it must not become a path.
        return Err(wrong("not a lowercase hex SHA-256".to_owned()));
    }
    let path = path(folder, sha256);
    let bytes = std::fs::read(&path).map_err(Error::io("read", &path))?;
    let found = self::sha256(&bytes);
    if found != sha256 {
        return Err(wrong(format!("its content has the hash `{found}`: {}", path.display())));
    }
    Ok(bytes)
}

/// Removes what a crash left between blobs.
pub(crate) fn sweep(folder: &Path) -> Result<(), Error> {
    let Ok(entries) = std::fs::read_dir(folder.join(NAME)) else { return Ok(()) };
    for entry in entries {
        atomic::sweep(&entry.map_err(Error::io("list", folder.join(NAME)))?.path())?;
    }
    Ok(())
}
