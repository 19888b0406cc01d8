//! Shapes of models, with the field names of the official configurations.

use serde::{Deserialize, Serialize};

use crate::error::Error;

/// The published models, by name. Sources: the configurations of `evo2` 0.6.0.
const PUBLISHED: [(&str, &str); 7] = [
    ("evo2_1b_base", include_str!("../configs/evo2_1b_base.json")),
    ("evo2_7b_base", include_str!("../configs/evo2_7b_base.json")),
    ("evo2_7b_262k", include_str!("../configs/evo2_7b_262k.json")),
    ("evo2_7b", include_str!("../configs/evo2_7b.json")),
    ("evo2_20b", include_str!("../configs/evo2_20b.json")),
    ("evo2_40b_base", include_str!("../configs/evo2_40b_base.json")),
    ("evo2_40b", include_str!("../configs/evo2_40b.json")),
];

/// Whether the projections into Hyena layers run in FP8.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fp8 {
    /// They never did.
    #[default]
    None,
    /// They may; without, the model is as good.
    Optional,
    /// Without, the model is broken.
    Required,
}

/// What a layer mixes tokens with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MixerKind {
    /// Hyena-SE: a short explicit filter.
    Hcs,
    /// Hyena-MR: a regularised filter of medium length.
    Hcm,
    /// Hyena-LI: a long implicit filter, a sum of exponentials.
    Hcl,
    /// Multi-head attention.
    Attention,
}

/// The shape of a model. Fields that it shares with every published one are not kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelConfig {
    /// Its name.
    pub model_name: String,
    /// Tokens, `V`; ids 0 to 255 are bytes.
    pub vocab_size: usize,
    /// Channels, `C`; a multiple of 32.
    pub hidden_size: usize,
    /// Layers.
    pub num_layers: usize,
    /// Layers of each kind, from 0.
    #[serde(default)]
    pub hcs_layer_idxs: Vec<usize>,
    /// See `hcs_layer_idxs`.
    #[serde(default)]
    pub hcm_layer_idxs: Vec<usize>,
    /// See `hcs_layer_idxs`.
    #[serde(default)]
    pub hcl_layer_idxs: Vec<usize>,
    /// See `hcs_layer_idxs`.
    #[serde(default)]
    pub attn_layer_idxs: Vec<usize>,
    /// Taps of the filters on projections.
    pub short_filter_length: usize,
    /// Taps of Hyena-SE.
    pub hcs_filter_length: usize,
    /// Filters of Hyena-SE, each for as many channels in a row.
    pub hcs_filter_groups: usize,
    /// Taps of Hyena-MR.
    pub hcm_filter_length: usize,
    /// Filters of Hyena-MR.
    pub hcm_filter_groups: usize,
    /// Modes per channel of Hyena-LI.
    pub state_size: usize,
    /// Attention heads.
    pub num_attention_heads: usize,
    /// Base of the rotary frequencies.
    pub rotary_emb_base: f64,
    /// Whether positions are divided by `rotary_emb_scaling_factor`.
    #[serde(default)]
    pub use_interpolated_rotary_pos_emb: bool,
    /// See above.
    #[serde(default = "one")]
    pub rotary_emb_scaling_factor: f64,
    /// Width inside the MLP; absent, it is 8/3 of the channels, rounded up.
    #[serde(default)]
    pub inner_mlp_size: Option<usize>,
    /// What that is rounded up to.
    #[serde(default = "sixty_four")]
    pub inner_size_multiple_of: usize,
    /// Added to the root mean square.
    pub eps: f32,
    /// Longest context that it was trained with.
    pub max_seqlen: usize,
    /// What FP8 means to it.
    #[serde(default)]
    pub fp8: Fp8,
    /// As the official configurations have it: read, and taken as `Fp8::Required` where `fp8` is
    /// not given.
    #[serde(default, skip_serializing)]
    use_fp8_input_projections: bool,
    /// Only tied embeddings, interleaved projections and gates of this family are implemented; what
    /// says otherwise is refused.
    #[serde(default = "yes", skip_serializing)]
    tie_embeddings: bool,
    #[serde(default = "yes", skip_serializing)]
    interleave: bool,
    #[serde(default = "yes", skip_serializing)]
    evo2_style_activations: bool,
    #[serde(default = "yes", skip_serializing)]
    column_split: bool,
    #[serde(default, skip_serializing)]
    column_split_hyena: bool,
    #[serde(default, skip_serializing)]
    hyena_flip_x1x2: bool,
    #[serde(default, skip_serializing)]
    qkv_proj_bias: bool,
}

fn one() -> f64 {
    1.0
}

fn sixty_four() -> usize {
    64
}

fn yes() -> bool {
    true
}

