//! What the supervisor knows, and how it turns happenings into events.

use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use super::assistant::Assistant;
use super::fd::{self, IN_ROOT};
use super::files::{Content, Files};
use super::relatives::Relatives;
use super::tree::{Happening, Tree};
use super::versions::{self, Versions};
use super::wire::Announcement;
use crate::event::{Blob, Event, EventKind, ExecutedFile, FileChange, FileState, Manifest};
use crate::outcome::Process;
use crate::policy::{Calls, Policy, Watch};

/// More events than this between two calls of the harness are not kept; the loss is an event.
const MOST_EVENTS: usize = 500_000;

/// A seccomp listener: one for each command that was started.
#[derive(Debug)]
pub(super) struct Listener {
    pub(super) fd: Arc<OwnedFd>,
    /// What the first exec will be. The process that makes it still has the memory of the first
    /// process, which not even the supervisor may read.
    pub(super) first: Option<Announcement>,
}

/// A process that executed a marked or watched file.
#[derive(Debug)]
pub(super) struct Marked {
    pub(super) ended: OwnedFd,
    pub(super) outside: i32,
    pub(super) inside: u32,
    pub(super) cpu_millis: u64,
}

/// Everything the supervisor's thread owns.
#[derive(Debug)]
pub(super) struct State {
    pub(super) root: OwnedFd,
    /// The sandbox's `/proc`.
    pub(super) proc: PathBuf,
    _proc: OwnedFd,
    /// The sandbox's pid namespace.
    pub(super) namespace: OwnedFd,
    pub(super) assistant: Assistant,
    pub(super) announcements: OwnedFd,
    pub(super) listeners: Vec<Listener>,
    pub(super) marked: Vec<Marked>,
    pub(super) relatives: Relatives,
    pub(super) tree: Option<Tree>,
    versions: Versions,
    pub(super) files: Files,
    /// Host programs by the path that they were executed by.
    pub(super) host_programs: HashMap<String, ExecutedFile>,
    /// File system of the private folders.
    pub(super) private: Option<u64>,
    pub(super) folders: Vec<String>,
    pub(super) contents: Vec<String>,
    pub(super) env_names: Vec<String>,
    pub(super) policy_env: Vec<(String, String)>,
    pub(super) resident_limit: u64,
    /// Whether a command may execute nothing but its own program.
    pub(super) one_program: bool,
    /// Whether a command is running, and whether its memory was too much.
    pub(super) running: bool,
    pub(super) memory_limit: bool,
    /// Whether any process asked for an anonymous file, which no process memory shows.
    pub(super) anonymous_files: bool,
    started: Instant,
    events: Vec<Event>,
    overflowing: bool,
    /// The last change kept of each path since the last exec: repetitions say nothing new.
    recent: HashMap<String, FileChange>,
    /// File that the supervisor itself is about to open; its event is not the agent's.
    own_open: Option<String>,
}

