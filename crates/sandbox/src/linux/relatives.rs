//! Who descends from whom. Reading that is the dearest part of recording an exec, so it is kept for
//! as long as the processes live.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use super::procfs::{self, Identity};
use super::{call, fd};

/// How many processes are remembered: those that started others lately.
const MOST_KNOWN: usize = 32;

/// No process has more ancestors here; the tree can change while it is climbed.
const MOST_ANCESTORS: usize = 1024;

/// Processes that started others, latest last.
#[derive(Debug, Default)]
pub(super) struct Relatives {
    known: Vec<(Identity, OwnedFd)>,
}

/// Who a thread is, by its number outside: by asking the kernel directly where it can answer, else
/// from `/proc`, which is several times slower, also for the process, whose end must undo it.
pub(super) fn identity_of(namespace: BorrowedFd<'_>, thread: i32) -> Option<Identity> {
    asked(namespace, thread)
        .or_else(|| procfs::parse_identity(&procfs::read(&format!("/proc/{thread}/status"))?))
}

/// `None` also for threads that are not the first of their process.
fn asked(namespace: BorrowedFd<'_>, thread: i32) -> Option<Identity> {
    let process = call::pidfd(thread).ok()?;
    let parent = call::parent_of(process.as_fd()).ok()?;
    let inside = call::process_in_namespace(namespace, thread).ok()?;
    Some(Identity { inside, outside: thread, parent })
}

impl Relatives {
    /// Ancestors inside, parent first, without the first process.
    pub(super) fn ancestors(&mut self, namespace: BorrowedFd<'_>, identity: &Identity) -> Vec<u32> {
        let mut found = Vec::new();
        let mut parent = identity.parent;
        while parent > 0 && found.len() < MOST_ANCESTORS {
            let Some(identity) = self.get(namespace, parent) else { break };
            if identity.inside <= 1 {
                break;
            }
            found.push(identity.inside);
            parent = identity.parent;
        }
        found
    }

    fn get(&mut self, namespace: BorrowedFd<'_>, outside: i32) -> Option<Identity> {
        if let Some(at) = self.known.iter().position(|(known, _)| known.outside == outside) {
            let (identity, alive) = &self.known[at];
            // While it lives, its number means nobody else. Its parent may have ended, and then
            // another one has taken its place.
            let same = !ended(alive) && (identity.inside <= 1 || self.is_alive(identity.parent));
            if same {
                return Some(self.known[at].0);
            }
            self.known.remove(at);
        }
        // The descriptor is taken first: what is read afterwards is about the same process, or
        // the descriptor says that it has ended.
        let alive = call::pidfd(outside).ok()?;
        let identity = identity_of(namespace, outside)?;
        if self.known.len() >= MOST_KNOWN {
            self.known.remove(0);
        }
        self.known.push((identity, alive));
        Some(identity)
    }

    fn is_alive(&self, outside: i32) -> bool {
        self.known.iter().any(|(known, alive)| known.outside == outside && !ended(alive))
    }
}

fn ended(process: &OwnedFd) -> bool {
    let mut fds = [fd::interest(process.as_fd(), libc::POLLIN)];
    fd::poll(&mut fds, Some(Duration::ZERO)).is_err() || fds[0].revents != 0
}
