//! The model: what a sequence so far says about its next base.
//!
//! Source of the forward pass: the official inference code (`vtx` 1.1.0), whose outputs the tests
//! hold this to.

mod block;
#[cfg(test)]
mod golden;
mod layer;
pub(crate) mod layout;
#[cfg(any(test, feature = "device"))]
mod on_device;
mod source;
mod state;

use nn::{Blocked, Cpu, Linear, Precision, RmsNorm, Then};

#[cfg(any(test, feature = "device"))]
pub use on_device::OnDevice;
pub use source::{Random, Source, Values};
pub use state::State;

use crate::config::{Fp8, ModelConfig};
use crate::error::Error;
use block::{Block, Room};

/// Tokens that go through all layers at a time: weights are read once for that many, and activations
/// stay in the cache.
const CHUNK: usize = 512;

/// One token: a byte, or an id up to the vocabulary's size.
pub type Token = u16;

/// A sequence's next tokens, and what is remembered of those before.
#[derive(Debug)]
pub struct Part<'a> {
    /// Tokens that follow those already seen.
    pub tokens: &'a [Token],
    /// What was seen.
    pub state: &'a mut State,
}

/// A place in the model where activations, `[T, C]`, can be watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tap {
    /// After the embedding.
    Embedding,
    /// What a layer's MLP adds.
    Mlp(usize),
    /// The residual stream after a layer.
    Block(usize),
    /// After the last normalisation: what logits are computed from.
    Norm,
}

/// Watches activations. `part` counts the parts of a batch, `first` the tokens of the part before.
pub trait Watch {
    /// Whether a place is of interest.
    fn wants(&self, tap: Tap) -> bool;
    /// Takes activations, `[T, C]`.
    fn take(&mut self, tap: Tap, part: usize, first: usize, activations: &Blocked);
}

/// Watches nothing.
#[derive(Debug, Clone, Copy)]
pub struct Nothing;

impl Watch for Nothing {
    fn wants(&self, _: Tap) -> bool {
        false
    }

    fn take(&mut self, _: Tap, _: usize, _: usize, _: &Blocked) {}
}

/// A loaded model.
#[derive(Debug)]
pub struct StripedHyena {
    config: ModelConfig,
    cpu: Cpu,
    /// `[V, C]`, as the checkpoint has it.
    embedding: Vec<f32>,
    blocks: Vec<Block>,
    norm: RmsNorm,
    unembed: Linear,
}

impl StripedHyena {
    /// Loads weights under the official names, in the official layout.
    ///
    /// # Errors
    /// If the model needs FP8, a tensor is missing, has another shape, or holds a NaN.
    pub fn load(
        config: &ModelConfig,
        source: &dyn Source,
        precision: Precision,
    ) -> Result<StripedHyena, Error> {
        check_fp8(config)?;
        let mixers = config.mixers().map_err(|reason| Error::Config { reason })?;
        let (v, c) = (config.vocab_size, config.hidden_size);
        let all = |name: &str, shape: &[usize]| source::all(source, name, shape);
        let embedding = all("embedding_layer.weight", &[v, c])?;
        let blocks = mixers
            .into_iter()
            .enumerate()
            .map(|(layer, kind)| Block::load(config, layer, kind, source, precision))
            .collect::<Result<_, _>>()?;
        let norm = RmsNorm::new(&all("norm.scale", &[c])?, config.eps);
        // Logits decide between tokens and are few: they keep full precision where weights are f32,
        // and bfloat16 otherwise.
        let precision = if precision == Precision::F32 { precision } else { Precision::Bf16 };
        let unembed = Linear::new(v, c, precision, None, |row, into| {
            into.copy_from_slice(&embedding[row * c..(row + 1) * c]);
        });
        let config = config.clone();
        Ok(StripedHyena { config, cpu: Cpu::best(), embedding, blocks, norm, unembed })
    }

    /// The same model on other instructions.
    #[must_use]
    pub fn on(mut self, cpu: Cpu) -> StripedHyena {
        self.cpu = cpu;
        self
    }

    /// Its shape.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// The instructions that it uses.
    pub fn cpu(&self) -> Cpu {
        self.cpu
    }

    /// Bytes of weights that one step reads.
    pub fn size_bytes(&self) -> usize {
        self.blocks.iter().map(Block::size_bytes).sum::<usize>() + self.unembed.size_bytes()
    }

