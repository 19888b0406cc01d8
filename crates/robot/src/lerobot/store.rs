//! Pictures as a policy sees them, packed in a file that has no name: gone with the process.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use image::imageops::FilterType;
use image::{ImageFormat, ImageReader, RgbImage};

use crate::error::{Error, Result};
use crate::interface::Camera;

/// Largest side of a picture in a dataset.
const MOST_PIXELS: u32 = 16_384;
/// Bytes that are gathered before they are written.
const GATHERED: usize = 1 << 20;

/// Pictures by row and camera.
#[derive(Debug)]
pub(super) struct Store {
    file: File,
    n_cameras: usize,
    /// Begin and length, by row and camera; without length where there is no picture yet.
    places: Vec<(u64, u32)>,
    gathered: Vec<u8>,
    written: u64,
}

impl Store {
    /// A new one in a folder.
    pub(super) fn new(folder: &Path, n_cameras: usize) -> Result<Store> {
        let make = || {
            std::fs::create_dir_all(folder)?;
            tempfile::tempfile_in(folder)
        };
        let file = make().map_err(|error| Error::file(folder, error))?;
        Ok(Store { file, n_cameras, places: Vec::new(), gathered: Vec::new(), written: 0 })
    }

    /// Makes room for rows.
    pub(super) fn resize(&mut self, n_rows: usize) {
        self.places.resize(n_rows * self.n_cameras, (0, 0));
    }

    /// Takes a packed picture.
    pub(super) fn put(&mut self, row: usize, camera: usize, packed: &[u8]) -> Result<()> {
        let length = u32::try_from(packed.len()).unwrap_or(u32::MAX);
        let at = self.written + self.gathered.len() as u64;
        self.places[row * self.n_cameras + camera] = (at, length);
        self.gathered.extend(packed);
        if self.gathered.len() >= GATHERED { self.flush() } else { Ok(()) }
    }

    /// Whether a picture is there.
    pub(super) fn has(&self, row: usize, camera: usize) -> bool {
        self.places[row * self.n_cameras + camera].1 > 0
    }

    /// Writes what was gathered.
    pub(super) fn flush(&mut self) -> Result<()> {
        let failed = |error| Error::file(Path::new("pictures beside the run"), error);
        self.file.write_all(&self.gathered).map_err(failed)?;
        self.written += self.gathered.len() as u64;
        self.gathered.clear();
        Ok(())
    }

    /// Unpacks a picture into `[H, W, 3]` bytes.
    pub(super) fn get(&self, row: usize, camera: usize, into: &mut [u8]) -> Result<()> {
        let what = || format!("the picture of camera {camera} in row {row}");
        let place = self.places.get(row * self.n_cameras + camera);
        let &(at, length) = place
            .filter(|(_, length)| *length > 0)
            .ok_or_else(|| Error::Shape { what: what(), got: 0, expected: into.len() })?;
        let mut packed = vec![0; length as usize];
        let read = self.file.read_exact_at(&mut packed, at);
        let unpacked = read.and_then(|()| ZlibDecoder::new(packed.as_slice()).read_exact(into));
        unpacked.map_err(|error| Error::file(Path::new("pictures beside the run"), error))
    }
}

/// Unpacks the file of a picture, PNG or JPEG, and holds it to its size.
pub(super) fn decode(
    file: &[u8],
    [height, width]: [usize; 2],
) -> std::result::Result<RgbImage, String> {
    let mut reader = ImageReader::new(std::io::Cursor::new(file));
    let mut limits = image::Limits::default();
    limits.max_image_width = Some(MOST_PIXELS);
    limits.max_image_height = Some(MOST_PIXELS);
    reader.limits(limits);
    let reader = reader.with_guessed_format().map_err(|error| error.to_string())?;
    if !matches!(reader.format(), Some(ImageFormat::Png | ImageFormat::Jpeg)) {
        return Err("its bytes are neither PNG nor JPEG".to_owned());
    }
    let picture = reader.decode().map_err(|error| format!("it does not decode: {error}"))?;
    let got = [picture.height() as usize, picture.width() as usize];
    if got != [height, width] {
        let [h, w] = got;
        return Err(format!("it is {w}x{h}, and `meta/info.json` says {width}x{height}"));
    }
    Ok(picture.into_rgb8())
}

/// Makes a picture as large as a camera's, averaging over what falls into a pixel, and packs it.
pub(super) fn pack(picture: &RgbImage, camera: &Camera) -> Vec<u8> {
    let (width, height) = (camera.width as u32, camera.height as u32);
    let mut packed = ZlibEncoder::new(Vec::new(), Compression::fast());
    let written = if picture.dimensions() == (width, height) {
        packed.write_all(picture.as_raw())
    } else {
        let small = image::imageops::resize(picture, width, height, FilterType::Triangle);
        packed.write_all(small.as_raw())
    };
    written.and_then(|()| packed.finish()).expect("a vector takes any bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_smaller_picture_has_the_means_of_the_larger_one() {
        let large =
            RgbImage::from_fn(64, 48, |x, _| image::Rgb([if x < 32 { 0 } else { 200 }, 7, 9]));
        let camera = Camera { name: "a".to_owned(), width: 16, height: 12 };
        let folder = tempfile::tempdir().unwrap();
        let mut store = Store::new(folder.path(), 1).unwrap();
        store.resize(2);
        store.put(1, 0, &pack(&large, &camera)).unwrap();
        store.flush().unwrap();
        let mut small = vec![1; camera.bytes()];
        store.get(1, 0, &mut small).unwrap();
        assert_eq!((&small[..3], &small[45..48]), (&[0, 7, 9][..], &[200, 7, 9][..]));
        let error = store.get(0, 0, &mut small).unwrap_err().to_string();
        assert!(error.contains("row 0"), "{error}");
        let left = std::fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(left, 0, "the file has no name");
    }
}
