//! One robot's demonstration in one file.
//!
//! ```text
//! magic (8 bytes), version (u32), length of the header (u32), header (JSON)
//! for each frame: offset and length of its packed pictures, from the file's start (2 × u32)
//! offset and length of the packed states, actions and marks (2 × u32)
//! packed frames: all cameras' bytes one after another, deflated
//! packed numbers: states of all ticks, then actions, then marks of all ticks, f32, deflated
//! CRC-32 of all before (u32)
//! ```
//! All numbers are little-endian. A frame can be unpacked without its neighbours.

use std::io::{Read as _, Write as _};
use std::path::Path;

use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;

use crate::error::{Error, Result};
use crate::interface::{ACTION, Camera, MARKS, STATE, TICKS_PER_FRAME};
use crate::tasks::{Setup, Task, Variation};
use crate::world::body::cameras;

const MAGIC: &[u8; 8] = b"TETRADEP";
/// Format 2: as above; format 1 had no marks.
const VERSION: u32 = 2;
/// No episode of ours is longer than this: 10 minutes at 200 Hz.
const MOST_TICKS: usize = 120_000;

/// What an episode is about.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Header {
    /// The task.
    pub task: Task,
    /// The seed of its scene.
    pub seed: u64,
    /// What the scene was drawn from.
    pub variation: Variation,
    /// Which robot of the scene.
    pub robot: usize,
    /// What it was told.
    pub instruction: String,
    /// The cameras, in the order of a frame's pictures.
    pub cameras: Vec<Camera>,
    /// Ticks from one frame to the next; frame `i` is what was seen before tick `i * ticks_per_frame`.
    pub ticks_per_frame: u32,
    /// Frames.
    pub n_frames: usize,
    /// Ticks.
    pub n_ticks: usize,
    /// Values of a state.
    pub state: usize,
    /// Values of an action.
    pub action: usize,
    /// Values of a tick's marks.
    pub marks: usize,
    /// Speed of the disturbances, in metres per second.
    pub disturbance: f32,
    /// Whether the task was done in the end.
    pub success: bool,
    /// Who acted, with experts saying what they would have done; none where experts acted.
    pub actor: Option<String>,
    /// Ticks in which the actor acted, each from .. to; in all others the expert did.
    #[serde(default)]
    pub strayed: Vec<(usize, usize)>,
}

/// Takes an episode down tick by tick.
pub struct EpisodeWriter {
    header: Header,
    frames: Vec<Vec<u8>>,
    states: Vec<f32>,
    actions: Vec<f32>,
    marks: Vec<f32>,
}

impl EpisodeWriter {
    /// For one robot of a setup.
    #[must_use]
    pub fn new(setup: &Setup, robot: usize, disturbance: f32) -> Self {
        let header = Header {
            task: setup.task,
            seed: setup.seed,
            variation: setup.variation,
            robot,
            instruction: setup.instructions[robot].clone(),
            cameras: cameras().to_vec(),
            ticks_per_frame: TICKS_PER_FRAME,
            n_frames: 0,
            n_ticks: 0,
            state: STATE,
            action: ACTION,
            marks: MARKS,
            disturbance,
            success: true,
            actor: None,
            strayed: Vec::new(),
        };
        let [states, actions, marks] = [const { Vec::new() }; 3];
        Self { header, frames: Vec::new(), states, actions, marks }
    }

    /// That somebody else acted, and how it ended.
    pub fn acted(&mut self, actor: &str, success: bool) {
        self.header.actor = Some(actor.to_owned());
        self.header.success = success;
    }

    /// That the action which was added last is not what was done.
    pub fn stray(&mut self) {
        let n = self.header.n_ticks;
        match self.header.strayed.last_mut() {
            Some((_, end)) if *end + 1 == n => *end = n,
            _ => self.header.strayed.push((n.saturating_sub(1), n)),
        }
    }

    /// Adds a tick, with its pictures where it has a new frame.
    pub fn add(
        &mut self,
        state: &[f32; STATE],
        action: &[f32; ACTION],
        marks: &[f32; MARKS],
        pictures: Option<&[Vec<u8>; 3]>,
    ) {
        self.states.extend(state);
        self.actions.extend(action);
        self.marks.extend(marks);
        self.header.n_ticks += 1;
        if let Some(pictures) = pictures {
            self.frames.push(pack(pictures.iter().map(Vec::as_slice)));
            self.header.n_frames += 1;
        }
    }

