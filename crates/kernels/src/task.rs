//! A task: a graph, what its inputs look like, and what a kernel for it may assume.

mod file;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::graph::{Graph, Tensor};
use crate::oracle;

/// Most elements of all tensors of a graph.
const MOST_ELEMENTS: usize = 1 << 32;

/// Most elements of one tensor.
const MOST_IN_ONE: usize = 1 << 28;

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
    /// Bytes of the tensors whose generator is [`Generator::Stored`], by name; what a variant has
    /// in another shape, by [`stored_name`].
    #[serde(skip)]
    pub stored: BTreeMap<String, Vec<u8>>,
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

/// The name under which a variant's tensor of this shape is stored, when the shape is not that of
/// the task's own: `mask@3x5`.
#[must_use]
pub fn stored_name(tensor: &Tensor) -> String {
    let extents: Vec<String> = tensor.shape.iter().map(ToString::to_string).collect();
    format!("{}@{}", tensor.name, extents.join("x"))
}

impl Task {
    /// Checks that it does not contradict itself.
    ///
    /// # Errors
    /// In one line, what is wrong first.
    pub fn check(&self) -> Result<(), String> {
        if self.format != FORMAT {
            return Err(format!("expected format {FORMAT}, got {}", self.format));
        }
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        if self.name.is_empty() || !self.name.chars().all(plain) {
            return Err(format!("`{}` is no name of a task", self.name));
        }
        for (name, generator) in &self.generators {
            generator.check().map_err(|reason| format!("generator of `{name}`: {reason}"))?;
        }
        check_graph(&self.graph)?;
        self.check_given(&self.graph)?;
        for (idx, graph) in self.variants.iter().enumerate() {
            let within = |reason| format!("variant {idx}: {reason}");
            check_graph(graph).map_err(within)?;
            self.check_given(graph).map_err(within)?;
            let same =
                |one: &Tensor, other: &Tensor| one.name == other.name && one.dtype == other.dtype;
            let n = self.graph.given().zip(graph.given()).filter(|(a, b)| same(a, b)).count();
            if n != self.graph.given().count() || n != graph.given().count() {
                return Err(within("other inputs or parameters".to_owned()));
            }
        }
        Ok(())
    }

    fn check_given(&self, graph: &Graph) -> Result<(), String> {
        for tensor in graph.given() {
            let name = &tensor.name;
            let generator = self.generators.get(name);
            let generator = generator.ok_or_else(|| format!("no generator for `{name}`"))?;
            let fits = match generator {
                Generator::Normal { .. } | Generator::Uniform { .. } | Generator::Probabilities => {
                    tensor.dtype.is_float()
                }
                Generator::Integers { low, high } => {
                    let (least, greatest) = oracle::range(tensor.dtype);
                    *low as f64 >= least && (*high - 1) as f64 <= greatest
                }
                Generator::Bernoulli { .. } => true,
                Generator::Stored => match self.stored_bytes(tensor) {
                    Some(_) => true,
                    None => return Err(format!("no stored values for `{name}`")),
                },
            };
            if !fits {
                return Err(format!("{generator:?} cannot fill `{name}` of {:?}", tensor.dtype));
            }
        }
        Ok(())
    }

    /// The stored bytes of a tensor of the graph or of a variant, if there are as many as it needs.
    pub(crate) fn stored_bytes(&self, tensor: &Tensor) -> Option<&[u8]> {
        [tensor.name.clone(), stored_name(tensor)]
            .iter()
            .filter_map(|name| self.stored.get(name))
            .find(|bytes| bytes.len() == tensor.size_bytes())
            .map(Vec::as_slice)
    }
}

impl Generator {
    fn check(&self) -> Result<(), String> {
        let fits = match self {
            Self::Normal { mean, std } => mean.is_finite() && std.is_finite() && *std >= 0.0,
            Self::Uniform { low, high } => low.is_finite() && high.is_finite() && low < high,
            Self::Integers { low, high } => {
                low < high
                    && low.unsigned_abs() <= oracle::LARGEST_INTEGER.unsigned_abs()
                    && high.unsigned_abs() <= oracle::LARGEST_INTEGER.unsigned_abs()
            }
            Self::Bernoulli { p } => (0.0..=1.0).contains(p),
            Self::Probabilities | Self::Stored => true,
        };
        if fits { Ok(()) } else { Err(format!("{self:?} is empty or not finite")) }
    }
}

fn check_graph(graph: &Graph) -> Result<(), String> {
    let mut known: BTreeSet<&str> = BTreeSet::new();
    let mut n_all = 0usize;
    let mut add = |tensor: &Tensor| {
        let n = tensor.shape.iter().try_fold(1usize, |n, each| n.checked_mul(*each));
        match n.filter(|n| *n <= MOST_IN_ONE) {
            Some(n) => n_all = n_all.saturating_add(n),
            None => return Err(format!("`{}` of {:?} is too large", tensor.name, tensor.shape)),
        }
        if n_all > MOST_ELEMENTS {
            return Err(format!("more than {MOST_ELEMENTS} elements"));
        }
        Ok(())
    };
    for tensor in graph.given() {
        add(tensor)?;
        if tensor.name.is_empty() || !known.insert(&tensor.name) {
            return Err(format!("two tensors are named `{}`", tensor.name));
        }
    }
    for node in &graph.nodes {
        let early = oracle::read_by(node).find(|name| !known.contains(name));
        if let Some(name) = early {
            return Err(format!("`{}` reads `{name}` before it is computed", node.op));
        }
        for tensor in &node.outputs {
            add(tensor)?;
            if !tensor.name.is_empty() && !known.insert(&tensor.name) {
                return Err(format!("two tensors are named `{}`", tensor.name));
            }
        }
    }
    if graph.outputs.is_empty() {
        return Err("no outputs".to_owned());
    }
    match graph.outputs.iter().find(|name| !known.contains(name.as_str())) {
        Some(name) => Err(format!("nothing computes the output `{name}`")),
        None => Ok(()),
    }
}

#[cfg(test)]
pub(crate) mod tests;