/// Descriptors that make a supervisor.
#[derive(Debug)]
pub(crate) struct Parts {
    /// The sandbox's root folder.
    pub(crate) root: OwnedFd,
    /// The sandbox's `/proc`.
    pub(crate) proc: OwnedFd,
    /// The sandbox's pid namespace.
    pub(crate) namespace: OwnedFd,
    /// Socket for [`super::wire::Assist`].
    pub(crate) assistance: OwnedFd,
    /// Socket for [`Announcement`].
    pub(crate) announcements: OwnedFd,
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

impl State {
    pub(super) fn new(
        parts: Parts,
        policy: &Policy,
        watch: Watch,
        record: bool,
    ) -> io::Result<State> {
        let contents: Vec<String> = watch.contents.iter().map(|path| text(path)).collect();
        let folders: Vec<String> = policy.folders.iter().map(|path| text(path)).collect();
        let private = folders.first().and_then(|folder| {
            let found =
                fd::open_below(parts.root.as_fd(), Path::new(folder), libc::O_PATH, IN_ROOT);
            found.and_then(|folder| fd::stat(folder.as_fd())).ok()
        });
        let mut state = State {
            proc: Path::new("/proc/self/fd").join(parts.proc.as_raw_fd().to_string()),
            root: parts.root,
            _proc: parts.proc,
            namespace: parts.namespace,
            assistant: Assistant(parts.assistance),
            announcements: parts.announcements,
            listeners: Vec::new(),
            marked: Vec::new(),
            relatives: Relatives::default(),
            tree: None,
            versions: Versions::default(),
            files: Files::new(watch.marks),
            host_programs: HashMap::new(),
            private: private.map(|stat| stat.st_dev),
            folders,
            contents: contents.clone(),
            env_names: watch.env,
            policy_env: policy.env.clone().into_iter().collect(),
            resident_limit: policy.limits.resident_bytes,
            one_program: policy.calls == Calls::Computation,
            running: false,
            memory_limit: false,
            anonymous_files: false,
            started: Instant::now(),
            events: Vec::new(),
            overflowing: false,
            recent: HashMap::new(),
            own_open: None,
        };
        if record && !state.folders.is_empty() {
            state.watch_folders(contents)?;
        }
        Ok(state)
    }

    fn watch_folders(&mut self, contents: Vec<String>) -> io::Result<()> {
        let mut tree = Tree::new(contents)?;
        for folder in &self.folders {
            if !tree.add(self.root.as_fd(), &self.assistant, folder, None) {
                return Err(io::Error::other("a private folder cannot be watched"));
            }
        }
        self.tree = Some(tree);
        for content in self.contents.clone() {
            self.suspect_all(&content);
        }
        // No program has run yet, so what is read now is what is there.
        self.refresh_suspects(true);
        Ok(())
    }

    /// Appends an event.
    pub(super) fn push(&mut self, kind: EventKind) {
        self.push_with(kind, Vec::new());
    }

    /// Appends an event with the bytes behind its hashes.
    pub(super) fn push_with(&mut self, kind: EventKind, blobs: Vec<Blob>) {
        let nanos = u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX);
        if self.events.len() >= MOST_EVENTS {
            if !self.overflowing {
                self.overflowing = true;
                self.events.push(Event { nanos, kind: EventKind::WatchLost, blobs: Vec::new() });
            }
            return;
        }
        if matches!(kind, EventKind::Exec(_)) {
            self.recent.clear();
        }
        self.events.push(Event { nanos, kind, blobs });
    }

    /// Events since the last call.
    pub(super) fn take_events(&mut self) -> Vec<Event> {
        self.overflowing = false;
        self.recent.clear();
        std::mem::take(&mut self.events)
    }

    /// Takes file events and looks at suspected contents. Called before anything else is recorded,
    /// so that what files went through comes before it.
    pub(super) fn refresh(&mut self) {
        self.drain();
        // What is mapped shared changes without telling.
        if self.files.any_volatile() {
            self.suspect_known();
        }
        self.refresh_suspects(false);
    }

    /// Looks at every watched content, suspected or not: shared mappings leave no trace.
    pub(super) fn refresh_all(&mut self) {
        self.drain();
        self.suspect_known();
        self.refresh_suspects(false);
    }

    fn suspect_known(&mut self) {
        for path in self.versions.paths() {
            self.versions.suspect(path);
        }
    }

    fn drain(&mut self) {
        let Some(mut tree) = self.tree.take() else { return };
        let happened = tree.take(self.root.as_fd(), &self.assistant);
        self.tree = Some(tree);
        for happening in happened {
            match happening {
                Happening::Lost => {
                    self.push(EventKind::WatchLost);
                    self.recover();
                }
                Happening::Change { path, change, folder } => self.changed(path, change, folder),
            }
        }
    }

