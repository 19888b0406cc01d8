//! Episodes of any robot as a LeRobot dataset, written as they come.

use std::path::PathBuf;

use super::about::About;
use super::cells::pictures_of;
use super::writer::{Unfinished, Writer};
use crate::error::{Error, Result, expect_length};
use crate::interface::Camera;
use crate::lerobot::sheet::{Cells, Kind};

/// Most mebibytes of a file, and most files of a folder: lerobot's own.
const FILE_MIB: usize = 100;
const CHUNK_FILES: usize = 1000;

/// What is recorded.
#[derive(Debug, Clone)]
pub struct RecordConfig {
    /// Folder of the dataset, which must not be there.
    pub to: PathBuf,
    /// What kind of robot it is.
    pub robot: String,
    /// Rows a second.
    pub fps: u32,
    /// Names of the values of `observation.state`.
    pub state: Vec<String>,
    /// Names of the values of `action`.
    pub action: Vec<String>,
    /// Cameras: `observation.images.NAME` each.
    pub cameras: Vec<Camera>,
    /// What the card says the dataset holds: the beginning of a sentence.
    pub content: String,
}

/// An episode, row by row.
#[derive(Debug, Clone, Default)]
pub struct Rows {
    /// States, `[row, value]`.
    pub states: Vec<f32>,
    /// Actions taken there, `[row, value]`.
    pub actions: Vec<f32>,
    /// What was seen there, `[row, camera]` pictures of `[H, W, 3]` bytes.
    pub pictures: Vec<u8>,
}

/// How much was recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recorded {
    /// Episodes.
    pub n_episodes: usize,
    /// Their rows.
    pub n_rows: usize,
}

/// A dataset that is being recorded. It gets its name when it is finished; what was not is removed, by its
/// drop or by the next recorder.
pub struct Recorder {
    config: RecordConfig,
    // Its files are closed before the folder goes.
    writer: Writer,
    folder: Unfinished,
}

impl Recorder {
    /// Begins a dataset.
    ///
    /// # Errors
    /// If its folder is there already, something has no values, or what the file system says.
    pub fn begin(config: RecordConfig) -> Result<Recorder> {
        let wrong = |reason: String| Err(Error::config("recording", reason));
        if config.to.exists() {
            return wrong(format!("{} is there already", config.to.display()));
        }
        if config.state.is_empty() || config.action.is_empty() || config.fps == 0 {
            return wrong("a state, an action and a rate are needed".to_owned());
        }
        let folder = Unfinished::begin(&config.to)?;
        let numbers = |name: &'static str, names: &[String]| {
            (name, Kind::Floats(names.len()), Some(names.to_vec()))
        };
        let about = About {
            robot: config.robot.clone(),
            fps: f64::from(config.fps),
            numbers: vec![
                numbers("observation.state", &config.state),
                numbers("action", &config.action),
            ],
            cameras: config.cameras.clone(),
            content: config.content.clone(),
            rows: "`action` is what was done at a row's `observation.state`, with what its pictures show. \
                   Pictures are PNG, as they were seen."
                .to_owned(),
        };
        let writer = Writer::new(folder.folder(), about, FILE_MIB, CHUNK_FILES);
        Ok(Recorder { config, writer, folder })
    }

    /// Writes an episode: its instruction, its rows, and what else is known of it, as JSON
    /// (`tetrad/header` in the table of episodes).
    ///
    /// # Errors
    /// If it has no rows or they have other sizes, a number is not finite, or what the file system says.
    pub fn episode(&mut self, task: &str, header: String, rows: &Rows) -> Result<()> {
        let RecordConfig { state, action, cameras, .. } = &self.config;
        let (state, action) = (state.len(), action.len());
        let n_rows = rows.states.len() / state;
        let n_bytes: usize = cameras.iter().map(Camera::bytes).sum();
        if n_rows == 0 {
            return Err(Error::config("recording", "an episode without rows"));
        }
        expect_length("the states of an episode", rows.states.len(), n_rows * state)?;
        expect_length("the actions of an episode", rows.actions.len(), n_rows * action)?;
        expect_length("the pictures of an episode", rows.pictures.len(), n_rows * n_bytes)?;
        if !rows.states.iter().chain(&rows.actions).all(|value| value.is_finite()) {
            return Err(Error::NotFinite { what: "a state or an action of an episode" });
        }
        let frame = |row: usize, into: &mut [u8]| {
            into.copy_from_slice(&rows.pictures[row * n_bytes..][..n_bytes]);
            Ok(())
        };
        self.writer.episode(task, header, n_rows, &mut |some, colours| {
            let of = |all: &[f32], width: usize| {
                Cells::Float(all[some.start * width..some.end * width].to_vec())
            };
            let mut cells = vec![of(&rows.states, state), of(&rows.actions, action)];
            cells.extend(pictures_of(cameras, &frame, some, colours)?);
            Ok(cells)
        })
    }

    /// Ends the dataset and gives it its name.
    ///
    /// # Errors
    /// If there is no episode, or what the file system says.
    pub fn finish(self) -> Result<Recorded> {
        let Recorder { config, writer, folder } = self;
        let done = Recorded { n_episodes: writer.n_episodes, n_rows: writer.n_rows };
        if done.n_episodes == 0 {
            return Err(Error::config("recording", "no episode was kept"));
        }
        writer.finish()?;
        folder.finish(&config.to)?;
        Ok(done)
    }
}
