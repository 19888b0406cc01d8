//! Frames of a record as pictures that stand in a page.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use crate::error::{Error, Result};
use crate::interface::Camera;
use crate::record::Record;

/// Pictures a second that are shown, at most.
const RATE: f32 = 12.0;

/// Frames chosen for a page: their numbers, and each camera's picture as a data URI.
#[derive(Debug, Default)]
pub(super) struct Shown {
    /// Rows that the frames were seen before.
    pub(super) rows: Vec<usize>,
    /// Data URIs, by frame, then by camera.
    pub(super) pictures: Vec<Vec<String>>,
}

impl Shown {
    fn n_bytes(&self) -> usize {
        self.pictures.iter().flatten().map(String::len).sum()
    }
}

/// As many frames as fit `budget` bytes of page: at most [`RATE`] a second, else every second of them
/// again and again.
pub(super) fn choose(record: &Record, budget: usize) -> Result<Shown> {
    let time = |frame: usize| record.rows().get(record.row_of(frame)).map(|row| row.at);
    let mut shown = Shown::default();
    let mut last = f32::NEG_INFINITY;
    for frame in 0..record.n_frames() {
        // A frame after the last row was seen by nobody.
        let Some(at) = time(frame).filter(|at| at - last >= 0.98 / RATE) else { continue };
        last = at;
        let pictures = record.frame(frame)?;
        let cameras = &record.heading().cameras;
        let uris = cameras.iter().zip(&pictures).map(|(camera, rgb)| uri(camera, rgb));
        shown.rows.push(record.row_of(frame));
        shown.pictures.push(uris.collect::<Result<_>>()?);
    }
    while shown.n_bytes() > budget && shown.rows.len() > 2 {
        let mut keep = (0..shown.rows.len()).map(|idx| idx % 2 == 0);
        shown.rows.retain(|_| keep.next().unwrap_or(false));
        let mut keep = (0..shown.pictures.len()).map(|idx| idx % 2 == 0);
        shown.pictures.retain(|_| keep.next().unwrap_or(false));
    }
    Ok(shown)
}

/// A picture as a PNG in a data URI.
fn uri(camera: &Camera, rgb: &[u8]) -> Result<String> {
    let png = png(camera.width, camera.height, rgb)
        .map_err(|error| Error::config("a picture", error.to_string()))?;
    Ok(format!("data:image/png;base64,{}", BASE64_STANDARD.encode(png)))
}

fn png(
    width: usize,
    height: usize,
    rgb: &[u8],
) -> std::result::Result<Vec<u8>, png::EncodingError> {
    let small = |side: usize| u32::try_from(side).unwrap_or(u32::MAX);
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, small(width), small(height));
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(rgb)?;
    writer.finish()?;
    Ok(bytes)
}
