//! Scripted twins of a space and of the judge: a landscape of eight genes in which nothing is
//! compiled or measured. Tests and demonstrations search it; every record names it as a twin.

use std::collections::BTreeMap;
use std::time::Duration;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::evaluation::{Block, Level, Reason, Rejection, Timing};
use crate::evaluator::{Effort, Evaluator};
use crate::graph::{Argument, Dtype, Graph, Node, Tensor};
use crate::propose::Proposal;
use crate::space::{Descriptors, Genotype, Space};
use crate::task::{FORMAT, Generator, Origin, Policy, Task};
use crate::{Candidate, Error, Evaluation, Language};

/// What its evaluations are marked with.
pub const HARNESS: &str = "scripted-twin";
/// Values of each gene.
const VALUES: [i64; 8] = [4, 4, 4, 8, 8, 8, 8, 8];
/// Names of the genes.
const GENES: [&str; 8] =
    ["fusion", "parallel", "memory", "tile", "unroll", "width", "prefetch", "order"];
/// Nanoseconds of the twin's baseline.
const BASELINE_NANOS: f64 = 1e6;

/// A twin by its name on the command line: `twin:hill` and the like. The landscape follows from
/// the name.
#[derive(Debug, Clone)]
pub struct Twin {
    name: String,
    /// Relative standard deviation of a measurement.
    noise: f64,
    /// How long an evaluation seems to take.
    pause: Duration,
}

impl Twin {
    /// A twin whose measurements do not scatter and take no time.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self { name: name.to_owned(), noise: 0.0, pause: Duration::ZERO }
    }

    /// With measurements that scatter: relative standard deviation.
    #[must_use]
    pub fn with_noise(mut self, noise: f64) -> Self {
        self.noise = noise;
        self
    }

    /// With evaluations that take time.
    #[must_use]
    pub fn with_pause(mut self, pause: Duration) -> Self {
        self.pause = pause;
        self
    }

    /// A task to go with it: one operation over one tensor.
    #[must_use]
    pub fn task(&self) -> Task {
        let tensor =
            |name: &str| Tensor { name: name.into(), dtype: Dtype::F32, shape: vec![1000] };
        let arguments = BTreeMap::from([("self".to_owned(), Argument::Tensor("x".to_owned()))]);
        let node =
            Node { op: "aten.relu.default".to_owned(), arguments, outputs: vec![tensor("y")] };
        Task {
            stored: Default::default(),
            format: FORMAT,
            name: format!("twin:{}", self.name),
            summary: "a scripted landscape; nothing is compiled or measured".to_owned(),
            origin: Origin { source: "tetrad".to_owned(), licence: "MIT OR Apache-2.0".to_owned() },
            graph: Graph {
                inputs: vec![tensor("x")],
                parameters: Vec::new(),
                nodes: vec![node],
                outputs: vec!["y".to_owned()],
            },
            generators: BTreeMap::from([(
                "x".to_owned(),
                Generator::Normal { mean: 0.0, std: 1.0 },
            )]),
            policy: Policy::default(),
            variants: Vec::new(),
        }
    }

    /// Logarithm of the true ratio of these genes; 0 for the plain schedule.
    #[must_use]
    pub fn height(&self, genes: &[i64; 8]) -> f64 {
        self.sum(genes) - self.sum(&[0; 8])
    }

    fn sum(&self, genes: &[i64; 8]) -> f64 {
        let alone: f64 = (0..8).map(|idx| 0.3 * self.draw(&[idx, genes[idx as usize]])).sum();
        // Neighbouring genes depend on each other, so that one change at a time gets stuck.
        let pairs: f64 = (0..7)
            .map(|idx| 0.3 * self.draw(&[100 + idx, genes[idx as usize], genes[idx as usize + 1]]))
            .sum();
        alone + pairs
    }

    /// A number from -1 to 1 that the name and `key` fix.
    fn draw(&self, key: &[i64]) -> f64 {
        let mut digest = Sha256::new().chain_update(self.name.as_bytes());
        for part in key {
            digest.update(part.to_le_bytes());
        }
        let seed: [u8; 32] = digest.finalize().into();
        ChaCha8Rng::from_seed(seed).random_range(-1.0..1.0)
    }

    /// Some genes are wrong together, each in its own way.
    fn fault(genes: &[i64; 8]) -> Option<(Reason, Level)> {
        let [fusion, parallel, memory, tile, unroll, width, prefetch, order] = *genes;
        if parallel == 3 && memory >= 2 {
            Some((Reason::Wrong, Level::Compiled))
        } else if tile == 7 && unroll >= 6 {
            Some((Reason::Timeout, Level::Compiled))
        } else if fusion == 3 && width == 7 {
            Some((Reason::Compile, Level::None))
        } else if prefetch == 7 && order == 7 {
            Some((Reason::Crash, Level::Compiled))
        } else {
            None
        }
    }
}

