//! S1 in its loop: sees a frame, acts every tick.

use nn::train::{Room, Tape};
use nn::{Attended, Cpu, threads};

use super::config::PolicyConfig;
use super::network::{Fast, Memory};
use super::normal::{Normalisation, orthonormal};
use super::pictures::{Shift, rows, windows};
use super::tensors::padded;
use crate::error::{Error, Result, expect_length};
use crate::interface::{ACTION, ARMS, WRIST};

/// The fast policy. It works on the thread that calls it, and allocates nothing after the first
/// [`S1::see`] and [`S1::act`].
#[derive(Debug)]
pub struct S1 {
    config: PolicyConfig,
    normal: Normalisation,
    fast: Fast,
    cpu: Cpu,
    seeing: Room,
    acting: Room,
    held: Vec<Attended>,
    has_seen: bool,
    /// Normalised state.
    state: Vec<f32>,
    /// Actions of the last chunk, `[chunk, action]`.
    knots: Vec<f32>,
}

impl S1 {
    pub(super) fn new(config: &PolicyConfig, normal: &Normalisation, fast: Fast) -> S1 {
        S1 {
            config: config.clone(),
            normal: normal.clone(),
            fast,
            cpu: Cpu::best(),
            seeing: Room::default(),
            acting: Room::default(),
            held: Vec::new(),
            has_seen: false,
            state: vec![0.0; config.state],
            knots: vec![0.0; config.s1.chunk * config.action],
        }
    }

    /// Its shape.
    #[must_use]
    pub fn config(&self) -> &PolicyConfig {
        &self.config
    }

    /// Bytes of weights that a tick reads.
    #[must_use]
    pub fn tick_bytes(&self) -> usize {
        self.fast.tick_bytes()
    }

    /// Takes in one picture of every camera, `[H, W, 3]` bytes, and the latent of that time.
    ///
    /// # Errors
    /// If something is of another size, or the latent is not finite; what was seen before stays then.
    pub fn see(&mut self, pictures: &[&[u8]], latent: &[f32]) -> Result<()> {
        expect_length("the list of pictures", pictures.len(), self.config.cameras.len())?;
        for (camera, picture) in self.config.cameras.iter().zip(pictures) {
            expect_length(&camera.name, picture.len(), camera.bytes())?;
        }
        self.check_latent(latent)?;
        threads::alone(|| {
            let mut tape = Tape::forward_in(self.cpu, std::mem::take(&mut self.seeing));
            let width = self.config.latent;
            let latent = tape.given(1, width, |into| rows(into, 0, latent));
            let stem = self.config.s1.backbone.stages[0];
            let cameras = &self.config.cameras;
            let mut fill = |camera: usize, into: &mut nn::Blocked| {
                let shape = [stem.kernel, stem.stride];
                windows(&cameras[camera], pictures[camera], shape, Shift::default(), 0, into);
            };
            let memory = self.fast.encode(&mut tape, 1, latent, &mut fill);
            self.fast.hold(&mut tape, 1, memory, &mut self.held);
            self.seeing = tape.into_room();
        });
        self.has_seen = true;
        Ok(())
    }

    /// Decodes a chunk from the state and the newest latent: an action for this tick and each of
    /// those after it, [`PolicyConfig::chunk_ticks`] of them, into `[ticks, action]`. Between the
    /// actions that are decoded, `stride` ticks apart, it goes in straight lines.
    ///
    /// # Errors
    /// If nothing was seen, something is of another size, or a value is not finite. What `into` holds
    /// then must not be used.
    pub fn act(&mut self, state: &[f32], latent: &[f32], into: &mut [f32]) -> Result<()> {
        let (n, n_ticks) = (self.config.action, self.config.chunk_ticks());
        expect_length("the state", state.len(), self.config.state)?;
        expect_length("the chunk", into.len(), n_ticks * n)?;
        self.check_latent(latent)?;
        if !state.iter().all(|value| value.is_finite()) {
            return Err(Error::NotFinite { what: "the state" });
        }
        if !self.has_seen {
            return Err(Error::config("S1", "it has not seen a frame yet: see before you act"));
        }
        threads::alone(|| self.decode(state, latent))?;
        let stride = self.config.s1.stride;
        for (tick, into) in into.chunks_exact_mut(n).enumerate() {
            let (knot, part) = (tick / stride, (tick % stride) as f32 / stride as f32);
            let from = &self.knots[knot * n..][..n];
            into.copy_from_slice(from);
            if part == 0.0 {
                continue;
            }
            let next = &self.knots[(knot + 1) * n..][..n];
            for (to, next) in into.iter_mut().zip(next) {
                *to += part * (next - *to);
            }
            if n == ACTION {
                for arm in 0..ARMS {
                    if !orthonormal(&mut into[arm * WRIST + 3..][..6]) {
                        return Err(Error::NotFinite { what: "a rotation of S1" });
                    }
                }
            }
        }
        Ok(())
    }

    /// The actions that the last [`S1::act`] decoded, `[chunk, action]`, `stride` ticks apart.
    #[must_use]
    pub fn knots(&self) -> &[f32] {
        &self.knots
    }

    fn check_latent(&self, latent: &[f32]) -> Result<()> {
        expect_length("the latent", latent.len(), self.config.latent)?;
        if latent.iter().all(|value| value.is_finite()) {
            return Ok(());
        }
        Err(Error::NotFinite { what: "the latent" })
    }

    fn decode(&mut self, state: &[f32], latent: &[f32]) -> Result<()> {
        self.normal.normal_state(state, &mut self.state);
        let mut tape = Tape::forward_in(self.cpu, std::mem::take(&mut self.acting));
        let latent = tape.given(1, self.config.latent, |into| rows(into, 0, latent));
        let normal = &self.state;
        let given = tape.given(1, padded(self.config.state), |into| rows(into, 0, normal));
        let out = self.fast.decode(&mut tape, 1, latent, given, Memory::Held(&self.held));
        let out = tape.value(out);
        let mut done = Ok(());
        let n = self.config.action;
        for (k, knot) in self.knots.chunks_exact_mut(n).enumerate() {
            // Actions are few; a configuration's fit this, or its check would have to say so.
            let mut values = [0.0; MOST_ACTIONS];
            for (at, value) in values[..n].iter_mut().enumerate() {
                *value = out.block(at / nn::BLOCK)[k].0[at % nn::BLOCK];
            }
            done = done.and(self.normal.action(k, state, &values[..n], knot));
        }
        self.acting = tape.into_room();
        done
    }
}

/// Most values of an action.
pub(super) const MOST_ACTIONS: usize = 128;
