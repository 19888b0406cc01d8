//! Weights for candle, from files that are mapped and checked as all others.

use std::sync::{Arc, Mutex, PoisonError};

use candle_core::{DType, Device, Shape, Tensor};
use candle_nn::VarBuilder;
use candle_nn::var_builder::SimpleBackend;

use crate::device::one_line;
use crate::error::Error;
use crate::weights::File;

/// Largest tensor that stands in for one that is wrong.
const LARGEST_STAND_IN: usize = 1 << 24;

/// The first thing that was wrong with a tensor.
type Fault = Arc<Mutex<Option<Error>>>;

/// The files of a model, as candle asks for them.
struct Source {
    files: Vec<File>,
    fault: Fault,
    /// A tensor whose place an identity takes, `[n, n]`.
    identity: Option<(&'static str, usize)>,
}

impl Source {
    fn read(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, Error> {
        let file = self.files.iter().find(|file| file.get(name).is_some());
        let tensor = file.unwrap_or(&self.files[0]).tensor(name, shape)?;
        tensor.check_finite()?;
        Ok(tensor.to_vec())
    }
}

impl SimpleBackend for Source {
    fn get(
        &self,
        shape: Shape,
        name: &str,
        _: candle_nn::Init,
        _: DType,
        device: &Device,
    ) -> candle_core::Result<Tensor> {
        if let Some((_, n)) = self.identity.filter(|(of, _)| *of == name) {
            return Tensor::eye(n, DType::F32, device);
        }
        match self.read(name, shape.dims()) {
            Ok(values) => Tensor::from_vec(values, shape, device),
            Err(error) => {
                let text = error.to_string();
                let mut first = self.fault.lock().unwrap_or_else(PoisonError::into_inner);
                first.get_or_insert(error);
                // Some of candle's layers panic where a tensor is refused. A stand-in goes no further
                // than `build`, which looks whether anything was wrong.
                let n = shape.dims().iter().try_fold(1_usize, |n, size| n.checked_mul(*size));
                if n.is_some_and(|n| n <= LARGEST_STAND_IN) {
                    return Tensor::zeros(shape, DType::F32, device);
                }
                Err(candle_core::Error::msg(text))
            }
        }
    }

    fn get_unchecked(&self, name: &str, _: DType, _: &Device) -> candle_core::Result<Tensor> {
        Err(candle_core::Error::msg(format!("`{name}` is asked for without a shape")))
    }

    fn contains_tensor(&self, _: &str) -> bool {
        // What candle makes up where a tensor is missing is not the model: it shall ask, and be refused.
        true
    }
}

/// A model of a folder's weights. With `identity`, a tensor of the weights is not read: a unit matrix of
/// this size takes its place, and the layer that it belongs to passes on what it is given.
pub(super) fn build<M>(
    files: Vec<File>,
    identity: Option<(&'static str, usize)>,
    make: impl FnOnce(VarBuilder<'_>) -> candle_core::Result<M>,
) -> Result<M, Error> {
    let fault = Fault::default();
    let path = files[0].path().to_owned();
    let source = Source { files, fault: Arc::clone(&fault), identity };
    let made = make(VarBuilder::from_backend(Box::new(source), DType::F32, Device::Cpu));
    if let Some(error) = fault.lock().unwrap_or_else(PoisonError::into_inner).take() {
        return Err(error);
    }
    made.map_err(|error| Error::Backbone { path, reason: one_line(&error) })
}