/// The genes that a text states, if all are there and in range.
fn genes_in(source: &str) -> Option<[i64; 8]> {
    let line = source.lines().find_map(|line| line.strip_prefix("enum { "))?;
    let mut genes = [0; 8];
    let mut parts = line.trim_end_matches(" };").split(", ");
    for (idx, gene) in genes.iter_mut().enumerate() {
        let (name, value) = parts.next()?.split_once(" = ")?;
        *gene = value.parse().ok()?;
        if name != GENES[idx] || !(0..VALUES[idx]).contains(gene) {
            return None;
        }
    }
    parts.next().is_none().then_some(genes)
}

/// A scripted model for these landscapes, `coder:twin` on the command line: changes genes of the
/// last candidate it is shown, in the form it is asked for. One in eight replies is of no use.
#[must_use]
pub fn coder() -> llm::scripted::Scripted {
    llm::scripted::Scripted::from_fn("twin-coder", |request| {
        let mut rng = ChaCha8Rng::seed_from_u64(request.seed.unwrap_or(0));
        let text = match request.messages.last() {
            Some(llm::Message::User { text }) => text.as_str(),
            _ => "",
        };
        let Some(old) = text.lines().rev().find(|line| line.starts_with("enum { ")) else {
            return Ok(llm::scripted::reply("There is nothing to change.", &[]));
        };
        let mut genes = genes_in(old).unwrap_or([0; 8]);
        for _ in 0..2 {
            let idx = rng.random_range(0..8);
            genes[idx] = rng.random_range(0..VALUES[idx]);
        }
        let whole = Twin::new("").emit(&genotype_of(&genes)).source;
        let new = whole.lines().find(|line| line.starts_with("enum { ")).unwrap_or_default();
        let reply = if rng.random_range(0..8) == 0 {
            "I am sorry, I cannot think of anything.".to_owned()
        } else if text.contains("<<<<<<< SEARCH") {
            format!("<<<<<<< SEARCH\n{old}\n=======\n{new}\n>>>>>>> REPLACE\n")
        } else {
            format!("Another tile.\n```c\n{whole}```\n")
        };
        Ok(llm::scripted::reply(&reply, &[]))
    })
}

fn genes_of(genotype: &Genotype) -> [i64; 8] {
    let mut genes = [0; 8];
    for (idx, gene) in genes.iter_mut().enumerate() {
        let value = genotype.0.get(GENES[idx]).and_then(serde_json::Value::as_i64).unwrap_or(0);
        *gene = value.rem_euclid(VALUES[idx]);
    }
    genes
}

fn genotype_of(genes: &[i64; 8]) -> Genotype {
    let pairs = GENES.iter().zip(genes).map(|(name, gene)| ((*name).to_owned(), json!(gene)));
    Genotype(serde_json::Value::Object(pairs.collect()))
}

impl Space for Twin {
    fn base(&self) -> Genotype {
        genotype_of(&[0; 8])
    }

    fn seeds(&self) -> Vec<Genotype> {
        vec![genotype_of(&[1, 1, 0, 2, 2, 2, 0, 0]), genotype_of(&[2, 1, 1, 3, 1, 2, 0, 0])]
    }

    fn mutate(&self, parent: &Genotype, n_changes: usize, rng: &mut ChaCha8Rng) -> Genotype {
        let mut genes = genes_of(parent);
        for _ in 0..n_changes {
            let idx = rng.random_range(0..8);
            genes[idx] = rng.random_range(0..VALUES[idx]);
        }
        genotype_of(&genes)
    }

    fn cross(&self, one: &Genotype, other: &Genotype, rng: &mut ChaCha8Rng) -> Genotype {
        let (mut genes, other) = (genes_of(one), genes_of(other));
        for (gene, other) in genes.iter_mut().zip(other) {
            if rng.random() {
                *gene = other;
            }
        }
        genotype_of(&genes)
    }

