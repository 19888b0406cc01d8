//! What is computed where: inlining, finishing folds, folding in pieces.

use super::genes::{Part, Schedule};
use super::phases::phased;
use super::separate::separated;
use super::stage::{Kind, Stage};
use crate::loops::{Affine, Atom, Binary, Definition, Expr, Fold, Program, Rule, strides};

/// More than this is stored even when it could be inlined: text and compile time would explode.
const MOST_OPERATIONS: u64 = 160;

/// Splits folds: over windows, by axes; with conditions, by phases; in pieces, a definition for the pieces and one that joins
/// them.
pub(super) fn split_reductions(program: &Program, schedule: &Schedule) -> (Program, Schedule) {
    let n_given = program.given.len();
    let mut split = Program { definitions: Vec::new(), outputs: Vec::new(), ..program.clone() };
    let mut genes = Schedule { parts: Vec::new(), ..schedule.clone() };
    let mut moved: Vec<usize> = (0..n_given).collect();
    for (definition, part) in program.definitions.iter().zip(&schedule.parts) {
        let mut definition = definition.clone();
        rename(&mut definition, &moved);
        let next = n_given + split.definitions.len();
        let chain = part
            .separate
            .then(|| separated(&split, &definition, next).or_else(|| phased(&definition, next)));
        let mut part = part.clone();
        if let Some(mut chain) = chain.flatten() {
            definition = chain.pop().expect("the last stands for the whole");
            for each in chain {
                // Folds are stored in any case; what puts them together need not be.
                let store = part.store && !matches!(each.rule, Rule::Map(_));
                genes.parts.push(Part { store, ..part.clone() });
                split.definitions.push(each);
            }
            part.store &= !matches!(definition.rule, Rule::Map(_));
        }
        let pieces = in_pieces(&definition, part.pieces);
        if let Some((piece, join)) = pieces {
            split.definitions.push(piece);
            genes.parts.push(part.clone());
            let source = n_given + split.definitions.len() - 1;
            split.definitions.push(join(source));
        } else {
            split.definitions.push(definition);
        }
        genes.parts.push(part);
        moved.push(n_given + split.definitions.len() - 1);
    }
    split.outputs = program.outputs.iter().map(|&source| moved[source]).collect();
    (split, genes)
}

fn rename(definition: &mut Definition, moved: &[usize]) {
    let change = |expr: &Expr| {
        expr.map(&mut |part| match part {
            Expr::Load { source, index } => Expr::Load { source: moved[source], index },
            part => part,
        })
    };
    match &mut definition.rule {
        Rule::Map(expr) => *expr = change(expr),
        Rule::Reduce { body, finish, .. } => {
            *body = change(body);
            *finish = change(finish);
        }
        Rule::Scan { body, .. } => *body = change(body),
    }
}

type Joined = (Definition, Box<dyn Fn(usize) -> Definition>);

/// The first axis folded over that divides into about so many pieces, divided.
fn in_pieces(definition: &Definition, pieces: usize) -> Option<Joined> {
    let Rule::Reduce { fold, over, body, finish } = &definition.rule else { return None };
    if pieces < 2 || !definition.dtype.is_float() {
        return None;
    }
    let fits =
        |&extent: &usize| (2..=pieces).rev().find(|n| extent.is_multiple_of(*n) && extent / n > 1);
    let (axis, n) =
        over.iter().enumerate().find_map(|(axis, extent)| Some((axis, fits(extent)?)))?;
    let rank = definition.shape.len();
    let length = over[axis] / n;
    let mut shape = vec![n];
    shape.extend(&definition.shape);
    let mut rest = over.clone();
    rest[axis] = length;
    let extents: Vec<usize> = shape.iter().chain(&rest).copied().collect();
    let by: Vec<Affine> = (0..rank + over.len())
        .map(|var| {
            let own = Affine::var(var + 1);
            if var == rank + axis { own.plus(&Affine::var(0).times(length as i64)) } else { own }
        })
        .collect();
    let piece = Definition {
        label: format!("{}, pieces", definition.label),
        shape: shape.clone(),
        rule: Rule::Reduce {
            fold: *fold,
            over: rest,
            body: body.substitute(&by, &extents),
            finish: Expr::Folded,
        },
        ..definition.clone()
    };
    let (fold, finish, whole) = (*fold, finish.clone(), definition.clone());
    let join = move |source| {
        let mut index = vec![Affine::var(rank)];
        index.extend((0..rank).map(Affine::var));
        let body = Expr::Load { source, index };
        let rule = Rule::Reduce { fold, over: vec![n], body, finish: finish.clone() };
        Definition { rule, ..whole.clone() }
    };
    Some((piece, Box::new(join)))
}

