//! Names and shapes of everything that is learned, and what it is before.

use std::collections::BTreeMap;

use nn::BLOCK;
use nn::train::{Form, Param, Parameter, Parameters};
use nn::weights::File;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::config::{BackboneConfig, KEYPOINT_SCALES, PolicyConfig};
use crate::error::Result;

/// How a tensor begins.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Init {
    /// All the same.
    Filled(f32),
    /// Normal, with this standard deviation.
    Normal(f32),
}

/// One tensor of a policy.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    /// Its name in a checkpoint.
    pub name: String,
    /// Its shape. Inputs and outputs of products are filled up to whole blocks of 32.
    pub shape: Vec<usize>,
    /// How it begins.
    pub init: Init,
    /// Whether it is drawn towards 0.
    pub decays: bool,
}

/// Up to whole blocks.
pub(crate) fn padded(n: usize) -> usize {
    n.next_multiple_of(BLOCK)
}

/// Channels of a window of pixels: three colours each, and where it is.
pub(crate) fn stem_channels(kernel: usize) -> usize {
    padded(3 * kernel * kernel + 2)
}

/// Tensors in order, one part of a policy after another.
#[derive(Default)]
struct List(Vec<Tensor>);

impl List {
    fn add(&mut self, name: String, shape: &[usize], init: Init, decays: bool) {
        self.0.push(Tensor { name, shape: shape.to_vec(), init, decays });
    }

    fn norm(&mut self, name: &str, width: usize) {
        self.add(format!("{name}.scale"), &[width], Init::Filled(1.0), false);
    }

    fn table(&mut self, name: &str, n: usize, width: usize, std: f32) {
        self.add(format!("{name}.table"), &[n, width], Init::Normal(std), false);
    }

    /// A product whose outputs are `gain` times as large as its inputs.
    fn matrix(&mut self, name: &str, n: usize, k: usize, gain: f32) {
        let init = Init::Normal(gain / (k as f32).sqrt());
        self.add(format!("{name}.weight"), &[n, k], init, true);
    }

    fn product(&mut self, name: &str, n: usize, k: usize, gain: f32) {
        self.matrix(name, n, k, gain);
        self.add(format!("{name}.bias"), &[n], Init::Filled(0.0), false);
    }

    fn backbone(&mut self, name: &str, config: &BackboneConfig, width: usize) {
        let mut before = None;
        for (at, stage) in config.stages.iter().enumerate() {
            let k = match before {
                None => stem_channels(stage.kernel),
                Some(channels) => stage.kernel * stage.kernel * channels,
            };
            self.product(&format!("{name}.stages.{at}"), stage.channels, k, 1.4);
            if at > 0 {
                self.norm(&format!("{name}.stages.{at}"), stage.channels);
            }
            before = Some(stage.channels);
        }
        self.product(&format!("{name}.visual"), width, before.unwrap_or(BLOCK), 1.0);
    }

    /// A backbone that is asked by `asks` channels for `keypoints` places at each scale.
    fn eyes(
        &mut self,
        name: &str,
        config: &BackboneConfig,
        width: usize,
        asks: usize,
        keypoints: usize,
    ) {
        self.backbone(name, config, width);
        let first = config.stages.len() - 1 - KEYPOINT_SCALES;
        for (scale, stage) in config.stages[first..].iter().take(KEYPOINT_SCALES).enumerate() {
            let film = format!("{name}.film.{scale}");
            let n = 2 * stage.channels;
            self.add(format!("{film}.weight"), &[n, asks], Init::Filled(0.0), true);
            self.add(format!("{film}.bias"), &[n], Init::Filled(0.0), false);
            // Of unit features, a softmax of so steep scores is a place from the beginning.
            self.matrix(&format!("{name}.points.{scale}.heat"), keypoints, stage.channels, 4.0);
            self.product(&format!("{name}.points.{scale}.place"), width, 2 * keypoints, 2.0);
        }
    }

    /// An MLP and what comes before it; `gain` of what is added to the residual stream.
    fn mlp(&mut self, name: &str, width: usize, hidden: usize, gain: f32) {
        self.norm(&format!("{name}.mlp"), width);
        self.product(&format!("{name}.up"), hidden, width, 1.4);
        self.product(&format!("{name}.down"), width, hidden, gain);
    }

