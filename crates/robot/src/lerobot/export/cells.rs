//! Rows of an episode as cells: numbers, and pictures as PNG.

use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder as _};
use parquet::data_type::ByteArray;

use super::about::PER_ROW;
use crate::collect::Episode;
use crate::error::{Error, Result};
use crate::interface::Camera;
use crate::lerobot::sheet::Cells;
use crate::lerobot::summary::Colours;

/// States and actions of rows, then those and the marks of all their ticks, then how many those are.
pub(super) fn numbers_of(episode: &Episode, rows: std::ops::Range<usize>) -> [Cells; 6] {
    let last = episode.header().n_ticks - 1;
    let (mut states, mut actions) = (Vec::new(), Vec::new());
    let (mut ticks_states, mut ticks_actions) = (Vec::new(), Vec::new());
    let (mut ticks_marks, mut ticks_n) = (Vec::new(), Vec::new());
    for row in rows {
        let first = row * PER_ROW;
        states.extend(episode.state(first));
        actions.extend(episode.action(first));
        for tick in first..first + PER_ROW {
            ticks_states.extend(episode.state(tick.min(last)));
            ticks_actions.extend(episode.action(tick.min(last)));
            ticks_marks.extend(episode.marks(tick.min(last)));
        }
        ticks_n.push(PER_ROW.min(last + 1 - first) as i64);
    }
    let [states, actions, ticks_states, ticks_actions, ticks_marks] =
        [states, actions, ticks_states, ticks_actions, ticks_marks].map(Cells::Float);
    [states, actions, ticks_states, ticks_actions, ticks_marks, Cells::Whole(ticks_n)]
}

/// The pictures of a row, one camera after another.
pub(super) type Frame<'f> = &'f (dyn Fn(usize, &mut [u8]) -> Result<()> + Sync);

/// Pictures of rows as PNG, camera by camera, on as many threads as there are cores.
pub(super) fn pictures_of(
    cameras: &[Camera],
    frame: Frame<'_>,
    rows: std::ops::Range<usize>,
    colours: &mut [Colours],
) -> Result<Vec<Cells>> {
    let n_bytes = cameras.iter().map(Camera::bytes).sum();
    let one = |row: usize, colours: &mut [Colours]| -> Result<Vec<ByteArray>> {
        let mut bytes = vec![0; n_bytes];
        frame(row, &mut bytes)?;
        let mut rest = bytes.as_slice();
        let mut all = Vec::with_capacity(cameras.len());
        for (camera, colours) in cameras.iter().zip(colours) {
            let (picture, after) = rest.split_at(camera.bytes());
            rest = after;
            colours.add(picture);
            all.push(ByteArray::from(png(camera, picture)?));
        }
        Ok(all)
    };
    let some = |rows: std::ops::Range<usize>| {
        let mut colours = vec![Colours::new(); cameras.len()];
        let all: Result<Vec<Vec<ByteArray>>> = rows.map(|row| one(row, &mut colours)).collect();
        all.map(|all| (all, colours))
    };
    let n_threads = std::thread::available_parallelism().map_or(1, usize::from);
    let share = rows.len().div_ceil(n_threads).max(1);
    let parts: Vec<Result<_>> = std::thread::scope(|scope| {
        let starts = rows.clone().step_by(share);
        let threads: Vec<_> = starts
            .map(|from| scope.spawn(move || some(from..(from + share).min(rows.end))))
            .collect();
        let join = |thread: std::thread::ScopedJoinHandle<'_, _>| {
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        threads.into_iter().map(join).collect()
    });
    let mut by_camera: Vec<Vec<ByteArray>> = vec![Vec::with_capacity(rows.len()); cameras.len()];
    for part in parts {
        let (pictures, counted) = part?;
        for (to, from) in colours.iter_mut().zip(&counted) {
            to.join(from);
        }
        for (camera, picture) in pictures.into_iter().flat_map(|row| row.into_iter().enumerate()) {
            by_camera[camera].push(picture);
        }
    }
    Ok(by_camera.into_iter().map(Cells::Bytes).collect())
}

fn png(camera: &Camera, picture: &[u8]) -> Result<Vec<u8>> {
    let mut file = Vec::new();
    let encoder =
        PngEncoder::new_with_quality(&mut file, CompressionType::Fast, FilterType::Adaptive);
    let (width, height) = (camera.width as u32, camera.height as u32);
    encoder.write_image(picture, width, height, ExtendedColorType::Rgb8).map_err(|error| {
        Error::config("export", format!("no PNG of camera `{}`: {error}", camera.name))
    })?;
    Ok(file)
}
