//! What a dataset says of itself: instructions, features and their names, and a card.

use parquet::data_type::ByteArray;
use serde_json::json;

use super::writer::Writer;
use crate::error::Result;
use crate::interface::{
    ACTION, ARM_JOINTS, Camera, MARKS, STATE, TICKS_PER_FRAME, TICKS_PER_SECOND,
};
use crate::lerobot::sheet::{Cells, Columns, Kind, Sheet};
use crate::lerobot::{COMPLETED, TICKS_ACTION, TICKS_MARKS, TICKS_N, TICKS_STATE};
use crate::world::body::cameras;

/// Ticks of a row of ours.
pub(super) const PER_ROW: usize = TICKS_PER_FRAME as usize;

/// What a dataset is about.
#[derive(Debug)]
pub(super) struct About {
    /// What lerobot calls the robot's type.
    pub(super) robot: String,
    /// Rows a second.
    pub(super) fps: f64,
    /// Numbers of a row, and the names of their values where they have some.
    pub(super) numbers: Vec<(&'static str, Kind, Option<Vec<String>>)>,
    /// Pictures of a row.
    pub(super) cameras: Vec<Camera>,
    /// What the card says it holds: the beginning of a sentence.
    pub(super) content: String,
    /// What the card says of rows.
    pub(super) rows: String,
}

impl About {
    /// Episodes of our own.
    pub(super) fn ours() -> About {
        let ticks = |width: usize| Kind::Floats(PER_ROW * width);
        About {
            robot: "tetrad".to_owned(),
            fps: f64::from(TICKS_PER_SECOND) / f64::from(TICKS_PER_FRAME),
            numbers: vec![
                ("observation.state", Kind::Floats(STATE), Some(state_names())),
                ("action", Kind::Floats(ACTION), Some(action_names())),
                (TICKS_STATE, ticks(STATE), None),
                (TICKS_ACTION, ticks(ACTION), None),
                (TICKS_MARKS, ticks(MARKS), None),
                (TICKS_N, Kind::Whole, None),
            ],
            cameras: cameras().into(),
            content: "Demonstrations of tetrad's scripted experts in simulation".to_owned(),
            rows: format!(
                "A row is a camera frame, {TICKS_PER_FRAME} ticks of 5 ms: `fps` is {TICKS_PER_SECOND} / \
                 {TICKS_PER_FRAME}, which is no whole number. `observation.state` and `action` are those of \
                 the frame's tick. Those of all its ticks are in `{TICKS_STATE}` and `{TICKS_ACTION}`, one \
                 tick after another; `{TICKS_N}` says how many there are (the last row of an episode may \
                 have fewer, and repeats its last). Pictures are PNG, as they were seen."
            ),
        }
    }

    /// Columns of rows, in the order of `meta/info.json`.
    pub(super) fn columns(&self) -> Columns {
        let mut all: Columns =
            self.numbers.iter().map(|(name, kind, _)| ((*name).to_owned(), *kind)).collect();
        all.extend(self.cameras.iter().map(|camera| (camera_key(camera), Kind::Picture)));
        all.push(("timestamp".to_owned(), Kind::Float));
        let whole = ["frame_index", "episode_index", "index", "task_index"];
        all.extend(whole.map(|name| (name.to_owned(), Kind::Whole)));
        all
    }
}

/// Name of a camera's feature.
fn camera_key(camera: &Camera) -> String {
    format!("observation.images.{}", camera.name)
}

impl Writer {
    /// The table of instructions: pandas looks for them in its index.
    pub(super) fn write_tasks(&self) -> Result<()> {
        let described = |name: &str, kind: &str, numpy: &str| {
            json!({ "name": name, "field_name": name, "pandas_type": kind, "numpy_type": numpy,
                    "metadata": null })
        };
        let mark = json!({
            "index_columns": ["task"],
            "column_indexes": [{ "name": null, "field_name": null, "pandas_type": "unicode",
                "numpy_type": "object", "metadata": { "encoding": "UTF-8" } }],
            "columns": [described("task_index", "int64", "int64"),
                described("task", "unicode", "object")],
            "attributes": {},
            "creator": { "library": "tetrad", "version": env!("CARGO_PKG_VERSION") },
            "pandas_version": "2.0.0"
        });
        let columns = vec![("task_index".to_owned(), Kind::Whole), ("task".to_owned(), Kind::Text)];
        let path = self.folder.join("meta/tasks.parquet");
        let mut sheet =
            Sheet::create(&path, columns, vec![("pandas".to_owned(), mark.to_string())])?;
        let numbers = (0..self.tasks.len()).map(|number| number as i64).collect();
        let texts = self.tasks.iter().map(|task| ByteArray::from(task.as_str())).collect();
        sheet.group(self.tasks.len(), &[Cells::Whole(numbers), Cells::Bytes(texts)])?;
        sheet.close()
    }

