//! Finished tables, as text or as Parquet by the ending of their name.
//!
//! Rows are gathered as text, which can be gone on with ([`Table`]); Parquet cannot, and is written
//! of them at the end. Numbers are those of the text, and the line of settings becomes metadata.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parquet::basic::Encoding;
use parquet::column::writer::ColumnWriter;
use parquet::data_type::ByteArray;
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::ColumnPath;

use crate::error::Error;
use crate::table::Table;

/// Key of the settings in the metadata.
pub const SETTINGS_KEY: &str = "tetrad.settings";

/// Rows that are held at once, and that readers can skip at once.
const GROUP_ROWS: usize = 1 << 17;

/// Bytes of text after which fewer rows are.
const GROUP_BYTES: usize = 64 << 20;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// UTF-8.
    Text,
    /// 64-bit whole numbers.
    Whole,
    /// 64-bit floats.
    Real,
}

/// Name and kind of a column.
pub type Column = (&'static str, Kind);

/// The line that names columns.
pub fn header(columns: &[Column]) -> String {
    columns.iter().map(|(name, _)| *name).collect::<Vec<_>>().join("\t")
}

/// Whether a name asks for Parquet.
pub fn is_parquet(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("parquet"))
}

/// The last row is there: the table gets its name, as Parquet if that asks for it.
///
/// # Errors
/// If a file cannot be written or renamed, or a row is not of the columns.
pub fn finish(mut table: Table, columns: &[Column]) -> Result<PathBuf, Error> {
    if !is_parquet(table.path()) {
        return table.finish();
    }
    table.flush()?;
    let (path, text) = (table.path().to_owned(), table.partial().to_owned());
    let unfinished = path.with_extension("parquet.unfinished");
    let failed = |source| Error::File { action: "write table", path: path.clone(), source };
    write(&text, &unfinished, columns)
        .and_then(|()| Ok(std::fs::rename(&unfinished, &path)?))
        .and_then(|()| Ok(std::fs::remove_file(&text)?))
        .map_err(|error| failed(std::io::Error::other(error)))?;
    Ok(path)
}

/// Values of one column.
enum Values {
    Text(Vec<ByteArray>),
    Whole(Vec<i64>),
    Real(Vec<f64>),
}

impl Values {
    fn of(kind: Kind) -> Values {
        match kind {
            Kind::Text => Values::Text(Vec::new()),
            Kind::Whole => Values::Whole(Vec::new()),
            Kind::Real => Values::Real(Vec::new()),
        }
    }

    /// Adds what a cell says, if it says that.
    fn push(&mut self, cell: &str) -> Option<()> {
        match self {
            Values::Text(all) => all.push(cell.into()),
            Values::Whole(all) => all.push(cell.parse().ok()?),
            Values::Real(all) => all.push(cell.parse().ok()?),
        }
        Some(())
    }

    fn clear(&mut self) {
        match self {
            Values::Text(all) => all.clear(),
            Values::Whole(all) => all.clear(),
            Values::Real(all) => all.clear(),
        }
    }
}

fn write(text: &Path, to: &Path, columns: &[Column]) -> Result<(), ParquetError> {
    let mut text = BufReader::new(File::open(text)?);
    let mut line = String::new();
    let mut settings = None;
    loop {
        line.clear();
        text.read_line(&mut line)?;
        match line.strip_prefix("# ") {
            Some(line) => settings = Some(line.trim_end().to_owned()),
            None if line.trim_end() == header(columns) => break,
            None => return Err(ParquetError::General("other columns than asked for".to_owned())),
        }
    }
    let field = |(name, kind): &Column| match kind {
        Kind::Text => format!("required binary {name} (STRING);"),
        Kind::Whole => format!("required int64 {name};"),
        Kind::Real => format!("required double {name};"),
    };
    let fields: String = columns.iter().map(field).collect();
    let schema = Arc::new(parse_message_type(&format!("message table {{ {fields} }}"))?);
    let settings = settings.map(|text| vec![KeyValue::new(SETTINGS_KEY.to_owned(), text)]);
    let mut properties = WriterProperties::builder()
        .set_created_by(format!("tetrad {}", env!("CARGO_PKG_VERSION")))
        .set_key_value_metadata(settings);
    for (name, kind) in columns {
        // Texts repeat, whole numbers rise; floats do neither.
        let column = ColumnPath::from(*name);
        properties = properties.set_column_dictionary_enabled(column.clone(), *kind == Kind::Text);
        if *kind == Kind::Whole {
            properties = properties.set_column_encoding(column, Encoding::DELTA_BINARY_PACKED);
        }
    }
    let mut writer =
        SerializedFileWriter::new(File::create(to)?, schema, Arc::new(properties.build()))?;
    let mut values: Vec<Values> = columns.iter().map(|(_, kind)| Values::of(*kind)).collect();
    let (mut n_rows, mut n_bytes) = (0, 0);
    loop {
        line.clear();
        let n = text.read_line(&mut line)?;
        n_bytes += n;
        if n == 0 || n_rows == GROUP_ROWS || n_bytes >= GROUP_BYTES {
            group(&mut writer, &values)?;
            values.iter_mut().for_each(Values::clear);
            (n_rows, n_bytes) = (0, n);
        }
        if n == 0 {
            break;
        }
        n_rows += 1;
        let mut cells = line.trim_end_matches('\n').split('\t');
        let whole = values.iter_mut().all(|all| {
            let pushed = cells.next().and_then(|cell| all.push(cell));
            pushed.is_some()
        });
        if !whole || cells.next().is_some() {
            return Err(ParquetError::General(format!("a row of other columns: {line:?}")));
        }
    }
    writer.close()?;
    Ok(())
}