    fn adopt(&self, foreign: &Genotype) -> Option<Genotype> {
        foreign.0.get("tile").map(|_| genotype_of(&genes_of(foreign)))
    }

    fn emit(&self, genotype: &Genotype) -> Candidate {
        let genes = genes_of(genotype);
        let parts: Vec<String> =
            GENES.iter().zip(genes).map(|(name, gene)| format!("{name} = {gene}")).collect();
        let source = format!(
            "#include <stdint.h>\n\nenum {{ {} }};\n\
             const int64_t tetrad_scratch_bytes = 0;\n\n\
             void tetrad_kernel(const void *const *in, void *const *out, void *scratch) {{\n    \
             const float *x = in[0];\n    float *y = out[0];\n    \
             for (int64_t i = 0; i < 1000; ++i) y[i] = x[i] > 0 ? x[i] : 0;\n}}\n",
            parts.join(", ")
        );
        Candidate { language: Language::C, source, flags: Vec::new() }
    }

    fn emit_variant(&self, _: &Genotype, _: usize) -> Option<Candidate> {
        None
    }

    fn descriptors(&self, genotype: &Genotype) -> Descriptors {
        let genes = genes_of(genotype);
        let name = |names: [&str; 4], idx: i64| names[idx as usize].to_owned();
        Descriptors {
            fusion: format!("fused-{}", genes[0] + 1),
            parallel: name(["none", "outer", "blocks", "reduction"], genes[1]),
            memory: name(["plain", "packed", "streaming", "packed-streaming"], genes[2]),
        }
    }

    fn signature(&self) -> String {
        "scripted-twin".to_owned()
    }
}

impl Evaluator for Twin {
    fn harness(&self) -> String {
        HARNESS.to_owned()
    }

    fn evaluate(&self, proposal: &Proposal, effort: Effort) -> Result<Evaluation, Error> {
        std::thread::sleep(self.pause);
        let genes = genes_in(&proposal.candidate.source);
        let fault = match &genes {
            None => Some((Reason::Compile, Level::None)),
            Some(genes) => Self::fault(genes),
        };
        let (level, timing) = match (&fault, &genes) {
            (None, Some(genes)) => {
                let level = if effort == Effort::Quick { Level::Timed } else { Level::Verified };
                (level, Some(self.timing(self.height(genes), &proposal.candidate, effort)))
            }
            (Some((_, level)), _) => (*level, None),
            (None, None) => (Level::None, None),
        };
        Ok(Evaluation {
            level,
            rejection: fault.map(|(reason, _)| Rejection {
                reason,
                detail: format!("the twin's rule for genes {genes:?}"),
            }),
            error_over_tolerance: timing.as_ref().map(|_| 0.1),
            n_checked_calls: 8,
            timing,
            isolation: Vec::new(),
            compiler: "none: scripted twin".to_owned(),
            machine: "none: scripted twin".to_owned(),
            remarks: String::new(),
        })
    }
}

impl Twin {
    fn timing(&self, height: f64, candidate: &Candidate, effort: Effort) -> Timing {
        // The same candidate at the same effort is measured the same: what is random is fixed.
        let seed: [u8; 32] = Sha256::new()
            .chain_update(candidate.id())
            .chain_update([effort as u8])
            .finalize()
            .into();
        let mut rng = ChaCha8Rng::from_seed(seed);
        let mut scatter = || {
            let sum: f64 = (0..12).map(|_| rng.random::<f64>()).sum();
            (self.noise * (sum - 6.0)).exp()
        };
        let ratio = height.exp() * scatter();
        let candidate_nanos = BASELINE_NANOS / ratio;
        Timing {
            blocks: vec![Block {
                candidate_nanos: vec![candidate_nanos as u64],
                baseline_nanos: vec![BASELINE_NANOS as u64],
            }],
            baseline: "scripted-twin".to_owned(),
            ratio,
            interval: (self.noise > 0.0)
                .then(|| (ratio * (-2.0 * self.noise).exp(), ratio * (2.0 * self.noise).exp())),
            candidate_nanos,
            baseline_nanos: BASELINE_NANOS,
            floor_nanos: BASELINE_NANOS / 60.0,
            warnings: vec!["a scripted twin: nothing was measured".to_owned()],
        }
    }
}
