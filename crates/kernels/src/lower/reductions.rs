//! What folds over axes: sums and extremes, softmax, normalisation, scans.

use super::call::Call;
use super::{Lowering, Outputs, add, div, load, mul, number, sub, vars};
use crate::error::Error;
use crate::graph::Dtype;
use crate::loops::{Affine, Binary, Expr, Fold, Rule, Unary};

/// Which axes are folded over, and whether they stay with extent 1.
#[derive(Clone)]
struct Over {
    axes: Vec<usize>,
    keep: bool,
}

impl Lowering {
    /// The operation, if it is one of these.
    pub(super) fn reduction(&mut self, call: &Call) -> Result<Option<Outputs>, Error> {
        let one = |source| Ok(Some(vec![Some(source)]));
        match call.name() {
            "sum" => one(self.summed(call, |sum, _| sum, "dim")?),
            "mean" => one(self.summed(call, |sum, n| div(sum, number(n)), "dim")?),
            "prod" => {
                let over = self.over(call, "dim")?;
                let source = call.tensor("self")?;
                one(self.fold(source, &over, Fold::Product))
            }
            "amax" => {
                let over = self.over(call, "dim")?;
                let source = call.tensor("self")?;
                one(self.fold(source, &over, Fold::Max))
            }
            "amin" => {
                let over = self.over(call, "dim")?;
                let source = call.tensor("self")?;
                one(self.fold(source, &over, Fold::Min))
            }
            "linalg_vector_norm" => one(self.vector_norm(call)?),
            "any" => one(self.any(call)?),
            "max" | "min" => self.extreme(call).map(Some),
            "argmax" | "argmin" => {
                let fold = if call.name() == "argmax" { Fold::Max } else { Fold::Min };
                let source = call.tensor("self")?;
                if !call.has("dim") {
                    let n = self.shape(source).iter().product();
                    let flat = self.reshape(source, vec![n]);
                    let over = Over { axes: vec![0], keep: false };
                    let best = self.fold(flat, &over, fold);
                    return one(self.first_at(flat, best, &over));
                }
                let over = self.over(call, "dim")?;
                let best = self.fold(source, &over, fold);
                one(self.first_at(source, best, &over))
            }
            "var" | "std" | "var_mean" => self.variance(call).map(Some),
            "_softmax" | "softmax" | "_log_softmax" | "log_softmax" => one(self.softmax(call)?),
            "logsumexp" => one(self.logsumexp(call)?),
            "native_layer_norm" | "layer_norm" => self.layer_norm(call).map(Some),
            "native_group_norm" | "group_norm" => self.group_norm(call).map(Some),
            "_native_batch_norm_legit_no_training"
            | "_native_batch_norm_legit"
            | "native_batch_norm"
            | "batch_norm" => self.batch_norm(call).map(Some),
            "cumsum" | "cumprod" => {
                let source = call.tensor("self")?;
                let shape = self.shape(source);
                let axis = call.axis(call.int("dim", None)?, shape.len())?;
                let fold = if call.name() == "cumsum" { Fold::Sum } else { Fold::Product };
                let body = self.broadcast(source, &shape);
                let dtype = self.declared(call, source);
                if shape.is_empty() {
                    return one(source);
                }
                one(self.define(dtype, shape, Rule::Scan { fold, axis, body }))
            }
            _ => Ok(None),
        }
    }

    fn declared(&self, call: &Call, source: usize) -> Dtype {
        call.node.outputs.first().map_or_else(|| self.program.dtype(source), |each| each.dtype)
    }

    fn over(&self, call: &Call, name: &str) -> Result<Over, Error> {
        let rank = self.shape(call.tensor("self")?).len();
        Ok(Over { axes: call.axes(name, rank)?, keep: call.bool("keepdim", false)? })
    }

    /// Folds `body`, which is over the axes of `shape`, over some of them.
    fn reduce(
        &mut self,
        (dtype, shape): (Dtype, &[usize]),
        over: &Over,
        fold: Fold,
        body: &Expr,
        finish: Expr,
    ) -> usize {
        let kept: Vec<usize> = (0..shape.len()).filter(|axis| !over.axes.contains(axis)).collect();
        let result: Vec<usize> = match over.keep {
            true => (0..shape.len())
                .map(|axis| if over.axes.contains(&axis) { 1 } else { shape[axis] })
                .collect(),
            false => kept.iter().map(|&axis| shape[axis]).collect(),
        };
        let mut by = vec![Affine::default(); shape.len()];
        for (at, &axis) in kept.iter().enumerate() {
            by[axis] = Affine::var(if over.keep { axis } else { at });
        }
        for (at, &axis) in over.axes.iter().enumerate() {
            by[axis] = Affine::var(result.len() + at);
        }
        let extents: Vec<usize> = over.axes.iter().map(|&axis| shape[axis]).collect();
        let all: Vec<usize> = result.iter().chain(&extents).copied().collect();
        let body = body.substitute(&by, &all);
        self.define(dtype, result, Rule::Reduce { fold, over: extents, body, finish })
    }

