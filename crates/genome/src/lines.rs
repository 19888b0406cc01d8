//! Text files line by line, plain or gzipped, with their line numbers.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;

use crate::error::Error;

/// Bytes read ahead.
const BUFFER_BYTES: usize = 1 << 16;

/// Counts the lines that are consumed.
pub(crate) struct Lines {
    inner: Box<dyn BufRead>,
    gzipped: bool,
    n_ended: usize,
}

impl Lines {
    /// Opens a file; gzip is told by its first bytes. `-` is stdin.
    pub(crate) fn open(path: &Path, action: &'static str) -> Result<Lines, Error> {
        let failed = |source| Error::File { action, path: path.to_owned(), source };
        let file: Box<dyn Read> = if path == Path::new("-") {
            Box::new(std::io::stdin())
        } else {
            let file = File::open(path).map_err(failed)?;
            if file.metadata().map_err(failed)?.is_dir() {
                return Err(failed(std::io::Error::other("a folder")));
            }
            Box::new(file)
        };
        let mut plain = BufReader::with_capacity(BUFFER_BYTES, file);
        let gzipped = plain.fill_buf().map_err(failed)?.starts_with(&[0x1f, 0x8b]);
        let inner: Box<dyn BufRead> = if gzipped {
            Box::new(BufReader::with_capacity(BUFFER_BYTES, MultiGzDecoder::new(plain)))
        } else {
            Box::new(plain)
        };
        Ok(Lines { inner, gzipped, n_ended: 0 })
    }

    /// Whether the file is packed.
    pub(crate) fn is_gzipped(&self) -> bool {
        self.gzipped
    }

    /// Lines consumed to their end.
    pub(crate) fn n_ended(&self) -> usize {
        self.n_ended
    }

    /// Reads the next line into `line`, without its end, and says its number and whether it is whole:
    /// of one longer than `most` bytes only so many are kept. `None` at the end.
    pub(crate) fn next_line(
        &mut self,
        line: &mut Vec<u8>,
        most: usize,
    ) -> std::io::Result<Option<(usize, bool)>> {
        line.clear();
        let number = self.n_ended + 1;
        let (mut whole, mut n_read) = (true, 0);
        loop {
            let available = self.fill_buf()?;
            if available.is_empty() {
                break;
            }
            let end = available.iter().position(|byte| *byte == b'\n');
            let text = &available[..end.unwrap_or(available.len())];
            let kept = text.len().min(most - line.len());
            whole &= kept == text.len();
            line.extend_from_slice(&text[..kept]);
            let n = end.map_or(text.len(), |end| end + 1);
            n_read += n;
            self.consume(n);
            if end.is_some() {
                break;
            }
        }
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        Ok((n_read > 0).then_some((number, whole)))
    }
}

impl Read for Lines {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let mut available = self.fill_buf()?;
        let n = available.read(into)?;
        self.consume(n);
        Ok(n)
    }
}

impl BufRead for Lines {
    fn fill_buf(&mut self) -> std::io::Result<&[u8]> {
        self.inner.fill_buf()
    }

    fn consume(&mut self, n: usize) {
        // What is consumed was filled before.
        let buffer = self.inner.fill_buf().unwrap_or_default();
        self.n_ended += buffer[..n.min(buffer.len())].iter().filter(|byte| **byte == b'\n').count();
        self.inner.consume(n);
    }
}
