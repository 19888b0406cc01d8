//! Inner products of rows and columns, some of each at a time.

use std::collections::HashMap;

use super::Lines;
use super::expr::Scope;
use super::nest::stored;
use super::storage::Storage;
use super::text::{Kind as Of, Text};
use crate::loops::Expr;
use crate::plan::{Dots, Kind, Nest, Stage};

pub(super) fn emit(text: &mut Lines, nest: &Nest, dots: &Dots, storage: &Storage) {
    let stage = &nest.stages[0];
    let depth = text.depth;
    // Columns outside rows: a block of columns stays in the cache while all rows pass.
    let tiled = |var: usize| Some(var) == dots.row || Some(var) == dots.column;
    let plain: Vec<usize> = (0..stage.n_spatial).filter(|&var| !tiled(var)).collect();
    let n_loops =
        plain.len() + usize::from(dots.column.is_some()) + usize::from(dots.row.is_some());
    if storage.region {
        if nest.part.threads && n_loops > 0 {
            text.line(&format!("#pragma omp for collapse({n_loops}) schedule(static)"));
        } else {
            text.line("#pragma omp single");
        }
    }
    for &var in &plain {
        text.count(&format!("x{var}"), stage.extents[var]);
    }
    for (var, tile, name) in
        [(dots.column, dots.tile_columns, "cb"), (dots.row, dots.tile_rows, "rb")]
    {
        if let Some(var) = var {
            text.count(name, stage.extents[var].div_ceil(tile));
        }
    }
    if n_loops == 0 {
        text.open("");
    }
    // Past the end the last one is computed again, and not stored.
    for (var, tile, block) in
        [(dots.column, dots.tile_columns, "cb"), (dots.row, dots.tile_rows, "rb")]
    {
        let Some(var) = var else { continue };
        let last = stage.extents[var] - 1;
        for at in 0..tile {
            let position = format!("{block} * {tile} + {at}");
            let clamped = if stage.extents[var].is_multiple_of(tile) {
                position
            } else {
                format!("{position} < {last} ? {position} : {last}")
            };
            text.line(&format!("const int64_t x{var}_{at} = {clamped};"));
        }
    }
    let printer = Printer { stage, dots, storage };
    printer.sums(text);
    printer.store(text);
    text.close_to(depth);
}

struct Printer<'a> {
    stage: &'a Stage,
    dots: &'a Dots,
    storage: &'a Storage,
}

impl Printer<'_> {
    fn names(&self, row: usize, column: usize) -> Vec<String> {
        (0..self.stage.extents.len())
            .map(|var| match var {
                var if Some(var) == self.dots.row => format!("x{var}_{row}"),
                var if Some(var) == self.dots.column => format!("x{var}_{column}"),
                var => format!("x{var}"),
            })
            .collect()
    }

    fn value(&self, expr: &Expr, vars: &[String], vector: bool) -> String {
        let array = |source| self.storage.array(source);
        let none = HashMap::new();
        let lane = vector.then_some(self.dots.lane);
        let scope = Scope {
            vars,
            lane,
            folded: None,
            array: &array,
            bound: &none,
            tile: 0,
            copy: 0,
            in_lane: false,
            under: 0,
            sure: 0,
        };
        if vector { scope.vector(expr) } else { scope.real(expr).code }
    }

    fn sums(&self, text: &mut Lines) {
        let (rows, columns) = (self.dots.tile_rows, self.dots.tile_columns);
        let each = || (0..rows).flat_map(move |row| (0..columns).map(move |column| (row, column)));
        for (row, column) in each() {
            text.line(&format!("vf a{row}_{column} = {{0}};"));
            text.line(&format!("float s{row}_{column} = 0.0f;"));
        }
        let depth = text.depth;
        let (lane, extent) = (self.dots.lane, self.stage.extents[self.dots.lane]);
        for var in self.stage.n_spatial..lane {
            text.count(&format!("x{var}"), self.stage.extents[var]);
        }
        text.line(&format!("int64_t x{lane} = 0;"));
        for vector in [true, false] {
            let of = if vector { "vf" } else { "float" };
            text.open(&if vector {
                format!("for (; x{lane} + W <= {extent}; x{lane} += W)")
            } else {
                format!("for (; x{lane} < {extent}; x{lane}++)")
            });
            for row in 0..rows {
                let value = self.value(&self.dots.one, &self.names(row, 0), vector);
                text.line(&format!("const {of} p{row} = {value};"));
            }
            for column in 0..columns {
                let value = self.value(&self.dots.other, &self.names(0, column), vector);
                text.line(&format!("const {of} q{column} = {value};"));
            }
            let sum = if vector { 'a' } else { 's' };
            for (row, column) in each() {
                text.line(&format!("{sum}{row}_{column} += p{row} * q{column};"));
            }
            text.close();
        }
        text.close_to(depth);
    }

    fn store(&self, text: &mut Lines) {
        let Kind::Reduce { finish, .. } = &self.stage.kind else { unreachable!("a sum") };
        let (dtype, name) = self.storage.array(self.stage.buffer);
        let array = |source| self.storage.array(source);
        let none = HashMap::new();
        for row in 0..self.dots.tile_rows {
            for column in 0..self.dots.tile_columns {
                let vars = self.names(row, column);
                let folded = Text { code: format!("s{row}_{column}"), kind: Of::Real };
                let scope = Scope {
                    vars: &vars,
                    lane: None,
                    folded: Some(folded.clone()),
                    array: &array,
                    bound: &none,
                    tile: 0,
                    copy: 0,
                    in_lane: false,
                    under: 0,
                    sure: 0,
                };
                let inside = [
                    (self.dots.row, self.dots.tile_rows, "rb", row),
                    (self.dots.column, self.dots.tile_columns, "cb", column),
                ];
                let inside = inside.into_iter().filter_map(|(var, tile, block, at)| {
                    let extent = self.stage.extents[var?];
                    let whole = extent.is_multiple_of(tile);
                    (!whole && at > 0).then(|| format!("{block} * {tile} + {at} < {extent}"))
                });
                let inside: Vec<String> = inside.collect();
                text.open(&if inside.is_empty() {
                    String::new()
                } else {
                    format!("if ({})", inside.join(" && "))
                });
                text.line(&format!("s{row}_{column} += v_sum(a{row}_{column});"));
                let (lines, bound) = scope.bind(&[finish]);
                let scope = Scope { bound: &bound, folded: Some(folded), ..scope };
                lines.iter().for_each(|line| text.line(line));
                let at = scope.position(&self.stage.store);
                let value = scope.value(finish).code;
                text.line(&stored(&name, &at, &value, dtype, None, false, false));
                text.close();
            }
        }
    }
}