    fn fold(&mut self, source: usize, over: &Over, fold: Fold) -> usize {
        let shape = self.shape(source);
        let body = self.broadcast(source, &shape);
        let dtype = self.program.dtype(source);
        self.reduce((dtype, &shape), over, fold, &body, Expr::Folded)
    }

    fn summed(
        &mut self,
        call: &Call,
        finish: impl FnOnce(Expr, f64) -> Expr,
        dims: &str,
    ) -> Result<usize, Error> {
        let source = call.tensor("self")?;
        let over = self.over(call, dims)?;
        let shape = self.shape(source);
        let n: usize = over.axes.iter().map(|&axis| shape[axis]).product();
        let body = self.broadcast(source, &shape);
        let dtype = self.declared(call, source);
        Ok(self.reduce((dtype, &shape), &over, Fold::Sum, &body, finish(Expr::Folded, n as f64)))
    }

    fn vector_norm(&mut self, call: &Call) -> Result<usize, Error> {
        let source = call.tensor("self")?;
        let over = self.over(call, "dim")?;
        let shape = self.shape(source);
        let x = self.broadcast(source, &shape);
        let size = x.clone().unary(Unary::Abs);
        let (fold, body, finish) = match call.float("ord", Some(2.0))? {
            1.0 => (Fold::Sum, size, Expr::Folded),
            2.0 => (Fold::Sum, mul(x.clone(), x), Expr::Folded.unary(Unary::Sqrt)),
            order if order == f64::INFINITY => (Fold::Max, size, Expr::Folded),
            order if order == f64::NEG_INFINITY => (Fold::Min, size, Expr::Folded),
            0.0 => (Fold::Sum, size.binary(Binary::NotEqual, number(0.0)), Expr::Folded),
            order => {
                let root = Expr::Folded.binary(Binary::Pow, number(1.0 / order));
                (Fold::Sum, size.binary(Binary::Pow, number(order)), root)
            }
        };
        let dtype = self.declared(call, source);
        Ok(self.reduce((dtype, &shape), &over, fold, &body, finish))
    }

    fn any(&mut self, call: &Call) -> Result<usize, Error> {
        let source = call.tensor("self")?;
        let over = self.over(call, "dim")?;
        let shape = self.shape(source);
        let body = self.broadcast(source, &shape).binary(Binary::NotEqual, number(0.0));
        let finish = Expr::Folded.binary(Binary::NotEqual, number(0.0));
        // A sum would do, but the greatest cannot overflow.
        Ok(self.reduce((Dtype::Bool, &shape), &over, Fold::Max, &body, finish))
    }

    /// Greatest or least: of all, or along an axis together with where it is first.
    fn extreme(&mut self, call: &Call) -> Result<Outputs, Error> {
        let fold = if call.name() == "max" { Fold::Max } else { Fold::Min };
        let source = call.tensor("self")?;
        let over = self.over(call, "dim")?;
        let best = self.fold(source, &over, fold);
        if !call.has("dim") {
            return Ok(vec![Some(best)]);
        }
        let wanted = call.node.outputs.get(1).is_some_and(|each| !each.name.is_empty());
        let at = wanted.then(|| self.first_at(source, best, &over));
        Ok(vec![Some(best), at])
    }

    /// Where along one axis `best` is found first.
    fn first_at(&mut self, source: usize, best: usize, over: &Over) -> usize {
        let shape = self.shape(source);
        let axis = over.axes[0];
        let mut at = vars(shape.len());
        if over.keep {
            at[axis] = Affine::default();
        } else {
            at.remove(axis);
        }
        let own = self.broadcast(source, &shape);
        let found = own.binary(Binary::Equal, load(best, at));
        let position = Expr::Index(Affine::var(axis));
        let body = found.select(position, number(shape[axis] as f64));
        let finish = Expr::Folded.unary(Unary::Long);
        self.reduce((Dtype::I64, &shape), over, Fold::Min, &body, finish)
    }