    fn attention(&mut self, name: &str, width: usize, gain: f32) {
        self.norm(&format!("{name}.own"), width);
        self.matrix(&format!("{name}.qkv"), 3 * width, width, 1.0);
        self.matrix(&format!("{name}.leave"), width, width, gain);
    }
}

/// Tensors of S1.
#[must_use]
pub fn s1(config: &PolicyConfig) -> Vec<Tensor> {
    let (s1, mut list) = (&config.s1, List::default());
    list.eyes("s1", &s1.backbone, s1.width, config.latent, s1.keypoints);
    list.product("s1.latent", s1.width, config.latent, 1.0);
    list.product("s1.state", s1.width, padded(config.state), 1.0);
    for (camera, scale) in
        (0..s1.cameras.len()).flat_map(|at| (0..KEYPOINT_SCALES).map(move |scale| (at, scale)))
    {
        list.matrix(&format!("s1.found.{camera}.{scale}"), s1.width, 2 * s1.keypoints, 1.0);
    }
    list.product("s1.felt", s1.width, padded(config.state), 1.0);
    list.matrix("s1.glance", s1.width, s1.width, 0.1);
    list.table("s1.memory", memory_tokens(config), s1.width, 0.3);
    let gain = 1.0 / (2.0 * s1.encoder_layers as f32).sqrt();
    for layer in 0..s1.encoder_layers {
        let name = format!("s1.encoder.{layer}");
        list.attention(&name, s1.width, gain);
        list.mlp(&name, s1.width, s1.hidden, gain);
    }
    list.norm("s1.encoded", s1.width);
    list.table("s1.queries", s1.chunk, s1.width, 0.5);
    let gain = 1.0 / (3.0 * s1.decoder_layers as f32).sqrt();
    for layer in 0..s1.decoder_layers {
        let name = format!("s1.decoder.{layer}");
        list.attention(&name, s1.width, gain);
        list.norm(&format!("{name}.cross"), s1.width);
        list.matrix(&format!("{name}.q"), s1.width, s1.width, 1.0);
        list.matrix(&format!("{name}.kv"), 2 * s1.width, s1.width, 1.0);
        list.matrix(&format!("{name}.take"), s1.width, s1.width, gain);
        list.mlp(&name, s1.width, s1.hidden, gain);
    }
    list.norm("s1.decoded", s1.width);
    list.product("s1.act", padded(config.action + config.marks), s1.width, 0.1);
    list.0
}

/// Tensors of S2.
#[must_use]
pub fn s2(config: &PolicyConfig) -> Vec<Tensor> {
    let (s2, mut list) = (&config.s2, List::default());
    list.table("s2.words", s2.vocabulary, s2.width, 1.0);
    list.table("s2.asked", READINGS, s2.width, 0.5);
    list.table("s2.order", s2.words + READINGS, s2.width, 0.3);
    let gain = 1.0 / (2.0 * s2.readers as f32).sqrt();
    for layer in 0..s2.readers {
        let name = format!("s2.readers.{layer}");
        list.attention(&name, s2.width, gain);
        list.mlp(&name, s2.width, s2.hidden, gain);
    }
    list.norm("s2.read_words", s2.width);
    list.eyes("s2", &s2.backbone, s2.width, s2.width, s2.keypoints);
    list.product("s2.state", s2.width, padded(config.state), 1.0);
    if let Some(borrowed) = &s2.borrowed {
        list.product("s2.borrowed", s2.width, padded(borrowed.features), 1.0);
    }
    list.table("s2.places", s2_tokens(config), s2.width, 0.3);
    list.table("s2.readout", 1, s2.width, 0.5);
    let gain = 1.0 / (2.0 * s2.layers as f32).sqrt();
    for layer in 0..s2.layers {
        let name = format!("s2.layers.{layer}");
        list.attention(&name, s2.width, gain);
        list.mlp(&name, s2.width, s2.hidden, gain);
    }
    list.norm("s2.read", s2.width);
    list.product("s2.latent", config.latent, s2.width, 1.0);
    for scale in 0..KEYPOINT_SCALES {
        list.matrix(&format!("s2.found.{scale}"), config.latent, 2 * s2.keypoints, 1.0);
    }
    list.norm("s2.latent", config.latent);
    if config.marks > 0 {
        list.product("s2.marks", padded(config.marks), config.latent, 0.3);
    }
    list.0
}

