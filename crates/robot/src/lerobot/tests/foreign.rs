//! Datasets of other robots.

use std::path::{Path, PathBuf};

use image::{ExtendedColorType, ImageEncoder as _};
use parquet::data_type::ByteArray;
use serde_json::{Value, json};

use crate::error::{Error, Result};
use crate::language;
use crate::lerobot::sheet::{Cells, Columns, Kind, Sheet};
use crate::lerobot::{CameraMapping, Dataset, Mapping, Source};
use crate::train::{Ages, Episodes, Recipe, Trainer, measure, twin};

/// Width and height of its pictures.
const SIZE: [usize; 2] = [16, 12];

/// A dataset that is made up row by row: 10 rows a second, a state of 3 and an action of 2 values, one
/// camera in the rows and, where there are some, one of videos.
pub(super) struct Foreign {
    /// Rows of each episode, as the table of episodes has them.
    pub(super) lengths: Vec<i64>,
    /// Where the episodes begin, there.
    pub(super) starts: Vec<i64>,
    /// All rows.
    pub(super) rows: Vec<Row>,
    /// `meta/info.json`.
    pub(super) info: Value,
    /// Instructions.
    pub(super) tasks: Vec<(i64, String)>,
    /// The frames of videos; none where there is no such camera.
    pub(super) frames: Option<Vec<Vec<u8>>>,
    pub(super) state_width: usize,
}

#[derive(Clone)]
pub(super) struct Row {
    pub(super) state: Vec<f32>,
    pub(super) action: [f32; 2],
    pub(super) picture: Vec<u8>,
    pub(super) timestamp: f32,
    pub(super) frame: i64,
    pub(super) episode: i64,
    pub(super) index: i64,
    pub(super) task: i64,
}

/// A picture of one colour, which tells row and camera.
fn pixels(row: usize, camera: u8) -> Vec<u8> {
    [row as u8 * 5, 255 - row as u8, camera].repeat(SIZE[0] * SIZE[1])
}

pub(super) fn png(pixels: &[u8], [width, height]: [usize; 2]) -> Vec<u8> {
    let mut file = Vec::new();
    image::codecs::png::PngEncoder::new(&mut file)
        .write_image(pixels, width as u32, height as u32, ExtendedColorType::Rgb8)
        .unwrap();
    file
}

/// A frame as the twin of `ffmpeg` gives it.
pub(super) fn ppm(pixels: &[u8], [width, height]: [usize; 2]) -> Vec<u8> {
    [format!("P6\n{width} {height}\n255\n").into_bytes(), pixels.to_vec()].concat()
}

impl Foreign {
    pub(super) fn new(lengths: &[usize], with_video: bool) -> Foreign {
        let mut rows = Vec::new();
        let mut starts = Vec::new();
        for (episode, length) in lengths.iter().enumerate() {
            starts.push(rows.len() as i64);
            for frame in 0..*length {
                let index = rows.len();
                rows.push(Row {
                    state: vec![index as f32, frame as f32 * 0.1, -1.0],
                    action: [index as f32 * 2.0, 0.5],
                    picture: png(&pixels(index, 0), SIZE),
                    timestamp: frame as f32 / 10.0,
                    frame: frame as i64,
                    episode: episode as i64,
                    index: index as i64,
                    task: (episode % 2) as i64,
                });
            }
        }
        let number = |n: usize| json!({ "dtype": "float32", "shape": [n], "names": null });
        let whole = json!({ "dtype": "int64", "shape": [1], "names": null });
        let camera = |dtype: &str| {
            json!({ "dtype": dtype, "shape": [SIZE[1], SIZE[0], 3],
                    "names": ["height", "width", "channels"] })
        };
        let mut features = json!({
            "observation.state": number(3), "action": number(2),
            "observation.images.top": camera("image"),
            "timestamp": number(1), "frame_index": whole, "episode_index": whole, "index": whole,
            "task_index": whole
        });
        if with_video {
            features["observation.images.side"] = camera("video");
        }
        let info = json!({
            "codebase_version": "v3.0", "robot_type": "other", "total_episodes": lengths.len(),
            "total_frames": rows.len(), "total_tasks": 2, "chunks_size": 1000, "fps": 10,
            "splits": {}, "data_path": "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet",
            "video_path": "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4",
            "features": features
        });
        Foreign {
            lengths: lengths.iter().map(|length| *length as i64).collect(),
            starts,
            frames: with_video
                .then(|| (0..rows.len()).map(|row| ppm(&pixels(row, 9), SIZE)).collect()),
            info,
            tasks: vec![(0, "put the red cube in the bin".into()), (1, "open the drawer".into())],
            state_width: 3,
            rows,
        }
    }

