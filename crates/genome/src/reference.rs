//! The reference that variants were called against. A plain FASTA with its index beside it (`.fai`)
//! is read where it is asked for; any other is held whole.
//!
//! An index is believed as far as the FASTA confirms it: what it claims must lie inside the file, and
//! a sequence is used only after its header and its end were found where the index has them.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};

use noodles_fasta::fai;

use crate::error::Error;
use crate::fasta::{self, is_base};
use crate::lines::Lines;

/// Sequences by name.
#[derive(Debug)]
pub struct Reference {
    path: PathBuf,
    held: Held,
}

#[derive(Debug)]
enum Held {
    Whole(BTreeMap<String, Vec<u8>>),
    Indexed { file: BufReader<File>, index: PathBuf, entries: BTreeMap<String, Entry> },
}

/// A sequence of the index.
#[derive(Debug)]
struct Entry {
    /// Line of the index, from 1.
    line: usize,
    record: fai::Record,
    /// Whether the FASTA confirmed it.
    confirmed: bool,
}

impl Entry {
    /// Where a base lies in the file; `None` beyond 64 bits.
    fn place(&self, offset: u64) -> Option<u64> {
        let record = &self.record;
        let n_lines = offset / record.line_base_count();
        let lines = n_lines.checked_mul(record.line_width().get())?;
        record.position().checked_add(lines)?.checked_add(offset % record.line_base_count())
    }
}

impl Reference {
    /// Opens a FASTA.
    ///
    /// # Errors
    /// If it, or the index beside it, cannot be read, is malformed, or names a sequence twice.
    pub fn open(path: &Path) -> Result<Reference, Error> {
        let mut index = path.as_os_str().to_owned();
        index.push(".fai");
        let index = PathBuf::from(index);
        let held = if index.exists() && !Lines::open(path, "open reference")?.is_gzipped() {
            indexed(path, index)?
        } else {
            whole(path)?
        };
        Ok(Reference { path: path.to_owned(), held })
    }

    /// Whether sequences stay in the file.
    pub fn is_indexed(&self) -> bool {
        matches!(self.held, Held::Indexed { .. })
    }

    /// Length of a sequence, if there is one of that name.
    pub fn n_bases(&self, name: &str) -> Option<usize> {
        match &self.held {
            Held::Whole(all) => all.get(name).map(Vec::len),
            Held::Indexed { entries, .. } => {
                entries.get(name).map(|entry| usize::try_from(entry.record.length()).unwrap_or(0))
            }
        }
    }

    /// Bases of a sequence, upper case.
    ///
    /// # Errors
    /// If the file cannot be read, or is not as its index says.
    ///
    /// # Panics
    /// If there is no such sequence, or it ends before.
    pub fn read(&mut self, name: &str, range: Range<usize>) -> Result<Cow<'_, [u8]>, Error> {
        match &mut self.held {
            Held::Whole(all) => Ok(Cow::Borrowed(&all[name][range])),
            Held::Indexed { file, index, entries } => {
                let entry = entries.get_mut(name).expect("a sequence of the index");
                let failed = |source| Error::File {
                    action: "read reference",
                    path: self.path.clone(),
                    source,
                };
                let unlike =
                    |reason| Error::Reference { path: index.clone(), line: entry.line, reason };
                if !entry.confirmed {
                    let why = contradiction(file, name, entry).map_err(failed)?;
                    if let Some(why) = why {
                        return Err(unlike(format!("{why} of `{name}` is not where it says")));
                    }
                }
                let bases = read(file, entry, &range).map_err(failed)?;
                let Some(mut bases) = bases else {
                    return Err(unlike(format!("`{name}` is not laid out as it says")));
                };
                entry.confirmed = true;
                bases.make_ascii_uppercase();
                Ok(Cow::Owned(bases))
            }
        }
    }
}

