//! Which stages share a pass over their outer axes, and along which axis vectors lie.

use super::direct::Direct;
use super::dots::Dots;
use super::genes::{Form, Part, Schedule};
use super::product::Product;
use super::stage::{Kind, Stage};
use crate::loops::{Affine, Atom, Fold, Program};

/// Along which axis vectors lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Vectors {
    /// One element at a time.
    None,
    /// Along this outer axis, in every stage.
    Outer(usize),
    /// In each stage along the best of its own axes.
    Inner,
}

/// Stages that are computed together for each position along shared outer axes.
#[derive(Debug, Clone)]
pub(crate) struct Nest {
    /// Extents of the shared axes: variables `0..outer.len()` of every stage.
    pub(crate) outer: Vec<usize>,
    pub(crate) stages: Vec<Stage>,
    pub(crate) vectors: Vectors,
    /// The one stage as a product.
    pub(crate) product: Option<Product>,
    /// The one stage as inner products.
    pub(crate) dots: Option<Dots>,
    /// The one stage as a convolution where it is.
    pub(crate) direct: Option<Direct>,
    /// Sources that live only while one position along the outer axes is computed.
    pub(crate) local: Vec<usize>,
    pub(crate) part: Part,
}

impl Nest {
    /// Whether it is nothing but loops over its stages.
    pub(crate) fn is_loops(&self) -> bool {
        self.product.is_none() && self.dots.is_none() && self.direct.is_none()
    }
}

/// Elements of a local array, at most.
const MOST_LOCAL: i64 = 1 << 16;

/// Groups stages into nests.
pub(super) fn nests(program: &Program, stages: Vec<Stage>, schedule: &Schedule) -> Vec<Nest> {
    let mut nests: Vec<Nest> = Vec::new();
    for mut stage in stages {
        let part = schedule.parts[stage.part].clone();
        // What is read again stays in the cache.
        stage.streaming = part.streaming && program.outputs.contains(&stage.buffer);
        let width = schedule.width;
        let (mut product, mut dots, mut direct) = (None, None, None);
        match part.form {
            Form::Dots => dots = Dots::of(program, &stage, &part, width),
            Form::Direct => direct = Direct::of(program, &stage, &part, width),
            Form::Plain | Form::Tiles => {}
        }
        // Where a form is not possible, tiles are next best.
        if part.form != Form::Plain && dots.is_none() && direct.is_none() {
            let wide = wide(stage.clone());
            product = Product::of(program, &wide, &part, width);
            if product.is_some() {
                stage = wide;
            }
        }
        let loops = product.is_none() && dots.is_none() && direct.is_none();
        if loops
            && part.join
            && let Some(last) = nests.last()
            && last.is_loops()
            && let Some(joined) = join(last, &stage)
        {
            *nests.last_mut().expect("there is one") = joined;
            continue;
        }
        let nest = single(stage, part);
        nests.push(Nest { product, dots, direct, ..nest });
    }
    let mut done: Vec<Nest> = nests.into_iter().map(merged).map(with_vectors).collect();
    let readers: Vec<Vec<usize>> =
        done.iter().map(|nest| nest.stages.iter().flat_map(reads).collect()).collect();
    for (idx, nest) in done.iter_mut().enumerate() {
        let elsewhere = |source: usize| {
            program.outputs.contains(&source)
                || readers
                    .iter()
                    .enumerate()
                    .any(|(other, all)| other != idx && all.contains(&source))
        };
        let n_outer = nest.outer.len();
        let buffers = nest.stages.iter().map(|each| (each.buffer, inner_size(each, n_outer)));
        let fits = buffers.filter(|(source, size)| *size <= MOST_LOCAL && !elsewhere(*source));
        let fits: Vec<usize> = fits.map(|(source, _)| source).collect();
        nest.local = if nest.stages.len() > 1 { fits } else { Vec::new() };
    }
    for stage in done.iter_mut().flat_map(|nest| &mut nest.stages) {
        stage.streaming &= !readers.iter().flatten().any(|source| *source == stage.buffer);
    }
    done
}

/// With neighbouring axes made one.
fn wide(mut stage: Stage) -> Stage {
    let mut first = 0;
    while first + 1 < stage.extents.len() {
        if stage.mergeable(first) { stage.merge(first) } else { first += 1 }
    }
    stage
}

