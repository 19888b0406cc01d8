//! Sequences from FASTA, plain or gzipped, one record at a time.
//!
//! A malformed record is an error with its line; the records after it can still be read.

use std::io::BufRead;
use std::path::{Path, PathBuf};

use noodles_fasta::record::Definition;

use crate::error::Error;
use crate::lines::Lines;

/// One sequence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Up to the first blank of its header.
    pub name: String,
    /// The rest of its header.
    pub description: Option<String>,
    /// Its bases as the file has them, lower case kept.
    pub sequence: Vec<u8>,
}

/// Reads records.
pub struct Reader {
    path: PathBuf,
    inner: noodles_fasta::io::Reader<Lines>,
    line: usize,
    ended: bool,
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Reader {
    /// Opens a file; gzip is told by its first bytes. `-` is stdin.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn open(path: &Path) -> Result<Reader, Error> {
        let inner = noodles_fasta::io::Reader::new(Lines::open(path, "open sequences")?);
        Ok(Reader { path: path.to_owned(), inner, line: 0, ended: false })
    }

    /// Line where the last record began, from 1.
    pub fn line(&self) -> usize {
        self.line
    }

    /// A record, or what is wrong with it.
    fn read(&mut self) -> std::io::Result<Option<Result<Record, String>>> {
        // Blank lines before a record are common and harmless.
        let lines = self.inner.get_mut();
        while lines.fill_buf()?.first().is_some_and(u8::is_ascii_whitespace) {
            lines.consume(1);
        }
        self.line = lines.n_ended() + 1;
        let mut definition = Definition::new("", None);
        let header = match self.inner.read_definition(&mut definition) {
            Ok(0) => return Ok(None),
            Ok(_) => Ok(definition),
            Err(error) if error.kind() == std::io::ErrorKind::InvalidData => Err(error),
            Err(error) => return Err(error),
        };
        let mut sequence = Vec::new();
        self.inner.read_sequence(&mut sequence)?;
        let record = header
            .map_err(|_| "no header: a line that starts with `>` and a name".to_owned())
            .and_then(|definition| record(&definition, sequence));
        Ok(Some(record))
    }
}

/// Records until the end. After [`Error::Record`] the next one follows; any other error is the last.
impl Iterator for Reader {
    type Item = Result<Record, Error>;

    fn next(&mut self) -> Option<Result<Record, Error>> {
        if self.ended {
            return None;
        }
        match self.read() {
            Ok(None) => {
                self.ended = true;
                None
            }
            Ok(Some(Ok(record))) => Some(Ok(record)),
            Ok(Some(Err(reason))) => {
                Some(Err(Error::Record { path: self.path.clone(), line: self.line, reason }))
            }
            Err(source) => {
                self.ended = true;
                let path = self.path.clone();
                Some(Err(Error::File { action: "read sequences", path, source }))
            }
        }
    }
}

fn record(definition: &Definition, mut sequence: Vec<u8>) -> Result<Record, String> {
    let name = String::from_utf8_lossy(definition.name()).into_owned();
    sequence.retain(|base| !matches!(base, b' ' | b'\t' | b'\r'));
    if let Some(other) = sequence.iter().find(|base| !is_base(**base)) {
        let shown = char::from(*other).escape_default();
        return Err(format!("`{shown}` in the sequence of `{name}`"));
    }
    if sequence.is_empty() {
        return Err(format!("no sequence for `{name}`"));
    }
    let description =
        definition.description().map(|text| String::from_utf8_lossy(text).into_owned());
    Ok(Record { name, description, sequence })
}

/// Letters of the IUPAC alphabet, and gaps.
pub(crate) fn is_base(byte: u8) -> bool {
    b"ACGTUNRYSWKMBDHV-.*".contains(&byte.to_ascii_uppercase())
}

/// The other strand, read in its own direction. What has no complement stays.
pub fn reverse_complement(sequence: &[u8]) -> Vec<u8> {
    let complement = |base: &u8| {
        let from = b"ACGTURYKMBDHVacgturykmbdhv";
        let to = b"TGCAAYRMKVHDBtgcaayrmkvhdb";
        from.iter().position(|known| known == base).map_or(*base, |at| to[at])
    };
    sequence.iter().rev().map(complement).collect()
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use proptest::prelude::*;

    use super::*;

    fn read(bytes: &[u8]) -> Vec<Result<Record, String>> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("x.fa");
        std::fs::write(&path, bytes).expect("a file");
        let reader = Reader::open(&path).expect("it opens");
        let shown = path.display().to_string();
        let short = |error: Error| error.to_string().replace(&shown, "x.fa");
        reader.map(|record| record.map_err(short)).collect()
    }

    fn ok(name: &str, sequence: &str) -> Result<Record, String> {
        let (name, sequence) = (name.to_owned(), sequence.as_bytes().to_vec());
        Ok(Record { name, description: None, sequence })
    }

    #[test]
    fn records_are_read_across_lines_and_blanks() {
        assert_eq!(read(b">a\r\nAC\r\nGT\r\n\n>b\nnnN\n"), [ok("a", "ACGT"), ok("b", "nnN")]);
    }

    #[test]
    fn a_malformed_record_names_its_line_and_loses_no_other() {
        let got = read(b">a\nAC\n>\nGG\n>b\nA1\n>c\n>d\nTT\n");
        let bad = |line: usize, reason: &str| -> Result<Record, String> {
            Err(format!("failed to read record: {reason}: x.fa:{line}"))
        };
        let want = [
            ok("a", "AC"),
            bad(3, "no header: a line that starts with `>` and a name"),
            bad(5, "`1` in the sequence of `b`"),
            bad(7, "no sequence for `c`"),
            ok("d", "TT"),
        ];
        assert_eq!(got, want);
        assert_eq!(read(b"ACGT\n>a\nAC\n").len(), 2);
    }

    #[test]
    fn gzip_is_read_and_a_torn_one_is_an_error() {
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(b">a\nACGT\n").expect("in memory");
        let packed = packed.finish().expect("in memory");
        assert_eq!(read(&packed), [ok("a", "ACGT")]);
        let torn = read(&packed[..packed.len() - 6]);
        assert!(torn.iter().any(Result::is_err), "{torn:?}");
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_to_an_end(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            read(&bytes);
        }

        #[test]
        fn reverse_complement_is_an_involution(bases in "[ACGTNRYKMBDHVacgtn-]{0,50}") {
            let twice = reverse_complement(&reverse_complement(bases.as_bytes()));
            prop_assert_eq!(twice, bases.as_bytes());
        }
    }
}
