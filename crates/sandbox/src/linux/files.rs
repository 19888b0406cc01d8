//! Hashes and marks of files, remembered as long as the kernel says that a file is the same.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Read};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sha2::{Digest, Sha256};

use crate::event::Blob;
use crate::policy::Mark;

/// Largest content kept as bytes beside its hash.
pub(super) const LARGEST_BLOB: u64 = 1 << 20;

/// A change this soon after the last one may leave the change time as it is (kernels tick).
const TICK: Duration = Duration::from_millis(20);

/// Identity of a file: file system, number.
pub(super) type Inode = (u64, u64);

/// What tells that a file is the same as before: size and time of its last change.
type Stamp = (i64, i64, i64);

/// What is known of a content.
#[derive(Debug, Clone)]
pub(super) struct Content {
    /// Lowercase hex SHA-256.
    pub(super) sha256: Arc<str>,
    /// Bytes read; a file that is being written may have had another size a moment before.
    pub(super) size_bytes: u64,
    /// Names of marks found.
    pub(super) marks: Arc<[String]>,
    /// The bytes, where there are few.
    pub(super) bytes: Option<Arc<[u8]>>,
}

impl Content {
    /// The content as an event carries it.
    pub(super) fn blob(&self) -> Option<Blob> {
        let bytes = Arc::clone(self.bytes.as_ref()?);
        Some(Blob { sha256: self.sha256.to_string(), bytes })
    }
}

/// Host files do not change under a sandbox, and every sandbox sees the same ones.
static HOST_MARKS: Mutex<Option<HostMarks>> = Mutex::new(None);

type HostMarks = HashMap<(Inode, Stamp, u64), (Arc<[String]>, Option<Arc<str>>)>;

/// The files that one supervisor has looked at.
#[derive(Debug)]
pub(super) struct Files {
    marks: Vec<Mark>,
    /// Tells mark sets apart in [`HOST_MARKS`].
    marks_key: u64,
    known: HashMap<Inode, (Stamp, Content)>,
    /// Files that were mapped shared: they can change without a trace.
    volatile: HashSet<Inode>,
}

/// Identity of an inode.
pub(super) fn inode(state: &libc::stat) -> Inode {
    (state.st_dev, state.st_ino)
}

fn stamp(state: &libc::stat) -> Stamp {
    (state.st_size, state.st_ctime, state.st_ctime_nsec)
}

/// Whether the last change is so long ago that another one shows in the change time.
pub(super) fn settled(state: &libc::stat) -> bool {
    let changed = Duration::new(
        u64::try_from(state.st_ctime).unwrap_or(0),
        u32::try_from(state.st_ctime_nsec).unwrap_or(0),
    );
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    now > changed + TICK
}

impl Files {
    pub(super) fn new(marks: Vec<Mark>) -> Files {
        let mut hasher = DefaultHasher::new();
        format!("{marks:?}").hash(&mut hasher);
        let marks_key = hasher.finish();
        Files { marks, marks_key, known: HashMap::new(), volatile: HashSet::new() }
    }

    /// From now on the file is read again whenever it matters.
    pub(super) fn note_mapped(&mut self, file: Inode) {
        self.volatile.insert(file);
        self.known.remove(&file);
    }

    pub(super) fn any_volatile(&self) -> bool {
        !self.volatile.is_empty()
    }

    pub(super) fn is_volatile(&self, file: Inode) -> bool {
        self.volatile.contains(&file)
    }

    /// What is known without reading.
    pub(super) fn recall(&self, state: &libc::stat) -> Option<Content> {
        let (known, content) = self.known.get(&inode(state))?;
        (*known == stamp(state)).then(|| content.clone())
    }

    /// Reads a private file whose state was `state`. `quiet` says that nothing can have written
    /// it meanwhile, so that its change time need not have settled.
    pub(super) fn read(
        &mut self,
        file: File,
        state: &libc::stat,
        quiet: bool,
    ) -> io::Result<Content> {
        let small = u64::try_from(state.st_size).is_ok_and(|size| size <= LARGEST_BLOB);
        let settled = quiet || settled(state);
        let content = digest(file, &self.marks, small)?;
        if settled && !self.volatile.contains(&inode(state)) {
            self.known.insert(inode(state), (stamp(state), content.clone()));
        }
        Ok(content)
    }

