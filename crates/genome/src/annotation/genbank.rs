//! Sequences and their features from GenBank flat files, plain or gzipped, one record at a time.
//!
//! A malformed feature is an error with its line, and its record comes without it; a malformed record
//! is an error with the line where it begins, and the next one follows.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};

use super::location;
use super::{Feature, FeatureKind};
use crate::error::Error;
use crate::lines::Lines;

/// Longer lines are malformed: the format has eighty.
const MOST_LINE_BYTES: usize = 1 << 16;

/// Longer locations are malformed: titin's has 13 thousand.
const MOST_LOCATION_BYTES: usize = 1 << 18;

/// Of a qualifier's value that is kept; genes have short names.
const MOST_VALUE_BYTES: usize = 1 << 10;

/// Where a feature's location and qualifiers begin.
const COLUMN: usize = 21;

/// One sequence and what is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its accession with version, or if there is none, the name of its locus.
    pub name: String,
    /// What it says it is.
    pub description: String,
    /// Whose it is.
    pub organism: Option<String>,
    /// Upper case: the format's lower case says nothing of repeats.
    pub sequence: Vec<u8>,
    /// In the order of the file.
    pub features: Vec<Feature>,
}

/// Whether a file's text begins as GenBank's does.
///
/// # Errors
/// If it cannot be read.
pub fn is_genbank(path: &Path) -> Result<bool, Error> {
    let mut lines = Lines::open(path, "open sequences")?;
    let mut text = Vec::new();
    loop {
        let read = lines.next_line(&mut text, MOST_LINE_BYTES);
        let failed = |source| Error::File { action: "read sequences", path: path.into(), source };
        if read.map_err(failed)?.is_none() {
            return Ok(false);
        }
        if !text.trim_ascii().is_empty() {
            let text = String::from_utf8_lossy(&text);
            // A file of a whole release begins with a page of text.
            return Ok(text.starts_with("LOCUS") || text.contains("Genetic Sequence Data Bank"));
        }
    }
}

/// Reads records.
pub struct Reader {
    path: PathBuf,
    lines: Lines,
    ready: VecDeque<Result<Record, Error>>,
    started: bool,
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
        let lines = Lines::open(path, "open sequences")?;
        let (path, ready) = (path.to_owned(), VecDeque::new());
        Ok(Reader { path, lines, ready, started: false, ended: false })
    }

    /// Reads a record, with what is wrong with it.
    fn fill(&mut self) -> std::io::Result<()> {
        let mut text = Vec::new();
        let mut draft: Option<Draft> = None;
        loop {
            let Some((line, whole)) = self.lines.next_line(&mut text, MOST_LINE_BYTES)? else {
                self.ended = true;
                if let Some(mut draft) = draft {
                    draft.fail("no `//` at its end");
                    self.close(draft);
                } else if !self.started {
                    let error = self.record(1, "no `LOCUS` line".to_owned());
                    self.ready.push_back(Err(error));
                }
                return Ok(());
            };
            let is_start = text.starts_with(b"LOCUS");
            match &mut draft {
                None if is_start => {
                    self.started = true;
                    draft = Some(Draft::new(line, &text));
                }
                // A page of text may stand before the first record, but nothing between two.
                None if !self.started || text.trim_ascii().is_empty() => {}
                None => {
                    let error = self.record(line, "no `LOCUS` line before it".to_owned());
                    self.ready.push_back(Err(error));
                    match self.pass_over(&mut text)? {
                        Some(line) => draft = Some(Draft::new(line, &text)),
                        None => return Ok(()),
                    }
                }
                Some(_) if text.starts_with(b"//") => {
                    if let Some(draft) = draft {
                        self.close(draft);
                    }
                    return Ok(());
                }
                Some(before) if is_start => {
                    before.fail("no `//` at its end");
                    if let Some(draft) = draft.replace(Draft::new(line, &text)) {
                        self.close(draft);
                    }
                }
                Some(draft) if !whole => draft.fail("a line without end"),
                Some(draft) => draft.line(line, &text),
            }
        }
    }

    /// Goes on to the next line that begins a record, and says its number.
    fn pass_over(&mut self, text: &mut Vec<u8>) -> std::io::Result<Option<usize>> {
        while let Some((line, _)) = self.lines.next_line(text, MOST_LINE_BYTES)? {
            if text.starts_with(b"LOCUS") {
                return Ok(Some(line));
            }
        }
        self.ended = true;
        Ok(None)
    }

    fn record(&self, line: usize, reason: String) -> Error {
        Error::Record { path: self.path.clone(), line, reason }
    }

    fn close(&mut self, draft: Draft) {
        let (wrong, record) = draft.finish();
        for (line, reason) in wrong {
            let error = self.record(line, reason);
            self.ready.push_back(Err(error));
        }
        self.ready.extend(record.map(Ok));
    }
}

