//! Along one axis: running sums and products, softmax.

use crate::oracle::Array;
use crate::oracle::array::{gather, strides};
use crate::oracle::call::{Call, Computed, one};
use crate::oracle::pointwise::larger;
use crate::oracle::reduce::total;

pub(super) fn compute(call: &Call<'_>) -> Computed {
    let single = call.single();
    let round = move |value: f64| if single { f64::from(value as f32) } else { value };
    match call.name {
        "cumsum" => along(call, |row| {
            let mut sum = 0.0;
            row.iter_mut().for_each(|value| {
                sum = round(sum + *value);
                *value = sum;
            });
        }),
        "cumprod" => along(call, |row| {
            let mut product = 1.0;
            row.iter_mut().for_each(|value| {
                product = round(product * *value);
                *value = product;
            });
        }),
        "_softmax" | "softmax" => along(call, |row| {
            let high = row.iter().copied().fold(f64::NEG_INFINITY, larger);
            row.iter_mut().for_each(|value| *value = round((round(*value - high)).exp()));
            let sum = total(row.iter().copied(), single);
            row.iter_mut().for_each(|value| *value /= sum);
        }),
        "_log_softmax" | "log_softmax" => along(call, |row| {
            let high = row.iter().copied().fold(f64::NEG_INFINITY, larger);
            let sum = total(row.iter().map(|value| round((value - high).exp())), single);
            let log = round(sum.ln());
            row.iter_mut().for_each(|value| *value = round(*value - high) - log);
        }),
        _ => Ok(None),
    }
}

/// Changes every row along the axis `dim`.
fn along(call: &Call<'_>, change: impl Fn(&mut [f64]) + Sync) -> Computed {
    let array = call.array("self")?;
    let axis = call.axis(call.int("dim", None)?, array.n_dims())?;
    let n = array.shape.get(axis).copied().unwrap_or(1);
    let last = axis + 1 >= array.n_dims();
    let mut values = if last { array.values.clone() } else { swapped(array, axis).values };
    if n > 0 {
        rows(&mut values, n, change);
    }
    if last {
        return one(&array.shape, values);
    }
    let mut shape = array.shape.clone();
    let end = shape.len() - 1;
    shape.swap(axis, end);
    one(&array.shape, swapped(&Array::new(shape, values), axis).values)
}

/// Rows on all processors.
fn rows(values: &mut [f64], n: usize, change: impl Fn(&mut [f64]) + Sync) {
    let n_threads = std::thread::available_parallelism().map_or(1, usize::from).min(8);
    let n_rows = values.len() / n;
    if values.len() < 1 << 16 || n_rows < n_threads {
        return values.chunks_mut(n).for_each(change);
    }
    std::thread::scope(|scope| {
        for part in values.chunks_mut(n_rows.div_ceil(n_threads) * n) {
            let change = &change;
            scope.spawn(move || part.chunks_mut(n).for_each(change));
        }
    });
}

/// With an axis and the last one exchanged.
fn swapped(array: &Array, axis: usize) -> Array {
    let (mut shape, mut strides) = (array.shape.clone(), strides(&array.shape));
    let end = shape.len() - 1;
    shape.swap(axis, end);
    strides.swap(axis, end);
    let values = gather(&array.values, 0, &shape, &strides);
    Array::new(shape, values)
}
