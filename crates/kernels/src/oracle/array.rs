//! Dense arrays of `f64`, and loops over them.

use crate::Error;
use crate::graph::{Dtype, Tensor};
use crate::oracle::LARGEST_INTEGER;

/// A dense, row-major array. Its values are held as `f64`; `dtype` says what they stand for.
#[derive(Debug, Clone, PartialEq)]
pub struct Array {
    /// What the values stand for.
    pub dtype: Dtype,
    /// Extents, outermost first.
    pub shape: Vec<usize>,
    /// As many as the shape says.
    pub values: Vec<f64>,
}

impl Array {
    /// From the bytes of a tensor, little-endian.
    ///
    /// # Errors
    /// If there are more or fewer bytes than its shape says, or an integer is beyond 2^53.
    pub fn from_bytes(tensor: &Tensor, bytes: &[u8]) -> Result<Array, Error> {
        let refuse =
            |reason: String| Error::Operation { action: "read", op: tensor.name.clone(), reason };
        if bytes.len() != tensor.size_bytes() {
            return Err(refuse(format!(
                "expected {} bytes, got {}",
                tensor.size_bytes(),
                bytes.len()
            )));
        }
        let values: Vec<f64> = match tensor.dtype {
            Dtype::F32 => {
                bytes.as_chunks().0.iter().map(|at| f64::from(f32::from_le_bytes(*at))).collect()
            }
            Dtype::F64 => bytes.as_chunks().0.iter().map(|at| f64::from_le_bytes(*at)).collect(),
            Dtype::I64 => {
                let values = bytes.as_chunks().0.iter().map(|at| i64::from_le_bytes(*at));
                if let Some(value) = values
                    .clone()
                    .find(|value| value.unsigned_abs() > LARGEST_INTEGER.unsigned_abs())
                {
                    return Err(refuse(format!("{value} is beyond 2^53")));
                }
                values.map(|value| value as f64).collect()
            }
            Dtype::I32 => {
                bytes.as_chunks().0.iter().map(|at| f64::from(i32::from_le_bytes(*at))).collect()
            }
            Dtype::I8 => bytes.iter().map(|at| f64::from(i8::from_le_bytes([*at]))).collect(),
            Dtype::U8 => bytes.iter().map(|at| f64::from(*at)).collect(),
            Dtype::Bool => bytes.iter().map(|at| f64::from(u8::from(*at != 0))).collect(),
        };
        Ok(Array { dtype: tensor.dtype, shape: tensor.shape.clone(), values })
    }

    /// Its bytes as `dtype`, little-endian, rounded to nearest.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        fn all<const N: usize>(values: &[f64], one: impl Fn(f64) -> [u8; N]) -> Vec<u8> {
            let mut bytes = vec![0; values.len() * N];
            for (to, value) in bytes.as_chunks_mut().0.iter_mut().zip(values) {
                *to = one(*value);
            }
            bytes
        }
        let values = &self.values;
        match self.dtype {
            Dtype::F32 => all(values, |value| (value as f32).to_le_bytes()),
            Dtype::F64 => all(values, f64::to_le_bytes),
            Dtype::I64 => all(values, |value| (value as i64).to_le_bytes()),
            Dtype::I32 => all(values, |value| (value as i32).to_le_bytes()),
            Dtype::I8 => all(values, |value| (value as i8).to_le_bytes()),
            Dtype::U8 => all(values, |value| [value as u8]),
            Dtype::Bool => all(values, |value| [u8::from(value != 0.0)]),
        }
    }

    /// Whether every value is finite in its type.
    #[must_use]
    pub fn is_finite(&self) -> bool {
        match self.dtype {
            Dtype::F32 => self.values.iter().all(|value| (*value as f32).is_finite()),
            _ => self.values.iter().all(|value| value.is_finite()),
        }
    }

    /// With a type to be settled by who declared it.
    pub(super) fn new(shape: Vec<usize>, values: Vec<f64>) -> Array {
        debug_assert_eq!(shape.iter().product::<usize>(), values.len());
        Array { dtype: Dtype::F64, shape, values }
    }

    pub(super) fn scalar(value: f64) -> Array {
        Array::new(Vec::new(), vec![value])
    }

    pub(super) fn n_dims(&self) -> usize {
        self.shape.len()
    }
}

/// Least and greatest value of a type of integers.
pub(crate) fn range(dtype: Dtype) -> (f64, f64) {
    match dtype {
        Dtype::F32 | Dtype::F64 => (f64::NEG_INFINITY, f64::INFINITY),
        Dtype::I64 => (-(LARGEST_INTEGER as f64), LARGEST_INTEGER as f64),
        Dtype::I32 => (f64::from(i32::MIN), f64::from(i32::MAX)),
        Dtype::I8 => (f64::from(i8::MIN), f64::from(i8::MAX)),
        Dtype::U8 => (0.0, 255.0),
        Dtype::Bool => (0.0, 1.0),
    }
}

