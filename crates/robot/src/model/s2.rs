//! S2: what an instruction means here and now, as a vector.

use nn::train::{Room, Tape};
use nn::{Blocked, Cpu};

use super::borrowed::{Backbone, not_lent};
use super::config::PolicyConfig;
use super::network::Slow;
use super::normal::Normalisation;
use super::pictures::{Shift, rows, windows};
use super::tensors::padded;
use crate::error::{Error, Result, expect_length};

/// What was asked for.
#[derive(Debug, Clone, Copy)]
pub struct Instruction<'i> {
    /// As it was written.
    pub text: &'i str,
    /// Its words by number, in S2's own language; 0 is none.
    pub words: &'i [u16],
}

/// A slow model: ours, or any other that looks, reads, and gives a latent.
pub trait Mind {
    /// Width of its latent.
    fn width(&self) -> usize;

    /// Reads one picture of every camera, `[H, W, 3]` bytes, the proprioceptive state and an
    /// instruction, and writes the latent.
    ///
    /// # Errors
    /// If something is of another size, or no number; the latent must not be used then.
    fn think(
        &mut self,
        pictures: &[&[u8]],
        state: &[f32],
        instruction: Instruction<'_>,
        latent: &mut [f32],
    ) -> Result<()>;
}

/// The one that is trained from scratch beside S1; where the policy was trained so, with an open model's
/// features besides.
#[derive(Debug)]
pub struct S2 {
    config: PolicyConfig,
    normal: Normalisation,
    slow: Slow,
    backbone: Option<Backbone>,
    room: Room,
}

impl S2 {
    pub(super) fn new(
        config: &PolicyConfig,
        normal: &Normalisation,
        slow: Slow,
        backbone: Option<Backbone>,
    ) -> S2 {
        let (config, normal) = (config.clone(), normal.clone());
        S2 { config, normal, slow, backbone, room: Room::default() }
    }
}

/// Words of an instruction as S2 takes them: filled up with 0.
///
/// # Errors
/// If there are too many, or one has no number in the vocabulary.
pub(crate) fn padded_words(config: &PolicyConfig, words: &[u16]) -> Result<Vec<usize>> {
    let most = config.s2.words;
    if words.len() > most {
        let n = words.len();
        return Err(Error::config("instruction", format!("{n} words; at most {most} are read")));
    }
    let mut all: Vec<usize> = words.iter().map(|word| usize::from(*word)).collect();
    if let Some(word) = all.iter().find(|word| **word >= config.s2.vocabulary) {
        let n = config.s2.vocabulary;
        let reason = format!("word number {word} where the vocabulary has {n}");
        return Err(Error::config("instruction", reason));
    }
    all.resize(most, 0);
    Ok(all)
}

impl Mind for S2 {
    fn width(&self) -> usize {
        self.config.latent
    }

    fn think(
        &mut self,
        pictures: &[&[u8]],
        state: &[f32],
        instruction: Instruction<'_>,
        latent: &mut [f32],
    ) -> Result<()> {
        let config = &self.config;
        expect_length("the list of pictures", pictures.len(), config.cameras.len())?;
        for (camera, picture) in config.cameras.iter().zip(pictures) {
            expect_length(&camera.name, picture.len(), camera.bytes())?;
        }
        expect_length("the state", state.len(), config.state)?;
        expect_length("the latent", latent.len(), config.latent)?;
        if !state.iter().all(|value| value.is_finite()) {
            return Err(Error::NotFinite { what: "the state" });
        }
        let words = padded_words(config, instruction.words)?;
        let mut normal = vec![0.0; config.state];
        self.normal.normal_state(state, &mut normal);
        let features = match (&config.s2.borrowed, &self.backbone) {
            (None, _) => None,
            (Some(borrowed), None) => return Err(not_lent(borrowed)),
            (Some(_), Some(backbone)) => {
                let place = config.s2.cameras[0];
                let camera = &config.cameras[place];
                let mut features = backbone.features(camera, pictures[place], instruction.text)?;
                self.normal.normal_borrowed(&mut features);
                Some(features)
            }
        };
        let mut tape = Tape::forward_in(Cpu::best(), std::mem::take(&mut self.room));
        let given = tape.given(1, padded(config.state), |into| rows(into, 0, &normal));
        let borrowed = features
            .map(|features| tape.given(1, padded(features.len()), |into| rows(into, 0, &features)));
        let stem = config.s2.backbone.stages[0];
        let mut fill = |camera: usize, into: &mut Blocked| {
            let shape = [stem.kernel, stem.stride];
            windows(&config.cameras[camera], pictures[camera], shape, Shift::default(), 0, into);
        };
        let out = self.slow.read(&mut tape, 1, words, given, borrowed, &mut fill);
        tape.value(out.latent).read_token(0, latent);
        self.room = tape.into_room();
        if latent.iter().all(|value| value.is_finite()) {
            return Ok(());
        }
        Err(Error::NotFinite { what: "the latent of S2" })
    }
}
