//! The rows of a dataset: every one is looked at once, numbers are kept, pictures go to the store.

use std::path::Path;

use super::info::{Feature, Info};
use super::mapping::Found;
use super::meta::Place;
use super::store::{Store, decode, pack};
use super::table::{Rows, Table};
use super::{TICKS_N, wrong};
use crate::error::{Error, Result};
use crate::interface::TICKS_PER_FRAME;

/// What is read of every row.
pub(super) struct Wanted<'w> {
    pub(super) folder: &'w Path,
    pub(super) info: &'w Info,
    pub(super) places: &'w [Place],
    /// Features that are the state, and how often each has its values in a row.
    pub(super) state: &'w [String],
    /// Features that are the action.
    pub(super) action: &'w [String],
    /// The feature with marks, where there is one.
    pub(super) marks: &'w [String],
    /// Whether rows say how many ticks they have.
    pub(super) has_ticks: bool,
    pub(super) cameras: &'w [Found],
}

/// The numbers of all rows.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    /// Row after row.
    pub(super) states: Vec<f32>,
    pub(super) actions: Vec<f32>,
    /// Of all ticks, where they are known.
    pub(super) marks: Vec<f32>,
    /// Instruction by row.
    pub(super) tasks: Vec<usize>,
    /// Ticks by row, where rows say so.
    pub(super) n_ticks: Vec<usize>,
}

/// Numbers of a table's columns.
struct Columns {
    /// All, as they are asked for.
    leaves: Vec<usize>,
    /// Name, values and place in `leaves` of what is joined to a state.
    state: Vec<(String, usize, usize)>,
    /// Of an action.
    action: Vec<(String, usize, usize)>,
    /// Of marks.
    marks: Vec<(String, usize, usize)>,
    /// Of ticks.
    ticks: Option<usize>,
    /// Camera and place of pictures in rows.
    pictures: Vec<(usize, usize)>,
}

/// Places of the numbers that every row has.
const INDEX: usize = 0;
const EPISODE: usize = 1;
const FRAME: usize = 2;
const TASK: usize = 3;
const TIMESTAMP: usize = 4;
const FIXED: [&str; 5] = ["index", "episode_index", "frame_index", "task_index", "timestamp"];

/// A feature of numbers, of a kind that is read.
pub(super) fn number_feature<'i>(info: &'i Info, name: &str) -> Result<&'i Feature> {
    let wrong = |reason: String| Err(Error::config("mapping of features", reason));
    let Some(feature) = info.feature(name) else {
        let known: Vec<&str> = info
            .features
            .iter()
            .filter(|(_, one)| one.dtype.starts_with("float"))
            .map(|(key, _)| key.as_str())
            .collect();
        let known = known.join("`, `");
        return wrong(format!("the dataset has no feature `{name}`: it has `{known}`"));
    };
    let known =
        ["float32", "float64", "int8", "int16", "int32", "int64", "uint8", "uint16", "bool"];
    if !known.contains(&feature.dtype.as_str()) {
        let dtype = &feature.dtype;
        return wrong(format!("feature `{name}` is of `{dtype}`: {} are read", known.join(", ")));
    }
    Ok(feature)
}

impl Columns {
    fn of(table: &Table, wanted: &Wanted) -> Result<Columns> {
        let mut leaves = Vec::new();
        for name in FIXED {
            leaves.push(table.numbers(name)?);
        }
        let mut join = |names: &[String]| -> Result<Vec<(String, usize, usize)>> {
            let mut all = Vec::new();
            for name in names {
                let n_values = number_feature(wanted.info, name)?.n_values();
                leaves.push(table.numbers(name)?);
                all.push((name.clone(), n_values, leaves.len() - 1));
            }
            Ok(all)
        };
        let (state, action) = (join(wanted.state)?, join(wanted.action)?);
        let marks = join(wanted.marks)?;
        let ticks = if wanted.has_ticks {
            leaves.push(table.numbers(TICKS_N)?);
            Some(leaves.len() - 1)
        } else {
            None
        };
        let mut pictures = Vec::new();
        for (camera, found) in wanted.cameras.iter().enumerate() {
            if !found.is_video {
                leaves.push(table.bytes(&found.key, Some("bytes"))?);
                pictures.push((camera, leaves.len() - 1));
            }
        }
        Ok(Columns { leaves, state, action, marks, ticks, pictures })
    }
}

/// Where one is in the dataset.
struct Cursor {
    episode: usize,
    frame: usize,
    row: usize,
}

/// Reads the rows of all episodes. `progress` hears how many are done and returns whether to go on.
pub(super) fn read(
    wanted: &Wanted,
    store: &mut Store,
    progress: &mut dyn FnMut(usize) -> bool,
) -> Result<Numbers> {
    let mut numbers = Numbers::default();
    let mut cursor = Cursor { episode: 0, frame: 0, row: 0 };
    while let Some(place) = wanted.places.get(cursor.episode) {
        let path = wanted.info.data_file(wanted.folder, place.data[0], place.data[1]);
        let table = Table::open(&path)?;
        let columns = Columns::of(&table, wanted)?;
        table.each(&columns.leaves, &mut |first, n, rows| {
            for row in 0..n {
                let at = |what: String| wrong(&path, format!("row {}: {what}", first + row));
                if wanted.places.get(cursor.episode).is_none_or(|one| one.data != place.data) {
                    let last = cursor.episode.saturating_sub(1);
                    return Err(at(format!("episode {last} is the last one here, and has ended")));
                }
                step(&columns, rows, row, wanted, &mut cursor, &mut numbers, &at)?;
            }
            let first_row = cursor.row - n;
            store.resize(cursor.row);
            pictures(&columns, rows, [first, first_row, n], &path, wanted, store)?;
            if progress(cursor.row) { Ok(()) } else { Err(Error::Interrupted) }
        })?;
        if wanted.places.get(cursor.episode).is_some_and(|one| one.data == place.data) {
            let (episode, frame, n) = (cursor.episode, cursor.frame, table.n_rows());
            let length = wanted.places[episode].length;
            return Err(wrong(
                &path,
                format!(
                    "it has {n} rows, and ends after {frame} of {length} frames of episode {episode}: \
                     frames are missing"
                ),
            ));
        }
    }
    store.flush()?;
    Ok(numbers)
}

