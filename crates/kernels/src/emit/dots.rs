//! Inner products of rows and columns, some of each at a time.

use std::collections::HashMap;

use super::Lines;
use super::expr::Scope;
use super::nest::stored;
use super::storage::Storage;
use super::text::{Kind as Of, Text};
use crate::graph::Dtype;
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

    fn scope<'s>(
        &'s self,
        vars: &'s [String],
        (lane, folded): (Option<usize>, Option<Text>),
        array: &'s dyn Fn(usize) -> (Dtype, String),
        bound: &'s HashMap<Expr, Text>,
    ) -> Scope<'s> {
        Scope {
            vars,
            lane,
            folded,
            array,
            bound,
            tile: 0,
            copy: 0,
            in_lane: false,
            under: 0,
            sure: 0,
        }
    }

    /// A factor at a position along the depth.
    fn factor(&self, expr: &Expr, vars: &[String], vector: bool) -> String {
        let (array, none) = (|source| self.storage.array(source), HashMap::new());
        let scope = self.scope(vars, (vector.then_some(self.dots.lane), None), &array, &none);
        match expr {
            Expr::Load { source, index } if self.dots.bytes && vector => {
                format!("v_bytes({} + ({}))", array(*source).1, scope.position(&index[0]))
            }
            _ if vector => scope.vector(expr),
            _ if self.dots.bytes => scope.value(expr).code,
            _ => scope.real(expr).code,
        }
    }

    fn sums(&self, text: &mut Lines) {
        let (rows, columns) = (self.dots.tile_rows, self.dots.tile_columns);
        let each = || (0..rows).flat_map(move |row| (0..columns).map(move |column| (row, column)));
        let bytes = self.dots.bytes;
        let (vector_of, one_of) = if bytes { ("vi", "uint32_t") } else { ("vf", "float") };
        for (row, column) in each() {
            text.line(&format!("{vector_of} a{row}_{column} = {{0}};"));
            text.line(&format!("{one_of} s{row}_{column} = 0;"));
        }
        if bytes {
            (0..columns).for_each(|column| text.line(&format!("vi z{column} = {{0}};")));
        }
        let depth = text.depth;
        let (lane, extent) = (self.dots.lane, self.stage.extents[self.dots.lane]);
        for var in self.stage.n_spatial..lane {
            text.count(&format!("x{var}"), self.stage.extents[var]);
        }
        text.line(&format!("int64_t x{lane} = 0;"));
        let step = if bytes { "4 * W" } else { "W" };
        for vector in [true, false] {
            let of = if vector { vector_of } else { one_of };
            text.open(&if vector {
                format!("for (; x{lane} + {step} <= {extent}; x{lane} += {step})")
            } else {
                format!("for (; x{lane} < {extent}; x{lane}++)")
            });
            for row in 0..rows {
                let value = self.factor(&self.dots.one, &self.names(row, 0), vector);
                let value = if bytes && vector { format!("v_lifted({value})") } else { value };
                text.line(&format!("const {of} p{row} = {value};"));
            }
            for column in 0..columns {
                let value = self.factor(&self.dots.other, &self.names(0, column), vector);
                text.line(&format!("const {of} q{column} = {value};"));
                if bytes && vector {
                    text.line(&format!(
                        "z{column} = v_dot(z{column}, v_lifted((vi){{0}}), q{column});"
                    ));
                }
            }
            for (row, column) in each() {
                text.line(&match (bytes && vector, vector) {
                    (true, _) => {
                        format!("a{row}_{column} = v_dot(a{row}_{column}, p{row}, q{column});")
                    }
                    (_, true) => format!("a{row}_{column} += p{row} * q{column};"),
                    _ => format!("s{row}_{column} += p{row} * q{column};"),
                });
            }
            text.close();
        }
        text.close_to(depth);
    }

    fn store(&self, text: &mut Lines) {
        let Kind::Reduce { finish, .. } = &self.stage.kind else { unreachable!("a sum") };
        let (dtype, name) = self.storage.array(self.stage.buffer);
        let (array, none) = (|source| self.storage.array(source), HashMap::new());
        for row in 0..self.dots.tile_rows {
            for column in 0..self.dots.tile_columns {
                let vars = self.names(row, column);
                let sum = format!("s{row}_{column}");
                let folded = if self.dots.bytes {
                    Text { code: format!("(int32_t){sum}"), kind: Of::Int }
                } else {
                    Text { code: sum.clone(), kind: Of::Real }
                };
                let scope = self.scope(&vars, (None, Some(folded)), &array, &none);
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
                text.line(&if self.dots.bytes {
                    format!("{sum} += v_total(a{row}_{column}) - v_total(z{column});")
                } else {
                    format!("{sum} += v_sum(a{row}_{column});")
                });
                let (lines, bound) = scope.bind(&[finish]);
                let scope = Scope { bound: &bound, ..scope };
                lines.iter().for_each(|line| text.line(line));
                let at = scope.position(&self.stage.store);
                let value = scope.value(finish).code;
                text.line(&stored(&name, &at, &value, dtype, None, false, false));
                text.close();
            }
        }
    }
}
