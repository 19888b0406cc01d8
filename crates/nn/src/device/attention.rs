//! Causal self-attention on a device.

use candle_core::{D, Tensor};

use super::{Array, Device};
use crate::attention::Rotary;
use crate::error::Error;

/// Queries whose scores are held at once.
const QUERIES: usize = 256;

/// As [`crate::Attention`], over a sequence from its beginning.
#[derive(Debug)]
pub struct Attention {
    n_heads: usize,
    head_size: usize,
    rotary: Rotary,
}

impl Attention {
    /// With `n_heads` heads of `head_size` channels.
    #[must_use]
    pub fn new(n_heads: usize, head_size: usize, rotary: Rotary) -> Attention {
        Attention { n_heads, head_size, rotary }
    }

    /// From projections `[T, 3 C]` with thirds q, k, v of heads in order, to `[T, C]`.
    ///
    /// # Errors
    /// If shapes do not fit, or the device fails.
    pub fn forward(&self, qkv: &Array) -> Result<Array, Error> {
        let (h, d) = (self.n_heads, self.head_size);
        let n_tokens = qkv.0.dim(0)?;
        let device = Device(qkv.0.device().clone());
        let table = self.rotary.tables(0, n_tokens);
        let half = |of: fn(&(f32, f32)) -> f32| {
            let values: Vec<f32> = table.iter().map(of).collect();
            device.tensor(&values, &[n_tokens, d / 2])
        };
        let (cos, sin) = (half(|(cos, _)| *cos)?, half(|(_, sin)| *sin)?);
        // `[H, T, D]`.
        let third = |idx: usize| -> Result<Tensor, Error> {
            let third = qkv.0.narrow(1, idx * h * d, h * d)?;
            Ok(third.contiguous()?.reshape((n_tokens, h, d))?.transpose(0, 1)?.contiguous()?)
        };
        let turned = |idx: usize| -> Result<Tensor, Error> {
            let x = third(idx)?;
            let (a, b) = (x.narrow(2, 0, d / 2)?, x.narrow(2, d / 2, d / 2)?);
            let first = (a.broadcast_mul(&cos)? - b.broadcast_mul(&sin)?)?;
            let second = (a.broadcast_mul(&sin)? + b.broadcast_mul(&cos)?)?;
            Ok(Tensor::cat(&[first, second], 2)?)
        };
        let queries = (turned(0)? * (1.0 / (d as f64).sqrt()))?;
        let keys = turned(1)?.transpose(1, 2)?.contiguous()?;
        let values = third(2)?;
        let mut all = Vec::new();
        for first in (0..n_tokens).step_by(QUERIES) {
            let n = QUERIES.min(n_tokens - first);
            let end = first + n;
            let queries = queries.narrow(1, first, n)?.contiguous()?;
            let scores = queries.matmul(&keys.narrow(2, 0, end)?.contiguous()?)?;
            let scores = scores.broadcast_add(&unseen(&device, first, n)?)?;
            let above = scores.broadcast_sub(&scores.max_keepdim(D::Minus1)?)?;
            let weights = above.exp()?;
            let weights = weights.broadcast_div(&weights.sum_keepdim(D::Minus1)?)?;
            all.push(weights.matmul(&values.narrow(1, 0, end)?.contiguous()?)?);
        }
        let all = Tensor::cat(&all, 1)?.transpose(0, 1)?.contiguous()?;
        Ok(Array(all.reshape((n_tokens, h * d))?))
    }
}

/// What is added to scores of `n` queries from `first` on: nothing, or so little that later keys vanish.
fn unseen(device: &Device, first: usize, n: usize) -> Result<Tensor, Error> {
    let value = |at: usize| {
        let (query, key) = (at / (first + n), at % (first + n));
        if key > first + query { f32::NEG_INFINITY } else { 0.0 }
    };
    let values: Vec<f32> = (0..n * (first + n)).map(value).collect();
    device.tensor(&values, &[n, first + n])
}
