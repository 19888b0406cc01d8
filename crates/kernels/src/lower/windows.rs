//! What slides over space: convolutions and pools in one, two and three dimensions.
//!
//! The border is made by an array of its own, so that a schedule can store it once and read without
//! conditions. A transposed convolution of stride `s` is `s` ordinary ones per axis, one for each
//! remainder of the tap by `s`.

use super::call::Call;
use super::{Lowering, Outputs, add, div, load, mul, number};
use crate::error::Error;
use crate::graph::Dtype;
use crate::loops::{Affine, Binary, Expr, Fold, Rule, Within, common};

/// One spatial axis of a window.
#[derive(Debug, Clone, Copy)]
struct Window {
    extent: i64,
    size: i64,
    stride: i64,
    padding: i64,
    dilation: i64,
    n_out: i64,
}

impl Window {
    fn with_count(mut self, ceil: bool) -> Option<Self> {
        let room = self.extent + 2 * self.padding - self.dilation * (self.size - 1) - 1;
        if room < 0 || self.stride <= 0 || self.size <= 0 {
            return None;
        }
        self.n_out = room / self.stride + 1;
        // The last window has to begin inside the input or the border before it.
        if ceil && room % self.stride != 0 && self.n_out * self.stride < self.extent + self.padding
        {
            self.n_out += 1;
        }
        Some(self)
    }

    /// Elements after the input that windows reach.
    fn after(&self) -> i64 {
        let reach = (self.n_out - 1) * self.stride + (self.size - 1) * self.dilation + 1;
        reach - self.extent - self.padding
    }

    fn at(&self, out: usize, tap: usize) -> Affine {
        Affine::var(out).times(self.stride).plus(&Affine::var(tap).times(self.dilation))
    }
}

/// How the taps of a transposed convolution fall on one axis of its result.
#[derive(Debug, Clone, Copy)]
struct Phases {
    /// Greatest common divisor of stride and dilation: only its multiples are reached.
    common: i64,
    /// Stride in such steps: the number of phases.
    n: i64,
    /// Dilation in such steps.
    dilation: i64,
    /// What times the dilation leaves 1 by the number of phases.
    inverse: i64,
    /// What lies before is cut off, in strides.
    first: i64,
}

impl Phases {
    fn of(window: &Window) -> Self {
        let common = common(window.stride, window.dilation);
        let (n, dilation) = (window.stride / common, window.dilation / common);
        let inverse = (1..n).find(|each| each * dilation % n == 1).unwrap_or(1);
        Self { common, n, dilation, inverse, first: window.padding / window.stride }
    }
}

impl Lowering {
    /// Convolutions, grouped, dilated, transposed.
    pub(super) fn convolution(&mut self, call: &Call) -> Result<usize, Error> {
        let (input, weight) = (call.tensor("input")?, call.tensor("weight")?);
        let (shape, kernel) = (self.shape(input), self.shape(weight));
        let n_axes = kernel.len().saturating_sub(2);
        if shape.len() != n_axes + 2 || n_axes == 0 {
            return Err(call.refuse("its ranks do not fit"));
        }
        let stride = call.per_axis("stride", n_axes, 1)?;
        let padding = call.per_axis("padding", n_axes, 0)?;
        let dilation = call.per_axis("dilation", n_axes, 1)?;
        let groups = call.int("groups", Some(1))?;
        let transposed = call.bool("transposed", false)?;
        let windows: Vec<Window> = (0..n_axes)
            .map(|axis| Window {
                extent: shape[axis + 2] as i64,
                size: kernel[axis + 2] as i64,
                stride: stride[axis],
                padding: padding[axis],
                dilation: dilation[axis],
                n_out: 0,
            })
            .collect();
        let per_group = if transposed { kernel[0] } else { kernel[1] * groups.max(1) as usize };
        if groups < 1 || per_group != shape[1] || kernel[0] as i64 % groups != 0 {
            return Err(call.refuse("its channels and groups do not fit"));
        }
        let result = if transposed {
            let more = call.per_axis("output_padding", n_axes, 0)?;
            self.transposed_convolution((input, weight), &windows, groups as usize, &more, call)?
        } else {
            let windows: Option<Vec<_>> =
                windows.into_iter().map(|window| window.with_count(false)).collect();
            let windows =
                windows.ok_or_else(|| call.refuse("its window is larger than the input"))?;
            self.plain_convolution((input, weight), &windows, groups as usize)
        };
        let Some(bias) = call.optional("bias")? else { return Ok(result) };
        let shape = self.shape(result);
        let expr = add(self.broadcast(result, &shape), load(bias, vec![Affine::var(1)]));
        Ok(self.map(Dtype::F32, shape, expr))
    }

