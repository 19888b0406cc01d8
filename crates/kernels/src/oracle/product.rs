//! Products of matrices and vectors.

use crate::Error;
use crate::oracle::Array;
use crate::oracle::array::zip;
use crate::oracle::call::{Call, Computed, broadcast, one};
use crate::oracle::gemm::{Matrix, multiply};

pub(super) fn compute(call: &Call<'_>) -> Computed {
    match call.name {
        "mm" | "bmm" | "matmul" | "dot" | "mv" => {
            let other = ["mat2", "other", "vec", "tensor"].into_iter().find(|name| call.has(name));
            let (a, b) = (call.array("self")?, call.array(other.unwrap_or("mat2"))?);
            let (shape, values) = product(call, a, b)?;
            one(&shape, values)
        }
        "addmm" | "baddbmm" | "addmv" => {
            let names = match call.name {
                "addmm" => ("mat1", "mat2"),
                "addmv" => ("mat", "vec"),
                _ => ("batch1", "batch2"),
            };
            let (shape, values) = product(call, call.array(names.0)?, call.array(names.1)?)?;
            let beta = call.round(call.number("beta", Some(1.0))?);
            let alpha = call.round(call.number("alpha", Some(1.0))?);
            let product = Array::new(shape, values);
            let added = call.array("self")?;
            if broadcast(call, &[&product.shape, &added.shape])? != product.shape {
                return Err(call.refuse("what is added is larger than the product"));
            }
            let values = zip(&product, added, &product.shape, |product, added| {
                // Beta 0 leaves what is added out, NaN or not.
                alpha * product + if beta == 0.0 { 0.0 } else { beta * added }
            });
            one(&product.shape, values)
        }
        "linear" => {
            let (input, weight) = (call.array("input")?, call.array("weight")?);
            let [m, k] = weight.shape[..] else {
                return Err(call.refuse("a weight without two axes"));
            };
            if input.shape.last() != Some(&k) {
                return Err(call.refuse(format!("{:?} by {:?}", input.shape, weight.shape)));
            }
            let mut shape = input.shape.clone();
            let end = shape.len() - 1;
            shape[end] = m;
            call.expect_shape(0, &shape)?;
            let n_rows: usize = input.shape[..end].iter().product();
            let mut values = vec![0.0; n_rows * m];
            let by = Matrix::dense(&weight.values, k).transposed();
            let sizes = (n_rows, k, m);
            multiply(sizes, Matrix::dense(&input.values, k), by, &mut values, call.single());
            let product = Array::new(shape, values);
            match call.maybe_array("bias")? {
                Some(bias) if bias.shape == [m] => {
                    one(&product.shape, zip(&product, bias, &product.shape, |a, b| a + b))
                }
                Some(_) => Err(call.refuse("a bias of another length")),
                None => Ok(Some(vec![product])),
            }
        }
        _ => Ok(None),
    }
}

/// As `matmul` has it: axes before the last two are repeated, vectors are rows or columns.
fn product(call: &Call<'_>, a: &Array, b: &Array) -> Result<(Vec<usize>, Vec<f64>), Error> {
    let wrong = || call.refuse(format!("{:?} by {:?}", a.shape, b.shape));
    let strict = match call.name {
        "mm" | "addmm" => a.n_dims() == 2 && b.n_dims() == 2,
        "bmm" | "baddbmm" => a.n_dims() == 3 && b.n_dims() == 3 && a.shape[0] == b.shape[0],
        _ => a.n_dims() > 0 && b.n_dims() > 0,
    };
    if !strict {
        return Err(wrong());
    }
    let (mut left, mut right) = (a.shape.clone(), b.shape.clone());
    if a.n_dims() == 1 {
        left.insert(0, 1);
    }
    if b.n_dims() == 1 {
        right.push(1);
    }
    let ([left_batch @ .., m, k], [right_batch @ .., rows, n]) = (&left[..], &right[..]) else {
        return Err(wrong());
    };
    let (m, k, n) = (*m, *k, *n);
    if k != *rows {
        return Err(wrong());
    }
    let batch = broadcast(call, &[left_batch, right_batch])?;
    let mut shape = batch.clone();
    if a.n_dims() > 1 {
        shape.push(m);
    }
    if b.n_dims() > 1 {
        shape.push(n);
    }
    call.expect_shape(0, &shape)?;
    let mut values = vec![0.0; shape.iter().product()];
    let mut walks = (
        super::array::Walk::new(&batch, &super::array::repeating(left_batch, &batch), 0),
        super::array::Walk::new(&batch, &super::array::repeating(right_batch, &batch), 0),
    );
    if values.is_empty() || k == 0 {
        return Ok((shape, values));
    }
    for into in values.chunks_mut(m * n) {
        let at = (walks.0.next_offset() as usize * m * k, walks.1.next_offset() as usize * k * n);
        let left = Matrix::dense(&a.values[at.0..at.0 + m * k], k);
        let right = Matrix::dense(&b.values[at.1..at.1 + k * n], n);
        multiply((m, k, n), left, right, into, call.single());
    }
    Ok((shape, values))
}
