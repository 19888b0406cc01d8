//! Matrices as NumPy reads them.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use crate::error::Error;

/// Header and its length are padded to this, so that numbers are aligned.
const ALIGN: usize = 64;

/// Writes float32 `[n_rows, n_columns]`, row-major (format version 1.0).
///
/// # Errors
/// If the file cannot be written.
pub fn write(
    path: &Path,
    n_columns: usize,
    rows: impl ExactSizeIterator<Item = impl AsRef<[f32]>>,
) -> Result<(), Error> {
    let put = || -> std::io::Result<()> {
        let mut file = BufWriter::new(File::create(path)?);
        let mut header = format!(
            "{{'descr': '<f4', 'fortran_order': False, 'shape': ({}, {n_columns}), }}",
            rows.len()
        );
        let used = 10 + header.len() + 1;
        header.extend(std::iter::repeat_n(' ', used.next_multiple_of(ALIGN) - used));
        header.push('\n');
        file.write_all(b"\x93NUMPY\x01\x00")?;
        file.write_all(&u16::try_from(header.len()).expect("a short header").to_le_bytes())?;
        file.write_all(header.as_bytes())?;
        for row in rows {
            for value in row.as_ref() {
                file.write_all(&value.to_le_bytes())?;
            }
        }
        file.flush()
    };
    put().map_err(|source| Error::File { action: "write matrix", path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_is_padded_and_numbers_follow() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("x.npy");
        write(&path, 2, [[1.0, 2.0], [3.0, 4.0]].iter()).expect("written");
        let bytes = std::fs::read(&path).expect("a file");
        let head =
            b"\x93NUMPY\x01\x00\x76\x00{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), }";
        assert!(bytes.starts_with(head));
        assert_eq!(bytes.len(), 128 + 16);
        assert_eq!(bytes[128..132], 1.0_f32.to_le_bytes());
    }
}
