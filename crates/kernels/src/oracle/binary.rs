//! One value from two or three that repeat to a joint shape.

use std::borrow::Cow;

use crate::Error;
use crate::graph::Dtype;
use crate::oracle::Array;
use crate::oracle::array::{map, zip};
use crate::oracle::call::{Call, Computed, broadcast, one};
use crate::oracle::pointwise::{larger, smaller};

fn flag(value: bool) -> f64 {
    f64::from(u8::from(value))
}

/// Functions of two arguments.
fn function(name: &str) -> Option<fn(f64, f64) -> f64> {
    Some(match name {
        "atan2" => f64::atan2,
        "copysign" => f64::copysign,
        "eq" => |a, b| flag(a == b),
        "ne" => |a, b| flag(a != b),
        "lt" => |a, b| flag(a < b),
        "le" => |a, b| flag(a <= b),
        "gt" => |a, b| flag(a > b),
        "ge" => |a, b| flag(a >= b),
        "fmax" => f64::max,
        "fmin" => f64::min,
        "fmod" => |a, b| a % b,
        "hypot" => f64::hypot,
        "logical_and" => |a, b| flag(a != 0.0 && b != 0.0),
        "logical_or" => |a, b| flag(a != 0.0 || b != 0.0),
        "logical_xor" => |a, b| flag((a != 0.0) != (b != 0.0)),
        "maximum" => larger,
        "minimum" => smaller,
        "mul" | "multiply" => |a, b| a * b,
        "pow" => |a, b| if b == 2.0 { a * a } else { a.powf(b) },
        "remainder" => |a, b| a - b * (a / b).floor(),
        "floor_divide" => |a, b| (a / b).floor(),
        "xlogy" => |a, b| if a == 0.0 && !b.is_nan() { 0.0 } else { a * b.ln() },
        "bitwise_and" => |a, b| (a as i64 & b as i64) as f64,
        "bitwise_or" => |a, b| (a as i64 | b as i64) as f64,
        "bitwise_xor" => |a, b| (a as i64 ^ b as i64) as f64,
        _ => return None,
    })
}

/// A tensor, or a number as one.
fn either<'a>(call: &Call<'a>, name: &str) -> Result<Cow<'a, Array>, Error> {
    if call.is_array(name) {
        call.array(name).map(Cow::Borrowed)
    } else {
        call.operand(name).map(Cow::Owned)
    }
}

fn pair(call: &Call<'_>, a: &Array, b: &Array, join: impl Fn(f64, f64) -> f64 + Sync) -> Computed {
    let shape = broadcast(call, &[&a.shape, &b.shape])?;
    call.expect_shape(0, &shape)?;
    one(&shape, zip(a, b, &shape, join))
}

