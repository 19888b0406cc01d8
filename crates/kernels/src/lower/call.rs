//! The arguments of one operation.

use std::collections::HashMap;

use crate::error::Error;
use crate::graph::{Argument, Dtype, Node};

/// Beyond this, numbers of elements mean nothing but "all": `slice` ends at the largest integer.
/// Products of two within it do not overflow.
const MOST: i64 = 1 << 31;

fn bounded(value: i64) -> i64 {
    value.clamp(-MOST, MOST)
}

/// One operation and the sources that its arguments name.
pub(super) struct Call<'a> {
    pub(super) node: &'a Node,
    pub(super) names: &'a HashMap<String, usize>,
}

impl Call<'_> {
    /// `convolution` of `aten.convolution.default`.
    pub(super) fn name(&self) -> &str {
        let op = self.node.op.as_str();
        let op = op.strip_prefix("aten.").unwrap_or(op);
        op.split('.').next().unwrap_or(op)
    }

    pub(super) fn refuse(&self, reason: &str) -> Error {
        Error::Operation { action: "lower", op: self.node.op.clone(), reason: reason.to_owned() }
    }

    fn argument(&self, name: &str) -> Option<&Argument> {
        self.node.arguments.get(name).filter(|each| **each != Argument::None)
    }

    fn wrong(&self, name: &str) -> Error {
        self.refuse(&format!("its argument `{name}` is missing or of another kind"))
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.argument(name).is_some()
    }

    pub(super) fn is_tensor(&self, name: &str) -> bool {
        matches!(self.argument(name), Some(Argument::Tensor(_)))
    }

    fn named(&self, name: &str) -> Result<usize, Error> {
        let missing = || self.refuse(&format!("`{name}` is not computed before it"));
        self.names.get(name).copied().ok_or_else(missing)
    }

    pub(super) fn tensor(&self, name: &str) -> Result<usize, Error> {
        match self.argument(name) {
            Some(Argument::Tensor(tensor)) => self.named(tensor),
            _ => Err(self.wrong(name)),
        }
    }

    pub(super) fn optional(&self, name: &str) -> Result<Option<usize>, Error> {
        if self.has(name) { self.tensor(name).map(Some) } else { Ok(None) }
    }

    pub(super) fn tensors(&self, name: &str) -> Result<Vec<usize>, Error> {
        match self.argument(name) {
            Some(Argument::Tensors(names)) => names.iter().map(|each| self.named(each)).collect(),
            _ => Err(self.wrong(name)),
        }
    }

    pub(super) fn optional_tensors(&self, name: &str) -> Result<Vec<Option<usize>>, Error> {
        match self.argument(name) {
            Some(Argument::OptionalTensors(names)) => names
                .iter()
                .map(|each| each.as_ref().map(|name| self.named(name)).transpose())
                .collect(),
            _ => self.tensors(name).map(|all| all.into_iter().map(Some).collect()),
        }
    }

    pub(super) fn int(&self, name: &str, default: Option<i64>) -> Result<i64, Error> {
        match self.argument(name) {
            Some(Argument::Int(value)) => Ok(bounded(*value)),
            Some(Argument::Bool(value)) => Ok(i64::from(*value)),
            None => default.ok_or_else(|| self.wrong(name)),
            _ => Err(self.wrong(name)),
        }
    }

    pub(super) fn float(&self, name: &str, default: Option<f64>) -> Result<f64, Error> {
        match self.argument(name) {
            Some(Argument::Float(value)) => Ok(*value),
            Some(Argument::Int(value)) => Ok(*value as f64),
            Some(Argument::Bool(value)) => Ok(f64::from(u8::from(*value))),
            None => default.ok_or_else(|| self.wrong(name)),
            _ => Err(self.wrong(name)),
        }
    }

    pub(super) fn bool(&self, name: &str, default: bool) -> Result<bool, Error> {
        match self.argument(name) {
            Some(Argument::Bool(value)) => Ok(*value),
            Some(Argument::Int(value)) => Ok(*value != 0),
            None => Ok(default),
            _ => Err(self.wrong(name)),
        }
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        match self.argument(name) {
            Some(Argument::Text(value)) => Some(value),
            _ => None,
        }
    }

    pub(super) fn dtype(&self, name: &str) -> Option<Dtype> {
        match self.argument(name) {
            Some(Argument::Dtype(value)) => Some(*value),
            _ => None,
        }
    }

    /// Integers; one integer stands for a list of one. Missing is empty.
    pub(super) fn ints(&self, name: &str) -> Result<Vec<i64>, Error> {
        match self.argument(name) {
            Some(Argument::Ints(values)) => Ok(values.iter().copied().map(bounded).collect()),
            Some(Argument::Int(value)) => Ok(vec![bounded(*value)]),
            None => Ok(Vec::new()),
            _ => Err(self.wrong(name)),
        }
    }

    /// A value per axis: a list of `n`, or one that holds for all.
    pub(super) fn per_axis(&self, name: &str, n: usize, default: i64) -> Result<Vec<i64>, Error> {
        let values = self.ints(name)?;
        match values.len() {
            0 => Ok(vec![default; n]),
            1 => Ok(vec![values[0]; n]),
            len if len == n => Ok(values),
            _ => Err(self.wrong(name)),
        }
    }

    /// An axis of an array of this rank, counted from the end when negative.
    pub(super) fn axis(&self, axis: i64, rank: usize) -> Result<usize, Error> {
        let wrapped = if axis < 0 { axis + rank as i64 } else { axis };
        let found = usize::try_from(wrapped).ok().filter(|&axis| axis < rank.max(1));
        found.ok_or_else(|| self.refuse(&format!("it has no axis {axis}")))
    }

    /// As [`Call::axis`], of an array that has it: a scalar has none.
    pub(super) fn own_axis(&self, axis: i64, rank: usize) -> Result<usize, Error> {
        let found = self.axis(axis, rank)?;
        if found < rank {
            Ok(found)
        } else {
            Err(self.refuse("it needs an axis, and has a scalar"))
        }
    }

    /// The axes named by an argument, sorted; all when there are none.
    pub(super) fn axes(&self, name: &str, rank: usize) -> Result<Vec<usize>, Error> {
        let given = self.ints(name)?;
        if given.is_empty() {
            return Ok((0..rank).collect());
        }
        let axes: Result<Vec<_>, _> = given.iter().map(|&axis| self.axis(axis, rank)).collect();
        let mut axes = axes?;
        axes.sort_unstable();
        axes.dedup();
        Ok(axes.into_iter().filter(|&axis| axis < rank).collect())
    }
}