fn whole(path: &Path) -> Result<Held, Error> {
    let malformed = |line, reason| Error::Reference { path: path.to_owned(), line, reason };
    let mut all = BTreeMap::new();
    let mut reader = fasta::Reader::open(path)?;
    while let Some(record) = reader.next() {
        let record = record.map_err(|error| match error {
            Error::Record { line, reason, .. } => malformed(line, reason),
            other => other,
        })?;
        let reason = format!("a second sequence `{}`", record.name);
        if all.insert(record.name, record.sequence.to_ascii_uppercase()).is_some() {
            return Err(malformed(reader.line(), reason));
        }
    }
    Ok(Held::Whole(all))
}

fn indexed(path: &Path, index: PathBuf) -> Result<Held, Error> {
    let failed = |source| Error::File { action: "open reference", path: path.to_owned(), source };
    let file = File::open(path).map_err(failed)?;
    let size = file.metadata().map_err(failed)?.len();
    let mut entries: BTreeMap<String, Entry> = BTreeMap::new();
    let mut lines = Lines::open(&index, "open index")?;
    let failed = |source| Error::File { action: "read index", path: index.clone(), source };
    let mut text = Vec::new();
    for line in 1.. {
        text.clear();
        // The FASTA bounds what a line of its index can be.
        let most = size.saturating_add(256);
        if Read::by_ref(&mut lines).take(most).read_until(b'\n', &mut text).map_err(failed)? == 0 {
            break;
        }
        let malformed = |reason| Error::Reference { path: index.clone(), line, reason };
        let parsed = fai::io::Reader::new(text.as_slice()).read_index();
        let parsed = parsed.map_err(|error| malformed(format!("no line of an index ({error})")))?;
        for record in Vec::from(parsed) {
            let name = String::from_utf8_lossy(record.name()).into_owned();
            let n_ends = record.line_width().get().checked_sub(record.line_base_count().get());
            let entry = Entry { line, record, confirmed: false };
            let end = entry.record.length().checked_sub(1).and_then(|last| entry.place(last));
            if end.is_none_or(|end| end >= size) || n_ends.is_none_or(|n_ends| n_ends > 2) {
                return Err(malformed(format!("`{name}` does not fit into its FASTA")));
            }
            if entries.contains_key(&name) {
                return Err(malformed(format!("a second sequence `{name}`")));
            }
            entries.insert(name, entry);
        }
    }
    Ok(Held::Indexed { file: BufReader::new(file), index, entries })
}

/// Bytes before a sequence in which its header must begin.
const LONGEST_HEADER: u64 = 1 << 16;

/// What the FASTA has otherwise than the index: the header, or the end.
fn contradiction(
    file: &mut BufReader<File>,
    name: &str,
    entry: &Entry,
) -> std::io::Result<Option<&'static str>> {
    let position = entry.record.position();
    let from = position.saturating_sub(LONGEST_HEADER);
    file.seek(SeekFrom::Start(from))?;
    let mut before = Vec::new();
    Read::by_ref(file).take(position - from).read_to_end(&mut before)?;
    let line = before.strip_suffix(b"\n").map(|before| {
        let begin = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        &before[begin..]
    });
    let named = line.and_then(|line| line.strip_prefix(b">")?.strip_prefix(name.as_bytes()));
    if !named.is_some_and(|rest| rest.first().is_none_or(u8::is_ascii_whitespace)) {
        return Ok(Some("the header"));
    }
    let end = entry.place(entry.record.length() - 1).unwrap_or(u64::MAX).saturating_add(1);
    file.seek(SeekFrom::Start(end))?;
    let after = loop {
        match file.fill_buf()?.first() {
            Some(byte) if byte.is_ascii_whitespace() => file.consume(1),
            other => break other.copied(),
        }
    };
    Ok(after.is_some_and(|byte| byte != b'>').then_some("the end"))
}

