//! SigLIP, also its second version in fixed sizes: a picture's embedding and a text's.

use candle_core::Tensor;
use candle_nn::{Activation, VarBuilder};
use candle_transformers::models::siglip::{TextConfig, TextModel, VisionConfig, VisionModel};

use super::clip::unit;
use super::files::{Files, Section};
use super::picture::Lens;
use super::source::build;
use super::words::{Kept, Words, row};
use super::{Failure, Model};
use crate::error::Error;

/// Of the pictures that it was trained on.
pub(super) const MEAN: [f32; 3] = [0.5; 3];
pub(super) const STD: [f32; 3] = [0.5; 3];

struct Siglip {
    seeing: VisionModel,
    reading: TextModel,
    words: Words,
    /// Tokens that a text is filled up to, and with which.
    n_tokens: usize,
    pad: u32,
    /// Values of the picture's embedding, and of the text's.
    widths: [usize; 2],
    texts: Kept,
}

/// Names of nonlinearities as configurations have them.
pub(super) fn activation(section: Section<'_>) -> Result<Activation, Error> {
    let name = section.text("hidden_act", "gelu_pytorch_tanh")?;
    section.expect("hidden_act", name, &["gelu_pytorch_tanh", "gelu"])?;
    Ok(if name == "gelu" { Activation::Gelu } else { Activation::GeluPytorchTanh })
}

/// The half that sees.
pub(super) fn vision(section: Section<'_>) -> Result<VisionConfig, Error> {
    let [hidden_size, num_attention_heads] = section.heads(768, 12)?;
    let [image_size, patch_size] = section.patches(224, 16)?;
    Ok(VisionConfig {
        hidden_size,
        intermediate_size: section.size("intermediate_size", 3072)?,
        num_hidden_layers: section.size("num_hidden_layers", 12)?,
        num_attention_heads,
        num_channels: 3,
        image_size,
        patch_size,
        hidden_act: activation(section)?,
        layer_norm_eps: section.number("layer_norm_eps", 1e-6)?,
    })
}

pub(super) fn open(files: &Files) -> Result<(Lens, Box<dyn Model>), Error> {
    let text = files.section("text_config");
    let [hidden_size, num_attention_heads] = text.heads(768, 12)?;
    let pad_token_id = text.token("pad_token_id", 1)?;
    let config = TextConfig {
        vocab_size: text.size("vocab_size", 32000)?,
        hidden_size,
        intermediate_size: text.size("intermediate_size", 3072)?,
        num_hidden_layers: text.size("num_hidden_layers", 12)?,
        num_attention_heads,
        max_position_embeddings: text.size("max_position_embeddings", 64)?,
        hidden_act: activation(text)?,
        layer_norm_eps: text.number("layer_norm_eps", 1e-6)?,
        pad_token_id,
        bos_token_id: 0,
        eos_token_id: 0,
    };
    let n_tokens = config.max_position_embeddings;
    let words = Words::open(files, config.vocab_size, n_tokens)?;
    let pad = words.pad(files, pad_token_id)?;
    if pad as usize >= config.vocab_size {
        let n = config.vocab_size;
        return Err(files.wrong(format!("texts are filled up with {pad} where there are {n}")));
    }
    let seen = vision(files.section("vision_config"))?;
    let make = |vb: VarBuilder<'_>| {
        let seeing = VisionModel::new(&seen, true, vb.pp("vision_model"))?;
        Ok((seeing, TextModel::new(&config, vb.pp("text_model"))?))
    };
    let (seeing, reading) = build(files.weights()?, None, make)?;
    let lens = Lens::new(files, seen.image_size, MEAN, STD)?;
    let (widths, texts) = ([seen.hidden_size, hidden_size], Kept::default());
    Ok((lens, Box::new(Siglip { seeing, reading, words, n_tokens, pad, widths, texts })))
}

impl Model for Siglip {
    fn n_features(&self) -> usize {
        self.widths.iter().sum()
    }

    fn features(&mut self, picture: &Tensor, text: &str) -> Result<Vec<f32>, Failure> {
        let Siglip { seeing, reading, words, n_tokens, pad, texts, .. } = self;
        let said = texts.get(text, || {
            // It has learned small letters only, and texts that are filled up: the last state is the
            // text's, whatever stands there.
            let mut tokens = words.tokens(&text.to_lowercase())?;
            tokens.resize(*n_tokens, *pad);
            Ok(unit(&row(&tokens)?.apply(&*reading)?)?)
        })?;
        let seen = unit(&picture.apply(&*seeing)?)?;
        Ok([&seen, said].concat())
    }
}
