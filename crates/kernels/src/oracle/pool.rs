//! Pooling over one to three axes.

use std::ops::Range;

use crate::Error;
use crate::oracle::Array;
use crate::oracle::call::{Call, Computed};

/// What a window covers along one axis: the places inside the input, and its length with padding.
struct Window {
    inside: Range<usize>,
    step: usize,
    padded: usize,
}

pub(super) fn compute(call: &Call<'_>) -> Computed {
    let name = call.name.trim_start_matches('_').trim_end_matches("_with_indices");
    let (kind, n) = match name.len().checked_sub(2).map(|at| name.split_at(at)) {
        Some((kind, "1d")) => (kind, 1),
        Some((kind, "2d")) => (kind, 2),
        Some((kind, "3d")) => (kind, 3),
        _ => return Ok(None),
    };
    let array = match kind {
        "avg_pool" | "max_pool" | "adaptive_avg_pool" | "adaptive_max_pool" => {
            call.array("self")?
        }
        _ => return Ok(None),
    };
    // One sample may come without a batch.
    if array.n_dims() != n + 1 && array.n_dims() != n + 2 {
        return Err(call.refuse(format!("pooling of {:?}", array.shape)));
    }
    let first = array.n_dims() - n;
    let extents = &array.shape[first..];
    let windows = if kind.starts_with("adaptive") {
        let mut windows = Vec::new();
        for (extent, n) in extents.iter().zip(call.extents_of("output_size", n, &[])?) {
            let window = |at: usize| {
                let inside = at * extent / n..((at + 1) * extent).div_ceil(n);
                Window { padded: inside.len(), inside, step: 1 }
            };
            // More places than the output declares would be refused below; not more than that.
            if n > super::MOST_ELEMENTS || *extent == 0 {
                return Err(call.refuse("pooling of nothing"));
            }
            windows.push((0..n).map(window).collect());
        }
        if windows.len() != n {
            return Err(call.refuse("as many sizes as axes are needed"));
        }
        windows
    } else {
        windows(call, extents)?
    };
    let mut shape = array.shape[..first].to_vec();
    shape.extend(windows.iter().map(Vec::len));
    call.expect_shape(0, &shape)?;
    let mut extents = extents.to_vec();
    let mut three: Vec<Vec<Window>> = windows;
    while three.len() < 3 {
        extents.insert(0, 1);
        three.insert(0, vec![Window { inside: 0..1, step: 1, padded: 1 }]);
    }
    let [z, y, x] = &three[..] else {
        return Err(call.refuse("pooling over more than three axes"));
    };
    let count_padding = call.flag("count_include_pad", true)?;
    let divisor = call.maybe_number("divisor_override")?;
    let mean = kind.ends_with("avg_pool");
    let n_out: usize = shape.iter().product();
    let mut values = Vec::with_capacity(n_out);
    let mut places = Vec::with_capacity(if mean { 0 } else { n_out });
    let n_plane: usize = extents.iter().product();
    for plane in array.values.chunks(n_plane.max(1)) {
        for z in z {
            for y in y {
                for x in x {
                    if mean {
                        let sum = sum(call, plane, &extents, [z, y, x]);
                        let n = match (divisor, count_padding) {
                            (Some(divisor), _) => divisor,
                            (None, true) => (z.padded * y.padded * x.padded) as f64,
                            (None, false) => {
                                (z.inside.len() * y.inside.len() * x.inside.len()) as f64
                            }
                        };
                        values.push(sum / n);
                    } else {
                        let (value, place) = greatest(plane, &extents, [z, y, x]);
                        values.push(value);
                        places.push(place as f64);
                    }
                }
            }
        }
    }
    if values.len() != n_out {
        return Err(call.refuse("pooling of nothing"));
    }
    let mut computed = vec![Array::new(shape.clone(), values)];
    if !mean {
        computed.push(Array::new(shape, places));
    }
    Ok(Some(computed))
}

fn sum(call: &Call<'_>, plane: &[f64], extents: &[usize], [z, y, x]: [&Window; 3]) -> f64 {
    let mut sum = 0.0;
    for z in z.inside.clone() {
        for y in y.inside.clone() {
            let row = (z * extents[1] + y) * extents[2];
            for value in &plane[row + x.inside.start..row + x.inside.end] {
                sum = call.round(sum + value);
            }
        }
    }
    sum
}

fn greatest(plane: &[f64], extents: &[usize], [z, y, x]: [&Window; 3]) -> (f64, usize) {
    let start = |window: &Window| window.inside.start;
    let first = (start(z) * extents[1] + start(y)) * extents[2] + start(x);
    let (mut best, mut place) = (f64::NEG_INFINITY, first);
    for z in z.inside.clone().step_by(z.step) {
        for y in y.inside.clone().step_by(y.step) {
            let row = (z * extents[1] + y) * extents[2];
            for at in x.inside.clone().step_by(x.step) {
                let value = plane[row + at];
                if value > best || value.is_nan() {
                    (best, place) = (value, row + at);
                }
            }
        }
    }
    (best, place)
}

/// The windows along each axis.
fn windows(call: &Call<'_>, extents: &[usize]) -> Result<Vec<Vec<Window>>, Error> {
    let n = extents.len();
    let kernel = call.extents_of("kernel_size", n, &[])?;
    let stride = call.extents_of("stride", n, &kernel)?;
    let padding = call.extents_of("padding", n, &vec![0; n])?;
    let dilation = call.extents_of("dilation", n, &vec![1; n])?;
    let ceil = call.flag("ceil_mode", false)?;
    let mut all = Vec::with_capacity(n);
    for axis in 0..n {
        let Some(kernel) = kernel.get(axis).copied().filter(|n| *n > 0) else {
            return Err(call.refuse("a kernel of nothing"));
        };
        let (extent, stride, padding) = (extents[axis], stride[axis], padding[axis]);
        let dilation = dilation[axis];
        let reach = dilation * (kernel - 1) + 1;
        let room = (extent + 2 * padding).checked_sub(reach);
        let (Some(room), true) = (room, stride > 0 && dilation > 0 && padding <= kernel / 2) else {
            return Err(call.refuse("a window that does not fit"));
        };
        let mut n_out = if ceil { room.div_ceil(stride) } else { room / stride } + 1;
        // The last window has to begin inside the input or its left padding.
        if ceil && (n_out - 1) * stride >= extent + padding {
            n_out -= 1;
        }
        let window = |at: usize| {
            let start = at * stride;
            // Skips what lies in the padding on the left, in steps of the dilation.
            let skipped = padding.saturating_sub(start).div_ceil(dilation);
            let first = (start + skipped * dilation).saturating_sub(padding);
            let end = (start + reach).saturating_sub(padding).min(extent);
            let padded = (start + kernel).min(extent + 2 * padding).saturating_sub(start);
            Window { inside: first..end.max(first), step: dilation, padded }
        };
        all.push((0..n_out).map(window).collect());
    }
    Ok(all)
}
