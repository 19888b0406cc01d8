//! Which features of a dataset a policy gets, as a TOML file says:
//!
//! ```toml
//! state = ["observation.state"]      # joined in this order
//! action = ["action"]
//! hold = false                       # between rows: on the line, or as in the row before
//! wrists = false                     # whether the 20 values of actions are our two wrists
//! [[cameras]]
//! feature = "observation.images.top"
//! name = "head"
//! width = 128
//! height = 96
//! slow = true                        # whether S2 looks through it too
//! ```

use std::path::Path;

use serde::Deserialize;

use super::info::{Feature, Info};
use crate::error::{Error, Result};
use crate::interface::Camera;
use crate::model::config::MOST_CAMERAS;

/// Most pixels of a side, where none are asked for.
const LONGEST_SIDE: usize = 128;
/// Largest side that can be asked for.
const MOST_PIXELS: usize = 1024;

/// A feature that is a camera of the policy.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CameraMapping {
    /// The feature.
    pub feature: String,
    /// What the policy calls it (default: the feature's last part).
    pub name: Option<String>,
    /// Pixels in a row (default: as they are, but at most 128 on the longer side).
    pub width: Option<usize>,
    /// Rows of pixels (default: as the width).
    pub height: Option<usize>,
    /// Whether S2 looks through it (default: the first camera only).
    #[serde(default)]
    pub slow: bool,
}

/// What of a dataset is what for a policy.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Mapping {
    /// Features that are the state, one after another.
    pub state: Vec<String>,
    /// Features that are the action.
    pub action: Vec<String>,
    /// Between two rows, take state and action of the first, instead of the line between them.
    pub hold: bool,
    /// Actions are our two wrists ([`crate::interface`]), without the completed share, and states begin
    /// with them.
    pub wrists: bool,
    /// The cameras (default: all features that are pictures, but for depth).
    pub cameras: Vec<CameraMapping>,
}

impl Default for Mapping {
    fn default() -> Mapping {
        Mapping {
            state: vec!["observation.state".to_owned()],
            action: vec!["action".to_owned()],
            hold: false,
            wrists: false,
            cameras: Vec::new(),
        }
    }
}

/// A camera that was found in a dataset.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Found {
    /// The feature.
    pub(super) key: String,
    /// As the policy has it.
    pub(super) camera: Camera,
    /// Height and width in the dataset.
    pub(super) size: [usize; 2],
    /// Whether it is of videos.
    pub(super) is_video: bool,
    /// Whether S2 looks through it.
    pub(super) is_slow: bool,
}

impl Mapping {
    /// From a file.
    ///
    /// # Errors
    /// If it cannot be read, or something is misspelt.
    pub fn load(path: &Path) -> Result<Mapping> {
        let text = std::fs::read_to_string(path).map_err(|error| Error::file(path, error))?;
        toml::from_str(&text).map_err(|error| {
            let what = error.to_string().trim_end().replace('\n', " ");
            Error::config("mapping of features", format!("{what}: {}", path.display()))
        })
    }

    /// The cameras of a dataset.
    pub(super) fn cameras(&self, info: &Info) -> Result<Vec<Found>> {
        let wrong = |reason: String| Err(Error::config("mapping of features", reason));
        let pictures =
            || info.features.iter().filter(|(_, one)| one.is_picture() && !one.is_depth());
        let names = || pictures().map(|(key, _)| format!("`{key}`")).collect::<Vec<_>>().join(", ");
        let chosen: Vec<CameraMapping> = if self.cameras.is_empty() {
            let whole = |(key, _): &(String, Feature)| CameraMapping {
                feature: key.clone(),
                name: None,
                width: None,
                height: None,
                slow: false,
            };
            pictures().map(whole).collect()
        } else {
            self.cameras.clone()
        };
        if chosen.is_empty() {
            return wrong("the dataset has no pictures, and a policy needs a camera".to_owned());
        }
        if chosen.len() > MOST_CAMERAS {
            return wrong(format!(
                "{} cameras, and a policy has at most {MOST_CAMERAS}: choose `[[cameras]]` of {}",
                chosen.len(),
                names()
            ));
        }
        let mut found: Vec<Found> = Vec::new();
        for one in chosen {
            let key = one.feature;
            let feature = info.feature(&key).filter(|feature| feature.is_picture());
            let Some(feature) = feature else {
                return wrong(format!("no camera `{key}` in the dataset: it has {}", names()));
            };
            if feature.is_depth() {
                return wrong(format!("`{key}` has distances, not colours"));
            }
            let size = feature.picture_size().filter(|size| size.iter().all(|side| *side > 0));
            let Some(size) = size else {
                let shape = &feature.shape;
                return wrong(format!("`{key}` has shape {shape:?}, not height, width, channels"));
            };
            let [height, width] = fitted(size, one.height, one.width);
            if !(8..=MOST_PIXELS).contains(&height) || !(8..=MOST_PIXELS).contains(&width) {
                return wrong(format!(
                    "camera `{key}` would be {width}x{height}: from 8 to {MOST_PIXELS} are possible"
                ));
            }
            let last = key.rsplit('.').next().unwrap_or(&key).to_owned();
            let name = one.name.unwrap_or(last);
            if found.iter().any(|other| other.camera.name == name) {
                return wrong(format!("two cameras are called `{name}`: give them a `name` each"));
            }
            found.push(Found {
                camera: Camera { name, width, height },
                size,
                is_video: feature.dtype == "video",
                is_slow: one.slow,
                key,
            });
        }
        if found.iter().all(|one| !one.is_slow) {
            found[0].is_slow = true;
        }
        Ok(found)
    }
}

/// Height and width of a camera's pictures for the policy.
fn fitted(size: [usize; 2], height: Option<usize>, width: Option<usize>) -> [usize; 2] {
    let [from_height, from_width] = size;
    let scaled = |side: usize, to: usize, of: usize| ((side * to + of / 2) / of).max(1);
    match (height, width) {
        (Some(height), Some(width)) => [height, width],
        (Some(height), None) => [height, scaled(from_width, height, from_height)],
        (None, Some(width)) => [scaled(from_height, width, from_width), width],
        (None, None) => {
            let longest = from_height.max(from_width);
            size.map(|side| scaled(side, longest.min(LONGEST_SIDE), longest))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_keep_their_form_unless_another_is_asked_for() {
        assert_eq!(fitted([480, 640], None, None), [96, 128]);
        assert_eq!(fitted([96, 128], None, None), [96, 128]);
        assert_eq!(fitted([64, 64], None, None), [64, 64]);
        assert_eq!(fitted([480, 640], None, Some(64)), [48, 64]);
        assert_eq!(fitted([480, 640], Some(64), Some(64)), [64, 64]);
    }
}
