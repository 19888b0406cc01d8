//! Base kernels as CUDA C: one for each stage of a plan, a thread for each element or line.

use std::collections::{BTreeSet, HashMap};

use super::Lines;
use super::expr::Scope;
use super::nest::{accumulator_of, folded, real_or_whole, start, stored};
use super::text::{Kind as Of, Text};
use crate::graph::Dtype;
use crate::loops::{Expr, Fold, Program};
use crate::plan::{Kind, Plan, Schedule, Stage};

/// Threads of a block.
const BLOCK: usize = 256;

/// Scratch arrays begin at multiples of this.
const ALIGNMENT: usize = 256;

/// What the kernels call.
const FUNCTIONS: &str = include_str!("math.cu");

/// Where a source lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Given,
    Output(usize),
    /// Bytes into the scratch memory.
    Scratch(usize),
}

struct Printer {
    places: Vec<Place>,
    dtypes: Vec<Dtype>,
}

/// The whole text: what is launched, then the kernels.
pub(super) fn text(program: &Program, schedule: &Schedule) -> String {
    let plan = Plan::new(program, schedule);
    let program = &plan.program;
    let n_given = program.given.len();
    let n = n_given + program.definitions.len();
    let mut places = vec![Place::Given; n];
    let mut scratch_bytes = 0;
    let stages = || plan.nests.iter().flat_map(|nest| &nest.stages);
    for stage in stages() {
        let output = program.outputs.iter().position(|&each| each == stage.buffer);
        places[stage.buffer] = output.map_or_else(
            || {
                let size: usize = program.shape(stage.buffer).iter().product();
                let at = scratch_bytes;
                scratch_bytes += (size * stage.dtype.size_bytes()).next_multiple_of(ALIGNMENT);
                Place::Scratch(at)
            },
            Place::Output,
        );
    }
    let dtypes = (0..n).map(|source| program.dtype(source)).collect();
    let printer = Printer { places, dtypes };
    let mut launches = String::new();
    let mut kernels = String::new();
    for (idx, stage) in stages().enumerate() {
        if let Some((launch, kernel)) = printer.kernel(idx, stage) {
            launches.push_str(&launch);
            kernels.push_str(&kernel);
        }
    }
    format!("// scratch: {scratch_bytes}\n{launches}{FUNCTIONS}{kernels}")
}

impl Printer {
    /// Type and name of a source's array.
    fn array(&self, source: usize) -> (Dtype, String) {
        let name = match self.places[source] {
            Place::Given => format!("g{source}"),
            Place::Output(output) => format!("o{output}"),
            Place::Scratch(_) => format!("t{source}"),
        };
        (self.dtypes[source], name)
    }

    /// The line that launches a stage's kernel, and the kernel; nothing where there is nothing to
    /// do.
    fn kernel(&self, idx: usize, stage: &Stage) -> Option<(String, String)> {
        let scan = match stage.kind {
            Kind::Scan { axis, .. } => Some(axis),
            _ => None,
        };
        let own: Vec<usize> = (0..stage.n_spatial).filter(|&var| Some(var) != scan).collect();
        let n: usize = own.iter().map(|&var| stage.extents[var]).product();
        if n == 0 {
            return None;
        }
        let name = format!("stage_{idx}");
        let read: BTreeSet<usize> =
            stage.accesses().into_iter().filter_map(|(source, _)| source).collect();
        let read: Vec<usize> = read.into_iter().filter(|&source| source != stage.buffer).collect();
        let mut parameters = Vec::new();
        let mut arguments = Vec::new();
        for &source in read.iter().chain([&stage.buffer]) {
            let (dtype, array) = self.array(source);
            let constant = if source == stage.buffer { "" } else { "const " };
            parameters.push(format!("{constant}{} *__restrict__ {array}", dtype.c_name()));
            arguments.push(match self.places[source] {
                Place::Given => format!("in{source}"),
                Place::Output(output) => format!("out{output}"),
                Place::Scratch(at) => format!("scratch+{at}"),
            });
        }
        let block = n.next_multiple_of(32).min(BLOCK);
        let launch =
            format!("// launch: {name} {} {block} 0 {}\n", n.div_ceil(block), arguments.join(" "));
        let mut text = Lines::new(0);
        text.line(&format!("\n/* {} */", stage.label));
        text.open(&format!("extern \"C\" __global__ void {name}({})", parameters.join(", ")));
        text.line("const int64_t at = (int64_t)blockIdx.x * blockDim.x + threadIdx.x;");
        text.line(&format!("if (at >= {n}) return;"));
        let vars: Vec<String> = (0..stage.extents.len())
            .map(|var| if var < stage.n_spatial { format!("i{var}") } else { format!("j{var}") })
            .collect();
        let mut inner = n;
        for (place, &var) in own.iter().enumerate() {
            let extent = stage.extents[var];
            inner /= extent;
            let divided = if inner > 1 { format!("at / {inner}") } else { "at".to_owned() };
            let rest = if place > 0 { format!(" % {extent}") } else { String::new() };
            text.line(&format!("const int64_t {} = {divided}{rest};", vars[var]));
        }
        self.body(&mut text, stage, &vars);
        text.close();
        Some((launch, text.text))
    }