    fn plain_convolution(
        &mut self,
        (input, weight): (usize, usize),
        windows: &[Window],
        groups: usize,
    ) -> usize {
        let (shape, kernel) = (self.shape(input), self.shape(weight));
        let mut border = vec![(0, 0); 2];
        // What the last window does not reach may stay: only what lies outside is added.
        border.extend(windows.iter().map(|each| (each.padding, each.after().max(0))));
        let padded = self.pad(input, &border, 0.0);
        let per_group = kernel[0] / groups;
        // Groups are an axis of their own: batch, group, channel in it, positions; then folded:
        // input channel in the group, taps.
        let mut result = vec![shape[0], groups, per_group];
        result.extend(windows.iter().map(|each| each.n_out as usize));
        let rank = result.len();
        let mut over = vec![kernel[1]];
        over.extend(&kernel[2..]);
        let channel = |group: &Affine, n: usize, at: usize| {
            if groups == 1 { Affine::var(at) } else { group.times(n as i64).plus(&Affine::var(at)) }
        };
        let group = Affine::var(1);
        let mut at_input = vec![Affine::var(0), channel(&group, kernel[1], rank)];
        let mut at_weight = vec![channel(&group, per_group, 2), Affine::var(rank)];
        for (axis, window) in windows.iter().enumerate() {
            at_input.push(window.at(3 + axis, rank + 1 + axis));
            at_weight.push(Affine::var(rank + 1 + axis));
        }
        let body = mul(load(weight, at_weight), load(padded, at_input));
        let rule = Rule::Reduce { fold: Fold::Sum, over, body, finish: Expr::Folded };
        let sum = self.define(Dtype::F32, result, rule);
        let mut merged = vec![shape[0], kernel[0]];
        merged.extend(windows.iter().map(|each| each.n_out as usize));
        self.reshape(sum, merged)
    }

