//! Values at other places: shapes, slices, joins, paddings.

use crate::Error;
use crate::oracle::Array;
use crate::oracle::array::{gather, repeating, strides};
use crate::oracle::call::{Call, Computed, one};

pub(super) fn compute(call: &Call<'_>) -> Computed {
    match call.name {
        "view" | "_unsafe_view" | "reshape" | "view_copy" | "_reshape_alias" => reshape(call),
        "flatten" | "unsqueeze" | "squeeze" => {
            let array = call.array("self")?;
            let shape = joined(call, &array.shape)?;
            call.expect_shape(0, &shape)?;
            one(&shape, array.values.clone())
        }
        "permute" | "transpose" | "t" | "numpy_T" => permute(call),
        "expand" | "broadcast_to" => expand(call),
        "repeat" => repeat(call),
        "slice" | "narrow" | "select" | "flip" | "unfold" | "diagonal" => {
            let array = call.array("self")?;
            let (offset, shape, strides) = window(call, array)?;
            call.expect_shape(0, &shape)?;
            one(&shape, gather(&array.values, offset, &shape, &strides))
        }
        "as_strided" => as_strided(call),
        "split_with_sizes" | "split" | "chunk" | "unbind" => split(call),
        "cat" | "stack" => cat(call),
        "roll" => roll(call),
        "constant_pad_nd" | "pad" => pad(call, Padding::Constant),
        "reflection_pad1d" | "reflection_pad2d" | "reflection_pad3d" => pad(call, Padding::Mirror),
        "replication_pad1d" | "replication_pad2d" | "replication_pad3d" => pad(call, Padding::Edge),
        _ => Ok(None),
    }
}

fn reshape(call: &Call<'_>) -> Computed {
    let array = call.array("self")?;
    let mut size = call.ints(if call.has("size") { "size" } else { "shape" })?;
    let known: Option<i64> =
        size.iter().filter(|n| **n != -1).try_fold(1i64, |n, each| n.checked_mul(*each));
    if let (Some(at), Some(known @ 1..)) = (size.iter().position(|n| *n == -1), known) {
        size[at] = array.values.len() as i64 / known;
    }
    let shape: Vec<usize> = size.iter().map(|n| usize::try_from(*n).unwrap_or(0)).collect();
    let n = shape.iter().try_fold(1usize, |n, each| n.checked_mul(*each));
    if n != Some(array.values.len()) {
        return Err(call.refuse(format!("{:?} as {size:?}", array.shape)));
    }
    one(&shape, array.values.clone())
}

/// The shape of `flatten`, `squeeze`, `unsqueeze`.
fn joined(call: &Call<'_>, shape: &[usize]) -> Result<Vec<usize>, Error> {
    let mut shape = shape.to_vec();
    match call.name {
        "flatten" => {
            let first = call.axis(call.int("start_dim", Some(0))?, shape.len())?;
            let last = call.axis(call.int("end_dim", Some(-1))?, shape.len())?;
            if shape.is_empty() {
                return Ok(vec![1]);
            }
            if first > last {
                return Err(call.refuse("it begins after its end"));
            }
            let n = shape[first..=last].iter().product();
            shape.splice(first..=last, [n]);
        }
        "unsqueeze" => {
            let axis = call.axis(call.int("dim", None)?, shape.len() + 1)?;
            shape.insert(axis, 1);
        }
        _ if call.overload == "default" => shape.retain(|n| *n != 1),
        _ => {
            let given = call.ints("dim")?;
            let n = shape.len();
            let axes: Result<Vec<usize>, Error> =
                given.into_iter().map(|axis| call.axis(axis, n)).collect();
            let axes = axes?;
            let mut axis = 0;
            shape.retain(|n| {
                axis += 1;
                *n != 1 || !axes.contains(&(axis - 1))
            });
        }
    }
    Ok(shape)
}

fn permute(call: &Call<'_>) -> Computed {
    let array = call.array("self")?;
    let n = array.n_dims();
    let mut order: Vec<usize> = (0..n).collect();
    match call.name {
        "permute" => {
            let dims = call.ints("dims")?;
            let dims: Result<Vec<usize>, Error> =
                dims.into_iter().map(|axis| call.axis(axis, n)).collect();
            order = dims?;
            let mut sorted = order.clone();
            sorted.sort_unstable();
            if !sorted.iter().copied().eq(0..n) {
                return Err(call.refuse(format!("{order:?} is no order of {n} axes")));
            }
        }
        "transpose" => {
            let first = call.axis(call.int("dim0", None)?, n)?;
            let second = call.axis(call.int("dim1", None)?, n)?;
            if n > 0 {
                order.swap(first, second);
            }
        }
        _ => order.reverse(),
    }
    let from = strides(&array.shape);
    let shape: Vec<usize> = order.iter().map(|axis| array.shape[*axis]).collect();
    call.expect_shape(0, &shape)?;
    let strides: Vec<isize> = order.iter().map(|axis| from[*axis]).collect();
    one(&shape, gather(&array.values, 0, &shape, &strides))
}

