//! One operation about to be computed: its arguments by name, checked.

use std::collections::HashMap;
use std::rc::Rc;

use crate::Error;
use crate::graph::{Argument, Dtype, Node};
use crate::oracle::{Array, contradiction};

/// What a kind of operation answers: its outputs, or that it does not know the operation.
pub(super) type Computed = Result<Option<Vec<Array>>, Error>;

/// One operation with what it reads.
pub(super) struct Call<'a> {
    node: &'a Node,
    alive: &'a HashMap<&'a str, Rc<Array>>,
    single: bool,
    /// Name without namespace and overload.
    pub(super) name: &'a str,
    /// Overload: `default`, `Tensor`, `dim`.
    pub(super) overload: &'a str,
}

/// An output alone.
pub(super) fn one(shape: &[usize], values: Vec<f64>) -> Computed {
    Ok(Some(vec![Array::new(shape.to_vec(), values)]))
}

impl<'a> Call<'a> {
    pub(super) fn new(
        node: &'a Node,
        alive: &'a HashMap<&'a str, Rc<Array>>,
        single: bool,
    ) -> Call<'a> {
        let op = node.op.strip_prefix("aten.").unwrap_or("");
        let (name, overload) = op.split_once('.').unwrap_or((op, "default"));
        Call { node, alive, single, name, overload }
    }

    /// Whether its result is computed as single precision would.
    pub(super) fn single(&self) -> bool {
        self.single && self.node.outputs.first().is_none_or(|tensor| tensor.dtype == Dtype::F32)
    }

    /// A value as the mode has it in memory.
    pub(super) fn round(&self, value: f64) -> f64 {
        if self.single() { f64::from(value as f32) } else { value }
    }

    pub(super) fn refuse(&self, reason: impl Into<String>) -> Error {
        contradiction(&self.node.op, reason)
    }

    /// The type that an output is declared with.
    pub(super) fn dtype(&self) -> Option<Dtype> {
        self.node.outputs.first().map(|tensor| tensor.dtype)
    }

    /// Checks an output's shape against the declared one: before memory is taken for it.
    pub(super) fn expect_shape(&self, idx: usize, shape: &[usize]) -> Result<(), Error> {
        match self.node.outputs.get(idx) {
            Some(tensor) if !tensor.name.is_empty() && tensor.shape != shape => {
                let declared = &tensor.shape;
                Err(self.refuse(format!("its shape is {shape:?}, declared is {declared:?}")))
            }
            Some(tensor) if !tensor.name.is_empty() => Ok(()),
            // An output that nobody reads may still cost memory.
            _ if shape
                .iter()
                .try_fold(1usize, |n, each| n.checked_mul(*each))
                .is_none_or(|n| n > super::MOST_ELEMENTS) =>
            {
                Err(self.refuse("too large"))
            }
            _ => Ok(()),
        }
    }

    fn argument(&self, name: &str) -> Option<&'a Argument> {
        self.node.arguments.get(name).filter(|argument| **argument != Argument::None)
    }

    fn wrong(&self, name: &str, expected: &str) -> Error {
        let got = self.argument(name).map_or("none".to_owned(), |got| format!("{got:?}"));
        self.refuse(format!("`{name}` is not {expected}: {got}"))
    }

    fn find(&self, name: &str) -> Result<&'a Array, Error> {
        let found = self.alive.get(name);
        let found = found.ok_or_else(|| self.refuse(format!("reads `{name}` too early")))?;
        Ok(found)
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.argument(name).is_some()
    }

    pub(super) fn array(&self, name: &str) -> Result<&'a Array, Error> {
        match self.argument(name) {
            Some(Argument::Tensor(tensor)) => self.find(tensor),
            _ => Err(self.wrong(name, "a tensor")),
        }
    }

    pub(super) fn maybe_array(&self, name: &str) -> Result<Option<&'a Array>, Error> {
        if self.has(name) { self.array(name).map(Some) } else { Ok(None) }
    }

    pub(super) fn arrays(&self, name: &str) -> Result<Vec<&'a Array>, Error> {
        match self.argument(name) {
            Some(Argument::Tensors(names)) => names.iter().map(|name| self.find(name)).collect(),
            _ => Err(self.wrong(name, "tensors")),
        }
    }

    pub(super) fn optional_arrays(&self, name: &str) -> Result<Vec<Option<&'a Array>>, Error> {
        match self.argument(name) {
            Some(Argument::Tensors(names)) => {
                names.iter().map(|name| self.find(name).map(Some)).collect()
            }
            Some(Argument::OptionalTensors(names)) => names
                .iter()
                .map(|name| name.as_deref().map(|name| self.find(name)).transpose())
                .collect(),
            _ => Err(self.wrong(name, "tensors")),
        }
    }

    /// A tensor or a number, the latter as an array without axes.
    pub(super) fn operand(&self, name: &str) -> Result<Array, Error> {
        Ok(Array::scalar(self.round(self.number(name, None)?)))
    }

    pub(super) fn is_array(&self, name: &str) -> bool {
        matches!(self.argument(name), Some(Argument::Tensor(_)))
    }

    pub(super) fn number(&self, name: &str, default: Option<f64>) -> Result<f64, Error> {
        match (self.argument(name), default) {
            (Some(Argument::Float(value)), _) => Ok(*value),
            (Some(Argument::Int(value)), _)
                if value.unsigned_abs() <= super::LARGEST_INTEGER.unsigned_abs() =>
            {
                Ok(*value as f64)
            }
            (Some(Argument::Bool(value)), _) => Ok(f64::from(u8::from(*value))),
            // A tensor of one element where the schema has a number.
            (Some(Argument::Tensor(tensor)), _) => match self.find(tensor)?.values.as_slice() {
                [value] => Ok(*value),
                _ => Err(self.wrong(name, "a number")),
            },
            (None, Some(default)) => Ok(default),
            _ => Err(self.wrong(name, "a number")),
        }
    }

    pub(super) fn maybe_number(&self, name: &str) -> Result<Option<f64>, Error> {
        if self.has(name) { self.number(name, None).map(Some) } else { Ok(None) }
    }

    pub(super) fn int(&self, name: &str, default: Option<i64>) -> Result<i64, Error> {
        match (self.argument(name), default) {
            (Some(Argument::Int(value)), _) => Ok(*value),
            (None, Some(default)) => Ok(default),
            _ => Err(self.wrong(name, "an integer")),
        }
    }

    pub(super) fn maybe_int(&self, name: &str) -> Result<Option<i64>, Error> {
        if self.has(name) { self.int(name, None).map(Some) } else { Ok(None) }
    }

    pub(super) fn flag(&self, name: &str, default: bool) -> Result<bool, Error> {
        match self.argument(name) {
            Some(Argument::Bool(value)) => Ok(*value),
            Some(Argument::Int(value)) => Ok(*value != 0),
            None => Ok(default),
            _ => Err(self.wrong(name, "a flag")),
        }
    }

    pub(super) fn text(&self, name: &str, default: &'static str) -> Result<&'a str, Error> {
        match self.argument(name) {
            Some(Argument::Text(value)) => Ok(value),
            None => Ok(default),
            _ => Err(self.wrong(name, "text")),
        }
    }

    pub(super) fn maybe_ints(&self, name: &str) -> Result<Option<Vec<i64>>, Error> {
        match self.argument(name) {
            Some(Argument::Ints(values)) => Ok(Some(values.clone())),
            Some(Argument::Int(value)) => Ok(Some(vec![*value])),
            // An empty list has no type of its own.
            Some(Argument::Tensors(names)) if names.is_empty() => Ok(Some(Vec::new())),
            None => Ok(None),
            _ => Err(self.wrong(name, "integers")),
        }
    }

    pub(super) fn ints(&self, name: &str) -> Result<Vec<i64>, Error> {
        self.maybe_ints(name)?.ok_or_else(|| self.wrong(name, "integers"))
    }

    /// Extents: integers that are not negative.
    pub(super) fn extents(&self, name: &str) -> Result<Vec<usize>, Error> {
        let values = self.ints(name)?;
        let extents = values.iter().map(|value| usize::try_from(*value).ok()).collect();
        let extents: Option<Vec<usize>> = extents;
        extents.ok_or_else(|| self.wrong(name, "a list of extents"))
    }

    /// `n` extents: one given stands for all, none for `default`.
    pub(super) fn extents_of(
        &self,
        name: &str,
        n: usize,
        default: &[usize],
    ) -> Result<Vec<usize>, Error> {
        let values = match self.maybe_ints(name)? {
            Some(values) if !values.is_empty() => values,
            _ => return Ok(default.to_vec()),
        };
        let values = if values.len() == 1 { vec![values[0]; n] } else { values };
        // A bound that keeps all sums and products of a few of them in range.
        let extents: Option<Vec<usize>> = values
            .iter()
            .map(|value| usize::try_from(*value).ok().filter(|value| *value < 1 << 28))
            .collect();
        extents
            .filter(|extents| extents.len() == n)
            .ok_or_else(|| self.wrong(name, &format!("a list of {n} extents")))
    }

    /// An axis, counted from the end if negative. An array without axes has the axis 0.
    pub(super) fn axis(&self, value: i64, n_dims: usize) -> Result<usize, Error> {
        let n = n_dims.max(1) as i64;
        let axis = if value < 0 { value.saturating_add(n) } else { value };
        if (0..n).contains(&axis) {
            Ok(axis as usize)
        } else {
            Err(self.refuse(format!("no axis {value} of {n_dims}")))
        }
    }

    /// Axes, sorted, each once; all when none are given.
    pub(super) fn axes(&self, name: &str, n_dims: usize) -> Result<Vec<usize>, Error> {
        let given = self.maybe_ints(name)?.unwrap_or_default();
        if given.is_empty() || n_dims == 0 {
            for value in given {
                self.axis(value, n_dims)?;
            }
            return Ok((0..n_dims).collect());
        }
        let mut axes = Vec::with_capacity(given.len());
        for value in given {
            let axis = self.axis(value, n_dims)?;
            if axes.contains(&axis) {
                return Err(self.refuse(format!("axis {axis} twice")));
            }
            axes.push(axis);
        }
        axes.sort_unstable();
        Ok(axes)
    }
}

/// The shape to which several repeat.
pub(super) fn broadcast(call: &Call<'_>, shapes: &[&[usize]]) -> Result<Vec<usize>, Error> {
    let n = shapes.iter().map(|shape| shape.len()).max().unwrap_or(0);
    let mut joint = vec![1; n];
    for shape in shapes {
        let missing = n - shape.len();
        for (axis, extent) in shape.iter().enumerate() {
            let at = &mut joint[missing + axis];
            match (*at, *extent) {
                (1, extent) => *at = extent,
                (_, 1) => {}
                (at, extent) if at == extent => {}
                _ => return Err(call.refuse(format!("shapes {shapes:?} do not match"))),
            }
        }
    }
    Ok(joint)
}
