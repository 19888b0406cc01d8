//! The space of schedules of one task: where search begins and how it moves.

use rand::RngExt;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

use crate::candidate::Candidate;
use crate::emit;
use crate::error::Error;
use crate::loops::{Affine, Binary, Expr, Fold, Program, Rule, Unary};
use crate::lower::lower;
use crate::plan::{Form, Part, Plan, Schedule, Vectors};
use crate::space::{Descriptors, Genotype, Space};
use crate::task::Task;

/// Schedules of a task's program, and of the same at other sizes.
pub struct Schedules {
    program: Program,
    variants: Vec<Program>,
    signature: String,
}

impl Schedules {
    /// The space for a task.
    ///
    /// # Errors
    /// [`Error::Operation`] when the task has operations that are not lowered.
    pub fn new(task: &Task) -> Result<Self, Error> {
        let program = lower(&task.graph)?;
        let variants = task.variants.iter().map(lower).collect::<Result<_, _>>()?;
        let mut labels: Vec<&str> =
            program.definitions.iter().map(|each| each.label.as_str()).collect();
        labels.sort_unstable();
        labels.dedup();
        Ok(Self { signature: labels.join(" "), program, variants })
    }

    /// The loops that are scheduled.
    #[must_use]
    pub fn program(&self) -> &Program {
        &self.program
    }

    fn read(&self, genotype: &Genotype) -> Schedule {
        // What the archive holds was written from a schedule; anything else stands for the base.
        serde_json::from_value(genotype.0.clone())
            .ok()
            .filter(|schedule: &Schedule| schedule.parts.len() == self.program.definitions.len())
            .unwrap_or_else(|| Schedule::base(&self.program))
    }
}

fn written(schedule: &Schedule) -> Genotype {
    Genotype(serde_json::to_value(schedule).expect("a schedule is plain data"))
}

impl Space for Schedules {
    fn base(&self) -> Genotype {
        written(&Schedule::base(&self.program))
    }

    fn seeds(&self) -> Vec<Genotype> {
        let sensible = sensible(&self.program);
        let change = |change: &dyn Fn(&mut Part)| {
            let mut schedule = sensible.clone();
            schedule.parts.iter_mut().for_each(change);
            written(&schedule)
        };
        let mut seeds = vec![
            written(&sensible),
            change(&|part| part.form = Form::Plain),
            change(&|part| {
                if part.form == Form::Direct {
                    (part.rows, part.columns) = (14, 2);
                }
            }),
            change(&|part| {
                if part.form == Form::Direct {
                    (part.form, part.rows, part.columns) = (Form::Tiles, 8, 3);
                }
            }),
            change(&|part| (part.form, part.rows, part.columns) = (Form::Dots, 4, 4)),
            change(&|part| part.join = false),
            change(&|part| part.streaming = !part.streaming),
            change(&|part| part.separate = !part.separate),
            change(&|part| (part.rows, part.columns) = (12, 2)),
            change(&|part| part.packed = !part.packed),
            change(&|part| part.swapped = true),
            change(&|part| part.store = false),
        ];
        // Genes of operations that the task has not change nothing.
        let mut texts = Vec::new();
        seeds.retain(|seed| {
            let text = self.emit(seed);
            let new = !texts.contains(&text);
            texts.push(text);
            new
        });
        seeds
    }

    fn mutate(&self, parent: &Genotype, n_changes: usize, rng: &mut ChaCha8Rng) -> Genotype {
        let parent = self.read(parent);
        let before = emit::c(&self.program, &parent);
        let mut child = parent.clone();
        // Genes that change nothing are common; a child that is its parent tells nothing.
        for _ in 0..24 {
            child = parent.clone();
            for _ in 0..n_changes.max(1) {
                change(&mut child, &self.program, rng);
            }
            if emit::c(&self.program, &child) != before {
                break;
            }
        }
        written(&child)
    }

