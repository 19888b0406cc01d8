//! What is wrong with a dataset is said in one line, with file and row.

use std::path::Path;

use serde_json::json;

use super::foreign::{Foreign, open, png, ppm};
use crate::error::{Error, Result};
use crate::lerobot::{Dataset, Mapping};

/// Opens what `spoil` makes of a good dataset.
fn spoilt(
    with_video: bool,
    spoil: impl Fn(&mut Foreign),
    later: impl Fn(&Path),
) -> Result<Dataset> {
    let folder = tempfile::tempdir().unwrap();
    let mut foreign = Foreign::new(&[3, 4], with_video);
    spoil(&mut foreign);
    let path = foreign.write(folder.path());
    later(&path);
    open(&path, &Mapping::default())
}

fn assert_says(opened: Result<Dataset>, says: &[&str]) {
    let error = opened.expect_err("it is refused");
    assert!(matches!(error, Error::Dataset { .. } | Error::File { .. }), "{error:?}");
    let error = error.to_string();
    for text in says {
        assert!(error.contains(text), "`{text}` is not in: {error}");
    }
    assert!(!error.contains('\n'), "{error}");
}

const DATA: &str = "data/chunk-000/file-000.parquet";
const EPISODES: &str = "meta/episodes/chunk-000/file-000.parquet";

#[test]
fn rows_that_are_missing_or_out_of_order_are_found() {
    let nothing = |_: &Path| {};
    let cut = |all: &mut Foreign| all.rows.truncate(5);
    assert_says(spoilt(false, cut, nothing), &[DATA, "5 rows", "2 of 4 frames of episode 1"]);
    let gap = |all: &mut Foreign| drop(all.rows.remove(4));
    assert_says(spoilt(false, gap, nothing), &[DATA, "row 4", "`index` is 5, and 4"]);
    let jump = |all: &mut Foreign| all.rows[4].frame = 7;
    assert_says(spoilt(false, jump, nothing), &[DATA, "row 4", "`frame_index` is 7, and 1"]);
    let other = |all: &mut Foreign| all.rows[2].episode = 1;
    assert_says(spoilt(false, other, nothing), &[DATA, "row 2", "`episode_index` is 1, and 0"]);
    let late = |all: &mut Foreign| all.rows[5].timestamp = 0.9;
    assert_says(spoilt(false, late, nothing), &[DATA, "row 5", "`timestamp` is 0.9"]);
    let more = |all: &mut Foreign| all.rows.push(all.rows[0].clone());
    assert_says(spoilt(false, more, nothing), &[DATA, "row 7", "episode 1 is the last"]);
}

#[test]
fn numbers_that_are_none_or_too_many_are_found() {
    let nothing = |_: &Path| {};
    let nan = |all: &mut Foreign| all.rows[4].state[1] = f32::NAN;
    let says = [DATA, "row 4", "value 1 of `observation.state` in frame 1 of episode 1 is NaN"];
    assert_says(spoilt(false, nan, nothing), &says);
    let infinite = |all: &mut Foreign| all.rows[6].action[0] = f32::INFINITY;
    assert_says(spoilt(false, infinite, nothing), &[DATA, "row 6", "`action`", "inf"]);
    let wide = |all: &mut Foreign| {
        all.state_width = 4;
        all.rows.iter_mut().for_each(|row| row.state.push(0.0));
    };
    assert_says(spoilt(false, wide, nothing), &[DATA, "row 0", "has 4 values, and not 3"]);
}

#[test]
fn pictures_of_another_size_or_kind_are_found() {
    let nothing = |_: &Path| {};
    let small = |all: &mut Foreign| all.rows[3].picture = png(&[0; 8 * 8 * 3], [8, 8]);
    let says = [DATA, "row 3", "`observation.images.top`", "it is 8x8", "16x12"];
    assert_says(spoilt(false, small, nothing), &says);
    let text = |all: &mut Foreign| all.rows[3].picture = b"GIF89a".to_vec();
    assert_says(spoilt(false, text, nothing), &[DATA, "row 3", "neither PNG nor JPEG"]);
    let cut = |all: &mut Foreign| all.rows[6].picture.truncate(60);
    assert_says(spoilt(false, cut, nothing), &[DATA, "row 6", "does not decode"]);
}

