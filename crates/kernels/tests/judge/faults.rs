//! What kernels do wrong in a search: each finding has its own reason, and the search goes on.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kernels::archive::Archive;
use kernels::evaluation::{Level, Reason};
use kernels::evaluator::{Effort, Evaluator};
use kernels::judge::{self, Judge};
use kernels::propose::{Offer, Operator, Proposal, Proposer, Request, Spent};
use kernels::search::twin::Twin;
use kernels::search::{self, Budget, Deps, End, NoProgress, SearchConfig, Shape, Strategy};
use kernels::space::{Descriptors, Genotype};
use kernels::zoo::{self, ZooTask};
use kernels::{Candidate, Error, Evaluation, Space};
use rand_chacha::ChaCha8Rng;

use crate::common::{kernel, options};

/// Kernels that break something, and for what reason they are turned away.
const FAULTS: [(Reason, &str); 7] = [
    (
        Reason::CompileLimit,
        "SCRATCH(0);\n#define A(x) x x x x x x x x x x\n#define B(x) A(A(A(x)))\n\
         KERNEL { B(B(B(((float *)out[0])[0] += 1;))) }",
    ),
    (Reason::Crash, "SCRATCH(0);\nKERNEL { *(volatile int *)8 = 1; }"),
    (Reason::Timeout, "SCRATCH(0);\nKERNEL { for (volatile int on = 1; on;) {} }"),
    (Reason::Memory, "SCRATCH((int64_t)1 << 40);\nKERNEL { HONEST_AFFINE(0, N); }"),
    (
        // More and more memory: what it is not given, it cannot touch.
        Reason::Crash,
        "SCRATCH(0);\nGADGET(grow, 12)\nKERNEL { HONEST_AFFINE(0, N);\n\
         for (long end = grow(0, 0, 0);; end += 1L << 32) { grow(end + (1L << 32), 0, 0);\n\
         *(volatile char *)(end + (1L << 32) - 1) = 1; } }",
    ),
    (
        Reason::Process,
        "SCRATCH(0);\nGADGET(plain_fork, 57)\nKERNEL { HONEST_AFFINE(0, N); plain_fork(0, 0, 0); }",
    ),
    (
        Reason::System,
        "SCRATCH(0);\nGADGET(make_file, 85)\n\
         KERNEL { HONEST_AFFINE(0, N); make_file((long)\"/tmp/kept\", 0644, 0); }",
    ),
];

/// Slow, so that an honest kernel is faster on the busiest machine.
const SLOW: &str = "SCRATCH(0);\nKERNEL { HONEST_AFFINE(0, N);\n\
                    for (volatile long wait = 0; wait < 3000000; wait++) {} }";

/// A judge as a search sees it.
struct Referee(Mutex<Judge>);

impl Evaluator for Referee {
    fn harness(&self) -> String {
        "judge of the zoo".to_owned()
    }

    fn evaluate(&self, proposal: &Proposal, effort: Effort) -> Result<Evaluation, Error> {
        let effort = match effort {
            Effort::Quick => judge::Effort::Quick,
            Effort::Thorough => judge::Effort::Promote,
        };
        self.0.lock().expect("no panic").evaluate(&proposal.candidate, effort)
    }
}

/// Nothing but the plain kernel.
struct Plain;

fn kind() -> Descriptors {
    let text = "none".to_owned();
    Descriptors { fusion: "nests-1".to_owned(), parallel: text, memory: "plain".to_owned() }
}

impl Space for Plain {
    fn base(&self) -> Genotype {
        Genotype(serde_json::Value::Null)
    }

    fn seeds(&self) -> Vec<Genotype> {
        Vec::new()
    }

    fn mutate(&self, parent: &Genotype, _: usize, _: &mut ChaCha8Rng) -> Genotype {
        parent.clone()
    }

    fn cross(&self, one: &Genotype, _: &Genotype, _: &mut ChaCha8Rng) -> Genotype {
        one.clone()
    }

    fn adopt(&self, _: &Genotype) -> Option<Genotype> {
        None
    }

