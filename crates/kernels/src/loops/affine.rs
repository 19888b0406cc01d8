//! Positions: sums of multiples of loop variables, and what reshaping adds to them.

use super::Expr;

/// A sum of a constant and multiples of [`Atom`]s, kept sorted and without zeros.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Affine {
    /// The constant.
    pub constant: i64,
    /// Factor and atom.
    pub terms: Vec<(i64, Atom)>,
}

/// What an [`Affine`] is a sum of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Atom {
    /// A loop variable.
    Var(usize),
    /// Floor of a division by a positive constant.
    Div(Box<Affine>, i64),
    /// Remainder of it.
    Mod(Box<Affine>, i64),
    /// A number read from an integer array.
    Value(Box<Expr>),
}

impl Affine {
    /// Most rows that are told apart in a vector.
    pub(crate) const MOST_INTERLEAVED: i64 = 6;

    /// A number.
    #[must_use]
    pub fn constant(value: i64) -> Self {
        Self { constant: value, terms: Vec::new() }
    }

    /// A loop variable.
    #[must_use]
    pub fn var(var: usize) -> Self {
        Self { constant: 0, terms: vec![(1, Atom::Var(var))] }
    }

    /// A number read from an array.
    #[must_use]
    pub fn value(expr: Expr) -> Self {
        Self { constant: 0, terms: vec![(1, Atom::Value(Box::new(expr)))] }
    }

    /// The variable that this is, and nothing else.
    #[must_use]
    pub fn as_var(&self) -> Option<usize> {
        match (&self.constant, self.terms.as_slice()) {
            (0, [(1, Atom::Var(var))]) => Some(*var),
            _ => None,
        }
    }

    /// The number that this is, when it depends on nothing.
    #[must_use]
    pub fn as_constant(&self) -> Option<i64> {
        self.terms.is_empty().then_some(self.constant)
    }

