//! Products of matrices, in double or single precision.
#![expect(unsafe_code, reason = "`matrixmultiply` takes pointers; lengths are checked first")]

/// A matrix within a slice.
#[derive(Clone, Copy)]
pub(super) struct Matrix<'a> {
    pub(super) values: &'a [f64],
    /// Distance of rows.
    pub(super) row: usize,
    /// Distance of columns.
    pub(super) column: usize,
}

impl<'a> Matrix<'a> {
    /// Dense, with rows of this length.
    pub(super) fn dense(values: &'a [f64], n_columns: usize) -> Matrix<'a> {
        Matrix { values, row: n_columns, column: 1 }
    }

    /// With rows and columns exchanged.
    pub(super) fn transposed(self) -> Matrix<'a> {
        Matrix { values: self.values, row: self.column, column: self.row }
    }

    fn holds(&self, rows: usize, columns: usize) -> bool {
        rows == 0
            || columns == 0
            || (rows - 1) * self.row + (columns - 1) * self.column < self.values.len()
    }
}

/// `into = a * b`, dense, `m` by `n`, with `k` products summed. In single precision, factors and
/// sums are `f32`, as a library for that type has them.
///
/// # Panics
/// If a matrix is smaller than that.
pub(super) fn multiply(
    (m, k, n): (usize, usize, usize),
    a: Matrix<'_>,
    b: Matrix<'_>,
    into: &mut [f64],
    single: bool,
) {
    assert!(a.holds(m, k) && b.holds(k, n) && into.len() == m * n, "matrices as large as said");
    if into.is_empty() {
        return;
    }
    if single {
        let narrow = |values: &[f64]| values.iter().map(|value| *value as f32).collect::<Vec<_>>();
        let (left, right) = (narrow(a.values), narrow(b.values));
        let mut sums = vec![0f32; m * n];
        // SAFETY: the assertion bounds every element read of `left` and `right`, which are as long
        // as `a` and `b`; `sums` has `m * n`, dense.
        unsafe {
            matrixmultiply::sgemm(
                m,
                k,
                n,
                1.0,
                left.as_ptr(),
                a.row as isize,
                a.column as isize,
                right.as_ptr(),
                b.row as isize,
                b.column as isize,
                0.0,
                sums.as_mut_ptr(),
                n as isize,
                1,
            );
        }
        for (to, sum) in into.iter_mut().zip(sums) {
            *to = f64::from(sum);
        }
    } else {
        // SAFETY: the assertion bounds every element read of `a` and `b`; `into` has `m * n`,
        // dense.
        unsafe {
            matrixmultiply::dgemm(
                m,
                k,
                n,
                1.0,
                a.values.as_ptr(),
                a.row as isize,
                a.column as isize,
                b.values.as_ptr(),
                b.row as isize,
                b.column as isize,
                0.0,
                into.as_mut_ptr(),
                n as isize,
                1,
            );
        }
    }
}
