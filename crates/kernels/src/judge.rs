//! Compiles, runs, compares and times candidates, from outside.
//!
//! The judge holds the clock, the inputs and the expected outputs in its own process; a candidate
//! is compiled in one sandbox and computes in another, in which there is nothing but itself. See
//! `worker` (in this folder) for what a call looks like, and the zoo for what was tried against it.
//!
//! Not covered: what a kernel learns from the processor itself (its caches and branch predictors
//! are trained by earlier calls, as any program's are), bugs of the operating system's kernel that
//! let a program out of the sandbox, and a machine whose owner lies about its clock.
//!
//! Nor a kernel that is right in every call that it is given and means to be wrong in a later one:
//! no measurement shows that, only its text.
//!
//! Memory errors within a candidate's own stack and static data are not looked for (there is no
//! sanitizer build); outside them guard pages on both sides of every buffer, garbage round its
//! content, and the comparison find what matters.
//!
//! Where other programs keep all processors busy, waking a kernel can take as long as a tick of the
//! system's clock, some milliseconds. Timings then carry a warning. Two judges that timed
//! at once would be each other's noise: they take turns.

mod baseline;
mod cell;
mod clock;
mod compare;
mod compile;
pub mod expect;
pub mod known;
mod layout;
mod object;
pub mod peer;
mod roofline;
mod scan;
mod session;
mod sets;
mod timing;
mod turn;
mod worker;

use std::sync::Arc;
use std::time::Duration;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use sandbox::Launcher;

pub(crate) use compare::{compare_bytes, poison};
pub use expect::{Expect, Expected, Set, Tolerance};
pub use known::Known;
pub use peer::Peer;
pub use roofline::{Floor, RoundTrip};

use self::baseline::Anchor;
use self::clock::FULL_CALLS;
use self::compile::{Program, Workshop};
use self::session::{Contender, Limits, Showing, Stage, Step};
use self::sets::{N_HELD, check_memory, draw, in_order};
use crate::cuda::{self, UNMEASURED};
use crate::evaluation::{Evaluation, Level, Reason, Rejection, Timing};
use crate::{Candidate, Error, Language};

/// How much is to be found out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effort {
    /// Whether it is right.
    Check,
    /// And about how fast: one block.
    Quick,
    /// And how fast, in several blocks of fresh processes.
    Full,
    /// And whether that holds once more, on inputs held back.
    Promote,
}

/// How a judge works.
#[derive(Debug, Clone)]
pub struct Options {
    /// How sandboxes are started.
    pub launcher: Launcher,
    /// Threads of kernels and baselines.
    pub n_threads: usize,
    /// Seed of inputs, addresses and orders. Whoever writes candidates must not know it.
    pub seed: u64,
    /// Wall limit of one compilation.
    pub compile_limit: Duration,
    /// Wall limit of one call of a candidate. It may be shorter: see [`Judge::call_limit`].
    pub call_limit: Duration,
    /// Wall limit of one call of the base and other baselines.
    pub baseline_limit: Duration,
    /// Most memory for inputs with their expected outputs.
    pub pool_bytes: usize,
    /// Blocks of a full timing.
    pub n_blocks: usize,
    /// A full timing is only begun for a candidate whose first block shows at least this ratio.
    pub bar: f64,
    /// Told now and then how long this judge has been waiting for another on this machine.
    pub on_wait: Option<fn(Duration)>,
}

impl Options {
    /// Two threads, or one where there is only one processor; generous limits.
    #[must_use]
    pub fn new(launcher: Launcher, seed: u64) -> Options {
        let n_processors = std::thread::available_parallelism().map_or(1, usize::from);
        Options {
            launcher,
            n_threads: n_processors.min(2),
            seed,
            compile_limit: Duration::from_secs(20),
            call_limit: Duration::from_secs(10),
            baseline_limit: Duration::from_secs(120),
            pool_bytes: 1 << 30,
            n_blocks: 3,
            bar: 0.0,
            on_wait: None,
        }
    }
}

