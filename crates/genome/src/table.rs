//! Tables that grow row by row, and go on where they were interrupted.
//!
//! Rows are appended to `NAME.partial`, whose first lines say what the table was asked for. When the
//! last row is there the file gets its name. A second call with the same settings keeps the rows that
//! are whole.

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::error::Error;

/// A table being written.
#[derive(Debug)]
pub struct Table {
    path: PathBuf,
    partial: PathBuf,
    file: BufWriter<File>,
    n_kept: usize,
    rows: String,
}

impl Table {
    /// Begins a table, or goes on with one. `head` is the lines before its rows, which also say what
    /// the rows depend on.
    ///
    /// # Errors
    /// If the file cannot be written, or an unfinished one has other settings.
    pub fn open(path: &Path, head: &str) -> Result<Table, Error> {
        Table::open_at_most(path, head, usize::MAX)
    }

    /// [`Table::open`], keeping only so many rows: what was written beside another table may have run
    /// ahead of it.
    ///
    /// # Errors
    /// As [`Table::open`].
    pub fn open_at_most(path: &Path, head: &str, n_rows: usize) -> Result<Table, Error> {
        let mut name = path.file_name().unwrap_or_default().to_os_string();
        name.push(".partial");
        let partial = path.with_file_name(name);
        let failed = |source| Error::File { action: "write table", path: partial.clone(), source };
        let (mut kept, mut n_kept) = (head.to_owned(), 0);
        if let Ok(before) = std::fs::read_to_string(&partial) {
            if !before.starts_with(head) {
                return Err(Error::OtherTable { path: partial });
            }
            let rows = &before[head.len()..];
            // A row without its end was being written.
            let whole = rows.rfind('\n').map_or("", |end| &rows[..=end]);
            for row in whole.split_inclusive('\n').take(n_rows) {
                kept.push_str(row);
                n_kept += 1;
            }
        }
        std::fs::write(&partial, &kept).map_err(failed)?;
        let file = OpenOptions::new().append(true).open(&partial).map_err(failed)?;
        let rows = kept.split_off(head.len());
        Ok(Table { path: path.to_owned(), partial, file: BufWriter::new(file), n_kept, rows })
    }

    /// Rows that were there already.
    pub fn n_kept(&self) -> usize {
        self.n_kept
    }

    /// Those rows.
    pub fn kept(&self) -> impl Iterator<Item = &str> {
        self.rows.lines()
    }

    fn failed(&self, source: std::io::Error) -> Error {
        Error::File { action: "write table", path: self.partial.clone(), source }
    }

    /// Adds a row, without its line end.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn row(&mut self, row: &str) -> Result<(), Error> {
        let written = writeln!(self.file, "{row}");
        written.map_err(|source| self.failed(source))
    }

    /// Makes rows durable against the end of this process.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn flush(&mut self) -> Result<(), Error> {
        let flushed = self.file.flush();
        flushed.map_err(|source| self.failed(source))
    }

    /// The last row is there: the table gets its name.
    ///
    /// # Errors
    /// If the file cannot be written or renamed.
    pub fn finish(mut self) -> Result<PathBuf, Error> {
        self.flush()?;
        std::fs::rename(&self.partial, &self.path).map_err(|source| self.failed(source))?;
        Ok(self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interrupted_table_goes_on_after_its_last_whole_row() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("t.tsv");
        let mut table = Table::open(&path, "# a 1\nx\ty\n").expect("it opens");
        table.row("1\t2").expect("a row");
        table.flush().expect("written");
        drop(table);
        let partial = folder.path().join("t.tsv.partial");
        let torn = std::fs::read_to_string(&partial).expect("a file") + "3\t";
        std::fs::write(&partial, torn).expect("a file");
        assert!(Table::open(&path, "# a 2\nx\ty\n").is_err(), "other settings");
        let mut table = Table::open(&path, "# a 1\nx\ty\n").expect("it goes on");
        assert_eq!(table.n_kept(), 1);
        table.row("3\t4").expect("a row");
        table.finish().expect("finished");
        assert_eq!(std::fs::read_to_string(&path).expect("a file"), "# a 1\nx\ty\n1\t2\n3\t4\n");
        assert!(!partial.exists());
    }
}
