//! S2: pictures, words and the state to a latent.

use nn::train::{Embedding, Gather, Norm, Product, Tape, Var};

use super::eyes::{Eyes, Heat, PARTS};
use super::{Fill, Layer, Maker};
use crate::model::config::{KEYPOINT_SCALES, MOST_CAMERAS, PolicyConfig};
use crate::model::tensors::{READINGS, s2_tokens};

/// What S2 makes of samples.
#[derive(Debug, Clone, Copy)]
pub struct Read {
    /// Latents, `[n, latent]`, each normalised.
    pub latent: Var,
    /// How much each position of the first camera's pictures speaks for keypoints, at each scale.
    pub heat: [Heat; KEYPOINT_SCALES],
}

/// What S2 has read and seen, before it thinks.
pub struct Regarded {
    /// What was read, then tokens of its cameras; the rest is free.
    parts: [Var; MOST_CAMERAS * PARTS + 4],
    n_parts: usize,
    /// As in [`Read`].
    pub heat: [Heat; KEYPOINT_SCALES],
    /// Where its keypoints are.
    found: [Var; KEYPOINT_SCALES],
}

/// S2.
#[derive(Debug)]
pub struct Slow {
    words: Embedding,
    asked: Embedding,
    order: Embedding,
    readers: Vec<Layer>,
    readings: Gather,
    first: Gather,
    read_words: Norm,
    eyes: Eyes,
    /// Places of its cameras among all.
    cameras: Vec<usize>,
    state: Product,
    /// From an open model's features to a token.
    borrowed: Option<Product>,
    places: Embedding,
    readout: Embedding,
    layers: Vec<Layer>,
    last: Gather,
    read: Norm,
    latent: Product,
    /// Places that were found, straight to the latent: where a hand already is on its way, layers learn
    /// from the hand where it goes, and not from what was found.
    found: [Product; KEYPOINT_SCALES],
    latent_norm: Norm,
    /// Where the latent is held to marks, in training alone.
    marks: Option<Product>,
}

impl Slow {
    /// Of the present weights.
    #[must_use]
    pub fn new(make: Maker<'_>, config: &PolicyConfig) -> Slow {
        let s2 = &config.s2;
        let heads = make.heads(s2.width, s2.head_size);
        let layer =
            |name: &str, layer: usize| Layer::new(make, &format!("s2.{name}.{layer}"), heads);
        let (n, n_words) = (s2_tokens(config), s2.words + READINGS);
        Slow {
            words: make.table("s2.words"),
            asked: make.table("s2.asked"),
            order: make.table("s2.order"),
            readers: (0..s2.readers).map(|at| layer("readers", at)).collect(),
            readings: Gather::range(n_words, s2.words..n_words),
            first: Gather::range(READINGS, 0..1),
            read_words: make.norm("s2.read_words"),
            eyes: Eyes::new(make, "s2", &s2.backbone, &config.cameras),
            cameras: s2.cameras.clone(),
            state: make.product("s2.state"),
            borrowed: s2.borrowed.as_ref().map(|_| make.product("s2.borrowed")),
            places: make.table("s2.places"),
            readout: make.table("s2.readout"),
            layers: (0..s2.layers).map(|at| layer("layers", at)).collect(),
            last: Gather::range(n, n - 1..n),
            read: make.norm("s2.read"),
            latent: make.product("s2.latent"),
            found: std::array::from_fn(|at| make.product(&format!("s2.found.{at}"))),
            latent_norm: make.norm("s2.latent"),
            marks: (make.learns && config.marks > 0).then(|| make.product("s2.marks")),
        }
    }

    /// What `n` samples come to, from the numbers of their words, as many
    /// for each, and normalised states `[n, state]` filled up to whole blocks; and where features are
    /// borrowed these, `[n, features]`, normalised and filled up likewise.
    ///
    /// Words are read first, alone: what is asked for decides what is looked for in the pictures.
    pub fn read<'a>(
        &'a self,
        tape: &mut Tape<'a>,
        n: usize,
        words: Vec<usize>,
        state: Var,
        borrowed: Option<Var>,
        fill: &mut Fill<'_>,
    ) -> Read {
        let Regarded { mut parts, mut n_parts, heat, found } = self.regard(tape, n, words, fill);
        if let (Some(product), Some(features)) = (&self.borrowed, borrowed) {
            parts[n_parts] = tape.product(product, features, None);
            n_parts += 1;
        }
        parts[n_parts] = tape.product(&self.state, state, None);
        parts[n_parts + 1] = tape.table(&self.readout, n);
        let mut x = tape.join(&parts[..n_parts + 2], n);
        x = tape.add_table(&self.places, x);
        for layer in &self.layers {
            x = layer.forward(tape, x, n);
        }
        let x = tape.gather(&self.last, x);
        let x = tape.norm(&self.read, x);
        let mut x = tape.product(&self.latent, x, None);
        for (product, found) in self.found.iter().zip(found) {
            x = tape.product(product, found, Some(x));
        }
        let latent = tape.norm(&self.latent_norm, x);
        Read { latent, heat }
    }

    /// The way to that as far as the pictures: words, then what they have the eyes look for.
    pub fn regard<'a>(
        &'a self,
        tape: &mut Tape<'a>,
        n: usize,
        words: Vec<usize>,
        fill: &mut Fill<'_>,
    ) -> Regarded {
        let words = tape.embed(&self.words, words);
        let asked = tape.table(&self.asked, n);
        let mut x = tape.join(&[words, asked], n);
        x = tape.add_table(&self.order, x);
        for layer in &self.readers {
            x = layer.forward(tape, x, n);
        }
        let x = tape.gather(&self.readings, x);
        let readings = tape.norm(&self.read_words, x);
        let first = tape.gather(&self.first, readings);
        let films = self.eyes.films(tape, first);
        let mut parts = [readings; MOST_CAMERAS * PARTS + 4];
        let (mut n_parts, mut first_seen) = (1, None);
        for camera in &self.cameras {
            let seen = self.eyes.look(tape, *camera, n, films, fill);
            parts[n_parts..][..PARTS].copy_from_slice(&seen.tokens);
            first_seen.get_or_insert((seen.heat, seen.found));
            n_parts += PARTS;
        }
        let (heat, found) = first_seen.expect("a camera");
        Regarded { parts, n_parts, heat, found }
    }

    /// What latents tell of marks, `[n, marks]` filled up to whole blocks, where there are any.
    pub fn tell<'a>(&'a self, tape: &mut Tape<'a>, latent: Var) -> Option<Var> {
        let marks = self.marks.as_ref()?;
        Some(tape.product(marks, latent, None))
    }
}
