//! Recorded episodes as a LeRobot dataset.

mod about;
mod cells;
mod files;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use parquet::data_type::ByteArray;

use self::cells::{numbers_of, pictures_of};
use self::files::Files;
use super::sheet::{Cells, Columns, Kind, dataset_mark};
use super::summary::{Colours, Summary};
use super::{TICKS_ACTION, TICKS_MARKS, TICKS_N, TICKS_STATE, wrong};
use crate::collect::{Episode, list};
use crate::error::{Error, Result};
use crate::interface::{ACTION, Camera, MARKS, STATE, TICKS_PER_FRAME, TICKS_PER_SECOND};
use crate::world::body::cameras;

/// Rows that are in memory at once.
const BLOCK_ROWS: usize = 128;
/// Episodes that are described at once.
const BLOCK_EPISODES: usize = 64;
/// Says of a folder that an export has not finished it.
const MARK: &str = ".tetrad-export";
/// Ticks of a row.
const PER_ROW: usize = TICKS_PER_FRAME as usize;

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
    let folder = begin(&config.to)?;
    let written = write(config, &paths, &folder, &mut done, progress);
    if !matches!(written, Ok(true)) {
        // The next export removes what this one cannot.
        let _ = std::fs::remove_dir_all(&folder);
        return written.map(|_| done);
    }
    let failed = |error| Error::file(&config.to, error);
    std::fs::remove_file(folder.join(MARK)).map_err(failed)?;
    std::fs::rename(&folder, &config.to).map_err(failed)?;
    done.finished = true;
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
    let mut exporter = Exporter::new(folder, config);
    for path in paths {
        let episode = Episode::load(path)?;
        // What an expert says to somebody who fails is right nevertheless.
        let is_right = episode.header().success || episode.header().actor.is_some();
        if is_right && episode.header().n_frames > 0 {
            exporter.episode(path, &episode)?;
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
    exporter.finish()?;
    Ok(true)
}

/// An empty folder beside the dataset's.
fn begin(to: &Path) -> Result<PathBuf> {
    let mut name = to.file_name().unwrap_or_default().to_owned();
    name.push(".unfinished");
    let folder = to.with_file_name(name);
    let failed = |error| Error::file(&folder, error);
    if folder.exists() {
        if !folder.join(MARK).exists() {
            return Err(wrong(&folder, "it is in the way, and no export has left it"));
        }
        std::fs::remove_dir_all(&folder).map_err(failed)?;
    }
    std::fs::create_dir_all(&folder).map_err(failed)?;
    std::fs::write(folder.join(MARK), []).map_err(failed)?;
    Ok(folder)
}

/// Name of a camera's feature.
fn camera_key(camera: &Camera) -> String {
    format!("observation.images.{}", camera.name)
}

/// Columns of rows, in the order of `meta/info.json`.
fn row_columns() -> Columns {
    let mut all = vec![
        ("observation.state".to_owned(), Kind::Floats(STATE)),
        ("action".to_owned(), Kind::Floats(ACTION)),
        (TICKS_STATE.to_owned(), Kind::Floats(PER_ROW * STATE)),
        (TICKS_ACTION.to_owned(), Kind::Floats(PER_ROW * ACTION)),
        (TICKS_MARKS.to_owned(), Kind::Floats(PER_ROW * MARKS)),
        (TICKS_N.to_owned(), Kind::Whole),
    ];
    all.extend(cameras().iter().map(|camera| (camera_key(camera), Kind::Picture)));
    all.push(("timestamp".to_owned(), Kind::Float));
    let whole = ["frame_index", "episode_index", "index", "task_index"];
    all.extend(whole.map(|name| (name.to_owned(), Kind::Whole)));
    all
}

/// Columns of the table of episodes.
fn episode_columns() -> Columns {
    let whole = |name: &str| (name.to_owned(), Kind::Whole);
    let mut all = vec![whole("episode_index"), ("tasks".to_owned(), Kind::Texts), whole("length")];
    let places = ["data/chunk_index", "data/file_index", "dataset_from_index", "dataset_to_index"];
    all.extend(places.map(whole));
    for (key, kind) in row_columns() {
        let of = match kind {
            Kind::Picture => Kind::Colours(3),
            Kind::Floats(n) => Kind::Doubles(n),
            _ => Kind::Doubles(1),
        };
        for (name, _) in Summary::default().parts() {
            all.push((format!("stats/{key}/{name}"), of));
        }
        all.push((format!("stats/{key}/count"), Kind::Count));
    }
    all.extend(["meta/episodes/chunk_index", "meta/episodes/file_index"].map(whole));
    all.push(("tetrad/header".to_owned(), Kind::Text));
    all
}

/// One episode in the table of episodes.
struct Described {
    task: String,
    header: String,
    length: usize,
    first_row: usize,
    data: [usize; 2],
    meta: [usize; 2],
    /// In the order of the columns of rows.
    summaries: Vec<Summary>,
}

struct Exporter<'c> {
    folder: &'c Path,
    config: &'c ExportConfig,
    data: Files,
    episodes: Files,
    waiting: Vec<Described>,
    tasks: Vec<String>,
    task_numbers: HashMap<String, usize>,
    totals: Vec<Summary>,
    n_episodes: usize,
    n_rows: usize,
}