impl ModelConfig {
    /// Names of the published models.
    pub fn published() -> impl Iterator<Item = &'static str> {
        PUBLISHED.into_iter().map(|(name, _)| name)
    }

    /// A published model by name.
    pub fn named(name: &str) -> Option<ModelConfig> {
        let (_, text) = PUBLISHED.into_iter().find(|(known, _)| *known == name)?;
        Some(ModelConfig::parse(text).expect("shipped configurations are valid"))
    }

    /// From JSON with the official field names.
    ///
    /// # Errors
    /// If it is no JSON, lacks a field, or describes a model that is not implemented.
    pub fn parse(text: &str) -> Result<ModelConfig, Error> {
        let parsed: Result<ModelConfig, _> = serde_json::from_str(text);
        let mut config = parsed.map_err(|error| Error::Config { reason: error.to_string() })?;
        if config.use_fp8_input_projections && config.fp8 == Fp8::None {
            config.fp8 = Fp8::Required;
        }
        config.check().map_err(|reason| Error::Config { reason })?;
        Ok(config)
    }

    /// Its JSON.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("plain data")
    }

    fn check(&self) -> Result<(), String> {
        let sizes = [
            ("hidden_size", self.hidden_size, 1 << 16),
            ("num_layers", self.num_layers, 1 << 10),
            ("short_filter_length", self.short_filter_length, 1 << 6),
            ("hcs_filter_length", self.hcs_filter_length, 1 << 12),
            ("hcm_filter_length", self.hcm_filter_length, 1 << 12),
            ("hcs_filter_groups", self.hcs_filter_groups, 1 << 16),
            ("hcm_filter_groups", self.hcm_filter_groups, 1 << 16),
            ("state_size", self.state_size, 1 << 8),
            ("num_attention_heads", self.num_attention_heads, 1 << 10),
            ("inner_size_multiple_of", self.inner_size_multiple_of, 1 << 16),
        ];
        let between = |name: &str, size: usize, least: usize, most: usize| {
            let inside = (least..=most).contains(&size);
            inside.then_some(()).ok_or(format!("`{name}` is {size}, not from {least} to {most}"))
        };
        for (name, size, most) in sizes {
            between(name, size, 1, most)?;
        }
        // Every byte is a token.
        between("vocab_size", self.vocab_size, 256, 1 << 16)?;
        // Made of the sizes above where it is not given.
        between("inner_mlp_size", self.inner_size(), 1, 1 << 18)?;
        if !self.hidden_size.is_multiple_of(nn::BLOCK) {
            return Err(format!("`hidden_size` is {}, no multiple of 32", self.hidden_size));
        }
        for (name, n) in [
            ("hcs_filter_groups", self.hcs_filter_groups),
            ("hcm_filter_groups", self.hcm_filter_groups),
            ("num_attention_heads", self.num_attention_heads),
        ] {
            if !self.hidden_size.is_multiple_of(n) {
                return Err(format!("`{name}` is {n}, which does not divide `hidden_size`"));
            }
        }
        if !self.head_size().is_multiple_of(2) {
            return Err(format!("heads of {} channels have no rotary halves", self.head_size()));
        }
        if !(self.eps.is_finite() && self.eps >= 0.0) || self.rotary_emb_base <= 0.0 {
            return Err("`eps` and `rotary_emb_base` must be positive".to_owned());
        }
        if self.rotary_emb_scaling_factor <= 0.0 || !self.rotary_emb_scaling_factor.is_finite() {
            return Err("`rotary_emb_scaling_factor` must be positive".to_owned());
        }
        let as_published = self.tie_embeddings
            && self.interleave
            && self.evo2_style_activations
            && self.column_split
            && !self.column_split_hyena
            && !self.hyena_flip_x1x2
            && !self.qkv_proj_bias;
        if !as_published {
            return Err("a variant of StripedHyena 2 that Evo 2 does not use".to_owned());
        }
        self.mixers().map(|_| ())
    }

    /// Kind of each layer.
    ///
    /// # Errors
    /// If a layer has none, or two.
    pub fn mixers(&self) -> Result<Vec<MixerKind>, String> {
        let mut kinds = vec![None; self.num_layers];
        for (kind, layers) in [
            (MixerKind::Hcs, &self.hcs_layer_idxs),
            (MixerKind::Hcm, &self.hcm_layer_idxs),
            (MixerKind::Hcl, &self.hcl_layer_idxs),
            (MixerKind::Attention, &self.attn_layer_idxs),
        ] {
            for layer in layers {
                let slot = kinds.get_mut(*layer).ok_or(format!("there is no layer {layer}"))?;
                if slot.replace(kind).is_some() {
                    return Err(format!("layer {layer} has two kinds"));
                }
            }
        }
        let kinds = kinds.into_iter().enumerate();
        kinds.map(|(layer, kind)| kind.ok_or(format!("layer {layer} has no kind"))).collect()
    }

    /// Channels of one head.
    pub fn head_size(&self) -> usize {
        self.hidden_size / self.num_attention_heads
    }

    /// Width inside the MLP.
    pub fn inner_size(&self) -> usize {
        self.inner_mlp_size.unwrap_or_else(|| {
            (8 * self.hidden_size / 3).next_multiple_of(self.inner_size_multiple_of.max(1))
        })
    }

    /// What rotary positions are divided by.
    pub fn rotary_scale(&self) -> f64 {
        if self.use_interpolated_rotary_pos_emb { self.rotary_emb_scaling_factor } else { 1.0 }
    }

    /// Every tensor of a checkpoint by its official name, with its shape.
    pub fn tensors(&self) -> Vec<(String, Vec<usize>)> {
        let (c, inner, n) = (self.hidden_size, self.inner_size(), self.short_filter_length);
        let mut all = vec![
            ("embedding_layer.weight".to_owned(), vec![self.vocab_size, c]),
            ("norm.scale".to_owned(), vec![c]),
        ];
        for (layer, kind) in self.mixers().unwrap_or_default().into_iter().enumerate() {
            let mut add = |name: &str, shape: &[usize]| {
                all.push((format!("blocks.{layer}.{name}"), shape.to_vec()));
            };
            add("pre_norm.scale", &[c]);
            add("post_norm.scale", &[c]);
            add("mlp.l1.weight", &[inner, c]);
            add("mlp.l2.weight", &[inner, c]);
            add("mlp.l3.weight", &[c, inner]);
            if kind == MixerKind::Attention {
                add("inner_mha_cls.Wqkv.weight", &[3 * c, c]);
                add("inner_mha_cls.out_proj.weight", &[c, c]);
                add("inner_mha_cls.out_proj.bias", &[c]);
                continue;
            }
            add("projections.weight", &[3 * c, c]);
            add("out_filter_dense.weight", &[c, c]);
            add("out_filter_dense.bias", &[c]);
            add("filter.short_filter_weight", &[3 * c, 1, n]);
            match kind {
                MixerKind::Hcs => {
                    add("filter.h", &[self.hcs_filter_groups, 1, self.hcs_filter_length]);
                }
                MixerKind::Hcm => {
                    add("filter.h", &[self.hcm_filter_groups, 1, self.hcm_filter_length]);
                    add("filter.D", &[c]);
                }
                MixerKind::Hcl | MixerKind::Attention => {
                    add("filter.log_poles", &[c, self.state_size, 1]);
                    add("filter.residues", &[c, self.state_size]);
                    add("filter.D", &[c]);
                }
            }
        }
        all
    }

    /// The Transformer of as many layers and channels: attention throughout, and an MLP that is wider
    /// by what filters cost, so that parameters are as many within a few per cent.
    #[must_use]
    pub fn as_transformer(&self) -> ModelConfig {
        let mut config = self.clone();
        config.model_name = format!("{}_transformer", self.model_name);
        for layers in
            [&mut config.hcs_layer_idxs, &mut config.hcm_layer_idxs, &mut config.hcl_layer_idxs]
        {
            layers.clear();
        }
        config.attn_layer_idxs = (0..self.num_layers).collect();
        // Both as they are, so that the shape does not depend on how it was written.
        config.inner_mlp_size = Some(self.inner_size());
        let per_unit = 3 * self.hidden_size * self.num_layers;
        let missing = self.n_parameters().saturating_sub(config.n_parameters());
        let more = missing / per_unit / nn::BLOCK * nn::BLOCK;
        config.inner_mlp_size = Some(self.inner_size() + more);
        config
    }

    /// Parameters of one layer, by kind.
    pub fn n_parameters_of(&self, kind: MixerKind) -> usize {
        let c = self.hidden_size;
        let mlp = 3 * c * self.inner_size() + 2 * c;
        let hyena = 3 * c * c + 3 * c * self.short_filter_length + c * c + c;
        mlp + match kind {
            MixerKind::Hcs => hyena + self.hcs_filter_groups * self.hcs_filter_length,
            MixerKind::Hcm => hyena + self.hcm_filter_groups * self.hcm_filter_length + c,
            MixerKind::Hcl => hyena + 2 * c * self.state_size + c,
            MixerKind::Attention => 4 * c * c + c,
        }
    }

    /// Parameters in all; embeddings are tied and counted once.
    pub fn n_parameters(&self) -> usize {
        let layers = self.mixers().unwrap_or_default();
        let layers: usize = layers.into_iter().map(|kind| self.n_parameters_of(kind)).sum();
        layers + self.vocab_size * self.hidden_size + self.hidden_size
    }
}
