//! One judge at a time: kernels that are timed side by side slow each other down, and judges in
//! real time on the same processors would keep each other from stopping theirs.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;

/// Holds the machine's turn until dropped. Where the file cannot be had, nothing is held: judging
/// goes on, and the interval shows what neighbours did.
pub(super) struct Turn {
    /// Its lock ends when it is closed.
    _held: Option<File>,
}

impl Turn {
    /// Waits for the turn. It is the same for all users of the machine, and goes to the next when
    /// its holder ends, however that happens.
    pub(super) fn wait() -> Turn {
        let path = std::env::temp_dir().join("tetrad-judge.turn");
        let open = |create: bool| {
            let mut options = OpenOptions::new();
            // Locking needs no right to write: a file of another user does as well.
            options.read(true).custom_flags(libc::O_NOFOLLOW | libc::O_CLOEXEC);
            if create {
                options.write(true).create_new(true).mode(0o644);
            }
            options.open(&path)
        };
        let file = open(false).or_else(|_| open(true)).or_else(|_| open(false));
        Turn { _held: file.ok().filter(|file| file.lock().is_ok()) }
    }

    /// Whether it is really held.
    #[cfg(test)]
    fn is_held(&self) -> bool {
        self._held.is_some()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn nobody_has_the_turn_together() {
        let inside = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..20 {
                        let turn = Turn::wait();
                        assert!(turn.is_held());
                        assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                        std::thread::yield_now();
                        inside.fetch_sub(1, Ordering::SeqCst);
                    }
                });
            }
        });
    }
}