pub(super) fn compute(call: &Call<'_>) -> Computed {
    if let Some(function) = function(call.name) {
        let (a, b) = match (call.name, call.overload) {
            ("pow", "Tensor_Scalar" | "Tensor_Tensor") => ("self", "exponent"),
            ("pow", "Scalar") => ("self", "exponent"),
            _ => ("self", "other"),
        };
        let (a, b) = (either(call, a)?, either(call, b)?);
        let integers = call.dtype().is_some_and(|dtype| !dtype.is_float());
        if integers
            && matches!(call.name, "fmod" | "remainder" | "floor_divide")
            && b.values.contains(&0.0)
        {
            return Err(call.refuse("division of integers by zero"));
        }
        return pair(call, &a, &b, function);
    }
    match call.name {
        "add" | "sub" | "subtract" | "rsub" => {
            let alpha = call.round(call.number("alpha", Some(1.0))?);
            let (a, b) = (either(call, "self")?, either(call, "other")?);
            match call.name {
                "add" if alpha == 1.0 => pair(call, &a, &b, |a, b| a + b),
                "add" => pair(call, &a, &b, |a, b| a + alpha * b),
                "rsub" => pair(call, &a, &b, |a, b| b - alpha * a),
                _ if alpha == 1.0 => pair(call, &a, &b, |a, b| a - b),
                _ => pair(call, &a, &b, |a, b| a - alpha * b),
            }
        }
        "div" | "divide" | "true_divide" => {
            let (a, b) = (either(call, "self")?, either(call, "other")?);
            let integers = call.dtype().is_some_and(|dtype| !dtype.is_float());
            if integers && b.values.contains(&0.0) {
                return Err(call.refuse("division of integers by zero"));
            }
            match call.text("rounding_mode", "none")? {
                "none" => pair(call, &a, &b, |a, b| a / b),
                "floor" => pair(call, &a, &b, |a, b| (a / b).floor()),
                "trunc" => pair(call, &a, &b, |a, b| (a / b).trunc()),
                other => Err(call.refuse(format!("rounding `{other}`"))),
            }
        }
        "clamp" | "clamp_min" | "clamp_max" => {
            let mut array = Cow::Borrowed(call.array("self")?);
            for name in ["min", "max"] {
                let join: fn(f64, f64) -> f64 = if name == "min" { larger } else { smaller };
                if call.has(name) {
                    let bound = either(call, name)?;
                    let shape = broadcast(call, &[&array.shape, &bound.shape])?;
                    call.expect_shape(0, &shape)?;
                    let values = zip(&array, &bound, &shape, join);
                    array = Cow::Owned(Array::new(shape, values));
                }
            }
            Ok(Some(vec![array.into_owned()]))
        }
        "where" => {
            let condition = call.array("condition")?;
            let (a, b) = (either(call, "self")?, either(call, "other")?);
            choose(call, condition, &a, &b)
        }
        "masked_fill" => {
            let (array, mask) = (call.array("self")?, call.array("mask")?);
            let value = either(call, "value")?;
            choose(call, mask, &value, array)
        }
        "addcmul" | "addcdiv" => {
            let value = call.round(call.number("value", Some(1.0))?);
            let (a, b) = (call.array("tensor1")?, call.array("tensor2")?);
            let shape = broadcast(call, &[&a.shape, &b.shape])?;
            let array = call.array("self")?;
            call.expect_shape(0, &broadcast(call, &[&shape, &array.shape])?)?;
            let product = call.name == "addcmul";
            let values = zip(a, b, &shape, |a, b| value * if product { a * b } else { a / b });
            pair(call, array, &Array::new(shape, values), |a, b| a + b)
        }
        "lerp" => {
            let (start, end) = (call.array("self")?, call.array("end")?);
            let weight = either(call, "weight")?;
            let shape = broadcast(call, &[&start.shape, &end.shape])?;
            call.expect_shape(0, &broadcast(call, &[&shape, &weight.shape])?)?;
            let difference = Array::new(shape.clone(), zip(end, start, &shape, |a, b| a - b));
            let shape = broadcast(call, &[&shape, &weight.shape])?;
            let step = zip(&difference, &weight, &shape, |a, b| a * b);
            pair(call, start, &Array::new(shape, step), |a, b| a + b)
        }
        "prelu" | "_prelu_kernel" => {
            let (array, weight) = (call.array("self")?, call.array("weight")?);
            let mut weight = weight.clone();
            if call.name == "prelu" && weight.values.len() > 1 && array.n_dims() > 1 {
                weight.shape.resize(array.n_dims() - 1, 1);
            }
            pair(call, array, &weight, |a, b| if a > 0.0 { a } else { a * b })
        }
        "copy" => {
            let (array, source) = (call.array("self")?, call.array("src")?);
            if broadcast(call, &[&array.shape, &source.shape])? != array.shape {
                return Err(call.refuse("a source larger than its target"));
            }
            pair(call, array, source, |_, b| b)
        }
        "isclose" => Err(call.refuse("depends on a tolerance of its own")),
        _ => Ok(None),
    }
}

fn choose(call: &Call<'_>, condition: &Array, a: &Array, b: &Array) -> Computed {
    if condition.dtype != Dtype::Bool && condition.dtype != Dtype::U8 {
        return Err(call.refuse("a condition that is not of flags"));
    }
    let shape = broadcast(call, &[&condition.shape, &a.shape, &b.shape])?;
    call.expect_shape(0, &shape)?;
    // Positions instead of values, so that NaN and infinities on the other side do no harm.
    let n = shape.iter().product();
    if let ([a], [b]) = (a.values.as_slice(), b.values.as_slice()) {
        let (a, b) = (*a, *b);
        let full = Array::new(shape.clone(), vec![0.0; n]);
        return one(&shape, zip(condition, &full, &shape, |yes, _| if yes != 0.0 { a } else { b }));
    }
    let a = full(a, &shape);
    let b = full(b, &shape);
    let condition = full(condition, &shape);
    let mut values = map(&b, |value| value);
    for ((to, yes), a) in values.iter_mut().zip(condition.iter()).zip(a.iter()) {
        if *yes != 0.0 {
            *to = *a;
        }
    }
    one(&shape, values)
}

/// Values repeated to a shape.
fn full<'a>(array: &'a Array, shape: &[usize]) -> Cow<'a, [f64]> {
    if array.shape == shape {
        return Cow::Borrowed(&array.values);
    }
    let strides = super::array::repeating(&array.shape, shape);
    Cow::Owned(super::array::gather(&array.values, 0, shape, &strides))
}
