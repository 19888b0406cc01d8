//! Sums of products as tiles: which axes are rows, which make up the vectors.

use super::genes::Part;
use super::stage::{Kind, Stage};
use crate::graph::Dtype;
use crate::loops::{Affine, Binary, Expr, Fold, Program};

/// A sum of products seen as one of matrices, for each position along `batch`.
#[derive(Debug, Clone)]
pub(crate) struct Product {
    /// Variables that both factors share, or that stay outside.
    pub(crate) batch: Vec<usize>,
    /// Variables of the row factor alone.
    pub(crate) rows: Vec<usize>,
    /// Variables that make up the axis of vectors, outermost first.
    pub(crate) columns: Vec<usize>,
    /// Positions along that axis that one step of each takes.
    pub(crate) pitch: Vec<i64>,
    /// Length of that axis. More than its columns, where rows of an image have a border between
    /// them: what is computed there is thrown away.
    pub(crate) n_positions: i64,
    /// Variables summed over.
    pub(crate) depth: Vec<usize>,
    /// The row factor, any value.
    pub(crate) left: Expr,
    /// The vector factor's array.
    pub(crate) source: usize,
    /// Its flat position.
    pub(crate) index: Affine,
    /// Neighbours along the vector axis are neighbours in memory, so it can be read in place.
    pub(crate) direct: bool,
    /// Rows of a tile.
    pub(crate) tile_rows: usize,
    /// Vectors across a tile.
    pub(crate) tile_columns: usize,
}

/// Vector registers there are.
const REGISTERS: usize = 32;

impl Product {
    /// The product that a stage is; `None` when it is none.
    pub(crate) fn of(program: &Program, stage: &Stage, part: &Part, width: usize) -> Option<Self> {
        let Kind::Reduce { fold: Fold::Sum, body, .. } = &stage.kind else { return None };
        let Expr::Binary(Binary::Mul, one, other) = body else { return None };
        if stage.dtype != Dtype::F32 {
            return None;
        }
        let whole =
            |expr: &Expr| expr.loads().iter().any(|each| program.dtype(each.0) != Dtype::F32);
        if whole(one) || whole(other) {
            return None;
        }
        let make = |left: &Expr, right: &Expr| Self::with_factors(stage, part, left, right);
        let (plain, swapped) = (make(one, other), make(other, one));
        // In place is better than packed, and among equals the one whose vectors are stored whole.
        let rank = |product: &Option<Self>| {
            product.as_ref().map(|each| {
                let last = each.columns.last().copied().unwrap_or(0);
                (each.direct, stage.store.stride(last) == Some(1))
            })
        };
        let plain_first = rank(&plain) >= rank(&swapped);
        let (best, second) = if plain_first { (plain, swapped) } else { (swapped, plain) };
        let product = if part.swapped && second.is_some() { second } else { best };
        product.map(|each| each.in_registers(stage, part, width))
    }

    /// With a tile that is no larger than the whole, and stays in registers.
    fn in_registers(mut self, stage: &Stage, part: &Part, width: usize) -> Self {
        let n_rows: usize = self.rows.iter().map(|&var| stage.extents[var]).product();
        let n_vectors = (self.n_positions as usize).div_ceil(width);
        self.tile_columns = part.columns.clamp(1, 8).min(n_vectors);
        let most = (REGISTERS - 1 - self.tile_columns) / self.tile_columns;
        self.tile_rows = part.rows.clamp(1, most.max(1)).min(n_rows);
        self
    }

    fn with_factors(stage: &Stage, part: &Part, left: &Expr, right: &Expr) -> Option<Self> {
        let Expr::Load { source, index } = right else { return None };
        let index = index[0].clone();
        let vars = 0..stage.extents.len();
        if vars.clone().any(|var| index.stride(var).is_none()) {
            return None;
        }
        let (mut batch, mut rows, mut columns) = (Vec::new(), Vec::new(), Vec::new());
        for var in 0..stage.n_spatial {
            match (left.mentions(var), index.mentions(var)) {
                (true, false) => rows.push(var),
                (false, true) => columns.push(var),
                _ => batch.push(var),
            }
        }
        let stride = |var: usize| index.stride(var).unwrap_or(0);
        columns.sort_by_key(|&var| stride(var));
        let first = *columns.first()?;
        let depth: Vec<usize> = (stage.n_spatial..stage.extents.len()).collect();
        let base = Self {
            batch: batch.clone(),
            rows,
            columns: Vec::new(),
            pitch: Vec::new(),
            n_positions: 0,
            depth,
            left: left.clone(),
            source: *source,
            index: index.clone(),
            direct: false,
            tile_rows: 1,
            tile_columns: 1,
        };
        if stride(first) != 1 || part.packed {
            // Row-major over all columns, those that are stored next to each other innermost.
            let stored = |var: usize| stage.store.stride(var).unwrap_or(i64::MAX);
            columns.sort_by_key(|&var| std::cmp::Reverse(stored(var)));
            let extents: Vec<usize> = columns.iter().map(|&var| stage.extents[var]).collect();
            let pitch = crate::loops::strides(&extents);
            let n_positions = extents.iter().product::<usize>() as i64;
            return Some(Self { columns, pitch, n_positions, ..base });
        }
        let (mut flat, mut pitch) = (vec![first], vec![1]);
        let mut span = stage.extents[first] as i64;
        let mut useful = span;
        for &var in &columns[1..] {
            let (by, extent) = (stride(var), stage.extents[var] as i64);
            let longer = by * (extent - 1) + span;
            if by < span || 2 * useful * extent < longer {
                break;
            }
            flat.push(var);
            pitch.push(by);
            span = longer;
            useful *= extent;
        }
        batch.extend(columns.iter().filter(|var| !flat.contains(var)));
        flat.reverse();
        pitch.reverse();
        Some(Self { batch, columns: flat, pitch, n_positions: span, direct: true, ..base })
    }
}
