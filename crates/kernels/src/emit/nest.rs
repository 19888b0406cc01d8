//! Loop nests as C.

use std::collections::HashMap;

use super::Lines;
use super::expr::Scope;
use super::storage::{Place, Storage};
use super::text::{Kind as Of, Text, kind_of, literal};
use crate::graph::Dtype;
use crate::loops::{Affine, Expr, Fold};
use crate::plan::{Kind, Nest, Stage, Vectors, best_inner, without_outer};

/// How a stage is printed: in vectors along which variable and how many of them, or one by one.
#[derive(Clone, Copy)]
pub(super) struct Mode {
    /// The variable and the number of vectors.
    pub(super) lane: Option<(usize, usize)>,
    /// See [`Scope::tile`].
    pub(super) tile: usize,
    /// The last lanes, those where mask `m1` holds.
    pub(super) tail: bool,
}

impl Mode {
    /// One by one.
    pub(super) const SINGLE: Self = Self { lane: None, tile: 0, tail: false };
}

/// Prints one nest.
pub(super) struct Printer<'a> {
    nest: &'a Nest,
    pub(super) storage: &'a Storage,
    pub(super) unroll: usize,
    /// Lanes of a vector.
    pub(super) width: usize,
}

pub(super) fn emit(text: &mut Lines, nest: &Nest, storage: &Storage, region: bool, width: usize) {
    let unroll = nest.part.unroll.max(1);
    let printer = Printer { nest, storage, unroll, width };
    let depth = text.depth;
    if region && (!nest.part.threads || nest.outer.is_empty()) {
        text.line("#pragma omp single");
        text.open("");
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
                printer.stages(text, Mode { lane: Some((lane, n)), tile, tail: false });
            };
            if extent.is_multiple_of(tile) {
                whole(text, unroll);
            } else {
                text.open(&format!("if (i{lane} + {tile} <= {extent})"));
                whole(text, unroll);
                text.close();
                text.open("else");
                text.open(&format!("for (; i{lane} + W <= {extent}; i{lane} += W)"));
                whole(text, 1);
                text.close();
                if printer.masks() {
                    text.open(&format!("if (i{lane} < {extent})"));
                    text.line(&format!("const vi m1 = v_inside(i{lane}, 1, 0, {extent});"));
                    printer.stages(text, Mode { lane: Some((lane, 1)), tile, tail: true });
                } else {
                    text.open(&format!("for (; i{lane} < {extent}; i{lane}++)"));
                    printer.stages(text, Mode { tile, ..Mode::SINGLE });
                }
                text.close();
                text.close();
            }
        }
        _ => {
            for (var, &extent) in nest.outer.iter().enumerate() {
                text.count(&format!("i{var}"), extent);
            }
            printer.stages(text, Mode::SINGLE);
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
    /// Whether what is left of an axis is done in one vector of which lanes are masked.
    pub(super) fn masks(&self) -> bool {
        self.width == 16
    }

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
        let spatial = vars.iter().zip(&stage.extents).enumerate().take(stage.n_spatial);
        for (var, (name, &extent)) in spatial.skip(n_outer) {
            if Some(var) != scan && Some(var) != own {
                text.count(name, extent);
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
        for (n, steps) in self.steps(name, extent, self.unroll) {
            if n == 0 && self.masks() {
                text.open("");
                text.line(&format!("const vi m1 = v_inside({name}, 1, 0, {extent});"));
                self.element(
                    text,
                    stage,
                    Mode { lane: Some((lane, 1)), tile: 0, tail: true },
                    &vars,
                );
                text.close();
                continue;
            }
            text.open(&format!("for (; {steps})"));
            let lanes = (n > 0).then_some((lane, n));
            self.element(text, stage, Mode { lane: lanes, ..Mode::SINGLE }, &vars);
            text.close();
        }
    }

    /// The loops along an axis: by several vectors, by one, then one by one, as far as there is
    /// anything left for them. The number of vectors, 0 for none, and the condition and step.
    pub(super) fn steps(&self, name: &str, extent: usize, unroll: usize) -> Vec<(usize, String)> {
        let mut left = extent;
        let mut steps = Vec::new();
        for n in [unroll, 1] {
            let worth = n == 1 || n * 4 <= extent;
            if worth && left >= n * self.width && !steps.iter().any(|(other, _)| *other == n) {
                let by = if n == 1 { "W".to_owned() } else { format!("{n} * W") };
                steps.push((n, format!("{name} + {by} <= {extent}; {name} += {by}")));
                left %= n * self.width;
            }
        }
        if left > 0 {
            steps.push((0, format!("{name} < {extent}; {name}++")));
        }
        steps
    }

    pub(super) fn scope<'s>(
        &'s self,
        mode: Mode,
        copy: usize,
        vars: &'s [String],
        array: &'s dyn Fn(usize) -> (Dtype, String),
        bound: &'s HashMap<Expr, Text>,
    ) -> Scope<'s> {
        let lane = mode.lane.map(|(lane, _)| lane);
        let under = usize::from(mode.tail);
        let tile = mode.tile;
        Scope {
            vars,
            lane,
            folded: None,
            array,
            bound,
            tile,
            copy,
            in_lane: false,
            under,
            sure: under,
        }
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

    pub(super) fn fold(
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

    pub(super) fn store(
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
        let depth = text.depth;
        if !lines.is_empty() {
            text.open("");
        }
        lines.iter().for_each(|line| text.line(line));
        let (dtype, name) = self.storage.array(stage.buffer);
        let local = self.nest.local.contains(&stage.buffer);
        let place = self.storage.place(stage.buffer);
        let vector = mode.lane.is_some();
        let value = if vector { scope.vector(expr) } else { scope.value(expr).code };
        let position = |index: &Affine| scope.position(index);
        let along = mode.lane.map(|(lane, _)| stage.store.stride(lane));
        if local && place == Place::Register {
            text.line(&format!("{name}_{copy} = {value};"));
        } else if local {
            let inner = without_outer(&stage.store, self.nest.outer.len(), &stage.extents);
            let at = if mode.tile > 0 {
                format!("({}) * {} + {copy} * W", position(&inner), mode.tile)
            } else {
                position(&inner)
            };
            let line = if mode.tail && mode.tile == 0 {
                // The array may end here.
                stored(&name, &at, &value, dtype, along, false, true)
            } else if vector {
                format!("v_store({name} + {at}, {value});")
            } else {
                format!("{name}[{at}] = {value};")
            };
            text.line(&line);
        } else {
            let at = position(&stage.store);
            let streaming = stage.streaming;
            text.line(&stored(&name, &at, &value, dtype, along, streaming, mode.tail));
        }
        text.close_to(depth);
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

/// The statement that stores a value. `along` is the stride of the lanes, when there are any; of a
/// `tail`, only those where mask `m1` holds.
pub(super) fn stored(
    name: &str,
    at: &str,
    value: &str,
    dtype: Dtype,
    along: Option<Option<i64>>,
    streaming: bool,
    tail: bool,
) -> String {
    let of = dtype.c_name();
    match along {
        None => match kind_of(dtype) {
            Of::Real => format!("{name}[{at}] = {value};"),
            _ => format!("{name}[{at}] = ({of})({value});"),
        },
        Some(Some(1)) if dtype == Dtype::F32 && tail => {
            format!("v_store_some({name} + ({at}), {value}, m1);")
        }
        Some(Some(1)) if dtype == Dtype::F32 => {
            let how = if streaming { "v_stream" } else { "v_store" };
            format!("{how}({name} + ({at}), {value});")
        }
        Some(Some(-1)) if dtype == Dtype::F32 && !tail => {
            format!("v_store({name} + ({at}) - (W - 1), v_reversed({value}));")
        }
        Some(stride) => {
            let stride = stride.unwrap_or(1);
            let held = if tail { "if (m1[l]) " } else { "" };
            format!(
                "{{ const vf lanes = {value}; for (int64_t l = 0; l < W; l++) {held}{name}[{at} + l * {stride}] = ({of})lanes[l]; }}"
            )
        }
    }
}
