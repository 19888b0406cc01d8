//! The same elements elsewhere: views, copies of parts, and arrays made from nothing.

use super::call::Call;
use super::{Lowering, Outputs, load, number, vars};
use crate::error::Error;
use crate::graph::Dtype;
use crate::loops::{Affine, Binary, Expr, Within, strides};

impl Lowering {
    /// The operation, if it is one of these.
    pub(super) fn view(&mut self, call: &Call) -> Result<Option<Outputs>, Error> {
        let source = match call.name() {
            "view" | "reshape" | "_unsafe_view" | "unsqueeze" | "squeeze" | "flatten"
            | "unflatten" => self.reshaped(call)?,
            "permute" | "transpose" | "t" | "numpy_T" => self.permuted(call)?,
            "expand" => self.expanded(call)?,
            "slice" | "narrow" => self.sliced(call)?,
            "select" => self.selected(call)?,
            "flip" => self.flipped(call)?,
            "roll" => self.rolled(call)?,
            "as_strided" => self.as_strided(call)?,
            "unfold" => self.unfolded(call)?,
            "cat" => self.concatenated(call)?,
            "constant_pad_nd" => self.padded_by_argument(call)?,
            "split_with_sizes" | "split" | "unbind" => return self.split(call).map(Some),
            "index_select" | "embedding" => self.index_select(call)?,
            "gather" => self.gather(call)?,
            "index" => self.indexed(call)?,
            "full" | "full_like" | "scalar_tensor" | "zeros" | "zeros_like" | "ones"
            | "ones_like" | "arange" => self.made(call)?,
            "_assert_tensor_metadata" | "_assert_async" => return Ok(Some(Vec::new())),
            _ => return Ok(None),
        };
        Ok(Some(vec![Some(source)]))
    }

    fn copy(&mut self, source: usize, shape: Vec<usize>, index: Vec<Affine>) -> usize {
        let dtype = self.program.dtype(source);
        self.map(dtype, shape, load(source, index))
    }

    /// `source` in row-major order as an array of `shape`.
    pub(super) fn reshape(&mut self, source: usize, shape: Vec<usize>) -> usize {
        let own = self.shape(source);
        if own == shape {
            return source;
        }
        let flat = strides(&shape).iter().enumerate().fold(Affine::default(), |sum, (axis, by)| {
            if shape[axis] == 1 { sum } else { sum.plus(&Affine::var(axis).times(*by)) }
        });
        let index = delinearize(&flat, &own, &shape);
        self.copy(source, shape, index)
    }

    fn reshaped(&mut self, call: &Call) -> Result<usize, Error> {
        let source = call.tensor("self")?;
        let shape = call.node.outputs.first().map(|each| each.shape.clone());
        let shape = shape.ok_or_else(|| call.refuse("it has no output"))?;
        if shape.iter().product::<usize>() != self.shape(source).iter().product::<usize>() {
            return Err(call.refuse("it changes the number of elements"));
        }
        Ok(self.reshape(source, shape))
    }

    fn permuted(&mut self, call: &Call) -> Result<usize, Error> {
        let source = call.tensor("self")?;
        let own = self.shape(source);
        let rank = own.len();
        let dims: Vec<usize> = match call.name() {
            "permute" => {
                let dims = call.ints("dims")?;
                dims.iter().map(|&axis| call.own_axis(axis, rank)).collect::<Result<_, _>>()?
            }
            "transpose" => {
                let one = call.own_axis(call.int("dim0", None)?, rank)?;
                let other = call.own_axis(call.int("dim1", None)?, rank)?;
                let mut dims: Vec<usize> = (0..rank).collect();
                dims.swap(one, other);
                dims
            }
            _ => (0..rank).rev().collect(),
        };
        let mut seen = dims.clone();
        seen.sort_unstable();
        if seen != (0..rank).collect::<Vec<_>>() {
            return Err(call.refuse("its axes are no permutation"));
        }
        let mut index = vec![Affine::default(); rank];
        for (axis, &from) in dims.iter().enumerate() {
            index[from] = Affine::var(axis);
        }
        let shape = dims.iter().map(|&axis| own[axis]).collect();
        Ok(self.copy(source, shape, index))
    }

