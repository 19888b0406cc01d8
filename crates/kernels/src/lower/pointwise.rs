//! Element by element: arithmetic, comparisons, activations.

use super::call::Call;
use super::{Lowering, add, div, mul, number, sub};
use crate::error::Error;
use crate::graph::Dtype;
use crate::loops::{Binary, Expr, Unary};

fn relu(value: Expr) -> Expr {
    value.binary(Binary::Max, number(0.0))
}

fn clamp(value: Expr, low: f64, high: f64) -> Expr {
    value.binary(Binary::Max, number(low)).binary(Binary::Min, number(high))
}

/// `log(1 + exp(x))`, without overflow.
fn softplus(value: Expr) -> Expr {
    let small = value.clone().unary(Unary::Abs).unary(Unary::Neg).unary(Unary::Exp);
    add(relu(value), small.unary(Unary::Log1p))
}

fn gelu(value: Expr, tanh: bool) -> Expr {
    let half = mul(value.clone(), number(0.5));
    let inner = if tanh {
        let cube = mul(mul(value.clone(), value.clone()), value.clone());
        let sum = add(value, mul(cube, number(0.044_715)));
        mul(sum, number((2.0 / std::f64::consts::PI).sqrt())).unary(Unary::Tanh)
    } else {
        mul(value, number(std::f64::consts::FRAC_1_SQRT_2)).unary(Unary::Erf)
    };
    mul(half, add(inner, number(1.0)))
}

/// Functions of one argument that need no other.
fn simple(name: &str, x: &Expr) -> Option<Expr> {
    let x = || x.clone();
    let function = |function| Some(x().unary(function));
    match name {
        "neg" => function(Unary::Neg),
        "abs" => function(Unary::Abs),
        "exp" => function(Unary::Exp),
        "expm1" => function(Unary::Expm1),
        "log" => function(Unary::Log),
        "log1p" => function(Unary::Log1p),
        "sqrt" => function(Unary::Sqrt),
        "rsqrt" => function(Unary::Rsqrt),
        "reciprocal" => function(Unary::Reciprocal),
        "tanh" => function(Unary::Tanh),
        "sigmoid" => function(Unary::Sigmoid),
        "erf" => function(Unary::Erf),
        "sin" => function(Unary::Sin),
        "cos" => function(Unary::Cos),
        "floor" => function(Unary::Floor),
        "ceil" => function(Unary::Ceil),
        "round" => function(Unary::Round),
        "trunc" => function(Unary::Trunc),
        "sign" => function(Unary::Sign),
        "square" => Some(mul(x(), x())),
        "relu" => Some(relu(x())),
        "relu6" => Some(clamp(x(), 0.0, 6.0)),
        "silu" => Some(mul(x(), x().unary(Unary::Sigmoid))),
        "mish" => Some(mul(x(), softplus(x()).unary(Unary::Tanh))),
        "hardswish" => Some(div(mul(x(), clamp(add(x(), number(3.0)), 0.0, 6.0)), number(6.0))),
        "hardsigmoid" => Some(div(clamp(add(x(), number(3.0)), 0.0, 6.0), number(6.0))),
        "log_sigmoid" => Some(softplus(x().unary(Unary::Neg)).unary(Unary::Neg)),
        "softsign" => Some(div(x(), add(x().unary(Unary::Abs), number(1.0)))),
        "clone" | "alias" | "detach" | "lift_fresh_copy" | "contiguous" | "dropout" => Some(x()),
        _ => None,
    }
}

fn comparison(name: &str) -> Option<(Binary, bool)> {
    Some(match name {
        "lt" => (Binary::Less, false),
        "le" => (Binary::LessEqual, false),
        "gt" => (Binary::Less, true),
        "ge" => (Binary::LessEqual, true),
        "eq" => (Binary::Equal, false),
        "ne" => (Binary::NotEqual, false),
        _ => return None,
    })
}

fn arithmetic(name: &str) -> Option<Binary> {
    Some(match name {
        "add" => Binary::Add,
        "sub" => Binary::Sub,
        "mul" => Binary::Mul,
        "div" => Binary::Div,
        "pow" => Binary::Pow,
        "fmod" => Binary::Fmod,
        "minimum" => Binary::Min,
        "maximum" => Binary::Max,
        _ => return None,
    })
}

