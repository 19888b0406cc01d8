//! What the judge finds about a candidate.

use serde::{Deserialize, Serialize};

/// How far a candidate came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// Nothing holds.
    None,
    /// It compiles.
    Compiled,
    /// Its outputs were right, untimed.
    Correct,
    /// Right in every timed call, measured once.
    Timed,
    /// Measured again in fresh processes on inputs held back, and right there.
    Verified,
}

/// Why a candidate is turned away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// The text contains what no kernel needs: inline assembly that includes files, constructors.
    Forbidden,
    /// A compiler option outside the allow-list.
    Flag,
    /// It does not compile.
    Compile,
    /// The compiler took too long or too much memory.
    CompileLimit,
    /// It needs a symbol that is not on the allow-list.
    Symbol,
    /// A signal ended it: wild address, written input, forbidden call.
    Crash,
    /// It did not return in time.
    Timeout,
    /// It wanted too much memory.
    Memory,
    /// It wrote outside its outputs.
    OutOfBounds,
    /// An output differs from the expected beyond the tolerance.
    Wrong,
    /// An output was not written at all.
    Unwritten,
    /// Two runs on the same input differ by more than rounding.
    Unstable,
    /// Wrong on a kind of input that the plain distribution does not show.
    Adversarial,
    /// Wrong at another size of a schedule that should hold for all.
    Shape,
    /// Right first, wrong in a later or held-out call.
    Drift,
    /// Faster than the machine can move the bytes or do the arithmetic.
    Impossible,
    /// It used more threads or CPU time than allowed, or worked outside the clock.
    Budget,
    /// It left processes behind or tried to start some.
    Process,
    /// It tried to read or write files, or to reach the network.
    System,
}

/// A reason and what was seen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rejection {
    /// Why.
    pub reason: Reason,
    /// What was seen, in one line; a compiler's text comes shortened.
    pub detail: String,
}

/// One process's share of a measurement, candidate and baseline in turn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Block {
    /// Nanoseconds of the candidate's calls, the empty round trip taken off.
    pub candidate_nanos: Vec<u64>,
    /// Nanoseconds of the baseline's calls, in the same minutes.
    pub baseline_nanos: Vec<u64>,
}

/// Measured times.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Timing {
    /// Raw samples.
    pub blocks: Vec<Block>,
    /// What the baseline is: `base`, `torch-eager`.
    pub baseline: String,
    /// Baseline's time divided by the candidate's: median over blocks of the ratio of lower
    /// quartiles.
    pub ratio: f64,
    /// 95 % interval of it, bootstrap over blocks and calls; `None` when there is too little.
    pub interval: Option<(f64, f64)>,
    /// Candidate's median, in nanoseconds.
    pub candidate_nanos: f64,
    /// Baseline's median, in nanoseconds.
    pub baseline_nanos: f64,
    /// Least time by this machine's bandwidth and arithmetic.
    pub floor_nanos: f64,
    /// Reasons to doubt: drift of the control, few samples, outliers.
    pub warnings: Vec<String>,
}

/// What was found about one candidate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// How far it came.
    pub level: Level,
    /// Why not further; `None` when nothing speaks against it.
    pub rejection: Option<Rejection>,
    /// Largest error over the tolerance at its place, over all checked outputs; 1 is the limit.
    pub error_over_tolerance: Option<f64>,
    /// Outputs compared, whole calls.
    pub n_checked_calls: u64,
    /// Times, when it came that far.
    pub timing: Option<Timing>,
    /// Protections in force while it ran, by name.
    pub isolation: Vec<String>,
    /// The compiler's first line about itself.
    pub compiler: String,
    /// Processor, instruction sets, threads.
    pub machine: String,
    /// Remarks of the compiler (vectorisation, registers, spills), shortened: food for proposers.
    pub remarks: String,
}
