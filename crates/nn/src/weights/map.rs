//! Mapped files, and several as if they were one.
#![expect(unsafe_code, reason = "a mapped file can change under its reader")]

use std::borrow::Cow;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::ops::{Deref, Range};
use std::path::{Path, PathBuf};

use memmap2::Mmap;

use crate::error::Error;

/// The bytes of one file, or of its parts in order.
#[derive(Debug)]
pub(super) struct Bytes {
    parts: Vec<Part>,
}

/// One stretch of them.
#[derive(Debug)]
enum Part {
    Mapped(Mmap),
    /// Part of the program.
    Built(&'static [u8]),
}

impl Deref for Part {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Part::Mapped(map) => map,
            Part::Built(bytes) => bytes,
        }
    }
}

impl Bytes {
    /// Maps a file, or its parts where it is split.
    pub(super) fn open(path: &Path) -> Result<Bytes, Error> {
        let map = |path: &PathBuf| map(path).map(Part::Mapped);
        let parts = paths(path)?.iter().map(map).collect::<Result<_, _>>()?;
        Ok(Bytes { parts })
    }

    /// Of the program itself.
    pub(super) fn built(bytes: &'static [u8]) -> Bytes {
        Bytes { parts: vec![Part::Built(bytes)] }
    }

    pub(super) fn len(&self) -> usize {
        self.parts.iter().map(|part| part.len()).sum()
    }

    /// A range; copied if it crosses from one part to the next.
    ///
    /// # Panics
    /// If it is not inside.
    pub(super) fn get(&self, range: Range<usize>) -> Cow<'_, [u8]> {
        let mut start = 0;
        let mut joined = Vec::new();
        for part in &self.parts {
            let end = start + part.len();
            if range.start >= start && range.end <= end {
                return Cow::Borrowed(&part[range.start - start..range.end - start]);
            }
            let (from, to) = (range.start.max(start), range.end.min(end));
            if from < to {
                joined.extend_from_slice(&part[from - start..to - start]);
            }
            start = end;
        }
        assert_eq!(joined.len(), range.len(), "a range inside the file");
        Cow::Owned(joined)
    }
}

/// The file itself, or `NAME.part0`, `NAME.part1`, … when `NAME` is not there or the first is named.
fn paths(path: &Path) -> Result<Vec<PathBuf>, Error> {
    let malformed = |reason| Error::Malformed { path: path.to_owned(), reason };
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let stem = match part_of(&name) {
        Some((stem, 0)) => stem,
        None if path.exists() => return Ok(vec![path.to_owned()]),
        None => &*name,
        Some((stem, n)) => {
            return Err(malformed(format!("part {n} of several: name `{stem}` or `{stem}.part0`")));
        }
    };
    let folder = path.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."));
    // What cannot be listed is found to be missing when it is opened.
    let names = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let names = names.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut numbers: Vec<usize> = names
        .filter_map(|name| part_of(&name).filter(|(of, _)| *of == stem).map(|(_, n)| n))
        .collect();
    numbers.sort_unstable();
    if let Some((missing, next)) = numbers.iter().enumerate().find(|(idx, n)| idx != *n) {
        return Err(malformed(format!("`{stem}.part{next}` is there, but no `.part{missing}`")));
    }
    if numbers.is_empty() {
        return Ok(vec![path.to_owned()]);
    }
    Ok(numbers.iter().map(|n| path.with_file_name(format!("{stem}.part{n}"))).collect())
}

/// What `NAME.partN` says.
fn part_of(name: &str) -> Option<(&str, usize)> {
    let (stem, n) = name.rsplit_once(".part")?;
    // `.part01` would be a second name of the same part.
    let n: usize = n.parse().ok().filter(|number: &usize| number.to_string() == n)?;
    Some((stem, n))
}

fn map(path: &Path) -> Result<Mmap, Error> {
    let failed = |source| Error::File { action: "open weights", path: path.to_owned(), source };
    let file = File::open(path).map_err(failed)?;
    if !file.metadata().map_err(failed)?.is_file() {
        return Err(failed(std::io::Error::other("not a file")));
    }
    // SAFETY: the map is read-only. Who changes a file of weights while it is in use gets other
    // numbers, or a signal if it is cut short; every range was checked against the size at opening.
    unsafe { Mmap::map(&file) }.map_err(failed)
}

/// A reader over all parts.
pub(super) struct Reader<'a> {
    pub(super) bytes: &'a Bytes,
    pub(super) at: u64,
}

impl Read for Reader<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let len = self.bytes.len();
        let from = usize::try_from(self.at).unwrap_or(usize::MAX).min(len);
        let n = into.len().min(len - from);
        into[..n].copy_from_slice(&self.bytes.get(from..from + n));
        self.at += n as u64;
        Ok(n)
    }
}

impl Seek for Reader<'_> {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        let len = self.bytes.len() as u64;
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => len.checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = at.ok_or_else(|| std::io::Error::from(std::io::ErrorKind::InvalidInput))?;
        Ok(self.at)
    }
}