    /// Marks of a host file, and its hash if it has any.
    pub(super) fn host(
        &self,
        state: &libc::stat,
        open: impl FnOnce() -> io::Result<File>,
    ) -> (Arc<[String]>, Option<Arc<str>>) {
        if self.marks.is_empty() {
            return (Arc::from([]), None);
        }
        let key = (inode(state), stamp(state), self.marks_key);
        let lock = || HOST_MARKS.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = lock().as_ref().and_then(|known| known.get(&key)) {
            return found.clone();
        }
        let Ok(content) = open().and_then(|file| digest(file, &self.marks, false)) else {
            return (Arc::from([]), None);
        };
        let marked = !content.marks.is_empty();
        let found = (content.marks, marked.then_some(content.sha256));
        lock().get_or_insert_default().insert(key, found.clone());
        found
    }
}

/// Hashes and scans in one pass.
fn digest(mut file: File, marks: &[Mark], keep: bool) -> io::Result<Content> {
    const PIECE: usize = 256 * 1024;
    let needles: Vec<&[u8]> =
        marks.iter().flat_map(|mark| &mark.all_of).map(Vec::as_slice).collect();
    let finders: Vec<_> = needles.iter().map(memchr::memmem::Finder::new).collect();
    let mut found = vec![false; needles.len()];
    // Patterns may lie across two pieces: the end of one is scanned again with the next.
    let overlap = needles.iter().map(|needle| needle.len()).max().unwrap_or(1).saturating_sub(1);
    let mut hasher = Sha256::new();
    let mut size_bytes = 0;
    let mut kept = Vec::new();
    let mut window = vec![0; overlap + PIECE];
    let mut carried = 0;
    loop {
        let count = match file.read(&mut window[carried..carried + PIECE]) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let end = carried + count;
        hasher.update(&window[carried..end]);
        size_bytes += count as u64;
        if keep && kept.len() as u64 <= LARGEST_BLOB {
            kept.extend_from_slice(&window[carried..end]);
        }
        for (finder, found) in finders.iter().zip(&mut found) {
            *found = *found || finder.find(&window[..end]).is_some();
        }
        let next = end.min(overlap);
        window.copy_within(end - next..end, 0);
        carried = next;
    }
    let mut found = found.into_iter();
    let present: Vec<String> = marks
        .iter()
        // Every pattern's result must be taken, so no short cut.
        .filter(|mark| found.by_ref().take(mark.all_of.len()).filter(|hit| !hit).count() == 0)
        .map(|mark| mark.name.clone())
        .collect();
    let bytes = (keep && kept.len() as u64 <= LARGEST_BLOB).then(|| kept.into());
    let sha256 = hex(&hasher.finalize()).into();
    Ok(Content { sha256, size_bytes, marks: present.into(), bytes })
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a string cannot fail");
        text
    })
}

#[cfg(test)]
mod tests {
    use std::io::{Seek, Write};

    use super::*;

    fn file_with(bytes: &[u8]) -> File {
        let mut file = tempfile::tempfile().expect("a temporary file");
        file.write_all(bytes).expect("writable");
        file.rewind().expect("seekable");
        file
    }

    fn mark(name: &str, patterns: &[&[u8]]) -> Mark {
        Mark { name: name.to_owned(), all_of: patterns.iter().map(|at| at.to_vec()).collect() }
    }

    #[test]
    fn a_mark_needs_all_its_patterns_and_sees_across_pieces() {
        let marks = [mark("both", &[b"uciok", b"bestmove"]), mark("one", &[b"absent"])];
        let mut bytes = vec![b'.'; 256 * 1024 - 3];
        bytes.extend_from_slice(b"uciok....");
        let half = digest(file_with(&bytes), &marks, false).expect("readable");
        assert!(half.marks.is_empty());
        bytes.extend_from_slice(b"bestmove");
        let whole = digest(file_with(&bytes), &marks, false).expect("readable");
        assert_eq!(&*whole.marks, ["both".to_owned()]);
    }

    #[test]
    fn the_hash_is_sha_256_in_hex() {
        let content = digest(file_with(b"abc"), &[], true).expect("readable");
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(&*content.sha256, expected);
        assert_eq!((content.bytes.as_deref(), content.size_bytes), (Some(&b"abc"[..]), 3));
    }
}
