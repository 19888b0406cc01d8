//! The folders inside that are watched, and what happens in them.

use std::collections::{HashMap, HashSet};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use super::assistant::Assistant;
use super::fd::{self, IN_ROOT};
use super::inotify::{self, Raw};
use crate::event::FileChange;

/// What is always watched in every folder.
const ALWAYS: u32 = libc::IN_CREATE
    | libc::IN_MODIFY
    | libc::IN_CLOSE_WRITE
    | libc::IN_ATTRIB
    | libc::IN_MOVED_FROM
    | libc::IN_MOVED_TO
    | libc::IN_DELETE
    | libc::IN_ONLYDIR;

/// Changes by bit. One raw event has one of these.
const CHANGES: [(u32, FileChange); 8] = [
    (libc::IN_CREATE, FileChange::Created),
    (libc::IN_MODIFY, FileChange::Modified),
    (libc::IN_CLOSE_WRITE, FileChange::ClosedAfterWrite),
    (libc::IN_ATTRIB, FileChange::Attributes),
    (libc::IN_MOVED_FROM, FileChange::MovedFrom),
    (libc::IN_MOVED_TO, FileChange::MovedTo),
    (libc::IN_DELETE, FileChange::Deleted),
    (libc::IN_OPEN, FileChange::Opened),
];

/// Something that happened in a watched folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Happening {
    /// A change of the path; `folder` when it is one.
    Change { path: String, change: FileChange, folder: bool },
    /// Events were lost.
    Lost,
}

/// All watched folders.
#[derive(Debug)]
pub(super) struct Tree {
    group: OwnedFd,
    /// Path inside by watch.
    paths: HashMap<i32, String>,
    /// Names that a scan reported before the kernel did.
    scanned: HashSet<(i32, String)>,
    /// Files whose reading is reported; a folder stands for what is in it.
    contents: Vec<String>,
    buffer: Vec<u8>,
}

/// Whether `path` is one of these files or lies in one of these folders.
pub(super) fn covers(contents: &[String], path: &str) -> bool {
    contents.iter().any(|content| {
        path.strip_prefix(content.as_str())
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    })
}

impl Tree {
    pub(super) fn new(contents: Vec<String>) -> io::Result<Tree> {
        let group = inotify::group()?;
        let (paths, scanned) = (HashMap::new(), HashSet::new());
        Ok(Tree { group, paths, scanned, contents, buffer: vec![0; 256 * 1024] })
    }

    /// Becomes readable when something happened.
    pub(super) fn group(&self) -> BorrowedFd<'_> {
        self.group.as_fd()
    }

    /// Watches a folder and all below it. What was in it before the watch is reported as created
    /// when `report` says so. `false` when some folder could not be watched.
    pub(super) fn add(
        &mut self,
        root: BorrowedFd<'_>,
        assistant: &Assistant,
        path: &str,
        report: Option<&mut Vec<Happening>>,
    ) -> bool {
        let mut complete = true;
        let mut report = report;
        let mut todo = vec![path.to_owned()];
        while let Some(path) = todo.pop() {
            let flags = libc::O_PATH | libc::O_DIRECTORY | libc::O_NOFOLLOW;
            // A folder that is gone again, or has become something else, has its own events.
            let Ok(folder) = fd::open_below(root, Path::new(&path), flags, IN_ROOT) else {
                continue;
            };
            let mask = ALWAYS | if self.reports_opening(&path) { libc::IN_OPEN } else { 0 };
            let watch = match inotify::add_watch(self.group.as_fd(), folder.as_fd(), mask) {
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                    assistant.watch(self.group.as_fd(), folder.as_fd(), mask)
                }
                result => result,
            };
            let Ok(watch) = watch else {
                complete = false;
                continue;
            };
            self.paths.insert(watch, path.clone());
            let Ok(entries) = assistant.list(folder.as_fd()) else {
                complete = false;
                continue;
            };
            for entry in entries {
                let inner = format!("{path}/{}", entry.name);
                if let Some(report) = &mut report {
                    self.scanned.insert((watch, entry.name));
                    report.push(Happening::Change {
                        path: inner.clone(),
                        change: FileChange::Created,
                        folder: entry.folder,
                    });
                }
                if entry.folder {
                    todo.push(inner);
                }
            }
        }
        complete
    }

    /// Whether a content-watched file lies directly in this folder.
    pub(super) fn reports_opening(&self, folder: &str) -> bool {
        covers(&self.contents, folder)
            || self
                .contents
                .iter()
                .any(|content| content.rsplit_once('/').is_some_and(|(parent, _)| parent == folder))
    }

    /// Counts one more file or folder as content.
    pub(super) fn add_content(&mut self, path: String) {
        self.contents.push(path);
    }

    /// Whether the content of this path is watched.
    pub(super) fn is_content(&self, path: &str) -> bool {
        covers(&self.contents, path)
    }

    /// Everything that has happened, in order; new folders are watched at once.
    pub(super) fn take(&mut self, root: BorrowedFd<'_>, assistant: &Assistant) -> Vec<Happening> {
        let mut happened = Vec::new();
        let mut buffer = std::mem::take(&mut self.buffer);
        // Interrupted reads and unreadable groups end the loop too: the next call goes on.
        while let Ok(Some(count)) = fd::read_now(self.group.as_fd(), &mut buffer) {
            if count == 0 {
                break;
            }
            for raw in inotify::parse(&buffer[..count]) {
                self.interpret(raw, root, assistant, &mut happened);
            }
        }
        self.buffer = buffer;
        happened
    }

    fn interpret(
        &mut self,
        raw: Raw,
        root: BorrowedFd<'_>,
        assistant: &Assistant,
        happened: &mut Vec<Happening>,
    ) {
        if raw.mask & libc::IN_Q_OVERFLOW != 0 {
            happened.push(Happening::Lost);
            return;
        }
        if raw.mask & libc::IN_IGNORED != 0 {
            self.paths.remove(&raw.watch);
            self.scanned.retain(|(watch, _)| *watch != raw.watch);
            return;
        }
        let Some(parent) = self.paths.get(&raw.watch) else { return };
        let Some(&(_, change)) = CHANGES.iter().find(|(bit, _)| raw.mask & bit != 0) else {
            return;
        };
        // Without a name it is about the watched folder itself, which its parent reports too.
        if raw.name.is_empty() {
            return;
        }
        let path = format!("{parent}/{}", raw.name);
        let folder = raw.mask & libc::IN_ISDIR != 0;
        let key = (raw.watch, raw.name);
        match change {
            FileChange::Created | FileChange::MovedTo if self.scanned.remove(&key) => return,
            FileChange::Deleted | FileChange::MovedFrom => {
                self.scanned.remove(&key);
            }
            FileChange::Opened if folder || !self.is_content(&path) => return,
            _ => {}
        }
        happened.push(Happening::Change { path: path.clone(), change, folder });
        if folder && matches!(change, FileChange::Created | FileChange::MovedTo) {
            // A moved folder keeps its watch; adding it again gives the watch its new path.
            let moved = change == FileChange::MovedTo;
            let report = if moved { None } else { Some(&mut *happened) };
            if !self.add(root, assistant, &path, report) {
                happened.push(Happening::Lost);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_covers_what_is_below_but_not_its_name_sakes() {
        let contents = ["/env/game".to_owned(), "/env/game.py".to_owned()];
        assert!(covers(&contents, "/env/game"));
        assert!(covers(&contents, "/env/game/fen.txt"));
        assert!(covers(&contents, "/env/game.py"));
        assert!(!covers(&contents, "/env/game.pyc"));
        assert!(!covers(&contents, "/env"));
    }
}