/// Tokens that words are read into.
pub const READINGS: usize = 4;

/// Tokens that S1 encodes: positions and keypoints of its cameras, and the latent.
#[must_use]
pub fn memory_tokens(config: &PolicyConfig) -> usize {
    seen_tokens(config, &config.s1.backbone, &config.s1.cameras) + 1
}

/// Tokens of S2: what was read, positions and keypoints of its cameras, what is borrowed if anything is,
/// the state, and the one that is read out.
#[must_use]
pub fn s2_tokens(config: &PolicyConfig) -> usize {
    let n_borrowed = usize::from(config.s2.borrowed.is_some());
    READINGS + seen_tokens(config, &config.s2.backbone, &config.s2.cameras) + n_borrowed + 2
}

fn seen_tokens(config: &PolicyConfig, backbone: &BackboneConfig, cameras: &[usize]) -> usize {
    let of = |at: &usize| backbone.n_tokens(&config.cameras[*at]) + KEYPOINT_SCALES;
    cameras.iter().map(of).sum()
}

/// Values of some tensors in all.
#[must_use]
pub fn n_values(tensors: &[Tensor]) -> usize {
    tensors.iter().map(|tensor| tensor.shape.iter().product::<usize>()).sum()
}

/// What is learned, by name.
#[derive(Debug, Clone)]
pub struct Weights {
    /// All of it.
    pub parameters: Parameters,
    handles: BTreeMap<String, Param>,
}

impl Weights {
    /// As training begins: each tensor drawn from its own stream.
    #[must_use]
    pub fn drawn(tensors: &[Tensor], seed: u64) -> Weights {
        Weights::new(tensors, |tensor| {
            let n = tensor.shape.iter().product();
            match tensor.init {
                Init::Filled(value) => Ok(vec![value; n]),
                Init::Normal(std) => Ok(normal(seed, &tensor.name, n, std)),
            }
        })
        .unwrap_or_else(|_| unreachable!("drawing does not fail"))
    }

    /// From a file, under a prefix of their names.
    ///
    /// # Errors
    /// If one is missing, of another shape, or not finite.
    pub fn read(tensors: &[Tensor], file: &File, prefix: &str) -> Result<Weights> {
        Weights::new(tensors, |tensor| {
            let found = file.tensor(&format!("{prefix}{}", tensor.name), &tensor.shape)?;
            found.check_finite()?;
            Ok(found.to_vec())
        })
    }

    fn new(tensors: &[Tensor], raw: impl Fn(&Tensor) -> Result<Vec<f32>>) -> Result<Weights> {
        let (mut parameters, mut handles) = (Parameters::default(), BTreeMap::new());
        for tensor in tensors {
            let Tensor { name, shape, decays, .. } = tensor.clone();
            let raw = raw(tensor)?;
            let parameter = Parameter { name: name.clone(), shape, raw, form: Form::Plain, decays };
            handles.insert(name, parameters.add(parameter));
        }
        Ok(Weights { parameters, handles })
    }

    /// The handle of a tensor, if it is there.
    pub(crate) fn find(&self, name: &str) -> Option<Param> {
        self.handles.get(name).copied()
    }
}

/// Normal numbers of a stream of their own, two at a time (Box and Muller).
fn normal(seed: u64, name: &str, n: usize, std: f32) -> Vec<f32> {
    // FNV-1a: names are few, and theirs differ.
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(hash);
    let mut all = Vec::with_capacity(n + 1);
    while all.len() < n {
        let radius = (-2.0 * rng.random_range(f32::MIN_POSITIVE..1.0).ln()).sqrt() * std;
        let (sin, cos) = rng.random_range(0.0..std::f32::consts::TAU).sin_cos();
        all.extend([radius * cos, radius * sin]);
    }
    all.truncate(n);
    all
}
