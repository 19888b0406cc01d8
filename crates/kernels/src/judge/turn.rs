//! One judge at a time: kernels that are timed side by side slow each other down, and judges in
//! real time on the same processors would keep each other from stopping theirs.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// Waits of less are nobody's business; longer ones are told again after each.
const PATIENCE: Duration = Duration::from_secs(10);

/// Holds the machine's turn until dropped. Where the file cannot be had, nothing is held: judging
/// goes on, and the interval shows what neighbours did.
pub(super) struct Turn {
    /// Its lock ends when it is closed.
    _held: Option<File>,
}

impl Turn {
    /// Waits for the turn, and tells how long while it lasts. It is the same for all users of the
    /// machine, and goes to the next when its holder ends, however that happens.
    pub(super) fn wait(tell: Option<fn(Duration)>) -> Turn {
        Turn::at(&std::env::temp_dir().join("tetrad-judge.turn"), PATIENCE, &|waited| {
            if let Some(tell) = tell {
                tell(waited);
            }
        })
    }

    fn at(path: &Path, patience: Duration, tell: &(dyn Fn(Duration) + Sync)) -> Turn {
        let open = |create: bool| {
            let mut options = OpenOptions::new();
            // Locking needs no right to write: a file of another user does as well.
            options.read(true).custom_flags(libc::O_NOFOLLOW | libc::O_CLOEXEC);
            if create {
                options.write(true).create_new(true).mode(0o644);
            }
            options.open(path)
        };
        let file = open(false).or_else(|_| open(true)).or_else(|_| open(false));
        let held = |file: &File| {
            if file.try_lock().is_ok() {
                return true;
            }
            let begun = Instant::now();
            let (done, waits) = mpsc::channel::<()>();
            std::thread::scope(|scope| {
                scope.spawn(move || {
                    while waits.recv_timeout(patience) == Err(mpsc::RecvTimeoutError::Timeout) {
                        tell(begun.elapsed());
                    }
                });
                // Whoever asks the system to wait gets the turn in the order of asking.
                let held = file.lock().is_ok();
                drop(done);
                held
            })
        };
        Turn { _held: file.ok().filter(held) }
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
                        let turn = Turn::wait(None);
                        assert!(turn.is_held());
                        assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                        std::thread::yield_now();
                        inside.fetch_sub(1, Ordering::SeqCst);
                    }
                });
            }
        });
    }
    #[test]
    fn who_waits_is_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("turn");
        let (tells, told) = mpsc::channel();
        let first = Turn::at(&path, Duration::MAX, &|_| {});
        std::thread::scope(|scope| {
            let waits = scope.spawn(|| {
                let tell = |waited: Duration| tells.send(waited).expect("somebody listens");
                Turn::at(&path, Duration::from_millis(1), &tell)
            });
            let waited = [told.recv(), told.recv()].map(|waited| waited.expect("it is told"));
            assert!(waited[0] < waited[1], "again and again: {waited:?}");
            drop(first);
            assert!(waits.join().expect("it ends").is_held());
        });
    }
}
