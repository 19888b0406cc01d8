//! Ours come back as they were.

use std::path::{Path, PathBuf};

use proptest::prelude::{ProptestConfig, prop_assert_eq, proptest};

use crate::collect::{Episode, EpisodeWriter};
use crate::error::Error;
use crate::interface::{ACTION, Camera, MARKS, STATE, TICKS_PER_FRAME};
use crate::language;
use crate::lerobot::{Dataset, ExportConfig, Mapping, Source, export};
use crate::model::PolicyConfig;
use crate::tasks::{Setup, Task, Variation};
use crate::train::Episodes;
use crate::world::picture_buffers;

/// Pictures that no packing makes smaller, where `noise`.
fn paint(picture: &mut [u8], seed: usize, noise: bool) {
    let mut state = seed as u32 + 1;
    for (at, value) in picture.iter_mut().enumerate() {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        *value = if noise { (state >> 24) as u8 } else { (at / 96 + seed) as u8 };
    }
}

/// An episode without a world.
pub(super) fn record(folder: &Path, seed: u64, n_ticks: usize, noise: bool) -> PathBuf {
    let setup = Setup::new(Task::PickPlace, seed, Variation::TRAIN);
    let mut writer = EpisodeWriter::new(&setup, 0, 0.0);
    let mut pictures = picture_buffers();
    for tick in 0..n_ticks {
        let is_new = tick.is_multiple_of(TICKS_PER_FRAME as usize);
        if is_new {
            for (camera, picture) in pictures.iter_mut().enumerate() {
                paint(picture, seed as usize + 100 * tick + camera, noise);
            }
        }
        let value = |at: usize| ((at + tick * 7 + seed as usize) as f32 * 0.31).sin();
        let (state, action) =
            (std::array::from_fn(value), std::array::from_fn(|at| value(at + 50)));
        let (state, action): ([f32; STATE], [f32; ACTION]) = (state, action);
        let marks: [f32; MARKS] = std::array::from_fn(|at| value(at + 90));
        writer.add(&state, &action, &marks, is_new.then_some(&pictures));
    }
    let path = folder.join(format!("{seed:04}.episode"));
    writer.finish(&path).unwrap();
    path
}

fn open(folder: &Path, scratch: &Path) -> Dataset {
    let source = Source {
        folder,
        mapping: &Mapping::default(),
        n_words: 24,
        scratch,
        ffmpeg: Path::new("/no/ffmpeg"),
    };
    Dataset::open(&source, &mut |_, _| true).unwrap()
}

fn assert_same(dataset: &Dataset, at: usize, episode: &Episode) {
    let header = episode.header();
    assert_eq!(dataset.n_ticks(at), header.n_ticks);
    let (mut state, mut action, mut marks) = ([0.0; STATE], [0.0; ACTION], [0.0; MARKS]);
    for tick in 0..header.n_ticks {
        dataset.state(at, tick, &mut state).unwrap();
        dataset.action(at, tick, &mut action).unwrap();
        assert!(dataset.marks(at, tick, &mut marks).unwrap(), "marks are known");
        assert_eq!((&state[..], &action[..]), (episode.state(tick), episode.action(tick)));
        assert_eq!(marks, episode.marks(tick));
    }
    let mut all = vec![0; episode.frame_bytes()];
    for frame in 0..header.n_frames {
        episode.frame(frame, &mut all).unwrap();
        let mut rest = all.as_slice();
        for (camera, one) in header.cameras.iter().enumerate() {
            let mut picture = vec![0; one.bytes()];
            dataset.picture(at, frame, camera, &mut picture).unwrap();
            let (expected, after) = rest.split_at(one.bytes());
            assert!(picture == expected, "frame {frame} of camera {camera}");
            rest = after;
        }
    }
    assert_eq!(dataset.words(at, 0), language::tokens(&header.instruction, 24));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6))]
    #[test]
    fn episodes_come_back_to_the_bit(lengths in proptest::collection::vec(1_usize..20, 1..3)) {
        let folder = tempfile::tempdir().unwrap();
        let (demos, to) = (folder.path().join("demos"), folder.path().join("dataset"));
        std::fs::create_dir(&demos).unwrap();
        let paths: Vec<PathBuf> = lengths
            .iter()
            .enumerate()
            .map(|(at, n_ticks)| record(&demos, at as u64, *n_ticks, at == 0))
            .collect();
        let done = export(&ExportConfig::new(demos, to.clone()), &mut |_| true).unwrap();
        prop_assert_eq!((done.n_episodes, done.finished), (lengths.len(), true));
        let dataset = open(&to, &folder.path().join("scratch"));
        let base = PolicyConfig::shipped("tiny").unwrap();
        prop_assert_eq!(dataset.policy(base.clone()).unwrap(), base, "our own policies fit");
        prop_assert_eq!(Episodes::n_episodes(&dataset), lengths.len());
        for (at, path) in paths.iter().enumerate() {
            assert_same(&dataset, at, &Episode::load(path).unwrap());
        }
    }
}

