//! Parquet files, written group by group, with the marks that Python's readers look for.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parquet::basic::Compression;
use parquet::column::writer::ColumnWriter;
use parquet::data_type::ByteArray;
use parquet::errors::{ParquetError, Result as Written};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::ColumnPath;

use crate::error::{Error, Result};

/// What a cell holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A 64-bit whole number.
    Whole,
    /// A 32-bit float.
    Float,
    /// So many 32-bit floats.
    Floats(usize),
    /// So many 64-bit floats.
    Doubles(usize),
    /// One whole number, in a list.
    Count,
    /// One 64-bit float a colour, each in a list in a list, as lerobot has statistics of pictures.
    Colours(usize),
    /// UTF-8.
    Text,
    /// One text, in a list.
    Texts,
    /// The bytes of a picture's file.
    Picture,
}

impl Kind {
    /// Values of a row.
    fn n_values(self) -> usize {
        match self {
            Kind::Floats(n) | Kind::Doubles(n) | Kind::Colours(n) => n,
            _ => 1,
        }
    }

    fn schema(self, name: &str) -> String {
        let list = |inner: &str| {
            format!("optional group {name} (LIST) {{ repeated group list {{ {inner} }} }}")
        };
        let nested = |name: &str, inner: &str| {
            format!("optional group {name} (LIST) {{ repeated group list {{ {inner} }} }}")
        };
        match self {
            Kind::Whole => format!("optional int64 {name};"),
            Kind::Float => format!("optional float {name};"),
            Kind::Floats(_) => list("optional float element;"),
            Kind::Doubles(_) => list("optional double element;"),
            Kind::Count => list("optional int64 element;"),
            Kind::Colours(_) => {
                let inmost = nested("element", "optional double element;");
                list(&nested("element", &inmost))
            }
            Kind::Text => format!("optional binary {name} (STRING);"),
            Kind::Texts => list("optional binary element (STRING);"),
            Kind::Picture => format!(
                "optional group {name} {{ optional binary bytes; optional binary path (STRING); }}"
            ),
        }
    }

    /// How `datasets` describes it.
    fn feature(self) -> serde_json::Value {
        let value = |dtype: &str| serde_json::json!({ "dtype": dtype, "_type": "Value" });
        match self {
            Kind::Whole => value("int64"),
            Kind::Float => value("float32"),
            Kind::Floats(n) => {
                serde_json::json!({ "feature": value("float32"), "length": n, "_type": "Sequence" })
            }
            Kind::Picture => serde_json::json!({ "_type": "Image" }),
            _ => serde_json::Value::Null,
        }
    }
}

/// Values of some rows of a column, row after row.
#[derive(Debug, Clone)]
pub(super) enum Cells {
    /// For whole numbers and counts.
    Whole(Vec<i64>),
    /// For 32-bit floats.
    Float(Vec<f32>),
    /// For 64-bit floats.
    Double(Vec<f64>),
    /// For texts and pictures.
    Bytes(Vec<ByteArray>),
}

/// Names and kinds of columns.
pub(super) type Columns = Vec<(String, Kind)>;

/// What `datasets` writes beside the schema, so that it knows pictures as pictures.
pub(super) fn dataset_mark(columns: &Columns) -> (String, String) {
    let features: serde_json::Map<String, serde_json::Value> =
        columns.iter().map(|(name, kind)| (name.clone(), kind.feature())).collect();
    let mark = serde_json::json!({ "info": { "features": features } });
    ("huggingface".to_owned(), mark.to_string())
}

/// A file that is being written.
pub(super) struct Sheet {
    path: PathBuf,
    writer: SerializedFileWriter<File>,
    columns: Columns,
}

