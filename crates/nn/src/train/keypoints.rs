//! Spatial softmax (Levine et al., arXiv 1504.00702): where each channel of a picture is greatest.
//!
//! With `p = softmax(x)` over the positions of a channel, its point is `(Σ p u, Σ p v)`, `u` and `v` the
//! column and the row from −1 to 1.

use crate::blocked::{Blocked, Row};
use crate::cpu::Cpu;
use crate::simd::{self, Kernel, Lanes};

/// Column and row of a position, from −1 to 1.
fn place(at: usize, [height, width]: [usize; 2]) -> [f32; 2] {
    let unit = |at: usize, size: usize| (2 * at + 1) as f32 / size as f32 - 1.0;
    [unit(at % width, width), unit(at / width, height)]
}

/// From `x`, `[n · H · W, C]`, to `out`, `[n, 2 C]`: all columns, then all rows.
pub(super) fn forward(cpu: Cpu, x: &Blocked, shape: [usize; 2], out: &mut Blocked) {
    let each = shape[0] * shape[1];
    let n = x.n_tokens() / each;
    let (columns, rows) = out.rows_mut().split_at_mut(x.n_blocks() * n);
    let samples = x.rows().chunks_exact(each).zip(columns.iter_mut().zip(rows));
    for (x, (column, row)) in samples {
        simd::run(cpu, Points { x, shape, column, row });
    }
}

struct Points<'a> {
    x: &'a [Row],
    shape: [usize; 2],
    column: &'a mut Row,
    row: &'a mut Row,
}

impl Kernel for Points<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Lanes>(self) {
        let [total, columns, rows, _] = sums::<V>(self.x, self.shape);
        let outs = self.column.halves_mut().into_iter().zip(self.row.halves_mut());
        for (half, (column, row)) in outs.enumerate() {
            columns[half].div(total[half]).store(column);
            rows[half].div(total[half]).store(row);
        }
    }
}

/// Sums of exponentials, of those times column and times row, and the greatest value.
#[inline(always)]
fn sums<V: Lanes>(x: &[Row], shape: [usize; 2]) -> [[V; 2]; 4] {
    let mut best = [V::splat(f32::MIN); 2];
    for x in x {
        let x = x.halves().map(V::load);
        best = [best[0].max(x[0]), best[1].max(x[1])];
    }
    let minus = best.map(|best| best.mul(V::splat(-1.0)));
    let zero = [V::splat(0.0); 2];
    let [mut total, mut columns, mut rows] = [zero; 3];
    for (at, x) in x.iter().enumerate() {
        let [u, v] = place(at, shape).map(V::splat);
        let x = x.halves().map(V::load);
        for half in 0..2 {
            let e = x[half].add(minus[half]).exp();
            total[half] = total[half].add(e);
            columns[half] = e.fma(u, columns[half]);
            rows[half] = e.fma(v, rows[half]);
        }
    }
    [total, columns, rows, minus]
}

/// Adds the gradient of `x` to `dx`.
pub(super) fn add_backward(
    cpu: Cpu,
    x: &Blocked,
    shape: [usize; 2],
    d: &Blocked,
    dx: &mut Blocked,
) {
    let each = shape[0] * shape[1];
    let n = x.n_tokens() / each;
    let (columns, rows) = d.rows().split_at(x.n_blocks() * n);
    let samples = x.rows().chunks_exact(each).zip(dx.rows_mut().chunks_exact_mut(each));
    for ((x, dx), (column, row)) in samples.zip(columns.iter().zip(rows)) {
        simd::run(cpu, Back { x, shape, column, row, dx });
    }
}

struct Back<'a> {
    x: &'a [Row],
    shape: [usize; 2],
    column: &'a Row,
    row: &'a Row,
    dx: &'a mut [Row],
}

impl Kernel for Back<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Lanes>(self) {
        let [total, columns, rows, minus] = sums::<V>(self.x, self.shape);
        let dcolumn = self.column.halves().map(V::load);
        let drow = self.row.halves().map(V::load);
        // dx = p (du (u - ū) + dv (v - v̄)).
        let mut inverse = [V::splat(0.0); 2];
        let mut less = [V::splat(0.0); 2];
        for half in 0..2 {
            inverse[half] = V::splat(1.0).div(total[half]);
            let mean = dcolumn[half].mul(columns[half]).add(drow[half].mul(rows[half]));
            less[half] = mean.mul(inverse[half]).mul(V::splat(-1.0));
        }
        for (at, (x, dx)) in self.x.iter().zip(self.dx).enumerate() {
            let [u, v] = place(at, self.shape).map(V::splat);
            let x = x.halves().map(V::load);
            for (half, dx) in dx.halves_mut().into_iter().enumerate() {
                let p = x[half].add(minus[half]).exp().mul(inverse[half]);
                let pull = dcolumn[half].fma(u, drow[half].fma(v, less[half]));
                p.fma(pull, V::load(dx)).store(dx);
            }
        }
    }
}
