//! One loop nest's worth of work: everything inlined that is not stored, positions flat.

use crate::graph::Dtype;
use crate::loops::{Affine, Atom, Expr, Fold, Within};

/// What a stage does at each position.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Kind {
    /// Stores the value.
    Map(Expr),
    /// Folds the body over the axes after the first `n_spatial`, and stores what finishes it.
    Reduce { fold: Fold, body: Expr, finish: Expr },
    /// Runs along one of the axes and stores what finishes each step.
    Scan { fold: Fold, axis: usize, body: Expr, finish: Expr },
}

/// One pass over the elements of an array.
#[derive(Debug, Clone)]
pub(crate) struct Stage {
    /// The source it stores.
    pub(crate) buffer: usize,
    /// The definition whose genes hold.
    pub(crate) part: usize,
    pub(crate) label: String,
    pub(crate) dtype: Dtype,
    /// Extents of all variables, those of positions first.
    pub(crate) extents: Vec<usize>,
    pub(crate) n_spatial: usize,
    pub(crate) kind: Kind,
    /// Flat position in the array, of the first `n_spatial` variables.
    pub(crate) store: Affine,
    /// Its results bypass the cache.
    pub(crate) streaming: bool,
    /// Variables of the stored definition in terms of the stage's.
    pub(crate) axes: Vec<Affine>,
}

impl Stage {
    /// Every expression.
    pub(crate) fn exprs(&self) -> Vec<&Expr> {
        match &self.kind {
            Kind::Map(expr) => vec![expr],
            Kind::Reduce { body, finish, .. } | Kind::Scan { body, finish, .. } => {
                vec![body, finish]
            }
        }
    }

    /// Flat positions of everything read and stored, with how often each counts.
    pub(crate) fn accesses(&self) -> Vec<(Option<usize>, &Affine)> {
        let loads = self.exprs().into_iter().flat_map(Expr::loads);
        // What is kept in a variable has no position.
        let loads = loads.filter_map(|(source, index)| Some((Some(source), index.first()?)));
        loads.chain([(None, &self.store)]).collect()
    }

    /// With variables replaced: `by` gives each old one in terms of the new.
    fn with_variables(&mut self, by: &[Affine], extents: Vec<usize>, n_spatial: usize) {
        let change = |expr: &Expr| expr.substitute(by, &extents);
        self.kind = match &self.kind {
            Kind::Map(expr) => Kind::Map(change(expr)),
            Kind::Reduce { fold, body, finish } => {
                Kind::Reduce { fold: *fold, body: change(body), finish: change(finish) }
            }
            Kind::Scan { fold, axis, body, finish } => {
                let axis = by[*axis].as_var().expect("the axis of a scan stays whole");
                Kind::Scan { fold: *fold, axis, body: change(body), finish: change(finish) }
            }
        };
        self.store = self.store.substitute(by, &extents);
        self.axes = self.axes.iter().map(|each| each.substitute(by, &extents)).collect();
        self.extents = extents;
        self.n_spatial = n_spatial;
    }

    /// Variables in another order: `order` lists old ones, positions first.
    pub(crate) fn reordered(&mut self, order: &[usize]) {
        let mut by = vec![Affine::default(); self.extents.len()];
        for (new, &old) in order.iter().enumerate() {
            by[old] = Affine::var(new);
        }
        let extents = order.iter().map(|&old| self.extents[old]).collect();
        self.with_variables(&by, extents, self.n_spatial);
    }

    /// The axis of a scan, which nothing may split or merge.
    fn whole(&self) -> Option<usize> {
        match self.kind {
            Kind::Scan { axis, .. } => Some(axis),
            _ => None,
        }
    }

    /// Without axes of extent 1, with axes split where reshaping divides them.
    pub(crate) fn simplified(mut self) -> Self {
        self.without_ones();
        // Each split removes a division or leaves it for good, so this ends.
        for _ in 0..8 {
            let Some((var, by)) = self.divided() else { break };
            self.split(var, by);
        }
        self.without_ones();
        self
    }

    fn without_ones(&mut self) {
        let kept: Vec<usize> = (0..self.extents.len())
            .filter(|&var| self.extents[var] != 1 || self.whole() == Some(var))
            .collect();
        let n_spatial = kept.iter().filter(|&&var| var < self.n_spatial).count();
        let mut by = vec![Affine::default(); self.extents.len()];
        for (new, &old) in kept.iter().enumerate() {
            by[old] = Affine::var(new);
        }
        let extents = kept.iter().map(|&var| self.extents[var]).collect();
        self.with_variables(&by, extents, n_spatial);
    }

