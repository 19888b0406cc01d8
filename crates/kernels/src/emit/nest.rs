//! Loop nests as C.

use std::collections::HashMap;

use super::Lines;
use super::expr::{Kind as Of, Scope, Text, kind_of, literal, real};
use super::storage::{Place, Storage};
use crate::graph::Dtype;
use crate::loops::{Affine, Expr, Fold};
use crate::plan::{Kind, Nest, Stage, Vectors, best_inner, without_outer};

/// How a stage is printed: in vectors along which variable and how many of them, or one by one.
#[derive(Clone, Copy)]
struct Mode {
    /// The variable and the number of vectors.
    lane: Option<(usize, usize)>,
    /// See [`Scope::tile`].
    tile: usize,
}

/// Elements that one accumulator of a vector's sum adds up before they join the rest: rounding errors
/// of longer sums would show.
const LONG_SUM: usize = 16 * 1024;

struct Printer<'a> {
    nest: &'a Nest,
    storage: &'a Storage,
    unroll: usize,
}

pub(super) fn emit(text: &mut Lines, nest: &Nest, storage: &Storage, region: bool, width: usize) {
    let unroll = nest.part.unroll.max(1);
    let printer = Printer { nest, storage, unroll };
    let depth = text.depth;
    if region && !(nest.part.threads && !nest.outer.is_empty()) {
        text.open("#pragma omp single\n    ");
    } else {
        text.open("");
    }
    for &source in &nest.local {
        if let Place::Local(at, share) = storage.place(source) {
            let (dtype, name) = storage.array(source);
            let of = dtype.c_name();
            text.line(&format!(
                "{of} *restrict {name} = ({of} *)((char *)scratch + {at} + (size_t)thread * {share});"
            ));
        }
    }
    if nest.part.threads && region && !nest.outer.is_empty() {
        text.line(&format!("#pragma omp for collapse({}) schedule(static)", nest.outer.len()));
    }
    match nest.vectors {
        Vectors::Outer(lane) => {
            let tile = unroll * width;
            for (var, &extent) in nest.outer.iter().enumerate() {
                if var == lane {
                    text.count("b", extent.div_ceil(tile));
                } else {
                    text.count(&format!("i{var}"), extent);
                }
            }
            let extent = nest.outer[lane];
            text.line(&format!("int64_t i{lane} = b * {tile};"));
            let whole = |text: &mut Lines, n: usize| {
                printer.stages(text, Mode { lane: Some((lane, n)), tile });
            };
            if extent % tile == 0 {
                whole(text, unroll);
            } else {
                text.open(&format!("if (i{lane} + {tile} <= {extent})"));
                whole(text, unroll);
                text.close();
                text.open("else");
                text.open(&format!("for (; i{lane} + W <= {extent}; i{lane} += W)"));
                whole(text, 1);
                text.close();
                text.open(&format!("for (; i{lane} < {extent}; i{lane}++)"));
                printer.stages(text, Mode { lane: None, tile });
                text.close();
                text.close();
            }
        }
        _ => {
            for (var, &extent) in nest.outer.iter().enumerate() {
                text.count(&format!("i{var}"), extent);
            }
            printer.stages(text, Mode { lane: None, tile: 0 });
        }
    }
    text.close_to(depth);
}

/// A name for each variable of a stage.
fn names(stage: &Stage, n_outer: usize) -> Vec<String> {
    (0..stage.extents.len())
        .map(|var| if var < n_outer { format!("i{var}") } else { format!("j{var}") })
        .collect()
}

