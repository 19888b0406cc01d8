//! The Hyena operator on a device.
//!
//! Short filters are sums over taps. The long one, over modes, goes by pieces of 64 tokens: what a piece
//! gives itself and what it leaves to the modes are products, one for each channel, and only the modes
//! themselves pass from piece to piece.

use candle_core::{DType, Tensor};

use super::{Array, Device};
use crate::error::Error;
use crate::hyena::Filter;

/// Tokens of a piece.
const PIECE: usize = 64;

/// As [`crate::Hyena`].
#[derive(Debug)]
pub struct Hyena {
    /// `[short, 3 C]`, oldest first.
    short: Tensor,
    inner: Inner,
    skip: Option<Tensor>,
}

#[derive(Debug)]
enum Inner {
    /// Taps `[K, C]`, oldest first.
    Fir(Tensor),
    Modal(Modal),
}

/// The filter of modes, by pieces of `P` tokens.
#[derive(Debug)]
struct Modal {
    /// `[C, P, P]`: from a token of a piece to a later one of it.
    within: Tensor,
    /// `[C, P, S]`: from a token to the modes after the piece.
    leaves: Tensor,
    /// `[C, 1, S]`: what is left of the modes after a piece.
    decays: Tensor,
    /// `[C, S, P]`: from the modes before a piece to its tokens.
    enters: Tensor,
}

impl Hyena {
    /// From the same as [`crate::Hyena::new`].
    ///
    /// # Errors
    /// If the device has no room.
    ///
    /// # Panics
    /// If sizes do not fit.
    pub fn new(
        device: &Device,
        short: &[f32],
        n_short: usize,
        filter: Filter<'_>,
        skip: Option<&[f32]>,
    ) -> Result<Hyena, Error> {
        let n_channels = short.len() / n_short / 3;
        let inner = match filter {
            Filter::Fir { taps, n_taps } => Inner::Fir(by_tap(device, taps, n_taps)?),
            Filter::Modal { poles, residues, n_modes } => {
                Inner::Modal(Modal::new(device, poles, residues, [n_channels, n_modes])?)
            }
        };
        let skip = skip.map(|skip| device.tensor(skip, &[n_channels])).transpose()?;
        Ok(Hyena { short: by_tap(device, short, n_short)?, inner, skip })
    }

    /// From projections `[T, 3 C]`, thirds x2, x1, v, to `[T, C]`.
    ///
    /// # Errors
    /// If shapes do not fit, or the device fails.
    pub fn forward(&self, p: &Array) -> Result<Array, Error> {
        let z = filtered(&p.0, &self.short)?;
        let c = z.dim(1)? / 3;
        let third = |idx: usize| z.narrow(1, idx * c, c);
        let g = (third(1)? * third(2)?)?;
        let y = match &self.inner {
            Inner::Fir(taps) => filtered(&g, taps)?,
            Inner::Modal(modal) => modal.forward(&g)?,
        };
        let y = match &self.skip {
            Some(skip) => (y + g.broadcast_mul(skip)?)?,
            None => y,
        };
        Ok(Array((third(0)? * y)?))
    }
}

/// `[C, K]` to `[K, C]`.
fn by_tap(device: &Device, taps: &[f32], n_taps: usize) -> Result<Tensor, Error> {
    Ok(device.tensor(taps, &[taps.len() / n_taps, n_taps])?.t()?.contiguous()?)
}

/// `y_t = Σ_k taps[k] x[t - K + 1 + k]`, each channel by itself.
fn filtered(x: &Tensor, taps: &Tensor) -> Result<Tensor, Error> {
    let ((n_tokens, c), n_taps) = (x.dims2()?, taps.dim(0)?);
    let before = Tensor::zeros((n_taps - 1, c), DType::F32, x.device())?;
    let x = Tensor::cat(&[&before, x], 0)?;
    let of_tap = |idx: usize| -> Result<Tensor, Error> {
        Ok(x.narrow(0, idx, n_tokens)?.broadcast_mul(&taps.narrow(0, idx, 1)?)?)
    };
    let mut y = of_tap(0)?;
    for idx in 1..n_taps {
        y = (y + of_tap(idx)?)?;
    }
    Ok(y)
}

impl Modal {
    fn new(
        device: &Device,
        poles: &[f32],
        residues: &[f32],
        [c, s]: [usize; 2],
    ) -> Result<Modal, Error> {
        assert!(poles.len() == c * s && residues.len() == c * s, "modes of every channel");
        // λ^n of every mode, as exact as f32 can hold it.
        let power = |channel: usize, mode: usize, n: usize| -> f64 {
            f64::from(poles[channel * s + mode]).powi(i32::try_from(n).expect("a piece is short"))
        };
        let residue = |channel: usize, mode: usize| f64::from(residues[channel * s + mode]);
        let mut within = vec![0.0; c * PIECE * PIECE];
        let mut leaves = vec![0.0; c * PIECE * s];
        let mut decays = vec![0.0; c * s];
        let mut enters = vec![0.0; c * s * PIECE];
        for channel in 0..c {
            let mut response = [0.0; PIECE];
            for mode in 0..s {
                decays[channel * s + mode] = power(channel, mode, PIECE) as f32;
                for n in 0..PIECE {
                    let power = power(channel, mode, n);
                    response[n] += residue(channel, mode) * power;
                    leaves[(channel * PIECE + PIECE - 1 - n) * s + mode] = power as f32;
                    let enters = &mut enters[(channel * s + mode) * PIECE + n];
                    *enters = (residue(channel, mode) * power) as f32;
                    // The modes have already passed one token where a piece begins.
                    *enters *= poles[channel * s + mode];
                }
            }
            for from in 0..PIECE {
                for to in from..PIECE {
                    within[(channel * PIECE + from) * PIECE + to] = response[to - from] as f32;
                }
            }
        }
        Ok(Modal {
            within: device.tensor(&within, &[c, PIECE, PIECE])?,
            leaves: device.tensor(&leaves, &[c, PIECE, s])?,
            decays: device.tensor(&decays, &[c, 1, s])?,
            enters: device.tensor(&enters, &[c, s, PIECE])?,
        })
    }

    /// `s_t = λ s_{t-1} + g_t`, `y_t = Σ residue · s_t`, of `[T, C]`.
    fn forward(&self, g: &Tensor) -> Result<Tensor, Error> {
        let (n_tokens, c) = g.dims2()?;
        let n = n_tokens.div_ceil(PIECE);
        let after = Tensor::zeros((n * PIECE - n_tokens, c), DType::F32, g.device())?;
        let g = Tensor::cat(&[g, &after], 0)?.t()?.contiguous()?.reshape((c, n, PIECE))?;
        let left = g.matmul(&self.leaves)?;
        let mut modes = Tensor::zeros(self.decays.shape(), DType::F32, g.device())?;
        let mut before = Vec::with_capacity(n);
        for piece in 0..n {
            let next = ((&modes * &self.decays)? + left.narrow(1, piece, 1)?)?;
            before.push(std::mem::replace(&mut modes, next));
        }
        let before = Tensor::cat(&before, 1)?;
        let y = (g.matmul(&self.within)? + before.matmul(&self.enters)?)?;
        Ok(y.reshape((c, n * PIECE))?.t()?.narrow(0, 0, n_tokens)?.contiguous()?)
    }
}
