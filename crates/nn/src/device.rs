//! Operations over whole sequences in candle, on a device: what a graphics card runs.
//!
//! The rest of this crate is their reference, and faster on a processor. These say the same in few large
//! steps, in f32; sums come in the device's own order, so that results agree within rounding and not to
//! the bit. On candle's processor device, which needs nothing, tests hold them to the reference; with the
//! feature `cuda`, built where CUDA's toolkit is, they run on a GPU.

mod attention;
mod hyena;

use candle_core::{D, Tensor};

pub use attention::Attention;
pub use hyena::Hyena;

use crate::error::Error;
use crate::glu::Activation;

impl From<candle_core::Error> for Error {
    fn from(error: candle_core::Error) -> Error {
        Error::Device { reason: one_line(&error) }
    }
}

/// What candle says, without where in its code.
pub(crate) fn one_line(error: &candle_core::Error) -> String {
    error.to_string().lines().next().unwrap_or("candle says nothing").trim().to_owned()
}

/// Where arrays lie and operations run.
#[derive(Debug, Clone)]
pub struct Device(candle_core::Device);

impl Device {
    /// The processor, by candle's own operations.
    #[must_use]
    pub fn cpu() -> Device {
        Device(candle_core::Device::Cpu)
    }

    /// A GPU by its number.
    ///
    /// # Errors
    /// If there is none, or no driver.
    #[cfg(feature = "cuda")]
    pub fn cuda(idx: usize) -> Result<Device, Error> {
        Ok(Device(candle_core::Device::new_cuda(idx)?))
    }

    /// From row-major `[T, C]`.
    ///
    /// # Errors
    /// If the device has no room.
    ///
    /// # Panics
    /// If `values` is not a whole number of rows.
    pub fn array(&self, values: &[f32], n_channels: usize) -> Result<Array, Error> {
        assert!(values.len().is_multiple_of(n_channels), "whole rows");
        self.tensor(values, &[values.len() / n_channels, n_channels]).map(Array)
    }

    fn tensor(&self, values: &[f32], shape: &[usize]) -> Result<Tensor, Error> {
        Ok(Tensor::from_slice(values, shape, &self.0)?)
    }
}

/// Activations `[T, C]` on a device.
#[derive(Debug, Clone)]
pub struct Array(Tensor);

impl Array {
    /// Row-major `[T, C]`.
    ///
    /// # Errors
    /// If the device fails, now or in what it was still to do.
    pub fn to_rows(&self) -> Result<Vec<f32>, Error> {
        Ok(self.0.flatten_all()?.to_vec1()?)
    }

    /// `n` tokens from `first` on.
    ///
    /// # Errors
    /// If there are not so many.
    pub fn tokens(&self, first: usize, n: usize) -> Result<Array, Error> {
        Ok(Array(self.0.narrow(0, first, n)?))
    }

    /// The sum of two of a shape.
    ///
    /// # Errors
    /// If their shapes differ, or the device fails.
    pub fn plus(&self, other: &Array) -> Result<Array, Error> {
        Ok(Array((&self.0 + &other.0)?))
    }
}

/// As [`crate::Linear`].
#[derive(Debug)]
pub struct Linear {
    /// `[N, K]`.
    weights: Tensor,
    bias: Option<Tensor>,
}

impl Linear {
    /// Reads a matrix. `read` copies one of its `n_outputs` rows, `[n_inputs]`, to where it is told.
    ///
    /// # Errors
    /// If the device has no room.
    pub fn new(
        device: &Device,
        [n_outputs, n_inputs]: [usize; 2],
        bias: Option<&[f32]>,
        read: impl Fn(usize, &mut [f32]),
    ) -> Result<Linear, Error> {
        let mut values = vec![0.0; n_outputs * n_inputs];
        for (row, into) in values.chunks_exact_mut(n_inputs).enumerate() {
            read(row, into);
        }
        let weights = device.tensor(&values, &[n_outputs, n_inputs])?;
        let bias = bias.map(|bias| device.tensor(bias, &[n_outputs])).transpose()?;
        Ok(Linear { weights, bias })
    }

    /// From `[T, K]` to `[T, N]`.
    ///
    /// # Errors
    /// If shapes do not fit, or the device fails.
    pub fn forward(&self, x: &Array) -> Result<Array, Error> {
        let y = x.0.matmul(&self.weights.t()?)?;
        Ok(Array(match &self.bias {
            Some(bias) => y.broadcast_add(bias)?,
            None => y,
        }))
    }
}

/// As [`crate::Glu`].
#[derive(Debug)]
pub struct Glu {
    gate: Linear,
    value: Linear,
    activation: Activation,
}

impl Glu {
    /// Of two matrices `[N, K]`.
    #[must_use]
    pub fn new(gate: Linear, value: Linear, activation: Activation) -> Glu {
        Glu { gate, value, activation }
    }

    /// From `[T, K]` to `[T, N]`.
    ///
    /// # Errors
    /// If shapes do not fit, or the device fails.
    pub fn forward(&self, x: &Array) -> Result<Array, Error> {
        let gate = self.gate.forward(x)?.0;
        let gate = match self.activation {
            Activation::Identity => gate,
            Activation::Gelu => gate.gelu_erf()?,
        };
        Ok(Array((gate * self.value.forward(x)?.0)?))
    }
}

/// As [`crate::RmsNorm`].
#[derive(Debug)]
pub struct RmsNorm {
    scale: Tensor,
    eps: f64,
}

impl RmsNorm {
    /// With one scale per channel.
    ///
    /// # Errors
    /// If the device has no room.
    pub fn new(device: &Device, scale: &[f32], eps: f32) -> Result<RmsNorm, Error> {
        Ok(RmsNorm { scale: device.tensor(scale, &[scale.len()])?, eps: f64::from(eps) })
    }

    /// Of `[T, C]`.
    ///
    /// # Errors
    /// If shapes do not fit, or the device fails.
    pub fn forward(&self, x: &Array) -> Result<Array, Error> {
        let rms = (x.0.sqr()?.mean_keepdim(D::Minus1)?.sqrt()? + self.eps)?;
        Ok(Array(x.0.broadcast_div(&rms)?.broadcast_mul(&self.scale)?))
    }
}

#[cfg(test)]
mod tests;