    fn body(&self, text: &mut Lines, stage: &Stage, vars: &[String]) {
        match &stage.kind {
            Kind::Map(expr) => self.store(text, stage, expr, None, vars),
            Kind::Reduce { fold, body, finish } => {
                let of = self.accumulator(stage, *fold, body, vars);
                text.line(&format!("{of} a = {};", start(*fold, of)));
                let depth = text.depth;
                for (var, &extent) in vars.iter().zip(&stage.extents).skip(stage.n_spatial) {
                    text.count(var, extent);
                }
                self.fold(text, *fold, body, vars);
                text.close_to(depth);
                let sum = Text { code: "a".to_owned(), kind: real_or_whole(of) };
                self.store(text, stage, finish, Some(sum), vars);
            }
            Kind::Scan { fold, axis, body, finish } => {
                let of = self.accumulator(stage, *fold, body, vars);
                text.line(&format!("{of} a = {};", start(*fold, of)));
                text.count(&vars[*axis], stage.extents[*axis]);
                self.fold(text, *fold, body, vars);
                let sum = Text { code: "a".to_owned(), kind: real_or_whole(of) };
                self.store(text, stage, finish, Some(sum), vars);
                text.close();
            }
        }
    }

    fn accumulator(&self, stage: &Stage, fold: Fold, body: &Expr, vars: &[String]) -> &'static str {
        let array = |source| self.array(source);
        let none = HashMap::new();
        let folded = Some(Text { code: String::new(), kind: Of::Real });
        let scope = Scope { folded, ..scope(vars, &array, &none) };
        accumulator_of(scope.value(body).kind, stage.dtype, fold)
    }

    fn fold(&self, text: &mut Lines, fold: Fold, body: &Expr, vars: &[String]) {
        let array = |source| self.array(source);
        let none = HashMap::new();
        let plain = scope(vars, &array, &none);
        let (lines, bound) = plain.bind(&[body]);
        let named = Scope { bound: &bound, ..plain };
        text.open("");
        lines.iter().for_each(|line| text.line(line));
        let value = named.value(body);
        let whole = matches!(value.kind, Of::Int | Of::Long);
        text.line(&format!("a = {};", folded(fold, "a", &value.code, false, whole)));
        text.close();
    }

    fn store(
        &self,
        text: &mut Lines,
        stage: &Stage,
        expr: &Expr,
        sum: Option<Text>,
        vars: &[String],
    ) {
        let array = |source| self.array(source);
        let none = HashMap::new();
        let plain = Scope { folded: sum.clone(), ..scope(vars, &array, &none) };
        let (lines, bound) = plain.bind(&[expr]);
        let named = Scope { bound: &bound, folded: sum, ..plain };
        lines.iter().for_each(|line| text.line(line));
        let (dtype, name) = self.array(stage.buffer);
        let (at, value) = (named.position(&stage.store), named.value(expr).code);
        text.line(&stored(&name, &at, &value, dtype, None, false, false));
    }
}

/// One element at a time, everything in arrays.
fn scope<'a>(
    vars: &'a [String],
    array: &'a dyn Fn(usize) -> (Dtype, String),
    bound: &'a HashMap<Expr, Text>,
) -> Scope<'a> {
    Scope {
        vars,
        lane: None,
        folded: None,
        array,
        bound,
        tile: 0,
        copy: 0,
        in_lane: false,
        under: 0,
        sure: 0,
    }
}
