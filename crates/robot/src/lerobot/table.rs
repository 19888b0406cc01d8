//! Parquet files, read column by column and some rows at a time.

use std::fs::File;
use std::path::{Path, PathBuf};

use parquet::basic::Type as Physical;
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{ByteArray, DataType};
use parquet::errors::{ParquetError, Result as Read};
use parquet::file::metadata::RowGroupMetaData;
use parquet::file::reader::{FileReader, SerializedFileReader};

use super::{whole, wrong};
use crate::error::{Error, Result};

/// Rows that are in memory at once.
const BATCH: usize = 64;

/// A file.
pub(super) struct Table {
    path: PathBuf,
    reader: SerializedFileReader<File>,
}

/// Values of some rows of one column. Lists are flat: row `i` has the values up to `ends[i]`.
pub(super) struct Rows {
    values: Values,
    ends: Vec<usize>,
}

enum Values {
    Numbers(Vec<f64>),
    Bytes(Vec<ByteArray>),
}

/// Hears of some rows: the number of the first, how many, and their values by column.
pub(super) type Show<'s> = dyn FnMut(usize, usize, &[Rows]) -> Result<()> + 's;

impl Rows {
    fn range(&self, row: usize) -> std::ops::Range<usize> {
        let from = row.checked_sub(1).map_or(0, |before| self.ends[before]);
        from..self.ends[row]
    }

    /// Numbers of a row; none where it holds text or nothing.
    pub(super) fn numbers(&self, row: usize) -> &[f64] {
        match &self.values {
            Values::Numbers(all) => &all[self.range(row)],
            Values::Bytes(_) => &[],
        }
    }

    /// Texts or pictures of a row; none where it holds numbers or nothing.
    pub(super) fn bytes(&self, row: usize) -> &[ByteArray] {
        match &self.values {
            Values::Bytes(all) => &all[self.range(row)],
            Values::Numbers(_) => &[],
        }
    }

    /// A text.
    pub(super) fn text(&self, row: usize) -> Option<String> {
        let [bytes] = self.bytes(row) else { return None };
        std::str::from_utf8(bytes.data()).ok().map(str::to_owned)
    }

    /// A whole number.
    pub(super) fn whole(&self, row: usize) -> Option<usize> {
        let [number] = *self.numbers(row) else { return None };
        whole(number)
    }
}

impl Table {
    /// Opens a file and reads its schema.
    pub(super) fn open(path: &Path) -> Result<Table> {
        let file = File::open(path).map_err(|error| Error::file(path, error))?;
        let n_bytes = file.metadata().map_err(|error| Error::file(path, error))?.len();
        let broken = |error: ParquetError| {
            wrong(path, format!("it is no whole Parquet file ({error}): fetch or write it again"))
        };
        let reader = guarded(|| SerializedFileReader::new(file)).map_err(broken)?;
        let groups = reader.metadata().row_groups().iter();
        for column in groups.flat_map(RowGroupMetaData::columns) {
            let from = column.dictionary_page_offset().unwrap_or(column.data_page_offset());
            let from = u64::try_from(from).ok();
            let length = u64::try_from(column.compressed_size()).ok();
            let end = from.zip(length).and_then(|(from, length)| from.checked_add(length));
            if end.is_none_or(|end| end > n_bytes) {
                let name = column.column_path().parts().join(".");
                let what =
                    format!("column `{name}` lies outside the file: fetch or write it again");
                return Err(wrong(path, what));
            }
        }
        Ok(Table { path: path.to_path_buf(), reader })
    }

    /// Its file.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Rows of all groups.
    pub(super) fn n_rows(&self) -> usize {
        usize::try_from(self.reader.metadata().file_metadata().num_rows()).unwrap_or(0)
    }

    /// Columns of which `wanted` likes the way of names to them.
    pub(super) fn find(&self, wanted: impl Fn(&[String]) -> bool) -> Option<usize> {
        let schema = self.reader.metadata().file_metadata().schema_descr();
        schema.columns().iter().position(|column| wanted(column.path().parts()))
    }

    /// A column of numbers by its name.
    pub(super) fn numbers(&self, name: &str) -> Result<usize> {
        let found = self.find(|parts| parts[0] == name);
        let at = found.ok_or_else(|| wrong(&self.path, format!("it has no column `{name}`")))?;
        let kind = self.physical(at);
        let is_number = matches!(
            kind,
            Physical::BOOLEAN
                | Physical::INT32
                | Physical::INT64
                | Physical::FLOAT
                | Physical::DOUBLE
        );
        if !is_number {
            return Err(wrong(&self.path, format!("column `{name}` holds {kind}, not numbers")));
        }
        Ok(at)
    }