    /// Writes it, with all rows in one file.
    pub(super) fn write(&self, folder: &Path) -> PathBuf {
        let to = folder.join("dataset");
        let sheet = |name: &str, columns: Columns, n: usize, cells: &[Cells]| {
            let mut sheet = Sheet::create(&to.join(name), columns, Vec::new()).unwrap();
            sheet.group(n, cells).unwrap();
            sheet.close().unwrap();
        };
        let named = |all: &[(&str, Kind)]| -> Columns {
            all.iter().map(|(name, kind)| ((*name).to_owned(), *kind)).collect()
        };
        let rows = |of: &dyn Fn(&Row) -> i64| Cells::Whole(self.rows.iter().map(of).collect());
        let columns = named(&[
            ("observation.state", Kind::Floats(self.state_width)),
            ("action", Kind::Floats(2)),
            ("observation.images.top", Kind::Picture),
            ("timestamp", Kind::Float),
            ("frame_index", Kind::Whole),
            ("episode_index", Kind::Whole),
            ("index", Kind::Whole),
            ("task_index", Kind::Whole),
        ]);
        let cells = [
            Cells::Float(self.rows.iter().flat_map(|row| row.state.clone()).collect()),
            Cells::Float(self.rows.iter().flat_map(|row| row.action).collect()),
            Cells::Bytes(
                self.rows.iter().map(|row| ByteArray::from(row.picture.clone())).collect(),
            ),
            Cells::Float(self.rows.iter().map(|row| row.timestamp).collect()),
            rows(&|row| row.frame),
            rows(&|row| row.episode),
            rows(&|row| row.index),
            rows(&|row| row.task),
        ];
        sheet("data/chunk-000/file-000.parquet", columns, self.rows.len(), &cells);
        let n = self.lengths.len();
        let mut columns = named(&[
            ("episode_index", Kind::Whole),
            ("length", Kind::Whole),
            ("data/chunk_index", Kind::Whole),
            ("data/file_index", Kind::Whole),
            ("dataset_from_index", Kind::Whole),
            ("dataset_to_index", Kind::Whole),
        ]);
        let ends = self.starts.iter().zip(&self.lengths).map(|(start, length)| start + length);
        let mut cells = vec![
            Cells::Whole((0..n as i64).collect()),
            Cells::Whole(self.lengths.clone()),
            Cells::Whole(vec![0; n]),
            Cells::Whole(vec![0; n]),
            Cells::Whole(self.starts.clone()),
            Cells::Whole(ends.collect()),
        ];
        if self.frames.is_some() {
            let of = |part: &str| format!("videos/observation.images.side/{part}");
            columns.push((of("chunk_index"), Kind::Whole));
            columns.push((of("file_index"), Kind::Whole));
            columns.push((of("from_timestamp"), Kind::Float));
            cells.push(Cells::Whole(vec![0; n]));
            cells.push(Cells::Whole(vec![0; n]));
            cells
                .push(Cells::Float(self.starts.iter().map(|start| *start as f32 / 10.0).collect()));
        }
        sheet("meta/episodes/chunk-000/file-000.parquet", columns, n, &cells);
        let columns = named(&[("task_index", Kind::Whole), ("task", Kind::Text)]);
        let cells = [
            Cells::Whole(self.tasks.iter().map(|(number, _)| *number).collect()),
            Cells::Bytes(
                self.tasks.iter().map(|(_, text)| ByteArray::from(text.as_str())).collect(),
            ),
        ];
        sheet("meta/tasks.parquet", columns, self.tasks.len(), &cells);
        std::fs::write(to.join("meta/info.json"), self.info.to_string()).unwrap();
        if let Some(frames) = self.frames.as_ref().filter(|frames| !frames.is_empty()) {
            let video = to.join("videos/observation.images.side/chunk-000/file-000.mp4");
            std::fs::create_dir_all(video.parent().unwrap()).unwrap();
            std::fs::write(video, frames.concat()).unwrap();
        }
        to
    }
}