    fn expanded(&mut self, call: &Call) -> Result<usize, Error> {
        let source = call.tensor("self")?;
        let shape = call.node.outputs.first().map(|each| each.shape.clone());
        let shape = shape.ok_or_else(|| call.refuse("it has no output"))?;
        if Self::common(&shape, self.program.shape(source)).as_ref() != Some(&shape) {
            return Err(call.refuse("its shapes do not fit"));
        }
        let expr = self.broadcast(source, &shape);
        let dtype = self.program.dtype(source);
        Ok(self.map(dtype, shape, expr))
    }

    fn sliced(&mut self, call: &Call) -> Result<usize, Error> {
        let source = call.tensor("self")?;
        let mut shape = self.shape(source);
        let axis = call.own_axis(call.int("dim", Some(0))?, shape.len())?;
        let extent = shape[axis] as i64;
        let wrap = |at: i64| (if at < 0 { at + extent } else { at }).clamp(0, extent);
        let start = wrap(call.int("start", Some(0))?);
        let end = match call.name() {
            "narrow" => start + call.int("length", None)?,
            _ => wrap(call.int("end", Some(i64::MAX))?),
        };
        let step = call.int("step", Some(1))?.max(1);
        shape[axis] = usize::try_from((end - start + step - 1) / step).unwrap_or(0);
        let mut index = vars(shape.len());
        index[axis] = index[axis].times(step).offset(start);
        Ok(self.copy(source, shape, index))
    }

    fn selected(&mut self, call: &Call) -> Result<usize, Error> {
        let source = call.tensor("self")?;
        let mut shape = self.shape(source);
        let axis = call.own_axis(call.int("dim", None)?, shape.len())?;
        let at = call.int("index", None)?;
        let at = if at < 0 { at + shape[axis] as i64 } else { at };
        shape.remove(axis);
        let mut index = vars(shape.len());
        index.insert(axis, Affine::constant(at));
        Ok(self.copy(source, shape, index))
    }

    fn flipped(&mut self, call: &Call) -> Result<usize, Error> {
        let source = call.tensor("self")?;
        let shape = self.shape(source);
        let mut index = vars(shape.len());
        for axis in call.axes("dims", shape.len())? {
            index[axis] = index[axis].times(-1).offset(shape[axis] as i64 - 1);
        }
        Ok(self.copy(source, shape, index))
    }

    fn rolled(&mut self, call: &Call) -> Result<usize, Error> {
        let source = call.tensor("self")?;
        let shape = self.shape(source);
        let mut index = vars(shape.len());
        for (dim, shift) in call.ints("dims")?.into_iter().zip(call.ints("shifts")?) {
            let axis = call.own_axis(dim, shape.len())?;
            let extent = shape[axis].max(1) as i64;
            let from = index[axis].offset((-shift).rem_euclid(extent));
            index[axis] = from.remainder(extent, &shape);
        }
        Ok(self.copy(source, shape, index))
    }

    fn as_strided(&mut self, call: &Call) -> Result<usize, Error> {
        let source = call.tensor("self")?;
        let shape: Vec<usize> = call.ints("size")?.iter().map(|&extent| extent as usize).collect();
        let by = call.ints("stride")?;
        let mut flat = Affine::constant(call.int("storage_offset", Some(0))?);
        for (axis, by) in by.iter().enumerate() {
            flat = flat.plus(&Affine::var(axis).times(*by));
        }
        let own = self.shape(source);
        let n = own.iter().product::<usize>() as i64;
        match flat.range(&shape) {
            Some((low, high)) if low >= 0 && high < n => {}
            _ => return Err(call.refuse("it reaches outside the array")),
        }
        let index = delinearize(&flat, &own, &shape);
        Ok(self.copy(source, shape, index))
    }

    fn unfolded(&mut self, call: &Call) -> Result<usize, Error> {
        let source = call.tensor("self")?;
        let mut shape = self.shape(source);
        let axis = call.own_axis(call.int("dimension", None)?, shape.len())?;
        let (size, step) = (call.int("size", None)?, call.int("step", None)?.max(1));
        let n_windows = (shape[axis] as i64 - size) / step + 1;
        shape[axis] = usize::try_from(n_windows).unwrap_or(0);
        let mut index = vars(shape.len());
        index[axis] = index[axis].times(step).plus(&Affine::var(shape.len()));
        shape.push(size as usize);
        Ok(self.copy(source, shape, index))
    }

