//! Convolutions over one to three axes, also transposed, as products with unfolded input.

use crate::Error;
use crate::oracle::Array;
use crate::oracle::array::update;
use crate::oracle::call::{Call, Computed};
use crate::oracle::gemm::{Matrix, multiply};

/// Elements of unfolded input at one time.
const UNFOLDED: usize = 1 << 20;

/// A convolution over three axes; missing ones have extent 1.
struct Plan {
    groups: usize,
    input: [usize; 3],
    output: [usize; 3],
    kernel: [usize; 3],
    stride: [usize; 3],
    padding: [usize; 3],
    dilation: [usize; 3],
}

pub(super) fn compute(call: &Call<'_>) -> Computed {
    let (spatial, plain) = match call.name {
        "convolution" | "_convolution" => (None, false),
        "conv1d" => (Some(1), true),
        "conv2d" => (Some(2), true),
        "conv3d" => (Some(3), true),
        _ => return Ok(None),
    };
    let (array, weight) = (call.array("input")?, call.array("weight")?);
    let n = weight.n_dims().saturating_sub(2);
    if !(1..=3).contains(&n) || spatial.is_some_and(|spatial| spatial != n) {
        return Err(call.refuse(format!("a weight of {:?}", weight.shape)));
    }
    // PyTorch takes one sample without a batch, too.
    let single_sample = array.n_dims() == n + 1;
    let mut shape = array.shape.clone();
    if single_sample {
        shape.insert(0, 1);
    }
    if shape.len() != n + 2 {
        return Err(call.refuse(format!("{:?} by {:?}", array.shape, weight.shape)));
    }
    let transposed = !plain && call.flag("transposed", false)?;
    let three = |name, default: usize| -> Result<[usize; 3], Error> {
        let given = call.extents_of(name, n, &vec![default; n])?;
        Ok(spread(&given, default))
    };
    let (stride, dilation) = (three("stride", 1)?, three("dilation", 1)?);
    let (padding, extra) = (three("padding", 0)?, three("output_padding", 0)?);
    let groups = usize::try_from(call.int("groups", Some(1))?).unwrap_or(0);
    let (batch, channels) = (shape[0], shape[1]);
    let divides = |n: usize| groups > 0 && n.is_multiple_of(groups);
    let fits = if transposed {
        weight.shape[0] == channels && divides(channels)
    } else {
        divides(weight.shape[0]) && divides(channels) && weight.shape[1] == channels / groups
    };
    let usable = stride.iter().chain(&dilation).all(|step| *step > 0)
        && weight.shape[2..].iter().all(|n| *n > 0);
    if !fits || !usable {
        let reason = format!("{:?} by {:?} in {groups} groups", array.shape, weight.shape);
        return Err(call.refuse(reason));
    }
    let n_out = if transposed { weight.shape[1] * groups } else { weight.shape[0] };
    let input = spread(&shape[2..], 1);
    let kernel = spread(&weight.shape[2..], 1);
    let mut output = [0; 3];
    for axis in 0..3 {
        let reach = dilation[axis] * (kernel[axis] - 1) + 1;
        let extent = if transposed {
            (input[axis].saturating_sub(1) * stride[axis] + reach + extra[axis])
                .checked_sub(2 * padding[axis])
        } else {
            (input[axis] + 2 * padding[axis]).checked_sub(reach).map(|n| n / stride[axis] + 1)
        };
        output[axis] = extent.ok_or_else(|| call.refuse("a kernel larger than its input"))?;
    }
    let mut result = vec![batch, n_out];
    result.extend(&output[3 - n..]);
    if single_sample {
        result.remove(0);
    }
    call.expect_shape(0, &result)?;
    let plan = Plan { groups, input, output, kernel, stride, padding, dilation };
    let mut values = if transposed {
        plan.backward(call, array, weight, (batch, channels, n_out))
    } else {
        plan.forward(call, array, weight, (batch, channels, n_out))
    };
    if let Some(bias) = call.maybe_array("bias")? {
        if bias.values.len() != n_out {
            return Err(call.refuse(format!("a bias of {:?}", bias.shape)));
        }
        let n_inner = output.iter().product::<usize>().max(1);
        for (idx, plane) in values.chunks_mut(n_inner).enumerate() {
            let bias = bias.values[idx % n_out];
            let single = call.single();
            update(
                plane,
                |value| if single { f64::from(value as f32) + bias } else { value + bias },
            );
        }
    }
    Ok(Some(vec![Array::new(result, values)]))
}