    fn cross(&self, one: &Genotype, other: &Genotype, rng: &mut ChaCha8Rng) -> Genotype {
        let (one, other) = (self.read(one), self.read(other));
        let mut child = one.clone();
        for (own, part) in child.parts.iter_mut().zip(&other.parts) {
            if rng.random_bool(0.5) {
                *own = part.clone();
            }
        }
        if rng.random_bool(0.5) {
            child.width = other.width;
        }
        if rng.random_bool(0.5) {
            child.flags = other.flags;
        }
        written(&child)
    }

    fn adopt(&self, foreign: &Genotype) -> Option<Genotype> {
        let foreign: Schedule = serde_json::from_value(foreign.0.clone()).ok()?;
        let mut schedule = sensible(&self.program);
        let mut from = foreign.parts.iter();
        let mut found = 0;
        for own in &mut schedule.parts {
            // In order, so that the second of two equal operations takes after the second.
            let mut rest = from.clone();
            if let Some(part) = rest.find(|part| part.of == own.of) {
                *own = part.clone();
                from = rest;
                found += 1;
            }
        }
        schedule.width = foreign.width;
        schedule.flags = foreign.flags;
        (found > 0).then(|| written(&schedule))
    }

    fn emit(&self, genotype: &Genotype) -> Candidate {
        emit::c(&self.program, &self.read(genotype))
    }

    fn emit_variant(&self, genotype: &Genotype, variant_idx: usize) -> Option<Candidate> {
        let program = self.variants.get(variant_idx)?;
        let schedule = self.read(genotype);
        // Other sizes may lower to other definitions; then the schedule says nothing of them.
        (program.definitions.len() == schedule.parts.len()).then(|| emit::c(program, &schedule))
    }

    fn descriptors(&self, genotype: &Genotype) -> Descriptors {
        let plan = Plan::new(&self.program, &self.read(genotype));
        let n = plan.nests.len();
        let any = |holds: &dyn Fn(&crate::plan::Nest) -> bool| plan.nests.iter().any(holds);
        let packed = any(&|nest| nest.product.as_ref().is_some_and(|each| !each.direct));
        let streaming = any(&|nest| nest.part.streaming && nest.vectors != Vectors::None);
        let pieces = plan.program.definitions.len() > self.program.definitions.len();
        let parallel = if !any(&|nest| nest.part.threads) {
            "none"
        } else if pieces {
            "reduction"
        } else if any(&|nest| nest.product.is_some() || nest.direct.is_some()) {
            "blocks"
        } else {
            "outer"
        };
        let memory = match (packed, streaming) {
            (false, false) => "plain",
            (true, false) => "packed",
            (false, true) => "streaming",
            (true, true) => "packed-streaming",
        };
        Descriptors {
            fusion: if n > 4 { "nests-5-or-more".to_owned() } else { format!("nests-{n}") },
            parallel: parallel.to_owned(),
            memory: memory.to_owned(),
        }
    }

    fn signature(&self) -> String {
        self.signature.clone()
    }
}

/// Outputs from this size on bypass the cache by default.
const CACHE_BYTES: usize = 4 << 20;

/// What rules of thumb suggest: fused where nothing is computed twice, all threads, vectors, tiles.
#[must_use]
pub fn sensible(program: &Program) -> Schedule {
    let mut schedule = Schedule::base(program);
    let bytes = |&source: &usize| {
        program.shape(source).iter().product::<usize>() * program.dtype(source).size_bytes()
    };
    // What is larger than a cache leaves it before anybody reads it.
    let streaming = program.outputs.iter().map(bytes).sum::<usize>() >= CACHE_BYTES;
    let stored = stored(program);
    for (idx, part) in schedule.parts.iter_mut().enumerate() {
        let definition = &program.definitions[idx];
        part.apart = false;
        part.join = true;
        part.vectors = true;
        part.unroll = 4;
        part.threads = true;
        part.form = Form::Tiles;
        part.rows = 8;
        part.columns = 3;
        part.deep = 256;
        part.store = stored[idx];
        part.streaming = streaming;
        part.separate = true;
        if inner_product(program, idx) {
            (part.form, part.rows, part.columns) = (Form::Dots, 4, 4);
        }
        if slid_over(program, idx).is_some() {
            (part.form, part.rows, part.columns) = (Form::Direct, 28, 1);
        }
        if let Rule::Reduce { over, .. } = &definition.rule {
            let positions: usize = definition.shape.iter().product();
            let depth: usize = over.iter().product();
            if positions < 8 && depth >= 1 << 14 {
                part.pieces = 16;
            }
        }
    }
    // Conditions on a border cost nothing there, and what it would add is left out.
    let n_given = program.given.len();
    let slid = (0..program.definitions.len()).filter_map(|idx| slid_over(program, idx));
    for border in slid.filter_map(|source| source.checked_sub(n_given)) {
        if matches!(&program.definitions[border].rule, Rule::Map(Expr::If(..))) {
            schedule.parts[border].store = false;
        }
    }
    schedule
}