impl Sheet {
    /// Begins a file, and the folders to it.
    pub(super) fn create(
        path: &Path,
        columns: Columns,
        marks: Vec<(String, String)>,
    ) -> Result<Sheet> {
        let failed = |error: std::io::Error| Error::file(path, error);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(failed)?;
        }
        let file = File::create(path).map_err(failed)?;
        let make = || -> Written<SerializedFileWriter<File>> {
            let fields: String =
                columns.iter().map(|(name, kind)| kind.schema(name) + " ").collect();
            let schema = Arc::new(parse_message_type(&format!("message schema {{ {fields} }}"))?);
            let marks = marks.into_iter().map(|(key, value)| KeyValue::new(key, value)).collect();
            let mut properties = WriterProperties::builder()
                .set_created_by(format!("tetrad {}", env!("CARGO_PKG_VERSION")))
                .set_compression(Compression::SNAPPY)
                .set_key_value_metadata(Some(marks));
            for (name, kind) in &columns {
                if *kind == Kind::Picture {
                    // They are packed already, no two are alike, and their order means nothing.
                    let column = ColumnPath::new(vec![name.clone(), "bytes".to_owned()]);
                    properties = properties
                        .set_column_compression(column.clone(), Compression::UNCOMPRESSED)
                        .set_column_dictionary_enabled(column.clone(), false)
                        .set_column_statistics_enabled(column, EnabledStatistics::None);
                }
            }
            SerializedFileWriter::new(file, schema, Arc::new(properties.build()))
        };
        let writer = make().map_err(|error| failed(std::io::Error::other(error)))?;
        Ok(Sheet { path: path.to_path_buf(), writer, columns })
    }

    /// Writes rows; `cells` are in the columns' order.
    pub(super) fn group(&mut self, n_rows: usize, cells: &[Cells]) -> Result<()> {
        let Sheet { path, writer, columns } = self;
        let mut write = || -> Written<()> {
            let mut group = writer.next_row_group()?;
            for ((_, kind), cells) in columns.iter().zip(cells) {
                column(&mut group, *kind, n_rows, cells)?;
            }
            group.close()?;
            Ok(())
        };
        write().map_err(|error| Error::file(path, std::io::Error::other(error)))
    }

    /// Bytes so far.
    pub(super) fn n_bytes(&self) -> usize {
        self.writer.bytes_written()
    }

    /// Ends the file and sees it on the disk.
    pub(super) fn close(self) -> Result<()> {
        let Sheet { path, writer, .. } = self;
        let file = writer.into_inner().map_err(std::io::Error::other);
        file.and_then(|file| file.sync_all()).map_err(|error| Error::file(&path, error))
    }
}

fn column(
    group: &mut SerializedRowGroupWriter<'_, File>,
    kind: Kind,
    n_rows: usize,
    cells: &Cells,
) -> Written<()> {
    let n_values = kind.n_values();
    let mut one = group.next_column()?.ok_or_else(|| other("too many columns"))?;
    let (mut defined, mut repeated) = (Vec::new(), None);
    let full = {
        let to = one.untyped();
        let description = match to {
            ColumnWriter::Int64ColumnWriter(to) => to.get_descriptor(),
            ColumnWriter::FloatColumnWriter(to) => to.get_descriptor(),
            ColumnWriter::DoubleColumnWriter(to) => to.get_descriptor(),
            ColumnWriter::ByteArrayColumnWriter(to) => to.get_descriptor(),
            _ => return Err(other("a column of another kind")),
        };
        defined.resize(n_rows * n_values, description.max_def_level());
        if description.max_rep_level() > 0 {
            // The first value begins a row, each other one the outermost list's next element.
            repeated =
                Some((0..n_rows * n_values).map(|at| i16::from(at % n_values > 0)).collect());
        }
        to
    };
    let repeated: Option<&Vec<i16>> = repeated.as_ref();
    let repeated = repeated.map(Vec::as_slice);
    let n = match (full, cells) {
        (ColumnWriter::Int64ColumnWriter(to), Cells::Whole(all)) => {
            to.write_batch(all, Some(&defined), repeated)?
        }
        (ColumnWriter::FloatColumnWriter(to), Cells::Float(all)) => {
            to.write_batch(all, Some(&defined), repeated)?
        }
        (ColumnWriter::DoubleColumnWriter(to), Cells::Double(all)) => {
            to.write_batch(all, Some(&defined), repeated)?
        }
        (ColumnWriter::ByteArrayColumnWriter(to), Cells::Bytes(all)) => {
            to.write_batch(all, Some(&defined), repeated)?
        }
        _ => return Err(other("cells of another kind than their column")),
    };
    if n != n_rows * n_values {
        return Err(other("another number of cells than rows"));
    }
    one.close()?;
    if kind == Kind::Picture {
        // Where a picture came from: nothing, for it is in the row.
        let mut path = group.next_column()?.ok_or_else(|| other("too many columns"))?;
        if let ColumnWriter::ByteArrayColumnWriter(to) = path.untyped() {
            to.write_batch(&[], Some(&vec![1; n_rows]), None)?;
        }
        path.close()?;
    }
    Ok(())
}

fn other(what: &str) -> ParquetError {
    ParquetError::General(what.to_owned())
}
