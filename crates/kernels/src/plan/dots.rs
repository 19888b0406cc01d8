//! Sums of products as inner products: vectors along the depth, some rows times some columns at a
//! time.

use super::genes::Part;
use super::stage::{Kind, Stage};
use crate::graph::Dtype;
use crate::loops::{Binary, Expr, Fold, Program};

/// Registers that accumulators and factors may take.
const REGISTERS: usize = 30;

/// A sum of products whose factors are both contiguous along the depth.
#[derive(Debug, Clone)]
pub(crate) struct Dots {
    /// The variable that only the first factor depends on, of which several are computed together.
    pub(crate) row: Option<usize>,
    /// The same of the second factor.
    pub(crate) column: Option<usize>,
    /// How many rows at a time.
    pub(crate) tile_rows: usize,
    /// How many columns at a time.
    pub(crate) tile_columns: usize,
    /// The variable along which vectors lie.
    pub(crate) lane: usize,
    pub(crate) one: Expr,
    pub(crate) other: Expr,
}

impl Dots {
    /// The inner products that a stage is; `None` when it is none.
    pub(crate) fn of(program: &Program, stage: &Stage, part: &Part, width: usize) -> Option<Self> {
        let Kind::Reduce { fold: Fold::Sum, body, .. } = &stage.kind else { return None };
        let Expr::Binary(Binary::Mul, one, other) = body else { return None };
        let lane = stage.extents.len().checked_sub(1).filter(|&var| var >= stage.n_spatial)?;
        let real =
            |expr: &Expr| expr.loads().iter().all(|each| program.dtype(each.0) == Dtype::F32);
        let along = |expr: &Expr| {
            let loads = expr.loads();
            !loads.is_empty() && loads.iter().all(|(_, index)| index[0].stride(lane) == Some(1))
        };
        if stage.extents[lane] < width
            || stage.dtype != Dtype::F32
            || !real(body)
            || !along(one)
            || !along(other)
        {
            return None;
        }
        // The longest of the variables that only one of them depends on.
        let alone = |expr: &Expr, but: &Expr| {
            let vars = (0..stage.n_spatial).filter(|&var| expr.mentions(var) && !but.mentions(var));
            vars.max_by_key(|&var| stage.extents[var])
        };
        let (row, column) = (alone(one, other), alone(other, one));
        let extent = |var: Option<usize>| var.map_or(1, |var| stage.extents[var]);
        let tile_columns = part.columns.clamp(1, 6).min(extent(column));
        let most = (REGISTERS - tile_columns) / (tile_columns + 1);
        let tile_rows = part.rows.clamp(1, most.max(1)).min(extent(row));
        let (one, other) = ((**one).clone(), (**other).clone());
        Some(Self { row, column, tile_rows, tile_columns, lane, one, other })
    }
}
