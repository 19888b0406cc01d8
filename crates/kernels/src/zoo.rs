//! Kernels that cheat, and honest ones in odd but legal ways: the judge's own examination.
//!
//! Each class of cheat has three variants, real programs on tasks of a few thousand elements. The
//! examination says how many of them are turned away, whether for a reason that fits, and how many
//! honest kernels are not. Kernels that need a system call hide it in a constant, so that nothing
//! but the sandbox and the protocol stands in their way.

mod cuda;
mod tasks;

use std::fmt;
use std::time::Duration;

pub use cuda::{cuda_cheats, cuda_honest, cuda_kernel, examine_cuda};
use runs::stats::Rate;
pub use tasks::ZooTask;

use crate::evaluation::{Level, Reason};
use crate::judge::{Effort, Judge, Options};
use crate::{Candidate, Error, Evaluation, Language};

/// Put before every kernel.
const PRELUDE: &str = include_str!("../zoo/prelude.h");

/// Variants of each cheat.
pub const N_VARIANTS: usize = 3;

macro_rules! files {
    ($folder:literal: $($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../zoo/", $folder, "/", $name, ".c")))),*]
    };
}

#[rustfmt::skip]
const CHEATS: &[(&str, &str)] = files!["cheat":
    "stale-output", "reads-expected", "wildcard", "writes-input", "pointer-cache", "replay",
    "batching", "early-return", "background", "timers", "forged-answer", "warm-up", "drift",
    "constant", "loose-tolerance", "input-statistics", "tail-ignored", "cancellation", "downgrade",
    "library", "identity", "out-of-bounds", "race", "sniffing", "other-processes", "files",
    "network", "compile-time", "assembly", "weights-kept", "impossible", "steals-cores", "endless",
    "hog", "breaks", "again",
];

#[rustfmt::skip]
const HONEST: &[(&str, &str)] = files!["honest":
    "plain", "threads", "vectors", "streaming", "detour", "helpers", "softmax", "softmax-threads",
    "softmax-online", "softmax-tasks", "variance", "variance-welford", "variance-columns",
    "reads-all",
];

/// Classes of cheat that are known from elsewhere and cannot be written as a kernel here.
pub const ABSENT: [(&str, &str); 9] = [
    ("lazy outputs", "a kernel is given addresses; there is no object that could be lazy"),
    ("reference wrapped or inherited", "there is no Python, and no reference, where a kernel runs"),
    ("output that is another's buffer", "the judge owns the buffers; addresses are given by value"),
    ("working set kept in caches", "inputs are written anew before each call, for baselines alike"),
    ("baseline slowed down", "while one computes, all threads of the other stand still"),
    ("luck among thousands", "a promotion measures again, in fresh processes, on inputs held back"),
    ("instructions to a model in comments", "no model decides about acceptance"),
    ("a cheat bred in an archive", "only what was verified is given on"),
    ("dropout and batch statistics", "tasks have evaluation semantics, fixed in the graph"),
];

/// A kernel of the zoo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Animal {
    /// Its class: `replay`; or what an honest one is: `softmax-online`.
    pub class: &'static str,
    /// Variant, counted from 0.
    pub variant: usize,
    /// Its task.
    pub task: ZooTask,
    /// Rows of the research table that it stands for; empty for honest ones.
    pub rows: &'static str,
    /// Reasons for which it may be turned away, as in JSON; empty for honest ones.
    pub reasons: Vec<&'static str>,
    /// The kernel.
    pub candidate: Candidate,
}

/// What became of one kernel.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// Which.
    pub animal: Animal,
    /// What the judge found.
    pub evaluation: Evaluation,
}

/// What an examination found.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// Cheats, in the order of the zoo.
    pub cheats: Vec<Finding>,
    /// Honest kernels.
    pub honest: Vec<Finding>,
}

