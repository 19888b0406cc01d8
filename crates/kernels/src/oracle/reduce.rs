//! Many values to one: sums, extremes, variances, norms.

use std::borrow::Cow;

use crate::Error;
use crate::oracle::Array;
use crate::oracle::array::{fill, gather, strides};
use crate::oracle::call::{Call, Computed};

/// Partial sums that a vectorised loop keeps.
const LANES: usize = 16;

/// A sum, as the mode would have it: in single precision, lane by lane from the beginning on.
pub(super) fn total(values: impl Iterator<Item = f64>, single: bool) -> f64 {
    if single {
        let mut lanes = [0f32; LANES];
        let mut lane = 0;
        for value in values {
            lanes[lane] += value as f32;
            lane = (lane + 1) % LANES;
        }
        f64::from(lanes.iter().sum::<f32>())
    } else {
        let mut lanes = [0f64; LANES];
        let mut lane = 0;
        for value in values {
            lanes[lane] += value;
            lane = (lane + 1) % LANES;
        }
        lanes.iter().sum()
    }
}

/// An array with some axes moved to the end, as rows of these.
pub(super) struct Rows<'a> {
    pub(super) values: Cow<'a, [f64]>,
    /// Extents that are kept.
    pub(super) kept: Vec<usize>,
    /// Length of a row.
    pub(super) n: usize,
    /// Extents with those of the rows set to 1.
    pub(super) keepdim: Vec<usize>,
}