impl Lowering {
    /// The operation, if it is one of these.
    pub(super) fn pointwise(&mut self, call: &Call) -> Result<Option<usize>, Error> {
        let name = call.name();
        if let Some((function, swapped)) = comparison(name) {
            return self.both(call, Some(Dtype::Bool), |one, other| {
                let (one, other) = if swapped { (other, one) } else { (one, other) };
                one.binary(function, other)
            });
        }
        match name {
            "logical_and" | "bitwise_and" => {
                return self
                    .both(call, Some(Dtype::Bool), |one, other| one.binary(Binary::And, other));
            }
            "logical_or" | "bitwise_or" => {
                return self
                    .both(call, Some(Dtype::Bool), |one, other| one.binary(Binary::Or, other));
            }
            "rsub" => return self.both(call, None, |one, other| sub(other, one)),
            "where" => return self.choose(call).map(Some),
            _ => {}
        }
        if let Some(function) = arithmetic(name) {
            return self.arithmetic(call, function);
        }
        if !call.is_tensor("self") {
            return Ok(None);
        }
        let source = call.tensor("self")?;
        let shape = self.shape(source);
        let x = self.broadcast(source, &shape);
        let own = self.program.dtype(source);
        let expr = match simple(name, &x) {
            Some(expr) => expr,
            None => match self.with_parameters(call, x)? {
                Some(expr) => expr,
                None => return Ok(None),
            },
        };
        let dtype = match name {
            "logical_not" | "isnan" => Dtype::Bool,
            "_to_copy" | "to" => call.dtype("dtype").unwrap_or(own),
            "neg" | "abs" | "sign" | "square" | "relu" | "clamp" | "clamp_min" | "clamp_max"
            | "clone" | "alias" | "detach" | "lift_fresh_copy" | "contiguous" | "bitwise_not" => {
                own
            }
            _ if own.is_float() => own,
            _ => Dtype::F32,
        };
        Ok(Some(self.map(dtype, shape, expr)))
    }

    /// Functions of one tensor and some numbers.
    fn with_parameters(&self, call: &Call, x: Expr) -> Result<Option<Expr>, Error> {
        let shape = call.tensor("self").map(|source| self.shape(source))?;
        Ok(Some(match call.name() {
            "logical_not" => x.unary(Unary::Not),
            "bitwise_not" => {
                let flags = self.program.dtype(call.tensor("self")?) == Dtype::Bool;
                if flags { x.unary(Unary::Not) } else { sub(x.unary(Unary::Neg), number(1.0)) }
            }
            "isnan" => x.unary(Unary::IsNan),
            "gelu" => gelu(x, call.text("approximate") == Some("tanh")),
            "leaky_relu" => {
                let slope = call.float("negative_slope", Some(0.01))?;
                let positive = number(0.0).binary(Binary::Less, x.clone());
                positive.select(x.clone(), mul(x, number(slope)))
            }
            "hardtanh" => {
                clamp(x, call.float("min_val", Some(-1.0))?, call.float("max_val", Some(1.0))?)
            }
            "elu" => {
                let alpha = call.float("alpha", Some(1.0))?;
                let scale = call.float("scale", Some(1.0))?;
                let input_scale = call.float("input_scale", Some(1.0))?;
                let grown = mul(x.clone(), number(input_scale)).unary(Unary::Expm1);
                let positive = number(0.0).binary(Binary::Less, x.clone());
                positive.select(mul(x, number(scale)), mul(grown, number(alpha * scale)))
            }
            "softplus" => {
                let beta = call.float("beta", Some(1.0))?;
                let threshold = call.float("threshold", Some(20.0))?;
                let scaled = mul(x.clone(), number(beta));
                let far = number(threshold).binary(Binary::Less, scaled.clone());
                far.select(x, div(softplus(scaled), number(beta)))
            }
            "clamp" | "clamp_min" | "clamp_max" => {
                let mut value = x;
                for (name, function) in [("min", Binary::Max), ("max", Binary::Min)] {
                    if call.is_tensor(name) {
                        let bound = call.tensor(name)?;
                        value = value.binary(function, self.broadcast(bound, &shape));
                    } else if call.has(name) {
                        value = value.binary(function, number(call.float(name, None)?));
                    }
                }
                value
            }
            "_to_copy" | "to" => {
                let source = call.tensor("self")?;
                let from = self.program.dtype(source);
                match call.dtype("dtype").unwrap_or(from) {
                    to if to == from => x,
                    Dtype::F32 | Dtype::F64 => x.unary(Unary::Float),
                    Dtype::I64 => x.unary(Unary::Long),
                    Dtype::Bool => x.binary(Binary::NotEqual, number(0.0)),
                    _ => x.unary(Unary::Int),
                }
            }
            _ => return Ok(None),
        }))
    }