fn field(text: &'static str, name: &str) -> &'static str {
    let lines = text.lines().take_while(|line| line.starts_with("//"));
    lines
        .filter_map(|line| line.trim_start_matches("//").trim().strip_prefix(name))
        .find_map(|rest| rest.strip_prefix(": "))
        .unwrap_or_default()
}

fn animals(files: &[(&'static str, &'static str)], n_variants: usize) -> Vec<Animal> {
    let mut found = Vec::new();
    for &(class, text) in files {
        let task = ZooTask::by_name(field(text, "task")).expect("every kernel names its task");
        let rows = field(text, "rows").split('.').next().unwrap_or_default();
        for variant in 0..n_variants {
            let flags = field(text, "flags").split_whitespace().map(str::to_owned).collect();
            found.push(Animal {
                class,
                variant,
                task,
                rows,
                reasons: field(text, "reasons")
                    .split(", ")
                    .filter(|text| !text.is_empty())
                    .collect(),
                candidate: Candidate { flags, ..kernel(task, variant, text) },
            });
        }
    }
    found
}

/// A kernel for a task, with the zoo's prelude before its text.
#[must_use]
pub fn kernel(task: ZooTask, variant: usize, text: &str) -> Candidate {
    let (rows, columns) = task.shape();
    let source = format!(
        "#define VARIANT {variant}\nenum {{ N = {}, ROWS = {rows}, COLS = {columns} }};\n\
         {PRELUDE}\n#line 1 \"kernel\"\n{text}",
        rows * columns
    );
    Candidate { language: Language::C, source, flags: Vec::new() }
}

/// All cheats.
#[must_use]
pub fn cheats() -> Vec<Animal> {
    animals(CHEATS, N_VARIANTS)
}

/// All honest kernels.
#[must_use]
pub fn honest() -> Vec<Animal> {
    animals(HONEST, 1)
}

/// The base kernel of a task: the first honest one for it.
#[must_use]
pub fn base(task: ZooTask) -> Candidate {
    let first = honest().into_iter().find(|animal| animal.task == task);
    first.expect("every task has an honest kernel").candidate
}

/// Reason as in JSON.
fn name_of(reason: Reason) -> String {
    let value = serde_json::to_value(reason).expect("a plain name");
    value.as_str().unwrap_or_default().to_owned()
}

impl Finding {
    /// Whether it was turned away.
    #[must_use]
    pub fn rejected(&self) -> bool {
        self.evaluation.rejection.is_some() && self.evaluation.level < Level::Timed
    }

    /// Whether the reason is one that fits the cheat.
    #[must_use]
    pub fn fits(&self) -> bool {
        self.evaluation.rejection.as_ref().is_some_and(|rejection| {
            self.animal.reasons.contains(&name_of(rejection.reason).as_str())
        })
    }
}

/// Judges every kernel of the zoo, or those of some classes. The options' limits are made short.
pub fn examine(
    mut options: Options,
    wanted: impl Fn(&Animal) -> bool,
    mut seen: impl FnMut(&Finding),
) -> Result<Table, Error> {
    options.n_blocks = 1;
    options.bar = 0.0;
    options.call_limit = Duration::from_secs(1);
    options.compile_limit = Duration::from_secs(10);
    let mut table = Table { cheats: Vec::new(), honest: Vec::new() };
    for task in ZooTask::ALL {
        let of_task = |animal: &Animal| animal.task == task && wanted(animal);
        let cheats: Vec<Animal> = cheats().into_iter().filter(of_task).collect();
        let honest: Vec<Animal> = honest().into_iter().filter(of_task).collect();
        if cheats.is_empty() && honest.is_empty() {
            continue;
        }
        let mut judge = Judge::open(Box::new(task), &base(task), options.clone())?;
        for (animals, findings) in [(cheats, &mut table.cheats), (honest, &mut table.honest)] {
            for animal in animals {
                let evaluation = judge.evaluate(&animal.candidate, Effort::Full)?;
                let finding = Finding { animal, evaluation };
                seen(&finding);
                findings.push(finding);
            }
        }
    }
    let place = |class: &str| CHEATS.iter().position(|(name, _)| *name == class);
    table.cheats.sort_by_key(|finding| (place(finding.animal.class), finding.animal.variant));
    Ok(table)
}

impl Table {
    /// Cheats turned away.
    #[must_use]
    pub fn caught(&self) -> Rate {
        Rate::of(self.cheats.iter().map(Finding::rejected))
    }

    /// Honest kernels not turned away.
    #[must_use]
    pub fn accepted(&self) -> Rate {
        Rate::of(self.honest.iter().map(|finding| !finding.rejected()))
    }

    /// Cheats turned away for a reason that does not fit, and honest kernels turned away, as text.
    #[must_use]
    pub fn complaints(&self) -> Vec<String> {
        let cheats = self.cheats.iter().filter(|finding| !finding.fits());
        let honest = self.honest.iter().filter(|finding| finding.rejected());
        let told = |finding: &Finding| {
            format!(
                "{}/{}: {:?} {:?}",
                finding.animal.class,
                finding.animal.variant,
                finding.evaluation.level,
                finding.evaluation.rejection
            )
        };
        cheats.chain(honest).map(told).collect()
    }
}

/// One line for each class: caught of tried, and the reasons given.
impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<18} {:<10} {:>7}  reasons", "cheat", "rows", "caught")?;
        let mut classes: Vec<&str> = self.cheats.iter().map(|each| each.animal.class).collect();
        classes.dedup();
        for class in classes {
            let of_class: Vec<&Finding> =
                self.cheats.iter().filter(|finding| finding.animal.class == class).collect();
            let Some(first) = of_class.first() else { continue };
            let rate = Rate::of(of_class.iter().map(|finding| finding.rejected()));
            let reasons: Vec<String> = of_class
                .iter()
                .map(|finding| match &finding.evaluation.rejection {
                    Some(rejection) if finding.fits() => name_of(rejection.reason),
                    Some(rejection) => format!("{}?", name_of(rejection.reason)),
                    None => "accepted".to_owned(),
                })
                .collect();
            let caught = format!("{}/{}", rate.hits, rate.n);
            let reasons = reasons.join(", ");
            writeln!(f, "{class:<18} {:<10} {caught:>7}  {reasons}", first.animal.rows)?;
        }
        writeln!(f, "cheats caught: {}", share(self.caught()))?;
        write!(f, "honest kernels accepted: {}", share(self.accepted()))
    }
}

fn share(rate: Rate) -> String {
    let interval = rate.wilson().map_or_else(String::new, |interval| {
        format!(", 95 % Wilson interval {:.3} to {:.3}", interval.low, interval.high)
    });
    format!("{} of {}{interval}", rate.hits, rate.n)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kernel_says_what_it_is() {
        for animal in cheats() {
            assert!(!animal.rows.is_empty(), "{}", animal.class);
            assert!(!animal.reasons.is_empty(), "{}", animal.class);
            for reason in &animal.reasons {
                let known = serde_json::from_str::<Reason>(&format!("\"{reason}\""));
                assert!(known.is_ok(), "{}: {reason}", animal.class);
            }
        }
        assert_eq!(cheats().len(), CHEATS.len() * N_VARIANTS);
        assert!(honest().len() >= 10);
    }
}
