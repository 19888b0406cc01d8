//! Folds and running sums along the axis of the vectors.

use std::collections::HashMap;

use super::Lines;
use super::expr::Scope;
use super::nest::{Mode, Printer, folded, start};
use super::text::{Kind as Of, Text, real};
use crate::loops::{Expr, Fold};
use crate::plan::{Kind, Stage};

/// Elements that one accumulator of a vector's sum adds up before they join the rest: rounding errors
/// of longer sums would show.
const LONG_SUM: usize = 16 * 1024;

impl Printer<'_> {
    /// A fold along a variable of its own in vectors, with as many accumulators as vectors.
    pub(super) fn folded_in_vectors(
        &self,
        text: &mut Lines,
        stage: &Stage,
        lane: usize,
        vars: &[String],
    ) {
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
        let all = vars.iter().zip(&stage.extents).enumerate();
        for (var, (name, &extent)) in all.skip(stage.n_spatial) {
            if var != lane {
                text.count(name, extent);
            }
        }
        text.line(&format!("int64_t {name} = 0;"));
        for n in [unroll, 1] {
            if n < unroll && extent.is_multiple_of(unroll * self.width) {
                break;
            }
            let mode = Mode { lane: Some((lane, n)), ..Mode::SINGLE };
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
        let one = Mode::SINGLE;
        if !extent.is_multiple_of(self.width) && self.masks() {
            text.open(&format!("if ({name} < {extent})"));
            text.line(&format!("const vi m1 = v_inside({name}, 1, 0, {extent});"));
            let mode = Mode { lane: Some((lane, 1)), tail: true, ..one };
            text.line("vf rest;");
            self.fold_masked(text, body, mode, vars);
            let value = format!("v_pick(m1, rest, {})", start(*fold, "vf"));
            text.line(&format!("a0 = {};", folded(*fold, "a0", &value, true, false)));
            text.close();
        } else if !extent.is_multiple_of(self.width) {
            text.open(&format!("for (; {name} < {extent}; {name}++)"));
            self.fold_real(text, *fold, body, "s", one, vars);
            text.close();
        }
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

    /// The last values of a fold, into `rest`.
    fn fold_masked(&self, text: &mut Lines, body: &Expr, mode: Mode, vars: &[String]) {
        let array = |source| self.storage.array(source);
        let none = HashMap::new();
        let scope = self.scope(mode, 0, vars, &array, &none);
        let (lines, bound) = scope.bind(&[body]);
        let scope = Scope { bound: &bound, ..scope };
        text.open("");
        lines.iter().for_each(|line| text.line(line));
        text.line(&format!("rest = {};", scope.vector(body)));
        text.close();
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

    /// A running sum or product along the axis of the vectors.
    pub(super) fn scanned_in_vectors(
        &self,
        text: &mut Lines,
        stage: &Stage,
        lane: usize,
        vars: &[String],
    ) {
        let Kind::Scan { fold, body, finish, .. } = &stage.kind else {
            unreachable!("the stage is a scan")
        };
        let (extent, name) = (stage.extents[lane], &vars[lane]);
        let running = if *fold == Fold::Product { "v_running_product" } else { "v_running_sum" };
        text.line(&format!("vf all = {};", start(*fold, "vf")));
        text.line(&format!("int64_t {name} = 0;"));
        text.open(&format!("for (; {name} + W <= {extent}; {name} += W)"));
        let mode = Mode { lane: Some((lane, 1)), ..Mode::SINGLE };
        text.line(&format!("vf a0 = {};", start(*fold, "vf")));
        self.fold(text, *fold, body, "a0", (mode, 0), vars);
        text.line(&format!(
            "a0 = {};",
            folded(*fold, "all", &format!("{running}(a0)"), true, false)
        ));
        text.line("all = v_last(a0);");
        let result = Text { code: "a0".to_owned(), kind: Of::Vector };
        self.store(text, stage, finish, Some(result), (mode, 0), vars);
        text.close();
        if !extent.is_multiple_of(self.width) {
            text.line("float s = all[0];");
            text.open(&format!("for (; {name} < {extent}; {name}++)"));
            let one = Mode::SINGLE;
            self.fold_real(text, *fold, body, "s", one, vars);
            let result = Text { code: "s".to_owned(), kind: Of::Real };
            self.store(text, stage, finish, Some(result), (one, 0), vars);
            text.close();
        }
    }
}
