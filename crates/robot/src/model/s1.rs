//! S1 in its loop: sees a frame, acts every tick.

use nn::train::{Room, Tape};
use nn::{Attended, Blocked, Cpu, threads};

use super::config::PolicyConfig;
use super::network::{Fast, Memory};
use super::normal::{Normalisation, orthonormal};
use super::pictures::{Shift, rows, windows};
use super::tensors::{memory_tokens, padded};
use crate::error::{Error, Result, expect_length};
use crate::interface::{ACTION, ARMS, WRIST};

/// The fast policy. It works on the thread that calls it, and allocates nothing after the first two
/// frames and the first [`S1::act`].
#[derive(Debug)]
pub struct S1 {
    config: PolicyConfig,
    normal: Normalisation,
    fast: Fast,
    cpu: Cpu,
    seeing: Vec<Room>,
    acting: Room,
    held: Vec<Attended>,
    /// Where keypoints are.
    glance: Vec<f32>,
    has_seen: bool,
    frame: Frame,
    /// Normalised state.
    state: Vec<f32>,
    /// Actions of the last chunk, `[chunk, action]`.
    knots: Vec<f32>,
}

/// A frame that is being taken in.
#[derive(Debug)]
struct Frame {
    pictures: Vec<Vec<u8>>,
    latent: Vec<f32>,
    /// Tokens of it so far.
    seen: Blocked,
    n_seen: usize,
    /// Where keypoints of it are, so far.
    glance: Vec<f32>,
    /// Keys and values, once it is whole; before that, of the frame before the last.
    held: Vec<Attended>,
    /// The next slice, if there is one.
    next: Option<usize>,
}

impl S1 {
    pub(super) fn new(config: &PolicyConfig, normal: &Normalisation, fast: Fast) -> S1 {
        S1 {
            config: config.clone(),
            normal: normal.clone(),
            fast,
            cpu: Cpu::best(),
            seeing: Vec::new(),
            acting: Room::default(),
            held: Vec::new(),
            glance: vec![0.0; config.s1.width],
            has_seen: false,
            frame: Frame {
                pictures: config.cameras.iter().map(|camera| vec![0; camera.bytes()]).collect(),
                latent: vec![0.0; config.latent],
                seen: Blocked::new(memory_tokens(config), config.s1.width),
                n_seen: 0,
                glance: vec![0.0; config.s1.width],
                held: Vec::new(),
                next: None,
            },
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

    /// Takes in one picture of every camera, `[H, W, 3]` bytes, and the latent of that time, at once.
    ///
    /// # Errors
    /// As [`S1::begin`].
    pub fn see(&mut self, pictures: &[&[u8]], latent: &[f32]) -> Result<()> {
        self.begin(pictures, latent)?;
        while !self.advance() {}
        Ok(())
    }

    /// Calls of [`S1::advance`] that take a frame in: one for each camera that it looks through, and one for the encoder.
    #[must_use]
    pub fn n_slices(&self) -> usize {
        self.config.s1.cameras.len() + 1
    }

    /// Begins to take in one picture of every camera, `[H, W, 3]` bytes, and the latent of that time.
    /// A frame that was not taken in whole is given up.
    ///
    /// # Errors
    /// If something is of another size, or the latent is not finite; nothing has changed then.
    pub fn begin(&mut self, pictures: &[&[u8]], latent: &[f32]) -> Result<()> {
        expect_length("the list of pictures", pictures.len(), self.config.cameras.len())?;
        for (camera, picture) in self.config.cameras.iter().zip(pictures) {
            expect_length(&camera.name, picture.len(), camera.bytes())?;
        }
        self.check_latent(latent)?;
        let Frame { pictures: kept, latent: kept_latent, n_seen, glance, next, .. } =
            &mut self.frame;
        kept.iter_mut().zip(pictures).for_each(|(kept, picture)| kept.copy_from_slice(picture));
        kept_latent.copy_from_slice(latent);
        glance.fill(0.0);
        (*n_seen, *next) = (0, Some(0));
        Ok(())
    }

    /// Does the next slice of taking in the frame that was begun, so that a loop can do a slice a tick
    /// and act in between on what it saw before. Whether the frame is taken in, or none was begun.
    pub fn advance(&mut self) -> bool {
        let Some(slice) = self.frame.next else { return true };
        threads::alone(|| self.take_in(slice));
        let is_whole = slice + 1 == self.n_slices();
        self.frame.next = (!is_whole).then_some(slice + 1);
        if is_whole {
            std::mem::swap(&mut self.held, &mut self.frame.held);
            std::mem::swap(&mut self.glance, &mut self.frame.glance);
            self.has_seen = true;
        }
        is_whole
    }

    /// A camera's tokens, or, last, the encoder.
    fn take_in(&mut self, slice: usize) {
        let S1 { config, fast, cpu, frame, seeing, .. } = self;
        let Frame { pictures, latent, seen, n_seen, glance, held, .. } = frame;
        // Memory of its own for each slice: what one leaves is of the shapes that it needs again.
        seeing.resize_with(config.s1.cameras.len() + 1, Room::default);
        let mut tape = Tape::forward_in(*cpu, std::mem::take(&mut seeing[slice]));
        let latent = tape.given(1, config.latent, |into| rows(into, 0, latent));
        if let Some(&place) = config.s1.cameras.get(slice) {
            let stem = config.s1.backbone.stages[0];
            let (camera, picture) = (&config.cameras[place], &pictures[place]);
            let mut fill = |_: usize, into: &mut Blocked| {
                windows(camera, picture, [stem.kernel, stem.stride], Shift::default(), 0, into);
            };
            let seen = (seen, *n_seen);
            *n_seen += fast.look_alone(&mut tape, slice, latent, &mut fill, seen, glance);
        } else {
            fast.note(&mut tape, latent, seen, *n_seen);
            let all = tape.given(seen.n_tokens(), seen.n_channels(), |into| {
                into.rows_mut().copy_from_slice(seen.rows());
            });
            let memory = fast.digest(&mut tape, 1, all);
            fast.hold(&mut tape, 1, memory, held);
        }
        seeing[slice] = tape.into_room();
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
        let glance = &self.glance;
        let glance = tape.given(1, glance.len(), |into| rows(into, 0, glance));
        let memory = Memory::Held(&self.held);
        let out = self.fast.decode(&mut tape, 1, latent, given, memory, glance);
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