/// Opens a dataset with the twin of `ffmpeg`.
pub(super) fn open(folder: &Path, mapping: &Mapping) -> Result<Dataset> {
    let ffmpeg = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/ffmpeg_twin.sh");
    let scratch = folder.with_file_name("scratch");
    let source = Source { folder, mapping, n_words: 8, scratch: &scratch, ffmpeg: &ffmpeg };
    Dataset::open(&source, &mut |_, _| true)
}

fn picture(dataset: &Dataset, [episode, frame, camera]: [usize; 3]) -> Vec<u8> {
    let mut bytes = vec![0; dataset.cameras()[camera].bytes()];
    dataset.picture(episode, frame, camera, &mut bytes).unwrap();
    bytes[..3].to_vec()
}

#[test]
fn ticks_lie_on_the_line_between_rows_and_see_the_last_picture() {
    let folder = tempfile::tempdir().unwrap();
    let path = Foreign::new(&[3, 2], true).write(folder.path());
    let mut mapping = Mapping::default();
    let dataset = open(&path, &mapping).unwrap();
    // A row lasts 0.1 s, which are 20 ticks; a frame is six ticks.
    let n_ticks: Vec<usize> = (0..2).map(|episode| dataset.n_ticks(episode)).collect();
    assert_eq!((Episodes::n_episodes(&dataset), n_ticks), (2, vec![60, 40]));
    let (mut state, mut action) = ([0.0; 3], [0.0; 3]);
    dataset.state(1, 5, &mut state).unwrap();
    dataset.action(1, 5, &mut action).unwrap();
    assert_eq!((state[0], action[0]), (3.25, 6.5));
    assert_eq!(action[2], 6.0 / 40.0, "the completed share is added");
    dataset.state(1, 39, &mut state).unwrap();
    assert_eq!(state[0], 4.0, "the last row lasts");
    for (frame, row) in [(0, 0), (3, 0), (4, 1), (6, 1), (7, 2), (9, 2)] {
        assert_eq!(picture(&dataset, [0, frame, 0]), [row * 5, 255 - row, 0], "frame {frame}");
        assert_eq!(picture(&dataset, [0, frame, 1]), [row * 5, 255 - row, 9], "frame {frame}");
    }
    assert_eq!(picture(&dataset, [1, 0, 1]), [15, 252, 9], "the second episode's video");
    assert_eq!(dataset.words(1, 0), language::tokens("open the drawer", 8));
    mapping.hold = true;
    open(&path, &mapping).unwrap().state(1, 19, &mut state).unwrap();
    assert_eq!(state[0], 3.0);
}

#[test]
fn an_episode_is_cut_where_its_instruction_changes() {
    let folder = tempfile::tempdir().unwrap();
    let mut foreign = Foreign::new(&[4], false);
    foreign.rows[3].task = 1;
    let dataset = open(&foreign.write(folder.path()), &Mapping::default()).unwrap();
    assert_eq!((Episodes::n_episodes(&dataset), dataset.info().total_episodes), (2, 1));
    assert_eq!((dataset.n_ticks(0), dataset.n_ticks(1)), (60, 20));
    assert_eq!(dataset.words(1, 0), language::tokens("open the drawer", 8));
    assert_eq!(picture(&dataset, [1, 0, 0])[0], 15);
}

