//! Exec attempts.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use super::files::inode;
use super::memory::Memory;
use super::notify::{self, Notification};
use super::procfs::Identity;
use super::relatives::identity_of;
use super::resolve::{self, Asker};
use super::state::{Marked, State};
use super::wire::Announcement;
use super::{fd, tree};
use crate::event::{ArgumentFile, Blob, EventKind, Exec, ExecutedFile, Origin};

/// Most arguments kept, and most environment entries looked at.
const MOST_ARGUMENTS: usize = 256;
const MOST_VARIABLES: usize = 1024;

/// How many arguments are looked up as files.
const MOST_ARGUMENT_FILES: usize = 8;

/// Larger argument files are not hashed: they are data, and the caller waits.
const LARGEST_ARGUMENT_FILE: i64 = 256 << 20;

/// What an exec attempt was made with.
struct Attempt {
    path: String,
    argv: Vec<String>,
    cwd: String,
    env: BTreeMap<String, String>,
    /// The file itself, where it is given by descriptor.
    file: Option<OwnedFd>,
}

impl State {
    /// Records an exec attempt. `first` is what was announced for a command's first one.
    pub(super) fn exec(
        &mut self,
        listener: BorrowedFd<'_>,
        call: &Notification,
        first: Option<Announcement>,
    ) {
        let Some(identity) = identity_of(self.namespace.as_fd(), call.thread) else { return };
        let attempt = match first {
            Some(announcement) => self.announced(announcement),
            None => self.attempted(call),
        };
        if !notify::still_valid(listener, call) {
            return;
        }
        let asker = Asker { process: identity.inside };
        let mut blobs = Vec::new();
        let file = match &attempt.file {
            Some(file) => self.executed(file.as_fd(), &mut blobs),
            None => self.named(asker, &attempt.cwd, &attempt.path, &mut blobs),
        };
        let arguments = self.argument_files(asker, &attempt.cwd, &attempt.argv, &mut blobs);
        if let Some(file) = &file
            && (!file.marks.is_empty() || tree::covers(&self.contents, &file.path))
        {
            self.follow(&identity);
        }
        let exec = Exec {
            pid: identity.inside,
            ancestors: self.relatives.ancestors(self.namespace.as_fd(), &identity),
            path: attempt.path,
            argv: attempt.argv,
            cwd: attempt.cwd,
            env: attempt.env,
            file,
            arguments,
        };
        self.push_with(EventKind::Exec(exec), blobs);
    }

    fn announced(&self, announcement: Announcement) -> Attempt {
        let Announcement { path, argv, cwd } = announcement;
        let env = self.policy_env.iter().filter(|(name, _)| self.env_names.contains(name));
        Attempt { path, argv, cwd, env: env.cloned().collect(), file: None }
    }

    fn attempted(&self, call: &Notification) -> Attempt {
        let memory = Memory(call.thread);
        let folder = Path::new("/proc").join(call.thread.to_string());
        let link = |name: &str| {
            std::fs::read_link(folder.join(name)).map(|path| path.to_string_lossy().into_owned())
        };
        let mut cwd = link("cwd").unwrap_or_default();
        let on_descriptor = call.call == libc::SYS_execveat;
        let at = if on_descriptor { 1 } else { 0 };
        let limits = [MOST_ARGUMENTS, MOST_VARIABLES];
        let lists = [call.args[at + 1], call.args[at + 2]];
        let (mut path, [argv, envp]) = memory.exec_vectors(call.args[at], lists, limits);
        let mut file = None;
        if on_descriptor {
            // Descriptors are ints; the upper half of the register means nothing.
            let number = call.args[0] as i32;
            let name = format!("fd/{number}");
            let named = if number == libc::AT_FDCWD { None } else { link(&name).ok() };
            if path.is_empty() {
                path = format!("fd:{}", named.unwrap_or_default());
                let here = Path::new("/proc").join(call.thread.to_string()).join(&name);
                file = fd::open_at(self.root.as_fd(), &here, libc::O_PATH).ok();
            } else if !path.starts_with('/')
                && let Some(base) = named
            {
                path = resolve::join(&base, &path);
            }
        }
        if cwd.ends_with(" (deleted)") && !path.starts_with('/') {
            cwd.clear();
        }
        let (argv, env) = self.strings(memory, argv, &envp);
        Attempt { path, argv, cwd, env, file }
    }

    /// Arguments and selected environment, from their addresses.
    fn strings(
        &self,
        memory: Memory,
        mut pointers: Vec<u64>,
        envp: &[u64],
    ) -> (Vec<String>, BTreeMap<String, String>) {
        let n_arguments = pointers.len();
        if !self.env_names.is_empty() {
            pointers.extend_from_slice(envp);
        }
        let mut argv = memory.strings(&pointers);
        let mut env = BTreeMap::new();
        for text in argv.split_off(n_arguments) {
            if let Some((name, value)) = text.split_once('=')
                && self.env_names.iter().any(|wanted| wanted == name)
            {
                // Of two entries with one name, programs find the first.
                env.entry(name.to_owned()).or_insert_with(|| value.to_owned());
            }
        }
        (argv, env)
    }

