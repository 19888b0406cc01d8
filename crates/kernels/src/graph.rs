//! What is to be computed: a graph of core-ATen operations over dense, row-major tensors.
//!
//! Operations and their arguments keep the names of PyTorch's schemas (`aten.convolution.default`,
//! `self`, `dim`), so that a graph reads like the output of `torch.export` after decomposition.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Element type of a tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dtype {
    /// 32-bit float.
    F32,
    /// 64-bit float.
    F64,
    /// 64-bit signed integer.
    I64,
    /// 32-bit signed integer.
    I32,
    /// 8-bit signed integer.
    I8,
    /// 8-bit unsigned integer.
    U8,
    /// One byte, 0 or 1.
    Bool,
}

/// A named tensor with its shape.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tensor {
    /// Unique within a graph.
    pub name: String,
    /// Element type.
    pub dtype: Dtype,
    /// Extents, outermost first; empty for a scalar.
    pub shape: Vec<usize>,
}

/// An argument of an operation, by its kind in the schema.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Argument {
    /// Name of a tensor.
    Tensor(String),
    /// Names of tensors, for `cat` and the like.
    Tensors(Vec<String>),
    /// A list in which tensors may be missing, for `index`.
    OptionalTensors(Vec<Option<String>>),
    /// An integer.
    Int(i64),
    /// Integers.
    Ints(Vec<i64>),
    /// A number. Written as a string when it is not finite.
    Float(#[serde(with = "float")] f64),
    /// A flag.
    Bool(bool),
    /// Flags.
    Bools(Vec<bool>),
    /// Text, e.g. the `approximate` of `gelu`.
    Text(String),
    /// An element type, e.g. of `_to_copy`.
    Dtype(Dtype),
    /// Absent.
    None,
}

/// One operation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Node {
    /// PyTorch's name with its overload: `aten.sum.dim_IntList`.
    pub op: String,
    /// Arguments by their names in the schema; what is missing has the schema's default.
    pub arguments: BTreeMap<String, Argument>,
    /// What it computes, in the schema's order. An output nobody reads may have an empty name.
    pub outputs: Vec<Tensor>,
}

/// A graph in which every tensor is computed before it is read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Graph {
    /// What the module is called with.
    pub inputs: Vec<Tensor>,
    /// Weights, buffers and constants. A kernel is given them after the inputs.
    pub parameters: Vec<Tensor>,
    /// Operations, in an order in which they can be computed.
    pub nodes: Vec<Node>,
    /// Names of what is returned.
    pub outputs: Vec<String>,
}

impl Dtype {
    /// Bytes of one element.
    #[must_use]
    pub fn size_bytes(self) -> usize {
        match self {
            Self::F64 | Self::I64 => 8,
            Self::F32 | Self::I32 => 4,
            Self::I8 | Self::U8 | Self::Bool => 1,
        }
    }

    /// Whether it is a float.
    #[must_use]
    pub fn is_float(self) -> bool {
        matches!(self, Self::F32 | Self::F64)
    }

    /// Its C type.
    #[must_use]
    pub fn c_name(self) -> &'static str {
        match self {
            Self::F32 => "float",
            Self::F64 => "double",
            Self::I64 => "int64_t",
            Self::I32 => "int32_t",
            Self::I8 => "int8_t",
            Self::U8 | Self::Bool => "uint8_t",
        }
    }
}

impl Tensor {
    /// Number of elements.
    #[must_use]
    pub fn n_elements(&self) -> usize {
        self.shape.iter().product()
    }

    /// Size in memory.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        self.n_elements() * self.dtype.size_bytes()
    }
}

impl Graph {
    /// The tensor of this name, wherever it comes from.
    #[must_use]
    pub fn tensor(&self, name: &str) -> Option<&Tensor> {
        let computed = self.nodes.iter().flat_map(|node| &node.outputs);
        self.inputs.iter().chain(&self.parameters).chain(computed).find(|each| each.name == name)
    }

    /// What a kernel is given: inputs, then parameters.
    pub fn given(&self) -> impl Iterator<Item = &Tensor> {
        self.inputs.iter().chain(&self.parameters)
    }

    /// What a kernel has to write.
    pub fn returned(&self) -> impl Iterator<Item = &Tensor> {
        self.outputs.iter().filter_map(|name| self.tensor(name))
    }
}

/// JSON has no infinities, and masks are made of them.
mod float {
    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serializer};

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Number(f64),
        Text(String),
    }

    pub(super) fn serialize<S: Serializer>(value: &f64, to: S) -> Result<S::Ok, S::Error> {
        if value.is_finite() { to.serialize_f64(*value) } else { to.collect_str(value) }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
        match Written::deserialize(from)? {
            Written::Number(value) => Ok(value),
            Written::Text(text) => text.parse().map_err(D::Error::custom),
        }
    }
}
