//! Pieces of C text and their kinds, apart from where they stand.

use crate::graph::Dtype;
use crate::loops::{Binary, Expr};

/// What a piece of text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A float.
    Real,
    /// A 32-bit integer, or a condition.
    Int,
    /// A 64-bit integer.
    Long,
    /// A vector of floats.
    Vector,
    /// A vector of conditions, all bits set where they hold.
    Mask,
}

/// A value's text.
#[derive(Debug, Clone)]
pub(super) struct Text {
    pub(super) code: String,
    pub(super) kind: Kind,
}

pub(super) fn kind_of(dtype: Dtype) -> Kind {
    match dtype {
        Dtype::F32 | Dtype::F64 => Kind::Real,
        Dtype::I64 => Kind::Long,
        _ => Kind::Int,
    }
}

/// A float constant that C reads back as the nearest float.
pub(super) fn literal(value: f64) -> String {
    if value.is_nan() {
        "NAN".to_owned()
    } else if value.is_infinite() {
        (if value > 0.0 { "INFINITY" } else { "(-INFINITY)" }).to_owned()
    } else if value < 0.0 {
        format!("({:.9e}f)", value as f32)
    } else {
        format!("{:.9e}f", value as f32)
    }
}

/// How often each piece of work occurs, what is under a condition left out: it may not be readable.
pub(super) fn count(expr: &Expr, counts: &mut Vec<(Expr, usize)>) {
    if matches!(expr, Expr::Unary(..) | Expr::Binary(..) | Expr::Select(..)) {
        match counts.iter_mut().find(|(other, _)| other == expr) {
            // What is inside occurs again only because the whole does.
            Some((_, n)) => {
                *n += 1;
                return;
            }
            None => counts.push((expr.clone(), 1)),
        }
    }
    match expr {
        Expr::Unary(_, one) => count(one, counts),
        Expr::Binary(_, one, other) => {
            count(one, counts);
            count(other, counts);
        }
        Expr::Select(condition, then, otherwise) => {
            count(condition, counts);
            count(then, counts);
            count(otherwise, counts);
        }
        _ => {}
    }
}

pub(super) fn is_whole(text: &Text) -> bool {
    matches!(text.kind, Kind::Int | Kind::Long)
}

/// A constant as an integer, if it is one.
pub(super) fn whole_constant(expr: &Expr) -> Option<Text> {
    let Expr::Const(number) = expr else { return None };
    let value = number.value();
    let small = value.abs() <= f64::from(i32::MAX);
    let kind = if small { Kind::Int } else { Kind::Long };
    let code =
        if small { format!("({})", value as i64) } else { format!("INT64_C({})", value as i64) };
    (value.fract() == 0.0 && value.abs() < 9e15).then_some(Text { code, kind })
}

pub(super) fn integer_binary(function: Binary, one: Text, other: Text) -> Text {
    let long = one.kind == Kind::Long || other.kind == Kind::Long;
    let kind = if long { Kind::Long } else { Kind::Int };
    let (one, other) = (one.code, other.code);
    let infix = |sign: &str, kind| Text { code: format!("({one} {sign} {other})"), kind };
    match function {
        Binary::Add => infix("+", kind),
        Binary::Sub => infix("-", kind),
        Binary::Mul => infix("*", kind),
        Binary::Less => infix("<", Kind::Int),
        Binary::LessEqual => infix("<=", Kind::Int),
        Binary::Equal => infix("==", Kind::Int),
        Binary::NotEqual => infix("!=", Kind::Int),
        Binary::Fmod => Text { code: format!("i_fmod({one}, {other})"), kind },
        Binary::Min => Text { code: format!("i_min({one}, {other})"), kind },
        _ => Text { code: format!("i_max({one}, {other})"), kind },
    }
}

/// A condition as a number.
pub(super) fn plain(text: Text) -> Text {
    if text.kind == Kind::Mask { real(text) } else { text }
}

/// As a float, or a vector of floats.
pub(super) fn real(text: Text) -> Text {
    match text.kind {
        Kind::Real | Kind::Vector => text,
        Kind::Int | Kind::Long => {
            Text { code: format!("(float)({})", text.code), kind: Kind::Real }
        }
        Kind::Mask => Text {
            code: format!("v_pick({}, v_all(1.0f), v_all(0.0f))", text.code),
            kind: Kind::Vector,
        },
    }
}

/// Both of the same kind.
pub(super) fn alike(one: Text, other: Text) -> (Text, Text) {
    if is_whole(&one) && is_whole(&other) {
        let kind =
            if one.kind == Kind::Long || other.kind == Kind::Long { Kind::Long } else { Kind::Int };
        return (Text { kind, ..one }, Text { kind, ..other });
    }
    let (one, other) = (real(one), real(other));
    let whole = |text: Text| match text.kind {
        Kind::Vector => text,
        _ => Text { code: format!("v_all({})", text.code), kind: Kind::Vector },
    };
    if one.kind == other.kind { (one, other) } else { (whole(one), whole(other)) }
}