    /// A variable that is divided by something that divides its extent.
    fn divided(&self) -> Option<(usize, usize)> {
        let mut found = None;
        // Vectors read several rows in turn as they are.
        let accesses = if matches!(self.kind, Kind::Map(_)) { self.accesses() } else { Vec::new() };
        let turns = |var| accesses.iter().any(|(_, index)| index.interleaved(var).is_some());
        let mut see = |index: &Affine| {
            for (_, atom) in &index.terms {
                let (Atom::Div(inner, by) | Atom::Mod(inner, by)) = atom else { continue };
                let Some(var) = inner.as_var() else { continue };
                let by = usize::try_from(*by).unwrap_or(0);
                let splits = !turns(var)
                    && by > 1
                    && self.extents[var] > by
                    && self.extents[var].is_multiple_of(by);
                if splits && self.whole() != Some(var) {
                    found = found.or(Some((var, by)));
                }
            }
        };
        for expr in self.exprs() {
            expr.visit(&mut |part| match part {
                Expr::Load { index, .. } => index.iter().for_each(&mut see),
                Expr::Index(index) => see(index),
                Expr::If(within, ..) => within.iter().for_each(|each: &Within| see(&each.index)),
                _ => {}
            });
        }
        see(&self.store);
        found
    }

    fn split(&mut self, var: usize, by: usize) {
        let mut map = Vec::with_capacity(self.extents.len());
        let mut extents = Vec::with_capacity(self.extents.len() + 1);
        for (old, &extent) in self.extents.iter().enumerate() {
            let new = extents.len();
            if old == var {
                map.push(Affine::var(new).times(by as i64).plus(&Affine::var(new + 1)));
                extents.extend([extent / by, by]);
            } else {
                map.push(Affine::var(new));
                extents.push(extent);
            }
        }
        let n_spatial = self.n_spatial + usize::from(var < self.n_spatial);
        self.with_variables(&map, extents, n_spatial);
    }

    /// Whether two neighbouring variables can be one: everywhere, a step of the first is as many
    /// steps of the second as that has.
    pub(crate) fn mergeable(&self, first: usize) -> bool {
        let second = first + 1;
        if second >= self.extents.len() || (first < self.n_spatial) != (second < self.n_spatial) {
            return false;
        }
        if [Some(first), Some(second)].contains(&self.whole()) {
            return false;
        }
        let extent = self.extents[second] as i64;
        let fits = |index: &Affine| match (index.stride(first), index.stride(second)) {
            (Some(one), Some(other)) => one == other * extent,
            _ => false,
        };
        let mut all = fits(&self.store);
        for expr in self.exprs() {
            expr.visit(&mut |part| match part {
                Expr::Load { index, .. } => all &= index.iter().all(fits),
                Expr::Index(index) => all &= fits(index),
                Expr::If(within, ..) => all &= within.iter().all(|each| fits(&each.index)),
                _ => {}
            });
        }
        all
    }

    /// Makes two neighbouring variables one.
    pub(crate) fn merge(&mut self, first: usize) {
        let extent = self.extents[first + 1];
        let mut by = Vec::new();
        let mut extents = self.extents.clone();
        extents[first] *= extent;
        extents.remove(first + 1);
        for old in 0..self.extents.len() {
            by.push(match old {
                old if old < first => Affine::var(old),
                // Every position is a multiple of the second alone once the first is gone.
                old if old == first => Affine::default(),
                old => Affine::var(old - 1),
            });
        }
        let n_spatial = self.n_spatial - usize::from(first < self.n_spatial);
        self.with_variables(&by, extents, n_spatial);
    }

    /// How well vectors along a variable would do: neighbours in memory are good, the same element
    /// for all lanes is fair, anything else is not. Each access counts by how many elements it is.
    pub(crate) fn fitness(&self, var: usize) -> f64 {
        let n_elements = |index: &Affine| -> f64 {
            let vars = (0..self.extents.len()).filter(|&var| index.mentions(var));
            vars.map(|var| self.extents[var] as f64).product()
        };
        let value = |(source, index): &(Option<usize>, &Affine)| match index.stride(var) {
            Some(1) => 4.0,
            Some(-1) => 2.0,
            Some(0) => 1.0,
            // A few loads and shuffles.
            Some(2..=4) if source.is_some() => 0.5,
            Some(_) => -4.0,
            // Where lanes are stored has to be known.
            None if source.is_none() => -1e6,
            None if index.interleaved(var).is_some() => 0.5,
            None => -8.0,
        };
        if self.extents[var] < 4 {
            return -1e3;
        }
        let all = self.accesses();
        let most = all.iter().map(|each| n_elements(each.1)).fold(1.0, f64::max);
        all.iter().map(|each| value(each) * n_elements(each.1) / most).sum()
    }
}