    fn changed(&mut self, path: String, change: FileChange, folder: bool) {
        if change == FileChange::Opened && self.own_open.as_deref() == Some(path.as_str()) {
            self.own_open = None;
            return;
        }
        let is_content = self.tree.as_ref().is_some_and(|tree| tree.is_content(&path));
        if change != FileChange::Opened {
            if is_content {
                self.versions.suspect(path.clone());
            }
            if folder && change != FileChange::Attributes {
                self.versions.suspect_below(&path);
                self.suspect_all(&path);
            }
        }
        // Writes and reads come in long runs; one of each run tells as much.
        let repeats = matches!(change, FileChange::Modified | FileChange::Opened);
        if repeats && self.recent.get(&path) == Some(&change) {
            return;
        }
        self.recent.insert(path.clone(), change);
        self.push(EventKind::File { path, change });
    }

    /// After lost events: watch what is there now, and look at everything.
    fn recover(&mut self) {
        if let Some(mut tree) = self.tree.take() {
            for folder in &self.folders {
                tree.add(self.root.as_fd(), &self.assistant, folder, None);
            }
            self.tree = Some(tree);
        }
        for content in self.contents.clone() {
            self.suspect_all(&content);
        }
        self.versions.suspect_below("");
    }

    /// Suspects every content at or below `path`.
    fn suspect_all(&mut self, path: &str) {
        let contents = &self.contents;
        let near = |content: &String| {
            super::tree::covers(std::slice::from_ref(content), path)
                || super::tree::covers(&[path.to_owned()], content)
        };
        if !contents.iter().any(near) {
            return;
        }
        let found =
            versions::walk(self.root.as_fd(), &self.assistant, &[path.to_owned()], &mut |path| {
                self.kind_of(path)
            });
        for path in found.into_keys().filter(|path| super::tree::covers(&self.contents, path)) {
            self.versions.suspect(path);
        }
    }

    /// Whether a path is a folder, without reading anything.
    fn kind_of(&self, path: &str) -> FileState {
        let flags = libc::O_PATH | libc::O_NOFOLLOW;
        let stat = fd::open_below(self.root.as_fd(), Path::new(path), flags, IN_ROOT)
            .and_then(|found| fd::stat(found.as_fd()));
        match stat {
            Ok(stat) if stat.st_mode & libc::S_IFMT == libc::S_IFDIR => {
                FileState::Folder { mode: stat.st_mode & 0o7777 }
            }
            Ok(_) => FileState::Special,
            Err(_) => FileState::Absent,
        }
    }

    fn refresh_suspects(&mut self, quiet: bool) {
        let dirty: BTreeSet<String> = self.versions.take_dirty();
        for path in dirty {
            let seen = self.look(&path, quiet);
            if self.versions.update(&path, &seen.state) {
                let is_link = matches!(seen.state, FileState::Link { .. });
                let blobs = seen.content.and_then(|content| content.blob()).into_iter().collect();
                self.push_with(EventKind::Version { path: path.clone(), state: seen.state }, blobs);
                if is_link {
                    self.follow_link(&path, quiet);
                }
            }
        }
    }

    /// From now on watches the content of what a watched link leads to, if that is private.
    fn follow_link(&mut self, link: &str, quiet: bool) {
        let Ok(found) = fd::open_below(self.root.as_fd(), Path::new(link), libc::O_PATH, IN_ROOT)
        else {
            return;
        };
        let is_private = fd::stat(found.as_fd()).is_ok_and(|at| Some(at.st_dev) == self.private);
        let target = super::resolve::path_of(found.as_fd());
        let Some(tree) = self.tree.as_mut().filter(|_| is_private) else { return };
        if tree.is_content(&target) {
            return;
        }
        tree.add_content(target.clone());
        self.contents.push(target.clone());
        self.suspect_all(&target);
        self.refresh_suspects(quiet);
    }

