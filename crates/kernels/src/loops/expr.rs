//! Values: what an element of an array is.

use super::{Affine, Atom};

/// A floating-point constant that can be compared and ordered, by its bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Number(u64);

/// A function of one value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "they are what they are called")]
pub enum Unary {
    Neg,
    Abs,
    Exp,
    Expm1,
    Log,
    Log1p,
    Sqrt,
    Rsqrt,
    Reciprocal,
    Tanh,
    Sigmoid,
    Erf,
    Sin,
    Cos,
    Floor,
    Ceil,
    Round,
    Trunc,
    Sign,
    Not,
    IsNan,
    /// To a 32-bit float.
    Float,
    /// To a 32-bit integer, towards zero.
    Int,
    /// To a 64-bit integer, towards zero.
    Long,
}

/// A function of two values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "they are what they are called")]
pub enum Binary {
    Add,
    Sub,
    Mul,
    Div,
    /// The first where it is less, or not a number.
    Min,
    /// The first where it is greater, or not a number.
    Max,
    Pow,
    /// Remainder with the sign of the dividend.
    Fmod,
    Less,
    LessEqual,
    Equal,
    NotEqual,
    And,
    Or,
}

/// A position that has to be in a range.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Within {
    /// The position.
    pub index: Affine,
    /// Least.
    pub low: i64,
    /// Bound.
    pub high: i64,
}

/// A value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Expr {
    /// A constant.
    Const(Number),
    /// An element of a source, by its position along each axis. Once a stage is laid out there is
    /// one position only, in the flat array.
    Load {
        /// Which source.
        source: usize,
        /// Where.
        index: Vec<Affine>,
    },
    /// A position as a value.
    Index(Affine),
    /// The result of the fold, in what finishes one.
    Folded,
    /// A function of one value.
    Unary(Unary, Box<Expr>),
    /// A function of two.
    Binary(Binary, Box<Expr>, Box<Expr>),
    /// The second where the first is not zero, else the third.
    Select(Box<Expr>, Box<Expr>, Box<Expr>),
    /// The second where all positions are in range, else the third. What is not taken is not read.
    If(Vec<Within>, Box<Expr>, Box<Expr>),
}

impl Number {
    /// Its value.
    #[must_use]
    pub fn value(self) -> f64 {
        f64::from_bits(self.0)
    }
}

impl Expr {
    /// A constant.
    #[must_use]
    pub fn number(value: f64) -> Self {
        Self::Const(Number(value.to_bits()))
    }

    /// A function of this.
    #[must_use]
    pub fn unary(self, function: Unary) -> Self {
        Self::Unary(function, Box::new(self))
    }

    /// A function of this and another. Adding nothing and multiplying by one are left out.
    #[must_use]
    pub fn binary(self, function: Binary, other: Self) -> Self {
        let neutral = |expr: &Self, value: f64| *expr == Self::number(value);
        match function {
            Binary::Add if neutral(&other, 0.0) => self,
            Binary::Sub if neutral(&other, 0.0) => self,
            Binary::Mul | Binary::Div if neutral(&other, 1.0) => self,
            Binary::Mul if neutral(&self, 1.0) => other,
            _ => Self::Binary(function, Box::new(self), Box::new(other)),
        }
    }

    /// `then` where this is not zero, else `otherwise`.
    #[must_use]
    pub fn select(self, then: Self, otherwise: Self) -> Self {
        Self::Select(Box::new(self), Box::new(then), Box::new(otherwise))
    }

    /// Every part, itself first.
    pub fn visit<'a>(&'a self, see: &mut dyn FnMut(&'a Self)) {
        see(self);
        match self {
            Self::Const(_) | Self::Folded => {}
            Self::Index(index) => index.visit_values(see),
            Self::Load { index, .. } => index.iter().for_each(|each| each.visit_values(see)),
            Self::Unary(_, one) => one.visit(see),
            Self::Binary(_, one, other) => {
                one.visit(see);
                other.visit(see);
            }
            Self::Select(condition, then, otherwise) => {
                condition.visit(see);
                then.visit(see);
                otherwise.visit(see);
            }
            Self::If(within, then, otherwise) => {
                within.iter().for_each(|each| each.index.visit_values(see));
                then.visit(see);
                otherwise.visit(see);
            }
        }
    }

    /// The same with every part replaced, innermost first.
    #[must_use]
    pub fn map(&self, change: &mut dyn FnMut(Self) -> Self) -> Self {
        let mut boxed = |expr: &Self| Box::new(expr.map(change));
        let rebuilt = match self {
            Self::Const(_) | Self::Folded => self.clone(),
            Self::Index(index) => Self::Index(index.map_values(change)),
            Self::Load { source, index } => Self::Load {
                source: *source,
                index: index.iter().map(|each| each.map_values(change)).collect(),
            },
            Self::Unary(function, one) => Self::Unary(*function, boxed(one)),
            Self::Binary(function, one, other) => Self::Binary(*function, boxed(one), boxed(other)),
            Self::Select(condition, then, otherwise) => {
                Self::Select(boxed(condition), boxed(then), boxed(otherwise))
            }
            Self::If(within, then, otherwise) => {
                let then = boxed(then);
                let otherwise = boxed(otherwise);
                let within = within.iter().map(|each| each.map_values(change)).collect();
                Self::If(within, then, otherwise)
            }
        };
        change(rebuilt)
    }

