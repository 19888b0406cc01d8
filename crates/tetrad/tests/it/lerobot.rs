//! LeRobot datasets that cannot be used: one line, a hint, an exit code.

use std::path::Path;

use crate::binary::{Ran, tetrad};

/// A folder with nothing but this `meta/info.json`.
fn dataset(folder: &Path, version: &str) {
    let meta = folder.join("dataset/meta");
    std::fs::create_dir_all(&meta).expect("writable");
    let info = serde_json::json!({
        "codebase_version": version, "fps": 30, "total_episodes": 1, "total_frames": 3,
        "data_path": "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet",
        "video_path": "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4",
        "features": {
            "observation.state": { "dtype": "float32", "shape": [6] },
            "action": { "dtype": "float32", "shape": [6] },
            "observation.images.top": { "dtype": "video", "shape": [48, 64, 3] }
        }
    });
    std::fs::write(meta.join("info.json"), info.to_string()).expect("writable");
}

fn assert_refused(ran: &Ran, code: i32, says: &str) {
    assert_eq!(ran.code, code, "{}", ran.stderr);
    let error = ran.stderr.lines().next().unwrap_or_default();
    assert!(error.starts_with("tetrad: ") && error.contains(says), "{}", ran.stderr);
    assert!(ran.stdout.is_empty(), "nothing that looks like an answer");
}

const TRAIN: [&str; 6] = ["robot", "train", "--episodes", "dataset", "--to", "policy"];

#[test]
fn a_dataset_that_cannot_be_read_is_one_line_with_its_exit_code() {
    let folder = tempfile::tempdir().expect("a folder");
    dataset(folder.path(), "v2.1");
    assert_refused(&tetrad(folder.path(), &TRAIN), 2, "convert_dataset_v21_to_v30");
    dataset(folder.path(), "v3.0");
    let without = [&TRAIN[..], &["--ffmpeg", "/no/such/ffmpeg"]].concat();
    let ran = tetrad(folder.path(), &without);
    assert_refused(&ran, 3, "/no/such/ffmpeg");
    assert!(ran.stderr.contains("TETRAD_FFMPEG"), "{}", ran.stderr);
    let map = folder.path().join("map.toml");
    std::fs::write(&map, "state = [\"pose\"]").expect("writable");
    let mapped = [&TRAIN[..], &["--features", "map.toml"]].concat();
    assert_refused(&tetrad(folder.path(), &mapped), 2, "`pose`");
    let export = ["robot", "export", "--episodes", "dataset", "--to", "other"];
    assert_refused(&tetrad(folder.path(), &export), 2, "no episode below");
    assert!(!folder.path().join("other").exists());
}
