//! Sums of products as tiles in registers.
//!
//! Rows of the one factor are packed so that a tile reads them one after the other. The other is
//! read in place where its vectors are neighbours in memory, else packed strip by strip. A tile is
//! kept in registers over the whole depth, then finished and stored by runs of neighbours.

use std::collections::HashMap;

use super::Lines;
use super::expr::Scope;
use super::run::{Neighbours, Taken};
use super::storage::Storage;
use super::text::{Kind as Of, Text};
use crate::loops::{Affine, Expr};
use crate::plan::{Kind, Nest, Product, Stage};

pub(super) fn emit(
    text: &mut Lines,
    functions: &mut String,
    idx: usize,
    nest: &Nest,
    product: &Product,
    (storage, width): (&Storage, usize),
) {
    let stage = &nest.stages[0];
    let printer = Printer { idx, stage, product, nest, storage, width };
    functions.push_str(&printer.tile("direct", "b + off[k]"));
    functions.push_str(&printer.tile("packed", "b + k * NR"));
    let depth = text.depth;
    text.open("");
    printer.offsets(text);
    printer.rows(text);
    printer.strips(text);
    text.close_to(depth);
}

struct Printer<'a> {
    idx: usize,
    stage: &'a Stage,
    product: &'a Product,
    nest: &'a Nest,
    storage: &'a Storage,
    /// Lanes of a vector.
    width: usize,
}

