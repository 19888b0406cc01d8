//! What a dataset says of itself: instructions, features and their names, and a card.

use parquet::data_type::ByteArray;
use serde_json::json;

use super::{Exporter, camera_key};
use crate::error::Result;
use crate::interface::{ARM_JOINTS, TICKS_PER_FRAME, TICKS_PER_SECOND};
use crate::lerobot::sheet::{Cells, Kind, Sheet};
use crate::lerobot::{COMPLETED, TICKS_ACTION, TICKS_N, TICKS_STATE};
use crate::world::body::cameras;

impl Exporter<'_> {
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
            let names = match name.as_str() {
                "observation.state" => json!(state_names()),
                "action" => json!(action_names()),
                _ => json!(null),
            };
            let feature = match kind {
                Kind::Floats(n) => json!({ "dtype": "float32", "shape": [n], "names": names }),
                Kind::Float => json!({ "dtype": "float32", "shape": [1], "names": null }),
                Kind::Picture => {
                    let cameras = cameras();
                    let camera = cameras.iter().find(|camera| camera_key(camera) == *name);
                    let [height, width] = camera.map_or([0; 2], |one| [one.height, one.width]);
                    json!({ "dtype": "image", "shape": [height, width, 3],
                            "names": ["height", "width", "channels"] })
                }
                _ => json!({ "dtype": "int64", "shape": [1], "names": null }),
            };
            features.insert(name.clone(), feature);
        }
        json!({
            "codebase_version": "v3.0",
            "robot_type": "tetrad",
            "total_episodes": self.n_episodes,
            "total_frames": self.n_rows,
            "total_tasks": self.tasks.len(),
            "chunks_size": self.config.chunk_files,
            "data_files_size_in_mb": self.config.file_mib,
            "video_files_size_in_mb": 200,
            "fps": f64::from(TICKS_PER_SECOND) / f64::from(TICKS_PER_FRAME),
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
             data_files: data/*/*.parquet\n---\n\nDemonstrations of tetrad's scripted experts in \
             simulation: {} episodes, {} rows, {} instructions, LeRobotDataset v3.0.\n\nA row is a \
             camera frame, {TICKS_PER_FRAME} ticks of 5 ms: `fps` is {TICKS_PER_SECOND} / \
             {TICKS_PER_FRAME}, which is no whole number. `observation.state` and `action` are those of \
             the frame's tick. Those of all its ticks are in `{TICKS_STATE}` and `{TICKS_ACTION}`, one \
             tick after another; `{TICKS_N}` says how many there are (the last row of an episode may \
             have fewer, and repeats its last). Pictures are PNG, as they were seen.\n",
            self.n_episodes,
            self.n_rows,
            self.tasks.len()
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
