//! What the supervisor may not do as an ordinary user, the first process does for it: opening
//! files of the sandbox whose owner took away the right to read them.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;

use super::fd::{self, Entry};
use super::wire::{self, Assist, Assisted};

/// The way to the first process.
#[derive(Debug)]
pub(super) struct Assistant(pub(super) OwnedFd);

impl Assistant {
    /// Opens for reading what an `O_PATH` descriptor refers to: a regular file or a folder.
    pub(super) fn open(&self, target: BorrowedFd<'_>, folder: bool) -> io::Result<File> {
        let kind = if folder { libc::O_DIRECTORY } else { libc::O_NONBLOCK | libc::O_NOCTTY };
        let path = format!("/proc/self/fd/{}", target.as_raw_fd());
        match fd::open_at(target, Path::new(&path), libc::O_RDONLY | kind) {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                let (_, file) = self.ask(&Assist::Open { folder }, &[target])?;
                file.map(File::from).ok_or_else(|| io::Error::other("no descriptor came back"))
            }
            result => result.map(File::from),
        }
    }

    /// Names in a folder, sorted.
    pub(super) fn list(&self, folder: BorrowedFd<'_>) -> io::Result<Vec<Entry>> {
        fd::list(self.open(folder, true)?.as_fd())
    }

    /// Adds a watch for a folder that only the first process may read.
    pub(super) fn watch(
        &self,
        group: BorrowedFd<'_>,
        folder: BorrowedFd<'_>,
        mask: u32,
    ) -> io::Result<i32> {
        self.ask(&Assist::Watch { mask }, &[group, folder]).map(|(value, _)| value)
    }

    /// Kills everything but the first process.
    pub(super) fn kill_all(&self) -> io::Result<()> {
        self.ask(&Assist::KillAll, &[]).map(drop)
    }

    fn ask(&self, request: &Assist, fds: &[BorrowedFd<'_>]) -> io::Result<(i32, Option<OwnedFd>)> {
        wire::send(self.0.as_fd(), request, fds)?;
        let Some((Assisted { value, errno }, fds)) = wire::receive(self.0.as_fd())? else {
            return Err(io::ErrorKind::UnexpectedEof.into());
        };
        if errno != 0 {
            return Err(io::Error::from_raw_os_error(errno));
        }
        Ok((value, fds.into_iter().next()))
    }
}