/// Calls of one process in a short timing, and in a full one; the first is for warming up.
const QUICK_CALLS: usize = 4;
/// A candidate may take this many times as long as the baseline, and at least a second.
const PATIENCE: f64 = 4.0;

/// Judges candidates for one task.
pub struct Judge {
    options: Options,
    workshop: Workshop,
    stage: Stage,
    variants: Vec<Stage>,
    rng: ChaCha8Rng,
    /// Sets of the plain kind, for timing.
    pool: Vec<Set>,
    /// Two sets of the plain kind and one of each other, for checking; they show in no timing.
    kinds: Vec<Set>,
    /// Sets that only promotions see.
    held: Vec<Set>,
    base: Arc<Program>,
    base_nanos: Vec<u64>,
    base_name: String,
    anchor: Option<Anchor>,
    round_trip: RoundTrip,
    floor: Floor,
    machine: String,
    isolation: Vec<String>,
}

/// What a stage of the cascade found.
struct Found {
    rejection: Option<Rejection>,
    worst: f64,
    n_checked: u64,
}

impl Found {
    fn nothing() -> Found {
        Found { rejection: None, worst: 0.0, n_checked: 0 }
    }

    /// Adds a showing; its rejection, where it has one, for the reason that `turn` makes of it.
    fn add(&mut self, showing: &Showing, turn: impl Fn(usize, Reason) -> (Reason, String)) {
        self.worst = self.worst.max(showing.worst);
        let rejected = usize::from(showing.rejection.is_some());
        self.n_checked += showing.calls.len().saturating_sub(rejected) as u64;
        if self.rejection.is_none()
            && let Some((at, rejection)) = &showing.rejection
        {
            let (reason, context) = turn(*at, rejection.reason);
            let detail = format!("{}{context}", rejection.detail);
            self.rejection = Some(Rejection { reason, detail });
        }
    }
}

fn is_wrong(reason: Reason) -> bool {
    matches!(reason, Reason::Wrong | Reason::Unwritten)
}

impl Judge {
    /// Opens the sandboxes, verifies the base, and measures what the machine can do.
    pub fn open(
        expect: Box<dyn Expect>,
        base: &Candidate,
        options: Options,
    ) -> Result<Judge, Error> {
        let mut workshop = Workshop::open(&options.launcher, options.compile_limit)?;
        let mut stage = Stage::open(expect, &options, 2)?;
        let mut rng = ChaCha8Rng::seed_from_u64(options.seed);
        check_memory(&stage)?;
        let first = draw(&stage, 0, &mut rng)?;
        let limits = Limits { call: options.baseline_limit, baseline: Duration::MAX };
        let round_trip = roofline::round_trip(
            &mut stage,
            &mut workshop,
            &first,
            options.n_threads,
            limits,
            &mut rng,
        )?;
        let floor = roofline::floor(
            &mut stage,
            &mut workshop,
            &first,
            (options.n_threads, round_trip),
            limits,
            &mut rng,
        )?;
        let isolation = stage.isolation();
        let base_program = workshop.compile(base)?.map_err(|rejection| Error::Tool {
            tool: "gcc".to_owned(),
            reason: format!("the base kernel of the task was refused: {}", rejection.detail),
        })?;
        let machine = machine(options.n_threads);
        let mut judge = Judge {
            workshop,
            stage,
            variants: Vec::new(),
            rng,
            pool: vec![first],
            kinds: Vec::new(),
            held: Vec::new(),
            base: base_program,
            base_nanos: Vec::new(),
            base_name: "base".to_owned(),
            anchor: None,
            round_trip,
            floor,
            machine,
            isolation,
            options,
        };
        judge.measure_base()?;
        Ok(judge)
    }

    /// What a call costs that computes nothing.
    #[must_use]
    pub fn round_trip(&self) -> RoundTrip {
        self.round_trip
    }

    /// Least times by this machine.
    #[must_use]
    pub fn floor(&self) -> Floor {
        self.floor
    }