fn expand(call: &Call<'_>) -> Computed {
    let array = call.array("self")?;
    let size = call.ints("size")?;
    let Some(missing) = size.len().checked_sub(array.n_dims()) else {
        return Err(call.refuse(format!("{:?} to {size:?}", array.shape)));
    };
    let mut shape = Vec::with_capacity(size.len());
    for (axis, n) in size.iter().enumerate() {
        let old = axis.checked_sub(missing).map(|axis| array.shape[axis]);
        shape.push(match (usize::try_from(*n), old) {
            (Err(_), Some(old)) if *n == -1 => old,
            (Ok(n), None | Some(1)) => n,
            (Ok(n), Some(old)) if n == old => n,
            _ => return Err(call.refuse(format!("{:?} to {size:?}", array.shape))),
        });
    }
    call.expect_shape(0, &shape)?;
    one(&shape, gather(&array.values, 0, &shape, &repeating(&array.shape, &shape)))
}

fn repeat(call: &Call<'_>) -> Computed {
    let array = call.array("self")?;
    let repeats = call.extents("repeats")?;
    let Some(missing) = repeats.len().checked_sub(array.n_dims()) else {
        return Err(call.refuse("fewer repeats than axes"));
    };
    // Each axis becomes two: which repeat, and where in it.
    let from = strides(&array.shape);
    let (mut twice, mut steps, mut shape) = (Vec::new(), Vec::new(), Vec::new());
    for (axis, n) in repeats.into_iter().enumerate() {
        let (old, stride) =
            axis.checked_sub(missing).map_or((1, 0), |axis| (array.shape[axis], from[axis]));
        twice.extend([n, old]);
        steps.extend([0, stride]);
        shape.push(n.checked_mul(old).ok_or_else(|| call.refuse("too large"))?);
    }
    call.expect_shape(0, &shape)?;
    one(&shape, gather(&array.values, 0, &twice, &steps))
}

/// Offset, shape and strides of a part of an array.
fn window(call: &Call<'_>, array: &Array) -> Result<(isize, Vec<usize>, Vec<isize>), Error> {
    let (mut shape, mut strides) = (array.shape.clone(), strides(&array.shape));
    let n_dims = shape.len();
    if n_dims == 0 {
        return match call.name {
            "flip" => Ok((0, shape, strides)),
            _ => Err(call.refuse("a tensor without axes")),
        };
    }
    let mut offset = 0;
    let within = |value: i64, n: usize| {
        let n = n as i64;
        (if value < 0 { value.saturating_add(n) } else { value }).clamp(0, n)
    };
    match call.name {
        "slice" | "narrow" => {
            let axis = call.axis(call.int("dim", Some(0))?, n_dims)?;
            let n = shape[axis];
            let start = within(call.maybe_int("start")?.unwrap_or(0), n);
            let (end, step) = match call.name {
                "slice" => (
                    within(call.maybe_int("end")?.unwrap_or(i64::MAX), n),
                    call.int("step", Some(1))?,
                ),
                _ => (start.saturating_add(call.int("length", None)?.max(0)), 1),
            };
            if step < 1 || end > n as i64 {
                return Err(call.refuse("outside its tensor"));
            }
            let n = ((end - start).max(0) as u64).div_ceil(step as u64) as usize;
            offset = start as isize * strides[axis];
            strides[axis] = strides[axis].saturating_mul(step as isize);
            shape[axis] = n;
        }
        "select" => {
            let axis = call.axis(call.int("dim", None)?, n_dims)?;
            let index = call.int("index", None)?;
            let n = shape[axis] as i64;
            if !(-n..n).contains(&index) {
                return Err(call.refuse(format!("no index {index} of {n}")));
            }
            offset = index.rem_euclid(n) as isize * strides[axis];
            shape.remove(axis);
            strides.remove(axis);
        }
        "flip" => {
            for axis in call.ints("dims")? {
                let axis = call.axis(axis, n_dims)?;
                offset += (shape[axis] as isize - 1).max(0) * strides[axis];
                strides[axis] = -strides[axis];
            }
        }
        "unfold" => {
            let axis = call.axis(call.int("dimension", None)?, n_dims)?;
            let (size, step) = (call.int("size", None)?, call.int("step", None)?);
            if step < 1 || size < 0 || size > shape[axis] as i64 {
                return Err(call.refuse("outside its tensor"));
            }
            shape.push(size as usize);
            strides.push(strides[axis]);
            shape[axis] = (shape[axis] - size as usize) / step as usize + 1;
            strides[axis] = strides[axis].saturating_mul(step as isize);
        }
        _ => {
            let first = call.axis(call.int("dim1", Some(0))?, n_dims)?;
            let second = call.axis(call.int("dim2", Some(1))?, n_dims)?;
            let shift = call.int("offset", Some(0))?;
            if first == second {
                return Err(call.refuse("one axis twice"));
            }
            let skip = shift.unsigned_abs() as usize;
            let (mut rows, mut columns) = (shape[first], shape[second]);
            if shift >= 0 {
                columns = columns.saturating_sub(skip);
                offset += (skip.min(shape[second])) as isize * strides[second];
            } else {
                rows = rows.saturating_sub(skip);
                offset += (skip.min(shape[first])) as isize * strides[first];
            }
            let stride = strides[first] + strides[second];
            for axis in [first.max(second), first.min(second)] {
                shape.remove(axis);
                strides.remove(axis);
            }
            shape.push(rows.min(columns));
            strides.push(stride);
        }
    }
    Ok((offset, shape, strides))
}