/// What a convolution slides over, if a definition is one whose weights depend on channels of the
/// result alone, of which there are some.
fn slid_over(program: &Program, idx: usize) -> Option<usize> {
    let definition = &program.definitions[idx];
    let Rule::Reduce { fold: Fold::Sum, over, body: Expr::Binary(Binary::Mul, one, other), .. } =
        &definition.rule
    else {
        return None;
    };
    let rank = definition.shape.len();
    let among = |index: &[Affine], vars: std::ops::Range<usize>| -> Vec<usize> {
        let extent = |var: usize| definition.shape.iter().chain(over).nth(var).copied();
        let vars = vars.filter(|&var| extent(var).is_some_and(|extent| extent > 1));
        vars.filter(|&var| index.iter().any(|each| each.mentions(var))).collect()
    };
    let pairs = [(one, other), (other, one)];
    pairs.into_iter().find_map(|(weight, slid)| {
        let (Expr::Load { index: weight, .. }, Expr::Load { source, index }) = (&**weight, &**slid)
        else {
            return None;
        };
        let &[channel] = among(weight, 0..rank).as_slice() else { return None };
        let apart = definition.shape[channel] >= 8 && !among(index, 0..rank).contains(&channel);
        let slides = index.iter().any(|each| {
            let each = std::slice::from_ref(each);
            !among(each, 0..rank).is_empty() && !among(each, rank..rank + over.len()).is_empty()
        });
        (apart && slides).then_some(*source)
    })
}

/// Whether inner products suggest themselves: few rows or columns, or no axis to lie vectors along
/// but the one that is summed over.
fn inner_product(program: &Program, idx: usize) -> bool {
    let Rule::Reduce { over, .. } = &program.definitions[idx].rule else { return false };
    let shape = &program.definitions[idx].shape;
    let short = shape.iter().copied().filter(|&extent| extent > 1).min().unwrap_or(1);
    let n_axes = shape.iter().filter(|&&extent| extent > 1).count();
    over.len() == 1 && over[0] >= 64 && (short <= 64 || n_axes < 2)
}

/// What it takes to compute an element of a map anew, in plain operations. Constant factors are
/// free: sums of products are scaled once. So is reading as a whole number.
fn effort(expr: &Expr) -> usize {
    if let Expr::Unary(Unary::Int | Unary::Long, one) = expr
        && matches!(**one, Expr::Load { .. })
    {
        return 0;
    }
    if let Expr::Binary(Binary::Mul, one, other) = expr
        && matches!((&**one, &**other), (Expr::Load { .. }, Expr::Const(_)))
    {
        return 0;
    }
    let mut effort = 0;
    expr.visit(&mut |part| {
        effort += match part {
            Expr::Unary(Unary::Neg | Unary::Abs | Unary::Not | Unary::Float, _) => 1,
            Expr::Unary(..) | Expr::Binary(Binary::Pow | Binary::Div | Binary::Fmod, ..) => 8,
            Expr::Binary(..) | Expr::Select(..) => 1,
            _ => 0,
        };
    });
    effort
}

