//! S1: pictures and the latent to a memory, once a frame; the memory, the latent and the state to a
//! chunk of actions, every tick.

use nn::train::{Embedding, Gather, Norm, Product, Tape, Var};
use nn::{Attended, Blocked, Channels};

use super::eyes::{Eyes, Heat, PARTS};
use super::{Fill, Layer, Maker, Mlp, Own};
use crate::model::config::{KEYPOINT_SCALES, MOST_CAMERAS, PolicyConfig};

/// What a decoder looks at.
#[derive(Debug, Clone, Copy)]
pub enum Memory<'m> {
    /// On the same tape.
    Live(Var),
    /// Keys and values of every layer, from an earlier tape.
    Held(&'m [Attended]),
}

/// What S1 makes of a frame.
#[derive(Debug)]
pub struct Seen {
    /// Tokens to attend to, `[n · M, width]`.
    pub memory: Var,
    /// Where keypoints are, `[n, width]`.
    pub glance: Var,
    /// How much each position speaks for keypoints, by camera and scale.
    pub heat: Vec<[Heat; KEYPOINT_SCALES]>,
}

/// S1.
#[derive(Debug)]
pub struct Fast {
    eyes: Eyes,
    /// Places of its cameras among all.
    cameras: Vec<usize>,
    latent: Product,
    state: Product,
    /// Places that were found, by camera and scale, and the state, straight to the actions: a hand's last
    /// millimetres are in a few of these numbers.
    found: Vec<[Product; KEYPOINT_SCALES]>,
    felt: Product,
    glance: Product,
    /// A glance for each action of a chunk.
    each: Gather,
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
        let heads = make.heads(s1.width, s1.head_size);
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
            found: (0..s1.cameras.len())
                .map(|at| {
                    std::array::from_fn(|scale| make.product(&format!("s1.found.{at}.{scale}")))
                })
                .collect(),
            felt: make.product("s1.felt"),
            glance: make.product("s1.glance"),
            each: Gather::repeat(s1.chunk),
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

    /// What `n` samples see with latents `[n, latent]`.
    pub fn encode<'a>(
        &'a self,
        tape: &mut Tape<'a>,
        n: usize,
        latent: Var,
        fill: &mut Fill<'_>,
    ) -> Seen {
        let token = tape.product(&self.latent, latent, None);
        // Filled below, camera by camera; the last one is the latent.
        let mut parts = [token; MOST_CAMERAS * PARTS + 1];
        let (mut n_parts, mut glance, mut heat) = (0, None, Vec::new());
        let films = self.eyes.films(tape, latent);
        for (camera, products) in self.cameras.iter().zip(&self.found) {
            let seen = self.eyes.look(tape, *camera, n, films, fill);
            parts[n_parts..][..PARTS].copy_from_slice(&seen.tokens);
            n_parts += PARTS;
            for (product, found) in products.iter().zip(seen.found) {
                glance = Some(tape.product(product, found, glance));
            }
            heat.push(seen.heat);
        }
        let seen = tape.join(&parts[..=n_parts], n);
        let memory = self.digest(tape, n, seen);
        Seen { memory, glance: glance.expect("a camera"), heat }
    }

    /// The tokens of one sample of the `at`-th of its cameras, written to `seen` from token `first` on; where
    /// keypoints are is added to `glance`. Gives how many tokens.
    pub fn look_alone<'a>(
        &'a self,
        tape: &mut Tape<'a>,
        at: usize,
        latent: Var,
        fill: &mut Fill<'_>,
        seen: (&mut Blocked, usize),
        glance: &mut [f32],
    ) -> usize {
        let (n, found) = self.eyes.look_alone(tape, self.cameras[at], latent, fill, seen);
        let mut sum = tape.given(1, glance.len(), |into| into.write_token(0, glance));
        for (product, found) in self.found[at].iter().zip(found) {
            sum = tape.product(product, found, Some(sum));
        }
        tape.value(sum).read_token(0, glance);
        n
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
            into.hold(tape.cpu(), heads, n, keys, values);
        }
    }

    /// Normalised actions of `n` samples and marks after them, `[n · chunk, action + marks]` filled up to
    /// whole blocks, with latents `[n, latent]` and normalised states `[n, state]`, filled up likewise, and a
    /// glance, `[n, width]`.
    pub fn decode<'a>(
        &'a self,
        tape: &mut Tape<'a>,
        n: usize,
        latent: Var,
        state: Var,
        memory: Memory<'_>,
        glance: Var,
    ) -> Var {
        let latent = tape.product(&self.latent, latent, None);
        let glance = tape.product(&self.felt, state, Some(glance));
        let glance = tape.gelu(glance);
        let glance = tape.product(&self.glance, glance, None);
        let glance = tape.gather(&self.each, glance);
        let state = tape.product(&self.state, state, None);
        let queries = tape.add_table(&self.queries, glance);
        let mut x = tape.join(&[latent, state, queries], n);
        for (at, layer) in self.decoder.iter().enumerate() {
            // What the other tokens become in the last layer, nobody asks.
            let asked = (at + 1 == self.decoder.len()).then_some(&self.asked);
            x = layer.own.forward(tape, x, n, asked);
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
        let x = tape.norm(&self.decoded, x);
        tape.product(&self.act, x, None)
    }
}