/// Stages in order, with everything inlined that is not stored.
pub(super) fn stages(program: &Program, schedule: &Schedule) -> Vec<Stage> {
    let n_given = program.given.len();
    let mut fused = Fused {
        program,
        schedule,
        inlined: vec![None; program.definitions.len()],
        stages: Vec::new(),
    };
    for (idx, used) in used(program).into_iter().enumerate() {
        if used {
            fused.add(idx, program.outputs.contains(&(n_given + idx)));
        }
    }
    fused.stages.into_iter().map(Stage::simplified).collect()
}

/// Definitions that something returned depends on.
fn used(program: &Program) -> Vec<bool> {
    let n_given = program.given.len();
    let mut used = vec![false; program.definitions.len()];
    for &output in &program.outputs {
        if let Some(idx) = output.checked_sub(n_given) {
            used[idx] = true;
        }
    }
    for idx in (0..used.len()).rev() {
        if !used[idx] {
            continue;
        }
        let exprs = match &program.definitions[idx].rule {
            Rule::Map(expr) => vec![expr],
            Rule::Scan { body, .. } => vec![body],
            Rule::Reduce { body, finish, .. } => vec![body, finish],
        };
        for (source, _) in exprs.into_iter().flat_map(Expr::loads) {
            if let Some(idx) = source.checked_sub(n_given) {
                used[idx] = true;
            }
        }
    }
    used
}

struct Fused<'a> {
    program: &'a Program,
    schedule: &'a Schedule,
    /// What stands for a definition that is not stored.
    inlined: Vec<Option<Expr>>,
    stages: Vec<Stage>,
}

