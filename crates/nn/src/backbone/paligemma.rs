//! PaliGemma: SigLIP's eyes before Gemma, put together from candle's parts.
//!
//! candle's own whole scales what was seen to length 1, where the model was trained with the square root of
//! its width; and it ends before the last norm. Here both are as in training.

use candle_core::{D, Module, Tensor};
use candle_nn::{Linear, VarBuilder, linear};
use candle_transformers::models::{gemma, siglip as eyes};

use super::files::Files;
use super::picture::Lens;
use super::siglip::{MEAN, STD, vision};
use super::source::build;
use super::words::{Words, row};
use super::{Failure, Model};
use crate::error::Error;

/// Most tokens of a text.
const MOST_TOKENS: usize = 512;

struct PaliGemma {
    parts: Parts,
    words: Words,
    width: usize,
    eps: f64,
}

struct Parts {
    eyes: eyes::VisionModel,
    project: Linear,
    gemma: gemma::Model,
    /// Scale of the last norm, less 1.
    norm: Tensor,
}

fn text_config(files: &Files, n_seen: usize) -> Result<gemma::Config, Error> {
    let text = files.section("text_config");
    // The second version has Gemma 2, of which candle gives no hidden states.
    text.expect("model_type", text.text("model_type", "gemma")?, &["gemma"])?;
    let act = text.text("hidden_activation", "gelu_pytorch_tanh")?;
    text.expect("hidden_activation", act, &["gelu_pytorch_tanh"])?;
    let num_attention_heads = text.size("num_attention_heads", 16)?;
    let num_key_value_heads = text.size("num_key_value_heads", 16)?;
    let head_dim = text.size("head_dim", 256)?;
    if num_attention_heads % num_key_value_heads != 0 || head_dim % 2 != 0 {
        let reason = format!(
            "{num_attention_heads} heads of {head_dim} share {num_key_value_heads} keys: they cannot"
        );
        return Err(files.wrong(reason));
    }
    Ok(gemma::Config {
        attention_bias: text.is("attention_bias"),
        head_dim,
        hidden_act: Some(candle_nn::Activation::GeluPytorchTanh),
        hidden_activation: None,
        hidden_size: text.size("hidden_size", 3072)?,
        intermediate_size: text.size("intermediate_size", 24576)?,
        num_attention_heads,
        num_hidden_layers: text.size("num_hidden_layers", 28)?,
        num_key_value_heads,
        rms_norm_eps: text.number("rms_norm_eps", 1e-6)?,
        rope_theta: text.number("rope_theta", 10_000.0)?,
        vocab_size: text.size("vocab_size", 256_000)?,
        // As many as are used: a table is made of them.
        max_position_embeddings: n_seen + MOST_TOKENS,
    })
}

pub(super) fn open(files: &Files) -> Result<(Lens, Box<dyn Model>), Error> {
    let seen = vision(files.section("vision_config"))?;
    let config = text_config(files, seen.num_patches())?;
    let words = Words::open(files, config.vocab_size, MOST_TOKENS)?;
    let (width, eps) = (config.hidden_size, config.rms_norm_eps);
    let make = |vb: VarBuilder<'_>| {
        let eyes = eyes::VisionModel::new(&seen, false, vb.pp("vision_tower.vision_model"))?;
        let project = linear(seen.hidden_size, width, vb.pp("multi_modal_projector.linear"))?;
        let gemma = gemma::Model::new(false, &config, vb.pp("language_model"))?;
        let norm = vb.get(width, "language_model.model.norm.weight")?;
        Ok(Parts { eyes, project, gemma, norm })
    };
    let parts = build(files.weights()?, None, make)?;
    let lens = Lens::new(files, seen.image_size, MEAN, STD)?;
    Ok((lens, Box::new(PaliGemma { parts, words, width, eps })))
}

impl Model for PaliGemma {
    fn n_features(&self) -> usize {
        2 * self.width
    }

    fn features(&mut self, picture: &Tensor, text: &str) -> Result<Vec<f32>, Failure> {
        let Parts { eyes, project, gemma, norm } = &mut self.parts;
        // The line's end divides what is asked from what is answered.
        let tokens = self.words.tokens(&format!("{text}\n"))?;
        let seen = project.forward(&eyes.forward(picture)?)?;
        // Gemma begins by multiplying with the root of its width, which is meant for words.
        let seen = (seen / (self.width as f64).sqrt())?;
        let n_seen = seen.dim(1)?;
        let said = gemma.embed_tokens().forward(&row(&tokens)?)?;
        gemma.clear_kv_cache();
        let states =
            gemma.forward_embeds_without_projection(&Tensor::cat(&[seen, said], 1)?, None, 0);
        // Nothing is kept from one picture to the next.
        gemma.clear_kv_cache();
        let states = states?;
        let mean = (states.sqr()?.mean_keepdim(D::Minus1)? + self.eps)?.sqrt()?;
        let states = states.broadcast_div(&mean)?.broadcast_mul(&(&*norm + 1.0)?)?;
        let picture = states.narrow(1, 0, n_seen)?.mean(1)?;
        let last = states.narrow(1, n_seen + tokens.len() - 1, 1)?.squeeze(1)?;
        Ok(Tensor::cat(&[picture, last], 1)?.flatten_all()?.to_vec1()?)
    }
}