/// Below this many elements one thread is faster.
const FEW: usize = 1 << 16;

/// Fills `into` in chunks, on all processors; `fill` is told where its chunk begins.
pub(super) fn fill(into: &mut [f64], fill: impl Fn(usize, &mut [f64]) + Sync) {
    let n_threads = std::thread::available_parallelism().map_or(1, usize::from).min(8);
    if into.len() < FEW || n_threads == 1 {
        return fill(0, into);
    }
    let size = into.len().div_ceil(n_threads);
    std::thread::scope(|scope| {
        for (idx, chunk) in into.chunks_mut(size).enumerate() {
            let fill = &fill;
            scope.spawn(move || fill(idx * size, chunk));
        }
    });
}

/// One value from one.
pub(super) fn map(values: &[f64], one: impl Fn(f64) -> f64 + Sync) -> Vec<f64> {
    let mut into = vec![0.0; values.len()];
    fill(&mut into, |at, chunk| {
        for (to, value) in chunk.iter_mut().zip(&values[at..]) {
            *to = one(*value);
        }
    });
    into
}

/// As [`map`], in place.
pub(super) fn update(values: &mut [f64], one: impl Fn(f64) -> f64 + Sync) {
    fill(values, |_, chunk| chunk.iter_mut().for_each(|value| *value = one(*value)));
}

/// Row-major strides of a shape.
pub(super) fn strides(shape: &[usize]) -> Vec<isize> {
    let mut strides = vec![1; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis] * shape[axis] as isize;
    }
    strides
}

/// Strides that repeat `from` along the axes of `shape` that it lacks or has once.
pub(super) fn repeating(from: &[usize], shape: &[usize]) -> Vec<isize> {
    let missing = shape.len() - from.len();
    let mut all = vec![0; missing];
    all.extend(
        strides(from).into_iter().zip(from).map(|(stride, n)| stride * isize::from(*n != 1)),
    );
    all
}

/// Copies what lies at `offset` with `strides` into a dense array. The caller has checked that all
/// of it is there.
pub(super) fn gather(
    values: &[f64],
    offset: isize,
    shape: &[usize],
    strides: &[isize],
) -> Vec<f64> {
    let (shape, strides) = merged(shape, strides);
    let n: usize = shape.iter().product();
    let mut into = vec![0.0; n];
    if n == 0 {
        return into;
    }
    let (n_inner, inner) = (*shape.last().unwrap_or(&1), *strides.last().unwrap_or(&1));
    let outer = &shape[..shape.len().saturating_sub(1)];
    let outer_strides = &strides[..outer.len()];
    // A transposition walks in squares, so that lines of the cache are used whole.
    if inner != 1
        && inner != 0
        && let Some(&1) = outer_strides.last()
    {
        let rows = outer[outer.len() - 1];
        let mut walk =
            Walk::new(&outer[..outer.len() - 1], &outer_strides[..outer.len() - 1], offset);
        for block in into.chunks_mut(rows * n_inner) {
            let base = walk.next_offset();
            for row in (0..rows).step_by(16) {
                for column in (0..n_inner).step_by(16) {
                    for row in row..rows.min(row + 16) {
                        for column in column..n_inner.min(column + 16) {
                            let from = base + row as isize + column as isize * inner;
                            block[row * n_inner + column] = values[from as usize];
                        }
                    }
                }
            }
        }
        return into;
    }
    let mut walk = Walk::new(outer, outer_strides, offset);
    for row in into.chunks_mut(n_inner) {
        let base = walk.next_offset();
        match inner {
            1 => row.copy_from_slice(&values[base as usize..base as usize + n_inner]),
            0 => row.fill(values[base as usize]),
            _ => {
                for (idx, to) in row.iter_mut().enumerate() {
                    *to = values[(base + idx as isize * inner) as usize];
                }
            }
        }
    }
    into
}

/// Fewer axes for the same walk: those of extent 1 dropped, neighbours joined.
fn merged(shape: &[usize], strides: &[isize]) -> (Vec<usize>, Vec<isize>) {
    let mut axes: Vec<(usize, isize)> = Vec::new();
    for (n, stride) in shape.iter().copied().zip(strides.iter().copied()) {
        match axes.last_mut() {
            _ if n == 1 => {}
            Some((last, over)) if *over == stride * n as isize => {
                (*last, *over) = (*last * n, stride);
            }
            _ => axes.push((n, stride)),
        }
    }
    axes.into_iter().unzip()
}