/// Checks and takes the numbers of a row.
fn step(
    columns: &Columns,
    rows: &[Rows],
    row: usize,
    wanted: &Wanted,
    cursor: &mut Cursor,
    numbers: &mut Numbers,
    wrong: &dyn Fn(String) -> Error,
) -> Result<()> {
    let expected = [cursor.row, cursor.episode, cursor.frame];
    for (column, expected) in [INDEX, EPISODE, FRAME].into_iter().zip(expected) {
        let got = rows[column].numbers(row);
        if rows[column].whole(row) != Some(expected) {
            let (name, episode) = (FIXED[column], cursor.episode);
            return Err(wrong(format!(
                "`{name}` is {}, and {expected} should follow in episode {episode}: frames are \
                 missing or out of order",
                got.first().map_or("missing".to_owned(), ToString::to_string)
            )));
        }
    }
    let fps = wanted.info.fps;
    let [secs] = *rows[TIMESTAMP].numbers(row) else {
        return Err(wrong("`timestamp` is missing".to_owned()));
    };
    let expected = cursor.frame as f64 / fps;
    // Times are of 32 bits, and half a frame off is another frame.
    let off = (secs - expected).abs();
    if off.is_nan() || off > 0.5 / fps {
        return Err(wrong(format!(
            "`timestamp` is {}, and frame {} at {fps} frames a second is at {expected:.4}",
            secs as f32, cursor.frame
        )));
    }
    let task = rows[TASK].whole(row);
    numbers.tasks.push(task.ok_or_else(|| wrong("`task_index` is missing".to_owned()))?);
    let join = |parts: &[(String, usize, usize)], to: &mut Vec<f32>| {
        for (name, n_values, at) in parts {
            let values = rows[*at].numbers(row);
            if values.len() != *n_values {
                let n = values.len();
                return Err(wrong(format!("`{name}` has {n} values, and not {n_values}")));
            }
            if let Some(at) = values.iter().position(|value| !(*value as f32).is_finite()) {
                return Err(wrong(format!(
                    "value {at} of `{name}` in frame {} of episode {} is {}, no finite number",
                    cursor.frame, cursor.episode, values[at]
                )));
            }
            to.extend(values.iter().map(|value| *value as f32));
        }
        Ok(())
    };
    join(&columns.state, &mut numbers.states)?;
    join(&columns.action, &mut numbers.actions)?;
    join(&columns.marks, &mut numbers.marks)?;
    let is_last = cursor.frame + 1 == wanted.places[cursor.episode].length;
    if let Some(at) = columns.ticks {
        let most = TICKS_PER_FRAME as usize;
        let n = rows[at].whole(row).filter(|n| (1..=most).contains(n) && (is_last || *n == most));
        numbers.n_ticks.push(n.ok_or_else(|| {
            let [got] = *rows[at].numbers(row) else { return wrong(format!("no `{TICKS_N}`")) };
            wrong(format!("`{TICKS_N}` is {got}; it is {most}, or less in an episode's last row"))
        })?);
    }
    cursor.row += 1;
    cursor.frame += 1;
    if is_last {
        cursor.episode += 1;
        cursor.frame = 0;
    }
    Ok(())
}

/// Unpacks, resizes and stores the pictures of some rows, on as many threads as there are cores.
fn pictures(
    columns: &Columns,
    rows: &[Rows],
    [first_in_file, first_row, n]: [usize; 3],
    path: &Path,
    wanted: &Wanted,
    store: &mut Store,
) -> Result<()> {
    let mut jobs = Vec::new();
    for row in 0..n {
        for &(camera, column) in &columns.pictures {
            jobs.push((row, camera, rows[column].bytes(row)));
        }
    }
    let n_threads = std::thread::available_parallelism().map_or(1, usize::from);
    let share = jobs.len().div_ceil(n_threads).max(1);
    let one = |(row, camera, bytes): &(usize, usize, &[parquet::data_type::ByteArray])| {
        let found = &wanted.cameras[*camera];
        let at = |what: String| {
            wrong(path, format!("row {}: `{}`: {what}", first_in_file + row, found.key))
        };
        let [bytes] = *bytes else {
            return Err(at(
                "the picture is not in the row; `lerobot` embeds it when it saves".to_owned()
            ));
        };
        let picture = decode(bytes.data(), found.size).map_err(at)?;
        Ok((*row, *camera, pack(&picture, &found.camera)))
    };
    type Packed = Vec<(usize, usize, Vec<u8>)>;
    let packed: Vec<Result<Packed>> = std::thread::scope(|scope| {
        let threads: Vec<_> = jobs
            .chunks(share)
            .map(|jobs| scope.spawn(move || jobs.iter().map(one).collect()))
            .collect();
        let join = |thread: std::thread::ScopedJoinHandle<'_, _>| {
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        threads.into_iter().map(join).collect()
    });
    for part in packed {
        for (row, camera, bytes) in part? {
            store.put(first_row + row, camera, &bytes)?;
        }
    }
    Ok(())
}