    /// Writes the file.
    ///
    /// # Errors
    ///
    /// Where it cannot be written; then there is none of this name, or the one from before.
    pub fn finish(self, path: &Path) -> Result<()> {
        let header = serde_json::to_vec(&self.header)
            .map_err(|error| Error::file(path, std::io::Error::other(error)))?;
        let numbers = self.states.iter().chain(&self.actions).chain(&self.marks);
        let numbers: Vec<u8> = numbers.flat_map(|value| value.to_le_bytes()).collect();
        let numbers = pack([numbers.as_slice()]);
        let mut file = Vec::new();
        file.extend(MAGIC);
        file.extend(VERSION.to_le_bytes());
        file.extend(small(header.len()));
        file.extend(&header);
        let mut at = file.len() + 8 * (self.frames.len() + 1);
        for packed in self.frames.iter().chain([&numbers]) {
            file.extend(small(at));
            file.extend(small(packed.len()));
            at += packed.len();
        }
        for packed in self.frames.iter().chain([&numbers]) {
            file.extend(packed);
        }
        file.extend(checksum(&file).to_le_bytes());
        runs::write_atomic(path, &file)
            .map_err(|error| Error::file(path, std::io::Error::other(error)))
    }
}

/// An episode, its pictures still packed.
#[derive(Debug, Clone)]
pub struct Episode {
    header: Header,
    bytes: Vec<u8>,
    frames: Vec<(usize, usize)>,
    states: Vec<f32>,
    actions: Vec<f32>,
    marks: Vec<f32>,
}

impl Episode {
    /// Reads and checks a file.
    ///
    /// # Errors
    ///
    /// [`Error::File`] where it cannot be read, [`Error::Episode`] where it is none, is cut off, was
    /// changed, lacks frames, or has other shapes than this build.
    pub fn load(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path).map_err(|error| Error::file(path, error))?;
        Self::parse(bytes).map_err(|what| Error::Episode { path: path.to_path_buf(), what })
    }

    fn parse(bytes: Vec<u8>) -> std::result::Result<Self, String> {
        let word = |at: usize| -> std::result::Result<usize, String> {
            let end = at.checked_add(4).ok_or("an offset is absurd")?;
            let word = bytes.get(at..end).ok_or("it is cut off")?;
            let word = word.try_into().map_err(|_| "it is cut off")?;
            usize::try_from(u32::from_le_bytes(word)).map_err(|error| error.to_string())
        };
        if bytes.get(..8) != Some(MAGIC.as_slice()) {
            return Err("it is not an episode: its first bytes are others".to_owned());
        }
        let version = word(8)?;
        if version != VERSION as usize {
            return Err(format!("it has format {version}, and this build reads format {VERSION}"));
        }
        let body = bytes.len().checked_sub(4).ok_or("it is cut off")?;
        if checksum(&bytes[..body]) as usize != word(body)? {
            return Err("its checksum is wrong: it is cut off or was changed".to_owned());
        }
        let header_end = 16_usize.checked_add(word(12)?).ok_or("its header is absurd")?;
        let header = bytes.get(16..header_end).ok_or("it is cut off in its header")?;
        let header: Header = serde_json::from_slice(header)
            .map_err(|error| format!("its header is broken: {error}"))?;
        check(&header)?;
        let mut parts = Vec::with_capacity(header.n_frames + 1);
        for part in 0..=header.n_frames {
            let at = header_end + 8 * part;
            let (from, length) = (word(at)?, word(at + 4)?);
            let inside = from.checked_add(length).is_some_and(|end| end <= body);
            if !inside {
                return Err(format!("part {part} lies outside the file"));
            }
            parts.push((from, length));
        }
        let (from, length) = parts.pop().ok_or("it has no numbers")?;
        let n_floats = header.n_ticks * (STATE + ACTION + MARKS);
        let mut numbers = vec![0; n_floats * 4];
        unpack(&bytes[from..from + length], &mut numbers)
            .map_err(|error| format!("its states and actions do not unpack: {error}"))?;
        let mut floats: Vec<f32> = numbers
            .chunks_exact(4)
            .map(|word| f32::from_le_bytes(word.try_into().unwrap_or_default()))
            .collect();
        if let Some(at) = floats.iter().position(|value| !value.is_finite()) {
            return Err(format!("number {at} of its states and actions is not finite"));
        }
        let mut actions = floats.split_off(header.n_ticks * STATE);
        let marks = actions.split_off(header.n_ticks * ACTION);
        Ok(Self { header, frames: parts, states: floats, actions, marks, bytes })
    }

    /// What it is about.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The state before a tick.
    #[must_use]
    pub fn state(&self, tick: usize) -> &[f32] {
        &self.states[tick * STATE..(tick + 1) * STATE]
    }

    /// The expert's action for a tick.
    #[must_use]
    pub fn action(&self, tick: usize) -> &[f32] {
        &self.actions[tick * ACTION..(tick + 1) * ACTION]
    }

    /// Ticks from this one on whose actions were done, so that each led to the next: no end of them past the
    /// end of a demonstration, which rests there.
    #[must_use]
    pub fn n_led(&self, tick: usize) -> usize {
        let Header { strayed, actor, n_ticks, .. } = &self.header;
        let next = strayed.iter().find(|(_, end)| *end > tick);
        match (next, actor) {
            (Some((from, _)), _) => from.saturating_sub(tick),
            (None, Some(_)) => n_ticks.saturating_sub(tick + 1),
            (None, None) => usize::MAX,
        }
    }

    /// What a tick is about ([`crate::experts::Expert::marks`]).
    #[must_use]
    pub fn marks(&self, tick: usize) -> &[f32] {
        &self.marks[tick * MARKS..(tick + 1) * MARKS]
    }

    /// Bytes of a frame: the pictures of all cameras.
    #[must_use]
    pub fn frame_bytes(&self) -> usize {
        self.header.cameras.iter().map(Camera::bytes).sum()
    }

    /// Unpacks the pictures of a frame, camera after camera, into `pictures`
    /// ([`Episode::frame_bytes`] long).
    ///
    /// # Errors
    ///
    /// [`Error::Shape`] where `pictures` has another length or there is no such frame.
    pub fn frame(&self, frame: usize, pictures: &mut [u8]) -> Result<()> {
        if pictures.len() != self.frame_bytes() {
            let (got, expected) = (pictures.len(), self.frame_bytes());
            return Err(Error::Shape { what: "a frame".to_owned(), got, expected });
        }
        let n_frames = self.header.n_frames;
        let what = || format!("frame {frame} of an episode with {n_frames} frames");
        let &(from, length) = self.frames.get(frame).ok_or_else(|| Error::Shape {
            what: what(),
            got: 0,
            expected: pictures.len(),
        })?;
        unpack(&self.bytes[from..from + length], pictures).map_err(|_| Error::Shape {
            what: what(),
            got: length,
            expected: self.frame_bytes(),
        })
    }
}

