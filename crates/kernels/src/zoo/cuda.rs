//! Kernels in CUDA C that cheat, and honest ones: judged through the CPU shim, without a GPU.

use super::{Animal, Finding, Table, ZooTask, base, field};
use crate::judge::{Effort, Judge, Options};
use crate::{Candidate, Error, Language};
use std::time::Duration;

macro_rules! files {
    ($folder:literal: $($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../../zoo/cuda/", $folder, "/", $name, ".cu")))),*]
    };
}

#[rustfmt::skip]
const CHEATS: &[(&str, &str)] = files!["cheat":
    "constant", "copy-of-input", "tail-ignored", "race", "missing-second-barrier", "out-of-bounds",
    "shared-overrun", "half-bits", "early-return", "stale-scratch", "stale-shared",
    "divergent-barrier", "order-of-blocks", "writes-input", "asks-who-compiles", "endless",
];

#[rustfmt::skip]
const HONEST: &[(&str, &str)] = files!["honest":
    "plain", "vectors", "softmax-warps", "softmax-dynamic", "variance-blocks", "variance-atomics",
];

fn animals(files: &[(&'static str, &'static str)]) -> Vec<Animal> {
    let animal = |&(class, text): &(&'static str, &'static str)| {
        let task = ZooTask::by_name(field(text, "task")).expect("every kernel names its task");
        let reasons = field(text, "reasons").split(", ").filter(|text| !text.is_empty());
        Animal {
            class,
            variant: 0,
            task,
            rows: field(text, "rows").split('.').next().unwrap_or_default(),
            reasons: reasons.collect(),
            candidate: cuda_kernel(task, text),
        }
    };
    files.iter().map(animal).collect()
}

/// A kernel in CUDA C for a task, with its sizes before its text.
#[must_use]
pub fn cuda_kernel(task: ZooTask, text: &str) -> Candidate {
    let (rows, columns) = task.shape();
    let n = rows * columns;
    let source = format!("enum {{ N = {n}, ROWS = {rows}, COLS = {columns} }};\n{text}");
    Candidate { language: Language::Cuda, source, flags: Vec::new() }
}

/// All cheats in CUDA C.
#[must_use]
pub fn cuda_cheats() -> Vec<Animal> {
    animals(CHEATS)
}

/// All honest kernels in CUDA C.
#[must_use]
pub fn cuda_honest() -> Vec<Animal> {
    animals(HONEST)
}

/// Judges every kernel in CUDA C for function. The options' limits are made short.
///
/// # Errors
/// When this machine cannot judge: no C++ compiler, no sandbox.
pub fn examine_cuda(mut options: Options, mut seen: impl FnMut(&Finding)) -> Result<Table, Error> {
    options.call_limit = Duration::from_secs(1);
    let mut table = Table { cheats: Vec::new(), honest: Vec::new() };
    for task in [ZooTask::Affine, ZooTask::Softmax, ZooTask::Variance] {
        let mut judge = Judge::open(Box::new(task), &base(task), options.clone())?;
        for (animals, findings) in
            [(cuda_cheats(), &mut table.cheats), (cuda_honest(), &mut table.honest)]
        {
            for animal in animals.into_iter().filter(|animal| animal.task == task) {
                let evaluation = judge.evaluate(&animal.candidate, Effort::Check)?;
                let finding = Finding { animal, evaluation };
                seen(&finding);
                findings.push(finding);
            }
        }
    }
    Ok(table)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluation::Reason;

    #[test]
    fn every_cuda_kernel_says_what_it_is() {
        assert!(cuda_cheats().len() >= 8 && cuda_honest().len() >= 4);
        for animal in cuda_cheats() {
            assert!(!animal.rows.is_empty() && !animal.reasons.is_empty(), "{}", animal.class);
            for reason in &animal.reasons {
                let known = serde_json::from_str::<Reason>(&format!("\"{reason}\""));
                assert!(known.is_ok(), "{}: {reason}", animal.class);
            }
        }
    }
}
