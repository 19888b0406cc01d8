//! CLIP: a picture's embedding and a text's.

use candle_core::Tensor;
use candle_transformers::models::clip::text_model::{Activation, ClipTextConfig};
use candle_transformers::models::clip::vision_model::ClipVisionConfig;
use candle_transformers::models::clip::{ClipConfig, ClipModel, div_l2_norm};

use super::files::{Files, Section};
use super::picture::Lens;
use super::source::build;
use super::words::{Kept, Words, row};
use super::{Failure, Model};
use crate::error::Error;

/// Of the pictures that it was trained on.
pub(super) const MEAN: [f32; 3] = [0.481_454_66, 0.457_827_5, 0.408_210_73];
pub(super) const STD: [f32; 3] = [0.268_629_54, 0.261_302_6, 0.275_777_1];

struct Clip {
    model: ClipModel,
    words: Words,
    /// Values of either embedding.
    width: usize,
    texts: Kept,
}

/// What candle's layers of CLIP have built in.
pub(super) fn expect_plain(section: Section<'_>) -> Result<(), Error> {
    section.expect("hidden_act", section.text("hidden_act", "quick_gelu")?, &["quick_gelu"])?;
    let eps = section.number("layer_norm_eps", 1e-5)?.to_string();
    section.expect("layer_norm_eps", &eps, &["0.00001"])
}

/// The half that sees.
pub(super) fn vision(section: Section<'_>, projection: usize) -> Result<ClipVisionConfig, Error> {
    expect_plain(section)?;
    let [embed_dim, num_attention_heads] = section.heads(768, 12)?;
    let [image_size, patch_size] = section.patches(224, 32)?;
    Ok(ClipVisionConfig {
        embed_dim,
        activation: Activation::QuickGelu,
        intermediate_size: section.size("intermediate_size", 3072)?,
        num_hidden_layers: section.size("num_hidden_layers", 12)?,
        num_attention_heads,
        projection_dim: projection,
        num_channels: 3,
        image_size,
        patch_size,
    })
}

pub(super) fn open(files: &Files) -> Result<(Lens, Box<dyn Model>), Error> {
    let width = files.config().size("projection_dim", 512)?;
    let text = files.section("text_config");
    expect_plain(text)?;
    let [embed_dim, num_attention_heads] = text.heads(512, 8)?;
    let text_config = ClipTextConfig {
        vocab_size: text.size("vocab_size", 49408)?,
        embed_dim,
        activation: Activation::QuickGelu,
        intermediate_size: text.size("intermediate_size", 2048)?,
        max_position_embeddings: text.size("max_position_embeddings", 77)?,
        pad_with: None,
        num_hidden_layers: text.size("num_hidden_layers", 12)?,
        num_attention_heads,
        projection_dim: width,
    };
    let words = Words::open(files, text_config.vocab_size, text_config.max_position_embeddings)?;
    let vision_config = vision(files.section("vision_config"), width)?;
    let image_size = vision_config.image_size;
    // The scale of logits is of no use here, but candle asks for it.
    let config = ClipConfig { text_config, vision_config, logit_scale_init_value: 1.0, image_size };
    let model = build(files.weights()?, None, |vb| ClipModel::new(vb, &config))?;
    let lens = Lens::new(files, image_size, MEAN, STD)?;
    Ok((lens, Box::new(Clip { model, words, width, texts: Kept::default() })))
}

/// An embedding, `[1, C]`, of length 1.
pub(super) fn unit(embedding: &Tensor) -> candle_core::Result<Vec<f32>> {
    div_l2_norm(embedding)?.flatten_all()?.to_vec1()
}

impl Model for Clip {
    fn n_features(&self) -> usize {
        2 * self.width
    }

    fn features(&mut self, picture: &Tensor, text: &str) -> Result<Vec<f32>, Failure> {
        let Clip { model, words, texts, .. } = self;
        // The state that is taken for the text is that of the highest number, which ends it.
        let said = texts
            .get(text, || Ok(unit(&model.get_text_features(&row(&words.tokens(text)?)?)?)?))?;
        let seen = unit(&model.get_image_features(picture)?)?;
        Ok([&seen, said].concat())
    }
}
