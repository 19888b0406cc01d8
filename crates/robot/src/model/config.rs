//! Shapes of policies.

use nn::BLOCK;
use serde::{Deserialize, Serialize};

use super::pictures::LARGEST_KERNEL;
use super::s1::MOST_ACTIONS;
use super::tensors::{n_values, s1, s2};
use crate::error::{Error, Result};
use crate::interface::Camera;

/// The shapes that come with the program, by name.
const SHIPPED: [(&str, &str); 5] = [
    ("tiny", include_str!("../../configs/tiny.toml")),
    ("small", include_str!("../../configs/small.toml")),
    ("medium", include_str!("../../configs/medium.toml")),
    ("aloha", include_str!("../../configs/aloha.toml")),
    ("helix", include_str!("../../configs/helix.toml")),
];

/// Most cameras of a robot.
pub const MOST_CAMERAS: usize = 4;

/// Scales of a backbone that give keypoints: the last two before its last.
pub const KEYPOINT_SCALES: usize = 2;

/// One convolution of a backbone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stage {
    /// Channels that come out, a multiple of 32.
    pub channels: usize,
    /// Height and width of its window, odd.
    pub kernel: usize,
    /// Positions from one window to the next.
    pub stride: usize,
}

/// A convolutional backbone, shared by all cameras.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackboneConfig {
    /// Its convolutions, from the picture on.
    pub stages: Vec<Stage>,
}

impl BackboneConfig {
    /// Height and width after each stage.
    #[must_use]
    pub fn shapes(&self, camera: &Camera) -> Vec<[usize; 2]> {
        let mut shape = [camera.height, camera.width];
        let next = |stage: &Stage| {
            shape = shape.map(|size| (size - 1) / stage.stride + 1);
            shape
        };
        self.stages.iter().map(next).collect()
    }

    /// Positions of the last stage: visual tokens of a camera.
    #[must_use]
    pub fn n_tokens(&self, camera: &Camera) -> usize {
        self.shapes(camera).last().map_or(0, |[height, width]| height * width)
    }
}

/// The fast policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct S1Config {
    /// Channels of a token.
    pub width: usize,
    /// Channels of an attention head.
    pub head_size: usize,
    /// Layers over what was seen, once a frame.
    pub encoder_layers: usize,
    /// Layers over actions, every tick.
    pub decoder_layers: usize,
    /// Channels inside an MLP.
    pub hidden: usize,
    /// Actions decoded at once.
    pub chunk: usize,
    /// Ticks from one of them to the next.
    pub stride: usize,
    /// Keypoints of each of [`KEYPOINT_SCALES`] scales.
    pub keypoints: usize,
    /// The cameras it looks through, by place.
    pub cameras: Vec<usize>,
    /// What it sees with.
    pub backbone: BackboneConfig,
}

/// An open model that S2 looks and reads through besides: what it must be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Borrowed {
    /// Its kind, as `model_type` in its own configuration has it.
    pub model: String,
    /// Numbers of a vector of its features.
    pub features: usize,
}

/// The slow model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct S2Config {
    /// Channels of a token.
    pub width: usize,
    /// Channels of an attention head.
    pub head_size: usize,
    /// Layers over words alone.
    pub readers: usize,
    /// Layers over everything.
    pub layers: usize,
    /// Channels inside an MLP.
    pub hidden: usize,
    /// Most words of an instruction.
    pub words: usize,
    /// Numbers of words, from 0.
    pub vocabulary: usize,
    /// Keypoints of each of [`KEYPOINT_SCALES`] scales.
    pub keypoints: usize,
    /// The cameras it looks through, by place.
    pub cameras: Vec<usize>,
    /// What it sees with.
    pub backbone: BackboneConfig,
    /// An open model whose features it has as one more token, if any. It looks through the first of these
    /// cameras.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub borrowed: Option<Borrowed>,
}

/// Both, and what goes between them and the world.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyConfig {
    /// Its name.
    pub name: String,
    /// Values of the proprioceptive state.
    pub state: usize,
    /// Values of an action, the last of them the completed share.
    pub action: usize,
    /// Width of the latent from S2 to S1.
    pub latent: usize,
    /// Values that both must tell in training beside actions; 0 for none.
    #[serde(default)]
    pub marks: usize,
    /// The cameras, in the order of the pictures.
    pub cameras: Vec<Camera>,
    /// The fast one.
    pub s1: S1Config,
    /// The slow one.
    pub s2: S2Config,
}