/// The last of three axes; those before have `rest`, padding of them none.
fn spread(given: &[usize], rest: usize) -> [usize; 3] {
    let mut three = [rest; 3];
    three[3 - given.len()..].copy_from_slice(given);
    three
}

impl Plan {
    fn n_taps(&self) -> usize {
        self.kernel.iter().product()
    }

    /// Where a tap of a place on the wide side lies, if it is not in the padding.
    fn reach(&self, axis: usize, at: usize, tap: usize, extent: usize) -> Option<usize> {
        let place = at * self.stride[axis] + tap * self.dilation[axis];
        place.checked_sub(self.padding[axis]).filter(|place| *place < extent)
    }

    /// For each row of places along the last axis in `rows` (of `narrow`), and each tap: which row
    /// of the `wide` side it meets; and the tap's index.
    fn meet(
        &self,
        rows: std::ops::Range<usize>,
        narrow: [usize; 3],
        wide: [usize; 3],
        mut found: impl FnMut(usize, usize, Option<usize>, usize),
    ) {
        for (idx, row) in rows.enumerate() {
            let (z, y) = (row / narrow[1], row % narrow[1]);
            for tap_z in 0..self.kernel[0] {
                let from_z = self.reach(0, z, tap_z, wide[0]);
                for tap_y in 0..self.kernel[1] {
                    let from_y = self.reach(1, y, tap_y, wide[1]);
                    let from = from_z.zip(from_y).map(|(z, y)| (z * wide[1] + y) * wide[2]);
                    for tap_x in 0..self.kernel[2] {
                        let tap = (tap_z * self.kernel[1] + tap_y) * self.kernel[2] + tap_x;
                        found(idx, tap, from, tap_x);
                    }
                }
            }
        }
    }

    /// The places along the last axis whose tap is not in the padding.
    fn valid(&self, tap: usize, n: usize, wide: usize) -> std::ops::Range<usize> {
        let (stride, shift) = (self.stride[2], tap * self.dilation[2]);
        let first = self.padding[2].saturating_sub(shift).div_ceil(stride).min(n);
        let end = (wide + self.padding[2]).saturating_sub(shift).div_ceil(stride).min(n);
        first..end.max(first)
    }

    fn rows_at_once(&self, n_channels: usize, width: usize) -> usize {
        (UNFOLDED / (n_channels * self.n_taps() * width).max(1)).max(1)
    }