impl Printer<'_> {
    fn stages(&self, text: &mut Lines, mode: Mode) {
        for stage in &self.nest.stages {
            let stage = self.localised(stage);
            if self.nest.local.contains(&stage.buffer)
                && self.storage.place(stage.buffer) == Place::Register
            {
                let (dtype, name) = self.storage.array(stage.buffer);
                let (of, n) = match mode.lane {
                    Some((_, n)) => ("vf", n),
                    None => (dtype.c_name(), 1),
                };
                for copy in 0..n {
                    text.line(&format!("{of} {name}_{copy};"));
                }
            }
            let depth = text.depth;
            text.open("");
            self.stage(text, &stage, mode);
            text.close_to(depth);
        }
    }

    /// With reads of what is local to the pass marked: no position for variables, two for arrays.
    fn localised(&self, stage: &Stage) -> Stage {
        let n_outer = self.nest.outer.len();
        let extents = stage.extents.clone();
        let change = |expr: &Expr| {
            expr.map(&mut |part| match part {
                Expr::Load { source, index } if self.nest.local.contains(&source) => {
                    let index = match self.storage.place(source) {
                        Place::Register => Vec::new(),
                        _ => {
                            let inner = without_outer(&index[0], n_outer, &extents);
                            vec![inner, Affine::default()]
                        }
                    };
                    Expr::Load { source, index }
                }
                part => part,
            })
        };
        let mut stage = stage.clone();
        stage.kind = match &stage.kind {
            Kind::Map(expr) => Kind::Map(change(expr)),
            Kind::Reduce { fold, body, finish } => {
                Kind::Reduce { fold: *fold, body: change(body), finish: change(finish) }
            }
            Kind::Scan { fold, axis, body, finish } => {
                let (body, finish) = (change(body), change(finish));
                Kind::Scan { fold: *fold, axis: *axis, body, finish }
            }
        };
        stage
    }

    fn stage(&self, text: &mut Lines, stage: &Stage, mode: Mode) {
        let n_outer = self.nest.outer.len();
        let own = match (self.nest.vectors, mode.lane) {
            (Vectors::Inner, None) => best_inner(stage, n_outer),
            _ => None,
        };
        let scan = match stage.kind {
            Kind::Scan { axis, .. } => Some(axis),
            _ => None,
        };
        let vars = names(stage, n_outer);
        for var in n_outer..stage.n_spatial {
            if Some(var) != scan && Some(var) != own {
                text.count(&vars[var], stage.extents[var]);
            }
        }
        let Some(lane) = own else {
            return self.element(text, stage, mode, &vars);
        };
        if lane >= stage.n_spatial {
            return self.folded_in_vectors(text, stage, lane, &vars);
        }
        if scan == Some(lane) {
            return self.scanned_in_vectors(text, stage, lane, &vars);
        }
        let (extent, name) = (stage.extents[lane], &vars[lane]);
        text.line(&format!("int64_t {name} = 0;"));
        for n in [self.unroll, 1] {
            if n * 4 > extent && n > 1 {
                continue;
            }
            text.open(&format!("for (; {name} + {n} * W <= {extent}; {name} += {n} * W)"));
            self.element(text, stage, Mode { lane: Some((lane, n)), tile: 0 }, &vars);
            text.close();
            if self.unroll == 1 {
                break;
            }
        }
        text.open(&format!("for (; {name} < {extent}; {name}++)"));
        self.element(text, stage, Mode { lane: None, tile: 0 }, &vars);
        text.close();
    }

    fn scope<'s>(
        &'s self,
        mode: Mode,
        copy: usize,
        vars: &'s [String],
        array: &'s dyn Fn(usize) -> (Dtype, String),
        bound: &'s HashMap<Expr, Text>,
    ) -> Scope<'s> {
        let lane = mode.lane.map(|(lane, _)| lane);
        Scope { vars, lane, folded: None, array, bound, tile: mode.tile, copy, in_lane: false }
    }

    /// Variables as the vector number `copy` sees them.
    fn shifted(mode: Mode, copy: usize, vars: &[String]) -> Vec<String> {
        let mut vars = vars.to_vec();
        if let Some((lane, _)) = mode.lane
            && copy > 0
        {
            vars[lane] = format!("({} + {copy} * W)", vars[lane]);
        }
        vars
    }

    /// One position, or some vectors of them.
    fn element(&self, text: &mut Lines, stage: &Stage, mode: Mode, vars: &[String]) {
        let n = mode.lane.map_or(1, |(_, n)| n);
        match &stage.kind {
            Kind::Map(expr) => {
                for copy in 0..n {
                    self.store(text, stage, expr, None, (mode, copy), vars);
                }
            }
            Kind::Reduce { fold, body, finish } => {
                let depth = text.depth;
                let of = self.accumulator(stage, *fold, body, mode);
                let scalar = real_or_whole(&of);
                for copy in 0..n {
                    text.line(&format!("{of} a{copy} = {};", start(*fold, &of)));
                }
                let folded_over = stage.n_spatial..stage.extents.len();
                let n_folded: usize = stage.extents[folded_over.clone()].iter().product();
                let last = folded_over.clone().last().filter(|&var| {
                    *fold == Fold::Sum && of == "vf" && n_folded > 4096 && stage.extents[var] > 8
                });
                for var in folded_over {
                    if Some(var) == last {
                        for copy in 0..n {
                            text.line(&format!("vf p{copy} = v_all(0.0f);"));
                        }
                    }
                    text.count(&vars[var], stage.extents[var]);
                }
                let into = if last.is_some() { 'p' } else { 'a' };
                for copy in 0..n {
                    self.fold(text, *fold, body, &format!("{into}{copy}"), (mode, copy), vars);
                }
                if last.is_some() {
                    text.close();
                    for copy in 0..n {
                        text.line(&format!("a{copy} = a{copy} + p{copy};"));
                    }
                }
                text.close_to(depth);
                for copy in 0..n {
                    let folded = Text { code: format!("a{copy}"), kind: scalar };
                    self.store(text, stage, finish, Some(folded), (mode, copy), vars);
                }
            }
            Kind::Scan { fold, axis, body, finish } => {
                let depth = text.depth;
                let of = self.accumulator(stage, *fold, body, mode);
                for copy in 0..n {
                    text.line(&format!("{of} a{copy} = {};", start(*fold, &of)));
                }
                text.count(&vars[*axis], stage.extents[*axis]);
                for copy in 0..n {
                    self.fold(text, *fold, body, &format!("a{copy}"), (mode, copy), vars);
                    let folded = Text { code: format!("a{copy}"), kind: real_or_whole(&of) };
                    self.store(text, stage, finish, Some(folded), (mode, copy), vars);
                }
                text.close_to(depth);
            }
        }
    }

    /// Type of what is folded into.
    fn accumulator(&self, stage: &Stage, fold: Fold, body: &Expr, mode: Mode) -> String {
        if mode.lane.is_some() {
            return "vf".to_owned();
        }
        let vars = vec!["0".to_owned(); stage.extents.len()];
        let array = |source| self.storage.array(source);
        let none = HashMap::new();
        let mut scope = self.scope(mode, 0, &vars, &array, &none);
        scope.folded = Some(Text { code: String::new(), kind: Of::Real });
        accumulator_of(scope.value(body).kind, stage.dtype, fold).to_owned()
    }

    fn fold(
        &self,
        text: &mut Lines,
        fold: Fold,
        body: &Expr,
        into: &str,
        (mode, copy): (Mode, usize),
        vars: &[String],
    ) {
        let vars = Self::shifted(mode, copy, vars);
        let array = |source| self.storage.array(source);
        let none = HashMap::new();
        let scope = self.scope(mode, copy, &vars, &array, &none);
        let (lines, bound) = scope.bind(&[body]);
        let scope = Scope { bound: &bound, ..scope };
        if !lines.is_empty() {
            text.open("");
        }
        lines.iter().for_each(|line| text.line(line));
        let vector = mode.lane.is_some();
        let value = if vector { scope.vector(body) } else { scope.value(body).code };
        let whole = !vector && matches!(scope.value(body).kind, Of::Int | Of::Long);
        text.line(&format!("{into} = {};", folded(fold, into, &value, vector, whole)));
        if !lines.is_empty() {
            text.close();
        }
    }

    fn store(
        &self,
        text: &mut Lines,
        stage: &Stage,
        expr: &Expr,
        fold: Option<Text>,
        (mode, copy): (Mode, usize),
        vars: &[String],
    ) {
        let vars = Self::shifted(mode, copy, vars);
        let array = |source| self.storage.array(source);
        let none = HashMap::new();
        let mut scope = self.scope(mode, copy, &vars, &array, &none);
        scope.folded = fold;
        let (lines, bound) = scope.bind(&[expr]);
        let scope = Scope { bound: &bound, folded: scope.folded.clone(), ..scope };
        text.open("");
        lines.iter().for_each(|line| text.line(line));
        let (dtype, name) = self.storage.array(stage.buffer);
        let local = self.nest.local.contains(&stage.buffer);
        let place = self.storage.place(stage.buffer);
        let vector = mode.lane.is_some();
        let value = if vector { scope.vector(expr) } else { scope.value(expr).code };
        let position = |index: &Affine| scope.position(index);
        if local && place == Place::Register {
            text.line(&format!("{name}_{copy} = {value};"));
        } else if local {
            let inner = without_outer(&stage.store, self.nest.outer.len(), &stage.extents);
            let at = if mode.tile > 0 {
                format!("({}) * {} + {copy} * W", position(&inner), mode.tile)
            } else {
                position(&inner)
            };
            let line = if vector {
                format!("v_store({name} + {at}, {value});")
            } else {
                format!("{name}[{at}] = {value};")
            };
            text.line(&line);
        } else {
            let at = position(&stage.store);
            let along = mode.lane.map(|(lane, _)| stage.store.stride(lane));
            text.line(&stored(&name, &at, &value, dtype, along, self.nest.part.streaming));
        }
        text.close();
    }

    /// A fold along a variable of its own in vectors, with as many accumulators as vectors.
    fn folded_in_vectors(&self, text: &mut Lines, stage: &Stage, lane: usize, vars: &[String]) {
        let Kind::Reduce { fold, body, finish } = &stage.kind else {
            unreachable!("only reductions have variables that they fold over")
        };
        let (extent, name) = (stage.extents[lane], &vars[lane]);
        let unroll = if self.unroll * 4 > extent { 1 } else { self.unroll };
        for copy in 0..unroll {
            text.line(&format!("vf a{copy} = {};", start(*fold, "vf")));
        }
        text.line(&format!("float s = {};", start(*fold, "float")));
        let depth = text.depth;
        for var in stage.n_spatial..stage.extents.len() {
            if var != lane {
                text.count(&vars[var], stage.extents[var]);
            }
        }
        text.line(&format!("int64_t {name} = 0;"));
        for n in [unroll, 1] {
            let mode = Mode { lane: Some((lane, n)), tile: 0 };
            let blocks = *fold == Fold::Sum && extent > n * LONG_SUM;
            if blocks {
                let least = format!("{name} + {n} * W <= {extent}");
                text.open(&format!("while ({least})"));
                for copy in 0..n {
                    text.line(&format!("vf p{copy} = v_all(0.0f);"));
                }
                text.line(&format!("const int64_t stop = {name} + {} * W;", n * LONG_SUM / 16));
            }
            let until = if blocks { format!(" && {name} < stop") } else { String::new() };
            let step = format!("{name} + {n} * W <= {extent}{until}; {name} += {n} * W");
            text.open(&format!("for (; {step})"));
            for copy in 0..n {
                let into = if blocks { format!("p{copy}") } else { format!("a{copy}") };
                self.fold(text, *fold, body, &into, (mode, copy), vars);
            }
            text.close();
            if blocks {
                for copy in 0..n {
                    text.line(&format!("a{copy} = a{copy} + p{copy};"));
                }
                text.close();
            }
            if unroll == 1 {
                break;
            }
        }
        let one = Mode { lane: None, tile: 0 };
        text.open(&format!("for (; {name} < {extent}; {name}++)"));
        self.fold_real(text, *fold, body, "s", one, vars);
        text.close();
        text.close_to(depth);
        for copy in 1..unroll {
            text.line(&format!("a0 = {};", folded(*fold, "a0", &format!("a{copy}"), true, false)));
        }
        let all = match fold {
            Fold::Sum => "v_sum",
            Fold::Product => "v_product",
            Fold::Max => "v_greatest",
            Fold::Min => "v_least",
        };
        text.line(&format!("s = {};", folded(*fold, "s", &format!("{all}(a0)"), false, false)));
        let result = Text { code: "s".to_owned(), kind: Of::Real };
        self.store(text, stage, finish, Some(result), (one, 0), vars);
    }

    /// Like [`Printer::fold`] for one element, into a float whatever the element is.
    fn fold_real(
        &self,
        text: &mut Lines,
        fold: Fold,
        body: &Expr,
        into: &str,
        mode: Mode,
        vars: &[String],
    ) {
        let array = |source| self.storage.array(source);
        let none = HashMap::new();
        let scope = self.scope(mode, 0, vars, &array, &none);
        let value = real(scope.value(body)).code;
        text.line(&format!("{into} = {};", folded(fold, into, &value, false, false)));
    }

    /// A running sum along the axis of the vectors.
    fn scanned_in_vectors(&self, text: &mut Lines, stage: &Stage, lane: usize, vars: &[String]) {
        let Kind::Scan { fold, body, finish, .. } = &stage.kind else {
            unreachable!("the stage is a scan")
        };
        let (extent, name) = (stage.extents[lane], &vars[lane]);
        text.line("float s = 0.0f;");
        text.line(&format!("int64_t {name} = 0;"));
        text.open(&format!("for (; {name} + W <= {extent}; {name} += W)"));
        let mode = Mode { lane: Some((lane, 1)), tile: 0 };
        text.line("vf a0 = v_all(0.0f);");
        self.fold(text, *fold, body, "a0", (mode, 0), vars);
        text.line("a0 = v_running_sum(a0) + s;");
        text.line("s = a0[W - 1];");
        let result = Text { code: "a0".to_owned(), kind: Of::Vector };
        self.store(text, stage, finish, Some(result), (mode, 0), vars);
        text.close();
        text.open(&format!("for (; {name} < {extent}; {name}++)"));
        let one = Mode { lane: None, tile: 0 };
        self.fold_real(text, *fold, body, "s", one, vars);
        let result = Text { code: "s".to_owned(), kind: Of::Real };
        self.store(text, stage, finish, Some(result), (one, 0), vars);
        text.close();
    }
}

