//! Convolutions where they are: vectors along the channels of the result, some positions of a row at a
//! time, and every element that is read meets every tap of its row. What a border would add is left
//! out, and nothing is copied but the weights.

use std::ops::Range;

use super::genes::Part;
use super::stage::{Kind, Stage};
use crate::graph::Dtype;
use crate::loops::{Affine, Binary, Expr, Fold, Program, Within};

/// Registers for sums and for weights.
const REGISTERS: usize = 31;

/// Taps that are unrolled, at most: the weights of all are in registers.
const MOST_TAPS: usize = 14;

/// Kinds of runs that get text of their own, at most.
const MOST_KINDS: usize = 6;

/// Products that are added up in registers before they join the rest: rounding errors of longer sums
/// would show.
const LONG_SUM: usize = 512;

/// A sum of products that slides along a row.
#[derive(Debug, Clone)]
pub(crate) struct Direct {
    /// The variable along which vectors lie: only the weight depends on it.
    pub(crate) channel: usize,
    /// Positions of a row, neighbours in the result.
    pub(crate) along: usize,
    /// Other positions.
    pub(crate) outer: Vec<usize>,
    /// The folded variable that walks along the row too.
    pub(crate) tap: usize,
    /// Other folded variables, those that conditions depend on first.
    pub(crate) depth: Vec<usize>,
    /// Of those, how many are outside what is added up in registers.
    pub(crate) n_outside: usize,
    pub(crate) weight: Expr,
    /// What is slid over, and the flat position in it.
    pub(crate) source: usize,
    pub(crate) index: Affine,
    /// Where there is something, but for positions along the row.
    pub(crate) within: Vec<Within>,
    /// Runs of positions, in order.
    pub(crate) runs: Vec<Run>,
    /// Positions of the longest.
    pub(crate) n_run: usize,
    /// Vectors of channels computed together.
    pub(crate) n_vectors: usize,
}

/// Positions along a row that are computed together, and as many more after them in the same way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) first: usize,
    pub(crate) n: usize,
    pub(crate) n_times: usize,
    /// Which of the positions each tap meets.
    pub(crate) met: Vec<Range<usize>>,
}

impl Direct {
    /// The convolution that a stage is; `None` when it is none.
    pub(crate) fn of(program: &Program, stage: &Stage, part: &Part, width: usize) -> Option<Self> {
        let Kind::Reduce { fold: Fold::Sum, body, .. } = &stage.kind else { return None };
        let Expr::Binary(Binary::Mul, one, other) = body else { return None };
        let real = body.loads().iter().all(|each| program.dtype(each.0) == Dtype::F32);
        if stage.dtype != Dtype::F32 || !real {
            return None;
        }
        let make = |weight, slid| Self::with_factors(stage, (part, width), weight, slid);
        make(one, other).or_else(|| make(other, one))
    }

    fn with_factors(
        stage: &Stage,
        (part, width): (&Part, usize),
        weight: &Expr,
        slid: &Expr,
    ) -> Option<Self> {
        if !matches!(weight, Expr::Load { .. }) {
            return None;
        }
        let (source, index, within) = read(slid)?;
        let mut channels = (0..stage.n_spatial).filter(|&var| weight.mentions(var));
        let (channel, None) = (channels.next()?, channels.next()) else { return None };
        let along = (0..stage.n_spatial).find(|&var| stage.store.stride(var) == Some(1))?;
        let folded = stage.n_spatial..stage.extents.len();
        let tap = folded.clone().filter(|&var| index.mentions(var) && weight.mentions(var));
        let tap = tap.min_by_key(|&var| index.stride(var).map_or(i64::MAX, i64::abs))?;
        let slides = |var: usize| index.stride(var).is_some_and(|by| by != 0);
        if along == channel || slid.mentions(channel) || !slides(along) || !slides(tap) {
            return None;
        }
        let (n_along, n_taps) = (stage.extents[along], stage.extents[tap]);
        if n_along < 4 || n_taps > MOST_TAPS {
            return None;
        }
        let mut everywhere = Vec::new();
        let mut inside = Vec::new();
        for each in within {
            let own = each.index.mentions(along) || each.index.mentions(tap);
            let vars = 0..stage.extents.len();
            let other = vars.filter(|&var| var != along && var != tap && each.index.mentions(var));
            match (own, other.count()) {
                (true, 0) => inside.push((
                    each.index.stride(along)?,
                    each.index.stride(tap)?,
                    each.low - each.index.constant,
                    each.high - each.index.constant,
                )),
                (false, _) if !each.index.mentions(channel) => everywhere.push(each.clone()),
                _ => return None,
            }
        }
        let holds = |position: usize, tap: usize| {
            inside.iter().all(|&(by, by_tap, low, high)| {
                let at = by * position as i64 + by_tap * tap as i64;
                low <= at && at < high
            })
        };
        let n_vectors = part.columns.clamp(1, 4).min(stage.extents[channel].div_ceil(width));
        let n_vectors = n_vectors.min(MOST_TAPS / n_taps);
        let most = part.rows.clamp(1, REGISTERS / n_vectors - n_taps);
        let n_run = n_along.div_ceil(n_along.div_ceil(most));
        let mut runs: Vec<Run> = Vec::new();
        for first in (0..n_along).step_by(n_run) {
            let n = n_run.min(n_along - first);
            let met = |tap: usize| {
                let start = (0..n).find(|at| holds(first + at, tap)).unwrap_or(0);
                // Conditions are ranges, so what lies between holds too.
                let end = (0..n).rev().find(|at| holds(first + at, tap)).map_or(start, |at| at + 1);
                start..end
            };
            let met: Vec<Range<usize>> = (0..n_taps).map(met).collect();
            match runs.last_mut() {
                Some(last) if last.n == n && last.met == met => last.n_times += 1,
                _ => runs.push(Run { first, n, n_times: 1, met }),
            }
        }
        if runs.len() > MOST_KINDS {
            return None;
        }
        let asked = |var: &usize| everywhere.iter().any(|each| each.index.mentions(*var));
        let mut depth: Vec<usize> = folded.filter(|&var| var != tap).collect();
        depth.sort_by_key(|var| !asked(var));
        if depth.is_empty() && !everywhere.is_empty() {
            return None;
        }
        let mut n_outside = depth.len();
        let mut n_inside = n_taps;
        while n_outside > 0 && !asked(&depth[n_outside - 1]) {
            n_inside *= stage.extents[depth[n_outside - 1]];
            if n_inside > LONG_SUM {
                break;
            }
            n_outside -= 1;
        }
        let others = (0..stage.n_spatial).filter(|&var| var != channel && var != along);
        Some(Self {
            channel,
            along,
            outer: others.collect(),
            tap,
            depth,
            n_outside,
            weight: weight.clone(),
            source,
            index,
            within: everywhere,
            runs,
            n_run,
            n_vectors,
        })
    }
}

/// What is read, at which flat position, and where: nothing elsewhere.
fn read(slid: &Expr) -> Option<(usize, Affine, &[Within])> {
    let (load, within): (&Expr, &[Within]) = match slid {
        Expr::If(within, then, otherwise) if **otherwise == Expr::number(0.0) => (then, within),
        load => (load, &[]),
    };
    let Expr::Load { source, index } = load else { return None };
    Some((*source, index[0].clone(), within))
}
