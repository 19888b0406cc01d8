//! S1: pictures and the latent to a memory, once a frame; the memory, the latent and the state to a
//! chunk of actions, every tick.

use nn::train::{Embedding, Gather, Norm, Product, Tape, Var};
use nn::{Attended, Blocked, Channels, Heads};

use super::eyes::{Eyes, PARTS};
use super::{Fill, Layer, Maker, Mlp, Own};
use crate::model::config::{MOST_CAMERAS, PolicyConfig};

/// What a decoder looks at.
#[derive(Debug, Clone, Copy)]
pub enum Memory<'m> {
    /// On the same tape.
    Live(Var),
    /// Keys and values of every layer, from an earlier tape.
    Held(&'m [Attended]),
}

/// S1.
#[derive(Debug)]
pub struct Fast {
    eyes: Eyes,
    /// Places of its cameras among all.
    cameras: Vec<usize>,
    latent: Product,
    state: Product,
    places: Embedding,
    encoder: Vec<Layer>,
    encoded: Norm,
    queries: Embedding,
    decoder: Vec<Decoder>,
    /// Queries among a decoder's tokens.
    asked: Gather,
    decoded: Norm,
    act: Product,
}

/// A layer of the decoder.
#[derive(Debug)]
struct Decoder {
    own: Own,
    norm: Norm,
    q: Product,
    kv: Product,
    take: Product,
    mlp: Mlp,
}

/// Tokens before the queries: latent and state.
const BEFORE: usize = 2;

impl Fast {
    /// Of the present weights.
    #[must_use]
    pub fn new(make: Maker<'_>, config: &PolicyConfig) -> Fast {
        let s1 = &config.s1;
        let heads = Heads { n: s1.width / s1.head_size, size: s1.head_size };
        let decoder = |layer: usize| {
            let name = format!("s1.decoder.{layer}");
            Decoder {
                own: Own::new(make, &name, heads),
                norm: make.norm(&format!("{name}.cross")),
                q: make.product(&format!("{name}.q")),
                kv: make.product(&format!("{name}.kv")),
                take: make.product(&format!("{name}.take")),
                mlp: Mlp::new(make, &name),
            }
        };
        let layer = |layer: usize| Layer::new(make, &format!("s1.encoder.{layer}"), heads);
        Fast {
            eyes: Eyes::new(make, "s1", &s1.backbone, &config.cameras),
            cameras: s1.cameras.clone(),
            latent: make.product("s1.latent"),
            state: make.product("s1.state"),
            places: make.table("s1.memory"),
            encoder: (0..s1.encoder_layers).map(layer).collect(),
            encoded: make.norm("s1.encoded"),
            queries: make.table("s1.queries"),
            decoder: (0..s1.decoder_layers).map(decoder).collect(),
            asked: Gather::range(BEFORE + s1.chunk, BEFORE..BEFORE + s1.chunk),
            decoded: make.norm("s1.decoded"),
            act: make.product("s1.act"),
        }
    }

    /// Bytes of weights that a tick reads.
    #[must_use]
    pub fn tick_bytes(&self) -> usize {
        let layer = |layer: &Decoder| {
            [
                &layer.own.qkv,
                &layer.own.leave,
                &layer.q,
                &layer.take,
                &layer.mlp.up,
                &layer.mlp.down,
            ]
            .into_iter()
            .map(Product::size_bytes)
            .sum::<usize>()
        };
        self.decoder.iter().map(layer).sum::<usize>() + self.act.size_bytes()
    }

    /// What `n` samples see, `[n · M, width]`, with latents `[n, latent]`.
    pub fn encode<'a>(
        &'a self,
        tape: &mut Tape<'a>,
        n: usize,
        latent: Var,
        fill: &mut Fill<'_>,
    ) -> Var {
        let token = tape.product(&self.latent, latent, None);
        // Filled below, camera by camera; the last one is the latent.
        let mut parts = [token; MOST_CAMERAS * PARTS + 1];
        let mut n_parts = 0;
        let films = self.eyes.films(tape, latent);
        for camera in &self.cameras {
            let seen = self.eyes.look(tape, *camera, n, films, fill);
            parts[n_parts..][..PARTS].copy_from_slice(&seen.tokens);
            n_parts += PARTS;
        }
        let seen = tape.join(&parts[..=n_parts], n);
        self.digest(tape, n, seen)
    }

    /// One camera's tokens of one sample, written to `seen` from token `first` on. Gives how many.
    pub fn look_alone<'a>(
        &'a self,
        tape: &mut Tape<'a>,
        camera: usize,
        latent: Var,
        fill: &mut Fill<'_>,
        seen: (&mut Blocked, usize),
    ) -> usize {
        self.eyes.look_alone(tape, camera, latent, fill, seen)
    }

    /// The latent's token, written to one of `seen`.
    pub fn note<'a>(&'a self, tape: &mut Tape<'a>, latent: Var, seen: &mut Blocked, at: usize) {
        let token = tape.product(&self.latent, latent, None);
        seen.write_tokens(at, tape.value(token));
    }

    /// The encoder: from tokens of what was seen, `[n · M, width]`, to what is attended to.
    pub fn digest<'a>(&'a self, tape: &mut Tape<'a>, n: usize, seen: Var) -> Var {
        let mut x = tape.add_table(&self.places, seen);
        for layer in &self.encoder {
            x = layer.forward(tape, x, n);
        }
        tape.norm(&self.encoded, x)
    }

    /// Keys and values of a memory in every layer of the decoder, kept for many ticks.
    pub fn hold<'a>(
        &'a self,
        tape: &mut Tape<'a>,
        n: usize,
        memory: Var,
        into: &mut Vec<Attended>,
    ) {
        into.resize_with(self.decoder.len(), Attended::default);
        for (layer, into) in self.decoder.iter().zip(into) {
            let heads = layer.own.heads;
            let kv = tape.product(&layer.kv, memory, None);
            let all = tape.value(kv);
            let [keys, values] = [0, heads.n_channels()].map(|first| Channels { all, first });
            into.hold(heads, n, keys, values);
        }
    }

    /// Normalised actions of `n` samples and marks after them, `[n · chunk, action + marks]` filled up to
    /// whole blocks, with latents `[n, latent]` and normalised states `[n, state]`, filled up likewise.
    pub fn decode<'a>(
        &'a self,
        tape: &mut Tape<'a>,
        n: usize,
        latent: Var,
        state: Var,
        memory: Memory<'_>,
    ) -> Var {
        let latent = tape.product(&self.latent, latent, None);
        let state = tape.product(&self.state, state, None);
        let queries = tape.table(&self.queries, n);
        let mut x = tape.join(&[latent, state, queries], n);
        for (at, layer) in self.decoder.iter().enumerate() {
            x = layer.own.forward(tape, x, n);
            let heads = layer.own.heads;
            let normed = tape.norm(&layer.norm, x);
            let q = tape.product(&layer.q, normed, None);
            let taken = match memory {
                Memory::Live(memory) => {
                    let kv = tape.product(&layer.kv, memory, None);
                    tape.attend(heads, n, [(q, 0), (kv, 0), (kv, heads.n_channels())])
                }
                Memory::Held(held) => tape.attend_held(heads, (q, 0), &held[at]),
            };
            x = tape.product(&layer.take, taken, Some(x));
            x = layer.mlp.forward(tape, x);
        }
        let x = tape.gather(&self.asked, x);
        let x = tape.norm(&self.decoded, x);
        tape.product(&self.act, x, None)
    }
}