    fn forward(
        &self,
        call: &Call<'_>,
        array: &Array,
        weight: &Array,
        (batch, channels, n_out): (usize, usize, usize),
    ) -> Vec<f64> {
        let (n_in, n_places) =
            (self.input.iter().product::<usize>(), self.output.iter().product::<usize>());
        let (per_group, out_per_group) = (channels / self.groups, n_out / self.groups);
        let depth = per_group * self.n_taps();
        let width = self.output[2];
        let n_rows = self.output[0] * self.output[1];
        let at_once = self.rows_at_once(per_group, width).min(n_rows.max(1));
        let mut values = vec![0.0; batch * n_out * n_places];
        let mut unfolded = Vec::new();
        let mut sums = Vec::new();
        for sample in 0..batch {
            for group in 0..self.groups {
                let weights =
                    &weight.values[group * out_per_group * depth..][..out_per_group * depth];
                for first in (0..n_rows).step_by(at_once) {
                    let rows = first..n_rows.min(first + at_once);
                    let n = rows.len() * width;
                    unfolded.clear();
                    unfolded.resize(depth * n, 0.0);
                    for channel in 0..per_group {
                        let plane = (sample * channels + group * per_group + channel) * n_in;
                        let plane = &array.values[plane..plane + n_in];
                        self.meet(
                            rows.clone(),
                            self.output,
                            self.input,
                            |row, tap, from, tap_x| {
                                let Some(from) = from else { return };
                                let to = (channel * self.n_taps() + tap) * n + row * width;
                                let valid = self.valid(tap_x, width, self.input[2]);
                                if valid.is_empty() {
                                    return;
                                }
                                let start =
                                    from + valid.start * self.stride[2] + tap_x * self.dilation[2]
                                        - self.padding[2];
                                let to = &mut unfolded[to + valid.start..to + valid.end];
                                if self.stride[2] == 1 {
                                    to.copy_from_slice(&plane[start..start + to.len()]);
                                } else {
                                    let from = plane[start..].iter().step_by(self.stride[2]);
                                    to.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
                                }
                            },
                        );
                    }
                    sums.clear();
                    sums.resize(out_per_group * n, 0.0);
                    multiply(
                        (out_per_group, depth, n),
                        Matrix::dense(weights, depth),
                        Matrix::dense(&unfolded, n),
                        &mut sums,
                        call.single(),
                    );
                    for (channel, sums) in sums.chunks(n.max(1)).enumerate() {
                        let plane = sample * n_out + group * out_per_group + channel;
                        let at = plane * n_places + rows.start * width;
                        values[at..at + n].copy_from_slice(sums);
                    }
                }
            }
        }
        values
    }

    /// The transposed one: every input place adds to the places its taps meet.
    fn backward(
        &self,
        call: &Call<'_>,
        array: &Array,
        weight: &Array,
        (batch, channels, n_out): (usize, usize, usize),
    ) -> Vec<f64> {
        let (n_in, n_places) =
            (self.input.iter().product::<usize>(), self.output.iter().product::<usize>());
        let (per_group, out_per_group) = (channels / self.groups, n_out / self.groups);
        let depth = out_per_group * self.n_taps();
        let width = self.input[2];
        let n_rows = self.input[0] * self.input[1];
        let at_once = self.rows_at_once(out_per_group, width).min(n_rows.max(1));
        let mut values = vec![0.0; batch * n_out * n_places];
        let mut taken = Vec::new();
        let mut spread = Vec::new();
        for sample in 0..batch {
            for group in 0..self.groups {
                let weights = &weight.values[group * per_group * depth..][..per_group * depth];
                for first in (0..n_rows).step_by(at_once) {
                    let rows = first..n_rows.min(first + at_once);
                    let n = rows.len() * width;
                    taken.clear();
                    for channel in 0..per_group {
                        let plane = (sample * channels + group * per_group + channel) * n_in;
                        let at = plane + rows.start * width;
                        taken.extend_from_slice(&array.values[at..at + n]);
                    }
                    spread.clear();
                    spread.resize(depth * n, 0.0);
                    multiply(
                        (depth, per_group, n),
                        Matrix::dense(weights, depth).transposed(),
                        Matrix::dense(&taken, n),
                        &mut spread,
                        call.single(),
                    );
                    for channel in 0..out_per_group {
                        let plane = (sample * n_out + group * out_per_group + channel) * n_places;
                        let plane = &mut values[plane..plane + n_places];
                        self.meet(rows.clone(), self.input, self.output, |row, tap, to, tap_x| {
                            let Some(to) = to else { return };
                            let from = (channel * self.n_taps() + tap) * n + row * width;
                            let valid = self.valid(tap_x, width, self.output[2]);
                            if valid.is_empty() {
                                return;
                            }
                            let start =
                                to + valid.start * self.stride[2] + tap_x * self.dilation[2]
                                    - self.padding[2];
                            let from = &spread[from + valid.start..from + valid.end];
                            let to = plane[start..].iter_mut().step_by(self.stride[2]);
                            for (to, from) in to.zip(from) {
                                *to = call.round(*to + from);
                            }
                        });
                    }
                }
            }
        }
        values
    }
}
