//! Sums of products as inner products: vectors along the depth, some rows times some columns at a
//! time.

use super::genes::Part;
use super::stage::{Kind, Stage};
use crate::graph::Dtype;
use crate::loops::{Binary, Expr, Fold, Program, Unary};

/// Registers that accumulators and factors may take.
const REGISTERS: usize = 30;

/// Products of bytes whose sum fits 32 bits for sure.
const MOST_BYTES: usize = 1 << 16;

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
    /// Factors are bytes, read as they are, and the sum is whole: four products a lane.
    pub(crate) bytes: bool,
}

impl Dots {
    /// The inner products that a stage is; `None` when it is none.
    pub(crate) fn of(program: &Program, stage: &Stage, part: &Part, width: usize) -> Option<Self> {
        let Kind::Reduce { fold: Fold::Sum, body, .. } = &stage.kind else { return None };
        let Expr::Binary(Binary::Mul, one, other) = body else { return None };
        let lane = stage.extents.len().checked_sub(1).filter(|&var| var >= stage.n_spatial)?;
        let all = |dtype: Dtype| body.loads().iter().all(|each| program.dtype(each.0) == dtype);
        let along = |expr: &Expr| {
            let loads = expr.loads();
            !loads.is_empty() && loads.iter().all(|(_, index)| index[0].stride(lane) == Some(1))
        };
        // Whole numbers, whatever they are scaled by in the end; the sum fits 32 bits.
        let depth: usize = stage.extents[stage.n_spatial..].iter().product();
        let bytes = all(Dtype::I8) && depth <= MOST_BYTES;
        let (one, other) = if bytes { (byte(one)?, byte(other)?) } else { (&**one, &**other) };
        let least = if bytes { 4 * width } else { width };
        let reals = stage.dtype == Dtype::F32 && all(Dtype::F32);
        if stage.extents[lane] < least || !(bytes || reals) || !along(one) || !along(other) {
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
        // Sums of columns take registers too, where factors are bytes.
        let taken = if bytes { 2 * tile_columns } else { tile_columns };
        let most = (REGISTERS - taken) / (tile_columns + 1);
        let tile_rows = part.rows.clamp(1, most.max(1)).min(extent(row));
        let (one, other) = (one.clone(), other.clone());
        Some(Self { row, column, tile_rows, tile_columns, lane, one, other, bytes })
    }
}

/// What is read, where a value is an element made a whole number and nothing else.
fn byte(expr: &Expr) -> Option<&Expr> {
    match expr {
        Expr::Unary(Unary::Int | Unary::Long, inner) => {
            matches!(**inner, Expr::Load { .. }).then_some(inner)
        }
        _ => None,
    }
}