    /// Position `p` gathers input `i` by tap `k` where `i * stride + k * dilation` is `p + padding`.
    /// Divided by what stride and dilation have in common, `i * s + k * d = u`: every `s`-th tap
    /// gathers at the same positions, and the rest of the tap by `s` is the phase, of which no more
    /// are kept than have taps. Elsewhere the result is nothing.
    fn transposed_convolution(
        &mut self,
        (input, weight): (usize, usize),
        windows: &[Window],
        groups: usize,
        more: &[i64],
        call: &Call,
    ) -> Result<usize, Error> {
        let (shape, kernel) = (self.shape(input), self.shape(weight));
        let per_group = kernel[1];
        let mut merged = vec![shape[0], groups * per_group];
        let mut result = vec![shape[0], groups, per_group];
        let mut over = vec![kernel[0] / groups];
        let mut phases = Vec::new();
        for (window, more) in windows.iter().zip(more) {
            if window.stride <= 0 || window.dilation <= 0 || window.size <= 0 {
                return Err(call.refuse("its steps and sizes have to be positive"));
            }
            let reach = window.dilation * (window.size - 1) + 1;
            let n = (window.extent - 1) * window.stride - 2 * window.padding + reach + more;
            if n <= 0 {
                return Err(call.refuse("its output is empty"));
            }
            let phase = Phases::of(window);
            merged.push(n as usize);
            result.push(phase.n.min(window.size) as usize);
            result.push(((n - 1 + window.padding) / window.stride - phase.first + 1) as usize);
            over.push(((window.size + phase.n - 1) / phase.n) as usize);
            phases.push(phase);
        }
        let rank = result.len();
        let extents: Vec<usize> = result.iter().chain(&over).copied().collect();
        let group = Affine::var(1);
        let channel = |n: usize, at: usize| {
            if groups == 1 { Affine::var(at) } else { group.times(n as i64).plus(&Affine::var(at)) }
        };
        let at_input_channel = channel(kernel[0] / groups, rank);
        let mut at_weight = vec![at_input_channel.clone(), Affine::var(2)];
        let mut at_input = vec![Affine::var(0), at_input_channel];
        let mut border = vec![(0, 0); 2];
        let mut within = Vec::new();
        for (axis, (window, phase)) in windows.iter().zip(&phases).enumerate() {
            let (rest, q, t) = (
                Affine::var(3 + 2 * axis),
                Affine::var(4 + 2 * axis),
                Affine::var(rank + 1 + axis),
            );
            // k = s t + rest, u = s q + (rest d mod s), i = (u - k d) / s.
            let tap = t.times(phase.n).plus(&rest);
            within.push(Within { index: tap.clone(), low: 0, high: window.size });
            at_weight.push(tap);
            let back = rest.times(phase.dilation).divided(phase.n, &extents);
            let from = q.offset(phase.first).plus(&back.plus(&t.times(phase.dilation)).times(-1));
            let (low, high) = from.range(&extents).expect("made of variables");
            let before = (-low).max(0);
            border.push((before, (high + 1 - window.extent).max(0)));
            at_input.push(from.offset(before));
        }
        let padded = self.pad(input, &border, 0.0);
        let taps = Expr::conditional(within, load(weight, at_weight), number(0.0), &extents);
        let body = mul(taps, load(padded, at_input));
        let rule = Rule::Reduce { fold: Fold::Sum, over, body, finish: Expr::Folded };
        let sum = self.define(Dtype::F32, result, rule);
        // Put the phases next to each other again.
        let mut places = vec![Affine::var(0)];
        places.push(Affine::var(1).divided(per_group as i64, &merged));
        places.push(Affine::var(1).remainder(per_group as i64, &merged));
        let mut within = Vec::new();
        for (axis, (window, phase)) in windows.iter().zip(&phases).enumerate() {
            let lifted = Affine::var(2 + axis).offset(window.padding);
            let index = lifted.remainder(phase.common, &merged);
            within.push(Within { index, low: 0, high: 1 });
            let at = lifted.divided(phase.common, &merged);
            let rest = at.times(phase.inverse).remainder(phase.n, &merged);
            within.push(Within { index: rest.clone(), low: 0, high: window.size });
            places.extend([rest, at.divided(phase.n, &merged).offset(-phase.first)]);
        }
        let expr = Expr::conditional(within, load(sum, places), number(0.0), &merged);
        Ok(self.map(Dtype::F32, merged, expr))
    }

    /// Largest or mean of windows.
    pub(super) fn pool(&mut self, call: &Call) -> Result<Outputs, Error> {
        let source = call.tensor("self")?;
        let shape = self.shape(source);
        let n_axes = match call.name().as_bytes()[8] {
            b'1' => 1,
            b'2' => 2,
            _ => 3,
        };
        let Some(lead) = shape.len().checked_sub(n_axes) else {
            return Err(call.refuse("its input has too few axes"));
        };
        let size = call.per_axis("kernel_size", n_axes, 1)?;
        let stride = call.per_axis("stride", n_axes, 0)?;
        let padding = call.per_axis("padding", n_axes, 0)?;
        let dilation = call.per_axis("dilation", n_axes, 1)?;
        let ceil = call.bool("ceil_mode", false)?;
        let windows: Option<Vec<Window>> = (0..n_axes)
            .map(|axis| {
                let window = Window {
                    extent: shape[lead + axis] as i64,
                    size: size[axis],
                    stride: if stride[axis] == 0 { size[axis] } else { stride[axis] },
                    padding: padding[axis],
                    dilation: dilation[axis],
                    n_out: 0,
                };
                window.with_count(ceil)
            })
            .collect();
        let windows = windows.ok_or_else(|| call.refuse("its window is larger than the input"))?;
        if call.name().starts_with("max") {
            let wants_index = call.node.outputs.get(1).is_some_and(|each| !each.name.is_empty());
            let best = self.windowed(source, &windows, Fold::Max, &Expr::Folded);
            let at = wants_index.then(|| self.largest_at(source, best, &windows));
            return Ok(vec![Some(best), at]);
        }
        let count_padding = call.bool("count_include_pad", true)?;
        let divisor = call.int("divisor_override", Some(0))?;
        let finish = if divisor != 0 {
            div(Expr::Folded, number(divisor as f64))
        } else {
            let counts = windows.iter().enumerate().map(|(axis, window)| {
                let at = Affine::var(lead + axis);
                let begin = at.times(window.stride).offset(-window.padding);
                let reach = window.extent + if count_padding { window.padding } else { 0 };
                let low = if count_padding { -window.padding } else { 0 };
                let clipped =
                    |expr: Expr, function, bound: i64| expr.binary(function, number(bound as f64));
                let from = clipped(Expr::Index(begin.clone()), Binary::Max, low);
                let to = clipped(Expr::Index(begin.offset(window.size)), Binary::Min, reach);
                let always = (window.n_out - 1) * window.stride - window.padding + window.size;
                if (count_padding || window.padding == 0) && always <= reach {
                    number(window.size as f64)
                } else {
                    to.binary(Binary::Sub, from)
                }
            });
            let count = counts.reduce(mul).unwrap_or_else(|| number(1.0));
            div(Expr::Folded, count)
        };
        Ok(vec![Some(self.windowed(source, &windows, Fold::Sum, &finish))])
    }