fn group(writer: &mut SerializedFileWriter<File>, values: &[Values]) -> Result<(), ParquetError> {
    let mut group = writer.next_row_group()?;
    for values in values {
        let mut column = group.next_column()?.expect("a column of the schema");
        match (column.untyped(), values) {
            (ColumnWriter::ByteArrayColumnWriter(to), Values::Text(all)) => {
                to.write_batch(all, None, None)?;
            }
            (ColumnWriter::Int64ColumnWriter(to), Values::Whole(all)) => {
                to.write_batch(all, None, None)?;
            }
            (ColumnWriter::DoubleColumnWriter(to), Values::Real(all)) => {
                to.write_batch(all, None, None)?;
            }
            _ => unreachable!("the schema is made of the columns"),
        }
        column.close()?;
    }
    group.close()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use parquet::file::reader::{FileReader, SerializedFileReader};
    use parquet::record::Field;

    use super::*;

    const COLUMNS: [Column; 4] =
        [("name", Kind::Text), ("start", Kind::Whole), ("base", Kind::Text), ("value", Kind::Real)];

    fn table(path: &Path, rows: usize) -> Table {
        let head = format!("# model x, tag \"|\"\n{}\n", header(&COLUMNS));
        let mut table = Table::open(path, &head).expect("it opens");
        for row in 0..rows {
            let value = (row as f64 * 0.37).sin() * -2.0;
            table.row(&format!("chr{}\t{row}\tÅ{row}\t{value:.5}", row / 100)).expect("a row");
        }
        table
    }

    #[test]
    fn parquet_holds_what_the_text_holds() {
        let folder = tempfile::tempdir().expect("a folder");
        // More than a group, and nothing at all.
        for n in [GROUP_ROWS + 3, 0] {
            let path = folder.path().join("x.parquet");
            let text = finish(table(&folder.path().join("x.tsv"), n), &COLUMNS).expect("finished");
            assert_eq!(finish(table(&path, n), &COLUMNS).expect("finished"), path);
            let left: Vec<String> = std::fs::read_dir(folder.path())
                .expect("a folder")
                .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
                .filter(|name| name != "x.tsv")
                .collect();
            assert_eq!(left, ["x.parquet"], "nothing but the table is left");
            let text = std::fs::read_to_string(text).expect("the text");
            let reader = SerializedFileReader::new(File::open(&path).expect("a file"));
            let reader = reader.expect("Parquet");
            let metadata = reader.metadata().file_metadata();
            let pairs = metadata.key_value_metadata().expect("metadata");
            assert!(pairs.contains(&KeyValue::new(
                SETTINGS_KEY.to_owned(),
                "model x, tag \"|\"".to_owned()
            )));
            let mut rows = reader.get_row_iter(None).expect("rows");
            for line in text.lines().skip(2) {
                let row = rows.next().expect("as many rows").expect("a row");
                let cells = row.get_column_iter().map(|(_, field)| match field {
                    Field::Str(text) => text.clone(),
                    Field::Long(number) => number.to_string(),
                    Field::Double(number) => format!("{number:.5}"),
                    other => panic!("{other:?}"),
                });
                assert_eq!(cells.collect::<Vec<_>>().join("\t"), line);
            }
            assert!(rows.next().is_none(), "as many rows");
        }
    }

    #[test]
    fn a_row_of_other_columns_is_an_error_and_the_text_is_kept() {
        let folder = tempfile::tempdir().expect("a folder");
        for wrong in ["chr1\t1\tA", "chr1\tx\tA\t0.5", "chr1\t1\tA\t0.5\t7"] {
            let mut table = table(&folder.path().join("x.parquet"), 2);
            table.row(wrong).expect("a row");
            let error = finish(table, &COLUMNS).expect_err("refused").to_string();
            assert!(error.contains("a row of other columns"), "{error}");
            let partial = folder.path().join("x.parquet.partial");
            std::fs::remove_file(partial).expect("the text is there");
            assert!(!folder.path().join("x.parquet").exists());
        }
    }
}
