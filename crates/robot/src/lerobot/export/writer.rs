//! A dataset that is being written, of whatever robot.

use std::collections::HashMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use parquet::data_type::ByteArray;

use super::about::About;
use super::files::Files;
use crate::error::{Error, Result};
use crate::lerobot::sheet::{Cells, Columns, Kind, dataset_mark};
use crate::lerobot::summary::{Colours, Summary};
use crate::lerobot::wrong;

/// Rows that are in memory at once.
const BLOCK_ROWS: usize = 128;
/// Episodes that are described at once.
const BLOCK_EPISODES: usize = 64;
/// Says of a folder that nobody has finished it.
const MARK: &str = ".tetrad-export";

/// A folder beside a dataset's that becomes it when it is whole, and goes when it does not.
#[derive(Debug)]
pub(super) struct Unfinished(PathBuf);

impl Unfinished {
    /// An empty one.
    pub(super) fn begin(to: &Path) -> Result<Unfinished> {
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
        Ok(Unfinished(folder))
    }

    pub(super) fn folder(&self) -> &Path {
        &self.0
    }

    /// Gives it its name.
    pub(super) fn finish(self, to: &Path) -> Result<()> {
        let failed = |error| Error::file(to, error);
        std::fs::remove_file(self.0.join(MARK)).map_err(failed)?;
        std::fs::rename(&self.0, to).map_err(failed)
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        // Nothing is there once it has its name. What cannot be removed the next one removes.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Columns of the table of episodes.
fn episode_columns(rows: &Columns) -> Columns {
    let whole = |name: &str| (name.to_owned(), Kind::Whole);
    let mut all = vec![whole("episode_index"), ("tasks".to_owned(), Kind::Texts), whole("length")];
    let places = ["data/chunk_index", "data/file_index", "dataset_from_index", "dataset_to_index"];
    all.extend(places.map(whole));
    for (key, kind) in rows {
        let of = match kind {
            Kind::Picture => Kind::Colours(3),
            Kind::Floats(n) => Kind::Doubles(*n),
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

/// Rows of a block as cells of the columns before `timestamp`; colours are counted in.
type Block<'b> = &'b mut dyn FnMut(Range<usize>, &mut [Colours]) -> Result<Vec<Cells>>;

/// What is written so far.
pub(super) struct Writer {
    pub(super) folder: PathBuf,
    pub(super) about: About,
    /// Most mebibytes of a file, and files of a folder.
    pub(super) sizes: [usize; 2],
    pub(super) data: Files,
    episodes: Files,
    waiting: Vec<Described>,
    pub(super) tasks: Vec<String>,
    task_numbers: HashMap<String, usize>,
    totals: Vec<Summary>,
    pub(super) n_episodes: usize,
    pub(super) n_rows: usize,
}

impl Writer {
    /// Into an empty folder.
    pub(super) fn new(folder: &Path, about: About, file_mib: usize, chunk_files: usize) -> Writer {
        let files = |name: &str, columns: Columns, marks| {
            Files::new(folder.join(name), columns, marks, file_mib, chunk_files)
        };
        let columns = about.columns();
        let mark = dataset_mark(&columns);
        Writer {
            folder: folder.to_path_buf(),
            about,
            sizes: [file_mib, chunk_files],
            totals: vec![Summary::default(); columns.len()],
            episodes: files("meta/episodes", episode_columns(&columns), Vec::new()),
            data: files("data", columns, vec![mark]),
            waiting: Vec::new(),
            tasks: Vec::new(),
            task_numbers: HashMap::new(),
            n_episodes: 0,
            n_rows: 0,
        }
    }

    /// Writes an episode: its instruction, what else is known of it, and its rows block by block.
    pub(super) fn episode(
        &mut self,
        task: &str,
        header: String,
        n_rows: usize,
        block: Block<'_>,
    ) -> Result<()> {
        let task_number = self.task(task);
        let data = self.data.room(n_rows)?;
        let mut numbers: Vec<Vec<f64>> = vec![Vec::new(); self.data.columns.len()];
        let mut colours = vec![Colours::new(); self.about.cameras.len()];
        let fps = self.about.fps;
        for first in (0..n_rows).step_by(BLOCK_ROWS) {
            let n = BLOCK_ROWS.min(n_rows - first);
            let index = |of: &dyn Fn(usize) -> usize| {
                Cells::Whole((first..first + n).map(|row| of(row) as i64).collect())
            };
            let mut cells = block(first..first + n, &mut colours)?;
            cells.push(Cells::Float(
                (first..first + n).map(|row| (row as f64 / fps) as f32).collect(),
            ));
            cells.push(index(&|row| row));
            cells.push(index(&|_| self.n_episodes));
            cells.push(index(&|row| self.n_rows + row));
            cells.push(index(&|_| task_number));
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
        self.waiting.push(Described {
            task: task.to_owned(),
            header,
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
    pub(super) fn finish(mut self) -> Result<()> {
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