    /// The file that a path means, if the kernel would execute it.
    fn named(
        &mut self,
        asker: Asker,
        cwd: &str,
        path: &str,
        blobs: &mut Vec<Blob>,
    ) -> Option<ExecutedFile> {
        let path = resolve::join(cwd, path);
        if let Some(known) = self.host_programs.get(&path) {
            return Some(known.clone());
        }
        let found = resolve::resolve(self.root.as_fd(), asker, &path)?;
        let file = self.executed(found.as_fd(), blobs)?;
        // What is read-only leads to the same file for ever, unless the way goes through a place
        // that programs inside can change.
        let parts = Path::new(&path);
        let changeable = self.folders.iter().map(String::as_str).chain(["/proc", "/dev"]);
        let fixed = file.origin == Origin::Host
            && parts.components().all(|part| part != std::path::Component::ParentDir)
            && !changeable.into_iter().any(|folder| parts.starts_with(folder));
        if fixed {
            self.host_programs.insert(path, file.clone());
        }
        Some(file)
    }

    /// The file behind an exec, if the kernel would execute it.
    fn executed(&mut self, file: BorrowedFd<'_>, blobs: &mut Vec<Blob>) -> Option<ExecutedFile> {
        let stat = fd::stat(file).ok()?;
        if stat.st_mode & libc::S_IFMT != libc::S_IFREG || stat.st_mode & 0o111 == 0 {
            return None;
        }
        let path = resolve::path_of(file);
        let origin = if Some(stat.st_dev) == self.private {
            Origin::Private
        } else if path.starts_with("/memfd:") {
            Origin::Memory
        } else {
            Origin::Host
        };
        let (sha256, marks) = if origin == Origin::Host {
            let (marks, sha256) = self.files.host(&stat, || self.assistant.open(file, false));
            (sha256.map(|text| text.to_string()), marks.to_vec())
        } else {
            match self.content(file, &path, &stat) {
                Ok(content) => {
                    let script = content.bytes.as_ref().is_some_and(|at| at.starts_with(b"#!"));
                    blobs.extend(content.blob().filter(|_| script));
                    (Some(content.sha256.to_string()), content.marks.to_vec())
                }
                Err(_) => (None, Vec::new()),
            }
        };
        let size_bytes = u64::try_from(stat.st_size).unwrap_or(0);
        Some(ExecutedFile { path, origin, size_bytes, sha256, marks })
    }

    fn argument_files(
        &mut self,
        asker: Asker,
        cwd: &str,
        argv: &[String],
        blobs: &mut Vec<Blob>,
    ) -> Vec<ArgumentFile> {
        let mut found = Vec::new();
        let candidates = argv.iter().enumerate().skip(1).take(MOST_ARGUMENT_FILES);
        for (index, argument) in candidates {
            let unlikely = argument.is_empty()
                || argument.len() > libc::PATH_MAX as usize
                || argument.starts_with('-')
                || argument.contains('\n');
            if unlikely {
                continue;
            }
            let path = resolve::join(cwd, argument);
            let Some(file) = resolve::resolve(self.root.as_fd(), asker, &path) else { continue };
            let Ok(stat) = fd::stat(file.as_fd()) else { continue };
            let wanted = stat.st_mode & libc::S_IFMT == libc::S_IFREG
                && Some(stat.st_dev) == self.private
                && stat.st_size <= LARGEST_ARGUMENT_FILE;
            if !wanted {
                continue;
            }
            let path = resolve::path_of(file.as_fd());
            let Ok(content) = self.content(file.as_fd(), &path, &stat) else { continue };
            blobs.extend(content.blob());
            let (sha256, marks) = (content.sha256.to_string(), content.marks.to_vec());
            found.push(ArgumentFile { index, path, sha256, marks });
        }
        found
    }

    /// Follows a process until it ends.
    fn follow(&mut self, identity: &Identity) {
        if self.marked.iter().any(|marked| marked.outside == identity.outside) {
            return;
        }
        if let Ok(ended) = super::call::pidfd(identity.outside) {
            let (outside, inside) = (identity.outside, identity.inside);
            self.marked.push(Marked { ended, outside, inside, cpu_millis: 0 });
        }
    }

    /// A shared mapping: from now on the file can change without a trace.
    pub(super) fn mapped(&mut self, call: &Notification) {
        let number = call.args[4] as i32;
        let path = Path::new("/proc").join(call.thread.to_string()).join(format!("fd/{number}"));
        let stat = fd::open_at(self.root.as_fd(), &path, libc::O_PATH)
            .and_then(|file| fd::stat(file.as_fd()));
        if let Ok(stat) = stat
            && (Some(stat.st_dev) == self.private)
        {
            self.files.note_mapped(inode(&stat));
        }
    }
}
