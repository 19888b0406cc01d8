//! `meta/info.json`: what a dataset holds.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::wrong;
use crate::error::{Error, Result};

/// Most values of a feature in a row: more is a mistake.
const MOST_VALUES: usize = 1 << 20;

/// One column of rows, or one camera's videos.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Feature {
    /// `float32`, `int64` and so on; `image` or `video` for pictures.
    pub dtype: String,
    /// Sizes; pictures have height, width, channels.
    pub shape: Vec<usize>,
    /// Names of its values, in one of several forms.
    #[serde(default)]
    pub names: Value,
    /// What is known of a video.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub info: Option<Value>,
}

impl Feature {
    /// Values of a row.
    #[must_use]
    pub fn n_values(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether it is pictures of a camera.
    #[must_use]
    pub fn is_picture(&self) -> bool {
        self.dtype == "image" || self.dtype == "video"
    }

    /// Whether its pictures are distances.
    #[must_use]
    pub fn is_depth(&self) -> bool {
        let says =
            |key: &str| self.info.as_ref().and_then(|info| info.get(key)).and_then(Value::as_bool);
        says("is_depth_map").or_else(|| says("video.is_depth_map")).unwrap_or(false)
    }

    /// Height and width of its pictures. Shapes with the channels first are known by their names, or by
    /// a first size of at most 4 where the last is larger.
    #[must_use]
    pub fn picture_size(&self) -> Option<[usize; 2]> {
        let [first, second, third] = *self.shape.as_slice() else { return None };
        let named = self.names.get(0).and_then(Value::as_str);
        let channels_first =
            matches!(named, Some("channel" | "channels")) || first <= 4 && third > 4;
        Some(if channels_first { [second, third] } else { [first, second] })
    }

    /// Name of its last value, where it has names.
    #[must_use]
    pub fn last_name(&self) -> Option<&str> {
        fn last(names: &Value) -> Option<&str> {
            match names {
                Value::String(name) => Some(name),
                Value::Array(all) => all.last().and_then(last),
                Value::Object(all) => all.values().next_back().and_then(last),
                _ => None,
            }
        }
        last(&self.names)
    }
}

/// What `meta/info.json` says, as far as it is used here.
#[derive(Debug, Clone, PartialEq)]
pub struct Info {
    /// What kind of robot it is.
    pub robot_type: Option<String>,
    /// Episodes.
    pub total_episodes: usize,
    /// Rows of all episodes.
    pub total_frames: usize,
    /// Rows a second.
    pub fps: f64,
    /// Where rows are, with places for numbers.
    pub data_path: String,
    /// Where videos are, with places for names and numbers.
    pub video_path: Option<String>,
    /// All features, in the file's order.
    pub features: Vec<(String, Feature)>,
}

impl Info {
    /// Reads the file of a dataset.
    ///
    /// # Errors
    /// If it cannot be read, is of another version, or lacks something.
    pub fn load(folder: &Path) -> Result<Info> {
        let path = folder.join("meta/info.json");
        let text = std::fs::read(&path).map_err(|error| Error::file(&path, error))?;
        let value: Value = serde_json::from_slice(&text)
            .map_err(|error| wrong(&path, format!("it is no JSON: {error}")))?;
        parse(&value).map_err(|what| wrong(&path, what))
    }

    /// A feature by its name.
    #[must_use]
    pub fn feature(&self, name: &str) -> Option<&Feature> {
        self.features.iter().find(|(key, _)| key == name).map(|(_, feature)| feature)
    }

    /// The file of some rows.
    pub(super) fn data_file(&self, folder: &Path, chunk: usize, file: usize) -> PathBuf {
        folder.join(fill(&self.data_path, "", chunk, file))
    }

