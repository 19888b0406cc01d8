//! Values at places that other tensors name.

use crate::Error;
use crate::graph::Dtype;
use crate::oracle::Array;
use crate::oracle::array::{Walk, gather, repeating, strides};
use crate::oracle::call::{Call, Computed, broadcast, one};

pub(super) fn compute(call: &Call<'_>) -> Computed {
    match call.name {
        "index" | "_unsafe_index" => index(call),
        "index_select" => {
            let (array, index) = (call.array("self")?, call.array("index")?);
            let axis = call.axis(call.int("dim", None)?, array.n_dims())?;
            if array.n_dims() == 0 || index.n_dims() > 1 {
                return Err(call.refuse("a tensor without axes, or an index with more than one"));
            }
            rows(call, array, axis, index, &[index.values.len()])
        }
        "embedding" => {
            let (array, index) = (call.array("weight")?, call.array("indices")?);
            if array.n_dims() != 2 {
                return Err(call.refuse("a table without two axes"));
            }
            rows(call, array, 0, index, &index.shape)
        }
        "gather" => pick(call),
        "slice_scatter" | "select_scatter" => overwrite(call),
        _ => Ok(None),
    }
}

/// A place, counted from the end if negative.
fn place(call: &Call<'_>, value: f64, n: usize) -> Result<usize, Error> {
    let at = if value < 0.0 { value + n as f64 } else { value };
    if at >= 0.0 && at < n as f64 && at.fract() == 0.0 {
        Ok(at as usize)
    } else {
        Err(call.refuse(format!("no index {value} of {n}")))
    }
}

/// Whole slices along one axis; `taken` replaces that axis in the shape.
fn rows(call: &Call<'_>, array: &Array, axis: usize, index: &Array, taken: &[usize]) -> Computed {
    let n = array.shape[axis];
    let mut shape = array.shape[..axis].to_vec();
    let n_outer: usize = shape.iter().product();
    shape.extend(taken);
    shape.extend(&array.shape[axis + 1..]);
    call.expect_shape(0, &shape)?;
    let n_inner: usize = array.shape[axis + 1..].iter().product();
    let places: Result<Vec<usize>, Error> =
        index.values.iter().map(|value| place(call, *value, n)).collect();
    let places = places?;
    let mut values = Vec::with_capacity(shape.iter().product());
    for outer in 0..n_outer {
        for place in &places {
            let at = (outer * n + place) * n_inner;
            values.extend_from_slice(&array.values[at..at + n_inner]);
        }
    }
    one(&shape, values)
}

fn index(call: &Call<'_>) -> Computed {
    let array = call.array("self")?;
    let indices = call.optional_arrays("indices")?;
    if indices.len() > array.n_dims() || indices.iter().all(Option::is_none) {
        return Err(call.refuse("no index, or more than axes"));
    }
    let given: Vec<(usize, &Array)> = indices
        .iter()
        .enumerate()
        .filter_map(|(axis, index)| index.map(|index| (axis, index)))
        .collect();
    if given.iter().any(|(_, index)| matches!(index.dtype, Dtype::Bool | Dtype::U8)) {
        return Err(call.refuse("a mask as an index: the shape would depend on values"));
    }
    let shapes: Vec<&[usize]> = given.iter().map(|(_, index)| index.shape.as_slice()).collect();
    let taken = broadcast(call, &shapes)?;
    let from = strides(&array.shape);
    // Indices on neighbouring axes are put where these were; others come first.
    let first = given[0].0;
    let adjacent = given.iter().enumerate().all(|(idx, (axis, _))| *axis == first + idx);
    let at = if adjacent { first } else { 0 };
    let kept: Vec<usize> =
        (0..array.n_dims()).filter(|axis| indices.get(*axis).is_none_or(Option::is_none)).collect();
    let mut shape: Vec<usize> = kept.iter().map(|axis| array.shape[*axis]).collect();
    let mut kept_strides: Vec<isize> = kept.iter().map(|axis| from[*axis]).collect();
    shape.splice(at..at, taken.iter().copied());
    call.expect_shape(0, &shape)?;
    let n_taken: usize = taken.iter().product();
    let mut offsets = vec![0isize; n_taken];
    for (axis, index) in given {
        let values = gather(&index.values, 0, &taken, &repeating(&index.shape, &taken));
        for (offset, value) in offsets.iter_mut().zip(values) {
            *offset += place(call, value, array.shape[axis])? as isize * from[axis];
        }
    }
    let tail = kept_strides.split_off(at);
    let (n_before, after) = (shape[..at].iter().product::<usize>(), &shape[at + taken.len()..]);
    let n_after: usize = after.iter().product();
    let mut values = Vec::with_capacity(shape.iter().product());
    let mut before = Walk::new(&shape[..at], &kept_strides, 0);
    for _ in 0..n_before {
        let base = before.next_offset();
        for offset in &offsets {
            let mut inner = Walk::new(after, &tail, base + offset);
            values.extend((0..n_after).map(|_| array.values[inner.next_offset() as usize]));
        }
    }
    one(&shape, values)
}

