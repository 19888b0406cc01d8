//! Tables that grow row by row, and go on where they were interrupted.
//!
//! Rows are appended to `NAME.partial`, whose first lines say what the table was asked for. When the
//! last row is there the file gets its name. A second call with the same settings keeps the rows that
//! are whole.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::error::Error;

/// A table being written.
#[derive(Debug)]
pub struct Table {
    path: PathBuf,
    partial: PathBuf,
    file: BufWriter<File>,
    n_kept: usize,
    /// Bytes of the lines before the rows.
    n_head: u64,
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
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let mut file = options.open(&partial).map_err(failed)?;
        let kept = kept(&file, head, n_rows).map_err(failed)?;
        let Some((n_bytes, n_kept)) = kept else {
            return Err(Error::OtherTable { path: partial });
        };
        let begin = |file: &mut File| {
            file.set_len(n_bytes)?;
            file.seek(SeekFrom::Start(n_bytes))?;
            if n_bytes == 0 { file.write_all(head.as_bytes()) } else { Ok(()) }
        };
        begin(&mut file).map_err(failed)?;
        let (path, file) = (path.to_owned(), BufWriter::new(file));
        Ok(Table { path, partial, file, n_kept, n_head: head.len() as u64 })
    }

    /// What it is called when it is finished.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What it is called until then.
    pub fn partial(&self) -> &Path {
        &self.partial
    }

    /// Rows that were there already.
    pub fn n_kept(&self) -> usize {
        self.n_kept
    }

    /// Shows each of those rows, without its line end.
    ///
    /// # Errors
    /// If they cannot be read.
    pub fn each_kept(&self, mut row: impl FnMut(&str)) -> Result<(), Error> {
        let mut read = || -> std::io::Result<()> {
            let mut file = File::open(&self.partial)?;
            file.seek(SeekFrom::Start(self.n_head))?;
            BufReader::new(file).lines().take(self.n_kept).try_for_each(|line| {
                row(&line?);
                Ok(())
            })
        };
        let read = read();
        read.map_err(|source| self.failed(source))
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

/// How much of an unfinished table is kept, in bytes and in rows: nothing if not even its head was
/// whole. `None` if it is another table. A row without its end was being written.
fn kept(file: &File, head: &str, n_rows: usize) -> std::io::Result<Option<(u64, usize)>> {
    let mut reader = BufReader::new(file);
    let mut before = Vec::new();
    reader.by_ref().take(head.len() as u64).read_to_end(&mut before)?;
    if !head.as_bytes().starts_with(&before) {
        return Ok(None);
    }
    if before.len() < head.len() {
        return Ok(Some((0, 0)));
    }
    let (mut n_bytes, mut n_kept) = (head.len() as u64, 0);
    let mut row = Vec::new();
    while n_kept < n_rows {
        row.clear();
        let n = reader.read_until(b'\n', &mut row)?;
        if !row.ends_with(b"\n") {
            break;
        }
        n_bytes += n as u64;
        n_kept += 1;
    }
    Ok(Some((n_bytes, n_kept)))
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
        let mut rows = Vec::new();
        table.each_kept(|row| rows.push(row.to_owned())).expect("they are read");
        assert_eq!(rows, ["1\t2"]);
        table.row("3\t4").expect("a row");
        table.finish().expect("finished");
        assert_eq!(std::fs::read_to_string(&path).expect("a file"), "# a 1\nx\ty\n1\t2\n3\t4\n");
        assert!(!partial.exists());
    }

    #[test]
    fn a_table_torn_in_its_head_begins_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("t.tsv");
        std::fs::write(folder.path().join("t.tsv.partial"), "# a 1\nx").expect("a file");
        let mut table = Table::open(&path, "# a 1\nx\ty\n").expect("it begins");
        assert_eq!(table.n_kept(), 0);
        table.row("1\t2").expect("a row");
        table.finish().expect("finished");
        assert_eq!(std::fs::read_to_string(&path).expect("a file"), "# a 1\nx\ty\n1\t2\n");
    }

    #[test]
    fn no_more_rows_are_kept_than_are_asked_for() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("t.tsv");
        std::fs::write(folder.path().join("t.tsv.partial"), "x\n1\n2\n3\n").expect("a file");
        let table = Table::open_at_most(&path, "x\n", 2).expect("it goes on");
        assert_eq!(table.n_kept(), 2);
        table.finish().expect("finished");
        assert_eq!(std::fs::read_to_string(&path).expect("a file"), "x\n1\n2\n");
    }
}