/// Whether a header fits this build and itself.
fn check(header: &Header) -> std::result::Result<(), String> {
    let expected = cameras();
    if header.cameras != expected {
        return Err(format!("its cameras are {:?}, and not {expected:?}", header.cameras));
    }
    if (header.state, header.action, header.marks) != (STATE, ACTION, MARKS) {
        return Err(format!(
            "its states have {}, its actions {} and its marks {} values, and not {STATE}, {ACTION} and {MARKS}",
            header.state, header.action, header.marks
        ));
    }
    if header.n_ticks > MOST_TICKS {
        return Err(format!("it claims {} ticks, more than {MOST_TICKS}", header.n_ticks));
    }
    let per_frame = header.ticks_per_frame.max(1) as usize;
    let n_frames = header.n_ticks.div_ceil(per_frame);
    if header.n_frames != n_frames {
        let n_ticks = header.n_ticks;
        return Err(format!(
            "it has {} frames where {n_ticks} ticks need {n_frames}: frames are missing",
            header.n_frames
        ));
    }
    Ok(())
}

fn small(value: usize) -> [u8; 4] {
    // A length that does not fit gives a file that does not load, and none of ours comes near.
    u32::try_from(value).unwrap_or(u32::MAX).to_le_bytes()
}

fn checksum(bytes: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    crc.sum()
}

fn pack<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut packed = ZlibEncoder::new(Vec::new(), Compression::fast());
    for part in parts {
        packed.write_all(part).expect("a vector takes any bytes");
    }
    packed.finish().expect("a vector takes any bytes")
}

/// Fills `bytes` exactly.
fn unpack(packed: &[u8], bytes: &mut [u8]) -> std::io::Result<()> {
    let mut decoder = ZlibDecoder::new(packed);
    decoder.read_exact(bytes)?;
    let more = decoder.read(&mut [0])?;
    if more > 0 {
        return Err(std::io::Error::other("more bytes than expected"));
    }
    Ok(())
}
