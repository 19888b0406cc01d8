//! Variants from VCF, plain or gzipped, one line at a time.
//!
//! Lines are kept as they are, so that they can be written again with something added.

use std::io::{BufRead, Read};
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::lines::Lines;

/// Longest line, and longest header, that is read: a few hundred thousand samples fit. Packed files
/// can hold lines without end.
const LONGEST_BYTES: usize = 64 << 20;

/// One line of variants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Line in the file, from 1.
    pub line: usize,
    /// The line as it stands, without its end.
    pub text: String,
    /// Name of the reference sequence.
    pub sequence: String,
    /// First base of the reference allele, from 0.
    pub offset: usize,
    /// Reference allele, upper case.
    pub reference: Vec<u8>,
    /// Alternative alleles, upper case; `None` for what is no sequence (`<DEL>`, `*`, breakends, `.`).
    pub alternatives: Vec<Option<Vec<u8>>>,
}

/// Reads a file: the header first, then its records.
pub struct Reader {
    path: PathBuf,
    lines: Lines,
    header: Vec<String>,
    ended: bool,
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Reader {
    /// Opens a file and reads its header. `-` is stdin.
    ///
    /// # Errors
    /// If it cannot be read, or has no header line with the names of the columns.
    pub fn open(path: &Path) -> Result<Reader, Error> {
        let lines = Lines::open(path, "open variants")?;
        let mut reader = Reader { path: path.to_owned(), lines, header: Vec::new(), ended: false };
        let mut n_bytes = 0;
        loop {
            match reader.line()? {
                Some((_, text)) if text.starts_with("##") && n_bytes <= LONGEST_BYTES => {
                    n_bytes += text.len();
                    reader.header.push(text);
                }
                Some((_, text)) if text.starts_with("#CHROM\t") => {
                    reader.header.push(text);
                    return Ok(reader);
                }
                other => {
                    let line = other.map_or(1, |(line, _)| line);
                    let reason = "no `#CHROM` line with the names of the columns".to_owned();
                    return Err(Error::Record { path: path.to_owned(), line, reason });
                }
            }
        }
    }

    /// Lines of the header; the last names the columns.
    pub fn header(&self) -> &[String] {
        &self.header
    }

    /// The next line that is not blank, and its number.
    fn line(&mut self) -> Result<Option<(usize, String)>, Error> {
        loop {
            let number = self.lines.n_ended() + 1;
            let mut bytes = Vec::new();
            let failed =
                |source| Error::File { action: "read variants", path: self.path.clone(), source };
            let lines = Read::by_ref(&mut self.lines).take(LONGEST_BYTES as u64);
            let n = { lines }.read_until(b'\n', &mut bytes).map_err(failed)?;
            if n == 0 {
                return Ok(None);
            }
            if n == LONGEST_BYTES && !bytes.ends_with(b"\n") {
                let reason = format!("line {number} is longer than {} MiB", LONGEST_BYTES >> 20);
                return Err(failed(std::io::Error::other(reason)));
            }
            let text = String::from_utf8_lossy(&bytes).trim_end_matches(['\r', '\n']).to_owned();
            if !text.is_empty() {
                return Ok(Some((number, text)));
            }
        }
    }
}

/// Records until the end. After [`Error::Record`] the next one follows; any other error is the last.
impl Iterator for Reader {
    type Item = Result<Record, Error>;

    fn next(&mut self) -> Option<Result<Record, Error>> {
        if self.ended {
            return None;
        }
        match self.line() {
            Ok(None) => {
                self.ended = true;
                None
            }
            Ok(Some((line, text))) => {
                let path = &self.path;
                let failed = |reason| Error::Record { path: path.clone(), line, reason };
                Some(record(line, text).map_err(failed))
            }
            Err(error) => {
                self.ended = true;
                Some(Err(error))
            }
        }
    }
}

fn record(line: usize, text: String) -> Result<Record, String> {
    let parsed = noodles_vcf::Record::try_from(text.as_bytes())
        .map_err(|error| format!("not eight columns and more ({error})"))?;
    let offset = match parsed.variant_start() {
        Some(Ok(position)) => usize::from(position) - 1,
        _ => return Err("a position that is no number from 1".to_owned()),
    };
    let bases = |allele: &str| -> Option<Vec<u8>> {
        let upper = allele.to_ascii_uppercase().into_bytes();
        let valid = !upper.is_empty() && upper.iter().all(|base| b"ACGTN".contains(base));
        valid.then_some(upper)
    };
    let reference = bases(parsed.reference_bases())
        .ok_or_else(|| format!("`{}` as reference allele", parsed.reference_bases()))?;
    let alternatives = parsed.alternate_bases();
    let alternatives: &str = alternatives.as_ref();
    let alternatives = alternatives.split(',').map(bases).collect();
    let sequence = parsed.reference_sequence_name().to_owned();
    Ok(Record { line, sequence, offset, reference, alternatives, text })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HEAD: &str = "##fileformat=VCFv4.3\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n";

    fn read(body: &[u8]) -> Result<Vec<Result<Record, String>>, String> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("x.vcf");
        std::fs::write(&path, body).expect("a file");
        let shown = path.display().to_string();
        let short = |error: Error| error.to_string().replace(&shown, "x.vcf");
        Ok(Reader::open(&path).map_err(short)?.map(|record| record.map_err(short)).collect())
    }