impl<'a> Rows<'a> {
    pub(super) fn new(array: &'a Array, axes: &[usize]) -> Rows<'a> {
        let kept: Vec<usize> = (0..array.n_dims()).filter(|axis| !axes.contains(axis)).collect();
        let n = axes.iter().filter_map(|axis| array.shape.get(*axis)).product();
        let values = if axes.first().is_none_or(|axis| *axis >= kept.len()) {
            Cow::Borrowed(array.values.as_slice())
        } else {
            let from = strides(&array.shape);
            let order: Vec<usize> = kept.iter().chain(axes).copied().collect();
            let shape: Vec<usize> = order.iter().map(|axis| array.shape[*axis]).collect();
            let strides: Vec<isize> = order.iter().map(|axis| from[*axis]).collect();
            Cow::Owned(gather(&array.values, 0, &shape, &strides))
        };
        let mut keepdim = array.shape.clone();
        for axis in axes {
            keepdim[*axis] = 1;
        }
        Rows { values, kept: kept.iter().map(|axis| array.shape[*axis]).collect(), n, keepdim }
    }

    pub(super) fn n_rows(&self) -> usize {
        self.kept.iter().product()
    }

    pub(super) fn row(&self, idx: usize) -> &[f64] {
        &self.values[idx * self.n..(idx + 1) * self.n]
    }

    fn shape(&self, keepdim: bool) -> Vec<usize> {
        if keepdim { self.keepdim.clone() } else { self.kept.clone() }
    }

    /// One value for each row.
    fn map(&self, keepdim: bool, one: impl Fn(&[f64]) -> f64 + Sync) -> Array {
        let mut values = vec![0.0; self.n_rows()];
        let all = |at: usize, chunk: &mut [f64]| {
            for (idx, to) in chunk.iter_mut().enumerate() {
                *to = one(self.row(at + idx));
            }
        };
        // Few long rows are not worth threads by their number, but by their length.
        fill(&mut values, all);
        Array::new(self.shape(keepdim), values)
    }
}

/// Mean and sum of squared differences from it, in two passes.
pub(super) fn moments(row: &[f64], single: bool) -> (f64, f64) {
    let round = |value: f64| if single { f64::from(value as f32) } else { value };
    let mean = round(total(row.iter().copied(), single) / row.len() as f64);
    let squares = row.iter().map(|value| round((value - mean) * (value - mean)));
    (mean, total(squares, single))
}

pub(super) fn compute(call: &Call<'_>) -> Computed {
    let known = [
        "sum",
        "mean",
        "prod",
        "amax",
        "amin",
        "max",
        "min",
        "argmax",
        "argmin",
        "any",
        "all",
        "var",
        "std",
        "var_mean",
        "std_mean",
        "logsumexp",
        "linalg_vector_norm",
        "norm",
        "aminmax",
    ];
    if !known.contains(&call.name) {
        return Ok(None);
    }
    if matches!(call.name, "max" | "min") && call.has("other") {
        return Ok(None);
    }
    let array = call.array("self")?;
    let axes = call.axes("dim", array.n_dims())?;
    let keepdim = call.flag("keepdim", false)?;
    let rows = Rows::new(array, &axes);
    let shape = rows.shape(keepdim);
    call.expect_shape(0, &shape)?;
    let single = call.single();
    let round = |value: f64| if single { f64::from(value as f32) } else { value };
    let n = rows.n as f64;
    let sum = |row: &[f64]| total(row.iter().copied(), single);
    let array = match call.name {
        "sum" => rows.map(keepdim, sum),
        "mean" => rows.map(keepdim, |row| sum(row) / n),
        "prod" => rows.map(keepdim, |row| row.iter().fold(1.0, |product, x| round(product * x))),
        "any" => rows.map(keepdim, |row| f64::from(u8::from(row.iter().any(|x| *x != 0.0)))),
        "all" => rows.map(keepdim, |row| f64::from(u8::from(row.iter().all(|x| *x != 0.0)))),
        "amax" | "amin" | "max" | "min" | "argmax" | "argmin" | "aminmax" => {
            return extreme(call, &rows, keepdim);
        }
        "var" | "std" | "var_mean" | "std_mean" => {
            let unbiased = if call.flag("unbiased", true)? { 1.0 } else { 0.0 };
            let divisor = (n - call.number("correction", Some(unbiased))?).max(0.0);
            let root = call.name.starts_with("std");
            let spread = rows.map(keepdim, |row| {
                let variance = round(moments(row, single).1 / divisor);
                if root { variance.sqrt() } else { variance }
            });
            if call.name.ends_with("_mean") {
                return Ok(Some(vec![spread, rows.map(keepdim, |row| sum(row) / n)]));
            }
            spread
        }
        "logsumexp" => rows.map(keepdim, |row| {
            let high = row.iter().copied().fold(f64::NEG_INFINITY, super::pointwise::larger);
            let high = if high.is_infinite() { 0.0 } else { high };
            total(row.iter().map(|x| round((x - high).exp())), single).ln() + high
        }),
        _ => {
            let order = call.number(if call.name == "norm" { "p" } else { "ord" }, Some(2.0))?;
            rows.map(keepdim, |row| norm(row, order, single))
        }
    };
    Ok(Some(vec![array]))
}

fn norm(row: &[f64], order: f64, single: bool) -> f64 {
    let round = |value: f64| if single { f64::from(value as f32) } else { value };
    let sizes = row.iter().map(|x| x.abs());
    if order == f64::INFINITY {
        sizes.fold(0.0, super::pointwise::larger)
    } else if order == f64::NEG_INFINITY {
        sizes.fold(f64::INFINITY, super::pointwise::smaller)
    } else if order == 0.0 {
        sizes.filter(|x| *x != 0.0).count() as f64
    } else if order == 1.0 {
        total(sizes, single)
    } else if order == 2.0 {
        total(sizes.map(|x| round(x * x)), single).sqrt()
    } else {
        total(sizes.map(|x| round(x.powf(order))), single).powf(1.0 / order)
    }
}

/// Where the first greatest (or least) value is; the first NaN wins.
fn best(row: &[f64], greatest: bool) -> usize {
    let mut at = 0;
    for (idx, value) in row.iter().enumerate() {
        if row[at].is_nan() {
            break;
        }
        let better = if greatest { *value > row[at] } else { *value < row[at] };
        if better || value.is_nan() {
            at = idx;
        }
    }
    at
}

fn extreme(call: &Call<'_>, rows: &Rows<'_>, keepdim: bool) -> Computed {
    if rows.n == 0 && rows.n_rows() > 0 {
        return Err(extreme_of_nothing(call));
    }
    let greatest = call.name.contains("max") && call.name != "aminmax";
    let values = |greatest| rows.map(keepdim, move |row: &[f64]| row[best(row, greatest)]);
    if call.name.starts_with("arg") {
        return Ok(Some(vec![rows.map(keepdim, |row| best(row, greatest) as f64)]));
    }
    if call.name == "aminmax" {
        return Ok(Some(vec![values(false), values(true)]));
    }
    if call.name.starts_with('a') || call.overload == "default" {
        return Ok(Some(vec![values(greatest)]));
    }
    Ok(Some(vec![values(greatest), rows.map(keepdim, |row| best(row, greatest) as f64)]))
}

fn extreme_of_nothing(call: &Call<'_>) -> Error {
    call.refuse("the extreme of nothing")
}
