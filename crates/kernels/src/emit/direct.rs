//! Convolutions where they are: runs of positions in registers, channels along vectors.

use std::collections::{BTreeMap, HashMap};

use super::Lines;
use super::expr::Scope;
use super::run::{Neighbours, Taken};
use super::storage::Storage;
use super::text::{Kind as Of, Text};
use crate::plan::{Direct, Kind, Nest, Run, Stage};

pub(super) fn emit(
    text: &mut Lines,
    idx: usize,
    nest: &Nest,
    direct: &Direct,
    (storage, width): (&Storage, usize),
) {
    let printer = Printer { idx, stage: &nest.stages[0], direct, storage, width };
    let depth = text.depth;
    text.open("");
    printer.weights(text);
    let shared = nest.part.threads;
    printer.loops(text, shared);
    text.close_to(depth);
}

struct Printer<'a> {
    idx: usize,
    stage: &'a Stage,
    direct: &'a Direct,
    storage: &'a Storage,
    /// Lanes of a vector.
    width: usize,
}

impl Printer<'_> {
    /// Channels computed together.
    fn n_channels(&self) -> usize {
        self.direct.n_vectors * self.width
    }

    fn n_blocks(&self) -> usize {
        self.stage.extents[self.direct.channel].div_ceil(self.n_channels())
    }

    fn n_taps(&self) -> usize {
        self.stage.extents[self.direct.tap]
    }

    fn n_depth(&self) -> usize {
        self.direct.depth.iter().map(|&var| self.stage.extents[var]).product()
    }

    /// A name for each variable.
    fn names(&self) -> Vec<String> {
        (0..self.stage.extents.len()).map(|var| format!("x{var}")).collect()
    }

    fn with_scope<T>(&self, vars: &[String], then: impl FnOnce(&Scope<'_>) -> T) -> T {
        let (array, none) = (|source| self.storage.array(source), HashMap::new());
        then(&Scope {
            vars,
            lane: None,
            folded: None,
            array: &array,
            bound: &none,
            tile: 0,
            copy: 0,
            in_lane: false,
            under: 0,
            sure: 0,
        })
    }

    /// Row-major number of a position along the depth, taps left out.
    fn linear(&self) -> String {
        let mut text = "0".to_owned();
        for &var in &self.direct.depth {
            text = format!("({text}) * {} + x{var}", self.stage.extents[var]);
        }
        text
    }

    /// Packs the weights: for each block of channels, the depth, then taps, channels innermost.
    fn weights(&self, text: &mut Lines) {
        let direct = self.direct;
        let (n_channels, channel) = (self.n_channels(), direct.channel);
        let scratch = self.storage.products[self.idx];
        text.line(&format!(
            "float *restrict weights = (float *)((char *)scratch + {});",
            scratch.left
        ));
        let depth = text.depth;
        if self.storage.region {
            text.line("#pragma omp for schedule(static)");
        }
        text.count("ob", self.n_blocks());
        for &var in &direct.depth {
            text.count(&format!("x{var}"), self.stage.extents[var]);
        }
        let tap = direct.tap;
        text.count(&format!("x{tap}"), self.n_taps());
        text.line(&format!(
            "float *restrict to = weights + ((ob * {} + {}) * {} + x{tap}) * {n_channels};",
            self.n_depth(),
            self.linear(),
            self.n_taps()
        ));
        text.open(&format!("for (int64_t l = 0; l < {n_channels}; l++)"));
        text.line(&format!("const int64_t x{channel} = ob * {n_channels} + l;"));
        let value = self.with_scope(&self.names(), |scope| scope.real(&direct.weight).code);
        let n = self.stage.extents[channel];
        let inside = if n.is_multiple_of(n_channels) {
            value
        } else {
            format!("x{channel} < {n} ? {value} : 0.0f")
        };
        text.line(&format!("to[l] = {inside};"));
        text.close_to(depth);
    }

    fn loops(&self, text: &mut Lines, shared: bool) {
        let direct = self.direct;
        if self.storage.region {
            text.line(&if shared {
                format!("#pragma omp for collapse({}) schedule(static)", direct.outer.len() + 1)
            } else {
                "#pragma omp single".to_owned()
            });
        }
        // Blocks of channels outside, so that their weights stay in the cache.
        text.count("ob", self.n_blocks());
        for &var in &direct.outer {
            text.count(&format!("x{var}"), self.stage.extents[var]);
        }
        text.line(&format!(
            "const float *restrict block = weights + ob * {};",
            self.n_depth() * self.n_taps() * self.n_channels()
        ));
        for run in &direct.runs {
            let depth = text.depth;
            text.count("times", run.n_times);
            text.line(&format!("const int64_t p0 = {} + times * {};", run.first, direct.n_run));
            self.run(text, run);
            text.close_to(depth);
        }
    }

    /// One run of positions: sums over the depth, then what becomes of them.
    fn run(&self, text: &mut Lines, run: &Run) {
        let direct = self.direct;
        let (n_channels, n_vectors) = (self.n_channels(), direct.n_vectors);
        text.line(&format!(
            "float tile[{}] __attribute__((aligned(64))) = {{0}};",
            run.n * n_channels
        ));
        let each = || (0..run.n).flat_map(move |at| (0..n_vectors).map(move |vector| (at, vector)));
        let depth = text.depth;
        for (place, &var) in direct.depth.iter().enumerate() {
            if place == direct.n_outside {
                self.registers(text, run);
            }
            text.count(&format!("x{var}"), self.stage.extents[var]);
            self.conditions(text, place);
        }
        if direct.n_outside == direct.depth.len() {
            self.registers(text, run);
        }
        let mut names = self.names();
        names[direct.along] = "p0".to_owned();
        names[direct.tap] = "0".to_owned();
        let (_, array) = self.storage.array(direct.source);
        let at = self.with_scope(&names, |scope| scope.position(&direct.index));
        text.line(&format!("const float *restrict from = {array} + ({at});"));
        text.line(&format!(
            "const float *restrict with = block + ({}) * {};",
            self.linear(),
            self.n_taps() * n_channels
        ));
        // Every element meets all its taps at once: it is read once, and forgotten.
        let stride = |var| direct.index.stride(var).expect("known where it was planned");
        let mut meetings: BTreeMap<i64, Vec<(usize, usize)>> = BTreeMap::new();
        for (tap, met) in run.met.iter().enumerate().filter(|(_, met)| !met.is_empty()) {
            for vector in 0..n_vectors {
                text.line(&format!(
                    "const vf w{tap}_{vector} = v_load(with + {});",
                    tap * n_channels + vector * self.width
                ));
            }
            for at in met.clone() {
                let from = stride(direct.along) * at as i64 + stride(direct.tap) * tap as i64;
                meetings.entry(from).or_default().push((at, tap));
            }
        }
        for (from, taps) in meetings {
            text.open("");
            text.line(&format!("const float e = from[{from}];"));
            for (at, tap) in taps {
                for vector in 0..n_vectors {
                    text.line(&format!("c{at}_{vector} += e * w{tap}_{vector};"));
                }
            }
            text.close();
        }
        // Out of the depth that registers add up.
        let n_inside = direct.depth.len() - direct.n_outside;
        (0..n_inside).for_each(|_| text.close());
        for (at, vector) in each() {
            let place = at * n_channels + vector * self.width;
            text.line(&format!(
                "v_store(tile + {place}, v_load(tile + {place}) + c{at}_{vector});"
            ));
        }
        text.close_to(depth);
        self.store(text, run);
    }

    /// Conditions that all variables of are known where so many of the depth are open, and not before.
    fn conditions(&self, text: &mut Lines, place: usize) {
        let direct = self.direct;
        let later = |var: &usize| direct.depth[place + 1..].contains(var);
        let here = direct.within.iter().filter(|each| {
            let vars: Vec<usize> =
                direct.depth.iter().copied().filter(|&var| each.index.mentions(var)).collect();
            let first = place == 0 && vars.is_empty();
            (first || vars.contains(&direct.depth[place])) && !vars.iter().any(later)
        });
        let here: Vec<_> = here.cloned().collect();
        if !here.is_empty() {
            let condition = self.with_scope(&self.names(), |scope| scope.condition(&here));
            text.line(&format!("if (!{condition}) continue;"));
        }
    }

    fn registers(&self, text: &mut Lines, run: &Run) {
        for at in 0..run.n {
            for vector in 0..self.direct.n_vectors {
                text.line(&format!("vf c{at}_{vector} = {{0}};"));
            }
        }
    }

    fn store(&self, text: &mut Lines, run: &Run) {
        let (stage, direct) = (self.stage, self.direct);
        let Kind::Reduce { finish, .. } = &stage.kind else { unreachable!("a sum") };
        let (n_channels, channel) = (self.n_channels(), direct.channel);
        let depth = text.depth;
        text.open(&format!("for (int64_t l = 0; l < {n_channels}; l++)"));
        text.line(&format!("const int64_t x{channel} = ob * {n_channels} + l;"));
        if !stage.extents[channel].is_multiple_of(n_channels) {
            text.line(&format!("if (x{channel} >= {}) break;", stage.extents[channel]));
        }
        text.line(&format!("const int64_t n_run = {};", run.n));
        let mut vars = self.names();
        vars[direct.along] = "(p0 + j)".to_owned();
        let from = format!("tile + l + j * {n_channels}");
        let (storage, width, inner) = (self.storage, self.width, direct.along);
        let neighbours = Neighbours { stage, storage, finish, vars: &vars, inner, width };
        neighbours.store(text, &|taken| match taken {
            Taken::Vector => {
                Text { code: format!("v_gather({from}, {n_channels})"), kind: Of::Vector }
            }
            Taken::Masked => {
                Text { code: format!("v_gather_some({from}, {n_channels}, m1)"), kind: Of::Vector }
            }
            Taken::Single => Text { code: format!("*({from})"), kind: Of::Real },
        });
        text.close_to(depth);
    }
}