/// Type of what is folded into, one by one: by what is folded and what is stored.
pub(super) fn accumulator_of(body: Of, stored: Dtype, fold: Fold) -> &'static str {
    let sums = matches!(fold, Fold::Sum | Fold::Product);
    match (body, stored) {
        (Of::Int | Of::Long, Dtype::I64) => "int64_t",
        (Of::Int | Of::Long, Dtype::F32) if sums => "int64_t",
        (Of::Int | Of::Long, _) if !sums => "int64_t",
        (Of::Int, _) => "int32_t",
        (Of::Long, _) => "int64_t",
        // One by one, the rounding errors of a long sum would add up.
        _ if fold == Fold::Sum => "double",
        _ => "float",
    }
}

pub(super) fn real_or_whole(of: &str) -> Of {
    match of {
        "vf" => Of::Vector,
        "int32_t" => Of::Int,
        "int64_t" => Of::Long,
        _ => Of::Real,
    }
}

/// What a fold begins with.
pub(super) fn start(fold: Fold, of: &str) -> String {
    match (of, fold) {
        ("vf", _) => format!("v_all({})", literal(fold.start())),
        ("float" | "double", _) => literal(fold.start()),
        (_, Fold::Sum) => "0".to_owned(),
        (_, Fold::Product) => "1".to_owned(),
        (_, Fold::Max) => "INT64_MIN".to_owned(),
        (_, Fold::Min) => "INT64_MAX".to_owned(),
    }
}