    /// With every variable replaced by a position. Conditions that always hold, or never, go away.
    #[must_use]
    pub fn substitute(&self, by: &[Affine], extents: &[usize]) -> Self {
        let boxed = |expr: &Self| Box::new(expr.substitute(by, extents));
        match self {
            Self::Const(_) | Self::Folded => self.clone(),
            Self::Index(index) => Self::Index(index.substitute(by, extents)),
            Self::Load { source, index } => Self::Load {
                source: *source,
                index: index.iter().map(|each| each.substitute(by, extents)).collect(),
            },
            Self::Unary(function, one) => Self::Unary(*function, boxed(one)),
            Self::Binary(function, one, other) => Self::Binary(*function, boxed(one), boxed(other)),
            Self::Select(condition, then, otherwise) => {
                Self::Select(boxed(condition), boxed(then), boxed(otherwise))
            }
            Self::If(within, then, otherwise) => {
                let within = within.iter().map(|each| Within {
                    index: each.index.substitute(by, extents),
                    ..each.clone()
                });
                Self::conditional(
                    within.collect(),
                    then.substitute(by, extents),
                    otherwise.substitute(by, extents),
                    extents,
                )
            }
        }
    }

    /// [`Expr::If`], without the conditions that extents decide.
    #[must_use]
    pub fn conditional(
        within: Vec<Within>,
        then: Self,
        otherwise: Self,
        extents: &[usize],
    ) -> Self {
        let mut open = Vec::new();
        for each in within {
            match each.index.range(extents) {
                Some((low, high)) if low >= each.low && high < each.high => {}
                Some((low, high)) if high < each.low || low >= each.high => return otherwise,
                _ => open.push(each),
            }
        }
        if open.is_empty() { then } else { Self::If(open, Box::new(then), Box::new(otherwise)) }
    }

    /// Whether a variable is in it.
    #[must_use]
    pub fn mentions(&self, var: usize) -> bool {
        let mut found = false;
        self.visit(&mut |part| {
            found |= match part {
                Self::Load { index, .. } => index.iter().any(|each| each.mentions_directly(var)),
                Self::Index(index) => index.mentions_directly(var),
                Self::If(within, ..) => within.iter().any(|each| each.index.mentions_directly(var)),
                _ => false,
            };
        });
        found
    }

    /// Every element read: source and position.
    #[must_use]
    pub fn loads(&self) -> Vec<(usize, &[Affine])> {
        let mut loads = Vec::new();
        self.visit(&mut |part| {
            if let Self::Load { source, index } = part {
                loads.push((*source, index.as_slice()));
            }
        });
        loads
    }

    /// Arithmetic and functions in it.
    #[must_use]
    pub fn n_operations(&self) -> u64 {
        let mut n = 0;
        self.visit(&mut |part| {
            n += u64::from(matches!(part, Self::Unary(..) | Self::Binary(..) | Self::Select(..)));
        });
        n
    }
}

impl Within {
    fn map_values(&self, change: &mut dyn FnMut(Expr) -> Expr) -> Self {
        Self { index: self.index.map_values(change), ..*self }
    }
}

impl Affine {
    fn visit_values<'a>(&'a self, see: &mut dyn FnMut(&'a Expr)) {
        for (_, atom) in &self.terms {
            match atom {
                Atom::Var(_) => {}
                Atom::Div(inner, _) | Atom::Mod(inner, _) => inner.visit_values(see),
                Atom::Value(expr) => expr.visit(see),
            }
        }
    }

    fn map_values(&self, change: &mut dyn FnMut(Expr) -> Expr) -> Self {
        let mut changed = self.clone();
        for (_, atom) in &mut changed.terms {
            match atom {
                Atom::Var(_) => {}
                Atom::Div(inner, _) | Atom::Mod(inner, _) => **inner = inner.map_values(change),
                Atom::Value(expr) => **expr = expr.map(change),
            }
        }
        changed
    }

    /// Like [`Affine::mentions`], without looking into the arrays that positions are read from.
    fn mentions_directly(&self, var: usize) -> bool {
        self.terms.iter().any(|(_, atom)| match atom {
            Atom::Var(this) => *this == var,
            Atom::Div(inner, _) | Atom::Mod(inner, _) => inner.mentions_directly(var),
            Atom::Value(_) => false,
        })
    }
}