impl PolicyConfig {
    /// Names of the shapes that come with the program.
    pub fn names() -> impl Iterator<Item = &'static str> {
        SHIPPED.iter().map(|(name, _)| *name)
    }

    /// A shape that comes with the program.
    ///
    /// # Errors
    /// If none has this name.
    pub fn shipped(name: &str) -> Result<PolicyConfig> {
        let found = SHIPPED.iter().find(|(known, _)| *known == name);
        let (_, text) = found.ok_or_else(|| {
            let names: Vec<&str> = PolicyConfig::names().collect();
            Error::config(
                "policy",
                format!("no shape is called `{name}`: use {}", names.join(", ")),
            )
        })?;
        PolicyConfig::parse(text)
    }

    /// From TOML.
    ///
    /// # Errors
    /// If something is missing, misspelt or of no use.
    pub fn parse(text: &str) -> Result<PolicyConfig> {
        let config: PolicyConfig = toml::from_str(text)
            .map_err(|error| Error::config("policy", error.to_string().trim_end().to_owned()))?;
        config.check()?;
        Ok(config)
    }

    /// Parameters of S1 and S2.
    #[must_use]
    pub fn n_parameters(&self) -> usize {
        n_values(&s1(self)) + n_values(&s2(self))
    }

    /// Whether such a policy can be made.
    ///
    /// # Errors
    /// Names the first thing that is of no use.
    pub fn check(&self) -> Result<()> {
        let wrong = |reason: String| Err(Error::config("policy", reason));
        if !(1..=MOST_CAMERAS).contains(&self.cameras.len()) {
            return wrong(format!(
                "{} cameras; 1 to {MOST_CAMERAS} are possible",
                self.cameras.len()
            ));
        }
        let widths = [
            ("latent", self.latent),
            ("s1.width", self.s1.width),
            ("s1.hidden", self.s1.hidden),
            ("s1.head_size", self.s1.head_size),
            ("s1.keypoints", self.s1.keypoints),
            ("s2.keypoints", self.s2.keypoints),
            ("s2.width", self.s2.width),
            ("s2.hidden", self.s2.hidden),
            ("s2.head_size", self.s2.head_size),
        ];
        let stages = self.s1.backbone.stages.iter().chain(&self.s2.backbone.stages);
        let stages = stages.map(|stage| ("channels of a stage", stage.channels));
        for (name, width) in widths.into_iter().chain(stages) {
            if width == 0 || !width.is_multiple_of(BLOCK) {
                return wrong(format!("`{name}` is {width}, not a multiple of {BLOCK}"));
            }
        }
        for (name, width, size) in
            [("s1", self.s1.width, self.s1.head_size), ("s2", self.s2.width, self.s2.head_size)]
        {
            if width % size != 0 {
                return wrong(format!("`{name}.width`, {width}, is not whole heads of {size}"));
            }
        }
        let counts = [
            ("state", self.state),
            ("action", self.action),
            ("s1.encoder_layers", self.s1.encoder_layers),
            ("s1.decoder_layers", self.s1.decoder_layers),
            ("s1.chunk", self.s1.chunk),
            ("s1.stride", self.s1.stride),
            ("s2.layers", self.s2.layers),
            ("s2.readers", self.s2.readers),
            ("s2.words", self.s2.words),
            ("s2.vocabulary", self.s2.vocabulary),
        ];
        if let Some((name, _)) = counts.into_iter().find(|(_, n)| *n == 0) {
            return wrong(format!("`{name}` is 0"));
        }
        if self.action > MOST_ACTIONS {
            return wrong(format!(
                "`action` is {}; at most {MOST_ACTIONS} are possible",
                self.action
            ));
        }
        let stems = [&self.s1.backbone, &self.s2.backbone].map(|backbone| backbone.stages.first());
        if stems.into_iter().flatten().any(|stage| stage.kernel > LARGEST_KERNEL) {
            return wrong(format!("a first kernel above {LARGEST_KERNEL}"));
        }
        for (name, backbone) in [("s1", &self.s1.backbone), ("s2", &self.s2.backbone)] {
            if backbone.stages.len() <= KEYPOINT_SCALES {
                return wrong(format!(
                    "`{name}.backbone` has fewer than {} stages",
                    KEYPOINT_SCALES + 1
                ));
            }
            if backbone.stages.iter().any(|stage| stage.kernel % 2 == 0 || stage.stride == 0) {
                return wrong(format!("`{name}.backbone` has an even kernel, or a stride of 0"));
            }
        }
        if let Some(camera) = self.cameras.iter().find(|camera| camera.width.min(camera.height) < 8)
        {
            return wrong(format!("camera `{}` is smaller than 8 by 8", camera.name));
        }
        if self.s2.borrowed.as_ref().is_some_and(|borrowed| borrowed.features == 0) {
            return wrong("`s2.borrowed.features` is 0".to_owned());
        }
        for (name, cameras) in [("s1", &self.s1.cameras), ("s2", &self.s2.cameras)] {
            let n = self.cameras.len();
            if cameras.is_empty() || cameras.len() > n || cameras.iter().any(|at| *at >= n) {
                return wrong(format!("`{name}.cameras` are not of the {n}"));
            }
        }
        Ok(())
    }

    /// Ticks that a chunk reaches ahead, its first action included.
    #[must_use]
    pub fn chunk_ticks(&self) -> usize {
        (self.s1.chunk - 1) * self.s1.stride + 1
    }
}