/// Records until the end. After [`Error::Record`] others follow; any other error is the last.
impl Iterator for Reader {
    type Item = Result<Record, Error>;

    fn next(&mut self) -> Option<Result<Record, Error>> {
        while self.ready.is_empty() && !self.ended {
            if let Err(source) = self.fill() {
                self.ended = true;
                let path = self.path.clone();
                return Some(Err(Error::File { action: "read sequences", path, source }));
            }
        }
        self.ready.pop_front()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Section {
    Header,
    Features,
    Origin,
}

/// A record whose lines are still being read.
struct Draft {
    line: usize,
    section: Section,
    locus: String,
    n_bases: Option<usize>,
    accession: Option<String>,
    version: Option<String>,
    description: String,
    organism: Option<String>,
    sequence: Vec<u8>,
    feature: Option<Rows>,
    features: Vec<Rows>,
    /// Why the record is useless.
    failure: Option<String>,
}

/// A feature's lines.
struct Rows {
    line: usize,
    kind: Vec<u8>,
    location: Vec<u8>,
    /// Those that are asked for, the first of each.
    qualifiers: Vec<(Vec<u8>, Vec<u8>)>,
    /// The one that is being read.
    current: Option<(Vec<u8>, Vec<u8>)>,
    /// Inside a quoted value, where `/` begins nothing.
    quoted: bool,
}

impl Draft {
    fn new(line: usize, text: &[u8]) -> Draft {
        let text = String::from_utf8_lossy(text);
        let mut words = text.split_ascii_whitespace().skip(1);
        let locus = words.next().unwrap_or_default().to_owned();
        let n_bases = match (words.next(), words.next()) {
            (Some(number), Some("bp")) => number.parse().ok(),
            _ => None,
        };
        Draft {
            line,
            section: Section::Header,
            locus,
            n_bases,
            accession: None,
            version: None,
            description: String::new(),
            organism: None,
            sequence: Vec::new(),
            feature: None,
            features: Vec::new(),
            failure: None,
        }
    }

    /// The first reason counts.
    fn fail(&mut self, reason: impl Into<String>) {
        self.failure.get_or_insert(reason.into());
    }

    fn line(&mut self, line: usize, text: &[u8]) {
        if text.first().is_some_and(|first| !first.is_ascii_whitespace()) {
            self.keyword(text);
        } else if self.section == Section::Features {
            self.feature_line(line, text);
        } else if self.section == Section::Origin {
            self.bases(line, text);
        } else if let Some(organism) = text.strip_prefix(b"  ORGANISM") {
            self.organism.get_or_insert(value(organism));
        }
    }

    fn keyword(&mut self, text: &[u8]) {
        let end = text.iter().position(u8::is_ascii_whitespace).unwrap_or(text.len());
        let (keyword, rest) = text.split_at(end);
        let first_word = || {
            let word = value(rest).split_ascii_whitespace().next().unwrap_or(".").to_owned();
            (word != ".").then_some(word)
        };
        self.section = Section::Header;
        match keyword {
            b"DEFINITION" => self.description = value(rest),
            b"ACCESSION" => self.accession = first_word(),
            b"VERSION" => self.version = first_word(),
            b"FEATURES" => self.section = Section::Features,
            b"ORIGIN" => self.section = Section::Origin,
            _ => {}
        }
    }

    fn feature_line(&mut self, line: usize, text: &[u8]) {
        let indent = text.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        if indent < COLUMN && indent < text.len() {
            let key = &text[indent..];
            let end = key.iter().position(u8::is_ascii_whitespace).unwrap_or(key.len());
            let mut rows = Rows {
                line,
                kind: key[..end].to_vec(),
                location: Vec::new(),
                qualifiers: Vec::new(),
                current: None,
                quoted: false,
            };
            rows.add(&key[end..]);
            let before = self.feature.replace(rows);
            self.keep(before);
        } else if let Some(rows) = &mut self.feature {
            rows.add(&text[indent..]);
        }
    }

    fn keep(&mut self, rows: Option<Rows>) {
        self.features.extend(rows.filter(|rows| FeatureKind::named(&rows.kind).is_some()));
    }

    fn bases(&mut self, line: usize, text: &[u8]) {
        for byte in text {
            match byte {
                b' ' | b'\t' | b'0'..=b'9' => {}
                base if crate::fasta::is_base(*base) => {
                    self.sequence.push(base.to_ascii_uppercase());
                }
                other => {
                    let shown = char::from(*other).escape_default();
                    return self.fail(format!("`{shown}` in the sequence at line {line}"));
                }
            }
        }
    }

    /// What is wrong, and the record if it is any.
    fn finish(mut self) -> (Vec<(usize, String)>, Option<Record>) {
        let last = self.feature.take();
        self.keep(last);
        let names = [self.version.take(), self.accession.take()];
        let name = names.into_iter().flatten().next().unwrap_or_else(|| self.locus.clone());
        match self.n_bases {
            _ if name.is_empty() => self.fail("no name"),
            _ if self.sequence.is_empty() => self.fail(format!("no sequence for `{name}`")),
            Some(n) if n != self.sequence.len() => self.fail(format!(
                "`{name}` says it has {n} bases, and {} follow",
                self.sequence.len()
            )),
            _ => {}
        }
        if let Some(reason) = self.failure {
            return (vec![(self.line, reason)], None);
        }
        let (mut features, mut wrong) = (Vec::new(), Vec::new());
        for rows in self.features {
            let line = rows.line;
            match rows.finish(&name, self.sequence.len()) {
                Ok(feature) => features.extend(feature),
                Err(reason) => wrong.push((line, reason)),
            }
        }
        let Draft { description, organism, sequence, .. } = self;
        (wrong, Some(Record { name, description, organism, sequence, features }))
    }
}

impl Rows {
    /// A line's text from the column of locations on.
    fn add(&mut self, text: &[u8]) {
        let text = text.trim_ascii();
        if !self.quoted && text.starts_with(b"/") {
            self.close_qualifier();
            let equals = text.iter().position(|byte| *byte == b'=').unwrap_or(text.len());
            let value = text.get(equals + 1..).unwrap_or_default();
            self.quoted = has_odd_quotes(value);
            self.current = Some((text[1..equals].to_vec(), capped(value).to_vec()));
        } else if let Some((_, value)) = &mut self.current {
            self.quoted ^= has_odd_quotes(text);
            let room = MOST_VALUE_BYTES.saturating_sub(value.len());
            value.extend_from_slice(&text[..text.len().min(room)]);
        } else if self.location.len() <= MOST_LOCATION_BYTES {
            self.location.extend(text.iter().filter(|byte| !byte.is_ascii_whitespace()));
        }
    }

    fn close_qualifier(&mut self) {
        let Some((name, value)) = self.current.take() else { return };
        let is_new = self.qualifiers.iter().all(|(known, _)| *known != name);
        if is_new && KEPT.contains(&name.as_slice()) {
            self.qualifiers.push((name, value));
        }
    }

    fn finish(mut self, sequence: &str, n_bases: usize) -> Result<Option<Feature>, String> {
        let Some(kind) = FeatureKind::named(&self.kind) else { return Ok(None) };
        self.close_qualifier();
        if self.location.len() > MOST_LOCATION_BYTES {
            return Err("a location without end".to_owned());
        }
        let text = String::from_utf8_lossy(&self.location);
        let Some(location) = location::parse(&text)? else { return Ok(None) };
        let last = location.parts.iter().map(|part| part.end).max().unwrap_or(0);
        if last > n_bases {
            return Err(format!("`{text}` ends after the {n_bases} bases of `{sequence}`"));
        }
        let get = |name: &[u8]| {
            let found = self.qualifiers.iter().find(|(known, _)| known == name);
            found.map(|(_, value)| unquoted(value))
        };
        let phase = match get(b"codon_start").as_deref() {
            None | Some("1") => 0,
            Some("2") => 1,
            Some("3") => 2,
            Some(other) => return Err(format!("`{other}` as codon_start: not 1, 2 or 3")),
        };
        Ok(Some(Feature {
            sequence: sequence.to_owned(),
            kind,
            strand: location.strand,
            parts: location.parts,
            gene: get(b"gene").or_else(|| get(b"locus_tag")),
            phase,
            partial: location.partial,
            pseudo: get(b"pseudo").or_else(|| get(b"pseudogene")).is_some(),
            code: get(b"transl_table").and_then(|code| code.parse().ok()),
        }))
    }
}

/// Qualifiers that are asked for.
const KEPT: [&[u8]; 6] =
    [b"gene", b"locus_tag", b"codon_start", b"pseudo", b"pseudogene", b"transl_table"];

fn has_odd_quotes(text: &[u8]) -> bool {
    text.iter().filter(|byte| **byte == b'"').count() % 2 == 1
}

fn capped(value: &[u8]) -> &[u8] {
    &value[..value.len().min(MOST_VALUE_BYTES)]
}

/// A header's value.
fn value(text: &[u8]) -> String {
    String::from_utf8_lossy(capped(text)).trim().to_owned()
}

/// A qualifier's value, where a quote is written twice.
fn unquoted(text: &[u8]) -> String {
    value(text).trim_matches('"').replace("\"\"", "\"")
}

#[cfg(test)]
mod tests;