    fn concatenated(&mut self, call: &Call) -> Result<usize, Error> {
        let sources = call.tensors("tensors")?;
        let sources: Vec<usize> =
            sources.into_iter().filter(|&each| self.program.shape(each) != [0]).collect();
        let first = *sources.first().ok_or_else(|| call.refuse("it has nothing to join"))?;
        let mut shape = self.shape(first);
        let axis = call.own_axis(call.int("dim", Some(0))?, shape.len())?;
        shape[axis] = sources.iter().map(|&each| self.program.shape(each)[axis]).sum();
        let mut end = shape[axis] as i64;
        let mut expr: Option<Expr> = None;
        // From the last, so that each is read only where none before it holds.
        for &source in sources.iter().rev() {
            let start = end - self.program.shape(source)[axis] as i64;
            let mut index = vars(shape.len());
            index[axis] = index[axis].offset(-start);
            let own = load(source, index);
            expr = Some(match expr {
                None => own,
                Some(rest) => {
                    let within = Within { index: Affine::var(axis), low: start, high: end };
                    let inside = vec![Within { low: i64::MIN, ..within }];
                    Expr::If(inside, Box::new(own), Box::new(rest))
                }
            });
            end = start;
        }
        let dtype = self.program.dtype(first);
        Ok(self.map(dtype, shape, expr.unwrap_or_else(|| number(0.0))))
    }

    fn split(&mut self, call: &Call) -> Result<Outputs, Error> {
        let source = call.tensor("self")?;
        let own = self.shape(source);
        let axis = call.own_axis(call.int("dim", Some(0))?, own.len())?;
        let mut start = 0;
        let mut outputs = Vec::new();
        for output in &call.node.outputs {
            let shape = output.shape.clone();
            let mut index = vars(shape.len());
            if call.name() == "unbind" {
                index.insert(axis, Affine::constant(start));
                start += 1;
            } else {
                let extent = *shape.get(axis).ok_or_else(|| call.refuse("it loses an axis"))?;
                index[axis] = index[axis].offset(start);
                start += extent as i64;
            }
            outputs.push(Some(self.copy(source, shape, index)));
        }
        if start > own[axis] as i64 {
            return Err(call.refuse("its parts are larger than the whole"));
        }
        Ok(outputs)
    }

    /// `source` with a border of `value`, by elements before and after each axis. A negative border
    /// takes away.
    pub(super) fn pad(&mut self, source: usize, border: &[(i64, i64)], value: f64) -> usize {
        let own = self.shape(source);
        if border.iter().all(|&each| each == (0, 0)) {
            return source;
        }
        let shape: Vec<usize> = own
            .iter()
            .zip(border)
            .map(|(&extent, (before, after))| (extent as i64 + before + after).max(0) as usize)
            .collect();
        let index: Vec<Affine> = border
            .iter()
            .enumerate()
            .map(|(axis, (before, _))| Affine::var(axis).offset(-before))
            .collect();
        let within = index.iter().zip(&own);
        let within =
            within.map(|(index, &high)| Within { index: index.clone(), low: 0, high: high as i64 });
        let expr =
            Expr::conditional(within.collect(), load(source, index.clone()), number(value), &shape);
        let dtype = self.program.dtype(source);
        self.map(dtype, shape, expr)
    }

    fn padded_by_argument(&mut self, call: &Call) -> Result<usize, Error> {
        let source = call.tensor("self")?;
        let rank = self.shape(source).len();
        let mut border = vec![(0, 0); rank];
        // From the last axis.
        for (pair, axis) in call.ints("pad")?.chunks(2).zip((0..rank).rev()) {
            border[axis] = (pair[0], pair.get(1).copied().unwrap_or(0));
        }
        Ok(self.pad(source, &border, call.float("value", Some(0.0))?))
    }

    /// A position read from an integer array; negative ones count from the end.
    fn position(&self, indices: usize, at: Vec<Affine>, extent: usize) -> Affine {
        let value = load(indices, at);
        let wrapped = value.clone().binary(Binary::Add, number(extent as f64));
        let negative = value.clone().binary(Binary::Less, number(0.0));
        Affine::value(negative.select(wrapped, value))
    }