    /// Mean over axes that stay with extent 1, and the mean square distance from it.
    fn moments(&mut self, source: usize, axes: &[usize], correction: f64) -> (usize, usize) {
        let shape = self.shape(source);
        let over = Over { axes: axes.to_vec(), keep: true };
        let n = axes.iter().map(|&axis| shape[axis]).product::<usize>() as f64;
        let x = self.broadcast(source, &shape);
        let dtype = self.program.dtype(source);
        let mean = div(Expr::Folded, number(n));
        let mean = self.reduce((dtype, &shape), &over, Fold::Sum, &x, mean);
        let distance = sub(x, self.broadcast(mean, &shape));
        let square = mul(distance.clone(), distance);
        let finish = div(Expr::Folded, number((n - correction).max(0.0)));
        let variance = self.reduce((dtype, &shape), &over, Fold::Sum, &square, finish);
        (mean, variance)
    }

    fn variance(&mut self, call: &Call) -> Result<Outputs, Error> {
        let source = call.tensor("self")?;
        let over = self.over(call, "dim")?;
        let default = if call.bool("unbiased", true)? { 1.0 } else { 0.0 };
        let correction = call.float("correction", Some(default))?;
        let (mean, variance) = self.moments(source, &over.axes, correction);
        let shape: Vec<usize> = self.program.shape(source).to_vec();
        let kept = |axis: &usize| over.keep || !over.axes.contains(axis);
        let result: Vec<usize> = (0..shape.len())
            .filter(kept)
            .map(|axis| if over.axes.contains(&axis) { 1 } else { shape[axis] })
            .collect();
        let mut variance = self.reshape(variance, result.clone());
        if call.name() == "std" {
            let root = self.broadcast(variance, &result).unary(Unary::Sqrt);
            let dtype = self.program.dtype(source);
            variance = self.map(dtype, result.clone(), root);
        }
        let mean = self.reshape(mean, result);
        Ok(vec![Some(variance), Some(mean)])
    }

    fn softmax(&mut self, call: &Call) -> Result<usize, Error> {
        let source = call.tensor("self")?;
        let shape = self.shape(source);
        let axis = call.axis(call.int("dim", None)?, shape.len())?;
        let dtype = self.program.dtype(source);
        let over = Over { axes: if shape.is_empty() { vec![] } else { vec![axis] }, keep: true };
        let greatest = self.fold(source, &over, Fold::Max);
        let x = self.broadcast(source, &shape);
        let distance = sub(x, self.broadcast(greatest, &shape));
        if call.name().contains("log") {
            let grown = distance.clone().unary(Unary::Exp);
            let finish = Expr::Folded.unary(Unary::Log);
            let sum = self.reduce((dtype, &shape), &over, Fold::Sum, &grown, finish);
            let expr = sub(distance, self.broadcast(sum, &shape));
            return Ok(self.map(dtype, shape, expr));
        }
        let grown = self.map(dtype, shape.clone(), distance.unary(Unary::Exp));
        let grown = self.broadcast(grown, &shape);
        let finish = Expr::Folded.unary(Unary::Reciprocal);
        let share = self.reduce((dtype, &shape), &over, Fold::Sum, &grown, finish);
        let expr = mul(grown, self.broadcast(share, &shape));
        Ok(self.map(dtype, shape, expr))
    }

    fn logsumexp(&mut self, call: &Call) -> Result<usize, Error> {
        let source = call.tensor("self")?;
        let shape = self.shape(source);
        let over = self.over(call, "dim")?;
        let kept = Over { keep: true, ..over.clone() };
        let greatest = self.fold(source, &kept, Fold::Max);
        let dtype = self.program.dtype(source);
        let x = self.broadcast(source, &shape);
        let grown = sub(x, self.broadcast(greatest, &shape)).unary(Unary::Exp);
        let kept_shape = self.shape(greatest);
        let own = self.broadcast(greatest, &kept_shape);
        let finish = add(Expr::Folded.unary(Unary::Log), own);
        let sum = self.reduce((dtype, &shape), &kept, Fold::Sum, &grown, finish);
        let result = (0..shape.len()).filter(|axis| over.keep || !over.axes.contains(axis));
        let result = result.map(|axis| kept_shape[axis]).collect();
        Ok(self.reshape(sum, result))
    }