    /// Sum.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        let mut terms = self.terms.clone();
        terms.extend(other.terms.iter().cloned());
        Self { constant: self.constant + other.constant, terms }.tidy()
    }

    /// Sum with a number.
    #[must_use]
    pub fn offset(&self, by: i64) -> Self {
        Self { constant: self.constant + by, terms: self.terms.clone() }
    }

    /// Multiple.
    #[must_use]
    pub fn times(&self, factor: i64) -> Self {
        if factor == 0 {
            return Self::default();
        }
        let terms = self.terms.iter().map(|(by, atom)| (by * factor, atom.clone())).collect();
        Self { constant: self.constant * factor, terms }
    }

    /// Floor of the division by `divisor`, given the variables' extents.
    #[must_use]
    pub fn divided(&self, divisor: i64, extents: &[usize]) -> Self {
        if divisor == 1 {
            return self.clone();
        }
        let (whole, rest) = self.split(divisor);
        let (lift, rest) = rest.lifted(divisor, extents);
        let whole = whole.offset(-lift);
        match rest.range(extents) {
            Some((low, high)) if low >= 0 && high < divisor => whole,
            _ => {
                if let Some(line) = rest.of_two(extents, |at| at.div_euclid(divisor)) {
                    return whole.plus(&line);
                }
                let atom = match (rest.constant, rest.terms.as_slice()) {
                    (0, [(1, Atom::Div(inner, by))]) => Atom::Div(inner.clone(), by * divisor),
                    _ => Atom::Div(Box::new(rest), divisor),
                };
                whole.plus(&Self { constant: 0, terms: vec![(1, atom)] })
            }
        }
    }

    /// Remainder of the division by `divisor`, given the variables' extents.
    #[must_use]
    pub fn remainder(&self, divisor: i64, extents: &[usize]) -> Self {
        if divisor == 1 {
            return Self::default();
        }
        let (_, rest) = self.split(divisor).1.lifted(divisor, extents);
        match rest.range(extents) {
            Some((low, high)) if low >= 0 && high < divisor => rest,
            _ => match rest.of_two(extents, |at| at.rem_euclid(divisor)) {
                Some(line) => line,
                None => Self { constant: 0, terms: vec![(1, Atom::Mod(Box::new(rest), divisor))] },
            },
        }
    }

    /// A function of this, when it is of one variable that has two values: two points make a line.
    fn of_two(&self, extents: &[usize], function: impl Fn(i64) -> i64) -> Option<Self> {
        let [(factor, Atom::Var(var))] = self.terms.as_slice() else { return None };
        let (first, second) = (function(self.constant), function(self.constant + factor));
        let line = || Self::var(*var).times(second - first).offset(first);
        (extents.get(*var) == Some(&2)).then(line)
    }

    /// With so many times the divisor added that it is never negative: quotients and remainders of
    /// C are then those of floors.
    fn lifted(self, divisor: i64, extents: &[usize]) -> (i64, Self) {
        let low = self.range(extents).map_or(0, |(low, _)| low);
        let times = if low < 0 { (-low + divisor - 1) / divisor } else { 0 };
        (times, self.offset(times * divisor))
    }

    /// `self = divisor * first + second`, with as much as possible in the first.
    fn split(&self, divisor: i64) -> (Self, Self) {
        let mut whole = Self::constant(self.constant.div_euclid(divisor));
        let mut rest = Self::constant(self.constant.rem_euclid(divisor));
        for (factor, atom) in &self.terms {
            let (quotient, remainder) = (factor.div_euclid(divisor), factor.rem_euclid(divisor));
            if remainder == 0 {
                whole.terms.push((quotient, atom.clone()));
            } else {
                rest.terms.push((*factor, atom.clone()));
            }
        }
        (whole.tidy(), rest.tidy())
    }

    /// Least and greatest value, given the variables' extents; `None` when it depends on data.
    #[must_use]
    pub fn range(&self, extents: &[usize]) -> Option<(i64, i64)> {
        let mut range = (self.constant, self.constant);
        for (factor, atom) in &self.terms {
            let (low, high) = match atom {
                Atom::Var(var) => (0, extents.get(*var).copied()?.max(1) as i64 - 1),
                Atom::Div(inner, by) => {
                    let (low, high) = inner.range(extents)?;
                    (low.div_euclid(*by), high.div_euclid(*by))
                }
                Atom::Mod(_, by) => (0, by - 1),
                Atom::Value(_) => return None,
            };
            let (one, other) = (factor * low, factor * high);
            range = (range.0 + one.min(other), range.1 + one.max(other));
        }
        Some(range)
    }

    /// With every variable replaced.
    #[must_use]
    pub fn substitute(&self, by: &[Self], extents: &[usize]) -> Self {
        let mut sum = Self::constant(self.constant);
        for (factor, atom) in &self.terms {
            let replaced = match atom {
                Atom::Var(var) => by[*var].clone(),
                Atom::Div(inner, divisor) => {
                    inner.substitute(by, extents).divided(*divisor, extents)
                }
                Atom::Mod(inner, divisor) => {
                    inner.substitute(by, extents).remainder(*divisor, extents)
                }
                Atom::Value(expr) => Self::value(expr.substitute(by, extents)),
            };
            sum = sum.plus(&replaced.times(*factor));
        }
        sum
    }

    /// Factor of a variable; `None` when it is also inside a division or an array's position.
    #[must_use]
    pub fn stride(&self, var: usize) -> Option<i64> {
        let mut stride = 0;
        for (factor, atom) in &self.terms {
            match atom {
                Atom::Var(this) if *this == var => stride += factor,
                Atom::Var(_) => {}
                Atom::Div(inner, _) | Atom::Mod(inner, _) if inner.mentions(var) => return None,
                Atom::Value(expr) if expr.mentions(var) => return None,
                _ => {}
            }
        }
        Some(stride)
    }

    /// After how many steps of a variable all remainders are what they were, and how much is added
    /// by then; `None` when it is inside a quotient of a quotient, or an array's position.
    #[must_use]
    pub fn cycle(&self, var: usize) -> Option<(i64, i64)> {
        let mut steps = 1;
        for (_, atom) in &self.terms {
            match atom {
                Atom::Div(inner, by) | Atom::Mod(inner, by) if inner.mentions(var) => {
                    let once = by / common(*by, inner.stride(var)?);
                    steps *= once / common(once, steps);
                }
                Atom::Value(expr) if expr.mentions(var) => return None,
                _ => {}
            }
        }
        let mut added = 0;
        for (factor, atom) in &self.terms {
            match atom {
                Atom::Var(this) if *this == var => added += factor * steps,
                Atom::Div(inner, by) if inner.mentions(var) => {
                    added += factor * (inner.stride(var)? * steps / by);
                }
                _ => {}
            }
        }
        Some((steps, added))
    }

    /// Steps of a variable after which positions go on beside the first, where these are few but not
    /// one: positions of as many rows in turn.
    #[must_use]
    pub fn interleaved(&self, var: usize) -> Option<i64> {
        let (steps @ 2..=Self::MOST_INTERLEAVED, 1) = self.cycle(var)? else { return None };
        Some(steps)
    }

    /// Whether a variable is in it.
    #[must_use]
    pub fn mentions(&self, var: usize) -> bool {
        self.terms.iter().any(|(_, atom)| match atom {
            Atom::Var(this) => *this == var,
            Atom::Div(inner, _) | Atom::Mod(inner, _) => inner.mentions(var),
            Atom::Value(expr) => expr.mentions(var),
        })
    }

    /// Sorted, equal atoms added up, and quotient and remainder of the same put together again.
    fn tidy(mut self) -> Self {
        self.terms.sort_by(|one, other| one.1.cmp(&other.1));
        let mut terms: Vec<(i64, Atom)> = Vec::with_capacity(self.terms.len());
        for (factor, atom) in self.terms.drain(..) {
            match terms.last_mut() {
                Some((sum, last)) if *last == atom => *sum += factor,
                _ => terms.push((factor, atom)),
            }
        }
        terms.retain(|(factor, _)| *factor != 0);
        self.terms = terms;
        match self.recombined() {
            Some((one, other, sum)) => {
                let (first, second) = (one.max(other), one.min(other));
                self.terms.remove(first);
                self.terms.remove(second);
                self.plus(&sum)
            }
            None => self,
        }
    }

    /// `d * (e / d) + e % d = e`, also for what is left of `e` after an earlier division.
    fn recombined(&self) -> Option<(usize, usize, Self)> {
        for (one, (big, quotient)) in self.terms.iter().enumerate() {
            let Atom::Div(inner, divisor) = quotient else { continue };
            for (other, (small, remainder)) in self.terms.iter().enumerate() {
                let Atom::Mod(of, modulus) = remainder else { continue };
                if *big != small * modulus {
                    continue;
                }
                if of == inner && modulus == divisor {
                    return Some((one, other, inner.times(*small)));
                }
                if let (0, [(1, Atom::Div(deep, by))]) = (of.constant, of.terms.as_slice())
                    && deep == inner
                    && by * modulus == *divisor
                {
                    let atom = Atom::Div(deep.clone(), *by);
                    return Some((one, other, Self { constant: 0, terms: vec![(*small, atom)] }));
                }
            }
        }
        None
    }
}