    fn windowed(&mut self, source: usize, windows: &[Window], fold: Fold, finish: &Expr) -> usize {
        let shape = self.shape(source);
        let lead = shape.len() - windows.len();
        let mut border = vec![(0, 0); lead];
        border.extend(windows.iter().map(|each| (each.padding, each.after().max(0))));
        let padded = self.pad(source, &border, fold.start());
        let mut result = shape[..lead].to_vec();
        result.extend(windows.iter().map(|each| each.n_out as usize));
        let rank = result.len();
        let mut index: Vec<Affine> = (0..lead).map(Affine::var).collect();
        index.extend(
            windows.iter().enumerate().map(|(axis, each)| each.at(lead + axis, rank + axis)),
        );
        let over = windows.iter().map(|each| each.size as usize).collect();
        let dtype = self.program.dtype(source);
        let rule = Rule::Reduce { fold, over, body: load(padded, index), finish: finish.clone() };
        self.define(dtype, result, rule)
    }

    /// Flat position in the input's plane of the first element that is the largest of its window.
    fn largest_at(&mut self, source: usize, best: usize, windows: &[Window]) -> usize {
        let shape = self.shape(source);
        let lead = shape.len() - windows.len();
        let result = self.shape(best);
        let rank = result.len();
        let plane: i64 = windows.iter().map(|each| each.extent).product();
        let mut index: Vec<Affine> = (0..lead).map(Affine::var).collect();
        let (mut within, mut flat) = (Vec::new(), Affine::default());
        for (axis, window) in windows.iter().enumerate() {
            let at = window.at(lead + axis, rank + axis).offset(-window.padding);
            within.push(Within { index: at.clone(), low: 0, high: window.extent });
            flat = flat.times(window.extent).plus(&at);
            index.push(at);
        }
        let over: Vec<usize> = windows.iter().map(|each| each.size as usize).collect();
        let extents: Vec<usize> = result.iter().chain(&over).copied().collect();
        let best = load(best, (0..rank).map(Affine::var).collect());
        let found = load(source, index).binary(Binary::Equal, best);
        let position = found.select(Expr::Index(flat), number(plane as f64));
        let body = Expr::conditional(within, position, number(plane as f64), &extents);
        let finish = Expr::Folded.unary(crate::loops::Unary::Long);
        self.define(Dtype::I64, result, Rule::Reduce { fold: Fold::Min, over, body, finish })
    }

    /// Means of windows that divide the input into a given number of parts.
    pub(super) fn adaptive_pool(&mut self, call: &Call) -> Result<usize, Error> {
        let source = call.tensor("self")?;
        let shape = self.shape(source);
        let parts = call.ints("output_size")?;
        let Some(lead) = shape.len().checked_sub(parts.len()) else {
            return Err(call.refuse("its input has too few axes"));
        };
        let windows: Option<Vec<Window>> = parts
            .iter()
            .enumerate()
            .map(|(axis, &n)| {
                let extent = shape[lead + axis] as i64;
                let size = (n > 0 && extent % n == 0).then(|| extent / n)?;
                let window =
                    Window { extent, size, stride: size, padding: 0, dilation: 1, n_out: 0 };
                window.with_count(false)
            })
            .collect();
        let windows = windows.ok_or_else(|| call.refuse("its parts are of unequal size"))?;
        let n: i64 = windows.iter().map(|each| each.size).product();
        let finish = div(Expr::Folded, number(n as f64));
        Ok(self.windowed(source, &windows, Fold::Sum, &finish))
    }
}