impl Fused<'_> {
    fn resolve(&self, expr: &Expr, extents: &[usize]) -> Expr {
        let n_given = self.program.given.len();
        expr.map(&mut |part| match part {
            Expr::Load { source, index } => {
                let inlined =
                    source.checked_sub(n_given).and_then(|idx| self.inlined[idx].as_ref());
                match inlined {
                    Some(expr) => expr.substitute(&index, extents),
                    None => Expr::Load { source, index },
                }
            }
            part => part,
        })
    }

    fn add(&mut self, idx: usize, returned: bool) {
        let definition = &self.program.definitions[idx];
        let part = &self.schedule.parts[idx];
        let rank = definition.shape.len();
        let mut extents = definition.shape.clone();
        let kind = match &definition.rule {
            Rule::Map(expr) => {
                let expr = self.resolve(expr, &extents);
                let small = expr.n_operations() <= MOST_OPERATIONS;
                let stored = part.store && expr.n_operations() > 0 || !small;
                // A border is stored like arithmetic is: reading without it is what it is for.
                let border = part.store && matches!(expr, Expr::If(..));
                if !returned && !stored && !border {
                    self.inlined[idx] = Some(expr);
                    return;
                }
                if let Some(stage) = self.finished(idx, &expr) {
                    self.stages.retain(|each| each.buffer != stage.0);
                    self.stages.push(stage.1);
                    return;
                }
                Kind::Map(expr)
            }
            Rule::Reduce { fold, over, body, finish } => {
                extents.extend(over);
                let finish = self.resolve(finish, &extents);
                let body = self.resolve(body, &extents);
                let (body, finish) = match fold {
                    Fold::Sum => scaled_once(body, finish),
                    _ => (body, finish),
                };
                Kind::Reduce { fold: *fold, body, finish }
            }
            Rule::Scan { fold, axis, body } => {
                let body = self.resolve(body, &extents);
                Kind::Scan { fold: *fold, axis: *axis, body, finish: Expr::Folded }
            }
        };
        let store = linear(&definition.shape);
        self.stages.push(Stage {
            buffer: self.program.given.len() + idx,
            part: idx,
            label: definition.label.clone(),
            dtype: definition.dtype,
            extents,
            n_spatial: rank,
            kind: self.flat(kind),
            store,
            streaming: false,
            axes: (0..rank).map(Affine::var).collect(),
        });
    }

    fn flat(&self, kind: Kind) -> Kind {
        let change = |expr: &Expr| {
            expr.map(&mut |part| match part {
                Expr::Load { source, index }
                    if index.len() != 1 || !self.program.shape(source).is_empty() =>
                {
                    Expr::Load {
                        source,
                        index: vec![flattened(&index, self.program.shape(source))],
                    }
                }
                Expr::Load { source, .. } => Expr::Load { source, index: vec![Affine::default()] },
                part => part,
            })
        };
        match kind {
            Kind::Map(expr) => Kind::Map(change(&expr)),
            Kind::Reduce { fold, body, finish } => {
                Kind::Reduce { fold, body: change(&body), finish: change(&finish) }
            }
            Kind::Scan { fold, axis, body, finish } => {
                Kind::Scan { fold, axis, body: change(&body), finish: change(&finish) }
            }
        }
    }

    /// The fold or scan that a map does nothing but finish, finished; with the source that is then
    /// no longer needed.
    fn finished(&self, idx: usize, expr: &Expr) -> Option<(usize, Stage)> {
        let definition = &self.program.definitions[idx];
        let n_given = self.program.given.len();
        let mut candidates = self.stages.iter().filter(|each| !matches!(each.kind, Kind::Map(_)));
        let stage = candidates
            .find(|stage| expr.loads().iter().any(|(source, _)| *source == stage.buffer))?;
        let source = stage.buffer;
        if self.schedule.parts[source - n_given].apart || self.needed_elsewhere(source, idx) {
            return None;
        }
        let own = &self.program.definitions[source - n_given];
        let mut at: Option<&[Affine]> = None;
        for (other, index) in expr.loads() {
            if other != source {
                continue;
            }
            if at.is_some_and(|at| at != index) {
                return None;
            }
            at = Some(index);
        }
        let at = at?;
        if own.shape.iter().product::<usize>() != definition.shape.iter().product::<usize>() {
            return None;
        }
        let all = &stage.extents;
        let by = inverse(at, &own.shape, &definition.shape)?;
        // What it finishes may be finished once already, and have other axes than the stage.
        let by: Vec<Affine> = by.iter().map(|each| each.substitute(&stage.axes, all)).collect();
        let placed = expr.map(&mut |part| match part {
            Expr::Load { source: this, .. } if this == source => Expr::Folded,
            part => part,
        });
        let placed = placed.substitute(&by, all);
        let Kind::Map(placed) = self.flat(Kind::Map(placed)) else { return None };
        let change = |finish: &Expr| {
            placed.map(&mut |part| if part == Expr::Folded { finish.clone() } else { part })
        };
        let kind = match &stage.kind {
            Kind::Reduce { fold, body, finish } => {
                Kind::Reduce { fold: *fold, body: body.clone(), finish: change(finish) }
            }
            Kind::Scan { fold, axis, body, finish } => {
                Kind::Scan { fold: *fold, axis: *axis, body: body.clone(), finish: change(finish) }
            }
            Kind::Map(_) => return None,
        };
        let store = linear(&definition.shape).substitute(&by, all);
        let finished = Stage {
            buffer: n_given + idx,
            label: format!("{}, {}", stage.label, definition.label),
            dtype: definition.dtype,
            kind,
            store,
            axes: by,
            ..stage.clone()
        };
        Some((source, finished))
    }

    /// Whether anything but this definition needs a source, directly or through what is inlined.
    fn needed_elsewhere(&self, source: usize, but: usize) -> bool {
        if self.program.outputs.contains(&source) {
            return true;
        }
        let n_given = self.program.given.len();
        // What is inlined passes the need on to those that use it.
        let mut carriers = vec![source];
        let mut users = Vec::new();
        let mut seen = 0;
        while let Some(&carrier) = carriers.get(seen) {
            seen += 1;
            for (idx, definition) in self.program.definitions.iter().enumerate() {
                let exprs = match &definition.rule {
                    Rule::Map(expr) => vec![expr],
                    Rule::Scan { body, .. } => vec![body],
                    Rule::Reduce { body, finish, .. } => vec![body, finish],
                };
                let uses =
                    exprs.iter().any(|expr| expr.loads().iter().any(|each| each.0 == carrier));
                if !uses {
                    continue;
                }
                let inlined = self.inlined[idx].is_some();
                if inlined && !carriers.contains(&(n_given + idx)) {
                    carriers.push(n_given + idx);
                } else if !inlined && !users.contains(&idx) {
                    users.push(idx);
                }
            }
        }
        users.iter().any(|&idx| idx != but)
    }
}