    /// The compiler's first line about itself.
    #[must_use]
    pub fn compiler(&self) -> &str {
        self.workshop.version()
    }

    /// Processor and threads.
    #[must_use]
    pub fn machine(&self) -> &str {
        &self.machine
    }

    /// Asks for this ratio in the first block before a full timing is begun.
    pub fn set_bar(&mut self, bar: f64) {
        self.options.bar = bar;
    }

    /// Wall limit of one call of a candidate: a few times the baseline's time.
    #[must_use]
    pub fn call_limit(&self) -> Duration {
        let typical = self.base_nanos.iter().copied().max().unwrap_or(u64::MAX / 8) as f64;
        let patient = Duration::from_nanos((typical * PATIENCE) as u64);
        patient.max(Duration::from_secs(1)).min(self.options.call_limit)
    }

    /// Adds the same task at another size, for [`Judge::check_variant`].
    pub fn add_variant(&mut self, expect: Box<dyn Expect>) -> Result<usize, Error> {
        let stage = Stage::open(expect, &self.options, 1)?;
        self.variants.push(stage);
        Ok(self.variants.len() - 1)
    }

    /// Whether a candidate for a variant is right there; the rejection if not.
    pub fn check_variant(
        &mut self,
        variant_idx: usize,
        candidate: &Candidate,
    ) -> Result<Option<Rejection>, Error> {
        let program = match self.workshop.compile(candidate)? {
            Ok(program) => program,
            Err(rejection) => return Ok(Some(rejection)),
        };
        let limit = self.call_limit();
        let stage = &mut self.variants[variant_idx];
        let set = draw(stage, 0, &mut self.rng)?;
        let limits = Limits { call: limit, baseline: Duration::MAX };
        let steps = [Step { set: &set, n_threads: self.options.n_threads }];
        let contenders = [Contender::Program(&program)];
        let showings = stage.run(&contenders, &steps, limits, &mut self.rng)?;
        let mut found = Found::nothing();
        found.add(&showings[0], |_, reason| {
            let reason = if is_wrong(reason) { Reason::Shape } else { reason };
            (reason, format!(" (variant {variant_idx})"))
        });
        Ok(found.rejection)
    }

    /// Judges a candidate. That it is turned away is no error. CUDA C is run for function on the
    /// CPU, and no further than [`Level::Correct`].
    pub fn evaluate(&mut self, candidate: &Candidate, effort: Effort) -> Result<Evaluation, Error> {
        let mut evaluation = Evaluation {
            level: Level::None,
            rejection: None,
            error_over_tolerance: None,
            n_checked_calls: 0,
            timing: None,
            isolation: self.isolation.clone(),
            compiler: self.workshop.version().to_owned(),
            machine: self.machine.clone(),
            remarks: String::new(),
        };
        let program = match self.workshop.compile(candidate)? {
            Ok(program) => program,
            Err(rejection) => {
                evaluation.rejection = Some(rejection);
                return Ok(evaluation);
            }
        };
        evaluation.level = Level::Compiled;
        program.remarks.clone_into(&mut evaluation.remarks);
        let cuda = candidate.language == Language::Cuda;
        // Emulated, it may take its time: nothing is timed.
        let limit = if cuda { self.options.call_limit } else { self.call_limit() };
        let mut found = self.check(&program, limit)?;
        if cuda {
            evaluation.remarks = UNMEASURED.to_owned();
            found.rejection = found.rejection.map(cuda::shim::explained);
        }
        if note(&mut evaluation, found) {
            return Ok(evaluation);
        }
        evaluation.level = Level::Correct;
        if cuda || effort == Effort::Check {
            return Ok(evaluation);
        }
        let blocks = self.time(&program, 1, QUICK_CALLS, false, &mut evaluation)?;
        if self.conclude(&mut evaluation, blocks)? || effort == Effort::Quick {
            return Ok(evaluation);
        }
        let promising =
            evaluation.timing.as_ref().is_some_and(|timing| timing.ratio >= self.options.bar);
        if !promising {
            return Ok(evaluation);
        }
        let n_blocks = self.options.n_blocks;
        let blocks = self.time(&program, n_blocks, FULL_CALLS, false, &mut evaluation)?;
        if self.conclude(&mut evaluation, blocks)? || effort == Effort::Full {
            return Ok(evaluation);
        }
        // Measured once more, in fresh processes, on inputs that no candidate has met: what was
        // lucky is not lucky twice, and what was fitted to inputs shows.
        let first = evaluation.timing.take();
        let blocks = self.time(&program, n_blocks, N_HELD, true, &mut evaluation)?;
        let out = self.conclude(&mut evaluation, blocks)?;
        let faster = |timing: &Option<Timing>| {
            timing.as_ref().and_then(|timing| timing.interval).is_some_and(|(low, _)| low > 1.0)
        };
        if !out && faster(&first) && faster(&evaluation.timing) {
            evaluation.level = Level::Verified;
        }
        Ok(evaluation)
    }

