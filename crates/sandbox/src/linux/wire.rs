//! What the harness and the process inside say to each other: JSON, one message a packet.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::fd;
use super::probe::Report;
use crate::policy::Policy;

/// Longest message sent inline; longer ones travel in an anonymous file.
const LONGEST_INLINE: usize = 32 * 1024;

/// First message to the launcher. Descriptors: assistance socket, announcement socket.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Setup {
    /// The policy, without what only the supervisor needs.
    pub(crate) policy: Policy,
}

/// Harness to first process.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Request {
    /// Run a command. Descriptors: its stdin, stdout, stderr, then its program where
    /// [`Run::program`] says so, then what it finds as 3 and up.
    Run(Run),
    /// Run the self-observation in place of a command. Descriptors likewise.
    Probe {
        /// Whether to ask for seccomp notifications.
        notify: bool,
    },
    /// Kill the tree of the running command.
    Kill,
}

/// A command.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Run {
    /// Program and arguments.
    pub(crate) argv: Vec<String>,
    /// Working folder inside.
    pub(crate) cwd: PathBuf,
    /// Whether to ask for seccomp notifications.
    pub(crate) notify: bool,
    /// Whether a descriptor, not a path, says what to execute.
    #[serde(default)]
    pub(crate) program: bool,
}

/// Launcher or first process to harness.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Reply {
    /// The sandbox stands. Descriptors: its root folder, its `/proc`, its pid namespace.
    Ready(Built),
    /// It could not be built.
    Failed {
        /// Name of the protection that failed, where it was one.
        protection: Option<String>,
        /// What went wrong.
        reason: String,
    },
    /// The command's process exists. Descriptor: one that stands for it.
    Started {
        /// Pid inside.
        pid: i32,
    },
    /// The command's process has ended.
    Ended {
        /// Status as of waitpid(2).
        status: i32,
    },
}

/// What the launcher and the first process learned while building.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Built {
    /// Why there is no own network namespace, if there is none; likewise below.
    pub(crate) network: Option<String>,
    /// Message queues.
    pub(crate) ipc: Option<String>,
    /// Host name.
    pub(crate) uts: Option<String>,
    /// Landlock: what was answered, or why not.
    pub(crate) landlock: Option<Result<String, String>>,
    /// Names of the environment variables that the launcher was started with.
    pub(crate) environment: Vec<String>,
}

/// Process about to become a command, to supervisor. Descriptor: its seccomp listener.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Announcement {
    /// The file it will execute, as found along `PATH`.
    pub(crate) path: String,
    /// Its arguments.
    pub(crate) argv: Vec<String>,
    /// Its working folder.
    pub(crate) cwd: String,
}

/// Supervisor to first process, on the assistance socket. Each is answered by one [`Assisted`].
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Assist {
    /// Open the file behind the descriptor for reading, although its mode forbids it.
    Open {
        /// Whether it is a folder.
        folder: bool,
    },
    /// Add the folder behind the second descriptor to the inotify group that is the first.
    Watch {
        /// Events wanted.
        mask: u32,
    },
    /// Kill every process but the first.
    KillAll,
}

/// Answer to [`Assist`]: a number or an error; with a descriptor for [`Assist::Open`].
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Assisted {
    /// Watch descriptor, or 0.
    pub(crate) value: i32,
    /// Error number, or 0.
    pub(crate) errno: i32,
}

/// What the probing process sends back on its standard output.
pub(crate) type ProbeReport = Report;

/// A message ready to be sent: after this, sending makes no call that a filter reports.
#[derive(Debug)]
pub(crate) struct Packet {
    text: Vec<u8>,
    file: Option<OwnedFd>,
}

impl Packet {
    /// Encodes `message`; a long one goes to an anonymous file.
    pub(crate) fn of<T: Serialize>(message: &T) -> io::Result<Packet> {
        let text = serde_json::to_vec(message)?;
        if text.len() <= LONGEST_INLINE {
            return Ok(Packet { text, file: None });
        }
        Ok(Packet { file: Some(fd::memory_file(&text)?), text: b"@".to_vec() })
    }

    /// Sends it.
    pub(crate) fn send(&self, socket: BorrowedFd<'_>, fds: &[BorrowedFd<'_>]) -> io::Result<()> {
        let mut all: Vec<BorrowedFd<'_>> = self.file.iter().map(AsFd::as_fd).collect();
        all.extend_from_slice(fds);
        fd::send(socket, &self.text, &all)
    }
}

/// Sends `message`.
pub(crate) fn send<T: Serialize>(
    socket: BorrowedFd<'_>,
    message: &T,
    fds: &[BorrowedFd<'_>],
) -> io::Result<()> {
    Packet::of(message)?.send(socket, fds)
}

/// Receives a message; `None` when the other end is closed.
pub(crate) fn receive<T: DeserializeOwned>(
    socket: BorrowedFd<'_>,
) -> io::Result<Option<(T, Vec<OwnedFd>)>> {
    let mut buffer = vec![0; LONGEST_INLINE];
    let Some((count, mut fds)) = fd::receive(socket, &mut buffer)? else {
        return Ok(None);
    };
    if &buffer[..count] != b"@" {
        return Ok(Some((serde_json::from_slice(&buffer[..count])?, fds)));
    }
    if fds.is_empty() {
        return Err(io::Error::other("message without its file"));
    }
    let file = std::fs::File::from(fds.remove(0));
    let mut text = Vec::new();
    let mut offset = 0;
    loop {
        // Read by position: the sender's offset is at the end of the shared file.
        match std::os::unix::fs::FileExt::read_at(&file, &mut buffer, offset)? {
            0 => break,
            count => {
                text.extend_from_slice(&buffer[..count]);
                offset += count as u64;
            }
        }
    }
    Ok(Some((serde_json::from_slice(&text)?, fds)))
}