#[test]
fn files_are_as_large_and_folders_as_full_as_asked() {
    let folder = tempfile::tempdir().unwrap();
    let (demos, to) = (folder.path().join("demos"), folder.path().join("dataset"));
    std::fs::create_dir(&demos).unwrap();
    // Noise of 60 kB a frame: nine frames are more than half a MiB.
    let paths: Vec<PathBuf> = (0..4).map(|seed| record(&demos, seed, 49, true)).collect();
    let config =
        ExportConfig { file_mib: 1, chunk_files: 2, ..ExportConfig::new(demos, to.clone()) };
    export(&config, &mut |_| true).unwrap();
    let names = ["chunk-000/file-000", "chunk-000/file-001", "chunk-001/file-000"];
    for name in names {
        let file = to.join(format!("data/{name}.parquet"));
        assert!(file.metadata().unwrap().len() < 1 << 20, "{name}");
    }
    let dataset = open(&to, folder.path());
    for (at, path) in paths.iter().enumerate() {
        assert_same(&dataset, at, &Episode::load(path).unwrap());
    }
}

#[test]
fn an_interrupted_export_leaves_nothing_that_looks_whole() {
    let folder = tempfile::tempdir().unwrap();
    let (demos, to) = (folder.path().join("demos"), folder.path().join("dataset"));
    std::fs::create_dir(&demos).unwrap();
    record(&demos, 0, 7, false);
    let config = ExportConfig::new(demos, to.clone());
    let done = export(&config, &mut |_| false).unwrap();
    let left = || std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!((done.finished, left()), (false, 1), "only the episodes are there");
    // What a killed export leaves is replaced; what someone else has put there is not.
    let unfinished = folder.path().join("dataset.unfinished");
    std::fs::create_dir_all(unfinished.join("meta")).unwrap();
    let error = export(&config, &mut |_| true).unwrap_err().to_string();
    assert!(error.contains("in the way"), "{error}");
    std::fs::write(unfinished.join(".tetrad-export"), []).unwrap();
    assert!(export(&config, &mut |_| true).unwrap().finished);
    assert_eq!((to.join("meta/info.json").exists(), unfinished.exists()), (true, false));
    assert!(!to.join(".tetrad-export").exists());
    let error = export(&config, &mut |_| true).unwrap_err();
    assert!(matches!(error, Error::Config { .. }) && error.to_string().contains("there already"));
}

#[test]
fn statistics_are_those_of_the_rows() {
    let folder = tempfile::tempdir().unwrap();
    let (demos, to) = (folder.path().join("demos"), folder.path().join("dataset"));
    std::fs::create_dir(&demos).unwrap();
    let paths = [record(&demos, 0, 13, false), record(&demos, 1, 30, false)];
    export(&ExportConfig::new(demos, to.clone()), &mut |_| true).unwrap();
    let text = std::fs::read(to.join("meta/stats.json")).unwrap();
    let stats: serde_json::Value = serde_json::from_slice(&text).unwrap();
    let mut values = Vec::new();
    for path in &paths {
        let episode = Episode::load(path).unwrap();
        let frames = 0..episode.header().n_frames;
        values.extend(frames.map(|frame| f64::from(episode.state(frame * 6)[3])));
    }
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let got = stats["observation.state"]["mean"][3].as_f64().unwrap();
    assert!((got - mean).abs() < 1e-9, "{got} and {mean}");
    assert_eq!(stats["action"]["count"][0], values.len());
    let camera: Camera = crate::world::body::cameras()[0].clone();
    let colours = &stats[format!("observation.images.{}", camera.name)]["max"];
    assert!(colours[2][0][0].as_f64().unwrap() <= 1.0, "{colours}");
}
