//! Where weights come from.

use nn::weights::{File, Tensor};

use crate::error::Error;

/// Tensors by name.
pub trait Source: Sync {
    /// A tensor of a shape, checked to be finite.
    ///
    /// # Errors
    /// If it is not there, or not so.
    fn tensor(&self, name: &str, shape: &[usize]) -> Result<Box<dyn Values + '_>, Error>;

    /// Whether there is one.
    fn has(&self, name: &str) -> bool;
}

/// Numbers in row-major order.
pub trait Values: Sync {
    /// Copies those from `first` on.
    fn read(&self, first: usize, into: &mut [f32]);
}

impl Values for Tensor<'_> {
    fn read(&self, first: usize, into: &mut [f32]) {
        Tensor::read(self, first, into);
    }
}

impl Source for File {
    fn tensor(&self, name: &str, shape: &[usize]) -> Result<Box<dyn Values + '_>, Error> {
        let tensor = File::tensor(self, name, shape)?;
        tensor.check_finite()?;
        Ok(Box::new(tensor))
    }

    fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }
}

/// Random weights of any size, made as they are read: a control, and a way to time a model without
/// its checkpoint. Matrices keep the scale of what goes through them; poles decay over 1 to 1000
/// bases.
#[derive(Debug, Clone, Copy)]
pub struct Random {
    /// What they depend on.
    pub seed: u64,
    /// Cut to bfloat16, which published weights are in.
    pub narrow: bool,
}

/// One random tensor.
struct RandomTensor {
    seed: u64,
    narrow: bool,
    low: f32,
    high: f32,
    log: bool,
}

/// A well-mixed number for each index (SplitMix64).
fn mix(mut z: u64) -> u64 {
    z = z.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Values for RandomTensor {
    fn read(&self, first: usize, into: &mut [f32]) {
        for (idx, value) in into.iter_mut().enumerate() {
            let unit = (mix(self.seed ^ mix((first + idx) as u64)) >> 40) as f32 / (1 << 24) as f32;
            let drawn = self.low + (self.high - self.low) * unit;
            *value = if self.log { -drawn.exp() } else { drawn };
            if self.narrow {
                *value = f32::from_bits(value.to_bits() & 0xffff_0000);
            }
        }
    }
}

impl Source for Random {
    fn tensor(&self, name: &str, shape: &[usize]) -> Result<Box<dyn Values + '_>, Error> {
        let seed = name.bytes().fold(mix(self.seed), |seed, byte| mix(seed ^ u64::from(byte)));
        let last = |name_part: &str| name.ends_with(name_part);
        // Uniform numbers of unit variance reach to the root of 3.
        let wide = |std: f32| 3.0_f32.sqrt() * std;
        let (low, high, log) = if last("scale") {
            (0.8, 1.2, false)
        } else if last("log_poles") {
            (0.001_f32.ln(), 0.0, true)
        } else {
            let std = match shape {
                _ if last("embedding_layer.weight") => 0.5,
                [_, 1, taps] => 1.0 / (*taps as f32).sqrt(),
                [_, inputs] => 1.0 / (*inputs as f32).sqrt(),
                _ => 0.1,
            };
            (-wide(std), wide(std), false)
        };
        Ok(Box::new(RandomTensor { seed, narrow: self.narrow, low, high, log }))
    }

    fn has(&self, _: &str) -> bool {
        false
    }
}

/// A whole tensor.
pub(super) fn all(source: &dyn Source, name: &str, shape: &[usize]) -> Result<Vec<f32>, Error> {
    let values = source.tensor(name, shape)?;
    let mut all = vec![0.0; shape.iter().product()];
    values.read(0, &mut all);
    Ok(all)
}