    /// A function of two tensors, or a tensor and a number.
    fn both(
        &mut self,
        call: &Call,
        dtype: Option<Dtype>,
        function: impl FnOnce(Expr, Expr) -> Expr,
    ) -> Result<Option<usize>, Error> {
        let name = |name| call.is_tensor(name).then(|| call.tensor(name)).transpose();
        let (one, other) = (name("self")?, name("other")?);
        let shape_of =
            |source: Option<usize>| source.map_or_else(Vec::new, |each| self.shape(each));
        let shape = Self::common(&shape_of(one), &shape_of(other));
        let shape = shape.ok_or_else(|| call.refuse("its shapes do not fit"))?;
        let side = |source: Option<usize>, name: &str| match source {
            Some(source) => Ok(self.broadcast(source, &shape)),
            None => call.float(name, None).map(number),
        };
        let expr = function(side(one, "self")?, side(other, "other")?);
        let dtype = match dtype {
            Some(dtype) => dtype,
            None => self.promoted(call, one, other),
        };
        Ok(Some(self.map(dtype, shape, expr)))
    }

    /// The type of a result, as the graph declares it: PyTorch's rules need not be repeated.
    fn promoted(&self, call: &Call, one: Option<usize>, other: Option<usize>) -> Dtype {
        let declared = call.node.outputs.first().map(|each| each.dtype);
        let own = one.or(other).map(|source| self.program.dtype(source));
        declared.or(own).unwrap_or(Dtype::F32)
    }

    fn arithmetic(&mut self, call: &Call, function: Binary) -> Result<Option<usize>, Error> {
        let alpha = call.float("alpha", Some(1.0))?;
        let rounding = call.text("rounding_mode").map(ToOwned::to_owned);
        if function == Binary::Pow {
            return self.power(call).map(Some);
        }
        self.both(call, None, |one, other| {
            let value = one.binary(function, mul(other, number(alpha)));
            match rounding.as_deref() {
                Some("floor") => value.unary(Unary::Floor),
                Some(_) => value.unary(Unary::Trunc),
                None => value,
            }
        })
    }

    /// Powers, small whole ones as products.
    fn power(&mut self, call: &Call) -> Result<usize, Error> {
        let tensor = |name: &str| call.is_tensor(name).then(|| call.tensor(name)).transpose();
        let (base, exponent) = (tensor("self")?, tensor("exponent")?);
        let shape_of =
            |source: Option<usize>| source.map_or_else(Vec::new, |each| self.shape(each));
        let shape = Self::common(&shape_of(base), &shape_of(exponent));
        let shape = shape.ok_or_else(|| call.refuse("its shapes do not fit"))?;
        let x = match base {
            Some(source) => self.broadcast(source, &shape),
            None => number(call.float("self", None)?),
        };
        let expr = match exponent {
            Some(source) => x.binary(Binary::Pow, self.broadcast(source, &shape)),
            None => match call.float("exponent", None)? {
                1.0 => x,
                2.0 => mul(x.clone(), x),
                3.0 => mul(mul(x.clone(), x.clone()), x),
                0.5 => x.unary(Unary::Sqrt),
                -0.5 => x.unary(Unary::Rsqrt),
                -1.0 => x.unary(Unary::Reciprocal),
                power => x.binary(Binary::Pow, number(power)),
            },
        };
        let dtype = self.promoted(call, base, exponent);
        Ok(self.map(dtype, shape, expr))
    }

    fn choose(&mut self, call: &Call) -> Result<usize, Error> {
        let condition = call.tensor("condition")?;
        let tensor = |name: &str| call.is_tensor(name).then(|| call.tensor(name)).transpose();
        let (one, other) = (tensor("self")?, tensor("other")?);
        let mut shape = self.shape(condition);
        for source in [one, other].into_iter().flatten() {
            let fits = Self::common(&shape, self.program.shape(source));
            shape = fits.ok_or_else(|| call.refuse("its shapes do not fit"))?;
        }
        let side = |source: Option<usize>, name: &str| match source {
            Some(source) => Ok(self.broadcast(source, &shape)),
            None => call.float(name, None).map(number),
        };
        let (then, otherwise) = (side(one, "self")?, side(other, "other")?);
        let expr = self.broadcast(condition, &shape).select(then, otherwise);
        let dtype = self.promoted(call, one, other);
        Ok(self.map(dtype, shape, expr))
    }
}