fn as_strided(call: &Call<'_>) -> Computed {
    let array = call.array("self")?;
    let (shape, strides) = (call.extents("size")?, call.extents("stride")?);
    call.expect_shape(0, &shape)?;
    let offset = call.int("storage_offset", Some(0))?.max(0) as usize;
    let last = shape.iter().zip(&strides).try_fold(offset, |last, (n, stride)| {
        n.saturating_sub(1).checked_mul(*stride)?.checked_add(last)
    });
    let n: usize = shape.iter().product();
    if shape.len() != strides.len() || n > 0 && last.is_none_or(|last| last >= array.values.len()) {
        return Err(call.refuse("outside its tensor"));
    }
    let strides: Vec<isize> = strides.into_iter().map(|stride| stride as isize).collect();
    one(&shape, gather(&array.values, offset as isize, &shape, &strides))
}

fn split(call: &Call<'_>) -> Computed {
    let array = call.array("self")?;
    let axis = call.axis(call.int("dim", Some(0))?, array.n_dims())?;
    let n = *array.shape.get(axis).ok_or_else(|| call.refuse("a tensor without axes"))?;
    let sizes = match call.name {
        "split_with_sizes" => call.extents("split_sizes")?,
        "unbind" => vec![1; n],
        _ => {
            let size = match call.name {
                "chunk" => n.div_ceil(call.int("chunks", None)?.max(1) as usize),
                _ => call.int("split_size", None)?.max(0) as usize,
            };
            if size == 0 {
                return Err(call.refuse("parts of nothing"));
            }
            (0..n).step_by(size).map(|at| size.min(n - at)).collect()
        }
    };
    if sizes.iter().try_fold(0usize, |sum, size| sum.checked_add(*size)) != Some(n) {
        return Err(call.refuse(format!("{n} into {sizes:?}")));
    }
    let strides = strides(&array.shape);
    let mut parts = Vec::with_capacity(sizes.len());
    let mut at = 0;
    for size in sizes {
        let mut shape = array.shape.clone();
        shape[axis] = size;
        let values = gather(&array.values, at as isize * strides[axis], &shape, &strides);
        if call.name == "unbind" {
            shape.remove(axis);
        }
        parts.push(Array::new(shape, values));
        at += size;
    }
    Ok(Some(parts))
}

fn cat(call: &Call<'_>) -> Computed {
    let mut arrays: Vec<Array> = Vec::new();
    let given = call.arrays("tensors")?;
    let n_dims = given.iter().map(|array| array.n_dims()).max().unwrap_or(0);
    let stack = call.name == "stack";
    let axis = call.axis(call.int("dim", Some(0))?, n_dims + usize::from(stack))?;
    for array in given {
        let mut array = array.clone();
        if stack && axis <= array.n_dims() {
            array.shape.insert(axis, 1);
        }
        // PyTorch lets an empty one of one axis join anything.
        if array.shape != [0] || n_dims == 1 {
            arrays.push(array);
        }
    }
    let Some(first) = arrays.first() else { return Err(call.refuse("nothing to join")) };
    let mut shape = first.shape.clone();
    if axis >= shape.len() {
        return Err(call.refuse("tensors without axes"));
    }
    shape[axis] = 0;
    for array in &arrays {
        let mut other = array.shape.clone();
        let n = other.get_mut(axis).map(std::mem::take).unwrap_or(0);
        let sum = shape[axis];
        shape[axis] = 0;
        if other != shape {
            return Err(call.refuse("shapes do not match"));
        }
        shape[axis] = sum.checked_add(n).ok_or_else(|| call.refuse("too large"))?;
    }
    call.expect_shape(0, &shape)?;
    let n_outer: usize = shape[..axis].iter().product();
    let n_inner: usize = shape[axis + 1..].iter().product();
    let mut values = Vec::with_capacity(shape.iter().product());
    for outer in 0..n_outer {
        for array in &arrays {
            let n = array.shape[axis] * n_inner;
            values.extend_from_slice(&array.values[outer * n..(outer + 1) * n]);
        }
    }
    one(&shape, values)
}

