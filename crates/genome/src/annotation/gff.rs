//! Features from GFF3, plain or gzipped.
//!
//! The rows of one coding sequence (one `ID`, or without it one `Parent`) become one feature. Because
//! they may lie anywhere before the next `###`, features come at such a line or the end; a malformed
//! line is an error at its place, and those after it are read.

use std::collections::{HashMap, VecDeque};
use std::path::{Path, PathBuf};

use noodles_gff::feature::record::{Phase, Strand as GffStrand};

use super::{Feature, FeatureKind, Strand};
use crate::error::Error;
use crate::lines::Lines;

/// Longer lines are malformed: the longest in use have a few thousand.
const MOST_LINE_BYTES: usize = 1 << 20;

/// What joins the rows of one feature: sequence, name, strand.
type Key = (String, String, Strand);

/// Reads features.
pub struct Reader {
    path: PathBuf,
    lines: Lines,
    /// Features whose rows may not all be read.
    open: Vec<Feature>,
    by_key: HashMap<Key, usize>,
    ready: VecDeque<Feature>,
    ended: bool,
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader").field("path", &self.path).finish_non_exhaustive()
    }
}

/// One line's feature, and what joins it with others.
struct Row {
    feature: Feature,
    key: Option<String>,
}

impl Reader {
    /// Opens a file; gzip is told by its first bytes. `-` is stdin.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn open(path: &Path) -> Result<Reader, Error> {
        Ok(Reader {
            path: path.to_owned(),
            lines: Lines::open(path, "open annotation")?,
            open: Vec::new(),
            by_key: HashMap::new(),
            ready: VecDeque::new(),
            ended: false,
        })
    }

    /// Reads until features are ready or the end.
    fn fill(&mut self) -> Result<(), Error> {
        let mut text = Vec::new();
        while self.ready.is_empty() && !self.ended {
            let read = self.lines.next_line(&mut text, MOST_LINE_BYTES);
            let read = read.map_err(|source| {
                self.ended = true;
                Error::File { action: "read annotation", path: self.path.clone(), source }
            })?;
            let Some((line, whole)) = read else {
                self.ended = true;
                self.close();
                return Ok(());
            };
            match text.trim_ascii() {
                b"" => {}
                // Sequences may follow; they are not asked for.
                b"##FASTA" => {
                    self.ended = true;
                    self.close();
                }
                b"###" => self.close(),
                comment if comment.starts_with(b"#") => {}
                _ if !whole => return Err(self.record(line, "a line without end".to_owned())),
                _ => {
                    let row = row(&text).map_err(|reason| self.record(line, reason))?;
                    if let Some(row) = row {
                        self.add(row);
                    }
                }
            }
        }
        Ok(())
    }

    fn record(&self, line: usize, reason: String) -> Error {
        Error::Record { path: self.path.clone(), line, reason }
    }

    fn add(&mut self, row: Row) {
        let Row { feature, key } = row;
        let Some(key) = key.filter(|_| feature.kind == FeatureKind::Cds) else {
            self.open.push(feature);
            return;
        };
        let key = (feature.sequence.clone(), key, feature.strand);
        if let Some(idx) = self.by_key.get(&key) {
            let into = &mut self.open[*idx];
            let part = feature.parts[0].clone();
            // The phase is that of the part which is read first.
            let first = match feature.strand {
                Strand::Forward => into.parts.iter().all(|other| part.start < other.start),
                Strand::Reverse => into.parts.iter().all(|other| part.start > other.start),
            };
            if first {
                into.phase = feature.phase;
            }
            let at = into.parts.partition_point(|other| other.start <= part.start);
            into.parts.insert(at, part);
            into.partial |= feature.partial;
            into.pseudo |= feature.pseudo;
        } else {
            self.by_key.insert(key, self.open.len());
            self.open.push(feature);
        }
    }

    /// What is open has all its rows.
    fn close(&mut self) {
        self.by_key.clear();
        self.ready.extend(self.open.drain(..));
    }
}

/// Features until the end. After [`Error::Record`] others follow; any other error is the last.
impl Iterator for Reader {
    type Item = Result<Feature, Error>;

    fn next(&mut self) -> Option<Result<Feature, Error>> {
        if let Err(error) = self.fill() {
            return Some(Err(error));
        }
        self.ready.pop_front().map(Ok)
    }
}