/// Two folded into one. The new value first: extremes keep what is not a number.
pub(super) fn folded(fold: Fold, sum: &str, value: &str, vector: bool, whole: bool) -> String {
    let prefix = match (vector, whole) {
        (true, _) => "v",
        (_, true) => "i",
        _ => "s",
    };
    match fold {
        Fold::Sum => format!("{sum} + {value}"),
        Fold::Product => format!("{sum} * {value}"),
        Fold::Max => format!("{prefix}_max({value}, {sum})"),
        Fold::Min => format!("{prefix}_min({value}, {sum})"),
    }
}

/// The statement that stores a value. `along` is the stride of the lanes, when there are any.
pub(super) fn stored(
    name: &str,
    at: &str,
    value: &str,
    dtype: Dtype,
    along: Option<Option<i64>>,
    streaming: bool,
) -> String {
    let of = dtype.c_name();
    match along {
        None => match kind_of(dtype) {
            Of::Real => format!("{name}[{at}] = {value};"),
            _ => format!("{name}[{at}] = ({of})({value});"),
        },
        Some(Some(1)) if dtype == Dtype::F32 => {
            let how = if streaming { "v_stream" } else { "v_store" };
            format!("{how}({name} + ({at}), {value});")
        }
        Some(stride) => {
            let stride = stride.unwrap_or(1);
            format!(
                "{{ const vf lanes = {value}; for (int64_t l = 0; l < W; l++) {name}[{at} + l * {stride}] = ({of})lanes[l]; }}"
            )
        }
    }
}
