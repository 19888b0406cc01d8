//! Recorded episodes as a LeRobot dataset.

mod about;
mod cells;
mod files;
mod record;
mod writer;

use std::path::{Path, PathBuf};

use self::about::About;
use self::cells::{numbers_of, pictures_of};
pub use self::record::{RecordConfig, Recorded, Recorder, Rows};
use self::writer::{Unfinished, Writer};
use crate::collect::{Episode, list};
use crate::error::{Error, Result};
use crate::interface::TICKS_PER_FRAME;

/// What to export.
#[derive(Debug, Clone)]
pub struct ExportConfig {
    /// Folder of episodes.
    pub episodes: PathBuf,
    /// Folder of the dataset, which must not be there.
    pub to: PathBuf,
    /// Most mebibytes of a file, but for one that a single episode fills.
    pub file_mib: usize,
    /// Most files of a folder.
    pub chunk_files: usize,
}

impl ExportConfig {
    /// With the sizes that lerobot writes.
    #[must_use]
    pub fn new(episodes: PathBuf, to: PathBuf) -> ExportConfig {
        ExportConfig { episodes, to, file_mib: 100, chunk_files: 1000 }
    }
}

/// How far an export is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Exported {
    /// Episodes written.
    pub n_episodes: usize,
    /// Their rows: one a camera frame.
    pub n_rows: usize,
    /// Episodes left out, because their task was not done in the end.
    pub n_left_out: usize,
    /// Episode files in all.
    pub n_files: usize,
    /// Whether the dataset is there.
    pub finished: bool,
}

/// Writes all successful and all corrected episodes below a folder, in the order of their names, as a
/// dataset. `progress` hears of every episode and returns whether to go on. The dataset gets its name when it is whole; what
/// was interrupted is removed, by this or the next export.
///
/// # Errors
/// The first episode that cannot be used, a folder that is there already, or what the file system says.
pub fn export(
    config: &ExportConfig,
    progress: &mut dyn FnMut(&Exported) -> bool,
) -> Result<Exported> {
    let paths = list(&config.episodes)?;
    let mut done = Exported { n_files: paths.len(), ..Exported::default() };
    if paths.is_empty() {
        let reason = format!("no episode below {}: collect some first", config.episodes.display());
        return Err(Error::config("export", reason));
    }
    if config.to.exists() {
        return Err(Error::config("export", format!("{} is there already", config.to.display())));
    }
    let unfinished = Unfinished::begin(&config.to)?;
    if write(config, &paths, unfinished.folder(), &mut done, progress)? {
        unfinished.finish(&config.to)?;
        done.finished = true;
    }
    Ok(done)
}

/// Writes everything into a folder; whether it was to go on until the end.
fn write(
    config: &ExportConfig,
    paths: &[PathBuf],
    folder: &Path,
    done: &mut Exported,
    progress: &mut dyn FnMut(&Exported) -> bool,
) -> Result<bool> {
    let mut writer = Writer::new(folder, About::ours(), config.file_mib, config.chunk_files);
    for path in paths {
        let episode = Episode::load(path)?;
        // What an expert says to somebody who fails is right nevertheless.
        let is_right = episode.header().success || episode.header().actor.is_some();
        if is_right && episode.header().n_frames > 0 {
            add(&mut writer, path, &episode)?;
            done.n_episodes += 1;
            done.n_rows += episode.header().n_frames;
        } else {
            done.n_left_out += 1;
        }
        if !progress(done) {
            return Ok(false);
        }
    }
    if done.n_episodes == 0 {
        return Err(Error::config("export", "no episode is of a task that was done"));
    }
    writer.finish()?;
    Ok(true)
}

/// Writes an episode of ours.
fn add(writer: &mut Writer, path: &Path, episode: &Episode) -> Result<()> {
    let header = episode.header();
    if header.ticks_per_frame != TICKS_PER_FRAME {
        let per_frame = header.ticks_per_frame;
        let what = format!("it has a frame every {per_frame} ticks, not every {TICKS_PER_FRAME}");
        return Err(Error::Episode { path: path.to_path_buf(), what });
    }
    let text = serde_json::to_string(header)
        .map_err(|error| Error::file(path, std::io::Error::other(error)))?;
    let frame = |row: usize, into: &mut [u8]| episode.frame(row, into);
    writer.episode(&header.instruction, text, header.n_frames, &mut |rows, colours| {
        let mut cells: Vec<_> = numbers_of(episode, rows.clone()).into();
        cells.extend(pictures_of(&header.cameras, &frame, rows, colours)?);
        Ok(cells)
    })
}