impl Printer<'_> {
    fn extent(&self, vars: &[usize]) -> usize {
        vars.iter().map(|&var| self.stage.extents[var]).product()
    }

    /// A name for each variable.
    fn names(&self) -> Vec<String> {
        (0..self.stage.extents.len()).map(|var| format!("x{var}")).collect()
    }

    fn scope<'s>(
        &'s self,
        vars: &'s [String],
        lane: Option<usize>,
        folded: Option<Text>,
        array: &'s dyn Fn(usize) -> (crate::graph::Dtype, String),
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

    fn position(&self, index: &Affine) -> String {
        let (array, none) = (|source| self.storage.array(source), HashMap::new());
        self.scope(&self.names(), None, None, &array, &none).position(index)
    }

    /// Terms of a position that are of these variables.
    fn terms(&self, index: &Affine, vars: &[usize]) -> Affine {
        let by: Vec<Affine> = (0..self.stage.extents.len())
            .map(|var| if vars.contains(&var) { Affine::var(var) } else { Affine::default() })
            .collect();
        index.substitute(&by, &self.stage.extents).offset(-index.constant)
    }

    /// Whether tiles take the depth in turns.
    fn blocked(&self) -> bool {
        self.product.deep < self.extent(&self.product.depth)
    }

    /// The loop over the depth of one tile.
    fn tile(&self, how: &str, at: &str) -> String {
        let (rows, columns) = (self.product.tile_rows, self.product.tile_columns);
        let mut code = format!(
            "static void tile_{}_{how}(const float *restrict a, const float *restrict b, \
             const int32_t *restrict off, int64_t n, float *restrict t, int more) {{\n    (void)off;\n",
            self.idx
        );
        for row in 0..rows {
            for column in 0..columns {
                code.push_str(&format!("    vf c{row}_{column} = {{0}};\n"));
            }
        }
        code.push_str("    for (int64_t k = 0; k < n; k++) {\n");
        let at = at.replace("NR", &format!("({columns} * W)"));
        code.push_str(&format!("        const float *r = {at};\n"));
        for column in 0..columns {
            code.push_str(&format!("        const vf b{column} = v_load(r + {column} * W);\n"));
        }
        for row in 0..rows {
            for column in 0..columns {
                code.push_str(&format!("        c{row}_{column} += a[{row}] * b{column};\n"));
            }
        }
        code.push_str(&format!("        a += {rows};\n    }}\n"));
        // What came before is added last: sums of parts are more exact than one long sum.
        for row in 0..rows {
            for column in 0..columns {
                let at = format!("({row} * {columns} + {column}) * W");
                let sum = format!("c{row}_{column}");
                if self.blocked() {
                    code.push_str(&format!("    if (more) {sum} += v_load(t + {at});\n"));
                }
                code.push_str(&format!("    v_store(t + {at}, {sum});\n"));
            }
        }
        code.push_str("}\n");
        code
    }

    /// Where each position along the depth begins in the vector factor's array.
    fn offsets(&self, text: &mut Lines) {
        let scratch = self.storage.products[self.idx];
        text.line(&format!(
            "int32_t *restrict off = (int32_t *)((char *)scratch + {});",
            scratch.offsets
        ));
        self.shared(text, &[]);
        let depth = text.depth;
        text.open("");
        text.line("int64_t k = 0;");
        self.loops(text, &self.product.depth);
        let at = self.position(&self.terms(&self.product.index, &self.product.depth));
        text.line(&format!("off[k++] = (int32_t)({at});"));
        text.close_to(depth);
    }

    fn loops(&self, text: &mut Lines, vars: &[usize]) {
        for &var in vars {
            text.count(&format!("x{var}"), self.stage.extents[var]);
        }
    }

    /// The pragma of what follows: loops shared by threads, or one thread.
    fn shared(&self, text: &mut Lines, loops: &[usize]) {
        let region = self.storage.region;
        if !region {
            return;
        }
        if self.nest.part.threads && !loops.is_empty() {
            text.line(&format!("#pragma omp for collapse({}) schedule(static)", loops.len()));
        } else {
            text.line("#pragma omp single");
        }
    }

    /// Packs the rows: for each batch and each block of rows, the depth, rows innermost.
    fn rows(&self, text: &mut Lines) {
        let product = self.product;
        let scratch = self.storage.products[self.idx];
        let n_rows = self.extent(&product.rows);
        let tile = self.product.tile_rows;
        let blocks = n_rows.div_ceil(tile);
        let n_depth = self.extent(&product.depth);
        text.line(&format!(
            "float *restrict left = (float *)((char *)scratch + {});",
            scratch.left
        ));
        let batch = self.left_batch();
        let depth = text.depth;
        self.shared(text, &vec![0; batch.len() + 1]);
        self.loops(text, &batch);
        text.count("mb", blocks);
        let block =
            self.linear(&batch).map_or("mb".to_owned(), |at| format!("({at}) * {blocks} + mb"));
        text.line(&format!("float *restrict p = left + ({block}) * {};", n_depth * tile));
        let (array, none) = (|source| self.storage.array(source), HashMap::new());
        let names = self.names();
        let value = self.scope(&names, None, None, &array, &none).real(&product.left).code;
        if let &[row] = product.rows.as_slice() {
            // Rows innermost: what is written is walked once.
            text.line("int64_t k = 0;");
            self.loops(text, &product.depth);
            text.open(&format!("for (int64_t i = 0; i < {tile}; i++)"));
            text.line(&format!("const int64_t x{row} = mb * {tile} + i;"));
            let value = if n_rows.is_multiple_of(tile) {
                value
            } else {
                format!("x{row} < {n_rows} ? {value} : 0.0f")
            };
            text.line(&format!("p[k * {tile} + i] = {value};"));
            text.close();
            text.line("k++;");
            text.close_to(depth);
            return;
        }
        text.count("i", tile);
        text.line(&format!("const int64_t m = mb * {tile} + i;"));
        if !n_rows.is_multiple_of(tile) {
            text.open(&format!("if (m >= {n_rows})"));
            text.line(&format!(
                "for (int64_t k = 0; k < {n_depth}; k++) p[k * {tile} + i] = 0.0f;"
            ));
            text.line("continue;");
            text.close();
        }
        self.decode(text, "m", &product.rows, &self.row_pitch());
        text.line("int64_t k = 0;");
        self.loops(text, &product.depth);
        text.line(&format!("p[k++ * {tile} + i] = {value};"));
        text.close_to(depth);
    }

    fn row_pitch(&self) -> Vec<i64> {
        let extents: Vec<usize> =
            self.product.rows.iter().map(|&var| self.stage.extents[var]).collect();
        crate::loops::strides(&extents)
    }

    /// Batch variables that the row factor depends on.
    fn left_batch(&self) -> Vec<usize> {
        let batch = self.product.batch.iter().copied();
        batch.filter(|&var| self.product.left.mentions(var)).collect()
    }

    /// Row-major number of a position along some variables.
    fn linear(&self, vars: &[usize]) -> Option<String> {
        let mut text: Option<String> = None;
        for &var in vars {
            text = Some(match text {
                None => format!("x{var}"),
                Some(text) => format!("({text}) * {} + x{var}", self.stage.extents[var]),
            });
        }
        text
    }

    /// Declares variables of a position along an axis that they make up.
    fn decode(&self, text: &mut Lines, at: &str, vars: &[usize], pitch: &[i64]) {
        for (place, (&var, pitch)) in vars.iter().zip(pitch).enumerate() {
            let mut code = at.to_owned();
            if place > 0 {
                code = format!("({code}) % {}", pitch_before(vars, self.stage, place, pitch));
            }
            if *pitch > 1 {
                code = format!("({code}) / {pitch}");
            }
            text.line(&format!("const int64_t x{var} = {code};"));
        }
    }

    fn strips(&self, text: &mut Lines) {
        let (product, part) = (self.product, &self.nest.part);
        let scratch = self.storage.products[self.idx];
        let across = format!("({} * W)", product.tile_columns);
        let n_rows = self.extent(&product.rows);
        let blocks = n_rows.div_ceil(product.tile_rows);
        let n_depth = self.extent(&product.depth);
        let chunks = part.chunks.clamp(1, blocks);
        let per_chunk = blocks.div_ceil(chunks);
        let depth = text.depth;
        let n = product.n_positions;
        self.shared(text, &vec![0; product.batch.len() + 2]);
        let strips = format!("({n} + {across} - 1) / {across}");
        self.loops(text, &product.batch);
        text.count("chunk", chunks);
        text.open(&format!("for (int64_t strip = 0; strip < {strips}; strip++)"));
        text.line(&format!("const int64_t p0 = strip * {across};"));
        let (_, array) = self.storage.array(product.source);
        let outside = self.terms(&product.index, &product.batch).offset(product.index.constant);
        text.line(&format!(
            "const float *restrict from = {array} + ({});",
            self.position(&outside)
        ));
        text.line(&format!(
            "float *restrict strip_of = (float *)((char *)scratch + {} + (size_t)thread * {});",
            scratch.strips, scratch.strip_bytes
        ));
        let block = self.linear(&self.left_batch());
        let block = block.map_or("mb".to_owned(), |at| format!("({at}) * {blocks} + mb"));
        text.line(&format!("const int64_t first = chunk * {per_chunk};"));
        text.line(&format!(
            "const int64_t end = first + {per_chunk} < {blocks} ? first + {per_chunk} : {blocks};"
        ));
        if !product.direct {
            self.lanes(text, &across);
        } else {
            text.line(&format!("const int whole = p0 + {across} <= {n};"));
        }
        let n_tile = format!("{} * {across}", product.tile_rows);
        let every = "for (int64_t mb = first; mb < end; mb++)";
        if self.blocked() {
            text.line(&format!(
                "float *restrict sums = (float *)((char *)scratch + {} + (size_t)thread * {});",
                scratch.sums, scratch.sum_bytes
            ));
            text.open(&format!("for (int64_t k0 = 0; k0 < {n_depth}; k0 += {})", product.deep));
            text.line(&format!(
                "const int64_t k1 = k0 + {0} < {n_depth} ? k0 + {0} : {n_depth};",
                product.deep
            ));
        } else {
            text.line(&format!("const int64_t k0 = 0, k1 = {n_depth};"));
        }
        if product.direct {
            text.open("if (!whole)");
            text.line(&format!("const int64_t rest = {n} - p0;"));
            text.open("for (int64_t k = k0; k < k1; k++)");
            text.line("const float *r = from + off[k] + p0;");
            text.line(&format!(
                "for (int64_t l = 0; l < {across}; l++) strip_of[(k - k0) * {across} + l] = l < rest ? r[l] : 0.0f;"
            ));
            text.close();
            text.close();
        } else {
            self.pack(text, &across);
        }
        text.open(every);
        if self.blocked() {
            text.line(&format!("float *restrict tile = sums + (mb - first) * {n_tile};"));
        } else {
            text.line(&format!("float tile[{n_tile}] __attribute__((aligned(64)));"));
        }
        let rows = format!(
            "left + ({block}) * {} + k0 * {}",
            n_depth * product.tile_rows,
            product.tile_rows
        );
        let call = |how: &str, from: &str| {
            format!("tile_{}_{how}({rows}, {from}, off + k0, k1 - k0, tile, k0 > 0);", self.idx)
        };
        if product.direct {
            text.line(&format!("if (whole) {}", call("direct", "from + p0")));
            text.line(&format!("else {}", call("packed", "strip_of")));
        } else {
            text.line(&call("packed", "strip_of"));
        }
        if self.blocked() {
            text.close();
            text.close();
            text.open(every);
            text.line(&format!("const float *restrict tile = sums + (mb - first) * {n_tile};"));
        }
        self.store(text, &across, n_rows);
        text.close_to(depth);
    }

    /// Where each column of a strip lies, and whether they are neighbours.
    fn lanes(&self, text: &mut Lines, across: &str) {
        let product = self.product;
        text.line(&format!("int32_t lane[{across}];"));
        text.line(&format!("int64_t valid = {} - p0;", product.n_positions));
        text.line(&format!("if (valid > {across}) valid = {across};"));
        text.open("for (int64_t l = 0; l < valid; l++)");
        text.line("const int64_t p = p0 + l;");
        self.decode(text, "p", &product.columns, &product.pitch);
        let at = self.position(&self.terms(&product.index, &product.columns));
        text.line(&format!("lane[l] = (int32_t)({at});"));
        text.close();
        text.line(&format!("for (int64_t l = valid; l < {across}; l++) lane[l] = lane[0];"));
        text.line("int run = 1;");
        text.line(&format!(
            "for (int64_t l = 1; l < {across}; l++) run &= lane[l] == lane[0] + l;"
        ));
    }

    /// Packs a strip: for each position along the depth, its columns next to each other.
    fn pack(&self, text: &mut Lines, across: &str) {
        let product = self.product;
        text.open("if (run)");
        text.open("for (int64_t k = k0; k < k1; k++)");
        text.line("const float *r = from + off[k] + lane[0];");
        text.line(&format!("for (int64_t l = 0; l < {across}; l += W) v_store(strip_of + (k - k0) * {across} + l, v_load(r + l));"));
        text.close();
        text.close();
        // Along the depth first where that is contiguous: rows of the factor are read once.
        let last = product.depth.last().copied();
        let contiguous = last.is_some_and(|var| product.index.stride(var) == Some(1));
        text.open("else");
        if contiguous && product.depth.len() == 1 {
            text.open("for (int64_t kb = k0; kb < k1; kb += 16)");
            text.line("const int64_t ke = kb + 16 < k1 ? kb + 16 : k1;");
            text.open(&format!("for (int64_t l = 0; l < {across}; l++)"));
            text.line("const float *r = from + lane[l];");
            text.line(&format!(
                "for (int64_t k = kb; k < ke; k++) strip_of[(k - k0) * {across} + l] = r[k];"
            ));
            text.close();
            text.close();
        } else {
            text.open("for (int64_t k = k0; k < k1; k++)");
            text.line("const float *r = from + off[k];");
            text.line(&format!(
                "for (int64_t l = 0; l < {across}; l++) strip_of[(k - k0) * {across} + l] = r[lane[l]];"
            ));
            text.close();
        }
        text.close();
    }

    /// Finishes and stores a tile, by runs of neighbours along the innermost column.
    fn store(&self, text: &mut Lines, across: &str, n_rows: usize) {
        let (stage, product) = (self.stage, self.product);
        let Kind::Reduce { finish, .. } = &stage.kind else { unreachable!("a product is a sum") };
        let depth = text.depth;
        text.open(&format!("for (int64_t i = 0; i < {}; i++)", product.tile_rows));
        text.line(&format!("const int64_t m = mb * {} + i;", product.tile_rows));
        if !n_rows.is_multiple_of(product.tile_rows) {
            text.line(&format!("if (m >= {n_rows}) break;"));
        }
        self.decode(text, "m", &product.rows, &self.row_pitch());
        text.line(&format!("int64_t l = 0, left_over = {} - p0;", product.n_positions));
        text.line(&format!("if (left_over > {across}) left_over = {across};"));
        text.open("while (l < left_over)");
        text.line("const int64_t p = p0 + l;");
        let inner = *product.columns.last().expect("there is a column");
        let outer = &product.columns[..product.columns.len() - 1];
        for (place, &var) in product.columns.iter().enumerate() {
            let pitch = product.pitch[place];
            let mut code = "p".to_owned();
            if place > 0 {
                code = format!("({code}) % {}", product.pitch[place - 1]);
            }
            if pitch > 1 {
                code = format!("({code}) / {pitch}");
            }
            let name = if var == inner { format!("y{var}") } else { format!("x{var}") };
            text.line(&format!("const int64_t {name} = {code};"));
        }
        let extent = stage.extents[inner];
        if let Some(place) = product.columns.len().checked_sub(2) {
            let pitch = product.pitch[place];
            // What lies in the border between rows.
            let mut bad = vec![format!("y{inner} >= {extent}")];
            bad.extend(
                outer.iter().skip(1).map(|&var| format!("x{var} >= {}", stage.extents[var])),
            );
            text.line(&format!(
                "if ({}) {{ l += {pitch} - y{inner}; continue; }}",
                bad.join(" || ")
            ));
        }
        text.line(&format!("int64_t n_run = {extent} - y{inner};"));
        text.line("if (n_run > left_over - l) n_run = left_over - l;");
        let mut vars = self.names();
        vars[inner] = format!("(y{inner} + j)");
        let from = format!("tile + i * {across} + l + j");
        let (storage, width) = (self.storage, self.width);
        let run = Neighbours { stage, storage, finish, vars: &vars, inner, width };
        run.store(text, &|taken| match taken {
            Taken::Vector => Text { code: format!("v_load({from})"), kind: Of::Vector },
            Taken::Masked => Text { code: format!("v_load_some({from}, m1)"), kind: Of::Vector },
            Taken::Single => Text { code: format!("*({from})"), kind: Of::Real },
        });
        text.line("l += n_run;");
        text.close_to(depth);
    }
}

/// What a position is reduced by before it is divided by its own pitch: the pitch of the variable
/// before it.
fn pitch_before(vars: &[usize], stage: &Stage, place: usize, pitch: &i64) -> i64 {
    pitch * stage.extents[vars[place]] as i64
}
