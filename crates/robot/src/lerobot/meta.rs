//! The tables below `meta`: instructions, and where episodes are.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::info::Info;
use super::table::{Rows, Table};
use super::wrong;
use crate::error::{Error, Result};

/// Where one episode is.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Place {
    /// Rows.
    pub(super) length: usize,
    /// Its first row, of all of the dataset.
    pub(super) first_row: usize,
    /// Chunk and file of its rows.
    pub(super) data: [usize; 2],
    /// Chunk and file of its videos, and when they begin there, in seconds; camera by camera.
    pub(super) videos: Vec<([usize; 2], f64)>,
}

/// Instructions by their number.
pub(super) fn tasks(folder: &Path) -> Result<BTreeMap<usize, String>> {
    let table = Table::open(&folder.join("meta/tasks.parquet"))?;
    let number = table.numbers("task_index")?;
    // pandas calls an index without a name so.
    let named = |name: &str| table.bytes(name, None);
    let text = named("task").or_else(|error| named("__index_level_0__").map_err(|_| error))?;
    let mut all = BTreeMap::new();
    table.each(&[number, text], &mut |first, n, rows| {
        for row in 0..n {
            let one = rows[0].whole(row).zip(rows[1].text(row));
            let (number, text) = one.ok_or_else(|| {
                wrong(table.path(), format!("row {}: no instruction", first + row))
            })?;
            all.insert(number, text);
        }
        Ok(())
    })?;
    Ok(all)
}

/// All episodes in their order; `videos` are the features with videos.
pub(super) fn episodes(folder: &Path, info: &Info, videos: &[&str]) -> Result<Vec<Place>> {
    let files = files(&folder.join("meta/episodes"))?;
    let mut all: Vec<Place> = Vec::new();
    for path in &files {
        let table = Table::open(path)?;
        let mut columns = Vec::new();
        let fixed = [
            "episode_index",
            "length",
            "data/chunk_index",
            "data/file_index",
            "dataset_from_index",
            "dataset_to_index",
        ];
        for name in fixed {
            columns.push(table.numbers(name)?);
        }
        for key in videos {
            for part in ["chunk_index", "file_index", "from_timestamp"] {
                columns.push(table.numbers(&format!("videos/{key}/{part}"))?);
            }
        }
        table.each(&columns, &mut |first, n, rows| {
            for row in 0..n {
                let at = |what: String| wrong(path, format!("row {}: {what}", first + row));
                all.push(place(rows, row, all.len(), all.last(), videos, &at)?);
            }
            Ok(())
        })?;
    }
    let told = folder.join("meta/info.json");
    if all.len() != info.total_episodes {
        let (n, told_n) = (all.len(), info.total_episodes);
        return Err(wrong(&told, format!("it tells of {told_n} episodes, and {n} are described")));
    }
    let n_rows = all.last().map_or(0, |last| last.first_row + last.length);
    if n_rows != info.total_frames {
        let told_n = info.total_frames;
        return Err(wrong(
            &told,
            format!("it tells of {told_n} frames, and episodes have {n_rows}"),
        ));
    }
    if all.is_empty() {
        return Err(wrong(&told, "the dataset has no episode"));
    }
    Ok(all)
}

/// One row of the table, held to the one before.
fn place(
    rows: &[Rows],
    row: usize,
    episode: usize,
    before: Option<&Place>,
    videos: &[&str],
    wrong: &dyn Fn(String) -> Error,
) -> Result<Place> {
    let whole = |column: usize, name: &str| {
        let number = rows[column].whole(row);
        number.ok_or_else(|| wrong(format!("`{name}` of episode {episode} is no whole number")))
    };
    let index = whole(0, "episode_index")?;
    if index != episode {
        return Err(wrong(format!("episode {index} where episode {episode} is expected")));
    }
    let length = whole(1, "length")?;
    let [from, to] = [whole(4, "dataset_from_index")?, whole(5, "dataset_to_index")?];
    if length == 0 {
        return Err(wrong(format!("episode {episode} has no frames: remove it from the dataset")));
    }
    let expected = before.map_or(0, |before| before.first_row + before.length);
    if from != expected {
        let what =
            format!("episode {episode} begins at frame {from}, and those before end at {expected}");
        return Err(wrong(what));
    }
    if to.checked_sub(from) != Some(length) {
        let what = format!("episode {episode} goes from {from} to {to}, and has {length} frames");
        return Err(wrong(what));
    }
    let video = |(at, key): (usize, &&str)| {
        let column = 6 + 3 * at;
        let file = [whole(column, key)?, whole(column + 1, key)?];
        let [secs] = *rows[column + 2].numbers(row) else {
            return Err(wrong(format!("episode {episode} has no begin of `{key}`")));
        };
        if !(0.0..1e9).contains(&secs) {
            return Err(wrong(format!("`{key}` of episode {episode} begins at {secs} s")));
        }
        Ok((file, secs))
    };
    Ok(Place {
        length,
        first_row: from,
        data: [whole(2, "data/chunk_index")?, whole(3, "data/file_index")?],
        videos: videos.iter().enumerate().map(video).collect::<Result<_>>()?,
    })
}

/// All Parquet files of a folder's folders, by name.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let entries = |folder: &Path| -> Result<Vec<PathBuf>> {
        let failed = |error| Error::file(folder, error);
        let mut all = Vec::new();
        for entry in std::fs::read_dir(folder).map_err(failed)? {
            all.push(entry.map_err(failed)?.path());
        }
        Ok(all)
    };
    for chunk in entries(folder)?.into_iter().filter(|path| path.is_dir()) {
        let is_table = |path: &PathBuf| path.extension().is_some_and(|end| end == "parquet");
        found.extend(entries(&chunk)?.into_iter().filter(is_table));
    }
    found.sort();
    Ok(found)
}