    /// Right on every kind of input, and again whatever lies round it and however many threads
    /// there are.
    fn check(&mut self, program: &Program, limit: Duration) -> Result<Found, Error> {
        self.fill_kinds()?;
        let names = self.stage.expect.kinds();
        let limits = Limits { call: limit, baseline: Duration::MAX };
        let n_threads = self.options.n_threads;
        let mut found = Found::nothing();
        let steps = in_order(&self.kinds, n_threads);
        let contenders = [Contender::Program(program)];
        let showings = self.stage.run(&contenders, &steps, limits, &mut self.rng)?;
        found.add(&showings[0], |at, reason| match at {
            0 => (reason, String::new()),
            1 if is_wrong(reason) => (Reason::Drift, " (second call)".to_owned()),
            _ => {
                let kind = names.get(at - 1).map_or("?", String::as_str);
                let turned = if is_wrong(reason) { Reason::Adversarial } else { reason };
                (turned, format!(" (inputs: {kind})"))
            }
        });
        if found.rejection.is_none() {
            const N_THREADS: [usize; 2] = [1, 3];
            let steps: Vec<Step<'_>> = N_THREADS
                .iter()
                .zip(&self.kinds)
                .map(|(&n_threads, set)| Step { set, n_threads })
                .collect();
            let showings = self.stage.run(&contenders, &steps, limits, &mut self.rng)?;
            found.add(&showings[0], |at, reason| {
                let turned = if is_wrong(reason) { Reason::Unstable } else { reason };
                let n_threads = N_THREADS.get(at).copied().unwrap_or_default();
                (turned, format!(" (the same inputs again, {n_threads} threads)"))
            });
        }
        Ok(found)
    }
}

/// Writes what was found; whether it speaks against the candidate.
fn note(evaluation: &mut Evaluation, found: Found) -> bool {
    let worst = evaluation.error_over_tolerance.unwrap_or(0.0).max(found.worst);
    if found.n_checked > 0 {
        evaluation.error_over_tolerance = Some(worst);
    }
    evaluation.n_checked_calls += found.n_checked;
    let rejected = found.rejection.is_some();
    if rejected {
        evaluation.rejection = found.rejection;
        // A candidate that was right before and is not now, never was.
        evaluation.level = Level::Compiled;
        evaluation.timing = None;
    }
    rejected
}

/// Processor and threads.
fn machine(n_threads: usize) -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field = |name: &str| {
        text.lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(key, _)| key.trim() == name)
            .map_or("", |(_, value)| value.trim())
    };
    let flags: Vec<&str> = field("flags").split_whitespace().collect();
    let sets = ["avx512f", "avx512_bf16", "amx_tile", "avx2", "fma", "sse4_2"];
    let sets: Vec<&str> = sets.into_iter().filter(|set| flags.contains(set)).collect();
    format!("{}; {}; {n_threads} threads", field("model name"), sets.join(" "))
}
