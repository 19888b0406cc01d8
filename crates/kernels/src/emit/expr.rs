//! Values and positions as C text, for one lane or for as many as a vector has.

use std::collections::HashMap;

use super::text::{
    Kind, Text, alike, count, integer_binary, is_whole, kind_of, literal, plain, real,
    whole_constant,
};
use crate::graph::Dtype;
use crate::loops::{Affine, Atom, Binary, Expr, Unary, Within};

/// Largest stride that lanes are gathered with.
const GATHERED: i64 = 1 << 24;

/// Name of one lane where they are taken one by one: no loop has it.
const LANE: &str = "q";

/// Where values are printed: how variables and arrays are called, and which variable is the lane.
pub(super) struct Scope<'a> {
    /// Text of each variable.
    pub(super) vars: &'a [String],
    /// The variable along which vectors lie; its text is that of the first lane.
    pub(super) lane: Option<usize>,
    /// Text of [`Expr::Folded`].
    pub(super) folded: Option<Text>,
    /// Type and text of an array, by source.
    pub(super) array: &'a dyn Fn(usize) -> (Dtype, String),
    /// Values that have a name already.
    pub(super) bound: &'a HashMap<Expr, Text>,
    /// In a pass over an outer axis in vectors, elements of it that are computed together: what is
    /// local to the pass is laid out by them. 0 elsewhere.
    pub(super) tile: usize,
    /// Which of the vectors computed together this is.
    pub(super) copy: usize,
    /// One lane of a vector, called [`LANE`].
    pub(super) in_lane: bool,
    /// How many conditions deep: lanes are read where mask `m` of this number holds. 0 for all.
    pub(super) under: usize,
    /// Masks up to this number hold in one lane at least.
    pub(super) sure: usize,
}

