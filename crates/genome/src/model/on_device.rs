//! The forward pass on a device: a whole sequence at once, in f32.
//!
//! What [`StripedHyena`](super::StripedHyena) computes, layer by layer, by the operations of
//! [`nn::device`]; agrees with it within rounding. Nothing is kept of a sequence, so its length is bounded
//! by the device's memory: about 40 numbers a token and channel, and for each attention layer 256 scores a
//! token and head.

use nn::device::{Array, Attention, Device, Glu, Hyena, Linear, RmsNorm};
use nn::{Blocked, Cpu};

use super::layer::{Layer, Operator};
use super::source::{Source, all};
use super::{Token, check_fp8};
use crate::config::{MixerKind, ModelConfig};
use crate::error::Error;
use crate::score::Score;

/// Tokens whose logits are read back at once.
const LOGITS: usize = 4096;

/// A model on a device.
#[derive(Debug)]
pub struct OnDevice {
    n_channels: usize,
    device: Device,
    /// `[V, C]`, beside the processor: rows of it are what is sent.
    embedding: Vec<f32>,
    blocks: Vec<Block>,
    norm: RmsNorm,
    unembed: Linear,
}

#[derive(Debug)]
enum Mixer {
    Hyena(Hyena),
    Attention(Attention),
}

#[derive(Debug)]
struct Block {
    before_mixer: RmsNorm,
    project: Linear,
    mixer: Mixer,
    leave: Linear,
    before_mlp: RmsNorm,
    glu: Glu,
    down: Linear,
}

impl Block {
    fn load(device: &Device, from: &Layer<'_>) -> Result<Block, Error> {
        let config = from.config;
        let (c, inner) = (config.hidden_size, config.inner_size());
        let [before_mixer, before_mlp] = from.norms()?;
        let mixer = if from.kind == MixerKind::Attention {
            let (h, d) = (config.num_attention_heads, config.head_size());
            Mixer::Attention(Attention::new(h, d, from.rotary()?))
        } else {
            let operator = from.operator()?;
            let Operator { short, n_short, skip, .. } = &operator;
            let filter = operator.filter();
            Mixer::Hyena(Hyena::new(device, short, *n_short, filter, skip.as_deref())?)
        };
        let (leave, bias) = from.leave()?;
        let [gate, value, down] = from.mlp()?;
        let gate = Linear::new(device, [inner, c], None, gate)?;
        let value = Linear::new(device, [inner, c], None, value)?;
        Ok(Block {
            before_mixer: RmsNorm::new(device, &before_mixer, config.eps)?,
            project: Linear::new(device, [3 * c, c], None, from.project()?)?,
            mixer,
            leave: Linear::new(device, [c, c], Some(&bias), leave)?,
            before_mlp: RmsNorm::new(device, &before_mlp, config.eps)?,
            glu: Glu::new(gate, value, from.activation()),
            down: Linear::new(device, [c, inner], None, down)?,
        })
    }

    fn forward(&self, x: &Array) -> Result<Array, Error> {
        let projected = self.project.forward(&self.before_mixer.forward(x)?)?;
        let mixed = match &self.mixer {
            Mixer::Hyena(hyena) => hyena.forward(&projected)?,
            Mixer::Attention(attention) => attention.forward(&projected)?,
        };
        let x = x.plus(&self.leave.forward(&mixed)?)?;
        let inner = self.glu.forward(&self.before_mlp.forward(&x)?)?;
        Ok(x.plus(&self.down.forward(&inner)?)?)
    }
}

impl OnDevice {
    /// Loads weights under the official names, in the official layout.
    ///
    /// # Errors
    /// As [`StripedHyena::load`](super::StripedHyena::load), or if the device has no room.
    pub fn load(
        config: &ModelConfig,
        source: &dyn Source,
        device: Device,
    ) -> Result<OnDevice, Error> {
        check_fp8(config)?;
        let mixers = config.mixers().map_err(|reason| Error::Config { reason })?;
        let (v, c) = (config.vocab_size, config.hidden_size);
        let embedding = all(source, "embedding_layer.weight", &[v, c])?;
        let blocks = mixers.into_iter().enumerate();
        let blocks = blocks
            .map(|(layer, kind)| Block::load(&device, &Layer { config, layer, kind, source }))
            .collect::<Result<_, _>>()?;
        let norm = RmsNorm::new(&device, &all(source, "norm.scale", &[c])?, config.eps)?;
        let unembed = Linear::new(&device, [v, c], None, |row, into| {
            into.copy_from_slice(&embedding[row * c..(row + 1) * c]);
        })?;
        Ok(OnDevice { n_channels: c, device, embedding, blocks, norm, unembed })
    }

    /// Feeds a whole sequence; `each` is given the number of tokens before a piece, and the piece's logits,
    /// `[T, V]`.
    ///
    /// # Errors
    /// If the device fails or has no room.
    ///
    /// # Panics
    /// If a token is not in the vocabulary.
    pub fn forward(
        &self,
        tokens: &[Token],
        mut each: impl FnMut(usize, &Blocked),
    ) -> Result<(), Error> {
        if tokens.is_empty() {
            return Ok(());
        }
        let c = self.n_channels;
        let row = |token: &Token| &self.embedding[usize::from(*token) * c..][..c];
        let rows: Vec<f32> = tokens.iter().flat_map(row).copied().collect();
        let mut x = self.device.array(&rows, c)?;
        for block in &self.blocks {
            x = block.forward(&x)?;
        }
        let x = self.norm.forward(&x)?;
        let vocabulary = self.embedding.len() / c;
        for first in (0..tokens.len()).step_by(LOGITS) {
            let some = x.tokens(first, LOGITS.min(tokens.len() - first))?;
            let logits = self.unembed.forward(&some)?.to_rows()?;
            each(first, &Blocked::from_rows(&logits, vocabulary));
        }
        Ok(())
    }

    /// Log-likelihoods of a sequence's tokens.
    ///
    /// # Errors
    /// As [`OnDevice::forward`].
    pub fn score(&self, tokens: &[Token]) -> Result<Score, Error> {
        let mut log_likelihoods = Vec::with_capacity(tokens.len());
        self.forward(&tokens[..tokens.len().saturating_sub(1)], |first, logits| {
            let next = &tokens[first + 1..][..logits.n_tokens()];
            let next: Vec<usize> = next.iter().copied().map(usize::from).collect();
            log_likelihoods.extend(nn::log_likelihoods(Cpu::best(), logits, &next));
        })?;
        Ok(Score { log_likelihoods })
    }
}