    /// The file of some videos of a camera.
    pub(super) fn video_file(
        &self,
        folder: &Path,
        key: &str,
        chunk: usize,
        file: usize,
    ) -> Option<PathBuf> {
        self.video_path.as_ref().map(|path| folder.join(fill(path, key, chunk, file)))
    }
}

fn parse(value: &Value) -> std::result::Result<Info, String> {
    let version = value.get("codebase_version").and_then(Value::as_str);
    let version = version.ok_or("it has no `codebase_version`: it is of no LeRobot dataset")?;
    if version.starts_with("v2") || version.starts_with("v1") {
        return Err(format!(
            "the dataset has format {version}, and v3.0 is read: convert it with `python -m \
             lerobot.datasets.v30.convert_dataset_v21_to_v30 --repo-id=NAME` (lerobot 0.4; v2.1 only)"
        ));
    }
    if !version.starts_with("v3.") {
        return Err(format!("the dataset has format {version}, and v3.0 is read"));
    }
    let number = |key: &str| {
        let number = value.get(key).and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok());
        number.ok_or_else(|| format!("`{key}` is no whole number"))
    };
    let text = |key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
    let fps = value.get("fps").and_then(Value::as_f64).ok_or("`fps` is no number")?;
    if !(0.01..=10_000.0).contains(&fps) {
        return Err(format!("`fps` is {fps}, not from 0.01 to 10000"));
    }
    let features =
        value.get("features").and_then(Value::as_object).ok_or("it has no `features`")?;
    Ok(Info {
        robot_type: text("robot_type"),
        total_episodes: number("total_episodes")?,
        total_frames: number("total_frames")?,
        fps,
        data_path: text("data_path").ok_or("it has no `data_path`")?,
        video_path: text("video_path"),
        features: features_of(features)?,
    })
}

fn features_of(all: &Map<String, Value>) -> std::result::Result<Vec<(String, Feature)>, String> {
    let one = |(key, value): (&String, &Value)| {
        let feature: Feature = serde_json::from_value(value.clone())
            .map_err(|error| format!("feature `{key}`: {error}"))?;
        let n = feature.shape.iter().try_fold(1_usize, |n, size| n.checked_mul(*size));
        if !n.is_some_and(|n| (1..=MOST_VALUES * 64).contains(&n)) {
            return Err(format!("feature `{key}` has shape {:?}", feature.shape));
        }
        if !feature.is_picture() && feature.n_values() > MOST_VALUES {
            return Err(format!("feature `{key}` has shape {:?}", feature.shape));
        }
        Ok((key.clone(), feature))
    };
    all.iter().map(one).collect()
}

/// Puts numbers into `{chunk_index:03d}`, `{file_index:03d}` and a name into `{video_key}`.
fn fill(template: &str, key: &str, chunk: usize, file: usize) -> String {
    let mut out = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        let Some((place, after)) = after.split_once('}') else {
            out.push('{');
            rest = after;
            continue;
        };
        let (name, format) = place.split_once(':').unwrap_or((place, ""));
        let digits = format.trim_end_matches('d').parse().unwrap_or(0_usize).min(32);
        match name {
            "chunk_index" | "episode_chunk" => out.push_str(&format!("{chunk:0digits$}")),
            "file_index" => out.push_str(&format!("{file:0digits$}")),
            "video_key" => out.push_str(key),
            other => out.push_str(other),
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_get_their_numbers() {
        let path = fill("data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet", "", 2, 1017);
        assert_eq!(path, "data/chunk-002/file-1017.parquet");
        let path = fill("videos/{video_key}/{file_index}.mp4{", "a.b", 0, 3);
        assert_eq!(path, "videos/a.b/3.mp4{");
    }

    #[test]
    fn sizes_are_found_wherever_the_channels_are() {
        let feature = |shape: [usize; 3], names: Value| Feature {
            dtype: "video".to_owned(),
            shape: shape.to_vec(),
            names,
            info: None,
        };
        let last = feature([480, 640, 3], serde_json::json!(["height", "width", "channels"]));
        let first = feature([3, 480, 640], serde_json::json!(["channels", "height", "width"]));
        let nameless = feature([3, 480, 640], Value::Null);
        for feature in [last, first, nameless] {
            assert_eq!(feature.picture_size(), Some([480, 640]));
        }
    }
}
