//! Products of matrices.

use super::call::Call;
use super::{Lowering, add, load, mul, number};
use crate::error::Error;
use crate::graph::Dtype;
use crate::loops::{Affine, Expr, Fold, Rule};

impl Lowering {
    /// Products of matrices, also in batches, and with something added.
    pub(super) fn product(&mut self, call: &Call) -> Result<usize, Error> {
        let (one, other) = match call.name() {
            "addmm" => (call.tensor("mat1")?, call.tensor("mat2")?),
            "baddbmm" => (call.tensor("batch1")?, call.tensor("batch2")?),
            "mv" => (call.tensor("self")?, call.tensor("vec")?),
            "dot" => (call.tensor("self")?, call.tensor("tensor")?),
            _ => (call.tensor("self")?, call.tensor("mat2")?),
        };
        let (left, right) = (self.shape(one), self.shape(other));
        let n_batch = usize::from(call.name().ends_with("bmm"));
        let rows = &left[..left.len().saturating_sub(1)];
        let columns = right.get(n_batch + 1..).unwrap_or(&[]);
        let depth = *left.last().ok_or_else(|| call.refuse("it multiplies a scalar"))?;
        if right.get(n_batch) != Some(&depth) || left[..n_batch] != right[..n_batch] {
            return Err(call.refuse("its shapes do not fit"));
        }
        let shape: Vec<usize> = rows.iter().chain(columns).copied().collect();
        let k = Affine::var(shape.len());
        let batch: Vec<Affine> = (0..n_batch).map(Affine::var).collect();
        let mut left_index: Vec<Affine> = (0..rows.len()).map(Affine::var).collect();
        left_index.push(k.clone());
        let mut right_index = batch;
        right_index.push(k);
        right_index.extend((rows.len()..shape.len()).map(Affine::var));
        let body = mul(load(one, left_index), load(other, right_index));
        let mut finish = Expr::Folded;
        if call.name().contains("add") {
            let addend = call.tensor("self")?;
            let (alpha, beta) = (call.float("alpha", Some(1.0))?, call.float("beta", Some(1.0))?);
            let scaled = mul(self.broadcast(addend, &shape), number(beta));
            finish = add(mul(finish, number(alpha)), scaled);
        }
        let dtype = call.node.outputs.first().map_or(Dtype::F32, |each| each.dtype);
        let rule = Rule::Reduce { fold: Fold::Sum, over: vec![depth], body, finish };
        Ok(self.define(dtype, shape, rule))
    }
}