/// Which definitions it pays to store: folds, and maps that would be computed again and again, or
/// read under conditions.
fn stored(program: &Program) -> Vec<bool> {
    let n_given = program.given.len();
    let size = |idx: usize| program.definitions[idx].shape.iter().product::<usize>();
    let mut stored = vec![true; program.definitions.len()];
    // How often elements are asked for, also by way of what is not stored.
    let mut asked = vec![0_usize; program.definitions.len()];
    for idx in (0..program.definitions.len()).rev() {
        let returned = program.outputs.contains(&(n_given + idx));
        let own = size(idx);
        let times = match &program.definitions[idx].rule {
            Rule::Map(expr) => {
                let again = asked[idx].saturating_sub(own).saturating_mul(effort(expr));
                let border = matches!(expr, Expr::If(..));
                stored[idx] = border || again > 16 * own;
                if stored[idx] || returned { own } else { asked[idx] }
            }
            Rule::Reduce { over, .. } => own * over.iter().product::<usize>(),
            Rule::Scan { .. } => own,
        };
        let parts = match &program.definitions[idx].rule {
            Rule::Map(expr) => vec![(expr, times)],
            Rule::Scan { body, .. } => vec![(body, times)],
            Rule::Reduce { body, finish, .. } => vec![(body, times), (finish, own)],
        };
        for (expr, times) in parts {
            let mut seen: Vec<(usize, &[Affine])> = Vec::new();
            for load in expr.loads() {
                // The same element is computed once.
                if !seen.contains(&load) {
                    seen.push(load);
                    if let Some(source) = load.0.checked_sub(n_given) {
                        asked[source] += times;
                    }
                }
            }
        }
    }
    stored
}

/// Any schedule at all: for tests of what has to hold for all of them.
#[must_use]
pub fn random(program: &Program, rng: &mut ChaCha8Rng) -> Schedule {
    let mut schedule = sensible(program);
    for _ in 0..rng.random_range(0..4 * program.definitions.len().max(2)) {
        change(&mut schedule, program, rng);
    }
    schedule
}

/// Changes one gene.
fn change(schedule: &mut Schedule, program: &Program, rng: &mut ChaCha8Rng) {
    let pick = |from: &[usize], rng: &mut ChaCha8Rng| *from.choose(rng).expect("not empty");
    if rng.random_bool(0.1) || schedule.parts.is_empty() {
        if rng.random_bool(0.5) {
            schedule.width = 24 - schedule.width;
        } else {
            schedule.flags = rng.random_range(0..Schedule::FLAGS.len());
        }
        return;
    }
    let idx = rng.random_range(0..schedule.parts.len());
    let part = &mut schedule.parts[idx];
    let folds = matches!(program.definitions[idx].rule, Rule::Reduce { .. });
    match rng.random_range(0..if folds { 17 } else { 8 }) {
        0 => part.store = !part.store,
        1 => part.apart = !part.apart,
        2 => part.join = !part.join,
        3 => part.streaming = !part.streaming,
        4 | 5 => part.unroll = pick(&[1, 2, 4, 8], rng),
        6 => part.axis = pick(&[0, 1, 2], rng),
        7 => match rng.random_range(0..4) {
            0 => part.vectors = !part.vectors,
            1 => part.threads = !part.threads,
            _ => part.axis = pick(&[0, 1], rng),
        },
        8 => part.pieces = pick(&[0, 2, 4, 8, 16, 32, 64], rng),
        9 => {
            let forms = [Form::Plain, Form::Tiles, Form::Dots, Form::Direct];
            part.form = *forms.choose(rng).expect("not empty");
        }
        10 | 11 => {
            let tiles = [
                (1, 6),
                (2, 6),
                (4, 4),
                (6, 4),
                (8, 3),
                (9, 3),
                (12, 2),
                (14, 2),
                (28, 1),
                (6, 2),
                (8, 2),
                (4, 3),
                (4, 2),
            ];
            (part.rows, part.columns) = *tiles.choose(rng).expect("not empty");
        }
        12 => part.swapped = !part.swapped,
        13 => part.packed = !part.packed,
        14 => part.separate = !part.separate,
        15 => part.deep = pick(&[0, 128, 256, 512, 1024], rng),
        _ => part.chunks = pick(&[1, 2, 4, 8, 16], rng),
    }
}
