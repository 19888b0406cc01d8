//! Values out of nothing, and masks by position.

use crate::oracle::call::{Call, Computed, one};

pub(super) fn compute(call: &Call<'_>) -> Computed {
    match call.name {
        "full" | "zeros" | "ones" | "new_full" | "new_zeros" | "new_ones" => {
            let shape = call.extents("size")?;
            constant(call, &shape)
        }
        "full_like" | "zeros_like" | "ones_like" | "fill" => {
            let shape = &call.array("self")?.shape;
            constant(call, shape)
        }
        "scalar_tensor" => one(&[], vec![call.round(call.number("s", None)?)]),
        "arange" => {
            let start = call.number("start", Some(0.0))?;
            let (end, step) = (call.number("end", None)?, call.number("step", Some(1.0))?);
            let n = ((end - start) / step).ceil();
            if !(0.0..=super::MOST_ELEMENTS as f64).contains(&n) {
                return Err(call.refuse(format!("{n} steps")));
            }
            let n = n as usize;
            call.expect_shape(0, &[n])?;
            one(&[n], (0..n).map(|idx| start + idx as f64 * step).collect())
        }
        "linspace" => {
            let (start, end) = (call.number("start", None)?, call.number("end", None)?);
            let n = usize::try_from(call.int("steps", None)?).unwrap_or(0);
            call.expect_shape(0, &[n])?;
            let step = (end - start) / n.saturating_sub(1).max(1) as f64;
            one(&[n], (0..n).map(|idx| start + idx as f64 * step).collect())
        }
        "eye" => {
            let n = usize::try_from(call.int("n", None)?).unwrap_or(0);
            let m = call.maybe_int("m")?.map_or(Some(n), |m| usize::try_from(m).ok()).unwrap_or(0);
            call.expect_shape(0, &[n, m])?;
            let mut values = vec![0.0; n * m];
            for idx in 0..n.min(m) {
                values[idx * m + idx] = 1.0;
            }
            one(&[n, m], values)
        }
        "tril" | "triu" => {
            let array = call.array("self")?;
            let [.., rows, columns] = array.shape[..] else {
                return Err(call.refuse("a tensor with fewer than two axes"));
            };
            let diagonal = call.int("diagonal", Some(0))?;
            let mut values = array.values.clone();
            if rows * columns > 0 {
                for plane in values.chunks_mut(rows * columns) {
                    for (row, line) in plane.chunks_mut(columns).enumerate() {
                        // The first column above the diagonal.
                        let cut = (row as i64 + 1).saturating_add(diagonal);
                        let cut = |shift: i64| {
                            cut.saturating_sub(shift).clamp(0, columns as i64) as usize
                        };
                        match call.name {
                            "tril" => line[cut(0)..].fill(0.0),
                            _ => line[..cut(1)].fill(0.0),
                        }
                    }
                }
            }
            one(&array.shape, values)
        }
        "_assert_tensor_metadata" | "_assert_scalar" | "_assert_async" | "sym_constrain_range" => {
            Ok(Some(Vec::new()))
        }
        "rand" | "randn" | "randint" | "rand_like" | "randn_like" | "bernoulli"
        | "native_dropout" => Err(call.refuse("random")),
        _ => Ok(None),
    }
}

fn constant(call: &Call<'_>, shape: &[usize]) -> Computed {
    call.expect_shape(0, shape)?;
    let value = if call.name.contains("zeros") {
        0.0
    } else if call.name.contains("ones") {
        1.0
    } else {
        call.round(call.number(if call.name == "fill" { "value" } else { "fill_value" }, None)?)
    };
    let n = shape.iter().product();
    one(shape, vec![value; n])
}