fn pick(call: &Call<'_>) -> Computed {
    let (array, index) = (call.array("self")?, call.array("index")?);
    let axis = call.axis(call.int("dim", None)?, array.n_dims())?;
    let fits = array.n_dims() == index.n_dims()
        && (0..array.n_dims()).all(|at| at == axis || index.shape[at] <= array.shape[at]);
    if !fits || array.n_dims() == 0 {
        return Err(call.refuse(format!("{:?} from {:?}", index.shape, array.shape)));
    }
    call.expect_shape(0, &index.shape)?;
    let mut from = strides(&array.shape);
    let stride = std::mem::take(&mut from[axis]);
    let mut walk = Walk::new(&index.shape, &from, 0);
    let mut values = Vec::with_capacity(index.values.len());
    for value in &index.values {
        let at = place(call, *value, array.shape[axis])? as isize * stride;
        values.push(array.values[(walk.next_offset() + at) as usize]);
    }
    one(&index.shape, values)
}

/// A copy of `self` in which `src` replaces a slice.
fn overwrite(call: &Call<'_>) -> Computed {
    let (array, source) = (call.array("self")?, call.array("src")?);
    let axis = call.axis(call.int("dim", Some(0))?, array.n_dims())?;
    if array.n_dims() == 0 {
        return Err(call.refuse("a tensor without axes"));
    }
    let n = array.shape[axis];
    let within = |value: i64| {
        (if value < 0 { value.saturating_add(n as i64) } else { value }).clamp(0, n as i64) as usize
    };
    let mut shape = array.shape.clone();
    let (start, step) = if call.name == "select_scatter" {
        shape.remove(axis);
        (place(call, call.int("index", None)? as f64, n)?, 1)
    } else {
        let start = within(call.maybe_int("start")?.unwrap_or(0));
        let end = within(call.maybe_int("end")?.unwrap_or(i64::MAX));
        let step = usize::try_from(call.int("step", Some(1))?).unwrap_or(0).max(1);
        shape[axis] = end.saturating_sub(start).div_ceil(step);
        (start, step)
    };
    if source.shape != shape {
        return Err(call.refuse(format!("{:?} in place of {shape:?}", source.shape)));
    }
    let places = if call.name == "select_scatter" { 1 } else { shape[axis] };
    let n_inner: usize = array.shape[axis + 1..].iter().product();
    let n_outer: usize = array.shape[..axis].iter().product();
    let mut values = array.values.clone();
    for outer in 0..n_outer {
        for idx in 0..places {
            let to = (outer * n + start + idx * step) * n_inner;
            let from = (outer * places + idx) * n_inner;
            values[to..to + n_inner].copy_from_slice(&source.values[from..from + n_inner]);
        }
    }
    one(&array.shape, values)
}