impl<'c> Exporter<'c> {
    fn new(folder: &'c Path, config: &'c ExportConfig) -> Exporter<'c> {
        let files = |name: &str, columns: Columns, marks| {
            Files::new(folder.join(name), columns, marks, config)
        };
        let columns = row_columns();
        let mark = dataset_mark(&columns);
        Exporter {
            folder,
            config,
            totals: vec![Summary::default(); columns.len()],
            data: files("data", columns, vec![mark]),
            episodes: files("meta/episodes", episode_columns(), Vec::new()),
            waiting: Vec::new(),
            tasks: Vec::new(),
            task_numbers: HashMap::new(),
            n_episodes: 0,
            n_rows: 0,
        }
    }

    fn episode(&mut self, path: &Path, episode: &Episode) -> Result<()> {
        let header = episode.header();
        if header.ticks_per_frame != TICKS_PER_FRAME {
            let per_frame = header.ticks_per_frame;
            let what =
                format!("it has a frame every {per_frame} ticks, not every {TICKS_PER_FRAME}");
            return Err(Error::Episode { path: path.to_path_buf(), what });
        }
        let task = self.task(&header.instruction);
        let n_rows = header.n_frames;
        let data = self.data.room(n_rows)?;
        let mut numbers: Vec<Vec<f64>> = vec![Vec::new(); self.data.columns.len()];
        let mut colours = vec![Colours::new(); header.cameras.len()];
        for first in (0..n_rows).step_by(BLOCK_ROWS) {
            let n = BLOCK_ROWS.min(n_rows - first);
            let [states, actions, ticks_states, ticks_actions, ticks_marks, ticks_n] =
                numbers_of(episode, first..first + n);
            let index = |of: &dyn Fn(usize) -> usize| {
                Cells::Whole((first..first + n).map(|row| of(row) as i64).collect())
            };
            let fps = f64::from(TICKS_PER_SECOND) / f64::from(TICKS_PER_FRAME);
            let mut cells =
                vec![states, actions, ticks_states, ticks_actions, ticks_marks, ticks_n];
            cells.extend(pictures_of(episode, first..first + n, &mut colours)?);
            cells.push(Cells::Float(
                (first..first + n).map(|row| (row as f64 / fps) as f32).collect(),
            ));
            cells.push(index(&|row| row));
            cells.push(index(&|_| self.n_episodes));
            cells.push(index(&|row| self.n_rows + row));
            cells.push(index(&|_| task));
            for (all, cells) in numbers.iter_mut().zip(&cells) {
                match cells {
                    Cells::Float(some) => all.extend(some.iter().map(|value| f64::from(*value))),
                    Cells::Whole(some) => all.extend(some.iter().map(|value| *value as f64)),
                    Cells::Double(_) | Cells::Bytes(_) => {}
                }
            }
            self.data.group(n, &cells)?;
        }
        let mut colours = colours.iter();
        let summary = |((_, kind), numbers): (&(String, Kind), &Vec<f64>)| match kind {
            Kind::Picture => colours.next().map_or_else(Summary::default, Colours::summary),
            Kind::Floats(n) => Summary::of_rows(*n, numbers),
            _ => Summary::of_rows(1, numbers),
        };
        let summaries: Vec<Summary> = self.data.columns.iter().zip(&numbers).map(summary).collect();
        for (total, one) in self.totals.iter_mut().zip(&summaries) {
            total.add(one);
        }
        let meta = self.episodes.room(self.waiting.len() + 1)?;
        let header_text = serde_json::to_string(header)
            .map_err(|error| Error::file(path, std::io::Error::other(error)))?;
        self.waiting.push(Described {
            task: header.instruction.clone(),
            header: header_text,
            length: n_rows,
            first_row: self.n_rows,
            data,
            meta,
            summaries,
        });
        self.n_episodes += 1;
        self.n_rows += n_rows;
        if self.waiting.len() >= BLOCK_EPISODES { self.describe() } else { Ok(()) }
    }

    /// The number of an instruction.
    fn task(&mut self, text: &str) -> usize {
        if let Some(number) = self.task_numbers.get(text) {
            return *number;
        }
        let number = self.tasks.len();
        self.tasks.push(text.to_owned());
        self.task_numbers.insert(text.to_owned(), number);
        number
    }

    /// Writes what waits for the table of episodes.
    fn describe(&mut self) -> Result<()> {
        let waiting = std::mem::take(&mut self.waiting);
        let first = self.n_episodes - waiting.len();
        let whole = |of: &dyn Fn(&Described) -> usize| {
            Cells::Whole(waiting.iter().map(|one| of(one) as i64).collect())
        };
        let text = |of: &dyn Fn(&Described) -> &str| {
            Cells::Bytes(waiting.iter().map(|one| ByteArray::from(of(one))).collect())
        };
        let index = (first..self.n_episodes).map(|episode| episode as i64).collect();
        let mut cells = vec![
            Cells::Whole(index),
            text(&|one| &one.task),
            whole(&|one| one.length),
            whole(&|one| one.data[0]),
            whole(&|one| one.data[1]),
            whole(&|one| one.first_row),
            whole(&|one| one.first_row + one.length),
        ];
        for feature in 0..self.data.columns.len() {
            let n_parts = waiting.first().map_or(0, |one| one.summaries[feature].parts().count());
            for part in 0..n_parts {
                let of = |one: &Described| {
                    let values = one.summaries[feature].parts().nth(part);
                    values.map(|(_, values)| values.clone()).unwrap_or_default()
                };
                cells.push(Cells::Double(waiting.iter().flat_map(of).collect()));
            }
            cells.push(whole(&|one| one.summaries[feature].count));
        }
        cells.push(whole(&|one| one.meta[0]));
        cells.push(whole(&|one| one.meta[1]));
        cells.push(text(&|one| &one.header));
        self.episodes.group(waiting.len(), &cells)
    }

    /// Writes what is known only in the end.
    fn finish(mut self) -> Result<()> {
        self.data.close()?;
        if !self.waiting.is_empty() {
            self.describe()?;
        }
        self.episodes.close()?;
        self.write_tasks()?;
        let mut stats = serde_json::Map::new();
        for ((name, kind), total) in self.data.columns.iter().zip(&self.totals) {
            stats.insert(name.clone(), total.json(*kind == Kind::Picture));
        }
        self.write("meta/stats.json", &format!("{:#}\n", serde_json::Value::Object(stats)))?;
        self.write("meta/info.json", &format!("{:#}\n", self.info()))?;
        self.write("README.md", &self.card())
    }

    fn write(&self, name: &str, text: &str) -> Result<()> {
        let path = self.folder.join(name);
        runs::write_atomic(&path, text.as_bytes())
            .map_err(|error| Error::file(&path, std::io::Error::other(error)))
    }
}