    /// Of a sequence that has not begun.
    pub fn state(&self) -> State {
        State { n_tokens: 0, layers: self.blocks.iter().map(Block::state).collect() }
    }

    /// Feeds tokens of one sequence; `each` is given the number of tokens before a piece, and the
    /// piece's logits, `[T, V]`.
    ///
    /// # Panics
    /// If a token is not in the vocabulary, or the state is of another model.
    pub fn forward(
        &self,
        tokens: &[Token],
        state: &mut State,
        mut each: impl FnMut(usize, &Blocked),
    ) {
        let mut parts = [Part { tokens, state }];
        self.forward_parts(&mut parts, &mut Nothing, |_, first, logits| each(first, logits));
    }

    /// Feeds tokens of several sequences, each of its own length; `each` is also given the number of
    /// the part. Every part's results are those that it would have alone, in f32 to the bit.
    ///
    /// # Panics
    /// As [`StripedHyena::forward`].
    pub fn forward_parts(
        &self,
        parts: &mut [Part<'_>],
        watch: &mut dyn Watch,
        mut each: impl FnMut(usize, usize, &Blocked),
    ) {
        let mut next = vec![0; parts.len()];
        let mut room = Room::new(self.cpu);
        loop {
            // A share of the chunk for every part that has tokens left.
            let n_open = parts.iter().zip(&next).filter(|(p, at)| **at < p.tokens.len()).count();
            if n_open == 0 {
                return;
            }
            let share = (CHUNK / n_open).max(1);
            let sizes: Vec<usize> =
                parts.iter().zip(&next).map(|(p, at)| share.min(p.tokens.len() - at)).collect();
            let mut x = self.embed(parts, &next, &sizes);
            let split = Split { sizes: &sizes, next: &next };
            split.show(watch, Tap::Embedding, &x);
            for (layer, block) in self.blocks.iter().enumerate() {
                block.forward(layer, &mut x, parts, &split, &mut room, watch);
                split.show(watch, Tap::Block(layer), &x);
            }
            let mut normed = Blocked::new(x.n_tokens(), x.n_channels());
            self.norm.forward(self.cpu, &x, &mut normed);
            split.show(watch, Tap::Norm, &normed);
            let mut logits = Blocked::new(x.n_tokens(), self.config.vocab_size);
            self.unembed.forward(self.cpu, &normed, &mut logits, Then::Store);
            split.each(&logits, &mut each);
            for ((part, size), at) in parts.iter_mut().zip(&sizes).zip(&mut next) {
                part.state.n_tokens += size;
                *at += size;
            }
        }
    }

    fn embed(&self, parts: &[Part<'_>], next: &[usize], sizes: &[usize]) -> Blocked {
        let c = self.config.hidden_size;
        let mut x = Blocked::new(sizes.iter().sum(), c);
        let tokens = parts
            .iter()
            .zip(next)
            .zip(sizes)
            .flat_map(|((part, at), size)| &part.tokens[*at..at + size]);
        for (at, token) in tokens.enumerate() {
            x.write_token(at, &self.embedding[usize::from(*token) * c..][..c]);
        }
        x
    }
}

/// Refuses a model that falls to chance without projections in FP8.
fn check_fp8(config: &ModelConfig) -> Result<(), Error> {
    if config.fp8 == Fp8::Required {
        return Err(Error::NeedsFp8 { model: config.model_name.clone() });
    }
    Ok(())
}

/// How a chunk divides into parts.
struct Split<'a> {
    sizes: &'a [usize],
    next: &'a [usize],
}

impl Split<'_> {
    /// Parts with tokens: number, first row, rows.
    fn ranges(&self) -> impl Iterator<Item = (usize, usize, usize)> {
        let mut first = 0;
        self.sizes.iter().enumerate().filter_map(move |(part, size)| {
            let from = first;
            first += size;
            (*size > 0).then_some((part, from, *size))
        })
    }

    fn show(&self, watch: &mut dyn Watch, tap: Tap, all: &Blocked) {
        if watch.wants(tap) {
            self.each(all, |part, first, activations| watch.take(tap, part, first, activations));
        }
    }

    /// Each part's rows, with its number and the tokens before them.
    fn each(&self, all: &Blocked, mut each: impl FnMut(usize, usize, &Blocked)) {
        for (part, from, size) in self.ranges() {
            if size == all.n_tokens() {
                each(part, self.next[part], all);
            } else {
                each(part, self.next[part], &all.tokens(from..from + size));
            }
        }
    }
}
