//! Folds over windows, one axis after the other: rows of a window are folded into rows that
//! neighbouring windows share, then their columns.

use crate::loops::{Affine, Atom, Definition, Expr, Program, Rule};

/// A fold over windows as a chain of folds along one axis each, the last of which stands for the
/// whole; `None` when it is no such fold. `source` is the number that the first of them gets.
pub(super) fn separated(
    program: &Program,
    definition: &Definition,
    source: usize,
) -> Option<Vec<Definition>> {
    let Rule::Reduce { fold, over, body, finish } = &definition.rule else { return None };
    let Expr::Load { source: given, index } = body else { return None };
    let rank = definition.shape.len();
    if over.len() < 2 || !definition.dtype.is_float() {
        return None;
    }
    let windows = windows(index, rank, over.len())?;
    let mut shape = program.shape(*given).to_vec();
    let mut index = index.clone();
    let mut from = *given;
    let mut chain = Vec::new();
    for (tap, &(axis, out)) in windows.iter().enumerate().take(over.len() - 1) {
        shape[axis] = definition.shape[out];
        let whole: Vec<Affine> = (0..shape.len()).map(Affine::var).collect();
        // The window's position and tap, as variables of the shorter fold.
        let mut by = vec![Affine::default(); rank + over.len()];
        by[out] = Affine::var(axis);
        by[rank + tap] = Affine::var(shape.len());
        let mut at = whole;
        let mut extents = shape.clone();
        extents.push(over[tap]);
        at[axis] = index[axis].substitute(&by, &extents);
        let body = Expr::Load { source: from, index: at };
        chain.push(Definition {
            label: format!("{}, rows", definition.label),
            shape: shape.clone(),
            rule: Rule::Reduce { fold: *fold, over: vec![over[tap]], body, finish: Expr::Folded },
            ..definition.clone()
        });
        from = source + tap;
        index[axis] = Affine::var(out);
    }
    // The last axis is folded over by the first variable after those of positions.
    let last = over.len() - 1;
    let mut by: Vec<Affine> = (0..rank + over.len()).map(Affine::var).collect();
    by[rank + last] = Affine::var(rank);
    let mut extents = definition.shape.clone();
    extents.push(over[last]);
    let index = index.iter().map(|each| each.substitute(&by, &extents)).collect();
    let body = Expr::Load { source: from, index };
    let rule = Rule::Reduce { fold: *fold, over: vec![over[last]], body, finish: finish.clone() };
    chain.push(Definition { rule, ..definition.clone() });
    Some(chain)
}

/// For each axis folded over, the axis of the array and the variable of the position that make up
/// its window; `None` when one is no window.
fn windows(index: &[Affine], rank: usize, n_over: usize) -> Option<Vec<(usize, usize)>> {
    let plain = |each: &Affine| each.terms.iter().all(|(_, atom)| matches!(atom, Atom::Var(_)));
    if !index.iter().all(plain) {
        return None;
    }
    (rank..rank + n_over)
        .map(|tap| {
            let mut axes = (0..index.len()).filter(|&axis| index[axis].mentions(tap));
            let (axis, None) = (axes.next()?, axes.next()) else { return None };
            let mut vars = (0..rank + n_over).filter(|&var| index[axis].mentions(var));
            let (out, Some(_), None) = (vars.next()?, vars.next(), vars.next()) else {
                return None;
            };
            let alone = (0..index.len()).filter(|&other| index[other].mentions(out)).count() == 1;
            (out < rank && alone).then_some((axis, out))
        })
        .collect()
}
