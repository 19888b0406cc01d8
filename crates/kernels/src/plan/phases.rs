//! Folds by phases: what a condition cuts off from a fold, for some of the positions along an axis
//! of the result, is not computed. So a transposed convolution has no taps that are none.

use std::ops::Range;

use crate::loops::{Affine, Atom, Definition, Expr, Rule, Within};

/// A fold as several, each over what counts for its positions, and how they are put together; the
/// last stands for the whole. `None` when it has no such condition. `source` is the number that the
/// first of them gets.
pub(super) fn phased(definition: &Definition, source: usize) -> Option<Vec<Definition>> {
    let mut chain = Vec::new();
    divide(definition.clone(), source, &mut chain);
    (chain.len() > 1).then_some(chain)
}

/// Adds a definition, divided as far as possible, and says what number it got.
fn divide(definition: Definition, source: usize, chain: &mut Vec<Definition>) -> usize {
    if let Some(cut) = Cut::of(&definition) {
        let mut parts = Vec::new();
        for (positions, n) in &cut.runs {
            let part = cut.part(&definition, positions, *n);
            parts.push((positions.clone(), divide(part, source, chain)));
        }
        chain.push(joined(&definition, cut.var, &parts));
    } else {
        chain.push(definition);
    }
    source + chain.len() - 1
}

/// A condition on a sum of a position of the result and one folded over.
struct Cut {
    var: usize,
    /// The variable folded over.
    over: usize,
    /// Neighbouring positions, and how far folds of theirs go.
    runs: Vec<(Range<usize>, usize)>,
}

impl Cut {
    /// The first that there is.
    fn of(definition: &Definition) -> Option<Self> {
        let Rule::Reduce { body, over, .. } = &definition.rule else { return None };
        let rank = definition.shape.len();
        let extents: Vec<usize> = definition.shape.iter().chain(over).copied().collect();
        let mut found = None;
        body.visit(&mut |part| {
            if let Expr::If(within, ..) = part {
                let mut cuts = within.iter().filter_map(|each| Self::by(each, rank, &extents));
                found = found.take().or_else(|| cuts.next());
            }
        });
        found
    }

    fn by(within: &Within, rank: usize, extents: &[usize]) -> Option<Self> {
        let [(one, Atom::Var(var)), (other, Atom::Var(over))] = within.index.terms.as_slice()
        else {
            return None;
        };
        if *var >= rank || *over < rank {
            return None;
        }
        let inside = |at: usize, fold: usize| {
            let index = within.index.constant + one * at as i64 + other * fold as i64;
            (within.low..within.high).contains(&index)
        };
        let mut runs: Vec<(Range<usize>, usize)> = Vec::new();
        for at in 0..extents[*var] {
            let n = (0..extents[*over]).take_while(|&fold| inside(at, fold)).count();
            // What counts has to come first, and there has to be something.
            if n == 0 || (n..extents[*over]).any(|fold| inside(at, fold)) {
                return None;
            }
            match runs.last_mut() {
                Some((positions, same)) if *same == n => positions.end = at + 1,
                _ => runs.push((at..at + 1, n)),
            }
        }
        (runs.len() == 2).then_some(Self { var: *var, over: *over, runs })
    }

    /// The fold for some of the positions.
    fn part(&self, definition: &Definition, positions: &Range<usize>, n: usize) -> Definition {
        let Rule::Reduce { fold, over, body, finish } = &definition.rule else {
            unreachable!("only folds are cut")
        };
        let mut part = definition.clone();
        let rank = part.shape.len();
        part.shape[self.var] = positions.len();
        let mut over = over.clone();
        over[self.over - rank] = n;
        let extents: Vec<usize> = part.shape.iter().chain(&over).copied().collect();
        let mut by: Vec<Affine> = (0..extents.len()).map(Affine::var).collect();
        by[self.var] = by[self.var].offset(positions.start as i64);
        let body = body.substitute(&by, &extents);
        let finish = finish.substitute(&by, &extents);
        part.rule = Rule::Reduce { fold: *fold, over, body, finish };
        part
    }
}

/// Each position of a fold's result from the part that has it.
fn joined(definition: &Definition, var: usize, parts: &[(Range<usize>, usize)]) -> Definition {
    let load = |(positions, source): &(Range<usize>, usize)| {
        let mut index: Vec<Affine> = (0..definition.shape.len()).map(Affine::var).collect();
        index[var] = index[var].offset(-(positions.start as i64));
        Expr::Load { source: *source, index }
    };
    let (last, rest) = parts.split_last().expect("a fold has parts");
    let expr = rest.iter().rev().fold(load(last), |otherwise, part| {
        let (low, high) = (part.0.start as i64, part.0.end as i64);
        let within = vec![Within { index: Affine::var(var), low, high }];
        Expr::conditional(within, load(part), otherwise, &definition.shape)
    });
    Definition { rule: Rule::Map(expr), ..definition.clone() }
}