/// The feature of a line; `None` for a kind that is not kept.
fn row(text: &[u8]) -> Result<Option<Row>, String> {
    let mut line = noodles_gff::Line::default();
    let read = noodles_gff::io::Reader::new(text).read_line(&mut line);
    let record = read.ok().and_then(|_| line.as_record()).and_then(Result::ok);
    let record = record.ok_or("not nine columns")?;
    let number = |what: &str, position: std::io::Result<_>| {
        position.map(usize::from).map_err(|_| format!("{what} that is no number from 1"))
    };
    let (first, last) = (number("a start", record.start())?, number("an end", record.end())?);
    if last < first {
        return Err(format!("an end, {last}, before the start, {first}"));
    }
    let strand = match record.strand() {
        Ok(GffStrand::Reverse) => Strand::Reverse,
        Ok(_) => Strand::Forward,
        Err(_) => return Err("a strand that is not `+`, `-`, `?` or `.`".to_owned()),
    };
    let phase = match record.phase().transpose() {
        Ok(Some(Phase::One)) => 1,
        Ok(Some(Phase::Two)) => 2,
        Ok(_) => 0,
        Err(_) => return Err("a phase that is not 0, 1, 2 or `.`".to_owned()),
    };
    let Some(kind) = FeatureKind::named(record.ty()) else { return Ok(None) };
    let mut feature = Feature {
        sequence: String::from_utf8_lossy(record.reference_sequence_name()).into_owned(),
        kind,
        strand,
        parts: std::iter::once(first - 1..last).collect(),
        gene: None,
        phase,
        partial: false,
        pseudo: record.ty() == "pseudogene",
        code: None,
    };
    let (mut id, mut parent, mut locus_tag, mut name) = (None, None, None, None);
    for attribute in record.attributes().iter() {
        let (tag, value) = attribute.map_err(|_| "attributes that are not `tag=value`")?;
        let value = || String::from_utf8_lossy(value.as_ref()).into_owned();
        match tag.trim_ascii() {
            b"ID" => id = Some(value()),
            b"Parent" => parent = Some(value()),
            b"gene" => feature.gene = Some(value()),
            b"locus_tag" => locus_tag = Some(value()),
            b"Name" => name = Some(value()),
            // Prodigal: one digit an end.
            b"partial" => feature.partial |= !matches!(value().as_str(), "00" | "false"),
            b"start_range" | b"end_range" => feature.partial = true,
            b"pseudo" | b"pseudogene" => feature.pseudo |= value() != "false",
            b"transl_table" => feature.code = value().parse().ok(),
            _ => {}
        }
    }
    feature.gene = feature.gene.or(locus_tag).or(name).or_else(|| id.clone());
    Ok(Some(Row { feature, key: id.or(parent) }))
}

#[cfg(test)]
#[allow(clippy::single_range_in_vec_init, reason = "a feature of one part is one range")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(bytes: &[u8]) -> Vec<Result<Feature, String>> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("x.gff");
        std::fs::write(&path, bytes).expect("a file");
        let shown = path.display().to_string();
        let short = |error: Error| error.to_string().replace(&shown, "x.gff");
        let reader = Reader::open(&path).expect("it opens");
        reader.map(|feature| feature.map_err(short)).collect()
    }

    #[test]
    fn rows_of_one_coding_sequence_become_one_feature() {
        let text = "##gff-version 3\n\
            c\tx\tgene\t5\t40\t.\t-\t.\tID=g;Name=abc\n\
            c\tx\tmRNA\t5\t40\t.\t-\t.\tID=m;Parent=g\n\
            c\tx\tCDS\t5\t10\t.\t-\t1\tID=p;Parent=m;gene=abc\n\
            c\tx\tCDS\t21\t40\t.\t-\t0\tID=p;Parent=m;gene=abc\n\
            d\tx\tCDS\t21\t40\t.\t+\t2\tID=p;partial=10\n\
            d\tx\ttRNA\t1\t9\t.\t+\t.\t.\n\
            ##FASTA\n>c\nACGT\n";
        let got: Vec<Feature> = read(text.as_bytes())
            .into_iter()
            .map(|feature| feature.expect("well formed"))
            .collect();
        let kinds: Vec<FeatureKind> = got.iter().map(|feature| feature.kind).collect();
        use FeatureKind::{Cds, Gene, TRna};
        assert_eq!(kinds, [Gene, Cds, Cds, TRna]);
        assert_eq!(got[1].parts, [4..10, 20..40]);
        // Read from the other strand, the last part comes first.
        assert_eq!((got[1].strand, got[1].phase), (Strand::Reverse, 0));
        assert_eq!(got[1].gene.as_deref(), Some("abc"));
        assert_eq!((got[2].phase, got[2].partial), (2, true));
        assert_eq!(got[3].parts, [0..9]);
    }

    #[test]
    fn a_malformed_line_is_named_and_loses_no_other() {
        let lines = [
            "c\tx\tCDS\t0\t9\t.\t+\t0\tID=a",
            "c\tx\tCDS\t9\t8\t.\t+\t0\tID=a",
            "c\tx\tCDS\t1\t9\t.\t*\t0\tID=a",
            "c\tx\tCDS\t1\t9\t.\t+\t3\tID=a",
            "c\tx\tCDS\t1\t9\t.\t+\t0\tgene_id \"a\";",
            "c x",
            "c\tx\tCDS\t1\t9\t.\t+\t0\tID=a",
        ];
        let got = read(lines.join("\n").as_bytes());
        let wrong: Vec<&String> = got.iter().filter_map(|feature| feature.as_ref().err()).collect();
        let reasons = [
            "a start that is no number from 1: x.gff:1",
            "an end, 8, before the start, 9: x.gff:2",
            "a strand that is not `+`, `-`, `?` or `.`: x.gff:3",
            "a phase that is not 0, 1, 2 or `.`: x.gff:4",
            "attributes that are not `tag=value`: x.gff:5",
            "not nine columns: x.gff:6",
        ];
        assert_eq!(wrong.len(), reasons.len(), "{wrong:?}");
        for (wrong, reason) in wrong.iter().zip(reasons) {
            assert!(wrong.ends_with(reason), "{wrong}");
        }
        assert_eq!(got.last().and_then(|last| last.as_ref().ok()).expect("kept").parts, [0..9]);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_to_an_end(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            read(&bytes);
        }

        #[test]
        fn any_columns_are_read_to_an_end(lines in prop::collection::vec(
            "c\tx\t(CDS|gene)\t[0-9]{1,21}\t[0-9]{1,3}\t.\t[-+.?x]\t[.0-3]\t(ID=[ab];?|=|;|Parent=%4,){0,3}",
            0..6,
        )) {
            for feature in read(lines.join("\n").as_bytes()).into_iter().flatten() {
                prop_assert!(feature.parts.is_sorted_by_key(|part| part.start));
            }
        }
    }
}
