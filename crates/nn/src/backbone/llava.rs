//! LLaVA: CLIP's eyes before Llama, put together from candle's parts.
//!
//! candle's own whole takes what was seen one layer later than the configuration says, and ends in scores
//! of words. Here a unit matrix takes the place of what makes those scores, so that the last hidden state
//! comes out as it is.

use candle_core::{DType, Device, IndexOp, Module, Tensor};
use candle_nn::{Linear, VarBuilder, linear};
use candle_transformers::models::clip::vision_model::ClipVisionTransformer;
use candle_transformers::models::llama::{Cache, Config, Llama};

use super::clip::{MEAN, STD, vision};
use super::files::Files;
use super::picture::Lens;
use super::source::build;
use super::words::{Words, row};
use super::{Failure, Model};
use crate::error::Error;

/// Most tokens of a text, the words around it included.
const MOST_TOKENS: usize = 512;

struct Llava {
    parts: Parts,
    cache: Cache,
    words: Words,
    width: usize,
    /// Which layer's states are taken for what was seen, counted from 0.
    layer: usize,
    /// The token that stands for the picture.
    image: u32,
}

struct Parts {
    eyes: ClipVisionTransformer,
    project: [Linear; 2],
    llama: Llama,
}

fn text_config(files: &Files, n_seen: usize) -> Result<Config, Error> {
    let text = files.section("text_config");
    text.expect("model_type", text.text("model_type", "llama")?, &["llama"])?;
    text.expect("hidden_act", text.text("hidden_act", "silu")?, &["silu"])?;
    let [hidden_size, num_attention_heads] = text.heads(4096, 32)?;
    let num_key_value_heads = text.size("num_key_value_heads", num_attention_heads)?;
    let head_size = hidden_size / num_attention_heads;
    let is_plain = !text.has("rope_scaling") && text.size("head_dim", head_size)? == head_size;
    let is_even = num_attention_heads % num_key_value_heads == 0 && head_size % 2 == 0;
    if !is_plain || !is_even || text.is("attention_bias") || text.is("mlp_bias") {
        let reason = "its attention has biases, scaled or odd heads, which are not read here";
        return Err(files.wrong(reason.to_owned()));
    }
    Ok(Config {
        hidden_size,
        intermediate_size: text.size("intermediate_size", 11008)?,
        vocab_size: text.size("vocab_size", 32000)?,
        num_hidden_layers: text.size("num_hidden_layers", 32)?,
        num_attention_heads,
        num_key_value_heads,
        use_flash_attn: false,
        rms_norm_eps: text.number("rms_norm_eps", 1e-6)?,
        rope_theta: text.number("rope_theta", 10_000.0)? as f32,
        bos_token_id: None,
        eos_token_id: None,
        rope_scaling: None,
        // As many as are used: a table is made of them.
        max_position_embeddings: n_seen + MOST_TOKENS,
        tie_word_embeddings: false,
    })
}

pub(super) fn open(files: &Files) -> Result<(Lens, Box<dyn Model>), Error> {
    let (all, eyes) = (files.config(), files.section("vision_config"));
    eyes.expect(
        "model_type",
        eyes.text("model_type", "clip_vision_model")?,
        &["clip_vision_model"],
    )?;
    let seen = vision(eyes, eyes.size("projection_dim", 512)?)?;
    all.expect("projector_hidden_act", all.text("projector_hidden_act", "gelu")?, &["gelu"])?;
    let strategy = all.text("vision_feature_select_strategy", "default")?;
    all.expect("vision_feature_select_strategy", strategy, &["default"])?;
    // Counted from the end; the last one is -1.
    let back = all.steps_back("vision_feature_layer", 2)?;
    let layer = seen.num_hidden_layers.checked_sub(back).ok_or_else(|| {
        files.wrong(format!("`vision_feature_layer` is -{back}, before the first layer"))
    })?;
    let n_seen = (seen.image_size / seen.patch_size).pow(2);
    let config = text_config(files, n_seen)?;
    let words = Words::open(files, config.vocab_size, MOST_TOKENS)?;
    let image = all.token("image_token_index", all.token("image_token_id", 32000)?)?;
    let width = config.hidden_size;
    let make = |vb: VarBuilder<'_>| {
        let eyes = ClipVisionTransformer::new(vb.pp("vision_tower.vision_model"), &seen)?;
        let project = vb.pp("multi_modal_projector");
        let project = [
            linear(seen.embed_dim, width, project.pp("linear_1"))?,
            linear(width, width, project.pp("linear_2"))?,
        ];
        let llama = Llama::load(vb.pp("language_model"), &config)?;
        let cache = Cache::new(false, DType::F32, &config, &Device::Cpu)?;
        Ok((Parts { eyes, project, llama }, cache))
    };
    let scores = ("language_model.lm_head.weight", width);
    let (parts, cache) = build(files.weights()?, Some(scores), make)?;
    let lens = Lens::new(files, seen.image_size, MEAN, STD)?;
    Ok((lens, Box::new(Llava { parts, cache, words, width, layer, image })))
}

impl Model for Llava {
    fn n_features(&self) -> usize {
        self.width
    }

    fn features(&mut self, picture: &Tensor, text: &str) -> Result<Vec<f32>, Failure> {
        let Parts { eyes, project, llama } = &self.parts;
        // As it was asked in training.
        let tokens = self.words.tokens(&format!("USER: <image>\n{text} ASSISTANT:"))?;
        let mut places = (0..tokens.len()).filter(|at| tokens[*at] == self.image);
        let (Some(place), None) = (places.next(), places.next()) else {
            let reason = "its tokenizer has no `<image>`, or the text holds one";
            return Err(Failure::Text(reason.to_owned()));
        };
        let states = eyes.output_hidden_states(picture)?;
        // The first position is the whole picture's.
        let seen = states[self.layer].i((.., 1.., ..))?;
        let seen = project[1].forward(&project[0].forward(&seen)?.gelu_erf()?)?;
        let mut parts = Vec::new();
        for (idx, tokens) in [&tokens[..place], &tokens[place + 1..]].into_iter().enumerate() {
            if idx == 1 {
                parts.push(seen.clone());
            }
            if !tokens.is_empty() {
                parts.push(llama.embed(&row(tokens)?)?);
            }
        }
        let all = Tensor::cat(&parts, 1)?;
        let last = llama.forward_input_embed(&all, 0, &mut self.cache)?;
        Ok(last.flatten_all()?.to_vec1()?)
    }
}