    /// A column of texts, or the part `part` of one.
    pub(super) fn bytes(&self, name: &str, part: Option<&str>) -> Result<usize> {
        let last =
            |parts: &[String]| part.is_none_or(|part| parts.last().is_some_and(|l| l == part));
        let found = self.find(|parts| parts[0] == name && last(parts));
        let at = found.ok_or_else(|| wrong(&self.path, format!("it has no column `{name}`")))?;
        let kind = self.physical(at);
        if kind != Physical::BYTE_ARRAY {
            return Err(wrong(&self.path, format!("column `{name}` holds {kind}, not bytes")));
        }
        Ok(at)
    }

    fn physical(&self, at: usize) -> Physical {
        self.reader.metadata().file_metadata().schema_descr().column(at).physical_type()
    }

    /// Shows some rows after the other: the number of the first, how many there are, and their values
    /// by column.
    pub(super) fn each(&self, columns: &[usize], show: &mut Show<'_>) -> Result<()> {
        let schema = self.reader.metadata().file_metadata().schema_descr();
        let mut first = 0;
        for group in 0..self.reader.num_row_groups() {
            let broken = |error: ParquetError| {
                let what = format!("it is broken in row group {group}: {error}");
                wrong(&self.path, what)
            };
            let group = self.reader.get_row_group(group).map_err(broken)?;
            let mut left = usize::try_from(group.metadata().num_rows()).unwrap_or(0);
            let mut readers = Vec::with_capacity(columns.len());
            for &at in columns {
                readers.push(guarded(|| group.get_column_reader(at)).map_err(broken)?);
            }
            while left > 0 {
                let n = left.min(BATCH);
                let mut all = Vec::with_capacity(columns.len());
                for (reader, &at) in readers.iter_mut().zip(columns) {
                    let column = schema.column(at);
                    let levels = [column.max_def_level(), column.max_rep_level()];
                    let rows = guarded(|| read(reader, levels, n)).map_err(broken)?;
                    if rows.ends.len() != n {
                        let (name, got) = (&column.path().parts()[0], rows.ends.len());
                        let what =
                            format!("column `{name}` has {got} rows from row {first}, not {n}");
                        return Err(wrong(&self.path, what));
                    }
                    all.push(rows);
                }
                show(first, n, &all)?;
                first += n;
                left -= n;
            }
        }
        Ok(())
    }
}

/// Broken bytes can make the library panic; here they are errors like others.
fn guarded<T>(work: impl FnOnce() -> Read<T>) -> Read<T> {
    // What a panic leaves half done is never used again: the file is given up.
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).unwrap_or_else(|_| {
        Err(ParquetError::General("its bytes contradict each other".to_owned()))
    })
}

fn read(reader: &mut ColumnReader, levels: [i16; 2], n: usize) -> Read<Rows> {
    match reader {
        ColumnReader::BoolColumnReader(one) => {
            numbers(one, levels, n, |value| f64::from(u8::from(*value)))
        }
        ColumnReader::Int32ColumnReader(one) => numbers(one, levels, n, |value| f64::from(*value)),
        ColumnReader::Int64ColumnReader(one) => numbers(one, levels, n, |value| *value as f64),
        ColumnReader::FloatColumnReader(one) => numbers(one, levels, n, |value| f64::from(*value)),
        ColumnReader::DoubleColumnReader(one) => numbers(one, levels, n, |value| *value),
        ColumnReader::ByteArrayColumnReader(one) => {
            let (values, ends) = typed(one, levels, n)?;
            Ok(Rows { values: Values::Bytes(values), ends })
        }
        _ => Err(ParquetError::NYI("96-bit numbers and bytes of fixed length".to_owned())),
    }
}

fn numbers<T: DataType>(
    reader: &mut ColumnReaderImpl<T>,
    levels: [i16; 2],
    n: usize,
    number: impl Fn(&T::T) -> f64,
) -> Read<Rows> {
    let (values, ends) = typed(reader, levels, n)?;
    Ok(Rows { values: Values::Numbers(values.iter().map(number).collect()), ends })
}

/// Values of some rows, and where each row's end.
fn typed<T: DataType>(
    reader: &mut ColumnReaderImpl<T>,
    [most_defined, most_repeated]: [i16; 2],
    n: usize,
) -> Read<(Vec<T::T>, Vec<usize>)> {
    let (mut defined, mut repeated, mut values) = (Vec::new(), Vec::new(), Vec::new());
    let (n_rows, _, n_levels) =
        reader.read_records(n, Some(&mut defined), Some(&mut repeated), &mut values)?;
    if most_defined == 0 && most_repeated == 0 {
        return Ok((values, (1..=n_rows).collect()));
    }
    let (mut ends, mut n_values) = (Vec::with_capacity(n_rows), 0);
    for at in 0..n_levels {
        if at > 0 && (most_repeated == 0 || repeated[at] == 0) {
            ends.push(n_values);
        }
        // Less defined than a value can be: nothing, or an empty list.
        n_values += usize::from(most_defined == 0 || defined[at] == most_defined);
    }
    if n_levels > 0 {
        ends.push(n_values);
    }
    Ok((values, ends))
}
