//! Parquet files that are filled one after another, in numbered folders.

use std::path::PathBuf;

use crate::error::Result;
use crate::lerobot::sheet::{Cells, Columns, Sheet};

/// Keys and values of a file's own metadata.
type Marks = Vec<(String, String)>;

/// Files of one kind, one after another.
pub(super) struct Files {
    folder: PathBuf,
    pub(super) columns: Columns,
    marks: Marks,
    most_bytes: usize,
    chunk_files: usize,
    n_files: usize,
    sheet: Option<Sheet>,
    n_rows: usize,
}

impl Files {
    /// None yet.
    pub(super) fn new(
        folder: PathBuf,
        columns: Columns,
        marks: Marks,
        file_mib: usize,
        chunk_files: usize,
    ) -> Files {
        Files {
            folder,
            columns,
            marks,
            most_bytes: file_mib << 20,
            chunk_files: chunk_files.max(1),
            n_files: 0,
            sheet: None,
            n_rows: 0,
        }
    }

    /// Chunk and file of the next `n_rows`; a new file where they would not fit, as far as those before
    /// tell.
    pub(super) fn room(&mut self, n_rows: usize) -> Result<[usize; 2]> {
        if let Some(sheet) = &self.sheet {
            let n_bytes = sheet.n_bytes();
            let more = n_bytes / self.n_rows.max(1) * n_rows;
            if n_bytes + more >= self.most_bytes && self.n_rows > 0 {
                self.close()?;
            }
        }
        if self.sheet.is_none() {
            self.n_files += 1;
        }
        let place = [(self.n_files - 1) / self.chunk_files, (self.n_files - 1) % self.chunk_files];
        if self.sheet.is_none() {
            let name = format!("chunk-{:03}/file-{:03}.parquet", place[0], place[1]);
            let path = self.folder.join(name);
            let sheet = Sheet::create(&path, self.columns.clone(), self.marks.clone())?;
            (self.sheet, self.n_rows) = (Some(sheet), 0);
        }
        Ok(place)
    }

    pub(super) fn group(&mut self, n_rows: usize, cells: &[Cells]) -> Result<()> {
        self.n_rows += n_rows;
        self.sheet.as_mut().map_or(Ok(()), |sheet| sheet.group(n_rows, cells))
    }

    pub(super) fn close(&mut self) -> Result<()> {
        self.sheet.take().map_or(Ok(()), Sheet::close)
    }
}