/// For each place along `axis` of the result, the place in `array`, or none.
fn along(array: &Array, axis: usize, places: &[Option<usize>], fill: f64) -> Array {
    let mut shape = array.shape.clone();
    let n = std::mem::replace(&mut shape[axis], places.len());
    let n_inner: usize = shape[axis + 1..].iter().product();
    let n_outer: usize = shape[..axis].iter().product();
    let mut values = Vec::with_capacity(shape.iter().product());
    for outer in 0..n_outer {
        for place in places {
            match place {
                Some(place) => {
                    let at = (outer * n + place) * n_inner;
                    values.extend_from_slice(&array.values[at..at + n_inner]);
                }
                None => values.resize(values.len() + n_inner, fill),
            }
        }
    }
    Array::new(shape, values)
}

fn roll(call: &Call<'_>) -> Computed {
    let mut array = call.array("self")?.clone();
    let (shifts, dims) = (call.ints("shifts")?, call.maybe_ints("dims")?.unwrap_or_default());
    let shape = array.shape.clone();
    let flat = dims.is_empty() && shifts.len() == 1;
    if flat {
        array.shape = vec![array.values.len()];
    }
    let dims = if flat { vec![0] } else { dims };
    if dims.len() != shifts.len() {
        return Err(call.refuse("as many shifts as axes are needed"));
    }
    for (shift, axis) in shifts.into_iter().zip(dims) {
        let axis = call.axis(axis, array.n_dims())?;
        // A scalar has an axis 0 to be rolled along, and nothing to roll.
        let Some(&n) = array.shape.get(axis) else { continue };
        let n = n as i64;
        let places: Vec<_> =
            (0..n).map(|at| Some((at - shift % n).rem_euclid(n) as usize)).collect();
        array = along(&array, axis, &places, 0.0);
    }
    array.shape = shape;
    Ok(Some(vec![array]))
}

#[derive(Clone, Copy)]
enum Padding {
    Constant,
    Mirror,
    Edge,
}

fn pad(call: &Call<'_>, padding: Padding) -> Computed {
    if call.name == "pad" && call.text("mode", "constant")? != "constant" {
        return Err(call.refuse("this mode"));
    }
    let mut array = call.array("self")?.clone();
    let name = if call.has("pad") { "pad" } else { "padding" };
    let amounts = call.ints(name)?;
    let value = call.round(call.number("value", Some(0.0))?);
    if amounts.len() % 2 != 0 || amounts.len() / 2 > array.n_dims() {
        return Err(call.refuse(format!("padding {amounts:?}")));
    }
    // Pairs from the last axis on.
    let mut shape = array.shape.clone();
    for (idx, pair) in amounts.chunks(2).enumerate() {
        let axis = shape.len() - 1 - idx;
        let n = i64::try_from(shape[axis]).ok();
        let n = n.and_then(|n| n.checked_add(pair[0])?.checked_add(pair[1]));
        shape[axis] = n
            .and_then(|n| usize::try_from(n).ok())
            .ok_or_else(|| call.refuse(format!("padding {amounts:?}")))?;
    }
    call.expect_shape(0, &shape)?;
    for (idx, pair) in amounts.chunks(2).enumerate() {
        let axis = shape.len() - 1 - idx;
        let n = array.shape[axis] as i64;
        let place = |at: i64| match padding {
            _ if (0..n).contains(&at) => Some(at),
            Padding::Constant => None,
            Padding::Edge => Some(at.clamp(0, (n - 1).max(0))),
            Padding::Mirror if at < 0 => Some(-at),
            Padding::Mirror => Some(2 * (n - 1) - at),
        };
        let places: Vec<Option<usize>> = (-pair[0]..-pair[0] + shape[axis] as i64)
            .map(|at| place(at).map(|at| at as usize))
            .collect();
        if places.iter().flatten().any(|at| *at as i64 >= n) {
            return Err(call.refuse(format!("padding {amounts:?}")));
        }
        array = along(&array, axis, &places, value);
    }
    Ok(Some(vec![array]))
}
