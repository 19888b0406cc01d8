//! Records being read, and not trusted.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use flate2::read::ZlibDecoder;

use super::{END, End, FRAME, HEADING, Heading, MAGIC, ROWS, Row, VERSION};
use crate::error::{Error, Result};

/// No part of ours is longer.
const MOST_BYTES: usize = 64 << 20;
/// No attempt of ours is longer: an hour at 200 Hz.
const MOST_ROWS: usize = 720_000;
/// Largest picture that is believed.
const MOST_PIXELS: usize = 4 << 20;

/// A record, its pictures still packed.
#[derive(Debug, Clone)]
pub struct Record {
    heading: Heading,
    rows: Vec<Row>,
    bytes: Vec<u8>,
    /// The row that a frame was seen before, and where its pictures are.
    frames: Vec<(usize, std::ops::Range<usize>)>,
    end: Option<End>,
}

type Parsed<T> = std::result::Result<T, String>;

/// All records in a folder: by attempt, then by robot.
///
/// # Errors
/// When it cannot be read. A folder that is not there has none.
pub fn list(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(Error::file(folder, source)),
    };
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry.map_err(|source| Error::file(folder, source))?.path();
        if path.extension().is_some_and(|ending| ending == "record") {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

impl Record {
    /// Reads and checks a file. One that ends in the middle of a part was cut off there, and what is
    /// before counts.
    ///
    /// # Errors
    /// [`Error::File`] where it cannot be read, [`Error::Record`] where it is none, or was changed.
    pub fn load(path: &Path) -> Result<Record> {
        let bytes = std::fs::read(path).map_err(|source| Error::file(path, source))?;
        Record::parse(bytes).map_err(|what| Error::Record { path: path.to_owned(), what })
    }

    fn parse(bytes: Vec<u8>) -> Parsed<Record> {
        if bytes.get(..8) != Some(MAGIC.as_slice()) {
            return Err("it is no record: its first bytes are others".to_owned());
        }
        let word = |at: usize| -> Option<u32> {
            Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
        };
        match word(8) {
            Some(VERSION) => {}
            version => {
                let version = version.unwrap_or(0);
                return Err(format!("it has format {version}; this build reads {VERSION}"));
            }
        }
        let (mut heading, mut end) = (None::<Heading>, None);
        let (mut rows, mut frames) = (Vec::new(), Vec::new());
        let mut at = 12;
        // A part that is not there as a whole was being written when all ended.
        while let (Some(kind), Some(length), Some(crc)) = (word(at), word(at + 4), word(at + 8)) {
            let content = at + 12..at + 12 + length as usize;
            if length as usize > MOST_BYTES {
                return Err(format!("the part at byte {at} is {length} bytes long"));
            }
            let Some(part) = bytes.get(content.clone()) else { break };
            let mut sum = flate2::Crc::new();
            sum.update(part);
            if sum.sum() != crc {
                return Err(format!("the part at byte {at} was changed: its checksum is wrong"));
            }
            let wrong = |what: &str| format!("the part at byte {at} {what}");
            match (kind, &heading) {
                (HEADING, None) => heading = Some(parse_heading(part).map_err(|e| wrong(&e))?),
                (ROWS, Some(_)) => parse_rows(part, &mut rows).map_err(|e| wrong(&e))?,
                (FRAME, Some(_)) => {
                    let before = word(at + 12).ok_or_else(|| wrong("is too short"))? as usize;
                    frames.push((before, content.start + 4..content.end));
                }
                (END, Some(_)) => {
                    let parsed = serde_json::from_slice::<End>(part);
                    end = Some(parsed.map_err(|error| wrong(&format!("is no end: {error}")))?);
                }
                _ => return Err(wrong(&format!("is of kind {kind}, which does not belong there"))),
            }
            at = content.end;
        }
        let heading = heading.ok_or("it has no heading")?;
        Ok(Record { heading, rows, frames, end, bytes })
    }

    /// What it is about.
    #[must_use]
    pub fn heading(&self) -> &Heading {
        &self.heading
    }

    /// Every tick.
    #[must_use]
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// How it ended; nothing where it was cut off.
    #[must_use]
    pub fn end(&self) -> Option<End> {
        self.end
    }

    /// Frames.
    #[must_use]
    pub fn n_frames(&self) -> usize {
        self.frames.len()
    }

    /// The row that a frame was seen before.
    ///
    /// # Panics
    /// If there is no such frame.
    #[must_use]
    pub fn row_of(&self, frame: usize) -> usize {
        self.frames[frame].0
    }

    /// Unpacks a frame: one picture a camera, `[H, W, 3]` bytes.
    ///
    /// # Errors
    /// Where there is no such frame, or its pictures have other sizes.
    pub fn frame(&self, frame: usize) -> Result<Vec<Vec<u8>>> {
        let expected = self.heading.frame_bytes();
        let what = || format!("frame {frame} of a record with {} frames", self.frames.len());
        let wrong = |got| Error::Shape { what: what(), got, expected };
        let (_, range) = self.frames.get(frame).ok_or_else(|| wrong(0))?;
        let mut all = Vec::new();
        let decoder = ZlibDecoder::new(&self.bytes[range.clone()]);
        // One byte more than there should be shows that there are more.
        let read = decoder.take(expected as u64 + 1).read_to_end(&mut all);
        if read.is_err() || all.len() != expected {
            return Err(wrong(all.len()));
        }
        let mut rest = all.as_slice();
        let cameras = self.heading.cameras.iter().map(|camera| {
            let (picture, after) = rest.split_at(camera.bytes());
            rest = after;
            picture.to_vec()
        });
        Ok(cameras.collect())
    }
}

fn parse_heading(part: &[u8]) -> Parsed<Heading> {
    let heading: Heading =
        serde_json::from_slice(part).map_err(|error| format!("is no heading: {error}"))?;
    let fits = |side: usize| (1..=4096).contains(&side);
    for camera in &heading.cameras {
        let (width, height) = (camera.width, camera.height);
        if !fits(width) || !fits(height) || width * height > MOST_PIXELS {
            return Err(format!("names a camera of {width} x {height} pixels"));
        }
    }
    if heading.cameras.len() > 8 || heading.n_robots > 8 || heading.robot >= heading.n_robots {
        return Err("names too many cameras or robots".to_owned());
    }
    Ok(heading)
}

fn parse_rows(part: &[u8], rows: &mut Vec<Row>) -> Parsed<()> {
    const ROW_BYTES: usize = 4 * Row::LEN;
    let most = (MOST_ROWS - rows.len().min(MOST_ROWS)) * ROW_BYTES;
    let mut bytes = Vec::new();
    let decoder = ZlibDecoder::new(part);
    let read = decoder.take(most as u64 + 1).read_to_end(&mut bytes);
    if read.is_err() || bytes.len() > most || !bytes.len().is_multiple_of(ROW_BYTES) {
        return Err("does not unpack to rows".to_owned());
    }
    for row in bytes.chunks_exact(ROW_BYTES) {
        let floats: Vec<f32> = row
            .chunks_exact(4)
            .map(|word| f32::from_le_bytes(word.try_into().unwrap_or_default()))
            .collect();
        rows.push(Row::from_floats(&floats).ok_or("holds a row that is none")?);
    }
    Ok(())
}