#[test]
fn features_are_mapped_and_pictures_resized() {
    let folder = tempfile::tempdir().unwrap();
    let path = Foreign::new(&[2], true).write(folder.path());
    let file = folder.path().join("mapping.toml");
    let text = r#"
        state = ["action", "observation.state"]
        [[cameras]]
        feature = "observation.images.side"
        name = "head"
        width = 8
        height = 9
    "#;
    std::fs::write(&file, text).unwrap();
    let dataset = open(&path, &Mapping::load(&file).unwrap()).unwrap();
    let config = dataset.policy(twin::config()).unwrap();
    assert_eq!((config.state, config.action, config.cameras.len()), (5, 3, 1));
    let camera = &config.cameras[0];
    assert_eq!((camera.name.as_str(), camera.width, camera.height), ("head", 8, 9));
    assert_eq!(picture(&dataset, [0, 7, 0]), [5, 254, 9]);
    std::fs::write(&file, "stat = []").unwrap();
    let error = Mapping::load(&file).unwrap_err().to_string();
    assert!(error.contains("stat") && error.contains("mapping.toml"), "{error}");
}

#[test]
fn a_mapping_that_does_not_fit_is_one_line_that_says_what_there_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = Foreign::new(&[2], true).write(folder.path());
    let camera = |feature: &str, width| CameraMapping {
        feature: feature.to_owned(),
        name: None,
        width,
        height: None,
        slow: false,
    };
    let cases = [
        (Mapping { state: vec!["pose".into()], ..Mapping::default() }, "`observation.state`"),
        (Mapping { action: Vec::new(), ..Mapping::default() }, "`action` need"),
        (Mapping { wrists: true, ..Mapping::default() }, "`wrists` is set"),
        (Mapping { cameras: vec![camera("eye", None)], ..Mapping::default() }, "images.side"),
        (
            Mapping {
                cameras: vec![camera("observation.images.top", Some(4))],
                ..Mapping::default()
            },
            "4x3",
        ),
    ];
    for (mapping, says) in cases {
        let error = open(&path, &mapping).unwrap_err();
        assert!(matches!(error, Error::Config { .. }), "{error}");
        let error = error.to_string();
        assert!(error.contains(says) && !error.contains('\n'), "{error}");
    }
    let mut foreign = Foreign::new(&[2], false);
    foreign.info["features"]["action"]["shape"] = json!([20]);
    foreign.info["features"]["observation.state"]["shape"] = json!([20]);
    let error = open(&foreign.write(folder.path()), &Mapping::default()).unwrap_err().to_string();
    assert!(error.contains("wrists = true"), "{error}");
}

#[test]
fn a_policy_learns_from_another_robot() {
    let folder = tempfile::tempdir().unwrap();
    let path = Foreign::new(&[3, 2], false).write(folder.path());
    let dataset = open(&path, &Mapping::default()).unwrap();
    // The twin's instructions have two words of a vocabulary of eight; these have more.
    let mut base = twin::config();
    (base.s2.words, base.s2.vocabulary) = (8, language::VOCABULARY);
    let config = dataset.policy(base).unwrap();
    assert_eq!(config.name, "twin-other");
    let recipe = Recipe {
        steps: 2,
        batch: 2,
        together: 2,
        shift: 1,
        ages: Ages::between(0, 9),
        ..Recipe::tiny()
    };
    let normal = measure(&dataset, &config, None, 1).unwrap();
    let mut trainer = Trainer::new(config, normal, recipe).unwrap();
    for _ in 0..2 {
        assert!(trainer.learn(&dataset).unwrap().error.is_finite());
    }
}
