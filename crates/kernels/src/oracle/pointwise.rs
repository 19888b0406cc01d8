//! One value from one: functions, activations, casts.

use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI, SQRT_2};

use crate::oracle::array::map;
use crate::oracle::call::{Call, Computed, one};

fn flag(value: bool) -> f64 {
    f64::from(u8::from(value))
}

/// The larger, or NaN when one is.
pub(super) fn larger(one: f64, other: f64) -> f64 {
    if one > other || one.is_nan() { one } else { other }
}

/// The smaller, or NaN when one is.
pub(super) fn smaller(one: f64, other: f64) -> f64 {
    if one < other || one.is_nan() { one } else { other }
}

fn between(value: f64, low: f64, high: f64) -> f64 {
    // The upper bound wins when they cross, and NaN stays.
    smaller(larger(value, low), high)
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

fn softplus(x: f64) -> f64 {
    larger(x, 0.0) + (-x.abs()).exp().ln_1p()
}

fn sign(x: f64) -> f64 {
    if x > 0.0 {
        1.0
    } else if x < 0.0 {
        -1.0
    } else {
        x.abs()
    }
}

/// Functions of one argument without parameters.
fn function(name: &str) -> Option<fn(f64) -> f64> {
    Some(match name {
        "abs" => f64::abs,
        "acos" => f64::acos,
        "acosh" => f64::acosh,
        "asin" => f64::asin,
        "asinh" => f64::asinh,
        "atan" => f64::atan,
        "atanh" => f64::atanh,
        "ceil" => f64::ceil,
        "cos" => f64::cos,
        "cosh" => f64::cosh,
        "erf" => libm::erf,
        "erfc" => libm::erfc,
        "exp" => f64::exp,
        "exp2" => f64::exp2,
        "expm1" => f64::exp_m1,
        "floor" => f64::floor,
        "frac" => |x| x - x.trunc(),
        "hardsigmoid" => |x| between(x + 3.0, 0.0, 6.0) / 6.0,
        "hardswish" => |x| x * between(x + 3.0, 0.0, 6.0) / 6.0,
        "isfinite" => |x| flag(x.is_finite()),
        "isinf" => |x| flag(x.is_infinite()),
        "isnan" => |x| flag(x.is_nan()),
        "log" => f64::ln,
        "log10" => f64::log10,
        "log1p" => f64::ln_1p,
        "log2" => f64::log2,
        "log_sigmoid" => |x| -softplus(-x),
        "logical_not" => |x| flag(x == 0.0),
        "mish" => |x| x * softplus(x).tanh(),
        "neg" => |x| -x,
        "reciprocal" => f64::recip,
        "relu" => |x| larger(x, 0.0),
        "relu6" => |x| between(x, 0.0, 6.0),
        "round" => f64::round_ties_even,
        "rsqrt" => |x| 1.0 / x.sqrt(),
        "selu" => |x| {
            let scale = 1.050_700_987_355_480_5;
            scale * if x > 0.0 { x } else { 1.673_263_242_354_377_2 * x.exp_m1() }
        },
        "sigmoid" => sigmoid,
        "sign" | "sgn" => sign,
        "silu" => |x| x * sigmoid(x),
        "sin" => f64::sin,
        "sinh" => f64::sinh,
        "sqrt" => f64::sqrt,
        "square" => |x| x * x,
        "tan" => f64::tan,
        "tanh" => f64::tanh,
        "trunc" => f64::trunc,
        "alias" | "clone" | "contiguous" | "detach" | "detach_" | "dropout" | "lift_fresh"
        | "lift_fresh_copy" => |x| x,
        _ => return None,
    })
}

pub(super) fn compute(call: &Call<'_>) -> Computed {
    if let Some(function) = function(call.name) {
        if call.name == "dropout" && call.flag("train", false)? {
            return Err(call.refuse("random in training"));
        }
        let name = if call.is_array("input") { "input" } else { "self" };
        let array = call.array(name)?;
        return one(&array.shape, map(&array.values, function));
    }
    let number = |name, default| call.number(name, Some(default)).map(|value| call.round(value));
    match call.name {
        "bitwise_not" => {
            let array = call.array("self")?;
            let truth = array.dtype == crate::graph::Dtype::Bool;
            one(&array.shape, map(&array.values, |x| if truth { 1.0 - x } else { -x - 1.0 }))
        }
        "gelu" => match call.text("approximate", "none")? {
            "none" => apply(call, |x| 0.5 * x * (1.0 + libm::erf(x * FRAC_1_SQRT_2))),
            "tanh" => {
                let beta = SQRT_2 * FRAC_2_SQRT_PI * 0.5;
                apply(call, move |x| 0.5 * x * (1.0 + (beta * (x + 0.044_715 * x * x * x)).tanh()))
            }
            other => Err(call.refuse(format!("approximation `{other}`"))),
        },
        "elu" | "celu" => {
            let alpha = number("alpha", 1.0)?;
            let (scale, input_scale) = match call.name {
                "elu" => (number("scale", 1.0)?, number("input_scale", 1.0)?),
                _ => (1.0, 1.0 / alpha),
            };
            apply(call, move |x| {
                if x > 0.0 { scale * x } else { scale * alpha * (x * input_scale).exp_m1() }
            })
        }
        "leaky_relu" => {
            let slope = number("negative_slope", 0.01)?;
            apply(call, move |x| if x > 0.0 { x } else { x * slope })
        }
        "hardtanh" => {
            let (low, high) = (number("min_val", -1.0)?, number("max_val", 1.0)?);
            apply(call, move |x| between(x, low, high))
        }
        "hardshrink" | "softshrink" => {
            let bound = number("lambd", 0.5)?;
            let shift = if call.name == "softshrink" { bound } else { 0.0 };
            apply(call, move |x| {
                if x > bound {
                    x - shift
                } else if x < -bound {
                    x + shift
                } else {
                    x * 0.0
                }
            })
        }
        "threshold" => {
            let (bound, value) = (number("threshold", 0.0)?, number("value", 0.0)?);
            apply(call, move |x| if x <= bound { value } else { x })
        }
        "softplus" => {
            let (beta, bound) = (number("beta", 1.0)?, number("threshold", 20.0)?);
            apply(call, move |x| if x * beta > bound { x } else { softplus(x * beta) / beta })
        }
        "clamp" | "clamp_min" | "clamp_max" if call.overload == "default" => {
            let low = call.maybe_number("min")?.map(|value| call.round(value));
            let high = call.maybe_number("max")?.map(|value| call.round(value));
            apply(call, move |x| {
                let x = low.map_or(x, |low| larger(x, low));
                high.map_or(x, |high| smaller(x, high))
            })
        }
        "nan_to_num" => {
            let (nan, high) = (number("nan", 0.0)?, number("posinf", f64::from(f32::MAX))?);
            let low = number("neginf", f64::from(f32::MIN))?;
            apply(call, move |x| if x.is_nan() { nan } else { between(x, low, high) })
        }
        "_to_copy" | "to" => {
            use crate::graph::Dtype;
            match call.dtype() {
                Some(Dtype::Bool) => apply(call, |x| flag(x != 0.0)),
                Some(Dtype::F32 | Dtype::F64) | None => apply(call, |x| x),
                Some(_) => apply(call, f64::trunc),
            }
        }
        _ => Ok(None),
    }
}

fn apply(call: &Call<'_>, function: impl Fn(f64) -> f64 + Sync) -> Computed {
    let array = call.array("self")?;
    one(&array.shape, map(&array.values, function))
}