    pub(super) fn info(&self) -> serde_json::Value {
        let mut features = serde_json::Map::new();
        for (name, kind) in &self.data.columns {
            let names = self.about.numbers.iter().find(|(known, ..)| known == name);
            let names = json!(names.and_then(|(_, _, names)| names.as_ref()));
            let feature = match kind {
                Kind::Floats(n) => json!({ "dtype": "float32", "shape": [n], "names": names }),
                Kind::Float => json!({ "dtype": "float32", "shape": [1], "names": null }),
                Kind::Picture => {
                    let camera =
                        self.about.cameras.iter().find(|camera| camera_key(camera) == *name);
                    let [height, width] = camera.map_or([0; 2], |one| [one.height, one.width]);
                    json!({ "dtype": "image", "shape": [height, width, 3],
                            "names": ["height", "width", "channels"] })
                }
                _ => json!({ "dtype": "int64", "shape": [1], "names": null }),
            };
            features.insert(name.clone(), feature);
        }
        let [file_mib, chunk_files] = self.sizes;
        let fps = self.about.fps;
        // lerobot has whole numbers, where they are.
        let fps = if fps.fract() == 0.0 { json!(fps as u64) } else { json!(fps) };
        json!({
            "codebase_version": "v3.0",
            "robot_type": self.about.robot,
            "total_episodes": self.n_episodes,
            "total_frames": self.n_rows,
            "total_tasks": self.tasks.len(),
            "chunks_size": chunk_files,
            "data_files_size_in_mb": file_mib,
            "video_files_size_in_mb": 200,
            "fps": fps,
            "splits": { "train": format!("0:{}", self.n_episodes) },
            "data_path": "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet",
            "video_path": null,
            "features": features
        })
    }

    /// What people read of a dataset.
    pub(super) fn card(&self) -> String {
        format!(
            "---\ntags:\n- LeRobot\ntask_categories:\n- robotics\nconfigs:\n- config_name: default\n  \
             data_files: data/*/*.parquet\n---\n\n{}: {} episodes, {} rows, {} instructions, \
             LeRobotDataset v3.0.\n\n{}\n",
            self.about.content,
            self.n_episodes,
            self.n_rows,
            self.tasks.len(),
            self.about.rows
        )
    }
}

/// Names of a wrist's values.
const WRIST_NAMES: [&str; 10] =
    ["x", "y", "z", "r11", "r21", "r31", "r12", "r22", "r32", "gripper"];

fn wrist_names() -> Vec<String> {
    let of = |side: &str| WRIST_NAMES.map(|name| format!("{side}_{name}"));
    [of("left"), of("right")].concat()
}

fn state_names() -> Vec<String> {
    let joints = |side: &str| {
        (1..=ARM_JOINTS).map(|joint| format!("{side}_joint_{joint}")).collect::<Vec<_>>()
    };
    [wrist_names(), joints("left"), joints("right")].concat()
}

fn action_names() -> Vec<String> {
    let mut all = wrist_names();
    all.push(COMPLETED.to_owned());
    all
}