    /// `(x - mean) / sqrt(variance + eps)`, then weight and bias where they are.
    fn normalised(
        &mut self,
        source: usize,
        (mean, variance): (usize, usize),
        eps: f64,
        affine: [Option<Expr>; 2],
    ) -> usize {
        let shape = self.shape(source);
        let dtype = self.program.dtype(source);
        let statistics = self.shape(variance);
        let scale = add(self.broadcast(variance, &statistics), number(eps)).unary(Unary::Rsqrt);
        let scale = self.map(dtype, statistics, scale);
        let x = self.broadcast(source, &shape);
        let centred = sub(x, self.broadcast(mean, &shape));
        let mut expr = mul(centred, self.broadcast(scale, &shape));
        let [weight, bias] = affine;
        if let Some(weight) = weight {
            expr = mul(expr, weight);
        }
        if let Some(bias) = bias {
            expr = add(expr, bias);
        }
        self.map(dtype, shape, expr)
    }

    fn layer_norm(&mut self, call: &Call) -> Result<Outputs, Error> {
        let source = call.tensor("input")?;
        let shape = self.shape(source);
        let n = call.ints("normalized_shape")?.len();
        if n > shape.len() {
            return Err(call.refuse("it normalises more axes than there are"));
        }
        let axes: Vec<usize> = (shape.len() - n..shape.len()).collect();
        let moments = self.moments(source, &axes, 0.0);
        let eps = call.float("eps", Some(1e-5))?;
        let affine = ["weight", "bias"].map(|name| call.optional(name));
        let [weight, bias] = affine;
        let side = |source: Option<usize>| source.map(|source| self.broadcast(source, &shape));
        let affine = [side(weight?), side(bias?)];
        let result = self.normalised(source, moments, eps, affine);
        Ok(vec![Some(result), Some(moments.0), None])
    }

    fn group_norm(&mut self, call: &Call) -> Result<Outputs, Error> {
        let source = call.tensor("input")?;
        let shape = self.shape(source);
        let n_groups =
            usize::try_from(call.int("group", None).or_else(|_| call.int("num_groups", None))?)
                .map_err(|_| call.refuse("it has a negative number of groups"))?;
        if shape.len() < 2 || n_groups == 0 || !shape[1].is_multiple_of(n_groups) {
            return Err(call.refuse("its groups do not divide the channels"));
        }
        let per_group = shape[1] / n_groups;
        let rest: usize = shape[2..].iter().product();
        let grouped = vec![shape[0], n_groups, per_group, rest];
        let viewed = self.reshape(source, grouped.clone());
        let moments = self.moments(viewed, &[2, 3], 0.0);
        let channel = Affine::var(1).times(per_group as i64).plus(&Affine::var(2));
        let affine = [call.optional("weight")?, call.optional("bias")?];
        let affine = affine.map(|source| source.map(|source| load(source, vec![channel.clone()])));
        let eps = call.float("eps", Some(1e-5))?;
        let result = self.normalised(viewed, moments, eps, affine);
        let result = self.reshape(result, shape.clone());
        let mean = self.reshape(moments.0, vec![shape[0], n_groups]);
        Ok(vec![Some(result), Some(mean), None])
    }

    fn batch_norm(&mut self, call: &Call) -> Result<Outputs, Error> {
        let source = call.tensor("input")?;
        let shape = self.shape(source);
        let training = call.bool("training", false)? && !call.name().ends_with("no_training");
        let channels = |lowering: &Self, source: usize| {
            let channel = if shape.len() > 1 { 1 } else { 0 };
            debug_assert_eq!(lowering.program.shape(source).len(), 1, "one value per channel");
            load(source, vec![Affine::var(channel)])
        };
        let affine = [call.optional("weight")?, call.optional("bias")?];
        let affine = affine.map(|source| source.map(|source| channels(self, source)));
        let eps = call.float("eps", Some(1e-5))?;
        if training || !call.has("running_mean") {
            let axes: Vec<usize> = (0..shape.len()).filter(|&axis| axis != 1).collect();
            let moments = self.moments(source, &axes, 0.0);
            let result = self.normalised(source, moments, eps, affine);
            let mean = self.reshape(moments.0, vec![shape[1]]);
            return Ok(vec![Some(result), Some(mean), None]);
        }
        let (mean, variance) = (call.tensor("running_mean")?, call.tensor("running_var")?);
        let mut statistics = vec![1; shape.len()];
        statistics[1.min(shape.len() - 1)] = shape[1.min(shape.len() - 1)];
        let mean = self.reshape(mean, statistics.clone());
        let variance = self.reshape(variance, statistics);
        let result = self.normalised(source, (mean, variance), eps, affine);
        Ok(vec![Some(result), None, None])
    }
}