/// A sum of products in which constant factors are applied to the sum.
fn scaled_once(body: Expr, finish: Expr) -> (Expr, Expr) {
    let Expr::Binary(Binary::Mul, one, other) = body else { return (body, finish) };
    let split = |expr: Expr| match expr {
        Expr::Binary(Binary::Mul, value, factor) if matches!(*factor, Expr::Const(_)) => {
            (*value, Some(*factor))
        }
        expr => (expr, None),
    };
    let ((one, first), (other, second)) = (split(*one), split(*other));
    let scaled = [first, second]
        .into_iter()
        .flatten()
        .fold(Expr::Folded, |value, factor| value.binary(Binary::Mul, factor));
    let finish = finish.map(&mut |part| if part == Expr::Folded { scaled.clone() } else { part });
    (one.binary(Binary::Mul, other), finish)
}

/// Row-major position of an array's own variables.
fn linear(shape: &[usize]) -> Affine {
    flattened(&(0..shape.len()).map(Affine::var).collect::<Vec<_>>(), shape)
}

fn flattened(index: &[Affine], shape: &[usize]) -> Affine {
    let by = strides(shape);
    index.iter().zip(&by).fold(Affine::default(), |sum, (at, &by)| sum.plus(&at.times(by)))
}

/// Variables of a reader in terms of those of what it reads at `at`: each position is read once.
fn inverse(at: &[Affine], read: &[usize], reader: &[usize]) -> Option<Vec<Affine>> {
    if flattened(at, read) == linear(reader) {
        let flat = linear(read);
        return Some(crate::lower::delinearize(&flat, reader, read));
    }
    let mut by = Vec::new();
    for (var, &extent) in reader.iter().enumerate() {
        let plain = at.iter().position(|each| each.as_var() == Some(var));
        if let Some(axis) = plain {
            by.push(Affine::var(axis));
            continue;
        }
        if extent == 1 {
            by.push(Affine::default());
            continue;
        }
        // From the end.
        let last = extent as i64 - 1;
        let back = Affine::var(var).times(-1).offset(last);
        if let Some(axis) = at.iter().position(|each| *each == back)
            && read[axis] == extent
        {
            by.push(Affine::var(axis).times(-1).offset(last));
            continue;
        }
        // Quotient on one axis, remainder on another.
        let part = |each: &Affine| match (each.constant, each.terms.as_slice()) {
            (0, [(1, Atom::Div(inner, by))]) if inner.as_var() == Some(var) => Some((true, *by)),
            (0, [(1, Atom::Mod(inner, by))]) if inner.as_var() == Some(var) => Some((false, *by)),
            _ => None,
        };
        let parts: Vec<_> = at.iter().map(part).collect();
        let high = parts.iter().position(|each| each.is_some_and(|(high, _)| high))?;
        let low = parts.iter().position(|each| each.is_some_and(|(high, _)| !high))?;
        let (divisor, modulus) = (parts[high]?.1, parts[low]?.1);
        if divisor != modulus || read[low] as i64 != modulus {
            return None;
        }
        by.push(Affine::var(high).times(divisor).plus(&Affine::var(low)));
    }
    // Every axis that is not of extent 1 has to be in use, or positions would be stored twice.
    let used = |axis: usize| by.iter().any(|each| each.mentions(axis));
    (0..read.len()).all(|axis| read[axis] == 1 || used(axis)).then_some(by)
}