    #[test]
    fn alleles_are_read_and_what_is_no_sequence_is_none() {
        let body = format!("{HEAD}chr1\t3\t.\tac\tA,<DEL>,*,GTT\t.\t.\t.\n");
        let records = read(body.as_bytes()).expect("a header");
        let record = records[0].as_ref().expect("a record");
        assert_eq!((record.line, record.offset), (3, 2));
        assert_eq!(record.reference, b"AC");
        let alternatives: Vec<Option<&[u8]>> =
            record.alternatives.iter().map(Option::as_deref).collect();
        assert_eq!(alternatives, [Some(&b"A"[..]), None, None, Some(b"GTT")]);
    }

    #[test]
    fn a_malformed_line_is_named_and_loses_no_other() {
        let lines = [
            "chr1\t0\t.\tA\tC\t.\t.\t.",
            "chr1\tx\t.\tA\tC\t.\t.\t.",
            "chr1\t5\t.\t<A>\tC\t.\t.\t.",
            "chr1 6",
            "chr1\t7\t.\tA\tC\t.\t.\t.",
        ];
        let records = read((HEAD.to_owned() + &lines.join("\n")).as_bytes()).expect("a header");
        let wrong: Vec<&String> =
            records.iter().filter_map(|record| record.as_ref().err()).collect();
        assert_eq!(records.len(), 5);
        assert_eq!(wrong.len(), 4);
        assert!(wrong[0].ends_with("a position that is no number from 1: x.vcf:3"), "{wrong:?}");
        assert!(wrong[2].ends_with("`<A>` as reference allele: x.vcf:5"), "{wrong:?}");
        assert_eq!(records[4].as_ref().expect("the last").offset, 6);
    }

    #[test]
    fn lines_and_headers_without_end_are_refused() {
        use std::io::Write;
        let packed = |head: &[u8], again: &[u8], n: usize| {
            let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            packed.write_all(head).expect("in memory");
            for _ in 0..n {
                packed.write_all(again).expect("in memory");
            }
            packed.finish().expect("in memory")
        };
        let mebi = vec![b'A'; 1 << 20];
        let records = read(&packed(HEAD.as_bytes(), &mebi, 65)).expect("a header");
        let said = records[0].as_ref().expect_err("too long");
        assert!(said.contains("line 3 is longer than 64 MiB") && records.len() == 1, "{said}");
        let line = [b"##", mebi.as_slice(), b"\n"].concat();
        read(&packed(b"", &line, 66)).expect_err("a header too long");
    }

    #[test]
    fn a_file_without_header_is_refused() {
        let error = read(b"chr1\t1\t.\tA\tC\t.\t.\t.\n").expect_err("no header");
        assert!(error.ends_with("no `#CHROM` line with the names of the columns: x.vcf:1"));
        read(b"").expect_err("an empty file");
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_to_an_end(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&[HEAD.as_bytes(), &bytes].concat());
            let _ = read(&bytes);
        }

        #[test]
        fn a_changed_line_is_read_or_refused(
            places in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
            cut in any::<prop::sample::Index>(),
        ) {
            let mut bytes = b"chr1\t18446744073709551614\t.\tAC\tA,<DEL>,GTT\t.\tPASS\tAC=1\n".repeat(3);
            for (place, byte) in places {
                let at = place.index(bytes.len());
                bytes[at] = byte;
            }
            for body in [&bytes[..], &bytes[..cut.index(bytes.len())]] {
                let records = read(&[HEAD.as_bytes(), body].concat()).expect("the header is whole");
                for record in records.into_iter().flatten() {
                    prop_assert!(!record.reference.is_empty() && !record.text.is_empty());
                }
            }
        }
    }
}