    fn emit(&self, _: &Genotype) -> Candidate {
        kernel(ZooTask::Affine, SLOW)
    }

    fn emit_variant(&self, _: &Genotype, _: usize) -> Option<Candidate> {
        None
    }

    fn descriptors(&self, _: &Genotype) -> Descriptors {
        kind()
    }

    fn signature(&self) -> String {
        "affine".to_owned()
    }
}

/// Offers what it was given, in order.
struct Script {
    candidates: Vec<Candidate>,
    next: AtomicUsize,
}

impl Proposer for Script {
    fn name(&self) -> &str {
        "script"
    }

    fn operators(&self) -> Vec<Operator> {
        vec![Operator::LlmFull]
    }

    fn propose(&self, _: &Request<'_>) -> Result<Offer, Error> {
        let candidate = self.candidates.get(self.next.fetch_add(1, Ordering::Relaxed));
        let proposal = candidate
            .map(|candidate| Proposal {
                candidate: candidate.clone(),
                genotype: None,
                descriptors: kind(),
            })
            .ok_or_else(|| "nothing left".to_owned());
        Ok(Offer { proposal, spent: Spent::default() })
    }
}

#[test]
fn every_fault_is_one_finding_and_an_honest_kernel_is_verified_after_them() {
    let mut options = options();
    options.compile_limit = Duration::from_secs(4);
    let referee = Judge::open(Box::new(ZooTask::Affine), &kernel(ZooTask::Affine, SLOW), options);
    let referee = Referee(Mutex::new(referee.unwrap_or_else(|error| panic!("{error}"))));
    let honest = zoo::honest().into_iter().find(|animal| animal.class == "vectors");
    let honest = honest.expect("in the zoo").candidate;
    let mut candidates: Vec<Candidate> =
        FAULTS.iter().map(|(_, text)| kernel(ZooTask::Affine, text)).collect();
    candidates.push(honest.clone());
    let folder = tempfile::tempdir().expect("a folder");
    let archive = Archive::open(&folder.path().join("archive.sqlite")).expect("an archive");
    let budget =
        Budget { evaluations: candidates.len() as u64 + 1, secs: None, tokens: None, usd: None };
    let config = SearchConfig {
        task: "affine".to_owned(),
        strategy: Strategy::Evolve,
        seed: 1,
        shape: Shape { n_islands: 1, migrate_every: 1000, recheck_every: 1000 },
        proposers: vec!["script".to_owned()],
        budget,
        jobs: 1,
    };
    let task = Twin::new("affine").task();
    let deps = Deps {
        archive: &archive,
        task: &task,
        space: &Plain,
        evaluator: Arc::new(referee),
        models: vec![Box::new(Script { candidates, next: AtomicUsize::new(0) })],
        cancel: &AtomicBool::new(false),
        relay: None,
    };
    let summary = search::run(&config, "faults", &deps, &NoProgress).expect("it goes on");
    assert_eq!(summary.end, End::Complete);
    let attempts = archive.attempts("faults").expect("kept");
    for (reason, text) in FAULTS {
        let id = kernel(ZooTask::Affine, text).id();
        let attempt = attempts.iter().find(|attempt| attempt.candidate == id);
        let findings = archive.findings(attempt.expect("recorded").id).expect("kept");
        let found: Vec<_> = findings
            .iter()
            .map(|finding| {
                finding
                    .finding
                    .evaluation
                    .rejection
                    .as_ref()
                    .map(|each| (each.reason, each.detail.clone()))
            })
            .collect();
        assert!(matches!(&found[..], [Some((own, _))] if *own == reason), "{reason:?}: {found:?}");
    }
    let attempt = attempts.iter().find(|attempt| attempt.candidate == honest.id());
    let findings = archive.findings(attempt.expect("recorded").id).expect("kept");
    let best = findings.iter().map(|finding| finding.finding.evaluation.level).max();
    assert_eq!(best, Some(Level::Verified), "{findings:?}");
}