impl Scope<'_> {
    /// A position, as a 64-bit integer; of the first lane in a vector.
    pub(super) fn position(&self, index: &Affine) -> String {
        let mut text = String::new();
        for (factor, atom) in &index.terms {
            let atom = match atom {
                Atom::Var(var) => self.vars[*var].clone(),
                Atom::Div(inner, by) => format!("(({}) / {by})", self.position(inner)),
                Atom::Mod(inner, by) => format!("(({}) % {by})", self.position(inner)),
                Atom::Value(expr) => {
                    let one = Scope { lane: None, folded: None, ..*self };
                    format!("(int64_t)({})", one.value(expr).code)
                }
            };
            if !text.is_empty() {
                text.push_str(" + ");
            }
            match factor {
                1 => text.push_str(&atom),
                _ => text.push_str(&format!("{factor} * {atom}")),
            }
        }
        match (index.constant, text.is_empty()) {
            (constant, true) => constant.to_string(),
            (0, false) => text,
            (constant, false) => format!("{text} + {constant}"),
        }
    }

    /// A value.
    pub(super) fn value(&self, expr: &Expr) -> Text {
        self.native(expr).unwrap_or_else(|| self.by_lane(expr))
    }

    /// A value as a float, or a vector of them.
    pub(super) fn real(&self, expr: &Expr) -> Text {
        real(self.value(expr))
    }

    /// A value as a vector.
    pub(super) fn vector(&self, expr: &Expr) -> String {
        let text = self.real(expr);
        if text.kind == Kind::Vector { text.code } else { format!("v_all({})", text.code) }
    }

    /// Every lane by itself, where there is no vector form.
    fn by_lane(&self, expr: &Expr) -> Text {
        let lane = self.lane.expect("only vectors lack forms");
        let mut vars = self.vars.to_vec();
        vars[lane] = format!("({} + {LANE})", vars[lane]);
        let folded = self.folded.as_ref().map(|text| match text.kind {
            Kind::Vector => Text { code: format!("({})[{LANE}]", text.code), kind: Kind::Real },
            _ => text.clone(),
        });
        let none = HashMap::new();
        let one = Scope { vars: &vars, lane: None, folded, bound: &none, in_lane: true, ..*self };
        let mut code = one.real(expr).code;
        if self.under > 0 {
            code = format!("m{}[{LANE}] ? {code} : 0.0f", self.under);
        }
        let code = format!(
            "({{ vf t; for (int64_t {LANE} = 0; {LANE} < W; {LANE}++) t[{LANE}] = {code}; t; }})"
        );
        Text { code, kind: Kind::Vector }
    }

    /// A value without going lane by lane; `None` where that is not possible.
    fn native(&self, expr: &Expr) -> Option<Text> {
        if let Some(text) = self.bound.get(expr) {
            return Some(text.clone());
        }
        if self.lane.is_some() && !self.varies(expr) {
            // Under a condition, what is the same for all lanes may be readable for none.
            if self.under > self.sure && !expr.loads().is_empty() {
                return None;
            }
            let one = Scope { lane: None, folded: None, ..*self };
            return one.native(expr);
        }
        Some(match expr {
            Expr::Const(number) => Text { code: literal(number.value()), kind: Kind::Real },
            Expr::Folded => self.folded.clone().expect("only where something was folded"),
            Expr::Index(index) => self.index(index)?,
            Expr::Load { source, index } if index.len() == 1 => self.load(*source, &index[0])?,
            Expr::Load { source, index } => self.local(*source, index)?,
            Expr::Unary(function @ (Unary::Floor | Unary::Trunc), one) => {
                match self.whole_quotient(*function, one) {
                    Some(text) => text,
                    None => self.unary(*function, self.value(one))?,
                }
            }
            Expr::Unary(function, one) => self.unary(*function, self.value(one))?,
            Expr::Binary(function, one, other) => {
                let (one, other) = self.pair(one, other);
                self.binary(*function, one, other)?
            }
            Expr::Select(condition, then, otherwise) => {
                let condition = self.value(condition);
                let (then, otherwise) = self.pair(then, otherwise);
                self.select(&condition, then, otherwise)
            }
            Expr::If(within, then, otherwise) => {
                let lane = |lane| within.iter().any(|each| each.index.mentions(lane));
                if self.lane.is_some_and(lane) {
                    return self.masked(within, then, otherwise);
                }
                let condition = self.condition(within);
                let (then, otherwise) = self.pair(then, otherwise);
                let (then, otherwise) = alike(then, otherwise);
                let code = format!("({condition} ? {} : {})", then.code, otherwise.code);
                Text { code, kind: then.kind }
            }
        })
    }

    /// Two values that meet: a constant beside a whole number is one too, and stays exact.
    fn pair(&self, one: &Expr, other: &Expr) -> (Text, Text) {
        let (mut first, mut second) = (self.value(one), self.value(other));
        match (is_whole(&first), is_whole(&second)) {
            (true, false) => second = whole_constant(other).unwrap_or(second),
            (false, true) => first = whole_constant(one).unwrap_or(first),
            _ => {}
        }
        (first, second)
    }

    /// A rounded quotient of whole numbers, which a float may not hold.
    fn whole_quotient(&self, function: Unary, of: &Expr) -> Option<Text> {
        let Expr::Binary(Binary::Div, one, other) = of else { return None };
        let (one, other) = self.pair(one, other);
        let name = if function == Unary::Floor { "i_floor_div" } else { "i_trunc_div" };
        let code = format!("{name}({}, {})", one.code, other.code);
        (is_whole(&one) && is_whole(&other)).then_some(Text { code, kind: Kind::Long })
    }

    /// Names what occurs more than once: one declaration each, and what they stand for.
    pub(super) fn bind(&self, exprs: &[&Expr]) -> (Vec<String>, HashMap<Expr, Text>) {
        let mut counts: Vec<(Expr, usize)> = Vec::new();
        for expr in exprs {
            count(expr, &mut counts);
        }
        let mut bound = self.bound.clone();
        let mut lines = Vec::new();
        counts.retain(|(_, n)| *n > 1);
        counts.sort_by_key(|(expr, _)| expr.n_operations());
        for (expr, _) in counts {
            let scope = Scope { bound: &bound, folded: self.folded.clone(), ..*self };
            let text = scope.value(&expr);
            let name = format!("c{}", lines.len());
            let of = match text.kind {
                Kind::Real => "float",
                Kind::Int => "int32_t",
                Kind::Long => "int64_t",
                Kind::Vector => "vf",
                Kind::Mask => "vi",
            };
            lines.push(format!("const {of} {name} = {};", text.code));
            bound.insert(expr, Text { code: name, kind: text.kind });
        }
        (lines, bound)
    }

    pub(super) fn condition(&self, within: &[Within]) -> String {
        let each = within.iter().map(|each| {
            let position = self.position(&each.index);
            match (each.low, each.high) {
                (i64::MIN, high) => format!("({position}) < {high}"),
                (0, high) => format!("(uint64_t)({position}) < {high}u"),
                (low, high) => format!("(({position}) >= {low} && ({position}) < {high})"),
            }
        });
        format!("({})", each.collect::<Vec<_>>().join(" && "))
    }

    /// A choice made for each lane: both sides are computed, each reads only where it is taken.
    fn masked(&self, within: &[Within], then: &Expr, otherwise: &Expr) -> Option<Text> {
        let lane = self.lane?;
        // Positions are compared as 32-bit integers.
        let mut lanes = Vec::new();
        let mut all = Vec::new();
        for each in within {
            let Some(stride) = each.index.stride(lane) else {
                lanes.push(self.cycled_mask(each, lane)?);
                continue;
            };
            let position = self.position(&each.index);
            if stride == 0 {
                all.push(self.condition(std::slice::from_ref(each)));
                continue;
            }
            let low = each.low.max(i64::from(i32::MIN));
            let high = each.high.min(i64::from(i32::MAX));
            lanes.push(format!("v_inside({position}, {stride}, {low}, {high})"));
        }
        let depth = self.under + 1;
        let mut condition = lanes.join(" & ");
        if !all.is_empty() {
            let all = format!("v_bits_if({})", all.join(" && "));
            condition = if condition.is_empty() { all } else { format!("{all} & {condition}") };
        }
        let side = |expr: &Expr| {
            let scope = Scope { under: depth + 1, folded: self.folded.clone(), ..*self };
            scope.vector(expr)
        };
        let outer = |mask: &str| match self.under {
            0 => mask.to_owned(),
            outer => format!("m{outer} & {mask}"),
        };
        let inner = depth + 1;
        let (yes, no) = (outer(&format!("m{depth}")), outer(&format!("~m{depth}")));
        let code = format!(
            "({{ const vi m{depth} = {condition}; \
             vf yes = ({{ const vi m{inner} = {yes}; {}; }}); \
             vf no = ({{ const vi m{inner} = {no}; {}; }}); v_pick(m{depth}, yes, no); }})",
            side(then),
            side(otherwise)
        );
        Some(Text { code, kind: Kind::Vector })
    }

    fn index(&self, index: &Affine) -> Option<Text> {
        let code = self.position(index);
        let Some(lane) = self.lane else {
            return Some(Text { code: format!("({code})"), kind: Kind::Long });
        };
        let stride = index.stride(lane)?;
        let code = format!("((float)({code}) + {} * v_lanes())", literal(stride as f64));
        Some(Text { code, kind: Kind::Vector })
    }

    /// Whether the lanes of a vector may differ in a value.
    fn varies(&self, expr: &Expr) -> bool {
        let mut varies = self.lane.is_some_and(|lane| expr.mentions(lane));
        expr.visit(&mut |part| {
            varies |= match part {
                Expr::Folded => true,
                // What is local to a pass in vectors has a lane for each of its own.
                Expr::Load { index, .. } => self.tile > 0 && index.len() != 1,
                _ => false,
            };
        });
        varies
    }

    /// Something local to a pass: a variable, or an element of a small array.
    fn local(&self, source: usize, index: &[Affine]) -> Option<Text> {
        let (dtype, array) = (self.array)(source);
        let lane = if self.in_lane { format!(" + {LANE}") } else { String::new() };
        let Some(position) = index.first() else {
            let vector = self.lane.is_some() && self.tile > 0;
            return Some(match (vector, self.tile > 0 && self.in_lane) {
                (true, _) => Text { code: format!("{array}_{}", self.copy), kind: Kind::Vector },
                (_, true) => {
                    Text { code: format!("{array}_{}[{LANE}]", self.copy), kind: Kind::Real }
                }
                _ => Text { code: format!("{array}_0"), kind: kind_of(dtype) },
            });
        };
        if self.tile == 0 {
            return self.load(source, position);
        }
        let at = format!("({}) * {}", self.position(position), self.tile);
        Some(match self.lane {
            Some(_) if self.under > self.sure => return None,
            Some(_) => Text {
                code: format!("v_load({array} + {at} + {} * W)", self.copy),
                kind: Kind::Vector,
            },
            None => Text {
                code: format!("{array}[{at} + {} * W{lane}]", self.copy),
                kind: kind_of(dtype),
            },
        })
    }

    fn load(&self, source: usize, index: &Affine) -> Option<Text> {
        let (dtype, array) = (self.array)(source);
        let position = self.position(index);
        let Some(lane) = self.lane else {
            return Some(Text { code: format!("{array}[{position}]"), kind: kind_of(dtype) });
        };
        let Some(stride) = index.stride(lane) else {
            return self.cycled_load(&array, index, lane).filter(|_| dtype == Dtype::F32);
        };
        let at = format!("{array} + ({position})");
        let vector = |code| Some(Text { code, kind: Kind::Vector });
        match (dtype, stride, self.under) {
            (Dtype::F32, 1, 0) => vector(format!("v_load({at})")),
            (Dtype::F32, 1, under) => vector(format!("v_load_some({at}, m{under})")),
            (Dtype::F32, -1..=4, 0) => vector(format!("v_load_every({at}, {stride})")),
            (Dtype::F32, 5..=GATHERED, 0) => vector(format!("v_gather({at}, {stride})")),
            (Dtype::F32, -1..=GATHERED, under) => {
                vector(format!("v_gather_some({at}, {stride}, m{under})"))
            }
            (Dtype::Bool | Dtype::U8, 1, 0) => vector(format!("v_load_u8({at})")),
            (Dtype::I8, 1, 0) => vector(format!("v_load_i8({at})")),
            _ => None,
        }
    }

    fn unary(&self, function: Unary, one: Text) -> Option<Text> {
        let vector = matches!(one.kind, Kind::Vector | Kind::Mask);
        let prefix = if vector { "v" } else { "s" };
        let text = |code, kind| Some(Text { code, kind });
        let kind = if vector { Kind::Vector } else { Kind::Real };
        match function {
            Unary::Neg => {
                let kind = if one.kind == Kind::Mask { Kind::Vector } else { one.kind };
                return text(format!("(-{})", plain(one).code), kind);
            }
            Unary::Not => {
                return match one.kind {
                    Kind::Mask => text(format!("(~{})", one.code), Kind::Mask),
                    Kind::Vector => text(format!("({} == 0.0f)", one.code), Kind::Mask),
                    _ => text(format!("(!{})", one.code), Kind::Int),
                };
            }
            Unary::Float => return Some(real(one)),
            Unary::Int | Unary::Long if vector => return None,
            Unary::Int => return text(format!("(int32_t)({})", one.code), Kind::Int),
            Unary::Long => return text(format!("(int64_t)({})", one.code), Kind::Long),
            Unary::Abs if matches!(one.kind, Kind::Int | Kind::Long) => {
                return text(format!("llabs({})", one.code), one.kind);
            }
            _ => {}
        }
        let x = real(one).code;
        let call = |name: &str| text(format!("{prefix}_{name}({x})"), kind);
        let library = |name: &str| {
            if vector { None } else { text(format!("{name}({x})"), Kind::Real) }
        };
        match function {
            Unary::Abs => call("abs"),
            Unary::Exp => call("exp"),
            Unary::Expm1 => call("expm1"),
            Unary::Log => call("log"),
            Unary::Log1p => call("log1p"),
            Unary::Tanh => call("tanh"),
            Unary::Sigmoid => call("sigmoid"),
            Unary::Erf => call("erf"),
            Unary::Sign => call("sign"),
            Unary::Sqrt if vector => {
                let code = format!(
                    "({{ vf t = {x}; for (int l = 0; l < W; l++) t[l] = sqrtf(t[l]); t; }})"
                );
                text(code, Kind::Vector)
            }
            Unary::Sqrt => library("sqrtf"),
            Unary::Rsqrt => {
                let root = self.unary(Unary::Sqrt, Text { code: x, kind })?;
                text(format!("(1.0f / {})", root.code), kind)
            }
            Unary::Reciprocal => text(format!("(1.0f / {x})"), kind),
            Unary::IsNan if vector => {
                text(format!("({{ __auto_type t = {x}; t != t; }})"), Kind::Mask)
            }
            Unary::IsNan => text(format!("s_isnan({x})"), Kind::Int),
            Unary::Sin => library("sinf"),
            Unary::Cos => library("cosf"),
            Unary::Floor => library("floorf"),
            Unary::Ceil => library("ceilf"),
            Unary::Round => library("rintf"),
            Unary::Trunc => library("truncf"),
            _ => None,
        }
    }

    fn binary(&self, function: Binary, one: Text, other: Text) -> Option<Text> {
        let vector = |text: &Text| matches!(text.kind, Kind::Vector | Kind::Mask);
        let any_vector = vector(&one) || vector(&other);
        if matches!(function, Binary::And | Binary::Or) {
            let sign = if function == Binary::And { '&' } else { '|' };
            let (one, other) = (self.truth(one, any_vector), self.truth(other, any_vector));
            let kind = if any_vector { Kind::Mask } else { Kind::Int };
            return Some(Text { code: format!("({one} {sign} {other})"), kind });
        }
        let integers = is_whole(&one) && is_whole(&other);
        if integers && !matches!(function, Binary::Div | Binary::Pow) {
            return Some(integer_binary(function, one, other));
        }
        let (one, other) = (real(one), real(other));
        let infix =
            |sign: &str, kind| Text { code: format!("({} {sign} {})", one.code, other.code), kind };
        let kind = if any_vector { Kind::Vector } else { Kind::Real };
        let truth = if any_vector { Kind::Mask } else { Kind::Int };
        // A comparison of a vector with a scalar is a vector already.
        let broadcast = |text: &Text| {
            if any_vector && text.kind == Kind::Real {
                format!("v_all({})", text.code)
            } else {
                text.code.clone()
            }
        };
        let call = |name: &str| {
            let prefix = if any_vector { "v" } else { "s" };
            Text {
                code: format!("{prefix}_{name}({}, {})", broadcast(&one), broadcast(&other)),
                kind,
            }
        };
        Some(match function {
            Binary::Add => infix("+", kind),
            Binary::Sub => infix("-", kind),
            Binary::Mul => infix("*", kind),
            Binary::Div => infix("/", kind),
            Binary::Min => call("min"),
            Binary::Max => call("max"),
            Binary::Pow => call("pow"),
            Binary::Fmod => call("fmod"),
            Binary::Less => infix("<", truth),
            Binary::LessEqual => infix("<=", truth),
            Binary::Equal => infix("==", truth),
            Binary::NotEqual => infix("!=", truth),
            Binary::And | Binary::Or => unreachable!("handled above"),
        })
    }

    fn truth(&self, text: Text, vector: bool) -> String {
        match text.kind {
            Kind::Mask => text.code,
            Kind::Vector => format!("({} != 0.0f)", text.code),
            _ if vector => format!("(({} != 0) ? ~(vi){{0}} : (vi){{0}})", text.code),
            _ => format!("({} != 0)", text.code),
        }
    }

    fn select(&self, condition: &Text, then: Text, otherwise: Text) -> Text {
        match condition.kind {
            Kind::Mask | Kind::Vector => {
                let mask = self.truth(condition.clone(), true);
                let whole = |text: Text| {
                    let text = real(text);
                    if text.kind == Kind::Vector {
                        text.code
                    } else {
                        format!("v_all({})", text.code)
                    }
                };
                let code = format!("v_pick({mask}, {}, {})", whole(then), whole(otherwise));
                Text { code, kind: Kind::Vector }
            }
            _ => {
                let (then, otherwise) = alike(then, otherwise);
                let code = format!("({} ? {} : {})", condition.code, then.code, otherwise.code);
                Text { code, kind: then.kind }
            }
        }
    }
}
