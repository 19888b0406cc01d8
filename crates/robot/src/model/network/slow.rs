//! S2: pictures, words and the state to a latent.

use nn::Heads;
use nn::train::{Embedding, Gather, Norm, Product, Tape, Var};

use super::{Backbone, Fill, Layer, Maker};
use crate::model::config::{MOST_CAMERAS, PolicyConfig};
use crate::model::tensors::s2_tokens;

/// S2.
#[derive(Debug)]
pub struct Slow {
    backbone: Backbone,
    /// Places of its cameras among all.
    cameras: Vec<usize>,
    state: Product,
    words: Embedding,
    places: Embedding,
    readout: Embedding,
    layers: Vec<Layer>,
    last: Gather,
    read: Norm,
    latent: Product,
    latent_norm: Norm,
}

impl Slow {
    /// Of the present weights.
    #[must_use]
    pub fn new(make: Maker<'_>, config: &PolicyConfig) -> Slow {
        let s2 = &config.s2;
        let heads = Heads { n: s2.width / s2.head_size, size: s2.head_size };
        let layer = |layer: usize| Layer::new(make, &format!("s2.layers.{layer}"), heads);
        let n = s2_tokens(config);
        Slow {
            backbone: Backbone::new(make, "s2", &s2.backbone, &config.cameras),
            cameras: s2.cameras.clone(),
            state: make.product("s2.state"),
            words: make.table("s2.words"),
            places: make.table("s2.places"),
            readout: make.table("s2.readout"),
            layers: (0..s2.layers).map(layer).collect(),
            last: Gather::range(n, n - 1..n),
            read: make.norm("s2.read"),
            latent: make.product("s2.latent"),
            latent_norm: make.norm("s2.latent"),
        }
    }

    /// Latents of `n` samples, `[n, latent]`, each normalised; from the numbers of their words, as many
    /// for each, and normalised states `[n, state]` filled up to whole blocks.
    pub fn read<'a>(
        &'a self,
        tape: &mut Tape<'a>,
        n: usize,
        words: Vec<usize>,
        state: Var,
        fill: &mut Fill<'_>,
    ) -> Var {
        let words = tape.embed(&self.words, words);
        let mut parts = [words; MOST_CAMERAS + 3];
        for (part, camera) in parts.iter_mut().zip(&self.cameras) {
            *part = self.backbone.forward(tape, *camera, n, fill, |_, _, x| x, |_, _, _| {});
        }
        let at = self.cameras.len();
        parts[at + 1] = tape.product(&self.state, state, None);
        parts[at + 2] = tape.table(&self.readout, n);
        let mut x = tape.join(&parts[..at + 3], n);
        x = tape.add_table(&self.places, x);
        for layer in &self.layers {
            x = layer.forward(tape, x, n);
        }
        let x = tape.gather(&self.last, x);
        let x = tape.norm(&self.read, x);
        let x = tape.product(&self.latent, x, None);
        tape.norm(&self.latent_norm, x)
    }
}
