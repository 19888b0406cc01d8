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
    /// Positions along the depth before the next tile's turn; all of them when tiles are kept in
    /// registers to the end.
    pub(crate) deep: usize,
}

/// Vector registers there are.
const REGISTERS: usize = 32;

/// Elements between positions along the depth from which packing pays.
const FAR: i64 = 256;

/// Rows from which packing pays.
const OFTEN: usize = 32;

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
        let make =
            |left: &Expr, right: &Expr| Self::with_factors(stage, (part, width), left, right);
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
        let n_depth: usize = self.depth.iter().map(|&var| stage.extents[var]).product();
        let blocked = part.deep > 0 && 2 * n_depth > 3 * part.deep;
        self.deep = if blocked { part.deep } else { n_depth };
        self
    }

    fn with_factors(
        stage: &Stage,
        (part, width): (&Part, usize),
        left: &Expr,
        right: &Expr,
    ) -> Option<Self> {
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
            deep: 0,
        };
        // Rows far from each other fall into few sets of the cache, so that they are not kept.
        let far = base.depth.iter().any(|&var| stride(var).abs() >= FAR);
        let n_rows: usize = base.rows.iter().map(|&var| stage.extents[var]).product();
        let packed = (far && base.depth.len() == 1 && n_rows >= OFTEN) != part.packed;
        if stride(first) != 1 || packed {
            // Row-major over all columns, those that are stored next to each other innermost.
            let stored = |var: usize| stage.store.stride(var).unwrap_or(i64::MAX);
            columns.sort_by_key(|&var| std::cmp::Reverse(stored(var)));
            let extents: Vec<usize> = columns.iter().map(|&var| stage.extents[var]).collect();
            let pitch = crate::loops::strides(&extents);
            let n_positions = extents.iter().product::<usize>() as i64;
            return Some(Self { columns, pitch, n_positions, ..base });
        }
        // As many axes as leave the least of what is computed between their rows, or beyond them.
        let (mut flat, mut pitch) = (vec![first], vec![1]);
        let mut span = stage.extents[first] as i64;
        let mut useful = span;
        let waste = |span: i64, useful: i64| {
            let across = part.columns.clamp(1, 8).min((span as usize).div_ceil(width)) * width;
            (span as usize).next_multiple_of(across) as f64 / useful as f64
        };
        let (mut least, mut best) = (waste(span, useful), (1, span));
        for &var in &columns[1..] {
            let (by, extent) = (stride(var), stage.extents[var] as i64);
            if by < span {
                break;
            }
            flat.push(var);
            pitch.push(by);
            span += by * (extent - 1);
            useful *= extent;
            if waste(span, useful) <= least {
                (least, best) = (waste(span, useful), (flat.len(), span));
            }
        }
        flat.truncate(best.0);
        pitch.truncate(best.0);
        let span = best.1;
        batch.extend(columns.iter().filter(|var| !flat.contains(var)));
        flat.reverse();
        pitch.reverse();
        Some(Self { batch, columns: flat, pitch, n_positions: span, direct: true, ..base })
    }
}