/// Steps through the offsets of a strided array, last axis fastest.
pub(super) struct Walk {
    shape: Vec<usize>,
    strides: Vec<isize>,
    at: Vec<usize>,
    offset: isize,
}

impl Walk {
    pub(super) fn new(shape: &[usize], strides: &[isize], offset: isize) -> Walk {
        Walk { shape: shape.to_vec(), strides: strides.to_vec(), at: vec![0; shape.len()], offset }
    }

    /// The offset here, then one step on; after the last it begins again.
    pub(super) fn next_offset(&mut self) -> isize {
        let here = self.offset;
        for axis in (0..self.shape.len()).rev() {
            self.at[axis] += 1;
            self.offset += self.strides[axis];
            if self.at[axis] < self.shape[axis] {
                break;
            }
            self.offset -= self.strides[axis] * self.shape[axis] as isize;
            self.at[axis] = 0;
        }
        here
    }
}

/// Joins two arrays that repeat to `shape`, value by value.
pub(super) fn zip(
    one: &Array,
    other: &Array,
    shape: &[usize],
    join: impl Fn(f64, f64) -> f64 + Sync,
) -> Vec<f64> {
    let n: usize = shape.iter().product();
    let mut into = vec![0.0; n];
    if n == 0 {
        return into;
    }
    if let ([only], true) = (other.values.as_slice(), one.values.len() == n) {
        let only = *only;
        return map(&one.values, |value| join(value, only));
    }
    if let ([only], true) = (one.values.as_slice(), other.values.len() == n) {
        let only = *only;
        return map(&other.values, |value| join(only, value));
    }
    let strides = (repeating(&one.shape, shape), repeating(&other.shape, shape));
    // The longest tail over which both are dense or both stand still in the same way.
    let mut first = shape.len();
    let mut n_inner = 1;
    let dense = |strides: &[isize], axis: usize, n_inner: usize| {
        shape[axis] == 1 || strides[axis] == n_inner as isize
    };
    let still = |strides: &[isize], axis: usize| shape[axis] == 1 || strides[axis] == 0;
    let mut kinds = ((true, true), (true, true));
    while first > 0 {
        let axis = first - 1;
        let next = (
            (kinds.0.0 && dense(&strides.0, axis, n_inner), kinds.0.1 && still(&strides.0, axis)),
            (kinds.1.0 && dense(&strides.1, axis, n_inner), kinds.1.1 && still(&strides.1, axis)),
        );
        if !(next.0.0 || next.0.1) || !(next.1.0 || next.1.1) {
            break;
        }
        (kinds, first, n_inner) = (next, axis, n_inner * shape[axis]);
    }
    if n_inner < 8 && n > 64 {
        let one = gather(&one.values, 0, shape, &strides.0);
        let other = gather(&other.values, 0, shape, &strides.1);
        fill(&mut into, |at, chunk| {
            for ((to, one), other) in chunk.iter_mut().zip(&one[at..]).zip(&other[at..]) {
                *to = join(*one, *other);
            }
        });
        return into;
    }
    if first == 0 {
        fill(&mut into, |at, chunk| {
            for (idx, to) in chunk.iter_mut().enumerate() {
                let one = one.values[if kinds.0.0 { at + idx } else { 0 }];
                let other = other.values[if kinds.1.0 { at + idx } else { 0 }];
                *to = join(one, other);
            }
        });
        return into;
    }
    let mut walks = (
        Walk::new(&shape[..first], &strides.0[..first], 0),
        Walk::new(&shape[..first], &strides.1[..first], 0),
    );
    for row in into.chunks_mut(n_inner) {
        let at = (walks.0.next_offset() as usize, walks.1.next_offset() as usize);
        match (kinds.0.0, kinds.1.0) {
            (true, true) => {
                let pairs = one.values[at.0..].iter().zip(&other.values[at.1..]);
                row.iter_mut().zip(pairs).for_each(|(to, (one, other))| *to = join(*one, *other));
            }
            (true, false) => {
                let other = other.values[at.1];
                let values = one.values[at.0..].iter();
                row.iter_mut().zip(values).for_each(|(to, one)| *to = join(*one, other));
            }
            (false, true) => {
                let one = one.values[at.0];
                let values = other.values[at.1..].iter();
                row.iter_mut().zip(values).for_each(|(to, other)| *to = join(one, *other));
            }
            (false, false) => row.fill(join(one.values[at.0], other.values[at.1])),
        }
    }
    into
}
