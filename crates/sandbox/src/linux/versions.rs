//! Every version of the files whose content is watched.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

use super::assistant::Assistant;
use super::fd::{self, IN_ROOT};
use super::files::{Content, Files, inode};
use crate::event::{FileState, Manifest};

/// The watched files and their last known state.
#[derive(Debug, Default)]
pub(super) struct Versions {
    known: BTreeMap<String, FileState>,
    dirty: BTreeSet<String>,
}

impl Versions {
    /// The path may have changed.
    pub(super) fn suspect(&mut self, path: String) {
        self.dirty.insert(path);
    }

    /// Everything known may have changed, and everything below `path`.
    pub(super) fn suspect_below(&mut self, path: &str) {
        let below = self.known.keys().filter(|known| {
            known.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        });
        self.dirty.extend(below.cloned());
    }

    /// All paths whose state is known.
    pub(super) fn paths(&self) -> Vec<String> {
        self.known.keys().cloned().collect()
    }

    /// Suspected paths, which are suspected no longer.
    pub(super) fn take_dirty(&mut self) -> BTreeSet<String> {
        std::mem::take(&mut self.dirty)
    }

    /// Keeps the state; `true` when it is news: a first sight or a difference. A folder's first
    /// sight is none, because folders have no content.
    pub(super) fn update(&mut self, path: &str, state: &FileState) -> bool {
        match self.known.get(path) {
            Some(known) if known == state => false,
            None if matches!(state, FileState::Folder { .. }) => {
                self.known.insert(path.to_owned(), state.clone());
                false
            }
            _ => {
                self.known.insert(path.to_owned(), state.clone());
                true
            }
        }
    }
}

/// State of a path, its last link not followed, and its content where it is a regular file.
pub(super) struct Seen {
    pub(super) state: FileState,
    pub(super) content: Option<Content>,
}

/// Looks at `path`. `open` opens a file for reading; it is called only when the content is unknown.
pub(super) fn look(
    root: BorrowedFd<'_>,
    files: &mut Files,
    path: &str,
    quiet: bool,
    open: &mut dyn FnMut(BorrowedFd<'_>, &str) -> io::Result<std::fs::File>,
) -> Seen {
    let plain = |state| Seen { state, content: None };
    let flags = libc::O_PATH | libc::O_NOFOLLOW;
    let found = match fd::open_below(root, Path::new(path), flags, IN_ROOT) {
        Ok(found) => found,
        // In a folder that its owner has shut: there, and of no use to anybody until it is opened.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            return plain(FileState::Special);
        }
        Err(_) => return plain(FileState::Absent),
    };
    let Ok(stat) = fd::stat(found.as_fd()) else { return plain(FileState::Absent) };
    let mode = stat.st_mode & 0o7777;
    match stat.st_mode & libc::S_IFMT {
        libc::S_IFDIR => plain(FileState::Folder { mode }),
        libc::S_IFLNK => plain(FileState::Link { target: fd::link_target(found.as_fd()) }),
        libc::S_IFREG => {
            let known = if files.is_volatile(inode(&stat)) { None } else { files.recall(&stat) };
            let content = known.map_or_else(
                || open(found.as_fd(), path).and_then(|file| files.read(file, &stat, quiet)),
                Ok,
            );
            // Unreadable even for the first process: not a file that programs inside can use.
            let Ok(content) = content else { return plain(FileState::Special) };
            let (sha256, size_bytes) = (content.sha256.to_string(), content.size_bytes);
            Seen { state: FileState::File { sha256, size_bytes, mode }, content: Some(content) }
        }
        _ => plain(FileState::Special),
    }
}

/// Every path below these folders, the folders included.
pub(super) fn walk(
    root: BorrowedFd<'_>,
    assistant: &Assistant,
    folders: &[String],
    visit: &mut dyn FnMut(&str) -> FileState,
) -> Manifest {
    let mut manifest = Manifest::new();
    let mut todo: Vec<String> = folders.to_vec();
    while let Some(path) = todo.pop() {
        let state = visit(&path);
        let is_folder = matches!(state, FileState::Folder { .. });
        let known = manifest.insert(path.clone(), state).is_some();
        if known || !is_folder {
            continue;
        }
        let flags = libc::O_PATH | libc::O_DIRECTORY | libc::O_NOFOLLOW;
        let entries = fd::open_below(root, Path::new(&path), flags, IN_ROOT)
            .and_then(|folder| assistant.list(folder.as_fd()));
        // A folder that vanishes while we look is as good as empty.
        todo.extend(
            entries.unwrap_or_default().iter().map(|entry| format!("{path}/{}", entry.name)),
        );
    }
    manifest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(sha256: &str) -> FileState {
        FileState::File { sha256: sha256.to_owned(), size_bytes: 1, mode: 0o644 }
    }

    #[test]
    fn only_news_is_news() {
        let mut versions = Versions::default();
        assert!(versions.update("/a", &file("1")));
        assert!(!versions.update("/a", &file("1")));
        assert!(versions.update("/a", &file("2")));
        assert!(versions.update("/a", &FileState::Absent));
        assert!(!versions.update("/b", &FileState::Folder { mode: 0o755 }));
        assert!(versions.update("/b", &FileState::Link { target: "/c".to_owned() }));
    }

    #[test]
    fn what_lies_below_a_moved_folder_is_suspected() {
        let mut versions = Versions::default();
        for path in ["/g", "/g/a", "/g/b/c", "/gg"] {
            versions.update(path, &file("1"));
        }
        versions.suspect_below("/g");
        let suspected: Vec<String> = versions.take_dirty().into_iter().collect();
        assert_eq!(suspected, ["/g", "/g/a", "/g/b/c"]);
    }
}