/// Greatest common divisor.
pub(crate) fn common(mut one: i64, mut other: i64) -> i64 {
    while other != 0 {
        (one, other) = (other, one % other);
    }
    one.abs()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reshaping_there_and_back_is_nothing() {
        // [4, 6] read as [24] read as [2, 3, 4] read as [24].
        let extents = [24];
        let flat = Affine::var(0);
        let (i, j, k) = (
            flat.divided(12, &extents),
            flat.divided(4, &extents).remainder(3, &extents),
            flat.remainder(4, &extents),
        );
        let back = i.times(12).plus(&j.times(4)).plus(&k);
        assert_eq!(back, flat);
    }

    #[test]
    fn known_extents_remove_divisions() {
        let extents = [5, 7];
        let linear = Affine::var(0).times(7).plus(&Affine::var(1));
        assert_eq!(linear.divided(7, &extents), Affine::var(0));
        assert_eq!(linear.remainder(7, &extents), Affine::var(1));
        assert_eq!(linear.range(&extents), Some((0, 34)));
    }

    #[test]
    fn a_stride_inside_a_division_is_unknown() {
        let halved = Affine::var(0).divided(2, &[8]);
        assert_eq!(halved.stride(0), None);
        assert_eq!(halved.stride(1), Some(0));
        let two = [Affine::var(0).times(2).plus(&Affine::var(1))];
        assert_eq!(halved.substitute(&two, &[4, 2]), Affine::var(0));
    }

    #[test]
    fn quotients_and_remainders_come_round() {
        let at = Affine::var(0).offset(1);
        let apart = |by: i64| at.remainder(by, &[90]).times(50).plus(&at.divided(by, &[90]));
        assert_eq!(apart(5).cycle(0), Some((5, 1)));
        assert_eq!(apart(5).plus(&apart(3)).cycle(0), Some((15, 8)));
        assert_eq!(Affine::var(0).times(4).remainder(6, &[90]).cycle(0), Some((3, 0)));
        assert_eq!(Affine::var(0).times(3).cycle(0), Some((1, 3)));
        assert_eq!(apart(5).cycle(1), Some((1, 0)));
        assert_eq!((apart(5).interleaved(0), apart(9).interleaved(0)), (Some(5), None));
    }

    #[test]
    fn quotients_of_two_values_are_lines() {
        let at = Affine::var(0).offset(1);
        assert_eq!(at.divided(2, &[2]), Affine::var(0));
        assert_eq!(at.remainder(2, &[2]), Affine::var(0).times(-1).offset(1));
        assert_eq!(at.divided(2, &[3]).stride(0), None);
    }
}