/// Bases of a range; nothing if lines do not end where they should.
fn read(
    file: &mut BufReader<File>,
    entry: &Entry,
    range: &Range<usize>,
) -> std::io::Result<Option<Vec<u8>>> {
    let Some(last) = range.end.checked_sub(1).filter(|last| range.start <= *last) else {
        return Ok(Some(Vec::new()));
    };
    // Inside the file, as was checked when the index was read.
    let place = |offset: usize| entry.place(offset as u64).unwrap_or(u64::MAX);
    let (from, to) = (place(range.start), place(last).saturating_add(1));
    file.seek(SeekFrom::Start(from))?;
    let mut raw = Vec::new();
    file.take(to - from).read_to_end(&mut raw)?;
    let (n_bases, width) = (entry.record.line_base_count().get(), entry.record.line_width().get());
    let mut column = range.start as u64 % n_bases;
    let mut bases = Vec::with_capacity(range.len());
    for byte in raw {
        let fits = if column < n_bases { is_base(byte) } else { matches!(byte, b'\r' | b'\n') };
        if !fits {
            return Ok(None);
        }
        if column < n_bases {
            bases.push(byte);
        }
        column = (column + 1) % width;
    }
    Ok((bases.len() == range.len()).then_some(bases))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FASTA: &str = ">a first\nACGTA\nCGTTT\nGa\n>b\r\nnnN\r\nACG\r\nT\r\n>c\nAC\n";

    /// As `samtools faidx` writes it.
    const INDEX: &str = "a\t12\t9\t5\t6\nb\t7\t28\t3\t5\nc\t2\t44\t2\t3\n";

    const ALL: [(&str, &str); 3] = [("a", "ACGTACGTTTGA"), ("b", "NNNACGT"), ("c", "AC")];

    fn open(fasta: &[u8], index: Option<&[u8]>) -> (tempfile::TempDir, Result<Reference, Error>) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("x.fa");
        std::fs::write(&path, fasta).expect("a file");
        if let Some(index) = index {
            std::fs::write(folder.path().join("x.fa.fai"), index).expect("a file");
        }
        let reference = Reference::open(&path);
        (folder, reference)
    }

    #[test]
    fn every_range_is_the_same_with_an_index_and_without() {
        let (_folder, whole) = open(FASTA.as_bytes(), None);
        let (_other, indexed) = open(FASTA.as_bytes(), Some(INDEX.as_bytes()));
        let (mut whole, mut indexed) = (whole.expect("it opens"), indexed.expect("it opens"));
        assert!(indexed.is_indexed() && !whole.is_indexed());
        for (name, bases) in ALL {
            assert_eq!(indexed.n_bases(name), Some(bases.len()));
            assert_eq!(whole.n_bases(name), Some(bases.len()));
            for from in 0..=bases.len() {
                for to in from..=bases.len() {
                    let want = &bases.as_bytes()[from..to];
                    for reference in [&mut whole, &mut indexed] {
                        let got = reference.read(name, from..to).expect("it is read");
                        assert_eq!(&*got, want, "{name} {from}..{to}");
                    }
                }
            }
        }
        assert_eq!((whole.n_bases("d"), indexed.n_bases("d")), (None, None));
    }

    /// What is said of an index, at opening or at the first use of `a`.
    fn said(index: &str) -> String {
        let (_folder, reference) = open(FASTA.as_bytes(), Some(index.as_bytes()));
        let error = match reference {
            Err(error) => error,
            Ok(mut reference) => match reference.read("a", 0..2) {
                Err(error) => error,
                Ok(bases) => panic!("{bases:?}"),
            },
        };
        error.to_string()
    }

    #[test]
    fn an_index_that_does_not_fit_is_named_with_its_line() {
        for (index, reason) in [
            ("c\t2\t44\t2\t3\na\t12\t9\t5\n", "no line of an index"),
            ("c\t2\t44\t2\t3\na\t12\t9\t0\t6\n", "no line of an index"),
            ("c\t2\t44\t2\t3\na\tx\t9\t5\t6\n", "no line of an index"),
            ("c\t2\t44\t2\t3\n\n", "no line of an index"),
            ("c\t2\t44\t2\t3\na\t1000\t9\t5\t6\n", "`a` does not fit into its FASTA"),
            ("c\t2\t44\t2\t3\na\t0\t9\t5\t6\n", "`a` does not fit into its FASTA"),
            ("c\t2\t44\t2\t3\na\t12\t9\t6\t5\n", "`a` does not fit into its FASTA"),
            ("c\t2\t44\t2\t3\na\t12\t9\t1\t9\n", "`a` does not fit into its FASTA"),
            (
                "c\t2\t44\t2\t3\na\t18446744073709551615\t18446744073709551615\t1\t2\n",
                "`a` does not fit into its FASTA",
            ),
            ("a\t12\t9\t5\t6\na\t12\t9\t5\t6\n", "a second sequence `a`"),
            ("c\t2\t44\t2\t3\na\t12\t10\t5\t6\n", "the header of `a` is not where it says"),
            ("c\t2\t44\t2\t3\na\t7\t28\t3\t5\n", "the header of `a` is not where it says"),
            ("c\t2\t44\t2\t3\na\t12\t0\t5\t6\n", "the header of `a` is not where it says"),
            ("c\t2\t44\t2\t3\na\t11\t9\t5\t6\n", "the end of `a` is not where it says"),
            ("c\t2\t44\t2\t3\na\t15\t9\t5\t6\n", "the end of `a` is not where it says"),
        ] {
            let got = said(index);
            assert!(got.contains(reason) && got.ends_with(".fai:2"), "{got}");
        }
    }

    #[test]
    fn lines_of_another_length_than_the_index_has_are_found() {
        let index = "a\t8\t3\t3\t4\n";
        let (_folder, reference) = open(b">a\nACG\nTAC\nGT\n", Some(index.as_bytes()));
        let mut reference = reference.expect("it opens");
        assert_eq!(&*reference.read("a", 0..8).expect("it fits"), b"ACGTACGT");
        // Header and end fit; the second line is longer, the third shorter.
        let (_folder, reference) = open(b">a\nACG\nTACG\nT\n", Some(index.as_bytes()));
        let mut reference = reference.expect("it opens");
        assert_eq!(&*reference.read("a", 0..6).expect("so far it fits"), b"ACGTAC");
        let error = reference.read("a", 5..7).expect_err("a line too long").to_string();
        assert!(error.contains("`a` is not laid out as it says"), "{error}");
    }

    #[test]
    fn names_are_unique_and_records_whole() {
        let refused = |fasta: &[u8]| open(fasta, None).1.expect_err("refused").to_string();
        assert!(refused(b">a\nAC\n>b\nA\n>a\nGG\n").contains("a second sequence `a`"));
        let said = refused(b">a\nAC\n>b\nA1\n");
        assert!(said.contains("failed to read reference: `1` in the sequence of `b`"), "{said}");
        assert!(said.ends_with("x.fa:3"), "{said}");
    }

    #[test]
    fn a_gzipped_reference_is_held_whole_whatever_lies_beside_it() {
        use std::io::Write;
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(FASTA.as_bytes()).expect("in memory");
        let packed = packed.finish().expect("in memory");
        let (_folder, reference) = open(&packed, Some(b"a\t12\t9\t5\t6\n"));
        let mut reference = reference.expect("it opens");
        assert!(!reference.is_indexed());
        assert_eq!(&*reference.read("a", 10..12).expect("it is read"), b"GA");
    }

    proptest! {
        #[test]
        fn a_changed_index_gives_bases_of_the_file_or_an_error(
            places in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        ) {
            let mut index = INDEX.as_bytes().to_vec();
            for (place, byte) in places {
                let at = place.index(index.len());
                // Mostly another digit, which stays a number.
                index[at] = if byte < 200 { b'0' + byte % 10 } else { byte };
            }
            let (_folder, reference) = open(FASTA.as_bytes(), Some(&index));
            let Ok(mut reference) = reference else { return Ok(()) };
            for (name, bases) in ALL {
                let Some(n) = reference.n_bases(name) else { continue };
                if let Ok(got) = reference.read(name, 0..n) {
                    prop_assert_eq!(&*got, bases.as_bytes());
                }
            }
        }
    }
}