    fn index_select(&mut self, call: &Call) -> Result<usize, Error> {
        if call.name() == "embedding" {
            let (weight, indices) = (call.tensor("weight")?, call.tensor("indices")?);
            let mut shape = self.shape(indices);
            let rank = shape.len();
            let own = self.shape(weight);
            let at = self.position(indices, vars(rank), own[0]);
            shape.push(own[1]);
            return Ok(self.copy(weight, shape, vec![at, Affine::var(rank)]));
        }
        let (source, indices) = (call.tensor("self")?, call.tensor("index")?);
        let mut shape = self.shape(source);
        let axis = call.own_axis(call.int("dim", None)?, shape.len())?;
        let mut index = vars(shape.len());
        index[axis] = self.position(indices, vec![Affine::var(axis)], shape[axis]);
        shape[axis] = self.shape(indices).first().copied().unwrap_or(1);
        Ok(self.copy(source, shape, index))
    }

    fn gather(&mut self, call: &Call) -> Result<usize, Error> {
        let (source, indices) = (call.tensor("self")?, call.tensor("index")?);
        let own = self.shape(source);
        let shape = self.shape(indices);
        let axis = call.own_axis(call.int("dim", None)?, own.len())?;
        let mut index = vars(shape.len());
        index[axis] = self.position(indices, vars(shape.len()), own[axis]);
        Ok(self.copy(source, shape, index))
    }

    /// Indexing by integer arrays on neighbouring axes.
    fn indexed(&mut self, call: &Call) -> Result<usize, Error> {
        let source = call.tensor("self")?;
        let own = self.shape(source);
        let indices = call.optional_tensors("indices")?;
        let used: Vec<usize> = (0..indices.len()).filter(|&axis| indices[axis].is_some()).collect();
        let neighbours = used.windows(2).all(|pair| pair[0] + 1 == pair[1]);
        let (Some(&first), true) = (used.first(), neighbours) else {
            return Err(call.refuse("its index arrays are not on neighbouring axes"));
        };
        let mut common = Vec::new();
        for source in indices.iter().flatten() {
            if self.program.dtype(*source) == Dtype::Bool {
                return Err(call.refuse("a mask as an index gives no fixed shape"));
            }
            let fits = Self::common(&common, self.program.shape(*source));
            common = fits.ok_or_else(|| call.refuse("its index arrays do not fit"))?;
        }
        let mut shape = own[..first].to_vec();
        shape.extend(&common);
        let mut index = vars(first);
        for &axis in &used {
            let source = indices[axis].expect("used axes have one");
            let part = self.program.shape(source);
            let skipped = common.len() - part.len();
            let at = part.iter().enumerate().map(|(axis, &extent)| {
                if extent == 1 { Affine::default() } else { Affine::var(first + skipped + axis) }
            });
            index.push(self.position(source, at.collect(), own[axis]));
        }
        for &extent in &own[first + used.len()..] {
            index.push(Affine::var(shape.len()));
            shape.push(extent);
        }
        Ok(self.copy(source, shape, index))
    }

    fn made(&mut self, call: &Call) -> Result<usize, Error> {
        let output = call.node.outputs.first().ok_or_else(|| call.refuse("it has no output"))?;
        let expr = match call.name() {
            "full" | "full_like" => number(call.float("fill_value", None)?),
            "scalar_tensor" => number(call.float("s", None)?),
            "ones" | "ones_like" => number(1.0),
            "arange" => {
                let start = call.float("start", Some(0.0))?;
                let step = call.float("step", Some(1.0))?;
                let at = Expr::Index(Affine::var(0));
                let scaled = at.binary(Binary::Mul, number(step));
                scaled.binary(Binary::Add, number(start))
            }
            _ => number(0.0),
        };
        Ok(self.map(output.dtype, output.shape.clone(), expr))
    }
}

/// The position along each axis of `own` of a flat position, given the extents of its variables.
pub(crate) fn delinearize(flat: &Affine, own: &[usize], extents: &[usize]) -> Vec<Affine> {
    strides(own)
        .iter()
        .enumerate()
        .map(|(axis, &by)| {
            if own[axis] == 1 {
                return Affine::default();
            }
            let quotient = flat.divided(by, extents);
            quotient.remainder(own[axis] as i64, extents)
        })
        .collect()
}