fn reads(stage: &Stage) -> Vec<usize> {
    stage.accesses().iter().filter_map(|(source, _)| *source).collect()
}

/// Elements between the first and the last that a stage stores for one outer position.
pub(crate) fn inner_size(stage: &Stage, n_outer: usize) -> i64 {
    let inner = without_outer(&stage.store, n_outer, &stage.extents);
    inner.range(&stage.extents).map_or(i64::MAX, |(_, high)| high + 1)
}

/// A position relative to that of the outer variables.
pub(crate) fn without_outer(index: &Affine, n_outer: usize, extents: &[usize]) -> Affine {
    let by: Vec<Affine> = (0..extents.len())
        .map(|var| if var < n_outer { Affine::default() } else { Affine::var(var) })
        .collect();
    index.substitute(&by, extents)
}

fn single(mut stage: Stage, part: Part) -> Nest {
    let mut n_outer = stage.n_spatial;
    // The axis of a scan comes after the others: it is walked inside.
    if let Kind::Scan { axis, .. } = stage.kind {
        let mut order: Vec<usize> = (0..stage.n_spatial).filter(|&var| var != axis).collect();
        order.push(axis);
        stage.reordered(&order);
        n_outer -= 1;
    }
    Nest {
        outer: stage.extents[..n_outer].to_vec(),
        stages: vec![stage],
        vectors: Vectors::None,
        product: None,
        dots: None,
        direct: None,
        local: Vec::new(),
        part,
    }
}

/// The nest with one more stage, over the outer axes that they share; `None` when they share none.
fn join(nest: &Nest, stage: &Stage) -> Option<Nest> {
    let mut shared: Vec<(usize, usize)> = Vec::new();
    for outer in 0..nest.outer.len() {
        if let Some(var) = counterpart(nest, stage, outer)
            && !shared.iter().any(|(_, other)| *other == var)
        {
            shared.push((outer, var));
        }
    }
    // What walks together further in may read across the outermost of the axes it walks along.
    while !shared.is_empty() && !stays_inside(nest, stage, &shared) {
        shared.pop();
    }
    if shared.is_empty() {
        return None;
    }
    let reorder = |stage: &Stage, first: Vec<usize>| {
        let rest = (0..stage.extents.len()).filter(|var| !first.contains(var));
        let order: Vec<usize> = first.iter().copied().chain(rest).collect();
        let mut stage = stage.clone();
        stage.reordered(&order);
        stage
    };
    let mut stages: Vec<Stage> = nest
        .stages
        .iter()
        .map(|each| reorder(each, shared.iter().map(|(outer, _)| *outer).collect()))
        .collect();
    stages.push(reorder(stage, shared.iter().map(|(_, var)| *var).collect()));
    let outer = shared.iter().map(|(outer, _)| nest.outer[*outer]).collect();
    Some(Nest { outer, stages, ..nest.clone() })
}

/// The variable of a stage that walks with an outer one: wherever it reads what the nest stores.
fn counterpart(nest: &Nest, stage: &Stage, outer: usize) -> Option<usize> {
    let mut found = None;
    for (source, index) in stage.accesses() {
        let Some(stored) = nest.stages.iter().find(|each| Some(each.buffer) == source) else {
            continue;
        };
        let by = stored.store.stride(outer).filter(|by| *by != 0)?;
        let mut same = index.terms.iter().filter(|(factor, _)| *factor == by);
        let (Some((_, Atom::Var(var))), None) = (same.next(), same.next()) else { return None };
        if *var >= stage.n_spatial || stage.extents[*var] != nest.outer[outer] {
            return None;
        }
        if matches!(stage.kind, Kind::Scan { axis, .. } if axis == *var) {
            return None;
        }
        if found.is_some_and(|found| found != *var) {
            return None;
        }
        found = Some(*var);
    }
    found
}

