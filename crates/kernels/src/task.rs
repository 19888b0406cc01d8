//! A task: a graph, what its inputs look like, and what a kernel for it may assume.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::graph::Graph;

/// Version of the format that [`Task`] is written in. History: 1, the first.
pub const FORMAT: u32 = 1;

/// Something to be computed fast.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// [`FORMAT`] when it was written.
    pub format: u32,
    /// Short and unique, `[a-z0-9_]+`: `l1_023_softmax`, `rms_norm`.
    pub name: String,
    /// One line for people.
    pub summary: String,
    /// Where it comes from.
    pub origin: Origin,
    /// What is computed.
    pub graph: Graph,
    /// How each input and parameter is made, by name.
    pub generators: BTreeMap<String, Generator>,
    /// What a kernel may assume, and what is said of the task.
    pub policy: Policy,
    /// The same computation at other, odd sizes. A schedule has to be right there too; a source
    /// text, made for the one shape, need not.
    pub variants: Vec<Graph>,
}

/// Where a task comes from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Origin {
    /// Project or file: `tetrad`, `KernelBench level1/23_Softmax.py`.
    pub source: String,
    /// Its licence.
    pub licence: String,
}

/// How a tensor's values are drawn. Equal seeds give equal bytes on every machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Generator {
    /// Gaussian.
    Normal {
        /// Mean.
        mean: f64,
        /// Standard deviation.
        std: f64,
    },
    /// Uniform in `[low, high)`.
    Uniform {
        /// Least.
        low: f64,
        /// Bound.
        high: f64,
    },
    /// Integers, uniform in `low..high`; also for float tensors, of labels and signs.
    Integers {
        /// Least.
        low: i64,
        /// Bound.
        high: i64,
    },
    /// True with this probability.
    Bernoulli {
        /// Probability.
        p: f64,
    },
    /// Non-negative, with sum 1 along the last axis.
    Probabilities,
    /// Fixed values, in the safetensors file beside the task.
    Stored,
}

/// What a kernel may assume, and what is said of the task.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Policy {
    /// Whether parameters stay the same over the calls of one process. Default: they change like
    /// inputs, so nothing can be prepared ahead of the clock.
    #[serde(default)]
    pub weights_static: bool,
    /// Dominated by a matrix product or a convolution, in which libraries are near the machine's
    /// limit already.
    #[serde(default)]
    pub product_bound: bool,
    /// Its graph computes what algebra can leave out; not in headline figures.
    #[serde(default)]
    pub redundant: bool,
    /// Remarks for people.
    #[serde(default)]
    pub notes: Vec<String>,
}