#[test]
fn episodes_that_contradict_each_other_are_found() {
    let nothing = |_: &Path| {};
    let empty = |all: &mut Foreign| all.lengths[1] = 0;
    assert_says(spoilt(false, empty, nothing), &[EPISODES, "row 1", "episode 1 has no frames"]);
    let gap = |all: &mut Foreign| all.starts[1] = 5;
    let says = [EPISODES, "row 1", "begins at frame 5, and those before end at 3"];
    assert_says(spoilt(false, gap, nothing), &says);
    let told = |all: &mut Foreign| all.info["total_frames"] = json!(9);
    assert_says(spoilt(false, told, nothing), &["info.json", "9 frames, and episodes have 7"]);
    let told = |all: &mut Foreign| all.info["total_episodes"] = json!(3);
    assert_says(spoilt(false, told, nothing), &["info.json", "3 episodes, and 2 are described"]);
    let tasks = |all: &mut Foreign| drop(all.tasks.pop());
    assert_says(
        spoilt(false, tasks, nothing),
        &["meta/tasks.parquet", "frame 3", "`task_index` 1"],
    );
}

#[test]
fn other_versions_and_kinds_are_named() {
    let nothing = |_: &Path| {};
    let old = |all: &mut Foreign| all.info["codebase_version"] = json!("v2.1");
    let says = ["info.json", "format v2.1", "convert_dataset_v21_to_v30"];
    assert_says(spoilt(false, old, nothing), &says);
    let new = |all: &mut Foreign| all.info["codebase_version"] = json!("v4.0");
    assert_says(spoilt(false, new, nothing), &["format v4.0, and v3.0 is read"]);
    let fps = |all: &mut Foreign| all.info["fps"] = json!(0);
    assert_says(spoilt(false, fps, nothing), &["info.json", "`fps` is 0"]);
    let huge =
        |all: &mut Foreign| all.info["features"]["action"]["shape"] = json!([1_u64 << 40, 2]);
    assert_says(spoilt(false, huge, nothing), &["info.json", "`action` has shape"]);
    let dtype = |all: &mut Foreign| all.info["features"]["action"]["dtype"] = json!("complex64");
    let error = spoilt(false, dtype, nothing).unwrap_err().to_string();
    assert!(error.contains("`action` is of `complex64`: float32"), "{error}");
    let json = |path: &Path| std::fs::write(path.join("meta/info.json"), "{\"fps\": 1").unwrap();
    assert_says(spoilt(false, |_| {}, json), &["info.json", "no JSON"]);
}

#[test]
fn files_that_are_cut_changed_or_missing_are_named() {
    for (name, keep) in
        [(DATA, 300), (DATA, 4), (DATA, 0), (EPISODES, 100), ("meta/tasks.parquet", 20)]
    {
        let cut = |path: &Path| {
            let bytes = std::fs::read(path.join(name)).unwrap();
            std::fs::write(path.join(name), &bytes[..keep]).unwrap();
        };
        assert_says(spoilt(false, |_| {}, cut), &[name, "no whole Parquet file"]);
    }
    let gone = |path: &Path| std::fs::remove_file(path.join(DATA)).unwrap();
    assert_says(spoilt(false, |_| {}, gone), &[DATA, "No such file"]);
    // Without checksums a change may pass for another number; it is never a panic.
    let folder = tempfile::tempdir().unwrap();
    let path = Foreign::new(&[2], false).write(folder.path());
    let whole = std::fs::read(path.join(DATA)).unwrap();
    for at in (4..whole.len()).step_by(whole.len() / 150) {
        let mut changed = whole.clone();
        changed[at] ^= 0x15;
        std::fs::write(path.join(DATA), &changed).unwrap();
        if let Err(error) = open(&path, &Mapping::default()) {
            let error = error.to_string();
            assert!(error.contains("dataset/") && !error.contains('\n'), "{error}");
        }
    }
}

#[test]
fn videos_that_are_missing_short_or_of_another_size_are_named() {
    let video = "videos/observation.images.side/chunk-000/file-000.mp4";
    let gone = |path: &Path| std::fs::remove_file(path.join(video)).unwrap();
    assert_says(spoilt(true, |_| {}, gone), &[video, "the video is missing"]);
    let short = |all: &mut Foreign| all.frames.as_mut().unwrap().truncate(5);
    let says = [video, "it has 5 frames, and frame 2 of episode 1 is its frame 5"];
    assert_says(spoilt(true, short, |_| {}), &says);
    let size = |all: &mut Foreign| all.frames.as_mut().unwrap()[4] = ppm(&[0; 192], [8, 8]);
    assert_says(spoilt(true, size, |_| {}), &[video, "frames are 8x8", "16x12"]);
    let cut = |path: &Path| std::fs::write(path.join(video), b"P6\n16 12\n255\n123").unwrap();
    assert_says(spoilt(true, |_| {}, cut), &[video, "frame 0", "cut off"]);
    let other = |path: &Path| std::fs::write(path.join(video), b"").unwrap();
    assert_says(spoilt(true, |_| {}, other), &[video, "ffmpeg reads no video"]);
}