/// Whether all that a stage reads of the nest's results was computed at the same outer position.
fn stays_inside(nest: &Nest, stage: &Stage, shared: &[(usize, usize)]) -> bool {
    stage.accesses().iter().all(|(source, index)| {
        let Some(stored) = nest.stages.iter().find(|each| Some(each.buffer) == *source) else {
            return true;
        };
        let drop = |index: &Affine, vars: &[usize], extents: &[usize]| {
            let by: Vec<Affine> = (0..extents.len())
                .map(|var| if vars.contains(&var) { Affine::default() } else { Affine::var(var) })
                .collect();
            index.substitute(&by, extents)
        };
        let outer: Vec<usize> = shared.iter().map(|(outer, _)| *outer).collect();
        let own: Vec<usize> = shared.iter().map(|(_, var)| *var).collect();
        let rest = drop(index, &own, &stage.extents);
        let inner = drop(&stored.store, &outer, &stored.extents);
        let (Some((low, high)), Some((_, most))) =
            (rest.range(&stage.extents), inner.range(&stored.extents))
        else {
            return false;
        };
        let least = outer.iter().filter_map(|&var| stored.store.stride(var)).min().unwrap_or(0);
        if low >= 0 && high <= most && most < least {
            return true;
        }
        // Outer axes lie among inner ones: every remaining step has to be one of the inner axes'.
        rest.constant == 0
            && rest.terms.iter().all(|(factor, atom)| {
                let Atom::Var(var) = atom else { return false };
                let matches = (0..stored.n_spatial).filter(|other| !outer.contains(other));
                matches.into_iter().any(|other| {
                    stored.store.stride(other) == Some(*factor)
                        && stage.extents[*var] <= stored.extents[other]
                })
            })
    })
}

/// With neighbouring axes made one where every stage allows it.
fn merged(mut nest: Nest) -> Nest {
    if !nest.is_loops() {
        return nest;
    }
    let mut first = 0;
    while first + 1 < nest.outer.len() {
        if nest.stages.iter().all(|each| each.mergeable(first)) {
            nest.stages.iter_mut().for_each(|each| each.merge(first));
            let extent = nest.outer.remove(first + 1);
            nest.outer[first] *= extent;
        } else {
            first += 1;
        }
    }
    let n_outer = nest.outer.len();
    for stage in &mut nest.stages {
        let mut first = n_outer;
        while first + 1 < stage.extents.len() {
            if stage.mergeable(first) { stage.merge(first) } else { first += 1 }
        }
    }
    nest
}

/// Whether vectors of floats can hold what a stage computes.
fn vectorisable(stage: &Stage) -> bool {
    let whole = !stage.dtype.is_float();
    match stage.kind {
        Kind::Reduce { fold, .. } => !(whole && matches!(fold, Fold::Sum | Fold::Product)),
        Kind::Scan { .. } => !whole,
        Kind::Map(_) => !whole,
    }
}

/// The axis of its own along which vectors do best in a stage.
pub(crate) fn best_inner(stage: &Stage, n_outer: usize) -> Option<usize> {
    // A scan along its own axis works on whole vectors only for sums and products.
    if let Kind::Scan { fold, axis, .. } = stage.kind {
        let folds = matches!(fold, Fold::Sum | Fold::Product);
        let near = matches!(stage.store.stride(axis), Some(1 | -1));
        return (folds && near && stage.dtype.is_float()).then_some(axis);
    }
    let vars = n_outer..stage.extents.len();
    // The last of equals: it is the one that is contiguous.
    vars.map(|var| (stage.fitness(var), var))
        .filter(|(fitness, _)| *fitness > 0.0)
        .max_by(|one, other| one.0.total_cmp(&other.0))
        .map(|(_, var)| var)
}

fn with_vectors(mut nest: Nest) -> Nest {
    if !nest.part.vectors || !nest.stages.iter().all(vectorisable) || !nest.is_loops() {
        return nest;
    }
    let n_outer = nest.outer.len();
    // A stage of few elements does not have to be in vectors.
    let positions = |stage: &Stage| stage.extents.iter().map(|&each| each as f64).product::<f64>();
    let most = nest.stages.iter().map(positions).fold(1.0, f64::max);
    let inner: f64 = nest
        .stages
        .iter()
        .map(|each| {
            let fitness = best_inner(each, n_outer).map_or(-2.0, |var| each.fitness(var));
            fitness * positions(each) / most
        })
        .sum();
    let mut choices = vec![(inner, Vectors::Inner)];
    for var in 0..n_outer {
        let sum = nest.stages.iter().map(|each| each.fitness(var) * positions(each) / most).sum();
        choices.push((sum, Vectors::Outer(var)));
    }
    choices.sort_by(|one, other| other.0.total_cmp(&one.0));
    let good = choices.iter().filter(|(fitness, _)| *fitness > 0.0).count();
    if good > 0 {
        nest.vectors = choices[nest.part.axis % good].1;
    }
    nest
}
