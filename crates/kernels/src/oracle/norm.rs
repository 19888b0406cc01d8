//! Normalisations: over trailing axes, groups of channels, or channels over the batch.

use crate::Error;
use crate::oracle::Array;
use crate::oracle::call::{Call, Computed};
use crate::oracle::reduce::{moments, total};

pub(super) fn compute(call: &Call<'_>) -> Computed {
    match call.name {
        "native_layer_norm" | "layer_norm" => layer(call),
        "native_group_norm" => group(call),
        "_native_batch_norm_legit_no_training"
        | "_native_batch_norm_legit"
        | "_native_batch_norm_legit_functional"
        | "native_batch_norm" => batch(call),
        _ => Ok(None),
    }
}

/// `(x - mean) * rstd * weight + bias` with a rounding after each step where the mode has some.
#[derive(Clone, Copy)]
struct Affine {
    mean: f64,
    rstd: f64,
    single: bool,
}

impl Affine {
    fn apply(self, x: f64, weight: f64, bias: f64) -> f64 {
        if self.single {
            let centred = x as f32 - self.mean as f32;
            f64::from(centred * self.rstd as f32 * weight as f32 + bias as f32)
        } else {
            (x - self.mean) * self.rstd * weight + bias
        }
    }
}

/// Weights and biases, with what stands for absent ones.
fn affine(call: &Call<'_>, n: usize) -> Result<(Vec<f64>, Vec<f64>), Error> {
    let one = |name, absent| match call.maybe_array(name)? {
        None => Ok(vec![absent; n]),
        Some(array) if array.values.len() == n => Ok(array.values.clone()),
        Some(array) => Err(call.refuse(format!("`{name}` of {:?}, not of {n}", array.shape))),
    };
    Ok((one("weight", 1.0)?, one("bias", 0.0)?))
}

fn layer(call: &Call<'_>) -> Computed {
    let array = call.array("input")?;
    let inner = call.extents("normalized_shape")?;
    let Some(n_outer) = array.n_dims().checked_sub(inner.len()) else {
        return Err(call.refuse("normalised over more axes than there are"));
    };
    if array.shape[n_outer..] != inner[..] {
        return Err(call.refuse(format!("{:?} over {inner:?}", array.shape)));
    }
    let n: usize = inner.iter().product();
    let (weight, bias) = affine(call, n)?;
    let eps = call.number("eps", Some(1e-5))?;
    let mut values = array.values.clone();
    let (mut means, mut rstds) = (Vec::new(), Vec::new());
    for row in values.chunks_mut(n.max(1)) {
        let normal = statistics(call, row, eps);
        for ((value, weight), bias) in row.iter_mut().zip(&weight).zip(&bias) {
            *value = normal.apply(*value, *weight, *bias);
        }
        means.push(normal.mean);
        rstds.push(normal.rstd);
    }
    let mut shape = array.shape[..n_outer].to_vec();
    means.resize(shape.iter().product(), 0.0);
    rstds.resize(shape.iter().product(), 0.0);
    shape.resize(array.n_dims(), 1);
    Ok(Some(vec![
        Array::new(array.shape.clone(), values),
        Array::new(shape.clone(), means),
        Array::new(shape, rstds),
    ]))
}

fn statistics(call: &Call<'_>, row: &[f64], eps: f64) -> Affine {
    let (mean, squares) = moments(row, call.single());
    let rstd = call.round(1.0 / call.round(squares / row.len() as f64 + eps).sqrt());
    Affine { mean, rstd, single: call.single() }
}

fn group(call: &Call<'_>) -> Computed {
    let array = call.array("input")?;
    let extent = |name| {
        let value = usize::try_from(call.int(name, None)?).ok().filter(|value| *value > 0);
        value.ok_or_else(|| call.refuse(format!("`{name}` is not positive")))
    };
    let (n, channels, inner) = (extent("N")?, extent("C")?, extent("HxW")?);
    let groups = extent("group")?;
    let size = n.checked_mul(channels).and_then(|size| size.checked_mul(inner));
    if size != Some(array.values.len()) || !channels.is_multiple_of(groups) {
        return Err(call.refuse(format!("{:?} as {n} x {channels} x {inner}", array.shape)));
    }
    let (weight, bias) = affine(call, channels)?;
    let eps = call.number("eps", Some(1e-5))?;
    let per_group = channels / groups;
    let mut values = array.values.clone();
    let (mut means, mut rstds) = (Vec::new(), Vec::new());
    for (idx, part) in values.chunks_mut(per_group * inner).enumerate() {
        let normal = statistics(call, part, eps);
        for (channel, plane) in part.chunks_mut(inner).enumerate() {
            let channel = idx % groups * per_group + channel;
            for value in plane {
                *value = normal.apply(*value, weight[channel], bias[channel]);
            }
        }
        means.push(normal.mean);
        rstds.push(normal.rstd);
    }
    Ok(Some(vec![
        Array::new(array.shape.clone(), values),
        Array::new(vec![n, groups], means),
        Array::new(vec![n, groups], rstds),
    ]))
}

fn batch(call: &Call<'_>) -> Computed {
    let array = call.array("input")?;
    if array.n_dims() < 2 {
        return Err(call.refuse("a tensor without channels"));
    }
    let channels = array.shape[1];
    let inner: usize = array.shape[2..].iter().product();
    let training = match call.name {
        "_native_batch_norm_legit_no_training" => false,
        _ => call.flag("training", false)?,
    };
    // Training with running statistics changes them: a second output, hidden in an argument.
    if training && call.has("running_mean") {
        return Err(call.refuse("training with running statistics"));
    }
    let (weight, bias) = affine(call, channels)?;
    let eps = call.number("eps", None)?;
    let planes =
        |channel: usize| (0..array.shape[0]).map(move |n| (n * channels + channel) * inner);
    let mut normals = Vec::with_capacity(channels);
    if training {
        for channel in 0..channels {
            let all =
                || planes(channel).flat_map(|at| array.values[at..at + inner].iter().copied());
            let n = (array.shape[0] * inner) as f64;
            let mean = call.round(total(all(), call.single()) / n);
            let squares = all().map(|x| call.round((x - mean) * (x - mean)));
            let variance = call.round(total(squares, call.single()) / n);
            let rstd = call.round(1.0 / call.round(variance + eps).sqrt());
            normals.push(Affine { mean, rstd, single: call.single() });
        }
    } else {
        let (means, variances) = (call.array("running_mean")?, call.array("running_var")?);
        if means.values.len() != channels || variances.values.len() != channels {
            return Err(call.refuse(format!("statistics that are not of {channels} channels")));
        }
        for (mean, variance) in means.values.iter().zip(&variances.values) {
            let rstd = call.round(1.0 / call.round(variance + eps).sqrt());
            normals.push(Affine { mean: *mean, rstd, single: call.single() });
        }
    }
    let mut values = array.values.clone();
    for (idx, plane) in values.chunks_mut(inner.max(1)).enumerate() {
        let channel = idx % channels.max(1);
        let (normal, weight, bias) = (normals[channel], weight[channel], bias[channel]);
        plane.iter_mut().for_each(|value| *value = normal.apply(*value, weight, bias));
    }
    let saved = |of: fn(&Affine) -> f64| match training {
        true => Array::new(vec![channels], normals.iter().map(of).collect()),
        false => Array::new(vec![0], Vec::new()),
    };
    Ok(Some(vec![
        Array::new(array.shape.clone(), values),
        saved(|normal| normal.mean),
        saved(|normal| normal.rstd),
    ]))
}