    fn look(&mut self, path: &str, quiet: bool) -> versions::Seen {
        // The file cache leaves `self` while the closure needs the rest of it.
        let mut files = std::mem::replace(&mut self.files, Files::new(Vec::new()));
        let root = self.root.try_clone();
        let seen = match root {
            Ok(root) => versions::look(root.as_fd(), &mut files, path, quiet, &mut |file, path| {
                self.open_quietly(file, path)
            }),
            Err(_) => versions::Seen { state: FileState::Special, content: None },
        };
        self.files = files;
        seen
    }

    /// Opens a private file for reading without its opening being taken for the agent's. The queue
    /// is emptied before and after, so that only an opening by the agent in between, a matter of
    /// microseconds, can be merged with ours by the kernel.
    pub(super) fn open_quietly(&mut self, file: BorrowedFd<'_>, path: &str) -> io::Result<File> {
        let reported = self.tree.as_ref().is_some_and(|tree| tree.is_content(path));
        if !reported {
            return self.assistant.open(file, false);
        }
        self.drain();
        self.own_open = Some(path.to_owned());
        let opened = self.assistant.open(file, false);
        self.drain();
        self.own_open = None;
        opened
    }

    /// Content of a private file, by its open descriptor and path.
    pub(super) fn content(
        &mut self,
        file: BorrowedFd<'_>,
        path: &str,
        stat: &libc::stat,
    ) -> io::Result<Content> {
        if let Some(content) = self.files.recall(stat) {
            return Ok(content);
        }
        let opened = self.open_quietly(file, path)?;
        self.files.read(opened, stat, false)
    }

    /// Every path in the private folders.
    pub(super) fn manifest(&mut self) -> io::Result<Manifest> {
        self.drain();
        let root = self.root.try_clone()?;
        let assistant = Assistant(self.assistant.0.try_clone()?);
        let folders = self.folders.clone();
        Ok(versions::walk(root.as_fd(), &assistant, &folders, &mut |path| {
            self.look(path, false).state
        }))
    }

    /// Beginning of a regular private file.
    pub(super) fn read(&mut self, path: &str, limit: usize) -> io::Result<Option<Vec<u8>>> {
        use std::io::Read;
        let found = fd::open_below(self.root.as_fd(), Path::new(path), libc::O_PATH, IN_ROOT);
        let found = match found {
            Ok(found) => found,
            Err(error) => {
                return match error.raw_os_error() {
                    // What the supervisor's user may not enter is no private folder.
                    Some(
                        libc::ENOENT | libc::ENOTDIR | libc::ELOOP | libc::EXDEV | libc::EACCES,
                    ) => Ok(None),
                    _ => Err(error),
                };
            }
        };
        let stat = fd::stat(found.as_fd())?;
        if stat.st_mode & libc::S_IFMT != libc::S_IFREG || Some(stat.st_dev) != self.private {
            return Ok(None);
        }
        let path = super::resolve::path_of(found.as_fd());
        let mut bytes = Vec::new();
        let file = self.open_quietly(found.as_fd(), &path)?;
        file.take(limit as u64).read_to_end(&mut bytes)?;
        Ok(Some(bytes))
    }

    /// Processes alive, without the first.
    pub(super) fn processes(&self) -> Vec<Process> {
        let alive = super::procfs::processes(&self.proc).into_iter().filter(|one| one.pid != 1);
        let described = alive.map(|one| {
            let folder = self.proc.join(one.pid.to_string());
            let command = std::fs::read(folder.join("cmdline")).unwrap_or_default();
            let argv = command.split(|&byte| byte == 0).filter(|argument| !argument.is_empty());
            Process {
                pid: one.pid.cast_unsigned(),
                program: std::fs::read_link(folder.join("exe"))
                    .map(|path| text(&path))
                    .unwrap_or_default(),
                argv: argv.map(|at| String::from_utf8_lossy(at).into_owned()).collect(),
            }
        });
        described.collect()
    }
}
